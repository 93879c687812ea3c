/* The thread that tells destinations. What the courier answers is untrusted. */
#include "manager/front/forwarder.h"

#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/log.h"
#include "manager/front/destination.h"
#include "manager/front/event_batch.h"
#include "manager/front/front_state.h"
#include "manager/messages.h"
#include "manager/queries.h"

#define LOOK_MS          500 /* how often new events are looked for */
#define PAUSE_FIRST_US   SECOND_US
#define TEST_PATIENCE_US (90 * SECOND_US)
#define PASSED_ROWS      10000            /* so many that it did not want are noted without a delivery */
#define PASSED_SPAN_US   (10 * MINUTE_US) /* or any, so late: what is not noted is not removed (retention.h) */
#define DELIVERY_WAIT_US (60 * SECOND_US) /* the courier gives up sooner */

/* A destination as served: its place is also the courier's line. */
struct served {
	struct destination row;
	bool used;
	bool removed; /* while something was under way */
	uint32_t generation;
	uint32_t request; /* under way, 0: none */
	time_us asked;    /* monotonic */
	int64_t target;   /* position once that is delivered; -1: a test */
	size_t target_count;
	int64_t noted;     /* position in the database */
	time_us noted_at;  /* monotonic */
	unsigned failures; /* in a row */
	time_us due;       /* monotonic */
};

struct test {
	bool wanted, begun, done;
	struct uuid destination;
	char user[DELIVERY_NAME_BYTES];
	struct err outcome;
};

struct forwarder {
	struct front *front;
	void (*broken)(void *argument);
	void *argument;
	pthread_t thread;
	int wake_fd;

	struct channel courier; /* the thread's alone, as what follows up to lock */
	bool open;
	uint32_t next_request;
	struct served served[DELIVERY_LINES_MAX];

	pthread_mutex_t lock; /* of what follows */
	pthread_cond_t tested;
	int fresh_fd;
	bool changed, stop;
	struct test test;
};

static time_us now_of(const struct forwarder *forwarder)
{
	return env_monotonic(forwarder->front->env);
}

static struct forward_origin origin_of(const struct forwarder *forwarder)
{
	return (struct forward_origin){ forwarder->front->identity.name, MUSTER_VERSION };
}

/* --- which destinations there are --- */

static struct served *find(struct forwarder *forwarder, const struct uuid *id)
{
	for (size_t i = 0; i < DELIVERY_LINES_MAX; i++) {
		if (forwarder->served[i].used && uuid_equal(&forwarder->served[i].row.id, id))
			return &forwarder->served[i];
	}
	return NULL;
}

static struct served *place_for(struct forwarder *forwarder, const struct uuid *id)
{
	struct served *served = find(forwarder, id);

	for (size_t i = 0; served == NULL && i < DELIVERY_LINES_MAX; i++) {
		if (!forwarder->served[i].used)
			served = &forwarder->served[i];
	}
	return served;
}

static void drop(struct served *served)
{
	uint32_t generation = served->generation;

	destination_done(&served->row);
	*served = (struct served){ .generation = generation };
}

/* The position in memory is never behind the stored one. */
static void take_row(struct forwarder *forwarder, struct destination *row)
{
	struct served *served = place_for(forwarder, &row->id);

	if (served == NULL) {
		LOG(LOG_ERROR, "forwarder.too_many", log_text("destination", row->name));
		destination_done(row);
		return;
	}
	if (served->used) {
		row->position = served->row.position;
		row->failing = served->row.failing;
		destination_done(&served->row);
	} else {
		served->noted = row->position;
	}
	served->row = *row;
	served->used = true;
	served->removed = false;
	served->generation++;
	served->failures = 0;
	served->due = 0;
}

static int read_rows(struct store_session *session, void *argument, struct err *err)
{
	struct forwarder *forwarder = argument;
	struct cursor *cursor = cursor_open(session, &QUERY_DESTINATION_ALL);
	struct destination row;
	int rc = 0;

	for (size_t i = 0; i < DELIVERY_LINES_MAX; i++)
		forwarder->served[i].removed = forwarder->served[i].used;
	while (rc == 0 && cursor_next(cursor)) {
		rc = destination_read(cursor, &row, err);
		if (rc == 0)
			take_row(forwarder, &row);
	}
	return rc != 0 ? (cursor_end(cursor, NULL), rc) : cursor_end(cursor, err);
}

