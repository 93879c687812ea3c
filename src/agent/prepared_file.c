/* The key that a prepared agent waits for (agent/prepared_file.h). Input: a file of the agent's own, checked. */
#include "agent/prepared_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "os/files.h"
#include "trust/signing_key.h"

#define PEM_MAX_BYTES ((size_t)16 * 1024)

int prepared_file_store(int directory, const uint8_t key[ENVELOPE_KEY_BYTES], uid_t uid, gid_t gid, struct err *err)
{
	struct buf pem;
	int rc;

	buf_init(&pem, PEM_MAX_BYTES);
	rc = signing_public_pem(key, &pem, err);
	if (rc == 0)
		rc = files_write(directory, PREPARED_FILE, pem.data, pem.size, 0600, err);
	buf_done(&pem);
	if (rc == 0 && geteuid() == 0 && fchownat(directory, PREPARED_FILE, uid, gid, AT_SYMLINK_NOFOLLOW) != 0)
		rc = err_errno(err, errno, "identity/" PREPARED_FILE);
	return rc;
}

int prepared_file_load(int directory, uint8_t key[ENVELOPE_KEY_BYTES], struct err *err)
{
	struct buf pem;
	int rc;

	buf_init(&pem, PEM_MAX_BYTES);
	rc = files_read(directory, PREPARED_FILE, PEM_MAX_BYTES, &pem, err);
	if (rc == 0)
		rc = signing_public_parse(pem.data, pem.size, key, err);
	buf_done(&pem);
	return rc;
}

int prepared_file_remove(int directory, struct err *err)
{
	return files_remove(directory, PREPARED_FILE, err);
}

bool prepared_file_waits(const char *data)
{
	uint8_t key[ENVELOPE_KEY_BYTES];
	char path[4200];
	bool waits;
	int directory;

	snprintf(path, sizeof(path), "%s/identity", data);
	directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (directory < 0)
		return false;
	waits = faccessat(directory, "computer.json", F_OK, AT_SYMLINK_NOFOLLOW) != 0 &&
		prepared_file_load(directory, key, NULL) == 0;
	close(directory);
	return waits;
}
