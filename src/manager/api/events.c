/* /events. Fields are stored escaped; the sentence for people is made of their raw values. */
#include "fleet/event_types.h"
#include "manager/api/event_stream.h"
#include "manager/api/handlers.h"
#include "manager/api/rows.h"
#include "manager/front/stored_event.h"
#include "manager/queries.h"

#define SENTENCE_MAX_BYTES (256 * KIB)

static const struct row_field fields[] = {
	{ "id", "id", row_id },
	{ "computer", "computer", row_id },
	{ "computer_name", "computer_name", row_text_or_null },
	{ "time", "time", row_time },
	{ "happened", "listed", row_time },
	{ "received", "received", row_time },
	{ "type_id", "type", row_number },
	{ "severity", "severity", row_text },
	{ "fields", "fields", row_object },
};

static json_t *sentence(const struct event_type *type, const char *stored)
{
	struct stored_fields values;
	struct buf text;
	json_t *json;

	buf_init(&text, SENTENCE_MAX_BYTES);
	stored_fields_read(&values, stored);
	event_text(type, values.list, values.count, &text);
	json = json_string(buf_text(&text));
	stored_fields_done(&values);
	buf_done(&text);
	return json;
}

static json_t *event_json(struct api_call *call, struct cursor *cursor)
{
	const struct event_type *type = event_type_find((uint32_t)cursor_number(cursor, "type"));
	json_t *json = row_json(cursor, fields, COUNT_OF(fields));

	(void)call;
	if (json == NULL)
		return NULL;
	json_object_set_new(json, "type", json_string(type != NULL ? type->name : "unknown"));
	json_object_set_new(json, "text",
			    type != NULL ? sentence(type, cursor_text(cursor, "fields")) : json_string(""));
	return json;
}

static const struct list_filter filters[] = {
	{ "computer", LIST_ID, " AND event.computer = :computer" },
	{ "type", LIST_NUMBER, " AND event.type = :type" },
	{ "severity", LIST_TEXT, " AND event.severity = :severity" },
	{ "since", LIST_NUMBER, " AND event.listed >= :since" },
	{ "until", LIST_NUMBER, " AND event.listed < :until" },
};
static const struct list list = {
	.tag = 'e',
	.select = "SELECT event.*, computer.name AS computer_name FROM event"
		  " LEFT JOIN computer ON computer.id = event.computer WHERE 1",
	.filters = filters,
	.filter_count = COUNT_OF(filters),
	.key = "event.listed",
	.key_column = "listed",
	.id = "event.id",
	.row = event_json,
};

int event_list(struct api_call *call, struct err *err)
{
	return list_reply(call, &list, err);
}

int event_show(struct api_call *call, struct err *err)
{
	json_t *json = NULL;
	int rc = row_get(call, &QUERY_EVENT_BY_ID, api_path_id(call), "event", event_json, &json, err);

	return rc != 0 ? rc : api_reply_json(call, 200, json);
}

static void bind_filters(struct api_call *call, struct cursor *cursor)
{
	struct api_value computer = api_query(call, "computer");
	struct api_value type = api_query(call, "type");
	struct api_value severity = api_query(call, "severity");

	cursor_bind_uuid(cursor, "computer", computer.text != NULL ? &computer.uuid : NULL);
	if (type.text != NULL)
		cursor_bind_number(cursor, "type", type.number);
	else
		cursor_bind_null(cursor, "type");
	cursor_bind_text(cursor, "severity", severity.text);
}

int event_stream(struct api_call *call, struct err *err)
{
	static const struct stream_source source = {
		.topic = FRONT_TOPIC_EVENT,
		.id = "id",
		.newest = &QUERY_API_EVENT_LAST_POSITION,
		.position = &QUERY_API_EVENT_POSITION,
		.from = &QUERY_API_EVENT_FROM_POSITION,
		.bind = bind_filters,
		.row = event_json,
	};

	return stream_begin(call, &source, err);
}