static void reload(struct forwarder *forwarder)
{
	struct err err = { 0 };

	if (store_read(forwarder->front->store, read_rows, forwarder, &err) != 0)
		LOG(LOG_ERROR, "forwarder.load_failed", log_err(&err));
	for (size_t i = 0; i < DELIVERY_LINES_MAX; i++) {
		struct served *served = &forwarder->served[i];

		if (served->used && served->removed && served->request == 0)
			drop(served);
	}
}

/* --- what is noted in the database --- */

struct note {
	const struct store_statement *statement;
	const struct served *served;
	size_t count;
	time_us time;
	const char *failure;
};

static int write_note(struct store_session *session, void *argument, struct err *err)
{
	const struct note *note = argument;
	struct cursor *cursor = cursor_open(session, note->statement);

	cursor_bind_uuid(cursor, "id", &note->served->row.id);
	if (note->failure == NULL)
		cursor_bind_number(cursor, "position", note->served->row.position);
	else
		cursor_bind_text(cursor, "failure", note->failure);
	if (note->statement != &QUERY_DESTINATION_PASSED)
		cursor_bind_number(cursor, "time", note->time);
	if (note->statement == &QUERY_DESTINATION_DELIVERED)
		cursor_bind_number(cursor, "count", (int64_t)note->count);
	return cursor_run(cursor, err);
}

static void note_down(struct forwarder *forwarder, struct served *served, const struct store_statement *statement,
		      size_t count, const char *failure)
{
	struct note note = { statement, served, count, env_wall(forwarder->front->env), failure };
	struct err err = { 0 };

	if (store_write_wait(forwarder->front->store, write_note, &note, &err) != 0)
		LOG(LOG_ERROR, "forwarder.note_failed", log_text("destination", served->row.name), log_err(&err));
	else if (failure == NULL)
		served->noted = served->row.position;
	if (failure == NULL)
		served->noted_at = now_of(forwarder);
}

/* --- asking the courier --- */

static void failed(struct forwarder *forwarder, struct served *served, const struct err *cause)
{
	span_us pause = PAUSE_FIRST_US << (served->failures < 9 ? served->failures : 9);
	const struct front_field fields[] = { { "destination", served->row.name }, { "cause", cause->text } };

	if (pause > FORWARDER_PAUSE_MAX_US)
		pause = FORWARDER_PAUSE_MAX_US;
	served->failures++;
	served->due = now_of(forwarder) + PAUSE_FIRST_US + (span_us)env_below(forwarder->front->env, (uint64_t)pause);
	LOG(LOG_WARNING, "forwarder.failed", log_text("destination", served->row.name), log_err(cause));
	note_down(forwarder, served, &QUERY_DESTINATION_FAILED, 0, cause->text);
	if (!served->row.failing)
		front_event_later(forwarder->front, EVENT_DESTINATION_FAILING, NULL, fields, COUNT_OF(fields));
	served->row.failing = true;
}

static void delivered(struct forwarder *forwarder, struct served *served)
{
	const struct front_field fields[] = { { "destination", served->row.name } };

	served->failures = 0;
	served->due = 0;
	served->row.position = served->target;
	note_down(forwarder, served, &QUERY_DESTINATION_DELIVERED, served->target_count, NULL);
	if (served->row.failing)
		front_event_later(forwarder->front, EVENT_DESTINATION_WORKS, NULL, fields, COUNT_OF(fields));
	served->row.failing = false;
}

static void end_test(struct forwarder *forwarder, const struct err *outcome)
{
	pthread_mutex_lock(&forwarder->lock);
	forwarder->test.outcome = *outcome;
	forwarder->test.done = true;
	pthread_cond_broadcast(&forwarder->tested);
	pthread_mutex_unlock(&forwarder->lock);
}

static void ended(struct forwarder *forwarder, struct served *served, const struct err *outcome)
{
	served->request = 0;
	if (served->target < 0)
		end_test(forwarder, outcome);
	else if (outcome->code == 0)
		delivered(forwarder, served);
	else
		failed(forwarder, served, outcome);
	if (served->removed)
		drop(served);
}

