/* /alerts and /alert-types. Subjects and details are stored escaped. */
#include "alerts/alerts.h"

#include <string.h>

#include "base/text.h"
#include "manager/api/event_stream.h"
#include "manager/api/handlers.h"
#include "manager/api/rows.h"
#include "manager/queries.h"

#define SENTENCE_MAX_BYTES (64 * 1024)
#define HISTORY_MAX        100

static json_t *row_as_stored(struct cursor *cursor, const char *column)
{
	return json_string(cursor_text(cursor, column));
}

static const struct row_field fields[] = {
	{ "id", "id", row_id },
	{ "type", "type", row_text },
	{ "computer", "computer", row_id },
	{ "computer_name", "computer_name", row_text_or_null },
	{ "subject", "subject", row_as_stored },
	{ "detail", "detail", row_as_stored },
	{ "severity", "severity", row_text },
	{ "state", "state", row_text },
	{ "raised", "raised", row_time },
	{ "resolved", "ended", row_time },
	{ "dismissed_by", "dismissed_by", row_text_or_null },
};

static json_t *sentence(enum alert_kind kind, enum alert_language language, const char *computer, const char *subject,
			const char *detail)
{
	struct buf text;
	json_t *json;

	buf_init(&text, SENTENCE_MAX_BYTES);
	alert_text(kind, language, computer, subject, detail, &text);
	json = json_string(buf_text(&text));
	buf_done(&text);
	return json;
}

/* What the table of definitions adds to a row. */
static void put_definition(json_t *json, enum alert_kind kind, const char *computer, const char *subject,
			   const char *detail)
{
	const struct alert_definition *definition = &alert_definitions[kind];

	json_object_set_new(json, "title", json_string(definition->title[ALERT_ENGLISH]));
	json_object_set_new(json, "title_ja", json_string(definition->title[ALERT_JAPANESE]));
	json_object_set_new(json, "text", sentence(kind, ALERT_ENGLISH, computer, subject, detail));
	json_object_set_new(json, "text_ja", sentence(kind, ALERT_JAPANESE, computer, subject, detail));
}

static json_t *alert_json(struct api_call *call, struct cursor *cursor)
{
	enum alert_kind kind = alert_kind_parse(cursor_text(cursor, "type"));
	json_t *json = row_json(cursor, fields, COUNT_OF(fields));

	(void)call;
	if (json == NULL || kind == ALERT_KINDS)
		return json;
	json_object_set_new(json, "dismissible", json_boolean(alert_definitions[kind].dismissible));
	put_definition(json, kind, json_string_value(json_object_get(json, "computer_name")),
		       json_string_value(json_object_get(json, "subject")),
		       json_string_value(json_object_get(json, "detail")));
	return json;
}

static const struct list_filter filters[] = {
	{ "state", LIST_TEXT, " AND alert.state = :state", "resolved", " AND alert.state <> 'resolved'" },
	{ "type", LIST_TEXT, " AND alert.type = :type" },
	{ "severity", LIST_TEXT, " AND alert.severity = :severity" },
	{ "computer", LIST_ID, " AND alert.computer = :computer" },
	{ "since", LIST_NUMBER, " AND alert.raised >= :since" },
};
static const struct list list = {
	.tag = 'a',
	.select = "SELECT alert.*, computer.name AS computer_name FROM alert"
		  " LEFT JOIN computer ON computer.id = alert.computer WHERE 1",
	.filters = filters,
	.filter_count = COUNT_OF(filters),
	.key = "alert.raised",
	.key_column = "raised",
	.id = "alert.id",
	.row = alert_json,
};

int alert_list(struct api_call *call, struct err *err)
{
	return list_reply(call, &list, err);
}

/* --- which computers: five, then how many more --- */

struct named {
	json_t *computers; /* [{id, name}] */
	uint64_t total;    /* computers with an open alert of the type */
	uint64_t alerts;
	json_t *first;
};

static int read_named(struct store_session *session, enum alert_kind kind, struct named *named, struct err *err)
{
	struct cursor *cursor = cursor_open(session, &QUERY_ALERT_ALIKE_COUNT);
	int rc;

	cursor_bind_text(cursor, "type", alert_definitions[kind].name);
	if (cursor_next(cursor)) {
		named->total = (uint64_t)cursor_number(cursor, "computers");
		named->alerts = (uint64_t)cursor_number(cursor, "count");
		named->first = row_time(cursor, "first");
	}
	rc = cursor_end(cursor, err);
	named->computers = json_array();
	if (rc != 0)
		return rc;
	cursor = cursor_open(session, &QUERY_ALERT_ALIKE);
	cursor_bind_text(cursor, "type", alert_definitions[kind].name);
	cursor_bind_number(cursor, "limit", ALERT_NAMED_MAX);
	while (cursor_next(cursor))
		json_array_append_new(named->computers, json_pack("{so, so}", "id", row_id(cursor, "computer"), "name",
								  row_text(cursor, "computer_name")));
	return cursor_end(cursor, err);
}

