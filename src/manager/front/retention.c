/* Old events (manager/front/retention.h). The newest row stays whatever its age: destinations stand by row numbers,
 * and the number of a row that was the last would be given again. */
#include "manager/front/retention.h"

#include <inttypes.h>
#include <stdio.h>

#include "manager/courier/delivery.h"
#include "manager/front/destination.h"
#include "manager/front/front_state.h"
#include "manager/queries.h"

struct behind {
	char name[DELIVERY_NAME_BYTES];
	uint64_t lost;
};

struct retention {
	struct front *front;
	time_us now;
	time_us old;       /* of an event's own time: what was before may go */
	time_us lost;      /* of its arrival: what was before goes undelivered too */
	int64_t delivered; /* rows up to this have all enabled destinations */
	struct behind behind[DELIVERY_LINES_MAX];
	size_t count;
};

/* What it would have got of the rows that go. */
static int count_lost(struct retention *retention, const struct destination *destination, uint64_t *ret_lost,
		      struct store_session *session, struct err *err)
{
	struct cursor *cursor = cursor_open(session, &QUERY_EVENT_COUNT_UNDELIVERED);

	cursor_bind_number(cursor, "time", retention->old);
	cursor_bind_number(cursor, "lost", retention->lost);
	cursor_bind_number(cursor, "position", destination->position);
	while (cursor_next(cursor)) {
		const struct forward_event event = { .number = (uint32_t)cursor_number(cursor, "type"),
						     .severity = event_severity_of(cursor_text(cursor, "severity")) };

		if (destination_wants(destination, &event, front_event_forwarded(retention->front, event.number)))
			*ret_lost += (uint64_t)cursor_number(cursor, "count");
	}
	return cursor_end(cursor, err);
}

static int look_at(struct retention *retention, const struct destination *destination, struct store_session *session,
		   struct err *err)
{
	struct behind *behind = &retention->behind[retention->count];
	uint64_t lost = 0;
	int rc;

	if (!destination->enabled || retention->count == DELIVERY_LINES_MAX)
		return 0;
	if (destination->position < retention->delivered)
		retention->delivered = destination->position;
	rc = count_lost(retention, destination, &lost, session, err);
	if (rc != 0 || lost == 0)
		return rc;
	snprintf(behind->name, sizeof(behind->name), "%s", destination->name);
	behind->lost = lost;
	retention->count++;
	return 0;
}

static int look(struct retention *retention, struct store_session *session, struct err *err)
{
	struct cursor *cursor = cursor_open(session, &QUERY_DESTINATION_ALL);
	int rc = 0, end;

	while (rc == 0 && cursor_next(cursor)) {
		struct destination destination;

		rc = destination_read(cursor, &destination, err);
		if (rc == 0)
			rc = look_at(retention, &destination, session, err);
		destination_done(&destination);
	}
	end = cursor_end(cursor, rc == 0 ? err : NULL);
	return rc != 0 ? rc : end;
}

static int tell(const struct retention *retention, const struct behind *behind, struct store_session *session,
		struct err *err)
{
	char count[24];
	const struct front_field fields[] = { { "destination", behind->name }, { "count", count } };

	snprintf(count, sizeof(count), "%" PRIu64, behind->lost);
	return front_event(retention->front, session, EVENT_EVENTS_UNDELIVERED, NULL, fields, COUNT_OF(fields), err);
}

static int apply(struct store_session *session, void *argument, struct err *err)
{
	struct retention *retention = argument;
	struct cursor *cursor;
	int rc;

	/* A write may be made again. */
	retention->count = 0;
	retention->delivered = INT64_MAX;
	rc = look(retention, session, err);
	if (rc != 0)
		return rc;
	cursor = cursor_open(session, &QUERY_EVENT_DELETE_BEFORE);
	cursor_bind_number(cursor, "time", retention->old);
	cursor_bind_number(cursor, "lost", retention->lost);
	cursor_bind_number(cursor, "delivered", retention->delivered);
	rc = cursor_run(cursor, err);
	for (size_t i = 0; rc == 0 && i < retention->count; i++)
		rc = tell(retention, &retention->behind[i], session, err);
	return rc;
}

int retention_run(struct front *front, struct err *err)
{
	int64_t keep = stored_setting_number(front->stored, STORED_EVENT_RETENTION);
	int64_t more = stored_setting_number(front->stored, STORED_UNDELIVERED_RETENTION);
	struct retention retention = { .front = front, .now = env_wall(front->env) };

	if (keep == CONF_UNLIMITED)
		return 0;
	retention.old = retention.now - keep;
	retention.lost = more == CONF_UNLIMITED ? INT64_MIN : retention.old - more;
	return store_write_wait(front->store, apply, &retention, err);
}