static void courier_gone(struct forwarder *forwarder)
{
	struct err cause = { 0 };

	if (forwarder->open)
		channel_done(&forwarder->courier);
	forwarder->open = false;
	err_set(&cause, ERR_CLOSED, "the courier role ended");
	for (size_t i = 0; i < DELIVERY_LINES_MAX; i++) {
		if (forwarder->served[i].request != 0)
			ended(forwarder, &forwarder->served[i], &cause);
	}
}

/* target: position once it is delivered, -1 for a test. */
static int ask(struct forwarder *forwarder, struct served *served, struct delivery *delivery, int64_t target,
	       size_t count, struct err *err)
{
	struct buf packed;
	int rc;

	delivery->line = (uint8_t)(served - forwarder->served);
	delivery->generation = served->generation;
	buf_init(&packed, CHANNEL_PAYLOAD_MAX_BYTES);
	delivery_pack(&packed, delivery);
	if (++forwarder->next_request == 0)
		forwarder->next_request = 1;
	rc = packed.status != 0 ? err_set(err, packed.status, "a delivery too large for the courier")
				: channel_send(&forwarder->courier, MESSAGE_DELIVER, forwarder->next_request,
					       packed.data, packed.size, -1, err);
	buf_wipe(&packed);
	if (rc != 0)
		return rc;
	served->request = forwarder->next_request;
	served->asked = now_of(forwarder);
	served->target = target;
	served->target_count = count;
	return 0;
}

static int send_events(struct forwarder *forwarder, struct served *served, const struct forward_event *events,
		       size_t count, const int64_t *positions, struct err *err)
{
	const struct forward_origin origin = origin_of(forwarder);
	struct delivery *delivery = calloc(1, sizeof(*delivery));
	struct buf content;
	size_t used = 0;
	int rc = delivery != NULL ? 0 : err_set(err, ERR_MEMORY, "no memory");

	buf_init(&content, DELIVERY_CONTENT_BYTES);
	if (rc == 0)
		rc = destination_compose(&served->row, &origin, events, count, env_wall(forwarder->front->env),
					 &content, delivery, &used, err);
	if (rc == 0)
		rc = ask(forwarder, served, delivery, positions != NULL ? positions[used - 1] : -1, used, err);
	buf_done(&content);
	if (delivery != NULL)
		explicit_bzero(delivery, sizeof(*delivery));
	free(delivery);
	return rc;
}

/* --- turns --- */

/* What it passed over without a delivery is noted now and then. */
static void pass(struct forwarder *forwarder, struct served *served, int64_t position)
{
	served->row.position = position;
	if (served->row.position - served->noted >= PASSED_ROWS ||
	    (served->row.position != served->noted && now_of(forwarder) - served->noted_at >= PASSED_SPAN_US))
		note_down(forwarder, served, &QUERY_DESTINATION_PASSED, 0, NULL);
}

static int look(struct forwarder *forwarder, struct served *served, struct err *err)
{
	struct event_batch *batch = NULL;
	int rc = event_batch_read(forwarder->front, &served->row, &batch, err);

	if (rc != 0)
		return rc;
	if (batch->count > 0)
		rc = send_events(forwarder, served, batch->events, batch->count, batch->positions, err);
	else
		pass(forwarder, served, batch->position);
	event_batch_free(batch);
	return rc;
}

static void serve_one(struct forwarder *forwarder, struct served *served)
{
	time_us now = now_of(forwarder);
	struct err err = { 0 };

	if (served->request != 0 && now - served->asked > DELIVERY_WAIT_US) {
		err_set(&err, ERR_TIMEOUT, "the courier role does not answer");
		served->generation++;
		ended(forwarder, served, &err);
		return;
	}
	if (served->request != 0 || !served->row.enabled || now < served->due)
		return;
	if (look(forwarder, served, &err) != 0)
		failed(forwarder, served, &err);
}

