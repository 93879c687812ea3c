/* Checking JSON against shapes. What is checked comes from outside: decoded, but nothing more is known of it. */
#include "manager/api/shape.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/text.h"

#define SPAN_MAX_S     (10 * 366 * 24 * 3600) /* ten years */
#define PATH_MAX_BYTES 4096
#define REASON_BYTES   256
#define NAME_BYTES     160

void faults_add(struct faults *faults, const char *name, const char *reason, ...)
{
	char text[REASON_BYTES];
	struct buf shown;
	va_list arguments;

	faults->count++;
	if (faults->count > FAULTS_MAX)
		return;
	if (faults->list == NULL)
		faults->list = json_array();
	va_start(arguments, reason);
	vsnprintf(text, sizeof(text), reason, arguments);
	va_end(arguments);
	buf_init(&shown, NAME_BYTES * 4);
	text_escape(&shown, name, strnlen(name, NAME_BYTES));
	buf_append_byte(&shown, 0);
	text_escape(&shown, text, strlen(text));
	if (shown.status == 0) {
		const char *first = buf_text(&shown);

		json_array_append_new(faults->list,
				      json_pack("{ss ss}", "name", first, "reason", first + strlen(first) + 1));
	}
	buf_done(&shown);
}

void faults_done(struct faults *faults)
{
	json_decref(faults->list);
	*faults = (struct faults){ 0 };
}

int shape_choice(const char *const *choices, const char *text)
{
	for (int i = 0; choices[i] != NULL; i++) {
		if (strcmp(choices[i], text) == 0)
			return i;
	}
	return -1;
}

static int when_parse(const char *text, time_us now, time_us *ret_time, struct err *err)
{
	span_us span;

	if (strchr(text, 'T') != NULL || strchr(text, 't') != NULL || strchr(text, ':') != NULL)
		return time_parse(text, ret_time, err);
	if (span_parse(text, &span, NULL) != 0)
		return err_set(err, ERR_FORMAT, "not a time (2026-01-31T12:00:00Z) nor a duration (24h, 30d)");
	if (span > SPAN_MAX_S * SECOND_US)
		return err_set(err, ERR_RANGE, "more than ten years from now");
	*ret_time = now + span;
	return 0;
}

time_us shape_when(const json_t *value, time_us now)
{
	time_us time = 0;

	if (json_is_string(value))
		when_parse(json_string_value(value), now, &time, NULL);
	return time;
}

span_us shape_span(const json_t *value)
{
	span_us span = 0;

	if (json_is_integer(value))
		return json_integer_value(value) * SECOND_US;
	if (json_is_string(value))
		span_parse(json_string_value(value), &span, NULL);
	return span;
}

/* --- one check a kind; each adds at most one fault --- */

struct checking {
	const struct shape_field *field;
	const char *path;
	struct faults *faults;
};

static bool bounds(const struct checking *c, int64_t value, const char *unit)
{
	const struct shape_field *field = c->field;

	if ((field->min == 0 && field->max == 0) || (value >= field->min && value <= field->max))
		return true;
	faults_add(c->faults, c->path, "must be from %" PRId64 " to %" PRId64 "%s", field->min, field->max, unit);
	return false;
}

static void check_text(const struct checking *c, const json_t *value)
{
	if (!json_is_string(value))
		faults_add(c->faults, c->path, "must be text");
	else
		bounds(c, (int64_t)json_string_length(value), " bytes long");
}

static void check_name(const struct checking *c, const json_t *value)
{
	size_t max = c->field->max > 0 ? (size_t)c->field->max : 255;

	if (!json_is_string(value))
		faults_add(c->faults, c->path, "must be text");
	else if (!text_is_name(json_string_value(value), max))
		faults_add(c->faults, c->path, "must be 1 to %zu bytes of printable text", max);
}

