/* Reading events for a destination. What agents reported is in them: untrusted. */
#include "manager/front/event_batch.h"

#include <stdlib.h>
#include <string.h>

#include "manager/front/front_state.h"
#include "manager/queries.h"

#define BATCH_ROWS 2000 /* looked at for a batch; most are for no destination */

static void keep_event(struct event_batch *batch, struct cursor *cursor)
{
	struct forward_event *event = &batch->events[batch->count];

	*event = (struct forward_event){
		.time = cursor_number(cursor, "listed"),
		.number = (uint32_t)cursor_number(cursor, "type"),
		.severity = event_severity_of(cursor_text(cursor, "severity")),
	};
	event->type = event_type_find(event->number);
	if (!destination_wants(batch->destination, event, front_event_forwarded(batch->front, event->number)))
		return;
	cursor_uuid(cursor, "id", &event->id);
	if (!cursor_is_null(cursor, "computer"))
		cursor_uuid(cursor, "computer", &event->computer);
	batch->names[batch->count] = strdup(cursor_text(cursor, "computer_name"));
	event->computer_name = batch->names[batch->count] != NULL ? batch->names[batch->count] : "";
	stored_fields_read(&batch->fields[batch->count], cursor_text(cursor, "fields"));
	event->fields = batch->fields[batch->count].list;
	event->field_count = batch->fields[batch->count].count;
	batch->positions[batch->count++] = batch->position;
}

static int read_rows(struct store_session *session, void *argument, struct err *err)
{
	struct event_batch *batch = argument;
	struct cursor *cursor = cursor_open(session, &QUERY_EVENT_AFTER_POSITION);

	cursor_bind_number(cursor, "position", batch->position);
	cursor_bind_number(cursor, "limit", BATCH_ROWS);
	while (batch->count < BATCH_EVENTS && cursor_next(cursor)) {
		batch->position = cursor_number(cursor, "position");
		keep_event(batch, cursor);
	}
	return cursor_end(cursor, err);
}

int event_batch_read(struct front *front, const struct destination *destination, struct event_batch **ret_batch,
		     struct err *err)
{
	struct event_batch *batch = calloc(1, sizeof(*batch));
	int rc;

	if (batch == NULL)
		return err_set(err, ERR_MEMORY, "no memory");
	batch->front = front;
	batch->destination = destination;
	batch->position = destination->position;
	rc = store_read(front->store, read_rows, batch, err);
	if (rc != 0)
		event_batch_free(batch);
	else
		*ret_batch = batch;
	return rc;
}

void event_batch_free(struct event_batch *batch)
{
	if (batch == NULL)
		return;
	for (size_t i = 0; i < batch->count; i++) {
		stored_fields_done(&batch->fields[i]);
		free(batch->names[i]);
	}
	free(batch);
}
