/* /users: people who sign in. Passwords arrive here once and are kept as Argon2id alone. */
#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>

#include "fleet/event_types.h"
#include "manager/api/call_state.h"
#include "manager/api/changes.h"
#include "manager/api/handlers.h"
#include "manager/api/rows.h"
#include "manager/api/sign_in.h"
#include "manager/queries.h"
#include "trust/password.h"

static const struct row_field fields[] = {
	{ "id", "id", row_id },
	{ "name", "name", row_text },
	{ "role", "role", row_text },
	{ "created", "created", row_time },
	{ "last_sign_in", "last_login", row_time },
	{ "locked_until", "locked_until", row_time },
};

static json_t *user_json(struct api_call *call, struct cursor *cursor)
{
	(void)call;
	return row_json(cursor, fields, COUNT_OF(fields));
}

static const struct list list = {
	.tag = 'u',
	.select = "SELECT * FROM user_account WHERE 1",
	.ascending = true,
	.key_is_text = true,
	.key = "user_account.name",
	.key_column = "name",
	.id = "user_account.id",
	.row = user_json,
};

int user_list(struct api_call *call, struct err *err)
{
	return list_reply(call, &list, err);
}

struct subject {
	struct uuid id;
	char id_text[UUID_TEXT_BYTES];
	char name[ACCOUNT_NAME_MAX_BYTES + 1];
	char role[32];
	char password_hash[PASSWORD_ENCODED_BYTES];
};

static int read_subject(struct store_session *session, void *argument, struct err *err)
{
	struct subject *subject = argument;
	struct cursor *cursor = cursor_open(session, &QUERY_USER_BY_ID);
	bool there;
	int rc;

	cursor_bind_uuid(cursor, "id", &subject->id);
	there = cursor_next(cursor);
	if (there) {
		snprintf(subject->name, sizeof(subject->name), "%s", cursor_text(cursor, "name"));
		snprintf(subject->role, sizeof(subject->role), "%s", cursor_text(cursor, "role"));
	}
	rc = cursor_end(cursor, err);
	if (rc == 0 && !there)
		rc = err_set(err, ERR_NOT_FOUND, "There is no user with this id.");
	return rc;
}

static int find_subject(struct api_call *call, struct subject *subject, struct err *err)
{
	subject->id = *api_path_id(call);
	uuid_format(&subject->id, subject->id_text);
	return store_read(api_call_store(call), read_subject, subject, err);
}

/* --- make --- */

static int make(struct store_session *session, struct change *change, struct err *err)
{
	struct subject *subject = change->argument;
	enum account_role role;
	int rc = account_role_parse(subject->role, &role, err);

	if (rc == 0)
		rc = account_user_create(session, api_call_env(change->call), subject->name, role,
					 subject->password_hash, &subject->id, err);
	uuid_format(&subject->id, subject->id_text);
	return rc;
}

int user_create(struct api_call *call, struct err *err)
{
	const json_t *body = api_body(call);
	const char *given = json_string_value(json_object_get(body, "password"));
	char made[PASSWORD_GENERATED_BYTES] = "";
	struct subject subject = { 0 };
	struct change change = { .call = call,
				 .action = "user.create",
				 .object = subject.name,
				 .apply = make,
				 .argument = &subject,
				 .event_type = EVENT_USER_CREATED,
				 .field_count = 3,
				 .fields = { { "name", subject.name },
					     { "user", api_call_principal(call)->name },
					     { "role", subject.role } } };
	json_t *json = NULL;
	int rc;

	snprintf(subject.name, sizeof(subject.name), "%s", json_string_value(json_object_get(body, "name")));
	snprintf(subject.role, sizeof(subject.role), "%s", json_string_value(json_object_get(body, "role")));
	if (given == NULL)
		password_generate(made);
	rc = password_hash(given != NULL ? given : made, subject.password_hash, err);
	if (rc == 0)
		rc = change_do(&change, err);
	if (rc == 0)
		rc = row_get(call, &QUERY_USER_BY_ID, &subject.id, "user", user_json, &json, err);
	if (rc == 0) {
		if (given == NULL)
			json_object_set_new(json, "password", json_string(made));
		rc = api_reply_json(call, 201, json);
	}
	OPENSSL_cleanse(made, sizeof(made));
	OPENSSL_cleanse(&subject, sizeof(subject));
	return rc;
}

/* --- delete --- */

