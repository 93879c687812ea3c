/* A manager's authorities: the one that issues, perhaps the one that is to follow it, and those before, which count
 * until what they issued has ended.
 *
 * All of it is one file (keys/ca.key): the private keys in PEM, the issuing one's first, then the certificates. It is
 * replaced as a whole, so that a key and its certificate become current in one step. One of before there were several,
 * a key alone with its certificate in ca.pem beside it, is taken as well. The file is our own; what is in it is checked
 * part against part. A key that does not issue any more is destroyed at once.
 */
#ifndef MUSTER_TRUST_AUTHORITIES_H
#define MUSTER_TRUST_AUTHORITIES_H

#include "trust/authority.h"

struct authorities;

#define AUTHORITIES_MAX       8 /* roots, the issuing one and the next among them */
#define AUTHORITIES_MAX_BYTES (48 * 1024)

/* Takes over authority, also on failure (ERR_MEMORY). */
int authorities_new(struct authority *authority, struct authorities **ret_authorities, struct err *err);
/* key_path as above; certificate_path is looked at when the former holds no certificate. ERR_NOT_FOUND, ERR_FORMAT,
 * ERR_UNTRUSTED (keys and certificates do not belong together). */
int authorities_load(const char *key_path, const char *certificate_path, struct authorities **ret_authorities,
		     struct err *err);
/* Appends what the file holds: secret. ERR_MEMORY, ERR_LIMIT. */
int authorities_file(const struct authorities *authorities, struct buf *out, struct err *err);
int authorities_store(const struct authorities *authorities, const char *key_path, struct err *err);
/* Of a backup's keys and certificates, and of those that were known when the keys were lost (as ca.pem has them): its
 * first root issues again, all others go on counting. ERR_UNTRUSTED: the root that issued when the backup was made is
 * none of the known ones, or parts do not belong together. ERR_CONFLICT: the backup is older than the authority that
 * issued last; older: then the one of the backup issues again, which agents that were activated since do not trust.
 * ERR_FORMAT; ERR_LIMIT. */
int authorities_recover(const struct buf *keys_pem, const struct buf *certificates_pem, const struct buf *known_pem,
			bool older, struct authorities **ret_authorities, struct err *err);
/* Another one that holds the same. ERR_MEMORY. */
int authorities_copy(const struct authorities *authorities, struct authorities **ret_copy, struct err *err);
void authorities_free(struct authorities *authorities); /* accepts NULL */

/* Makes the next one, in memory: whoever trusts the issuing one will trust it. ERR_EXISTS: there is one; ERR_LIMIT. */
int authorities_prepare(struct authorities *authorities, time_us now, struct err *err);
/* From now on the next one issues, in memory. ERR_WRONG_STATE: there is none. */
int authorities_turn(struct authorities *authorities, struct err *err);
/* Forgets roots that had ended then, and what led to and from them; never the issuing one. How many went. */
size_t authorities_drop(struct authorities *authorities, time_us then);

const struct authority *authorities_issuing(const struct authorities *authorities);
const struct authority *authorities_next(const struct authorities *authorities); /* NULL: none */
/* Appends what anybody may know, as ca.pem has it: the issuing root first, the next one, those before, the newest
 * first, and then the certificates by which each follows from its predecessor. */
int authorities_pem(const struct authorities *authorities, struct buf *out, struct err *err);
/* Appends the private keys, the issuing one's first: secret, for a backup. */
int authorities_keys_pem(const struct authorities *authorities, struct buf *out, struct err *err);

#endif
