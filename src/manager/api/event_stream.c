/* Rows as server-sent events (WHATWG HTML, section 9.2): GET /events/stream and the like.
 *
 * A stream follows the order in which events were stored (the row's number),
 * so that none is passed over however ids and clocks fall. News from front only
 * wakes it; rows are read on a worker, a batch at a time, and the next batch
 * when the client has taken the last. Last-Event-ID goes on where it was.
 */
#include "manager/api/event_stream.h"

#include <stdlib.h>
#include <string.h>

#include "manager/api/call_state.h"
#include "manager/queries.h"

#define STREAMS_MAX     256
#define BATCH_EVENTS    200
#define BATCH_MAX_BYTES (8 * 1024 * 1024)
#define TICK_US         SECOND_US
#define QUIET_TICKS     15 /* then a comment is sent and the store looked at anyway */

struct follow {
	struct api_call *call;
	const struct stream_source *source;
	/* loop thread */
	struct front_subscription *subscription;
	struct loop_timer *timer;
	unsigned quiet;
	bool busy;    /* a worker has it */
	bool again;   /* look again when it comes back */
	bool drained; /* the client took what was sent */
	/* the worker's while busy */
	int64_t position; /* row of the last event passed */
	struct buf batch;
	bool more;
	bool over; /* the token ended */
};

/* --- worker --- */

static bool token_lives(struct store_session *session, const struct follow *follow)
{
	struct cursor *cursor = cursor_open(session, &QUERY_API_TOKEN_BY_ID);
	time_us now = env_wall(api_call_env(follow->call));
	bool lives = false;

	cursor_bind_uuid(cursor, "id", &follow->call->principal.token);
	if (cursor_next(cursor))
		lives = cursor_is_null(cursor, "revoked") &&
			(cursor_number(cursor, "expires") == 0 || cursor_number(cursor, "expires") > now);
	return cursor_end(cursor, NULL) == 0 && lives;
}

static int put_event(struct follow *follow, struct cursor *cursor)
{
	json_t *json = follow->source->row(follow->call, cursor);
	char *text = json != NULL ? json_dumps(json, JSON_COMPACT) : NULL;
	char id_text[UUID_TEXT_BYTES];
	struct uuid id = { 0 };

	cursor_uuid(cursor, follow->source->id, &id);
	uuid_format(&id, id_text);
	if (text != NULL) {
		buf_printf(&follow->batch, "id: %s\ndata: ", id_text);
		buf_append_text(&follow->batch, text);
	}
	buf_append_text(&follow->batch, "\n\n");
	json_decref(json);
	free(text);
	return follow->batch.status;
}

static int64_t newest(struct store_session *session, const struct stream_source *source)
{
	struct cursor *cursor = cursor_open(session, source->newest);
	int64_t position = cursor_next(cursor) ? cursor_number(cursor, "position") : 0;

	cursor_end(cursor, NULL);
	return position;
}

static int read_batch(struct store_session *session, void *argument, struct err *err)
{
	struct follow *follow = argument;
	int64_t end = newest(session, follow->source);
	int64_t count = 0;
	struct cursor *cursor;

	follow->over = !token_lives(session, follow);
	cursor = cursor_open(session, follow->source->from);
	cursor_bind_number(cursor, "position", follow->position);
	cursor_bind_number(cursor, "limit", BATCH_EVENTS);
	follow->source->bind(follow->call, cursor);
	while (!follow->over && cursor_next(cursor) && put_event(follow, cursor) == 0) {
		follow->position = cursor_number(cursor, "position");
		count++;
	}
	follow->more = count == BATCH_EVENTS;
	if (!follow->more && follow->batch.status == 0 && end > follow->position)
		follow->position = end;
	return cursor_end(cursor, err);
}

static void came_back(void *argument);

static void work(void *argument)
{
	struct follow *follow = argument;
	struct err err = { 0 };

	if (store_read(api_call_store(follow->call), read_batch, follow, &err) != 0)
		follow->more = false; /* tried again at the next news or tick */
	if (loop_post(follow->call->loop, came_back, follow) != 0)
		call_unref(follow->call);
}

/* --- loop --- */

static void release(struct follow *follow)
{
	front_unsubscribe(follow->subscription);
	loop_timer_free(follow->timer);
	follow->subscription = NULL;
	follow->timer = NULL;
	atomic_fetch_sub(&follow->call->api->streams, 1);
}

static void finish(struct follow *follow)
{
	struct api_call *call = follow->call;
	struct http_request *request = call->request;

	release(follow);
	call->request = NULL;
	http_set_data(request, NULL);
	http_reply_end(request);
	call_unref(call);
}

static void look(struct follow *follow)
{
	if (follow->busy || !follow->drained) {
		follow->again = true;
		return;
	}
	follow->busy = true;
	follow->again = false;
	call_ref(follow->call);
	if (front_work(api_call_front(follow->call), work, follow) == 0)
		return;
	follow->busy = false;
	follow->again = true; /* the next tick tries again */
	call_unref(follow->call);
}

