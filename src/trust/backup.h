/* The backup of a manager's keys: one file under a password.
 *
 *   "MUSTER KEYS BACKUP\n"   so that anybody sees what it is
 *   u8 version, u32 memory (KiB), u32 passes, u8 lanes of Argon2id, 16 bytes salt, 12 bytes nonce
 *   u32 size, so many bytes AES-256-GCM, 16 bytes tag
 *
 * Everything before the ciphertext is authenticated with it: no byte of the file
 * can be altered, cut off or added unnoticed. Argon2id takes 64 MiB and a second
 * on purpose. A file from outside is untrusted: its cost is bounded before it is
 * paid. Secrets are wiped. What is inside is enough for a manager on a new
 * machine to command and admit the agents of the old one.
 */
#ifndef MUSTER_TRUST_BACKUP_H
#define MUSTER_TRUST_BACKUP_H

#include "base/units.h"
#include "wire/succession.h"

#define BACKUP_MAX_BYTES       (48 * 1024) /* fits a message between roles */
#define BACKUP_PASSWORD_MAX    256         /* bytes */
#define BACKUP_PASSWORD_MIN    8
#define BACKUP_SUCCESSIONS_MAX 128 /* the latest ones, if there were more */
#define BACKUP_NAME_MAX_BYTES  255
#define BACKUP_KEY_MAX_BYTES   4096
#define BACKUP_ROOT_MAX_BYTES  16384

struct backup {
	time_us made;                         /* wall clock */
	char name[BACKUP_NAME_MAX_BYTES + 1]; /* of the manager, by which agents reach it */
	uint16_t agent_port;
	uint64_t policy_revision, command_serial; /* numbers that agents have seen: later ones must be higher */
	struct buf server_key;                    /* PKCS#8 PEM of the server authentication key */
	struct buf authority_key, authority;      /* of the CA: PKCS#8 PEM, and certificate */
	size_t step_count;
	struct succession steps[BACKUP_SUCCESSIONS_MAX]; /* oldest first */
};

void backup_init(struct backup *backup);
void backup_done(struct backup *backup); /* wipes */

/* Appends the whole file. ERR_RANGE: a password that is too short or too long; ERR_LIMIT, ERR_MEMORY. About a second.
 */
int backup_seal(const struct backup *backup, const char *password, struct buf *out, struct err *err);
/* The shape alone, at no cost: ERR_FORMAT not such a file, or cut off, or with something behind it; ERR_VERSION. */
int backup_look(const void *file, size_t size, struct err *err);
/* As backup_look(); ERR_DENIED: a wrong password, or an altered file (nobody can tell which). About a second. */
int backup_open(const void *file, size_t size, const char *password, struct backup *ret_backup, struct err *err);

#endif
