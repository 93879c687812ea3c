/* Parts of messages as JSON. What goes in comes from agents and is untrusted. */
#include "manager/front/records_json.h"

#include <string.h>

#include "base/text.h"

/* Escaping makes at most four bytes of one. */
#define ESCAPED_MAX_BYTES (4 * (size_t)WIRE_FIELD_VALUE_MAX_BYTES + 1)

json_t *json_escaped(const void *bytes, size_t size)
{
	struct buf text;
	json_t *json = NULL;

	buf_init(&text, ESCAPED_MAX_BYTES);
	text_escape(&text, bytes, size);
	if (text.status == 0)
		json = json_string_nocheck(buf_text(&text));
	buf_done(&text);
	return json;
}

static json_t *escaped_text(const char *text)
{
	return json_escaped(text, strlen(text));
}

static char *dump(json_t *json)
{
	char *text = json != NULL ? json_dumps(json, JSON_COMPACT) : NULL;

	json_decref(json);
	return text;
}

/* A member that could not be made makes the whole fail: nothing is left out silently. */
static void set(json_t **object, const char *name, json_t *value)
{
	if (*object != NULL && json_object_set_new_nocheck(*object, name, value) != 0) {
		json_decref(*object);
		*object = NULL;
	}
}

static void set_field(json_t **object, const Muster__Wire__Field *field)
{
	struct buf name;

	buf_init(&name, ESCAPED_MAX_BYTES);
	text_escape(&name, field->name, strlen(field->name));
	set(object, buf_text(&name), json_escaped(field->value.data, field->value.len));
	buf_done(&name);
}

char *json_of_fields(Muster__Wire__Field *const *fields, size_t count)
{
	json_t *object = json_object();

	for (size_t i = 0; i < count; i++)
		set_field(&object, fields[i]);
	return dump(object);
}

static json_t *whole(uint64_t number)
{
	return json_integer((json_int_t)(number > INT64_MAX ? INT64_MAX : number));
}

char *json_of_progress(const Muster__Wire__Progress *progress)
{
	const struct {
		const char *name;
		uint64_t value;
	} numbers[] = {
		{ "files_total", progress->files_total }, { "files_done", progress->files_done },
		{ "bytes_total", progress->bytes_total }, { "bytes_done", progress->bytes_done },
		{ "detections", progress->detections },   { "not_fully_scanned", progress->not_fully_scanned },
		{ "errors", progress->errors },           { "elapsed_ms", progress->elapsed_ms },
	};
	json_t *object = json_object();

	set(&object, "counting", json_boolean(progress->counting));
	set(&object, "paused", json_boolean(progress->paused));
	for (size_t i = 0; i < COUNT_OF(numbers); i++)
		set(&object, numbers[i].name, whole(numbers[i].value));
	set(&object, "path", json_escaped(progress->path.data, progress->path.len));
	return dump(object);
}

char *json_of_result(const Muster__Wire__CommandState *reported, const char *code, const char *text)
{
	json_t *object = json_object();

	if (reported != NULL && reported->code[0] != '\0')
		code = reported->code;
	if (reported != NULL && reported->text[0] != '\0')
		text = reported->text;
	if (code != NULL && code[0] != '\0')
		set(&object, "code", escaped_text(code));
	if (text != NULL && text[0] != '\0')
		set(&object, "text", escaped_text(text));
	for (size_t i = 0; reported != NULL && i < reported->n_result; i++)
		set_field(&object, reported->result[i]);
	return dump(object);
}

char *json_of_addresses(char *const *addresses, size_t count)
{
	json_t *array = json_array();

	for (size_t i = 0; array != NULL && i < count; i++) {
		if (json_array_append_new(array, escaped_text(addresses[i])) != 0) {
			json_decref(array);
			array = NULL;
		}
	}
	return dump(array);
}

static json_t *component_json(const Muster__Wire__Component *component)
{
	json_t *object = json_object(), *facts = json_object();

	set(&object, "name", escaped_text(component->name));
	set(&object, "state", escaped_text(component->state));
	set(&object, "version", escaped_text(component->version));
	set(&object, "detail", escaped_text(component->detail));
	for (size_t i = 0; i < component->n_facts; i++) {
		const Muster__Wire__Component__FactsEntry *fact = component->facts[i];

		if (text_is_name(fact->key, WIRE_NAME_MAX_BYTES))
			set(&facts, fact->key, escaped_text(fact->value));
	}
	set(&object, "facts", facts);
	return object;
}

static void put_component(json_t *array, json_t *component)
{
	const char *name = json_string_value(json_object_get(component, "name"));
	json_t *present;
	size_t i;

	json_array_foreach(array, i, present)
	{
		const char *other = json_string_value(json_object_get(present, "name"));

		if (other != NULL && name != NULL && strcmp(other, name) == 0) {
			json_array_set_new(array, i, component);
			return;
		}
	}
	json_array_append_new(array, component);
}

char *json_of_components(const char *stored, Muster__Wire__Component *const *components, size_t count, bool full)
{
	json_t *array = full ? NULL : json_loads(stored, 0, NULL);

	if (!json_is_array(array)) {
		json_decref(array);
		array = json_array();
	}
	for (size_t i = 0; array != NULL && i < count; i++) {
		json_t *component = component_json(components[i]);

		if (component == NULL) {
			json_decref(array);
			return NULL;
		}
		put_component(array, component);
	}
	return dump(array);
}

const char *patterns_of_components(Muster__Wire__Component *const *components, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		for (size_t k = 0; k < components[i]->n_facts; k++) {
			if (strcmp(components[i]->facts[k]->key, "signature_version") == 0)
				return components[i]->facts[k]->value;
		}
	}
	return "";
}