static void begin_test(struct forwarder *forwarder, struct served *served, const struct test *test)
{
	const struct event_field fields[] = {
		{ "destination", { (const uint8_t *)served->row.name, strlen(served->row.name) } },
		{ "user", { (const uint8_t *)test->user, strlen(test->user) } },
	};
	const struct forward_event event = {
		.id = env_uuid(forwarder->front->env),
		.computer_name = "",
		.time = env_wall(forwarder->front->env),
		.number = EVENT_DESTINATION_TEST,
		.type = event_type_find(EVENT_DESTINATION_TEST),
		.severity = EVENT_INFO,
		.fields = fields,
		.field_count = COUNT_OF(fields),
	};
	struct err err = { 0 };

	if (send_events(forwarder, served, &event, 1, NULL, &err) != 0)
		end_test(forwarder, &err);
}

/* A test waits for the delivery before it. */
static void serve_test(struct forwarder *forwarder)
{
	struct served *served;
	struct err err = { 0 };
	struct test test;

	pthread_mutex_lock(&forwarder->lock);
	test = forwarder->test;
	pthread_mutex_unlock(&forwarder->lock);
	if (!test.wanted || test.begun)
		return;
	served = find(forwarder, &test.destination);
	if (served != NULL && served->request != 0)
		return;
	pthread_mutex_lock(&forwarder->lock);
	forwarder->test.begun = true;
	pthread_mutex_unlock(&forwarder->lock);
	if (served != NULL) {
		begin_test(forwarder, served, &test);
		return;
	}
	err_set(&err, ERR_NOT_FOUND, "There is no destination with this id.");
	end_test(forwarder, &err);
}

static void hear_courier(struct forwarder *forwarder)
{
	struct channel_message message;
	struct message_refused refused;
	struct err err = { 0 };
	int rc;

	while (forwarder->open && (rc = channel_receive(&forwarder->courier, &message, &err)) != ERR_BUSY) {
		struct err outcome = { 0 };

		if (rc == 0 && message.type == MESSAGE_REFUSED) {
			rc = message_unpack_refused(message.payload, message.size, &refused);
			if (rc == 0)
				err_set(&outcome, refused.code, "%s", refused.text);
			else
				rc = ERR_DENIED;
		}
		if (rc == ERR_DENIED)
			forwarder->broken(forwarder->argument);
		if (rc != 0) {
			courier_gone(forwarder);
			return;
		}
		for (size_t i = 0; i < DELIVERY_LINES_MAX; i++) {
			if (forwarder->served[i].request == message.request && message.request != 0)
				ended(forwarder, &forwarder->served[i], &outcome);
		}
	}
}

/* What other threads asked for. */
static bool take_orders(struct forwarder *forwarder)
{
	bool changed, stop;
	int fd;
	struct err err = { 0 };

	pthread_mutex_lock(&forwarder->lock);
	fd = forwarder->fresh_fd;
	forwarder->fresh_fd = -1;
	changed = forwarder->changed;
	forwarder->changed = false;
	stop = forwarder->stop;
	pthread_mutex_unlock(&forwarder->lock);
	if (fd >= 0) {
		courier_gone(forwarder);
		if (channel_init(&forwarder->courier, fd, messages_answered_by_courier.permits,
				 messages_answered_by_courier.count, &err) == 0)
			forwarder->open = true;
		else
			close(fd);
	}
	if (changed)
		reload(forwarder);
	return !stop;
}

static bool any_served(const struct forwarder *forwarder)
{
	for (size_t i = 0; i < DELIVERY_LINES_MAX; i++) {
		if (forwarder->served[i].used)
			return true;
	}
	return false;
}

static void wait_for_something(struct forwarder *forwarder)
{
	struct pollfd watched[] = {
		{ .fd = forwarder->wake_fd, .events = POLLIN },
		{ .fd = forwarder->open ? forwarder->courier.fd : -1, .events = POLLIN },
	};
	eventfd_t value;

	(void)poll(watched, COUNT_OF(watched), any_served(forwarder) ? LOOK_MS : -1);
	(void)eventfd_read(forwarder->wake_fd, &value);
}

