/* Users, API tokens and enrolment tokens as rows: shared by the API's handlers
 * and by the programs that make the first ones (`init`, `token`).
 *
 * Secrets are made here and given out once; the database holds SHA-256 of
 * tokens and Argon2id of passwords (spec 30-trust.md). Functions that take a
 * session run inside a store write or read; the audit entry is the caller's.
 */
#ifndef MUSTER_MANAGER_API_ACCOUNTS_H
#define MUSTER_MANAGER_API_ACCOUNTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/env.h"
#include "base/err.h"
#include "base/hex.h"
#include "base/units.h"
#include "store/store.h"

/* viewer < operator < administrator; auditor stands apart: reads all, changes nothing. */
enum account_role { ROLE_VIEWER, ROLE_OPERATOR, ROLE_ADMINISTRATOR, ROLE_AUDITOR, ROLE_COUNT_ };

const char *account_role_name(enum account_role role);
int account_role_parse(const char *name, enum account_role *ret_role, struct err *err);

#define ACCOUNT_SECRET_TEXT_BYTES 64 /* any token or first password with its NUL */
#define ACCOUNT_NAME_MAX_BYTES    64

struct account_secret {
	struct uuid id;
	char text[ACCOUNT_SECRET_TEXT_BYTES]; /* to be wiped by the caller */
};

/* An API token. expires: wall clock. by: who made it, for the list. ret_secret is valid once the write is committed. */
int account_token_create(struct store_session *session, const struct env *env, const char *name, enum account_role role,
			 time_us expires, const char *by, struct account_secret *ret_secret, struct err *err);

/* The token of a user who signed in. */
int account_session_create(struct store_session *session, const struct env *env, const struct uuid *user,
			   const char *name, enum account_role role, time_us expires, struct account_secret *ret_secret,
			   struct err *err);

/* A local user with this password hash (trust/password.h). ERR_EXISTS when the name is taken. */
int account_user_create(struct store_session *session, const struct env *env, const char *name, enum account_role role,
			const char *password_hash, struct uuid *ret_id, struct err *err);

#endif
