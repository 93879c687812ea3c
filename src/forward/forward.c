/* What all formats share: the sentence, JSON, the webhook's body. */
#include "forward/forward.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

/* Escaping makes at most four bytes of one. */
#define VALUE_MAX_BYTES (256 * KIB)

void forward_sentence(const struct forward_event *event, struct buf *out)
{
	if (event->type != NULL)
		event_text(event->type, event->fields, event->field_count, out);
	else
		buf_printf(out, "Event %u.", (unsigned)event->number);
}

static json_t *escaped(const void *bytes, size_t size)
{
	struct buf text;
	json_t *json = NULL;

	buf_init(&text, VALUE_MAX_BYTES);
	text_escape(&text, bytes, size);
	if (text.status == 0)
		json = json_string(buf_text(&text));
	buf_done(&text);
	return json;
}

static json_t *id_json(const struct uuid *id)
{
	char text[UUID_TEXT_BYTES];

	if (uuid_is_zero(id))
		return json_null();
	uuid_format(id, text);
	return json_string(text);
}

static json_t *fields_json(const struct forward_event *event)
{
	json_t *fields = json_object();

	for (size_t i = 0; i < event->field_count; i++)
		json_object_set_new(fields, event->fields[i].name,
				    escaped(event->fields[i].value.data, event->fields[i].value.size));
	return fields;
}

static json_t *event_json(const struct forward_event *event)
{
	char time[TIME_TEXT_BYTES];
	struct buf text;
	json_t *json;

	time_format(event->time, time);
	buf_init(&text, VALUE_MAX_BYTES);
	forward_sentence(event, &text);
	json = json_pack(
	    "{so so so ss sI ss ss ss so}", "id", id_json(&event->id), "computer", id_json(&event->computer),
	    "computer_name", escaped(event->computer_name, strlen(event->computer_name)), "time", time, "type_id",
	    (json_int_t)event->number, "type", event->type != NULL ? event->type->name : "unknown", "severity",
	    event_severity_name(event->severity), "text", buf_text(&text), "fields", fields_json(event));
	buf_done(&text);
	return json;
}

/* Takes json over. */
static void append_json(json_t *json, struct buf *out)
{
	char *text = json != NULL ? json_dumps(json, JSON_COMPACT) : NULL;

	if (text != NULL)
		buf_append_text(out, text);
	else if (out->status == 0)
		out->status = ERR_MEMORY;
	free(text);
	json_decref(json);
}

void forward_json(const struct forward_event *event, struct buf *out)
{
	append_json(event_json(event), out);
}

void forward_webhook(const struct forward_origin *origin, const struct forward_event *events, size_t count,
		     struct buf *out)
{
	json_t *list = json_array();

	for (size_t i = 0; i < count; i++)
		json_array_append_new(list, event_json(&events[i]));
	append_json(json_pack("{ss ss so}", "manager", origin->manager, "version", origin->version, "events", list),
		    out);
}
