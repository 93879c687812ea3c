/* Settings out of JSON (manager/api/policy_body.h). */
#include "manager/api/policy_body.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "conf/value.h"
#include "manager/api/decode.h"

/* Paths are given in the escaped form of base/text.h, as everywhere in the API. */
static char *join_paths(const json_t *list)
{
	struct buf out, path;
	char *text = NULL;
	size_t size;
	bool good = true;

	buf_init(&out, DECODE_BODY_MAX_BYTES);
	buf_init(&path, DECODE_BODY_MAX_BYTES);
	for (size_t i = 0; good && i < json_array_size(list); i++) {
		const char *one = json_string_value(json_array_get(list, i));

		buf_reset(&path);
		good = one != NULL && text_unescape(one, &path) == 0;
		if (good)
			conf_paths_add(&out, path.data, path.size);
	}
	if (good && out.status == 0)
		text = out.size > 0 ? (char *)buf_take(&out, &size) : strdup("");
	buf_done(&out);
	buf_done(&path);
	return text;
}

char *policy_value_text(const json_t *value)
{
	char number[32];

	if (json_is_string(value))
		return strdup(json_string_value(value));
	if (json_is_boolean(value))
		return strdup(json_is_true(value) ? "yes" : "no");
	if (json_is_array(value))
		return join_paths(value);
	if (!json_is_integer(value))
		return NULL;
	snprintf(number, sizeof(number), "%" JSON_INTEGER_FORMAT, json_integer_value(value));
	return strdup(number);
}
