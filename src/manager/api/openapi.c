/* From tables to a document. Constants go in, so nothing here meets outside bytes. */
#include "manager/api/openapi.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "manager/api/routes.h"
#include "manager/api/shapes.h"

static json_t *reference(const struct shape *shape)
{
	return json_pack("{so}", "$ref", json_sprintf("#/components/schemas/%s", shape->name));
}

static json_t *choices(const struct shape_field *field)
{
	json_t *list = json_array();

	for (size_t i = 0; field->choices[i] != NULL; i++)
		json_array_append_new(list, json_string(field->choices[i]));
	if ((field->flags & SHAPE_NULLABLE) != 0)
		json_array_append_new(list, json_null());
	return json_pack("{ss, so}", "type", "string", "enum", list);
}

static json_t *of_strings(const char *pattern)
{
	json_t *items = json_pack("{ss}", "type", "string");

	if (pattern != NULL)
		json_object_set_new(items, "pattern", json_string(pattern));
	return json_pack("{ss, so}", "type", "array", "items", items);
}

static json_t *kind_schema(const struct shape_field *field)
{
	switch (field->kind) {
	case SHAPE_TEXT:
	case SHAPE_NAME:
	case SHAPE_CURSOR:
	case SHAPE_WHEN:
	case SHAPE_KIND_COUNT_:
		return json_pack("{ss}", "type", "string");
	case SHAPE_PATH:
		return json_pack("{ss, ss}", "type", "string", "pattern", "^/");
	case SHAPE_SECRET:
		return json_pack("{ss, ss}", "type", "string", "format", "password");
	case SHAPE_NUMBER:
		return json_pack("{ss, ss}", "type", "integer", "format", "int64");
	case SHAPE_BOOLEAN:
		return json_pack("{ss}", "type", "boolean");
	case SHAPE_TIME:
		return json_pack("{ss, ss}", "type", "string", "format", "date-time");
	case SHAPE_SPAN:
		return json_pack("{s[{ss}, {ss}]}", "oneOf", "type", "integer", "type", "string");
	case SHAPE_UUID:
		return json_pack("{ss, ss}", "type", "string", "format", "uuid");
	case SHAPE_CHOICE:
		return choices(field);
	case SHAPE_OBJECT:
		return reference(field->of);
	case SHAPE_OBJECTS:
		return json_pack("{ss, so}", "type", "array", "items", reference(field->of));
	case SHAPE_PATHS:
		return of_strings("^/");
	case SHAPE_TEXTS:
		return of_strings(NULL);
	case SHAPE_UUIDS:
		return json_pack("{ss, s{ss, ss}}", "type", "array", "items", "type", "string", "format", "uuid");
	case SHAPE_TEXT_MAP:
		return json_pack("{ss, s{ss}}", "type", "object", "additionalProperties", "type", "string");
	case SHAPE_ANY:
		return json_pack("{ss, sb}", "type", "object", "additionalProperties", 1);
	}
	return NULL;
}

static void set_bounds(json_t *schema, const struct shape_field *field)
{
	bool list = field->kind == SHAPE_OBJECTS || field->kind == SHAPE_PATHS || field->kind == SHAPE_TEXTS ||
		    field->kind == SHAPE_UUIDS;
	bool number = field->kind == SHAPE_NUMBER;

	if ((field->min == 0 && field->max == 0) || field->kind == SHAPE_SPAN)
		return;
	if (number || field->min > 0)
		json_object_set_new(schema,
				    number ? "minimum"
				    : list ? "minItems"
					   : "minLength",
				    json_integer(field->min));
	if (field->max != INT64_MAX)
		json_object_set_new(schema,
				    number ? "maximum"
				    : list ? "maxItems"
					   : "maxLength",
				    json_integer(field->max));
}

static json_t *field_schema(const struct shape_field *field)
{
	json_t *schema = kind_schema(field);

	/* Beside a reference nothing counts. */
	if (field->kind == SHAPE_OBJECT && (field->flags & SHAPE_NULLABLE) != 0)
		schema = json_pack("{ss, s[o]}", "type", "object", "oneOf", schema);
	set_bounds(schema, field);
	if ((field->flags & SHAPE_NULLABLE) != 0)
		json_object_set_new(schema, "nullable", json_true());
	if (field->help != NULL)
		json_object_set_new(schema, "description", json_string(field->help));
	return schema;
}

static json_t *shape_schema(const struct shape *shape)
{
	json_t *properties = json_object();
	json_t *required = json_array();
	json_t *schema;

	for (size_t i = 0; i < shape->count; i++) {
		const struct shape_field *field = &shape->fields[i];

		json_object_set_new(properties, field->name, field_schema(field));
		if ((field->flags & SHAPE_REQUIRED) != 0)
			json_array_append_new(required, json_string(field->name));
	}
	schema = json_pack("{ss, ss, so, sb}", "type", "object", "description", shape->help, "properties", properties,
			   "additionalProperties", shape->open);
	if (json_array_size(required) > 0)
		json_object_set(schema, "required", required);
	json_decref(required);
	return schema;
}

