/* /destinations: where events and alerts are sent to. Secrets come in and never go out. */
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "manager/api/changes.h"
#include "manager/api/handlers.h"
#include "manager/api/rows.h"
#include "manager/front/destination.h"
#include "manager/queries.h"

/* --- out --- */

static json_t *row_given(struct cursor *cursor, const char *column)
{
	return json_boolean(cursor_text(cursor, column)[0] != '\0');
}

static json_t *row_truth(struct cursor *cursor, const char *column)
{
	return json_boolean(cursor_number(cursor, column) != 0);
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
	{ "enabled", "enabled", row_truth },
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

static const struct list list = {
	.tag = 'd',
	.select = "SELECT * FROM destination WHERE 1",
	.ascending = true,
	.key_is_text = true,
	.key = "destination.name",
	.key_column = "name",
	.id = "destination.id",
	.row = destination_json,
};

int destination_list(struct api_call *call, struct err *err)
{
	return list_reply(call, &list, err);
}

static int reply(struct api_call *call, int status, const struct uuid *id, struct err *err)
{
	json_t *json = NULL;
	int rc = row_get(call, &QUERY_DESTINATION_BY_ID, id, "destination", destination_json, &json, err);

	return rc == 0 ? api_reply_json(call, status, json) : rc;
}

int destination_show(struct api_call *call, struct err *err)
{
	return reply(call, 200, api_path_id(call), err);
}

/* --- in --- */

/* A member of the body, the column it goes to, and what a new destination has without it. */
static const struct member {
	const char *name, *column, *initial;
	bool secret;
} members[] = {
	{ "name", "name", NULL, false },       { "url", "url", NULL, false },
	{ "content", "content", NULL, false }, { "least_severity", "least_severity", "info", false },
	{ "format", "format", "cef", false },  { "facility", "facility", "local0", false },
	{ "from", "mail_from", "", false },    { "user", "user_name", "", false },
	{ "password", "password", "", true },  { "secret", "secret", "", true },
	{ "ca", "ca_pem", "", false },
};

struct making {
	struct uuid id;
	char id_text[UUID_TEXT_BYTES];
	bool fresh;
	json_t *values; /* of all columns, as they are to be */
	time_us now;
};

static int read_values(struct store_session *session, void *argument, struct err *err)
{
	struct making *making = argument;
	struct cursor *cursor = cursor_open(session, &QUERY_DESTINATION_BY_ID);
	bool there;
	int rc;

	cursor_bind_uuid(cursor, "id", &making->id);
	there = cursor_next(cursor);
	for (size_t i = 0; there && i < COUNT_OF(members); i++)
		json_object_set_new(making->values, members[i].name,
				    json_string(cursor_text(cursor, members[i].column)));
	if (there) {
		json_object_set_new(making->values, "to", row_array(cursor, "mail_to"));
		json_object_set_new(making->values, "enabled", row_truth(cursor, "enabled"));
	}
	rc = cursor_end(cursor, err);
	if (rc == 0 && !there)
		rc = err_set(err, ERR_NOT_FOUND, "There is no destination with this id.");
	return rc;
}

static void initial_values(json_t *values, const json_t *body)
{
	const char *url = json_string_value(json_object_get(body, "url"));
	enum destination_kind kind = DESTINATION_SYSLOG;

	for (size_t i = 0; i < COUNT_OF(members); i++) {
		if (members[i].initial != NULL)
			json_object_set_new(values, members[i].name, json_string(members[i].initial));
	}
	(void)destination_kind_of(url != NULL ? url : "", &kind, NULL);
	json_object_set_new(
	    values, "content",
	    json_string(destination_contents[kind == DESTINATION_SYSLOG ? DESTINATION_EVENTS : DESTINATION_ALERTS]));
	json_object_set_new(values, "to", json_array());
	json_object_set_new(values, "enabled", json_true());
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
	struct destination destination = { 0 };
	struct err err = { 0 };
	const char *member;
	json_t *address;
	size_t i;
	int rc;

	TAKE(destination.url, "url");
	TAKE(destination.from, "from");
	TAKE(destination.user, "user");
	TAKE(destination.secret, "secret");
	destination.ca_pem = (char *)(uintptr_t)text_of(values, "ca");
	json_array_foreach(json_object_get(values, "to"), i, address)
	{
		if (i < DELIVERY_RECIPIENTS_MAX)
			snprintf(destination.to[destination.to_count++], DELIVERY_NAME_BYTES, "%s",
				 json_string_value(address));
	}
	rc = destination_check(&destination, &member, &err);
	OPENSSL_cleanse(&destination, sizeof(destination));
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

/* What was asked, without secrets, for the audit log. */
static char *detail_of(const json_t *body)
{
	json_t *copy = json_deep_copy(body);
	char *text;

	for (size_t i = 0; i < COUNT_OF(members); i++) {
		if (members[i].secret && json_object_get(copy, members[i].name) != NULL)
			json_object_set_new(copy, members[i].name, json_string("(not shown)"));
	}
	text = json_dumps(copy, JSON_COMPACT);
	json_decref(copy);
	return text;
}

static int check_count(struct store_session *session, struct err *err)
{
	struct cursor *cursor = cursor_open(session, &QUERY_DESTINATION_COUNT);
	int64_t count = cursor_next(cursor) ? cursor_number(cursor, "count") : 0;
	int rc = cursor_end(cursor, err);

	if (rc == 0 && count >= DELIVERY_LINES_MAX)
		rc = err_set(err, ERR_WRONG_STATE, "There are %d destinations already, which is the most.",
			     DELIVERY_LINES_MAX);
	return rc;
}

static int write_row(struct store_session *session, struct change *change, struct err *err)
{
	struct making *making = change->argument;
	char *to = json_dumps(json_object_get(making->values, "to"), JSON_COMPACT);
	struct cursor *cursor;
	int rc = making->fresh ? check_count(session, err) : 0;

	cursor = cursor_open(session, making->fresh ? &QUERY_DESTINATION_INSERT : &QUERY_DESTINATION_UPDATE);
	cursor_bind_uuid(cursor, "id", &making->id);
	for (size_t i = 0; i < COUNT_OF(members); i++)
		cursor_bind_text(cursor, members[i].column, text_of(making->values, members[i].name));
	cursor_bind_text(cursor, "mail_to", to != NULL ? to : "[]");
	cursor_bind_number(cursor, "enabled", json_is_true(json_object_get(making->values, "enabled")) ? 1 : 0);
	if (making->fresh) {
		cursor_bind_number(cursor, "created", making->now);
		cursor_bind_text(cursor, "created_by", api_call_principal(change->call)->name);
	}
	free(to);
	if (rc != 0)
		return cursor_end(cursor, NULL), rc;
	rc = cursor_run(cursor, err);
	if (rc == ERR_EXISTS)
		return err_set(err, rc, "Another destination has this name.");
	if (rc == 0 && !making->fresh && store_changes(session) == 0)
		rc = err_set(err, ERR_NOT_FOUND, "There is no destination with this id.");
	return rc;
}

static int make_or_change(struct api_call *call, struct making *making, const char *action, struct err *err)
{
	struct change change = {
		.call = call, .action = action, .object = making->id_text, .apply = write_row, .argument = making
	};
	char *detail;
	int rc;

	uuid_format(&making->id, making->id_text);
	json_object_update(making->values, api_body(call));
	if (!check(call, making->values))
		return 0;
	detail = detail_of(api_body(call));
	change.detail = detail;
	rc = change_do(&change, err);
	free(detail);
	if (rc != 0)
		return rc;
	front_destinations_changed(api_call_front(call));
	return reply(call, making->fresh ? 201 : 200, &making->id, err);
}

int destination_create(struct api_call *call, struct err *err)
{
	struct making making = { .id = env_uuid(api_call_env(call)),
				 .fresh = true,
				 .values = json_object(),
				 .now = env_wall(api_call_env(call)) };
	int rc;

	initial_values(making.values, api_body(call));
	rc = make_or_change(call, &making, "destination.create", err);
	json_decref(making.values);
	return rc;
}

int destination_change(struct api_call *call, struct err *err)
{
	struct making making = { .id = *api_path_id(call), .values = json_object() };
	int rc = store_read(api_call_store(call), read_values, &making, err);

	if (rc == 0)
		rc = make_or_change(call, &making, "destination.change", err);
	json_decref(making.values);
	return rc;
}

/* --- delete, test --- */

static int delete_row(struct store_session *session, struct change *change, struct err *err)
{
	struct cursor *cursor = cursor_open(session, &QUERY_DESTINATION_DELETE);
	int rc;

	cursor_bind_uuid(cursor, "id", api_path_id(change->call));
	rc = cursor_run(cursor, err);
	if (rc == 0 && store_changes(session) == 0)
		rc = err_set(err, ERR_NOT_FOUND, "There is no destination with this id.");
	return rc;
}

int destination_delete(struct api_call *call, struct err *err)
{
	char id[UUID_TEXT_BYTES];
	struct change change = {
		.call = call, .action = "destination.delete", .object = id, .detail = "", .apply = delete_row
	};
	int rc;

	uuid_format(api_path_id(call), id);
	rc = change_do(&change, err);
	if (rc != 0)
		return rc;
	front_destinations_changed(api_call_front(call));
	return api_reply_empty(call);
}

int destination_test(struct api_call *call, struct err *err)
{
	int rc = front_destination_test(api_call_front(call), api_path_id(call), api_call_principal(call)->name, err);

	if (rc == ERR_NOT_FOUND || rc == ERR_BUSY)
		return rc;
	return api_reply_json(call, 200,
			      json_pack("{sb, ss}", "delivered", rc == 0, "failure", rc == 0 ? "" : err->text));
}
