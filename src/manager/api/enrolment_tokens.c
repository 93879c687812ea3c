/* /enrolment-tokens: what agents enrol with. The secret is in the answer that makes one, and nowhere else. */
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#include "manager/api/changes.h"
#include "manager/api/enrolment_tokens.h"
#include "manager/api/handlers.h"
#include "manager/api/resource.h"
#include "manager/front/front_policy.h"
#include "manager/queries.h"
#include "trust/token.h"

#define LIFE_US DAY_US

static const struct row_field fields[] = {
	{ "id", "id", row_id },
	{ "name", "name", row_text },
	{ "policy", "policy", row_text },
	{ "group", "group_name", row_text },
	{ "appliance", "appliance", row_boolean },
	{ "uses_left", "uses_left", row_number },
	{ "created", "created", row_time },
	{ "created_by", "created_by", row_text },
	{ "expires", "expires", row_time },
	{ "revoked", "revoked", row_time },
	{ "last_used", "last_used", row_time },
};

static json_t *token_json(struct api_call *call, struct cursor *cursor)
{
	(void)call;
	return row_json(cursor, fields, COUNT_OF(fields));
}

static const struct resource enrolment_token = {
	.name = "enrolment_token",
	.what = "enrolment token",
	.list = { .tag = 'n',
		  .select = "SELECT * FROM enrolment_token WHERE 1",
		  .key = "enrolment_token.created",
		  .key_column = "created",
		  .id = "enrolment_token.id",
		  .row = token_json },
	.by_id = &QUERY_ENROLMENT_TOKEN_BY_ID,
	.revoke = &QUERY_ENROLMENT_TOKEN_REVOKE,
};

int enrolment_token_list(struct api_call *call, struct err *err)
{
	return resource_list(call, &enrolment_token, err);
}

int enrolment_token_revoke(struct api_call *call, struct err *err)
{
	return resource_revoke(call, &enrolment_token, err);
}

/* --- made --- */

static const char *text_of(const json_t *body, const char *name)
{
	const char *text = json_string_value(json_object_get(body, name));

	return text != NULL ? text : "";
}

static int make(struct store_session *session, struct change *change, struct err *err)
{
	struct new_enrolment_token *making = change->argument;
	const json_t *body = api_body(change->call);
	const json_t *uses = json_object_get(body, "uses");
	struct cursor *cursor = cursor_open(session, &QUERY_ENROLMENT_TOKEN_INSERT);
	uint8_t hash[SHA256_BYTES];

	token_hash(making->secret, hash);
	cursor_bind_uuid(cursor, "id", &making->id);
	cursor_bind_bytes(cursor, "secret_sha256", hash, sizeof(hash));
	cursor_bind_text(cursor, "name", text_of(body, "name"));
	cursor_bind_text(cursor, "policy", making->policy);
	cursor_bind_text(cursor, "group_name", text_of(body, "group"));
	cursor_bind_number(cursor, "appliance", json_is_true(json_object_get(body, "appliance")));
	if (json_is_integer(uses))
		cursor_bind_number(cursor, "uses_left", json_integer_value(uses));
	else if (making->uses_default > 0)
		cursor_bind_number(cursor, "uses_left", making->uses_default);
	else
		cursor_bind_null(cursor, "uses_left");
	cursor_bind_number(cursor, "created", making->now);
	cursor_bind_text(cursor, "created_by", api_call_principal(change->call)->name);
	cursor_bind_number(cursor, "expires", making->expires);
	return cursor_run(cursor, err);
}

/* False: it was answered. */
static bool take_policy(struct api_call *call, struct new_enrolment_token *making)
{
	const char *given = text_of(api_body(call), "policy");

	if (given[0] == '\0' || front_policy_name(api_call_front(call), given, making->policy, NULL) == 0)
		return true;
	api_problem_add(call, "policy", "there is no such policy");
	api_problem(call, 400, "Not valid", "There is no policy '%.100s'.", given);
	return false;
}

int enrolment_token_make(struct api_call *call, const char *action, struct new_enrolment_token *making,
			 bool *ret_answered, struct err *err)
{
	struct change change = {
		.call = call, .action = action, .object = making->id_text, .apply = make, .argument = making
	};
	char *detail;
	int rc;

	making->now = env_wall(api_call_env(call));
	making->id = env_uuid(api_call_env(call));
	*ret_answered = !take_policy(call, making);
	if (*ret_answered)
		return 0;
	detail = json_dumps(api_body(call), JSON_COMPACT);
	uuid_format(&making->id, making->id_text);
	token_make(TOKEN_ENROLMENT, making->secret);
	change.detail = detail;
	rc = resource_expires(call, LIFE_US, &making->expires, err);
	if (rc == 0)
		rc = change_do(&change, err);
	free(detail);
	return rc;
}

int enrolment_token_made(struct api_call *call, const struct new_enrolment_token *making, json_t **ret_json,
			 struct err *err)
{
	json_t *json = NULL;
	int rc = resource_json(call, &enrolment_token, &making->id, &json, err);

	if (rc != 0)
		return rc;
	json_object_set_new(json, "token", json_string(making->secret));
	json_object_set_new(json, "ca_fingerprint", json_sha256(front_identity(api_call_front(call))->ca_fingerprint));
	*ret_json = json;
	return 0;
}

int enrolment_token_create(struct api_call *call, struct err *err)
{
	struct new_enrolment_token making = { 0 };
	json_t *json = NULL;
	bool answered = false;
	int rc = enrolment_token_make(call, "enrolment_token.create", &making, &answered, err);

	if (rc == 0 && !answered)
		rc = enrolment_token_made(call, &making, &json, err);
	if (rc == 0 && !answered)
		rc = api_reply_json(call, 201, json);
	OPENSSL_cleanse(making.secret, sizeof(making.secret));
	return rc;
}