static void named_done(struct named *named)
{
	json_decref(named->computers);
	json_decref(named->first);
}

static void put_named(json_t *json, const struct named *named)
{
	size_t count = json_array_size(named->computers);

	json_object_set(json, "computers", named->computers);
	json_object_set_new(json, "computers_more",
			    json_integer(named->total > count ? (json_int_t)(named->total - count) : 0));
}

/* --- one --- */

struct showing {
	struct api_call *call;
	json_t *json;
};

static int read_history(struct showing *showing, struct store_session *session, struct err *err)
{
	static const struct row_field columns[] = {
		{ "change", "change", row_text },
		{ "time", "time", row_time },
		{ "by", "changed_by", row_text },
		{ "reason", "reason", row_text },
	};
	json_t *history = json_array();
	struct cursor *cursor = cursor_open(session, &QUERY_ALERT_CHANGES_OF);

	cursor_bind_uuid(cursor, "alert", api_path_id(showing->call));
	cursor_bind_number(cursor, "limit", HISTORY_MAX);
	while (cursor_next(cursor))
		json_array_append_new(history, row_json(cursor, columns, COUNT_OF(columns)));
	json_object_set_new(showing->json, "history", history);
	return cursor_end(cursor, err);
}

static int read_alert(struct store_session *session, void *argument, struct err *err)
{
	struct showing *showing = argument;
	struct cursor *cursor = cursor_open(session, &QUERY_ALERT_BY_ID);
	enum alert_kind kind = ALERT_KINDS;
	struct named named = { 0 };
	int rc;

	cursor_bind_uuid(cursor, "id", api_path_id(showing->call));
	if (cursor_next(cursor)) {
		kind = alert_kind_parse(cursor_text(cursor, "type"));
		showing->json = alert_json(showing->call, cursor);
	}
	rc = cursor_end(cursor, err);
	if (rc == 0 && (kind == ALERT_KINDS || showing->json == NULL))
		rc = err_set(err, ERR_NOT_FOUND, "There is no alert with this id.");
	if (rc == 0)
		rc = read_named(session, kind, &named, err);
	if (rc == 0)
		put_named(showing->json, &named);
	named_done(&named);
	return rc == 0 ? read_history(showing, session, err) : rc;
}

int alert_show(struct api_call *call, struct err *err)
{
	struct showing showing = { .call = call };
	int rc = store_read(api_call_store(call), read_alert, &showing, err);

	if (rc == 0)
		return api_reply_json(call, 200, showing.json);
	json_decref(showing.json);
	return rc;
}

int alert_dismiss(struct api_call *call, struct err *err)
{
	int rc = front_alert_dismiss(api_call_front(call), api_path_id(call), api_call_actor(call), err);

	return rc == 0 ? alert_show(call, err) : rc;
}

/* --- all that is open, a line a type --- */

static void put_names(json_t *line, enum alert_kind kind, const struct named *named)
{
	const char *names[ALERT_NAMED_MAX];
	size_t count = json_array_size(named->computers);
	bool of_computers = count > 0;

	for (size_t i = 0; i < count && i < COUNT_OF(names); i++)
		names[i] = json_string_value(json_object_get(json_array_get(named->computers, i), "name"));
	for (int language = 0; language < ALERT_LANGUAGES; language++) {
		struct buf text;

		buf_init(&text, SENTENCE_MAX_BYTES);
		buf_append_text(&text, alert_definitions[kind].title[language]);
		if (of_computers) {
			buf_append_text(&text, ": ");
			alert_names(names, count, named->total, (enum alert_language)language, &text);
		}
		json_object_set_new(line, language == ALERT_ENGLISH ? "text" : "text_ja", json_string(buf_text(&text)));
		buf_done(&text);
	}
}