static json_t *parameter(const struct shape_field *field, const char *where)
{
	json_t *schema = field_schema(field);
	json_t *parameter_json;

	json_object_del(schema, "description");
	parameter_json = json_pack("{ss, ss, ss, sb, so}", "name", field->name, "in", where, "description", field->help,
				   "required", (field->flags & SHAPE_REQUIRED) != 0, "schema", schema);
	return parameter_json;
}

static json_t *parameters(const struct api_route *route)
{
	static const struct shape_field id = { "id", SHAPE_UUID, SHAPE_REQUIRED, .help = "The id." };
	static const struct shape_field name = { "name", SHAPE_TEXT, SHAPE_REQUIRED, .help = "The name." };
	static const struct shape_field key = { "Idempotency-Key",
						SHAPE_TEXT,
						0,
						1,
						128,
						.help = "Repeated with the same key, the request is done once." };
	json_t *list = json_array();

	if (strstr(route->pattern, "{id}") != NULL)
		json_array_append_new(list, parameter(&id, "path"));
	if (strstr(route->pattern, "{name}") != NULL)
		json_array_append_new(list, parameter(&name, "path"));
	for (size_t i = 0; i < route->query->count; i++)
		json_array_append_new(list, parameter(&route->query->fields[i], "query"));
	if ((route->flags & ROUTE_IDEMPOTENT) != 0)
		json_array_append_new(list, parameter(&key, "header"));
	return list;
}

static json_t *answers(const struct api_route *route)
{
	json_t *content = NULL;
	json_t *success = json_pack("{ss}", "description", "Done.");
	json_t *all = json_object();
	char status[8];

	if (route->content_type != NULL) {
		json_t *schema = route->response != NULL ? reference(route->response) : json_object();

		content = json_pack("{s{so}}", route->content_type, "schema", schema);
		json_object_set_new(success, "content", content);
	}
	snprintf(status, sizeof(status), "%d", route->status);
	json_object_set_new(all, status, success);
	json_object_set_new(all, "default",
			    json_pack("{ss, s{s{so}}}", "description", "What went wrong.", "content",
				      "application/problem+json", "schema", reference(&shape_problem)));
	return all;
}

static json_t *operation(const struct api_route *route)
{
	json_t *json = json_pack("{s[s], ss, so, so}", "tags", route->tag, "summary", route->summary, "parameters",
				 parameters(route), "responses", answers(route));

	json_object_set_new(json, "operationId", json_string(route_operation_name(route->operation)));
	json_object_set_new(json, "description", json_sprintf("Role: %s.", route_access_text(route->access)));
	if (route->request != NULL)
		json_object_set_new(json, "requestBody",
				    json_pack("{sb, s{s{so}}}", "required", route->request->count > 0, "content",
					      "application/json", "schema", reference(route->request)));
	if (route->access == ACCESS_ANYBODY || route->access == ACCESS_METRICS)
		json_object_set_new(json, "security", json_array());
	return json;
}

static json_t *paths(void)
{
	json_t *all = json_object();

	for (size_t i = 0; i < api_route_count; i++) {
		const struct api_route *route = &api_routes[i];
		json_t *path = json_object_get(all, route->pattern);
		char method[8] = "";

		if (path == NULL) {
			path = json_object();
			json_object_set_new(all, route->pattern, path);
		}
		for (size_t k = 0; k < sizeof(method) - 1 && route->method[k] != '\0'; k++)
			method[k] = (char)(route->method[k] | 0x20);
		json_object_set_new(path, method, operation(route));
	}
	return all;
}

static json_t *schemas(void)
{
	json_t *all = json_object();

	for (size_t i = 0; shapes_documented[i] != NULL; i++)
		json_object_set_new(all, shapes_documented[i]->name, shape_schema(shapes_documented[i]));
	return all;
}

char *openapi_document(void)
{
	json_t *document =
	    json_pack("{ss, s{ss, ss, ss}, s[{s[]}], so, s{so, s{s{ss, ss}}}}", "openapi", "3.0.3", "info", "title",
		      "Muster manager", "version", MUSTER_VERSION, "description",
		      "Errors are problem+json (RFC 9457). Times are RFC 3339 in UTC, ids UUIDv7, sizes bytes, "
		      "durations seconds. Text from outside is shown escaped: bytes that are not printable as \\xNN. "
		      "Unknown parameters and members are refused.",
		      "security", "bearer", "paths", paths(), "components", "schemas", schemas(), "securitySchemes",
		      "bearer", "type", "http", "scheme", "bearer");
	char *text = document != NULL ? json_dumps(document, JSON_INDENT(1)) : NULL;
	size_t size = text != NULL ? strlen(text) : 0;
	char *whole = text != NULL ? realloc(text, size + 2) : NULL;

	json_decref(document);
	if (whole == NULL) {
		free(text);
		return NULL;
	}
	memcpy(whole + size, "\n", 2);
	return whole;
}
