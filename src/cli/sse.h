/* Server-sent events (WHATWG HTML, 9.2), piece by piece. Pure. */
#ifndef MUSTER_CLI_SSE_H
#define MUSTER_CLI_SSE_H

#include <stdbool.h>

#include "base/buf.h"

#define SSE_BYTES_MAX (1024 * 1024) /* of a line, and of an event's data */

struct sse {
	struct buf line, data;
	char id[64];       /* of the last event; "" before the first */
	char event[64];    /* of the one being read */
	bool after_return; /* the line ended with CR: an LF that follows belongs to it */
};

void sse_init(struct sse *sse);
void sse_done(struct sse *sse);
/* Calls on_event for each whole event; it may return an error, which ends the
 * feeding and is returned. ERR_LIMIT: larger than SSE_BYTES_MAX. */
int sse_feed(struct sse *sse, const void *bytes, size_t size,
	     int (*on_event)(void *context, const char *event, const char *data), void *context);

#endif