static void check_path(const struct checking *c, const json_t *value)
{
	struct buf bytes;
	const char *text = json_string_value(value);

	if (text == NULL || text[0] != '/') {
		faults_add(c->faults, c->path, "must be an absolute path (text that begins with '/')");
		return;
	}
	buf_init(&bytes, PATH_MAX_BYTES);
	if (text_unescape(text, &bytes) != 0)
		faults_add(c->faults, c->path, "a backslash must be followed by xNN, and the path be under %d bytes",
			   PATH_MAX_BYTES);
	else if (memchr(bytes.data, 0, bytes.size) != NULL)
		faults_add(c->faults, c->path, "a path cannot hold a zero byte");
	buf_done(&bytes);
}

static void check_number(const struct checking *c, const json_t *value)
{
	if (!json_is_integer(value))
		faults_add(c->faults, c->path, "must be a whole number");
	else
		bounds(c, json_integer_value(value), "");
}

static void check_boolean(const struct checking *c, const json_t *value)
{
	if (!json_is_boolean(value))
		faults_add(c->faults, c->path, "must be true or false");
}

static void check_time(const struct checking *c, const json_t *value)
{
	time_us time;

	if (!json_is_string(value) || time_parse(json_string_value(value), &time, NULL) != 0)
		faults_add(c->faults, c->path, "must be a time such as \"2026-01-31T12:00:00Z\"");
}

static void check_when(const struct checking *c, const json_t *value)
{
	struct err err = { 0 };
	time_us time;

	if (!json_is_string(value))
		faults_add(c->faults, c->path, "must be a time (\"2026-01-31T12:00:00Z\") or a duration (\"30d\")");
	else if (when_parse(json_string_value(value), 0, &time, &err) != 0)
		faults_add(c->faults, c->path, "%s", err.text);
}

static void check_span(const struct checking *c, const json_t *value)
{
	span_us span = 0;

	if (json_is_string(value) ? span_parse(json_string_value(value), &span, NULL) != 0 : !json_is_integer(value)) {
		faults_add(c->faults, c->path, "must be a number of seconds or a duration such as \"10m\"");
		return;
	}
	if (json_is_string(value))
		bounds(c, span / SECOND_US, " seconds");
	else
		bounds(c, json_integer_value(value), " seconds");
}

static void check_uuid(const struct checking *c, const json_t *value)
{
	struct uuid uuid;

	if (!json_is_string(value) || uuid_parse(json_string_value(value), &uuid, NULL) != 0)
		faults_add(c->faults, c->path, "must be an id (a UUID)");
}

static void check_choice(const struct checking *c, const json_t *value)
{
	char all[REASON_BYTES] = "";

	if (json_is_string(value) && shape_choice(c->field->choices, json_string_value(value)) >= 0)
		return;
	for (size_t i = 0; c->field->choices[i] != NULL; i++) {
		size_t used = strlen(all);

		snprintf(all + used, sizeof(all) - used, "%s%s", i > 0 ? ", " : "", c->field->choices[i]);
	}
	faults_add(c->faults, c->path, "must be one of: %s", all);
}

static bool object_check(const struct shape *shape, const json_t *object, const char *path, struct faults *faults);

static void check_object(const struct checking *c, const json_t *value)
{
	object_check(c->field->of, value, c->path, c->faults);
}

/* Calls check on each entry of a list, under the path "path[i]". */
static void check_list(const struct checking *c, const json_t *value,
		       void (*check)(const struct checking *, const json_t *))
{
	const json_t *entry;
	size_t i;

	if (!json_is_array(value)) {
		faults_add(c->faults, c->path, "must be a list");
		return;
	}
	if (!bounds(c, (int64_t)json_array_size(value), " entries"))
		return;
	json_array_foreach(value, i, entry)
	{
		char path[NAME_BYTES];
		struct shape_field field = *c->field;
		struct checking inner = { &field, path, c->faults };

		field.min = 0;
		field.max = 0;
		snprintf(path, sizeof(path), "%s[%zu]", c->path, i);
		check(&inner, entry);
	}
}

