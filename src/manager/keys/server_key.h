/* The server authentication key in the keys role: rolled over, replaced, told of.
 *
 * A manager whose key file is missing or cannot be used has none, and says what
 * to do; it never makes another by itself. Every change is one rename of the key's file
 * (trust/key_file.h), which front learns of afterwards. What front asks is
 * untrusted.
 */
#ifndef MUSTER_MANAGER_KEYS_SERVER_KEY_H
#define MUSTER_MANAGER_KEYS_SERVER_KEY_H

#include "manager/keys/key_place.h"
#include "manager/messages.h"
#include "trust/authorities.h"
#include "trust/backup.h"
#include "trust/key_file.h"

struct server_key {
	const struct env *env;
	struct key_place place; /* keys/server-authentication.key */
	struct key_file file;
	char why[ERR_TEXT_BYTES]; /* there is none */
};

/* Reads; while the role has the rights for it. A file that cannot be used is no error: there is no key then.
 * ERR_MEMORY. */
int server_key_open(struct server_key *key, const struct env *env, const char *data_directory, struct err *err);
void server_key_done(struct server_key *key);

/* The key for signing; ERR_NOT_FOUND with what a person has to do. */
int server_key_present(const struct server_key *key, const struct signing_key **ret_key, struct err *err);
void server_key_state(const struct server_key *key, struct message_keys *ret_state);

/* Another key. With a succession, the last thing that the present one signs; `known` is the serial number of the last
 * one that front has stored, so that none is ever lost (ERR_CONFLICT). Without, no agent follows. */
int server_key_create(struct server_key *key, bool succeed, uint64_t known, struct err *err);
/* A key that a person brought. ERR_EXISTS: another is present, and force is not said; ERR_FORMAT, ERR_UNTRUSTED. */
int server_key_take_up(struct server_key *key, const struct message_import_key *import, struct err *err);
/* As ca_key_write_anew(). */
int server_key_write_anew(struct server_key *key, bool force, struct err *err);
/* Everything that is to outlive this machine, under the password. ERR_NOT_FOUND without a key. */
int server_key_write_backup(const struct server_key *key, const struct authorities *authorities,
			    const struct message_back_up *back_up, struct buf *out, struct err *err);
/* The key of a backup of this manager. ERR_EXISTS: another key is present, and force is not said. The same key again
 * changes nothing. */
int server_key_take_back(struct server_key *key, const struct backup *backup, const struct message_restore *restore,
			 struct err *err);

#endif