static void *forward(void *argument)
{
	struct forwarder *forwarder = argument;

	while (take_orders(forwarder)) {
		hear_courier(forwarder);
		serve_test(forwarder);
		for (size_t i = 0; forwarder->open && i < DELIVERY_LINES_MAX; i++) {
			if (forwarder->served[i].used)
				serve_one(forwarder, &forwarder->served[i]);
		}
		wait_for_something(forwarder);
	}
	return NULL;
}

/* --- from outside --- */

struct forwarder *forwarder_new(struct front *front, void (*broken)(void *argument), void *argument, struct err *err)
{
	struct forwarder *forwarder = calloc(1, sizeof(*forwarder));
	pthread_condattr_t monotonic;
	int rc;

	if (forwarder == NULL) {
		err_set(err, ERR_MEMORY, "forwarder: no memory");
		return NULL;
	}
	*forwarder = (struct forwarder){
		.front = front, .broken = broken, .argument = argument, .fresh_fd = -1, .changed = true
	};
	pthread_mutex_init(&forwarder->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&forwarder->tested, &monotonic);
	pthread_condattr_destroy(&monotonic);
	forwarder->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	rc = forwarder->wake_fd >= 0 ? pthread_create(&forwarder->thread, NULL, forward, forwarder) : ERR_IO;
	if (rc == 0)
		return forwarder;
	err_set(err, ERR_IO, "forwarder: no thread");
	if (forwarder->wake_fd >= 0)
		close(forwarder->wake_fd);
	free(forwarder);
	return NULL;
}

static void wake(struct forwarder *forwarder)
{
	(void)eventfd_write(forwarder->wake_fd, 1);
}

void forwarder_free(struct forwarder *forwarder)
{
	if (forwarder == NULL)
		return;
	pthread_mutex_lock(&forwarder->lock);
	forwarder->stop = true;
	pthread_mutex_unlock(&forwarder->lock);
	wake(forwarder);
	pthread_join(forwarder->thread, NULL);
	for (size_t i = 0; i < DELIVERY_LINES_MAX; i++)
		drop(&forwarder->served[i]);
	if (forwarder->open)
		channel_done(&forwarder->courier);
	if (forwarder->fresh_fd >= 0)
		close(forwarder->fresh_fd);
	close(forwarder->wake_fd);
	pthread_cond_destroy(&forwarder->tested);
	pthread_mutex_destroy(&forwarder->lock);
	free(forwarder);
}

void forwarder_attach(struct forwarder *forwarder, int fd)
{
	pthread_mutex_lock(&forwarder->lock);
	if (forwarder->fresh_fd >= 0)
		close(forwarder->fresh_fd);
	forwarder->fresh_fd = fd;
	pthread_mutex_unlock(&forwarder->lock);
	wake(forwarder);
}

void forwarder_changed(struct forwarder *forwarder)
{
	pthread_mutex_lock(&forwarder->lock);
	forwarder->changed = true;
	pthread_mutex_unlock(&forwarder->lock);
	wake(forwarder);
}

int forwarder_test(struct forwarder *forwarder, const struct uuid *destination, const char *user, struct err *err)
{
	time_us deadline = now_of(forwarder) + TEST_PATIENCE_US;
	const struct timespec until = { .tv_sec = (time_t)(deadline / SECOND_US) };
	int rc = 0;

	pthread_mutex_lock(&forwarder->lock);
	if (forwarder->test.wanted) {
		pthread_mutex_unlock(&forwarder->lock);
		return err_set(err, ERR_BUSY, "another destination is being tried; try again when that has ended");
	}
	forwarder->test = (struct test){ .wanted = true, .destination = *destination };
	snprintf(forwarder->test.user, sizeof(forwarder->test.user), "%s", user);
	wake(forwarder);
	while (!forwarder->test.done && !forwarder->stop && rc == 0)
		rc = pthread_cond_timedwait(&forwarder->tested, &forwarder->lock, &until);
	if (forwarder->test.done)
		rc = forwarder->test.outcome.code == 0
			 ? 0
			 : err_set(err, forwarder->test.outcome.code, "%s", forwarder->test.outcome.text);
	else
		rc = err_set(err, ERR_TIMEOUT, "the courier role does not answer");
	forwarder->test = (struct test){ 0 };
	pthread_mutex_unlock(&forwarder->lock);
	return rc;
}
