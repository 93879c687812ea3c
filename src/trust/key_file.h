/* The server authentication key as the manager keeps it: its private half, and
 * how it came to be.
 *
 * keys/server-authentication.key is PKCS#8 in PEM; a key that followed another
 * has its succession behind it, as PEM too. Both are replaced by one rename:
 * there is no moment at which the old key is gone and nobody knows what it
 * signed last. Secrets are wiped. Calls block on the disk.
 */
#ifndef MUSTER_TRUST_KEY_FILE_H
#define MUSTER_TRUST_KEY_FILE_H

#include "trust/signing_key.h"
#include "wire/succession.h"

struct key_file {
	struct signing_key *key; /* NULL: there is none */
	bool followed;           /* another one, as `by` says */
	struct succession by;
};

/* ERR_NOT_FOUND, ERR_FORMAT, ERR_UNTRUSTED (not Ed25519, readable by others, or a succession that leads to another
 * key). */
int key_file_load(const char *path, struct key_file *ret_file, struct err *err);
/* Appends what the file holds: secret. */
int key_file_pem(const struct key_file *file, struct buf *out, struct err *err);
/* The former file's bytes are overwritten once its name is another's: as far as a file system lets one, it is gone. */
int key_file_store(const char *path, const struct key_file *file, struct err *err);
void key_file_done(struct key_file *file); /* accepts a zeroed one */

/* The next key, and the record by which the old one says so. */
int key_file_succeed(const struct signing_key *old, struct signing_key *next, uint64_t serial, time_us now,
		     struct key_file *ret_file, struct err *err);

#endif
