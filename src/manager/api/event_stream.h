/* Following rows as server-sent events, in the order in which they were stored. */
#ifndef MUSTER_MANAGER_API_EVENT_STREAM_H
#define MUSTER_MANAGER_API_EVENT_STREAM_H

#include <jansson.h>

#include "manager/api/call.h"
#include "store/store.h"

struct stream_source {
	enum front_topic topic;                 /* whose news wake it */
	const char *id;                         /* column: the UUID a stream goes on behind */
	const struct store_statement *newest;   /* -> position */
	const struct store_statement *position; /* :after -> position */
	const struct store_statement *from;     /* :position, :limit and what bind() binds -> rows with `position` */
	void (*bind)(struct api_call *call, struct cursor *cursor); /* the query's filters */
	json_t *(*row)(struct api_call *call, struct cursor *cursor);
};

/* The call becomes a stream (a route with ROUTE_STREAM). ERR_BUSY: too many are followed. */
int stream_begin(struct api_call *call, const struct stream_source *source, struct err *err);

#endif
