/* Passwords: Argon2id in its usual encoded form ("$argon2id$v=19$…").
 *
 * Hashing takes about 20 MB and some tens of milliseconds on purpose: call it
 * on a worker thread and limit the rate of attempts.
 */
#ifndef MUSTER_TRUST_PASSWORD_H
#define MUSTER_TRUST_PASSWORD_H

#include <stdbool.h>

#include "base/err.h"

#define PASSWORD_MAX_BYTES       256
#define PASSWORD_MIN_BYTES       8   /* of one that a person chooses */
#define PASSWORD_ENCODED_BYTES   128 /* with NUL */
#define PASSWORD_GENERATED_BYTES 21  /* 20 characters and NUL */

/* ERR_RANGE when shorter or longer than allowed, ERR_MEMORY. */
int password_hash(const char *password, char encoded[PASSWORD_ENCODED_BYTES], struct err *err);
/* 0, or ERR_DENIED when it does not match, ERR_FORMAT when encoded is none of ours (or dearer than ours), ERR_MEMORY.
 */
int password_verify(const char *password, const char *encoded, struct err *err);
/* Whether encoded is of our form and cost, whatever its password: 0 or ERR_FORMAT. As long as a verification. */
int password_check_encoded(const char *encoded, struct err *err);
/* Whether it looks like a hash of a password, ours or not, and like no password that a person chooses. */
bool password_is_encoded(const char *text);
/* As long as a verification, always ERR_DENIED: for users that do not exist. */
int password_verify_nobody(const char *password, struct err *err);
/* 20 characters that cannot be mistaken for another (no 0 O 1 l I), 115 bits. */
void password_generate(char text[PASSWORD_GENERATED_BYTES]);

#endif
