/* The certificate authorities as the keys role holds them, or why it has none.
 *
 * A manager whose keys/ca.key is missing, unreadable or damaged runs, certifies
 * nothing and says what to do; it never makes another authority by itself: no
 * agent would trust it. The file comes back by hand, or out of a backup of this
 * manager. Every change is one rename of the file (trust/authorities.h), which
 * front learns of afterwards. What front asks is untrusted.
 */
#ifndef MUSTER_MANAGER_KEYS_CA_KEY_H
#define MUSTER_MANAGER_KEYS_CA_KEY_H

#include "base/env.h"
#include "manager/keys/key_place.h"
#include "trust/authorities.h"
#include "trust/backup.h"

struct ca_key {
	const struct env *env;
	struct key_place place;          /* keys/ca.key */
	struct authorities *authorities; /* NULL: there are none, as `why` says */
	char why[ERR_TEXT_BYTES];
	struct buf known; /* ca.pem as it was at the start: by it a backup is known as this manager's */
};

/* Reads; while the role has the rights for it. A file that cannot be used is no error. ERR_MEMORY. */
int ca_key_open(struct ca_key *key, const struct env *env, const char *data_directory, struct err *err);
void ca_key_done(struct ca_key *key);

/* ERR_NOT_FOUND with what a person has to do. */
int ca_key_present(const struct ca_key *key, const struct authorities **ret_authorities, struct err *err);
/* Appends what ca.pem is to hold. ERR_NOT_FOUND as above. */
int ca_key_pem(const struct ca_key *key, struct buf *out, struct err *err);

/* On disk, in one file, before anything is signed with it. Changes what is there by one of the messages
 * PREPARE_AUTHORITY, TURN_AUTHORITY, DROP_AUTHORITIES (with `ended`). ERR_DENIED: what is to go has not ended by our
 * clock; else as trust/authorities.h. */
int ca_key_change(struct ca_key *key, uint16_t message, time_us ended, struct err *err);

/* Out of memory, where the file is not as it was left (keys/key_place.h): ERR_CONFLICT without force; what is there is
 * set aside. ERR_NOT_FOUND as above. */
int ca_key_write_anew(struct ca_key *key, bool force, struct err *err);

/* Is this backup of this manager? ERR_UNTRUSTED with what to do. */
int ca_key_check_backup(const struct ca_key *key, const struct backup *backup, struct err *err);
/* Missing ones are taken out of the backup; what was in the file stays beside as ca.key.replaced. *ret_taken: they
 * were. ERR_CONFLICT: it is older than the authority that issued last, and force is not said. */
int ca_key_take_back(struct ca_key *key, const struct backup *backup, bool force, bool *ret_taken, struct err *err);

#endif
