/* /tokens: API tokens. The secret is in the answer that makes one, and nowhere else. */
#include <openssl/crypto.h>
#include <string.h>

#include "manager/api/changes.h"
#include "manager/api/handlers.h"
#include "manager/api/resource.h"
#include "manager/queries.h"

#define LIFE_US (90 * DAY_US)

static const struct row_field fields[] = {
	{ "id", "id", row_id },
	{ "name", "name", row_text },
	{ "role", "role", row_text },
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

static const struct resource token = {
	.name = "token",
	.what = "token",
	.list = { .tag = 't',
		  .select = "SELECT * FROM api_token WHERE kind = 'api'",
		  .key = "api_token.created",
		  .key_column = "created",
		  .id = "api_token.id",
		  .row = token_json },
	.by_id = &QUERY_API_TOKEN_BY_ID,
	.revoke = &QUERY_API_TOKEN_REVOKE,
};

int token_list(struct api_call *call, struct err *err)
{
	return resource_list(call, &token, err);
}

int token_revoke(struct api_call *call, struct err *err)
{
	return resource_revoke(call, &token, err);
}

/* --- made --- */

struct making {
	const char *name;
	enum account_role role;
	time_us expires;
	struct account_secret secret;
	char id[UUID_TEXT_BYTES];
};

static int make(struct store_session *session, struct change *change, struct err *err)
{
	struct making *making = change->argument;
	int rc = account_token_create(session, api_call_env(change->call), making->name, making->role, making->expires,
				      api_call_principal(change->call)->name, &making->secret, err);

	uuid_format(&making->secret.id, making->id);
	return rc;
}

int token_create(struct api_call *call, struct err *err)
{
	const json_t *body = api_body(call);
	struct making making = { .name = json_string_value(json_object_get(body, "name")) };
	struct change change = {
		.call = call, .action = "token.create", .object = making.id, .apply = make, .argument = &making
	};
	json_t *detail =
	    json_pack("{sO, sO}", "name", json_object_get(body, "name"), "role", json_object_get(body, "role"));
	char *detail_text = detail != NULL ? json_dumps(detail, JSON_COMPACT) : NULL;
	json_t *json = NULL;
	int rc;

	json_decref(detail);
	change.detail = detail_text;
	rc = account_role_parse(json_string_value(json_object_get(body, "role")), &making.role, err);
	if (rc == 0)
		rc = resource_expires(call, LIFE_US, &making.expires, err);
	if (rc == 0)
		rc = change_do(&change, err);
	if (rc == 0)
		rc = resource_json(call, &token, &making.secret.id, &json, err);
	if (rc == 0) {
		json_object_set_new(json, "token", json_string(making.secret.text));
		rc = api_reply_json(call, 201, json);
	}
	OPENSSL_cleanse(&making.secret, sizeof(making.secret));
	free(detail_text);
	return rc;
}
