/* A private key and its certificate: two PEM texts in memory, one file on disk.
 *
 * What the manager makes is one file, replaced by one rename: the key, and behind
 * it its certificate. Whenever it is cut off, the former pair or the next one is
 * there. Beside it stands a copy of the certificate alone, for people. A key
 * without a certificate behind it, as `init` and administrators write it, has it
 * in that other file; so has one whose key fits the other file's certificate,
 * which somebody has put there since.
 */
#ifndef MUSTER_MANAGER_FRONT_CERTIFIED_KEY_H
#define MUSTER_MANAGER_FRONT_CERTIFIED_KEY_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"

struct certified_key {
	struct buf key;   /* secret */
	struct buf chain; /* the leaf first */
};

/* Names below the data directory. */
struct certified_files {
	const char *key, *certificate;
};

void certified_key_init(struct certified_key *pair);
void certified_key_done(struct certified_key *pair); /* wipes; accepts a zeroed one */

/* Into an initialised pair. ERR_NOT_FOUND; ERR_FORMAT; ERR_UNTRUSTED: key and certificate do not belong together, or
 * others may read the key. ret_copied: the certificate's own file holds it. Blocks. */
int certified_key_read(const char *directory, const struct certified_files *files, struct certified_key *pair,
		       bool *ret_copied, struct err *err);
/* On failure the former pair is there. Blocks. */
int certified_key_write(const char *directory, const struct certified_files *files, const struct certified_key *pair,
			struct err *err);
/* The certificate's own file, for people. */
int certified_key_copy(const char *directory, const struct certified_files *files, const struct certified_key *pair,
		       struct err *err);

#endif