static void check_objects(const struct checking *c, const json_t *value)
{
	check_list(c, value, check_object);
}

static void check_paths(const struct checking *c, const json_t *value)
{
	check_list(c, value, check_path);
}

static void check_texts(const struct checking *c, const json_t *value)
{
	check_list(c, value, check_text);
}

static void check_uuids(const struct checking *c, const json_t *value)
{
	check_list(c, value, check_uuid);
}

static void check_text_map(const struct checking *c, const json_t *value)
{
	const char *key;
	json_t *entry;

	if (!json_is_object(value)) {
		faults_add(c->faults, c->path, "must be an object");
		return;
	}
	json_object_foreach((json_t *)(uintptr_t)value, key, entry)
	{
		if (!json_is_string(entry))
			faults_add(c->faults, key, "must be text");
	}
}

static void check_any(const struct checking *c, const json_t *value)
{
	if (!json_is_object(value))
		faults_add(c->faults, c->path, "must be an object");
}

static void (*const checks[])(const struct checking *, const json_t *) = {
	[SHAPE_TEXT] = check_text,         [SHAPE_NAME] = check_name,     [SHAPE_PATH] = check_path,
	[SHAPE_SECRET] = check_text,       [SHAPE_NUMBER] = check_number, [SHAPE_BOOLEAN] = check_boolean,
	[SHAPE_TIME] = check_time,         [SHAPE_WHEN] = check_when,     [SHAPE_SPAN] = check_span,
	[SHAPE_UUID] = check_uuid,         [SHAPE_CHOICE] = check_choice, [SHAPE_OBJECT] = check_object,
	[SHAPE_OBJECTS] = check_objects,   [SHAPE_PATHS] = check_paths,   [SHAPE_TEXTS] = check_texts,
	[SHAPE_TEXT_MAP] = check_text_map, [SHAPE_CURSOR] = check_text,   [SHAPE_ANY] = check_any,
	[SHAPE_UUIDS] = check_uuids,
};
_Static_assert(COUNT_OF(checks) == SHAPE_KIND_COUNT_, "a check for each kind");

static const struct shape_field *field_find(const struct shape *shape, const char *name)
{
	for (size_t i = 0; i < shape->count; i++) {
		if (strcmp(shape->fields[i].name, name) == 0)
			return &shape->fields[i];
	}
	return NULL;
}

static void join(char *path, size_t capacity, const char *parent, const char *name)
{
	snprintf(path, capacity, "%s%s%s", parent, parent[0] != '\0' ? "." : "", name);
}

static void unknown_members(const struct shape *shape, const json_t *object, const char *parent, struct faults *faults)
{
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)(uintptr_t)object, key, value)
	{
		char path[NAME_BYTES];

		if (shape->open || field_find(shape, key) != NULL)
			continue;
		join(path, sizeof(path), parent, key);
		faults_add(faults, path, "is not known here");
	}
}

static bool object_check(const struct shape *shape, const json_t *object, const char *path, struct faults *faults)
{
	size_t before = faults->count;

	if (!json_is_object(object)) {
		faults_add(faults, path, "must be an object");
		return false;
	}
	for (size_t i = 0; i < shape->count; i++) {
		const struct shape_field *field = &shape->fields[i];
		const json_t *value = json_object_get(object, field->name);
		char name[NAME_BYTES];
		struct checking c = { field, name, faults };

		join(name, sizeof(name), path, field->name);
		if (value == NULL) {
			if ((field->flags & SHAPE_REQUIRED) != 0)
				faults_add(faults, name, "is missing");
		} else if (json_is_null(value)) {
			if ((field->flags & SHAPE_NULLABLE) == 0)
				faults_add(faults, name, "cannot be null");
		} else {
			checks[field->kind](&c, value);
		}
	}
	unknown_members(shape, object, path, faults);
	return faults->count == before;
}

bool shape_check(const struct shape *shape, const json_t *object, struct faults *faults)
{
	return object_check(shape, object, "", faults);
}
