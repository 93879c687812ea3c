/* The next stored events that a destination wants, until they are delivered. */
#ifndef MUSTER_MANAGER_FRONT_EVENT_BATCH_H
#define MUSTER_MANAGER_FRONT_EVENT_BATCH_H

#include "manager/front/destination.h"
#include "manager/front/front.h"
#include "manager/front/stored_event.h"

#define BATCH_EVENTS 64

struct event_batch {
	struct forward_event events[BATCH_EVENTS]; /* they point into what follows */
	int64_t positions[BATCH_EVENTS];
	struct stored_fields fields[BATCH_EVENTS];
	char *names[BATCH_EVENTS];
	size_t count;
	int64_t position; /* of the last row looked at */
	const struct destination *destination;
	struct front *front;
};

/* From the destination's position on. None, with a position further on: nothing there was for it. Reads the database.
 */
int event_batch_read(struct front *front, const struct destination *destination, struct event_batch **ret_batch,
		     struct err *err);
void event_batch_free(struct event_batch *batch); /* accepts NULL */

#endif
