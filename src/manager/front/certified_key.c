/* Keys with their certificates on disk. The files are our own or an administrator's. */
#include "manager/front/certified_key.h"

#include <stdio.h>

#include "manager/layout.h"
#include "trust/certificate.h"
#include "trust/identity.h"
#include "trust/secret_file.h"

void certified_key_init(struct certified_key *pair)
{
	buf_init(&pair->key, SECRET_FILE_MAX_BYTES);
	buf_init(&pair->chain, SECRET_FILE_MAX_BYTES);
}

void certified_key_done(struct certified_key *pair)
{
	buf_wipe(&pair->key);
	buf_done(&pair->key);
	buf_done(&pair->chain);
}

static int path_of(const char *directory, const char *name, char path[LAYOUT_PATH_BYTES], struct err *err)
{
	if ((size_t)snprintf(path, LAYOUT_PATH_BYTES, "%s/%s", directory, name) >= LAYOUT_PATH_BYTES)
		return err_set(err, ERR_LIMIT, "the data directory's path is too long");
	return 0;
}

static int read_one(const char *directory, const char *name, bool is_private, struct buf *out, struct err *err)
{
	char path[LAYOUT_PATH_BYTES];
	int rc = path_of(directory, name, path, err);

	return rc == 0 ? secret_file_read(path, is_private, out, err) : rc;
}

static int write_one(const char *directory, const char *name, const struct buf *bytes, mode_t mode, struct err *err)
{
	char path[LAYOUT_PATH_BYTES];
	int rc = path_of(directory, name, path, err);

	return rc == 0 ? secret_file_write(path, bytes->data, bytes->size, mode, err) : rc;
}

/* The certificates of a text, if the first of them is for this key. */
static int take_chain(const struct buf *text, struct certified_key *pair, struct err *err)
{
	int rc = certificate_copy(text->data, text->size, &pair->chain, err);

	if (rc == 0)
		rc = certificate_matches_key(buf_text(&pair->chain), buf_text(&pair->key), err);
	if (rc != 0)
		buf_reset(&pair->chain);
	return rc;
}

/* The certificate in its own file; else, cut off between the two, the one behind the key. */
static int find_chain(const char *directory, const struct certified_files *files, const struct buf *key_file,
		      struct certified_key *pair, bool *ret_copied, struct err *err)
{
	struct buf copy;
	int rc;

	buf_init(&copy, SECRET_FILE_MAX_BYTES);
	rc = read_one(directory, files->certificate, false, &copy, err);
	if (rc == 0)
		rc = take_chain(&copy, pair, err);
	*ret_copied = rc == 0;
	if (rc != 0 && take_chain(key_file, pair, NULL) == 0)
		rc = 0;
	buf_done(&copy);
	return rc == 0 ? 0 : err_add(err, rc, "%s for %s", files->certificate, files->key);
}

int certified_key_read(const char *directory, const struct certified_files *files, struct certified_key *pair,
		       bool *ret_copied, struct err *err)
{
	struct buf key_file;
	int rc;

	buf_init(&key_file, SECRET_FILE_MAX_BYTES);
	rc = read_one(directory, files->key, true, &key_file, err);
	if (rc == 0 && (rc = certificate_key_copy(key_file.data, key_file.size, &pair->key, err)) != 0)
		err_add(err, rc, "%s", files->key);
	if (rc == 0)
		rc = find_chain(directory, files, &key_file, pair, ret_copied, err);
	buf_wipe(&key_file);
	buf_done(&key_file);
	return rc;
}

int certified_key_write(const char *directory, const struct certified_files *files, const struct certified_key *pair,
			struct err *err)
{
	struct buf both;
	int rc;

	buf_init(&both, SECRET_FILE_MAX_BYTES);
	buf_append(&both, pair->key.data, pair->key.size);
	rc = buf_append(&both, pair->chain.data, pair->chain.size);
	rc = rc != 0 ? err_set(err, rc, "%s: no room for key and certificate", files->key)
		     : write_one(directory, files->key, &both, 0600, err);
	buf_wipe(&both);
	buf_done(&both);
	return rc;
}

int certified_key_copy(const char *directory, const struct certified_files *files, const struct certified_key *pair,
		       struct err *err)
{
	return write_one(directory, files->certificate, &pair->chain, 0644, err);
}
