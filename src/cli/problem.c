/* Bodies come from whoever answers at the address: untrusted. */
#include "cli/problem.h"

#include <jansson.h>
#include <string.h>

#include "base/buf.h"
#include "base/units.h"
#include "cli/table.h"

static const struct {
	long status;
	int code;
	const char *advice;
} rows[] = {
	{ 400, ERR_RANGE, "" },
	{ 401, ERR_DENIED, "; sign in with `muster login`, or give --token or MUSTER_TOKEN" },
	{ 403, ERR_DENIED, "; `muster login` as somebody who may, or ask an administrator" },
	{ 404, ERR_NOT_FOUND, "" },
	{ 405, ERR_VERSION, "; the manager may be of another version" },
	{ 409, ERR_CONFLICT, "" },
	{ 410, ERR_EXPIRED, "" },
	{ 412, ERR_CONFLICT, "" },
	{ 413, ERR_LIMIT, "" },
	{ 422, ERR_RANGE, "" },
	{ 429, ERR_BUSY, "; try again later" },
	{ 503, ERR_BUSY, "; try again later" },
	{ 504, ERR_TIMEOUT, "" },
	{ 507, ERR_SPACE, "" },
};

static const char *text_of(const json_t *json, const char *name)
{
	const char *text = json_string_value(json_object_get(json, name));

	return text != NULL ? text : "";
}

/* "(paths[0]: must begin with '/'; timeout: too large)", but for what the sentence says itself. */
static void append_faults(const json_t *json, const char *sentence, struct buf *out)
{
	const json_t *faults = json_object_get(json, "errors");
	size_t said = 0;

	for (size_t i = 0; i < json_array_size(faults); i++) {
		const json_t *fault = json_array_get(faults, i);
		const char *reason = text_of(fault, "reason");

		if (reason[0] != '\0' && strstr(sentence, reason) != NULL)
			continue;
		buf_append_text(out, said++ == 0 ? " (" : "; ");
		table_clean(text_of(fault, "name"), out);
		buf_append_text(out, ": ");
		table_clean(reason, out);
	}
	if (said > 0)
		buf_append_text(out, ")");
}

/* "Nothing was changed: see errors." is for programs; people read the errors behind it. */
static void drop_pointer(struct buf *text)
{
	static const char pointer[] = ": see errors.";
	size_t size = sizeof(pointer) - 1;

	if (text->size >= size && memcmp(text->data + text->size - size, pointer, size) == 0) {
		text->size -= size;
		text->data[text->size] = '\0';
	}
}

static void first_sentence(struct buf *text)
{
	const char *end = strstr(buf_text(text), ". ");
	const char *colon = strstr(buf_text(text), ": ");

	end = colon != NULL && (end == NULL || colon < end) ? colon : end;
	if (end != NULL) {
		text->size = (size_t)(end - buf_text(text));
		text->data[text->size] = '\0';
	}
}

int problem_error(long status, const void *body, size_t size, long retry_after_s, struct err *err)
{
	json_t *json = json_loadb(body, size, 0, NULL);
	const char *title = text_of(json, "title"), *detail = text_of(json, "detail"), *advice = "";
	int code = status >= 500 ? ERR_INTERNAL : ERR_REFUSED;
	char wait[64] = "";
	struct buf text;

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		if (rows[i].status == status) {
			code = rows[i].code;
			advice = rows[i].advice;
		}
	}
	buf_init(&text, 16 * 1024);
	if (detail[0] == '\0')
		detail = title;
	table_clean(detail, &text);
	/* What the manager advises there is for programs that speak HTTP themselves. */
	if (status == 401)
		first_sentence(&text);
	if (json_array_size(json_object_get(json, "errors")) > 0)
		drop_pointer(&text);
	append_faults(json, detail, &text);
	if (text.size == 0)
		buf_printf(&text, "the answer was HTTP status %ld without a reason", status);
	/* A sentence that goes on has no full stop. */
	if (advice[0] != '\0' && text.size > 0 && text.data[text.size - 1] == '.')
		text.data[--text.size] = '\0';
	if (retry_after_s > 0)
		snprintf(wait, sizeof(wait), " (in %ld s)", retry_after_s);
	err_set(err, code, "%s%s%s", buf_text(&text), advice, wait);
	buf_done(&text);
	json_decref(json);
	return code;
}
