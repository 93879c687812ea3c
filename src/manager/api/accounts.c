/* Rows of users and tokens. Secrets come from trust/ and leave once. */
#include "manager/api/accounts.h"

#include <openssl/crypto.h>
#include <string.h>

#include "manager/api/shape.h"
#include "manager/api/shapes.h"
#include "manager/queries.h"
#include "trust/token.h"

_Static_assert(ACCOUNT_SECRET_TEXT_BYTES >= TOKEN_TEXT_BYTES, "a token fits");

const char *account_role_name(enum account_role role)
{
	return role < ROLE_COUNT_ ? shape_roles[role] : "";
}

int account_role_parse(const char *name, enum account_role *ret_role, struct err *err)
{
	int position = shape_choice(shape_roles, name);

	if (position < 0)
		return err_set(err, ERR_UNKNOWN, "There is no such role: viewer, operator, administrator, auditor.");
	*ret_role = (enum account_role)position;
	return 0;
}

/* One row of api_token. user NULL: a token of no user. */
static int insert_token(struct store_session *session, const struct env *env, const char *kind, const char *name,
			enum account_role role, const struct uuid *user, time_us expires, const char *by,
			enum token_kind token_kind, struct account_secret *secret, struct err *err)
{
	uint8_t hash[SHA256_BYTES];
	struct cursor *cursor = cursor_open(session, &QUERY_API_TOKEN_INSERT);

	secret->id = env_uuid(env);
	token_make(token_kind, secret->text);
	token_hash(secret->text, hash);
	cursor_bind_uuid(cursor, "id", &secret->id);
	cursor_bind_bytes(cursor, "secret_sha256", hash, sizeof(hash));
	cursor_bind_text(cursor, "kind", kind);
	cursor_bind_text(cursor, "name", name);
	cursor_bind_text(cursor, "role", account_role_name(role));
	cursor_bind_uuid(cursor, "user_id", user);
	cursor_bind_number(cursor, "created", env_wall(env));
	cursor_bind_text(cursor, "created_by", by);
	cursor_bind_number(cursor, "expires", expires);
	return cursor_run(cursor, err);
}

int account_token_create(struct store_session *session, const struct env *env, const char *name, enum account_role role,
			 time_us expires, const char *by, struct account_secret *ret_secret, struct err *err)
{
	return insert_token(session, env, "api", name, role, NULL, expires, by, TOKEN_API, ret_secret, err);
}

int account_session_create(struct store_session *session, const struct env *env, const struct uuid *user,
			   const char *name, enum account_role role, time_us expires, struct account_secret *ret_secret,
			   struct err *err)
{
	return insert_token(session, env, "session", name, role, user, expires, name, TOKEN_SESSION, ret_secret, err);
}

int account_user_create(struct store_session *session, const struct env *env, const char *name, enum account_role role,
			const char *password_hash, struct uuid *ret_id, struct err *err)
{
	struct cursor *cursor = cursor_open(session, &QUERY_USER_INSERT);
	int rc;

	*ret_id = env_uuid(env);
	cursor_bind_uuid(cursor, "id", ret_id);
	cursor_bind_text(cursor, "name", name);
	cursor_bind_text(cursor, "role", account_role_name(role));
	cursor_bind_text(cursor, "password_hash", password_hash);
	cursor_bind_number(cursor, "created", env_wall(env));
	rc = cursor_run(cursor, err);
	if (rc == ERR_EXISTS)
		return err_set(err, ERR_EXISTS, "There is a user of this name already.");
	return rc;
}
