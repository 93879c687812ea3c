/* /event-types: what is done with events of each type. */
#include "fleet/event_types.h"

#include <string.h>

#include "base/units.h"
#include "manager/api/handlers.h"
#include "manager/api/rows.h"
#include "manager/api/shapes.h"

static json_t *type_json(struct front *front, const struct event_type *type)
{
	struct front_event_type now;
	json_t *fields = json_array(), *json = json_object();

	front_event_type(front, type->number, &now);
	for (size_t i = 0; type->fields[i] != NULL; i++)
		json_array_append_new(fields, json_string(type->fields[i]));
	json_object_set_new(json, "type_id", json_integer(type->number));
	json_object_set_new(json, "type", json_string(type->name));
	json_object_set_new(json, "origin", json_string(type->origin == EVENT_AGENT ? "agent" : "manager"));
	json_object_set_new(json, "severity", json_string(event_severity_name(now.severity)));
	json_object_set_new(json, "record", json_boolean(now.record));
	json_object_set_new(json, "forward", json_boolean(now.forward));
	json_object_set_new(json, "is_default", json_boolean(now.is_default));
	json_object_set_new(json, "text", json_string(type->text));
	json_object_set_new(json, "text_ja", json_string(event_text_japanese(type)));
	json_object_set_new(json, "fields", fields);
	return json;
}

int event_type_list(struct api_call *call, struct err *err)
{
	size_t count;
	const struct event_type *rows = event_types(&count);
	json_t *items = json_array();

	(void)err;
	for (size_t i = 0; i < count; i++)
		json_array_append_new(items, type_json(api_call_front(call), &rows[i]));
	return api_reply_json(call, 200, json_pack("{so, sn}", "items", items, "next"));
}

static int as_switch(const json_t *value)
{
	return value == NULL ? -1 : json_is_true(value);
}

int event_type_change(struct api_call *call, struct err *err)
{
	const json_t *body = api_body(call);
	const char *severity = json_string_value(json_object_get(body, "severity"));
	struct front_event_type_change change = {
		.record = as_switch(json_object_get(body, "record")),
		.forward = as_switch(json_object_get(body, "forward")),
		.severity = severity != NULL ? shape_choice(shape_severities, severity) : -1,
		.reset = json_is_true(json_object_get(body, "reset")),
	};
	uint64_t number;
	int rc;

	if (number_parse(api_path_name(call), 1, UINT32_MAX, &number, NULL) != 0)
		return err_set(err, ERR_NOT_FOUND, "There is no such type of events: it is given by its number.");
	rc = front_event_type_set(api_call_front(call), (uint32_t)number, &change, api_call_actor(call), err);
	if (rc != 0)
		return rc;
	return api_reply_json(call, 200, type_json(api_call_front(call), event_type_find((uint32_t)number)));
}
