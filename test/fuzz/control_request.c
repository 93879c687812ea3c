/* Requests on the agent's control socket: any local user's bytes. What is
 * accepted keeps its limits, and is the same when written and read again. */
#include <stdlib.h>
#include <string.h>

#include "agent/control.h"
#include "base/units.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool same_paths(char *const *a, size_t a_count, char *const *b, size_t b_count)
{
	if (a_count != b_count)
		return false;
	for (size_t i = 0; i < a_count; i++) {
		if (a[i][0] != '/' || strlen(a[i]) > CONTROL_PATH_MAX_BYTES || strcmp(a[i], b[i]) != 0)
			return false;
	}
	return true;
}

static bool same(const struct control_request *a, const struct control_request *b)
{
	return a->kind == b->kind && uuid_equal(&a->item, &b->item) && a->overwrite == b->overwrite &&
	       a->limit == b->limit && same_paths(a->paths, a->path_count, b->paths, b->path_count) &&
	       same_paths(a->exclude, a->exclude_count, b->exclude, b->exclude_count);
}

static void read_request(const uint8_t *line, size_t size)
{
	struct control_request request, again;
	struct err err = { 0 };
	size_t length;
	char *text;

	if (control_request_parse(line, size, &request, &err) != 0) {
		json_t *end = control_end_line(err.code, &err);

		if (end == NULL || err.code == 0)
			abort();
		json_decref(end);
		return;
	}
	text = control_request_format(&request);
	length = text != NULL ? strlen(text) : 0;
	if (length == 0 || memchr(text, '\n', length) != text + length - 1)
		abort();
	/* Escapes may make it longer than a request may be. */
	if (length - 1 <= CONTROL_REQUEST_MAX_BYTES) {
		if (control_request_parse(text, length - 1, &again, &err) != 0 || !same(&request, &again))
			abort();
		control_request_done(&again);
	}
	free(text);
	control_request_done(&request);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf in;
	size_t line;
	int rc;

	buf_init(&in, size + 1);
	buf_append(&in, data, size);
	while (control_line(&in, CONTROL_REQUEST_MAX_BYTES, &line, &rc)) {
		read_request(in.data, line);
		buf_consume(&in, line + 1);
	}
	if (in.size > 0)
		read_request(in.data, in.size);
	buf_done(&in);
	return 0;
}
