/* manager/api/openapi.h: the document says what the tables say, and every reference leads somewhere. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <jansson.h>

#include "base/units.h"
#include "manager/api/openapi.h"
#include "manager/api/routes.h"
#include "manager/api/shapes.h"

static json_t *document(void)
{
	char *text = openapi_document();
	json_t *json = json_loads(text, JSON_REJECT_DUPLICATES, NULL);

	free(text);
	assert_non_null(json);
	return json;
}

static void check_references(const json_t *root, json_t *node)
{
	const char *key;
	json_t *value;
	size_t i;

	json_array_foreach(node, i, value) check_references(root, value);
	json_object_foreach(node, key, value)
	{
		static const char prefix[] = "#/components/schemas/";

		if (strcmp(key, "$ref") != 0) {
			check_references(root, value);
			continue;
		}
		assert_int_equal(strncmp(json_string_value(value), prefix, sizeof(prefix) - 1), 0);
		assert_non_null(json_object_get(json_object_get(json_object_get(root, "components"), "schemas"),
						json_string_value(value) + sizeof(prefix) - 1));
	}
}

static void references_lead_somewhere(void **state)
{
	json_t *json = document();

	(void)state;
	check_references(json, json);
	json_decref(json);
}

static void each_route_is_there(void **state)
{
	json_t *json = document();

	(void)state;
	for (size_t i = 0; i < api_route_count; i++) {
		const json_t *path = json_object_get(json_object_get(json, "paths"), api_routes[i].pattern);
		bool found = false;
		const char *method;
		json_t *operation;

		json_object_foreach((json_t *)(uintptr_t)path, method, operation)
		{
			const char *id = json_string_value(json_object_get(operation, "operationId"));

			if (strcasecmp(method, api_routes[i].method) == 0)
				found = strcmp(id, route_operation_name(api_routes[i].operation)) == 0;
		}
		assert_true(found);
	}
	json_decref(json);
}

/* A field without a word of help, or a list without bounds that callers send, is an oversight. */
static void each_field_is_described(void **state)
{
	(void)state;
	for (size_t i = 0; shapes_documented[i] != NULL; i++) {
		const struct shape *shape = shapes_documented[i];

		for (size_t k = 0; k < shape->count; k++) {
			const struct shape_field *field = &shape->fields[k];

			assert_non_null(field->help);
			assert_int_equal(field->kind == SHAPE_CHOICE, field->choices != NULL);
			assert_int_equal(field->kind == SHAPE_OBJECT || field->kind == SHAPE_OBJECTS,
					 field->of != NULL);
			assert_true(field->kind != SHAPE_PATHS || field->max > 0);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(references_lead_somewhere),
		cmocka_unit_test(each_route_is_there),
		cmocka_unit_test(each_field_is_described),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
