/* Decoding query strings and bodies. The bytes are hostile; every limit is checked before memory is used. */
#include "manager/api/decode.h"

#include <string.h>

#include "base/buf.h"
#include "base/hex.h"
#include "base/text.h"

/* Appends the decoded form of text[0..size) and a NUL; false if it is malformed. */
static bool percent_decode(struct buf *out, const char *text, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		char c = text[i];

		if (c == '+') {
			c = ' ';
		} else if (c == '%') {
			if (size - i < 3 || hex_digit_value(text[i + 1]) < 0 || hex_digit_value(text[i + 2]) < 0)
				return false;
			c = (char)(hex_digit_value(text[i + 1]) * 16 + hex_digit_value(text[i + 2]));
			i += 2;
		}
		if (c == '\0')
			return false;
		buf_append_byte(out, (uint8_t)c);
	}
	buf_append_byte(out, 0);
	return out->status == 0;
}

/* The JSON that a parameter's text stands for; text as it is when it does not fit: the check then says so. */
static json_t *parameter_value(const struct shape *shape, const char *name, const char *text)
{
	uint64_t number;

	for (size_t i = 0; i < shape->count; i++) {
		const struct shape_field *field = &shape->fields[i];

		if (strcmp(field->name, name) != 0)
			continue;
		if (field->kind == SHAPE_NUMBER && number_parse(text, 0, INT64_MAX, &number, NULL) == 0)
			return json_integer((json_int_t)number);
		if (field->kind == SHAPE_BOOLEAN && (strcmp(text, "true") == 0 || strcmp(text, "false") == 0))
			return json_boolean(text[0] == 't');
	}
	return json_string(text);
}

static void decode_parameter(const struct shape *shape, json_t *object, const char *text, size_t size,
			     struct faults *faults)
{
	const char *equals = memchr(text, '=', size);
	size_t name_size = equals != NULL ? (size_t)(equals - text) : size;
	struct buf decoded;
	size_t value_at;

	buf_init(&decoded, DECODE_QUERY_MAX_BYTES + 2);
	if (!percent_decode(&decoded, text, name_size)) {
		faults_add(faults, "query", "holds a parameter name that is not percent-encoded text");
		goto out;
	}
	value_at = decoded.size;
	if (equals != NULL ? !percent_decode(&decoded, equals + 1, size - name_size - 1)
			   : buf_append_byte(&decoded, 0) != 0) {
		faults_add(faults, (const char *)decoded.data, "is not percent-encoded text");
	} else if (!text_is_utf8(decoded.data, decoded.size)) {
		faults_add(faults, (const char *)decoded.data, "is not UTF-8");
	} else if (json_object_get(object, (const char *)decoded.data) != NULL) {
		faults_add(faults, (const char *)decoded.data, "is given twice");
	} else {
		const char *name = (const char *)decoded.data;

		json_object_set_new(object, name, parameter_value(shape, name, name + value_at));
	}
out:
	buf_done(&decoded);
}

json_t *decode_query(const struct shape *shape, const char *query, struct faults *faults)
{
	json_t *object = json_object();
	size_t count = 0;

	if (strlen(query) > DECODE_QUERY_MAX_BYTES)
		faults_add(faults, "query", "is over %d bytes long", DECODE_QUERY_MAX_BYTES);
	else {
		for (const char *at = query; *at != '\0';) {
			size_t size = strcspn(at, "&");

			if (++count > DECODE_PARAMETERS_MAX) {
				faults_add(faults, "query", "holds over %d parameters", DECODE_PARAMETERS_MAX);
				break;
			}
			if (size > 0)
				decode_parameter(shape, object, at, size, faults);
			at += size;
			at += *at == '&' ? 1 : 0;
		}
	}
	if (faults->count == 0)
		shape_check(shape, object, faults);
	if (faults->count > 0) {
		json_decref(object);
		return NULL;
	}
	return object;
}

/* Brackets outside of strings, before a parser allocates or recurses. */
static int depth_check(const uint8_t *bytes, size_t size, struct err *err)
{
	bool text = false;
	int depth = 0;

	for (size_t i = 0; i < size; i++) {
		if (text) {
			if (bytes[i] == '\\')
				i++;
			else if (bytes[i] == '"')
				text = false;
		} else if (bytes[i] == '"') {
			text = true;
		} else if (bytes[i] == '{' || bytes[i] == '[') {
			if (++depth > DECODE_DEPTH_MAX)
				return err_set(err, ERR_LIMIT, "nested more than %d deep at byte %zu", DECODE_DEPTH_MAX,
					       i);
		} else if (bytes[i] == '}' || bytes[i] == ']') {
			depth--;
		}
	}
	return 0;
}

int decode_body(const struct shape *shape, const uint8_t *bytes, size_t size, struct faults *faults, json_t **ret_json,
		struct err *err)
{
	json_error_t error;
	json_t *json;
	int rc;

	if (size > DECODE_BODY_MAX_BYTES)
		return err_set(err, ERR_LIMIT, "over %d bytes long", DECODE_BODY_MAX_BYTES);
	rc = depth_check(bytes, size, err);
	if (rc != 0)
		return rc;
	json = size == 0 ? json_object() : json_loadb((const char *)bytes, size, JSON_REJECT_DUPLICATES, &error);
	if (json == NULL && size == 0)
		return err_set(err, ERR_MEMORY, "no memory");
	if (json == NULL)
		return err_set(err, ERR_FORMAT, "not JSON at line %d, column %d: %s", error.line, error.column,
			       error.text);
	if (!json_is_object(json))
		rc = err_set(err, ERR_FORMAT, "must be a JSON object");
	else if (!shape_check(shape, json, faults))
		rc = err_set(err, ERR_RANGE, "not what this request takes");
	if (rc == 0)
		*ret_json = json;
	else
		json_decref(json);
	return rc;
}
