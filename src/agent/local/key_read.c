/* A public key from a file (agent/local/key_read.h). */
#include "agent/local/key_read.h"

#include <fcntl.h>

#include "os/files.h"
#include "trust/signing_key.h"

#define FILE_MAX_BYTES ((size_t)16 * 1024)

int key_read(const char *path, uint8_t key[ENVELOPE_KEY_BYTES], struct err *err)
{
	struct buf pem;
	int rc;

	buf_init(&pem, FILE_MAX_BYTES);
	rc = files_read(AT_FDCWD, path, FILE_MAX_BYTES, &pem, err);
	if (rc == 0)
		rc = signing_public_parse(pem.data, pem.size, key, err);
	buf_done(&pem);
	if (rc == ERR_NOT_FOUND)
		return err_set(err, rc, "there is no file %.200s", path);
	return rc == 0 ? 0
		       : err_add(err, rc, "%.200s is not the manager's public key (muster cert export FILE makes one)",
				 path);
}
