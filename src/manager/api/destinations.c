/* /destinations: where events and alerts are sent to. Secrets come in and never go out. */
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "manager/api/handlers.h"
#include "manager/api/resource.h"
#include "manager/front/destination.h"
#include "manager/queries.h"

/* --- out --- */

static json_t *row_given(struct cursor *cursor, const char *column)
{
	return json_boolean(cursor_text(cursor, column)[0] != '\0');
}

static json_t *row_kind(struct cursor *cursor, const char *column)
{
	enum destination_kind kind = DESTINATION_SYSLOG;

	(void)destination_kind_of(cursor_text(cursor, column), &kind, NULL);
	return json_string(destination_kinds[kind]);
}

static const struct row_field fields[] = {
	{ "id", "id", row_id },
	{ "name", "name", row_text },
	{ "kind", "url", row_kind },
	{ "url", "url", row_text },
	{ "content", "content", row_text },
	{ "least_severity", "least_severity", row_text },
	{ "format", "format", row_text },
	{ "facility", "facility", row_text },
	{ "from", "mail_from", row_text },
	{ "to", "mail_to", row_array },
	{ "user", "user_name", row_text },
	{ "has_password", "password", row_given },
	{ "has_secret", "secret", row_given },
	{ "has_ca", "ca_pem", row_given },
	{ "enabled", "enabled", row_boolean },
	{ "created", "created", row_time },
	{ "created_by", "created_by", row_text },
	{ "delivered", "delivered", row_number },
	{ "last_delivery", "last_delivery", row_time },
	{ "failing_since", "failing_since", row_time },
	{ "failure", "failure", row_text },
};

static json_t *destination_json(struct api_call *call, struct cursor *cursor)
{
	(void)call;
	return row_json(cursor, fields, COUNT_OF(fields));
}

/* --- in --- */

static const struct resource_member members[] = {
	{ "name", "name", RESOURCE_TEXT, NULL, false },
	{ "url", "url", RESOURCE_TEXT, NULL, false },
	{ "content", "content", RESOURCE_TEXT, NULL, false },
	{ "least_severity", "least_severity", RESOURCE_TEXT, "info", false },
	{ "format", "format", RESOURCE_TEXT, "cef", false },
	{ "facility", "facility", RESOURCE_TEXT, "local0", false },
	{ "from", "mail_from", RESOURCE_TEXT, "", false },
	{ "to", "mail_to", RESOURCE_TEXTS, NULL, false },
	{ "user", "user_name", RESOURCE_TEXT, "", false },
	{ "password", "password", RESOURCE_TEXT, "", true },
	{ "secret", "secret", RESOURCE_TEXT, "", true },
	{ "ca", "ca_pem", RESOURCE_TEXT, "", false },
	{ "enabled", "enabled", RESOURCE_TRUTH, NULL, false },
};

/* By where it is sent to. */
static void initial_content(json_t *values, const json_t *body)
{
	const char *url = json_string_value(json_object_get(body, "url"));
	enum destination_kind kind = DESTINATION_SYSLOG;

	(void)destination_kind_of(url != NULL ? url : "", &kind, NULL);
	json_object_set_new(
	    values, "content",
	    json_string(destination_contents[kind == DESTINATION_SYSLOG ? DESTINATION_EVENTS : DESTINATION_ALERTS]));
}

static const char *text_of(const json_t *values, const char *name)
{
	const char *text = json_string_value(json_object_get(values, name));

	return text != NULL ? text : "";
}

#define TAKE(place, name) snprintf(place, sizeof(place), "%s", text_of(values, name))

/* The rules that need several members at once. True: all hold. */
static bool check(struct api_call *call, const json_t *values)
{
	struct destination made = { 0 };
	struct err err = { 0 };
	const char *member;
	json_t *address;
	size_t i;
	int rc;

	TAKE(made.url, "url");
	TAKE(made.from, "from");
	TAKE(made.user, "user");
	TAKE(made.secret, "secret");
	made.ca_pem = (char *)(uintptr_t)text_of(values, "ca");
	json_array_foreach(json_object_get(values, "to"), i, address)
	{
		if (i < DELIVERY_RECIPIENTS_MAX)
			snprintf(made.to[made.to_count++], DELIVERY_NAME_BYTES, "%s", json_string_value(address));
	}
	rc = destination_check(&made, &member, &err);
	OPENSSL_cleanse(&made, sizeof(made));
	if (rc != 0)
		api_problem_add(call, member, "%s", err.text);
	if (forward_facility(text_of(values, "facility")) < 0) {
		api_problem_add(call, "facility", "is none of user, daemon, auth, authpriv, local0 to local7");
		rc = ERR_RANGE;
	}
	if (rc != 0)
		api_problem(call, 400, "Not valid", "Nothing was changed: see errors.");
	return rc == 0;
}

static const struct resource destination = {
	.name = "destination",
	.what = "destination",
	.list = { .tag = 'd',
		  .select = "SELECT * FROM destination WHERE 1",
		  .ascending = true,
		  .key_is_text = true,
		  .key = "destination.name",
		  .key_column = "name",
		  .id = "destination.id",
		  .row = destination_json },
	.by_id = &QUERY_DESTINATION_BY_ID,
	.insert = &QUERY_DESTINATION_INSERT,
	.update = &QUERY_DESTINATION_UPDATE,
	.remove = &QUERY_DESTINATION_DELETE,
	.count = &QUERY_DESTINATION_COUNT,
	.most = DELIVERY_LINES_MAX,
	.members = members,
	.member_count = COUNT_OF(members),
	.initial = initial_content,
	.check = check,
	.changed = front_destinations_changed,
};

int destination_list(struct api_call *call, struct err *err)
{
	return resource_list(call, &destination, err);
}

int destination_show(struct api_call *call, struct err *err)
{
	return resource_show(call, &destination, err);
}

int destination_create(struct api_call *call, struct err *err)
{
	return resource_create(call, &destination, err);
}

int destination_change(struct api_call *call, struct err *err)
{
	return resource_change(call, &destination, err);
}

int destination_delete(struct api_call *call, struct err *err)
{
	return resource_remove(call, &destination, err);
}

/* --- test --- */

int destination_test(struct api_call *call, struct err *err)
{
	int rc = front_destination_test(api_call_front(call), api_path_id(call), api_call_principal(call)->name, err);

	if (rc == ERR_NOT_FOUND || rc == ERR_BUSY)
		return rc;
	return api_reply_json(call, 200,
			      json_pack("{sb, ss}", "delivered", rc == 0, "failure", rc == 0 ? "" : err->text));
}
