/* /settings: what front keeps in the database. Values are checked there. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "manager/api/handlers.h"
#include "manager/api/rows.h"

#define CHANGES_MAX     64
#define VALUE_MAX_BYTES 1025

static json_t *setting_json(const struct front_setting *setting)
{
	return json_pack("{ss, ss, ss, sb, ss, ss, ss}", "name", setting->name, "value", setting->value, "default",
			 setting->default_text, "is_default", setting->is_default, "type", setting->type, "allowed",
			 setting->allowed, "help", setting->help);
}

int setting_list(struct api_call *call, struct err *err)
{
	struct front *front = api_call_front(call);
	json_t *items = json_array();

	for (size_t i = 0; i < front_setting_count(front); i++) {
		struct front_setting setting;
		int rc = front_setting_at(front, i, &setting, err);

		if (rc != 0) {
			json_decref(items);
			return rc;
		}
		json_array_append_new(items, setting_json(&setting));
	}
	return api_reply_json(call, 200, json_pack("{so, sn}", "items", items, "next"));
}

struct changes {
	struct front_field fields[CHANGES_MAX];
	char numbers[CHANGES_MAX][24];
	size_t count;
};

/* A value as text; NULL: the default. Adds a fault for what is neither. */
static void take(struct api_call *call, struct changes *changes, const char *name, const json_t *value)
{
	struct front_field *field = &changes->fields[changes->count];

	field->name = name;
	field->value = NULL;
	if (json_is_string(value) && json_string_length(value) < VALUE_MAX_BYTES) {
		field->value = json_string_value(value);
	} else if (json_is_integer(value)) {
		snprintf(changes->numbers[changes->count], sizeof(changes->numbers[0]), "%lld",
			 (long long)json_integer_value(value));
		field->value = changes->numbers[changes->count];
	} else if (json_is_boolean(value)) {
		field->value = json_is_true(value) ? "true" : "false";
	} else if (!json_is_null(value)) {
		api_problem_add(call, name, "must be text under %d bytes, a whole number, true, false or null",
				VALUE_MAX_BYTES);
		return;
	}
	changes->count++;
}

/* Names all unknown ones at once, before anything is set. */
static bool check(struct api_call *call, struct changes *changes)
{
	struct front_setting setting;
	size_t faults = 0;
	size_t given = json_object_size(api_body(call));
	const char *name;
	json_t *value;

	if (given == 0 || given > CHANGES_MAX)
		return api_problem(call, 400, "Not valid", "From 1 to %d settings must be given.", CHANGES_MAX) != 0;
	json_object_foreach(api_body(call), name, value)
	{
		take(call, changes, name, value);
		if (front_setting_get(api_call_front(call), name, &setting, NULL) == 0)
			continue;
		api_problem_add(call, name, "is not a setting");
		faults++;
	}
	if (faults == 0 && changes->count == given)
		return true;
	api_problem(call, 400, "Not valid", "Nothing was changed: see errors.");
	return false;
}

int setting_change(struct api_call *call, struct err *err)
{
	struct changes *changes = calloc(1, sizeof(*changes));
	int rc;

	if (changes == NULL)
		return err_set(err, ERR_MEMORY, "no memory");
	if (!check(call, changes)) {
		free(changes);
		return 0;
	}
	rc = front_setting_set(api_call_front(call), changes->fields, changes->count, api_call_actor(call), err);
	free(changes);
	return rc != 0 ? rc : setting_list(call, err);
}
