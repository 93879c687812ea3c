/* What the two fuzz targets of the HTTP parser have in common: the same bytes
 * are read whole and in small pieces, and must become the same message. */
#ifndef MUSTER_FUZZ_HTTP_MESSAGE_H
#define MUSTER_FUZZ_HTTP_MESSAGE_H

#include <stdlib.h>
#include <string.h>

#include "net/http1.h"

struct outcome {
	enum http1_event event;
	int status;
	uint64_t body_size;
	uint32_t body_sum;
	size_t used;
	size_t header_count;
};

static inline void fuzz_take_body(struct outcome *outcome, const struct http1 *message)
{
	outcome->body_size += message->body_size;
	for (size_t i = 0; i < message->body_size; i++)
		outcome->body_sum = outcome->body_sum * 31 + message->body[i];
}

static inline void fuzz_take_head(struct outcome *outcome, const struct http1 *message)
{
	const char *cursor = NULL, *name, *value;

	while (http1_next_header(message, &cursor, &name, &value)) {
		outcome->header_count++;
		if (strpbrk(name, "\r\n: ") != NULL || strpbrk(value, "\r\n") != NULL)
			abort();
	}
	if (outcome->header_count != message->header_count)
		abort();
	if (message->kind == HTTP1_REQUEST && (message->path[0] != '/' || strchr(message->path, ' ') != NULL))
		abort();
}

static inline struct outcome fuzz_read(enum http1_kind kind, const uint8_t *data, size_t size, size_t step)
{
	struct outcome outcome = { HTTP1_MORE, 0, 0, 0, 0, 0 };
	struct http1 message;

	http1_init(&message, kind, 512, 8);
	while (outcome.event != HTTP1_END && outcome.event != HTTP1_FAILED) {
		size_t piece = size - outcome.used < step ? size - outcome.used : step;
		size_t used;

		outcome.event = http1_read(&message, data + outcome.used, piece, &used);
		if (used > piece)
			abort();
		outcome.used += used;
		if (outcome.event == HTTP1_HEAD)
			fuzz_take_head(&outcome, &message);
		else if (outcome.event == HTTP1_BODY)
			fuzz_take_body(&outcome, &message);
		else if (outcome.event == HTTP1_MORE && outcome.used == size)
			outcome.event = http1_closed(&message);
	}
	outcome.status = message.status;
	http1_done(&message);
	return outcome;
}

/* What was wrong must not depend on the pieces; how far reading got may. */
static inline int fuzz_compare(enum http1_kind kind, const uint8_t *data, size_t size)
{
	struct outcome whole = fuzz_read(kind, data, size, size + 1);
	struct outcome pieces = fuzz_read(kind, data, size, 1 + size % 7);

	if (whole.event != pieces.event)
		abort();
	if (whole.event == HTTP1_END && (whole.body_size != pieces.body_size || whole.body_sum != pieces.body_sum ||
					 whole.used != pieces.used || whole.status != pieces.status))
		abort();
	return 0;
}

#endif
