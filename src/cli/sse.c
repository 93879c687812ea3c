/* A stream from the manager: untrusted. */
#include <string.h>

#include "cli/sse.h"

#include "base/err.h"

void sse_init(struct sse *sse)
{
	memset(sse, 0, sizeof(*sse));
	buf_init(&sse->line, SSE_BYTES_MAX);
	buf_init(&sse->data, SSE_BYTES_MAX);
}

void sse_done(struct sse *sse)
{
	buf_done(&sse->line);
	buf_done(&sse->data);
}

static void copy(char *out, size_t capacity, const char *text)
{
	size_t size = strnlen(text, capacity - 1);

	memcpy(out, text, size);
	out[size] = '\0';
}

static int end_event(struct sse *sse, int (*on_event)(void *context, const char *event, const char *data),
		     void *context)
{
	int rc = 0;

	if (sse->data.size > 0) {
		sse->data.data[--sse->data.size] = '\0'; /* the last line's newline */
		rc = on_event(context, sse->event, buf_text(&sse->data));
	}
	buf_reset(&sse->data);
	sse->event[0] = '\0';
	return rc;
}

static void take_line(struct sse *sse, const char *line)
{
	size_t name = strcspn(line, ":");
	const char *value = line[name] == ':' ? line + name + 1 : line + name;

	if (*value == ' ')
		value++;
	if (name == 4 && strncmp(line, "data", 4) == 0) {
		buf_append_text(&sse->data, value);
		buf_append_byte(&sse->data, '\n');
	} else if (name == 2 && strncmp(line, "id", 2) == 0) {
		copy(sse->id, sizeof(sse->id), value);
	} else if (name == 5 && strncmp(line, "event", 5) == 0) {
		copy(sse->event, sizeof(sse->event), value);
	}
}

int sse_feed(struct sse *sse, const void *bytes, size_t size,
	     int (*on_event)(void *context, const char *event, const char *data), void *context)
{
	const char *at = bytes;
	int rc = 0;

	for (; rc == 0 && size > 0; at++, size--) {
		bool second = *at == '\n' && sse->after_return;

		sse->after_return = *at == '\r';
		if (second)
			continue;
		if (*at != '\n' && *at != '\r') {
			buf_append_byte(&sse->line, (uint8_t)*at);
		} else if (sse->line.size == 0) {
			rc = end_event(sse, on_event, context);
		} else {
			take_line(sse, buf_text(&sse->line));
			buf_reset(&sse->line);
		}
		if (sse->line.status != 0 || sse->data.status != 0)
			return ERR_LIMIT;
	}
	return rc;
}
