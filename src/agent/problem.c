/* Refusals over HTTP (agent/problem.h). Input: a manager's answer, untrusted. */
#include "agent/problem.h"

#include <jansson.h>
#include <string.h>

#include "base/text.h"
#include "base/units.h"

#define PAUSE_MAX_US   HOUR_US
#define PAUSE_LEAST_US (2 * MINUTE_US)

span_us problem_pause(span_us retry_after, const struct env *env)
{
	span_us most = retry_after > 0 && retry_after < PAUSE_MAX_US ? retry_after : PAUSE_MAX_US;

	if (most < PAUSE_LEAST_US)
		most = PAUSE_LEAST_US;
	return most / 2 + (span_us)env_below(env, (uint64_t)(most / 2));
}

static int code_of(int status)
{
	static const struct {
		int status, code;
	} rows[] = { { 401, ERR_DENIED },   { 403, ERR_DENIED },    { 404, ERR_NOT_FOUND },
		     { 409, ERR_CONFLICT }, { 410, ERR_NOT_FOUND }, { 413, ERR_LIMIT },
		     { 429, ERR_BUSY },     { 503, ERR_BUSY },      { 507, ERR_SPACE } };

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		if (rows[i].status == status)
			return rows[i].code;
	}
	return ERR_REFUSED;
}

static void append(struct buf *out, const json_t *value)
{
	const char *text = json_string_value(value);

	if (text == NULL || *text == '\0')
		return;
	buf_append_text(out, out->size ? ": " : "");
	text_escape(out, text, strnlen(text, 300));
}

/* NULL: not a problem, or none that decodes. */
static json_t *parse(const char *content_type, const void *body, size_t size)
{
	if (content_type && strncmp(content_type, "application/problem+json", 24) == 0 && size <= 64 * KIB)
		return json_loadb(body, size, 0, NULL);
	return NULL;
}

bool problem_is(const char *type, const char *content_type, const void *body, size_t size)
{
	json_t *root = parse(content_type, body, size);
	const char *given = json_string_value(json_object_get(root, "type"));
	bool is = given != NULL && strcmp(given, type) == 0;

	json_decref(root);
	return is;
}

int problem_error(const char *what, int status, const char *content_type, const void *body, size_t size,
		  struct err *err)
{
	json_t *root = parse(content_type, body, size);
	struct buf text;
	int code = code_of(status);

	buf_init(&text, 4096);
	append(&text, json_object_get(root, "title"));
	append(&text, json_object_get(root, "detail"));
	json_decref(root);
	if (text.size)
		err_set(err, code, "%s (%d): %s", what, status, buf_text(&text));
	else
		err_set(err, code, "%s (%d)", what, status);
	buf_done(&text);
	return code;
}
