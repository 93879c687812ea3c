/* Reading events back. */
#include "manager/front/stored_event.h"

#include <string.h>

#include "base/text.h"
#include "base/units.h"

#define VALUES_MAX_BYTES (256 * KIB)

/* The buffer may move while it grows: the places are noted first. */
void stored_fields_read(struct stored_fields *fields, const char *json)
{
	size_t ends[STORED_EVENT_FIELDS_MAX] = { 0 };
	const char *name;
	json_t *value;

	*fields = (struct stored_fields){ 0 };
	buf_init(&fields->raw, VALUES_MAX_BYTES);
	fields->object = json_loads(json, 0, NULL);
	json_object_foreach(fields->object, name, value)
	{
		if (fields->count == STORED_EVENT_FIELDS_MAX || !json_is_string(value))
			continue;
		text_unescape(json_string_value(value), &fields->raw);
		fields->list[fields->count].name = name;
		ends[fields->count++] = fields->raw.size;
	}
	for (size_t i = 0, at = 0; i < fields->count; at = ends[i], i++)
		fields->list[i].value =
		    (struct bytes){ fields->raw.data != NULL ? fields->raw.data + at : (const uint8_t *)"",
				    ends[i] - at };
}

void stored_fields_done(struct stored_fields *fields)
{
	json_decref(fields->object);
	buf_done(&fields->raw);
}
