/* The key of requests (manager/front/request_key.h). The file is our own. */
#include "manager/front/request_key.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/log.h"
#include "manager/layout.h"
#include "trust/secret_file.h"

static int read_key(const char *path, uint8_t key[REQUEST_KEY_BYTES], struct err *err)
{
	struct buf bytes;
	int rc;

	buf_init(&bytes, SECRET_FILE_MAX_BYTES);
	rc = secret_file_read(path, true, &bytes, err);
	if (rc == 0 && bytes.size != REQUEST_KEY_BYTES)
		rc = err_set(err, ERR_FORMAT, "%zu bytes, not %d", bytes.size, REQUEST_KEY_BYTES);
	if (rc == 0)
		memcpy(key, bytes.data, REQUEST_KEY_BYTES);
	buf_wipe(&bytes);
	buf_done(&bytes);
	return rc;
}

int request_key_open(const char *directory, const struct env *env, uint8_t key[REQUEST_KEY_BYTES], struct err *err)
{
	char path[LAYOUT_PATH_BYTES];
	struct err why = { 0 };
	int rc;

	snprintf(path, sizeof(path), "%s/%s", directory, LAYOUT_REQUEST_KEY);
	rc = read_key(path, key, &why);
	if (rc == 0)
		return 0;
	if (rc != ERR_NOT_FOUND)
		LOG(LOG_WARNING, "request_key.replaced", log_err(&why));
	env->random(env->context, key, REQUEST_KEY_BYTES);
	rc = secret_file_write(path, key, REQUEST_KEY_BYTES, 0600, err);
	return rc == 0 ? 0 : err_add(err, rc, LAYOUT_REQUEST_KEY);
}