static void send(struct follow *follow, const void *bytes, size_t size)
{
	follow->quiet = 0;
	follow->drained = false;
	http_reply_body(follow->call->request, bytes, size);
}

static void came_back(void *argument)
{
	struct follow *follow = argument;
	struct api_call *call = follow->call;

	follow->busy = false;
	if (call->request != NULL && (follow->over || follow->batch.status != 0)) {
		finish(follow);
	} else if (call->request != NULL) {
		bool more = follow->more || follow->again;

		if (follow->batch.size > 0)
			send(follow, follow->batch.data, follow->batch.size);
		buf_reset(&follow->batch);
		if (more && call->request != NULL)
			look(follow);
	}
	call_unref(call);
}

static void on_news(void *argument, const struct front_news *news, size_t count, uint64_t missed)
{
	(void)news;
	(void)count;
	(void)missed; /* nothing is lost: rows are read from where the stream stands */
	look(argument);
}

static void on_tick(void *argument)
{
	struct follow *follow = argument;

	if (front_stopping(api_call_front(follow->call))) {
		finish(follow);
		return;
	}
	loop_timer_set(follow->timer, TICK_US);
	if (++follow->quiet >= QUIET_TICKS && follow->drained) {
		send(follow, ": still here\n\n", 14);
		follow->again = true;
	}
	if (follow->again)
		look(follow);
}

static void on_drain(struct http_request *request)
{
	struct api_call *call = http_data(request);
	struct follow *follow = call != NULL ? call->taken : NULL;

	if (follow == NULL)
		return;
	follow->drained = true;
	if (follow->again)
		look(follow);
}

static void on_client_gone(struct api_call *call)
{
	release(call->taken);
}

static void begin(struct api_call *call)
{
	struct follow *follow = call->taken;
	struct front *front = api_call_front(call);

	call->taken_gone = on_client_gone;
	follow->timer = loop_timer_new(call->loop, on_tick, follow);
	follow->subscription = front_subscribe(front, call->loop, follow->source->topic, on_news, follow);
	http_reply_begin(call->request, 200, "text/event-stream", call_headers(call), UINT64_MAX, on_drain);
	if (follow->timer == NULL || follow->subscription == NULL) {
		finish(follow);
		return;
	}
	loop_timer_set(follow->timer, TICK_US);
	send(follow, "retry: 2000\n\n", 13);
	look(follow);
}

/* --- handler --- */

struct place {
	const struct stream_source *source;
	const struct uuid *after;
	int64_t position;
};

static int find_place(struct store_session *session, void *argument, struct err *err)
{
	struct place *place = argument;
	struct cursor *cursor;

	if (place->after == NULL) {
		place->position = newest(session, place->source);
		return 0;
	}
	cursor = cursor_open(session, place->source->position);
	cursor_bind_uuid(cursor, "after", place->after);
	place->position = cursor_next(cursor) ? cursor_number(cursor, "position") : 0;
	return cursor_end(cursor, err);
}

static void follow_free(void *argument)
{
	struct follow *follow = argument;

	buf_done(&follow->batch);
	free(follow);
}

static int prepare(struct api_call *call, const struct stream_source *source, const struct uuid *after, struct err *err)
{
	struct follow *follow = calloc(1, sizeof(*follow));
	struct place place = { .source = source, .after = after };
	int rc = store_read(api_call_store(call), find_place, &place, err);

	if (rc != 0 || follow == NULL) {
		free(follow);
		return rc != 0 ? rc : err_set(err, ERR_MEMORY, "no memory");
	}
	follow->call = call;
	follow->source = source;
	follow->position = place.position;
	buf_init(&follow->batch, BATCH_MAX_BYTES);
	call->taken = follow;
	call->taken_free = follow_free;
	call->take_over = begin;
	call->status = 200;
	return 0;
}

int stream_begin(struct api_call *call, const struct stream_source *source, struct err *err)
{
	struct api_value after = api_query(call, "after");
	struct uuid last;
	int rc;

	if (call->last_event_id[0] != '\0') {
		if (uuid_parse(call->last_event_id, &last, NULL) != 0) {
			api_problem_add(call, "Last-Event-ID", "must be the id of an event");
			return api_problem(call, 400, "Not valid", "A header is not valid: see errors.");
		}
		after = (struct api_value){ .text = call->last_event_id, .uuid = last };
	}
	if (atomic_fetch_add(&call->api->streams, 1) >= STREAMS_MAX)
		rc = err_set(err, ERR_BUSY, "%d streams are followed already: try again later.", STREAMS_MAX);
	else
		rc = prepare(call, source, after.text != NULL ? &after.uuid : NULL, err);
	if (rc != 0)
		atomic_fetch_sub(&call->api->streams, 1);
	return rc;
}