static int check_last(struct store_session *session, const struct subject *subject, struct err *err)
{
	struct cursor *cursor = cursor_open(session, &QUERY_USER_COUNT_OF_ROLE);
	int64_t count = 0;
	int rc;

	cursor_bind_text(cursor, "role", subject->role);
	if (cursor_next(cursor))
		count = cursor_number(cursor, "count");
	rc = cursor_end(cursor, err);
	if (rc == 0 && count <= 1)
		rc = err_set(err, ERR_WRONG_STATE, "This is the last administrator: make another first.");
	return rc;
}

static int delete (struct store_session *session, struct change *change, struct err *err)
{
	const struct subject *subject = change->argument;
	struct cursor *cursor;
	int rc = 0;

	if (strcmp(subject->role, account_role_name(ROLE_ADMINISTRATOR)) == 0)
		rc = check_last(session, subject, err);
	if (rc != 0)
		return rc;
	cursor = cursor_open(session, &QUERY_USER_DELETE);
	cursor_bind_uuid(cursor, "id", &subject->id);
	rc = cursor_run(cursor, err);
	if (rc == 0 && store_changes(session) == 0)
		rc = err_set(err, ERR_NOT_FOUND, "There is no user with this id.");
	return rc;
}

int user_delete(struct api_call *call, struct err *err)
{
	struct subject subject = { 0 };
	struct change change = { .call = call,
				 .action = "user.delete",
				 .object = subject.name,
				 .apply = delete,
				 .argument = &subject,
				 .event_type = EVENT_USER_DELETED,
				 .field_count = 2,
				 .fields = { { "name", subject.name }, { "user", api_call_principal(call)->name } } };
	int rc = find_subject(call, &subject, err);

	if (rc == 0)
		rc = change_do(&change, err);
	return rc != 0 ? rc : api_reply_empty(call);
}

/* --- password --- */

static int set_password(struct store_session *session, struct change *change, struct err *err)
{
	const struct subject *subject = change->argument;
	struct cursor *cursor = cursor_open(session, &QUERY_USER_PASSWORD);
	int rc;

	cursor_bind_uuid(cursor, "id", &subject->id);
	cursor_bind_text(cursor, "password_hash", subject->password_hash);
	rc = cursor_run(cursor, err);
	if (rc != 0)
		return rc;
	cursor = cursor_open(session, &QUERY_API_TOKEN_REVOKE_OF_USER);
	cursor_bind_uuid(cursor, "user_id", &subject->id);
	cursor_bind_number(cursor, "revoked", env_wall(api_call_env(change->call)));
	return cursor_run(cursor, err);
}

/* One's own needs the present one; another's needs the role administrator. True: go on. */
static bool may_change(struct api_call *call, const struct subject *subject, struct err *err)
{
	const struct api_principal *principal = api_call_principal(call);
	const char *current = json_string_value(json_object_get(api_body(call), "current"));
	struct signed_in signed_in;
	span_us wait;
	int rc;

	if (!uuid_equal(&principal->user, &subject->id)) {
		if (principal->role == ROLE_ADMINISTRATOR)
			return true;
		api_problem(call, 403, "Not allowed", "Only an administrator may set another user's password.");
		return false;
	}
	if (current == NULL) {
		api_problem_add(call, "current", "is missing: your present password is needed to change it");
		api_problem(call, 400, "Not valid", "The request's body is not valid: see errors.");
		return false;
	}
	rc = sign_in_check(call, call->api->sign_ins, subject->name, current, &signed_in, &wait, err);
	if (rc == 0)
		return true;
	if (rc == ERR_LIMIT) {
		sign_in_busy(call);
		return false;
	}
	api_problem(call, 403, "Not allowed", "The present password does not match, or you are locked out.");
	return false;
}

int user_password(struct api_call *call, struct err *err)
{
	struct subject subject = { 0 };
	struct change change = { .call = call,
				 .action = "user.password",
				 .object = subject.name,
				 .apply = set_password,
				 .argument = &subject,
				 .event_type = EVENT_USER_CHANGED,
				 .field_count = 3,
				 .fields = { { "name", subject.name },
					     { "user", api_call_principal(call)->name },
					     { "change", "password" } } };
	int rc = find_subject(call, &subject, err);

	if (rc != 0)
		return rc;
	if (!may_change(call, &subject, err))
		return 0;
	rc = password_hash(json_string_value(json_object_get(api_body(call), "password")), subject.password_hash, err);
	if (rc == 0)
		rc = change_do(&change, err);
	OPENSSL_cleanse(&subject, sizeof(subject));
	return rc != 0 ? rc : api_reply_empty(call);
}