static int add_line(struct showing *showing, struct store_session *session, enum alert_kind kind, struct err *err)
{
	struct front_alert_type type;
	struct named named = { 0 };
	int rc = read_named(session, kind, &named, err);

	if (rc == 0 && named.alerts > 0) {
		json_t *line = json_object();

		front_alert_type(api_call_front(showing->call), kind, &type);
		json_object_set_new(line, "type", json_string(type.definition->name));
		json_object_set_new(line, "severity", json_string(alert_severity_name(type.severity)));
		json_object_set_new(line, "alerts", json_integer((json_int_t)named.alerts));
		json_object_set(line, "raised", named.first);
		put_named(line, &named);
		put_names(line, kind, &named);
		json_array_append_new(showing->json, line);
	}
	named_done(&named);
	return rc;
}

static int read_summary(struct store_session *session, void *argument, struct err *err)
{
	int rc = 0;

	for (enum alert_kind kind = 0; kind < ALERT_KINDS && rc == 0; kind++)
		rc = add_line(argument, session, kind, err);
	return rc;
}

int alert_summary(struct api_call *call, struct err *err)
{
	struct showing showing = { call, json_array() };
	int rc = store_read(api_call_store(call), read_summary, &showing, err);

	if (rc != 0) {
		json_decref(showing.json);
		return rc;
	}
	return api_reply_json(call, 200, json_pack("{so, sn}", "items", showing.json, "next"));
}

/* --- types --- */

static json_t *type_json(struct front *front, size_t kind)
{
	struct front_alert_type type;
	const struct alert_definition *definition;
	json_t *json = json_object();

	front_alert_type(front, kind, &type);
	definition = type.definition;
	json_object_set_new(json, "type", json_string(definition->name));
	json_object_set_new(json, "title", json_string(definition->title[ALERT_ENGLISH]));
	json_object_set_new(json, "title_ja", json_string(definition->title[ALERT_JAPANESE]));
	json_object_set_new(json, "text", json_string(definition->text[ALERT_ENGLISH]));
	json_object_set_new(json, "text_ja", json_string(definition->text[ALERT_JAPANESE]));
	json_object_set_new(json, "enabled", json_boolean(type.enabled));
	json_object_set_new(json, "severity", json_string(alert_severity_name(type.severity)));
	json_object_set_new(json, "default_severity", json_string(alert_severity_name(definition->severity)));
	json_object_set_new(json, "is_default", json_boolean(type.is_default));
	json_object_set_new(json, "dismissible", json_boolean(definition->dismissible));
	json_object_set_new(json, "resolves", json_boolean(definition->resolves));
	json_object_set_new(json, "subject",
			    definition->subject != NULL ? json_string(definition->subject) : json_null());
	return json;
}

int alert_type_list(struct api_call *call, struct err *err)
{
	json_t *items = json_array();

	(void)err;
	for (size_t kind = 0; kind < ALERT_KINDS; kind++)
		json_array_append_new(items, type_json(api_call_front(call), kind));
	return api_reply_json(call, 200, json_pack("{so, sn}", "items", items, "next"));
}

int alert_type_change(struct api_call *call, struct err *err)
{
	const char *name = api_path_name(call);
	json_t *enabled = json_object_get(api_body(call), "enabled");
	const char *severity = json_string_value(json_object_get(api_body(call), "severity"));
	int rc = front_alert_type_set(api_call_front(call), name, enabled != NULL ? json_is_true(enabled) : -1,
				      severity != NULL ? (int)alert_severity_parse(severity) : -1, api_call_actor(call),
				      err);

	if (rc != 0)
		return rc;
	return api_reply_json(call, 200, type_json(api_call_front(call), alert_kind_parse(name)));
}

/* --- following --- */

static void bind_nothing(struct api_call *call, struct cursor *cursor)
{
	(void)call;
	(void)cursor;
}

static json_t *change_json(struct api_call *call, struct cursor *cursor)
{
	json_t *json = alert_json(call, cursor);

	if (json == NULL)
		return NULL;
	json_object_set_new(json, "change", row_text(cursor, "change"));
	json_object_set_new(json, "time", row_time(cursor, "time"));
	json_object_set_new(json, "by", row_text(cursor, "changed_by"));
	return json;
}

int alert_stream(struct api_call *call, struct err *err)
{
	static const struct stream_source source = {
		.topic = FRONT_TOPIC_ALERT,
		.id = "change_id",
		.newest = &QUERY_ALERT_CHANGE_LAST_POSITION,
		.position = &QUERY_ALERT_CHANGE_POSITION,
		.from = &QUERY_ALERT_CHANGE_FROM_POSITION,
		.bind = bind_nothing,
		.row = change_json,
	};

	return stream_begin(call, &source, err);
}
