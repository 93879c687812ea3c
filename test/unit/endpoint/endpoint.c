#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "endpoint/endpoint.h"
#include "given_time.h"
#include "memory_disk.h"

static unsigned started, started_again, cancelled;
static struct uuid last_started;
static struct memory_disk disk;

static const struct uuid computer = { { 1, 2, 3 } };
static const struct envelope_key key = { .fingerprint = { 7 } };

static int note_start(void *context, const struct endpoint_command *command, struct err *err)
{
	(void)context;
	(void)err;
	if (command->again) {
		started_again++;
		return ERR_NOT_FOUND;
	}
	started++;
	last_started = command->id;
	return 0;
}

static int note_cancel(void *context, const struct uuid *id, const struct uuid *by, struct err *err)
{
	(void)context;
	(void)id;
	(void)err;
	cancelled++;
	return by != NULL ? ENDPOINT_UNDER_WAY : 0;
}

static char steered[4]; /* "pr": paused, then resumed */

static int note_steered(const char *how, const struct uuid *by)
{
	if (strlen(steered) + 1 < sizeof(steered))
		strcat(steered, how);
	return by != NULL ? ENDPOINT_UNDER_WAY : 0;
}

static int note_pause(void *context, const struct uuid *id, const struct uuid *by, struct err *err)
{
	(void)context;
	(void)id;
	(void)err;
	return note_steered("p", by);
}

static int note_resume(void *context, const struct uuid *id, const struct uuid *by, struct err *err)
{
	(void)context;
	(void)id;
	(void)err;
	return note_steered("r", by);
}

/* Goes on with what was begun before, too. */
static int go_on(void *context, const struct endpoint_command *command, struct err *err)
{
	return command->again ? 0 : note_start(context, command, err);
}

static unsigned rekeyed;
static bool leaving;

static void note_rekey(void *context)
{
	(void)context;
	rekeyed++;
}

static bool tell_leaving(void *context)
{
	(void)context;
	return leaving;
}

/* A signature of 0x5a is good. */
static bool test_verify(void *context, const uint8_t *public_key, const void *message, size_t size,
			const uint8_t *signature)
{
	(void)context;
	(void)public_key;
	(void)message;
	(void)size;
	return signature[0] == 0x5a;
}

static int (*starter)(void *context, const struct endpoint_command *command, struct err *err) = note_start;

static void test_digest(const void *data, size_t size, uint8_t out[SHA256_BYTES])
{
	memset(out, size > 0 ? *(const uint8_t *)data : 0, SHA256_BYTES);
}

static struct endpoint *make(void)
{
	const struct endpoint_options options = {
		.env = &env,
		.storage = memory_disk_storage(&disk),
		.actor = { .start = starter,
			   .pause = note_pause,
			   .resume = note_resume,
			   .cancel = note_cancel,
			   .rekey = note_rekey,
			   .leaves = tell_leaving },
		.computer = computer,
		.keys = &key,
		.key_count = 1,
		.verify = test_verify,
		.digest = test_digest,
		.heartbeat_us = MINUTE_US,
	};
	struct endpoint *endpoint;

	assert_int_equal(endpoint_new(&options, &endpoint, NULL), 0);
	return endpoint;
}

static int start(void **state)
{
	(void)state;
	now = DAY_US;
	started = started_again = cancelled = rekeyed = 0;
	leaving = false;
	steered[0] = '\0';
	starter = note_start;
	memory_disk_init(&disk);
	return 0;
}

static int stop(void **state)
{
	(void)state;
	memory_disk_done(&disk);
	return 0;
}

/* Makes the report of the lane and decodes it. */
static Muster__Wire__Report *report(struct endpoint *endpoint, enum endpoint_lane lane, struct arena **ret_arena)
{
	Muster__Wire__Report *message;
	struct buf out;
	uint32_t hold_s;

	buf_init(&out, WIRE_REPORT_MAX_BYTES);
	assert_int_equal(endpoint_report(endpoint, lane, &out, &hold_s, NULL), 0);
	assert_int_equal(exchange_report_decode(out.data, out.size, &message, ret_arena, NULL), 0);
	assert_int_equal(message->hold_s, hold_s);
	buf_done(&out);
	return message;
}

static void send(struct endpoint *endpoint, enum endpoint_lane lane)
{
	struct arena *arena;

	report(endpoint, lane, &arena);
	arena_free(arena);
}

static void answer(struct endpoint *endpoint, enum endpoint_lane lane, Muster__Wire__Reply *reply)
{
	struct buf out;

	buf_init(&out, WIRE_REPLY_MAX_BYTES);
	reply->protocol = WIRE_PROTOCOL;
	assert_int_equal(exchange_reply_encode(reply, &out, NULL), 0);
	assert_int_equal(endpoint_reply(endpoint, lane, out.data, out.size, NULL), 0);
	buf_done(&out);
}

static void answer_plain(struct endpoint *endpoint, enum endpoint_lane lane, uint64_t acknowledged)
{
	Muster__Wire__Reply reply = MUSTER__WIRE__REPLY__INIT;

	reply.acknowledged_event = acknowledged;
	answer(endpoint, lane, &reply);
}

struct order {
	Muster__Wire__Envelope envelope;
	uint8_t signature[ENVELOPE_SIGNATURE_BYTES];
	struct buf payload;
};

static void seal(struct order *order, uint64_t session, uint8_t number, enum command_kind kind, uint8_t target,
		 uint8_t mark, const struct uuid *to)
{
	struct uuid id = { { number } }, other = { { target } };
	Muster__Wire__Signed content = MUSTER__WIRE__SIGNED__INIT;
	Muster__Wire__Command command = MUSTER__WIRE__COMMAND__INIT;
	Muster__Wire__Scan scan = MUSTER__WIRE__SCAN__INIT;
	Muster__Wire__Target about = MUSTER__WIRE__TARGET__INIT;

	about.id = exchange_bytes(other.bytes, UUID_BYTES);
	command.id = exchange_bytes(id.bytes, UUID_BYTES);
	command.timeout_us = HOUR_US;
	command.kind_case = (Muster__Wire__Command__KindCase)kind;
	if (kind == COMMAND_SCAN)
		command.scan = &scan;
	else
		command.cancel = &about;
	content.version = WIRE_ENVELOPE_VERSION;
	content.computer = exchange_bytes(to->bytes, UUID_BYTES);
	content.session = session;
	content.serial = number;
	content.issued_us = given_wall(NULL);
	content.expires_us = content.issued_us + HOUR_US;
	content.content_case = MUSTER__WIRE__SIGNED__CONTENT_COMMAND;
	content.command = &command;
	buf_init(&order->payload, WIRE_SIGNED_MAX_BYTES);
	assert_int_equal(envelope_payload(&content, &order->payload, NULL), 0);
	memset(order->signature, 0, sizeof(order->signature));
	order->signature[0] = mark;
	muster__wire__envelope__init(&order->envelope);
	order->envelope.payload = exchange_bytes(order->payload.data, order->payload.size);
	order->envelope.key = exchange_bytes(key.fingerprint, SHA256_BYTES);
	order->envelope.signature = exchange_bytes(order->signature, sizeof(order->signature));
	order->envelope.count = 1;
}

/* A reply with one command. */
static void order(struct endpoint *endpoint, uint8_t number, enum command_kind kind, uint8_t target, uint8_t mark,
		  const struct uuid *to)
{
	Muster__Wire__Reply reply = MUSTER__WIRE__REPLY__INIT;
	struct order sealed;
	Muster__Wire__Envelope *list[] = { &sealed.envelope };

	seal(&sealed, endpoint_session(endpoint), number, kind, target, mark, to);
	reply.commands = list;
	reply.n_commands = 1;
	send(endpoint, ENDPOINT_MAIN);
	answer(endpoint, ENDPOINT_MAIN, &reply);
	buf_done(&sealed.payload);
}

/* A reply that has scan 1 paused and resumed; with a disk on which the first cannot be kept. */
static void pause_and_resume(struct endpoint *endpoint, bool disk_fails)
{
	Muster__Wire__Reply reply = MUSTER__WIRE__REPLY__INIT;
	struct order pause, resume;
	Muster__Wire__Envelope *list[] = { &pause.envelope, &resume.envelope };

	seal(&pause, endpoint_session(endpoint), 2, COMMAND_PAUSE, 1, 0x5a, &computer);
	seal(&resume, endpoint_session(endpoint), 3, COMMAND_RESUME, 1, 0x5a, &computer);
	reply.commands = list;
	reply.n_commands = COUNT_OF(list);
	send(endpoint, ENDPOINT_MAIN);
	disk.fail_sync_at = disk_fails ? disk.syncs + 1 : 0;
	answer(endpoint, ENDPOINT_MAIN, &reply);
	buf_done(&pause.payload);
	buf_done(&resume.payload);
}

static enum command_state state_of(struct endpoint *endpoint, uint8_t number)
{
	size_t position = 0;
	struct uuid id;
	enum command_kind kind;
	enum command_state state;

	while (endpoint_commands(endpoint, &position, &id, &kind, &state)) {
		if (id.bytes[0] == number)
			return state;
	}
	return COMMAND_STATES;
}

/* --- tests --- */

static void the_first_report_is_full_and_the_next_is_held(void **state)
{
	struct endpoint *endpoint = make();
	Muster__Wire__Report *message;
	struct arena *arena;

	(void)state;
	assert_true(endpoint_next(endpoint, ENDPOINT_MAIN) <= now);
	message = report(endpoint, ENDPOINT_MAIN, &arena);
	assert_true(message->full);
	assert_int_equal(message->sequence, 1);
	assert_int_equal(message->hold_s, 0);
	arena_free(arena);
	assert_int_equal(endpoint_next(endpoint, ENDPOINT_MAIN), INT64_MAX);
	answer_plain(endpoint, ENDPOINT_MAIN, 0);
	message = report(endpoint, ENDPOINT_MAIN, &arena);
	assert_false(message->full);
	assert_int_equal(message->sequence, 2);
	assert_in_range(message->hold_s, 54, 60);
	arena_free(arena);
	endpoint_free(endpoint);
}

/* Asked for between a reply and the next held report, it goes with that one: a person would wait for the hold's end. */
static void what_is_hurried_is_not_held(void **state)
{
	struct endpoint *endpoint = make();
	Muster__Wire__Report *message;
	struct arena *arena;

	(void)state;
	send(endpoint, ENDPOINT_MAIN);
	answer_plain(endpoint, ENDPOINT_MAIN, 0);
	endpoint_hurry(endpoint);
	message = report(endpoint, ENDPOINT_MAIN, &arena);
	assert_int_equal(message->hold_s, 0);
	arena_free(arena);
	answer_plain(endpoint, ENDPOINT_MAIN, 0);
	message = report(endpoint, ENDPOINT_MAIN, &arena);
	assert_in_range(message->hold_s, 54, 60);
	arena_free(arena);
	endpoint_free(endpoint);
}

static void a_manager_that_asks_for_everything_again_and_again_makes_nobody_spin(void **state)
{
	Muster__Wire__Reply everything = MUSTER__WIRE__REPLY__INIT;
	struct endpoint *endpoint = make();

	(void)state;
	send(endpoint, ENDPOINT_MAIN);
	answer_plain(endpoint, ENDPOINT_MAIN, 0);
	send(endpoint, ENDPOINT_MAIN);
	everything.send_full = true;
	answer(endpoint, ENDPOINT_MAIN, &everything); /* asked once: told at once */
	assert_true(endpoint_next(endpoint, ENDPOINT_MAIN) <= now);
	for (unsigned i = 0; i < 3; i++) {
		send(endpoint, ENDPOINT_MAIN);
		answer(endpoint, ENDPOINT_MAIN, &everything);
		assert_in_range(endpoint_next(endpoint, ENDPOINT_MAIN), now + SECOND_US, now + 2 * SECOND_US);
		now = endpoint_next(endpoint, ENDPOINT_MAIN);
	}
	endpoint_free(endpoint);
}

static void news_takes_the_second_lane_while_the_first_is_held(void **state)
{
	struct endpoint *endpoint = make();
	Muster__Wire__Report *message;
	struct arena *arena;

	(void)state;
	send(endpoint, ENDPOINT_MAIN);
	answer_plain(endpoint, ENDPOINT_MAIN, 0);
	send(endpoint, ENDPOINT_MAIN);
	assert_int_equal(endpoint_next(endpoint, ENDPOINT_URGENT), INT64_MAX);
	assert_int_equal(endpoint_event(endpoint, 1, EVENT_MALWARE_DETECTED, 5, NULL, 0, NULL), 0);
	assert_true(endpoint_next(endpoint, ENDPOINT_URGENT) <= now);
	message = report(endpoint, ENDPOINT_URGENT, &arena);
	assert_int_equal(message->n_events, 1);
	assert_int_equal(message->hold_s, 0);
	arena_free(arena);
	answer_plain(endpoint, ENDPOINT_URGENT, 1);
	assert_int_equal(endpoint_next(endpoint, ENDPOINT_URGENT), INT64_MAX);
	endpoint_free(endpoint);
}

static void a_command_is_run_once(void **state)
{
	struct endpoint *endpoint = make();
	const struct uuid id = { { 1 } };

	(void)state;
	order(endpoint, 1, COMMAND_SCAN, 0, 0x5a, &computer);
	order(endpoint, 1, COMMAND_SCAN, 0, 0x5a, &computer);
	assert_int_equal(started, 1);
	assert_int_equal(state_of(endpoint, 1), COMMAND_RUNNING);
	assert_int_equal(endpoint_end(endpoint, &id, COMMAND_SUCCEEDED, "", "", NULL, 0, NULL), 0);
	assert_int_equal(endpoint_end(endpoint, &id, COMMAND_FAILED, "", "", NULL, 0, NULL), 0);
	assert_int_equal(state_of(endpoint, 1), COMMAND_SUCCEEDED);
	endpoint_free(endpoint);
	endpoint = make();
	order(endpoint, 1, COMMAND_SCAN, 0, 0x5a, &computer);
	assert_int_equal(started + started_again, 1);
	endpoint_free(endpoint);
}

static void what_a_crash_interrupted_is_ended_truthfully(void **state)
{
	struct endpoint *endpoint = make();

	(void)state;
	order(endpoint, 1, COMMAND_SCAN, 0, 0x5a, &computer);
	endpoint_free(endpoint);
	endpoint = make();
	assert_int_equal(started_again, 1);
	assert_int_equal(state_of(endpoint, 1), COMMAND_FAILED);
	endpoint_free(endpoint);
}

static void what_does_not_verify_is_not_done(void **state)
{
	const struct uuid stranger = { { 4 } };
	struct endpoint *endpoint = make();
	struct endpoint_status status;

	(void)state;
	order(endpoint, 1, COMMAND_SCAN, 0, 0x11, &computer);
	order(endpoint, 2, COMMAND_SCAN, 0, 0x11, &computer);
	assert_int_equal(started, 0);
	endpoint_status(endpoint, &status);
	assert_int_equal(status.events_waiting, 1); /* 4030, once */
	order(endpoint, 3, COMMAND_SCAN, 0, 0x5a, &stranger);
	assert_int_equal(started, 0);
	assert_int_equal(state_of(endpoint, 3), COMMAND_STATES);
	endpoint_free(endpoint);
}

static void a_cancel_that_overtakes_keeps_the_command_from_running(void **state)
{
	struct endpoint *endpoint = make();

	(void)state;
	order(endpoint, 2, COMMAND_CANCEL, 1, 0x5a, &computer);
	assert_int_equal(state_of(endpoint, 2), COMMAND_SUCCEEDED);
	order(endpoint, 1, COMMAND_SCAN, 0, 0x5a, &computer);
	assert_int_equal(started, 0);
	assert_int_equal(state_of(endpoint, 1), COMMAND_CANCELLED);
	endpoint_free(endpoint);
}

/* Recorded, and played by somebody to the same computer that was installed anew: nothing of what it did before is
 * remembered there, and the order is still within its dates. */
static void what_was_ordered_of_another_run_is_refused_counted_and_told(void **state)
{
	struct endpoint *endpoint = make();
	Muster__Wire__Reply reply = MUSTER__WIRE__REPLY__INIT;
	struct order recorded;
	Muster__Wire__Envelope *list[] = { &recorded.envelope };
	struct endpoint_status status;
	Muster__Wire__Report *message;
	struct arena *arena;
	bool told = false;

	seal(&recorded, endpoint_session(endpoint), 1, COMMAND_SCAN, 0, 0x5a, &computer);
	reply.commands = list;
	reply.n_commands = 1;
	send(endpoint, ENDPOINT_MAIN);
	answer(endpoint, ENDPOINT_MAIN, &reply);
	assert_int_equal(started, 1);
	endpoint_free(endpoint);
	assert_int_equal(stop(state) + start(state), 0); /* an empty disk */
	endpoint = make();
	send(endpoint, ENDPOINT_MAIN);
	answer(endpoint, ENDPOINT_MAIN, &reply);
	assert_int_equal(started, 0);
	assert_int_equal(state_of(endpoint, 1), COMMAND_STATES);
	endpoint_status(endpoint, &status);
	assert_int_equal(status.refused, 1);
	assert_int_equal(endpoint_flush(endpoint, NULL), 0);
	now += MINUTE_US;
	message = report(endpoint, ENDPOINT_MAIN, &arena);
	for (size_t i = 0; i < message->n_events; i++)
		told |= message->events[i]->type == EVENT_COMMUNICATION_UNVERIFIED;
	assert_true(told);
	arena_free(arena);
	buf_done(&recorded.payload);
	answer_plain(endpoint, ENDPOINT_MAIN, 0);
	now += MINUTE_US;
	order(endpoint, 1, COMMAND_SCAN, 0, 0x5a, &computer); /* the same, signed for this run */
	assert_int_equal(started, 1);
	endpoint_free(endpoint);
}

static void a_journal_that_cannot_be_written_begins_nothing(void **state)
{
	struct endpoint *endpoint = make();

	(void)state;
	disk.fail_append = disk.fail_sync = disk.fail_replace = true;
	order(endpoint, 1, COMMAND_SCAN, 0, 0x5a, &computer);
	assert_int_equal(started, 0);
	disk.fail_append = disk.fail_sync = disk.fail_replace = false;
	order(endpoint, 1, COMMAND_SCAN, 0, 0x5a, &computer);
	assert_int_equal(started, 1);
	endpoint_free(endpoint);
}

/* Taken durably, but that it began could not be written: the manager sends it no more, so it must be begun later. */
static void a_beginning_that_cannot_be_written_is_tried_again(void **state)
{
	struct endpoint *endpoint = make();

	(void)state;
	disk.fail_sync_at = disk.syncs + 2;
	order(endpoint, 1, COMMAND_SCAN, 0, 0x5a, &computer);
	assert_int_equal(started, 0);
	assert_int_equal(state_of(endpoint, 1), COMMAND_PENDING);
	now = endpoint_due(endpoint);
	assert_int_equal(endpoint_tick(endpoint, NULL), 0);
	assert_int_equal(started, 1);
	assert_int_equal(state_of(endpoint, 1), COMMAND_RUNNING);
	endpoint_free(endpoint);
}

static void a_time_out_cancels_and_is_told_as_such(void **state)
{
	struct endpoint *endpoint = make();
	const struct uuid id = { { 1 } };

	(void)state;
	order(endpoint, 1, COMMAND_SCAN, 0, 0x5a, &computer);
	now = endpoint_due(endpoint);
	assert_int_equal(endpoint_tick(endpoint, NULL), 0);
	assert_int_equal(cancelled, 1);
	assert_int_equal(endpoint_end(endpoint, &id, COMMAND_CANCELLED, "", "", NULL, 0, NULL), 0);
	assert_int_equal(state_of(endpoint, 1), COMMAND_TIMED_OUT);
	endpoint_free(endpoint);
}

/* Guard may die before it has done what it was asked: the command has not ended before guard says so. */
static void a_cancel_ends_when_it_is_done_and_is_asked_again_after_a_restart(void **state)
{
	struct endpoint *endpoint;
	const struct uuid scan = { { 1 } }, cancel = { { 2 } };

	(void)state;
	starter = go_on;
	endpoint = make();
	order(endpoint, 1, COMMAND_SCAN, 0, 0x5a, &computer);
	order(endpoint, 2, COMMAND_CANCEL, 1, 0x5a, &computer);
	assert_int_equal(cancelled, 1);
	assert_int_equal(state_of(endpoint, 2), COMMAND_PENDING);
	order(endpoint, 3, COMMAND_CANCEL, 2, 0x5a, &computer);
	assert_int_equal(state_of(endpoint, 3), COMMAND_FAILED); /* it is being done: too late to take it back */
	endpoint_free(endpoint);
	endpoint = make();
	assert_int_equal(cancelled, 2);
	assert_int_equal(endpoint_end(endpoint, &scan, COMMAND_CANCELLED, "", "", NULL, 0, NULL), 0);
	assert_int_equal(endpoint_end(endpoint, &cancel, COMMAND_SUCCEEDED, "", "", NULL, 0, NULL), 0);
	assert_int_equal(state_of(endpoint, 1), COMMAND_CANCELLED);
	assert_int_equal(state_of(endpoint, 2), COMMAND_SUCCEEDED);
	endpoint_free(endpoint);
	endpoint = make();
	assert_int_equal(cancelled, 2);
	endpoint_free(endpoint);
}

/* Who tells an end need not tell it again: on a full disk, say, it is written when there is room. */
static void an_end_that_cannot_be_written_is_written_later(void **state)
{
	struct endpoint *endpoint = make();
	const struct uuid id = { { 1 } };
	const struct event_field field = { "item", { (const uint8_t *)"7", 1 } };

	(void)state;
	order(endpoint, 1, COMMAND_SCAN, 0, 0x5a, &computer);
	disk.fail_append = disk.fail_sync = disk.fail_replace = true;
	assert_true(endpoint_end(endpoint, &id, COMMAND_SUCCEEDED, "", "", &field, 1, NULL) < 0);
	assert_int_equal(state_of(endpoint, 1), COMMAND_RUNNING);
	now = endpoint_due(endpoint);
	endpoint_tick(endpoint, NULL);
	assert_int_equal(state_of(endpoint, 1), COMMAND_RUNNING);
	disk.fail_append = disk.fail_sync = disk.fail_replace = false;
	now = endpoint_due(endpoint);
	assert_int_equal(endpoint_tick(endpoint, NULL), 0);
	assert_int_equal(state_of(endpoint, 1), COMMAND_SUCCEEDED);
	endpoint_free(endpoint);
}

static void an_outage_is_one_event_and_waits_grow(void **state)
{
	struct endpoint *endpoint = make();
	struct endpoint_status status;
	span_us longest = 0;

	(void)state;
	for (int i = 0; i < 30; i++) {
		span_us wait;

		send(endpoint, ENDPOINT_MAIN);
		endpoint_failed(endpoint, ENDPOINT_MAIN, ERR_RESOLVE, "no such name", 0);
		wait = endpoint_next(endpoint, ENDPOINT_MAIN) - now;
		assert_in_range(wait, 0, MINUTE_US);
		longest = wait > longest ? wait : longest;
		now += wait;
	}
	assert_true(longest > 30 * SECOND_US);
	endpoint_status(endpoint, &status);
	assert_int_equal(status.events_waiting, 1);
	assert_int_equal(status.last_error, ERR_RESOLVE);
	send(endpoint, ENDPOINT_MAIN);
	endpoint_failed(endpoint, ENDPOINT_MAIN, ERR_REFUSED, "busy", 5 * MINUTE_US);
	assert_true(endpoint_next(endpoint, ENDPOINT_MAIN) >= now + 5 * MINUTE_US);
	endpoint_free(endpoint);
}

/* The announced window, as 400 agents draw from it. */
static void who_loses_the_manager_comes_back_spread_over_its_window(void **state)
{
	Muster__Wire__Reply reply = MUSTER__WIRE__REPLY__INIT;
	struct endpoint *endpoint = make();
	unsigned quarters[4] = { 0 };

	(void)state;
	reply.return_window_ms = 20000;
	for (int i = 0; i < 400; i++) {
		time_us lost;

		send(endpoint, ENDPOINT_MAIN);
		answer(endpoint, ENDPOINT_MAIN, &reply);
		now = endpoint_next(endpoint, ENDPOINT_MAIN);
		send(endpoint, ENDPOINT_MAIN);
		now += 10 * SECOND_US;
		lost = now;
		endpoint_failed(endpoint, ENDPOINT_MAIN, ERR_CLOSED, "closed", 0);
		now = endpoint_next(endpoint, ENDPOINT_MAIN);
		assert_in_range(now, lost, lost + 20 * SECOND_US);
		quarters[(now - lost) / (5 * SECOND_US + 1)]++;
		send(endpoint, ENDPOINT_MAIN); /* too early: within the same window, unless the back-off is longer */
		endpoint_failed(endpoint, ENDPOINT_MAIN, ERR_CONNECT, "refused", 0);
		assert_in_range(endpoint_next(endpoint, ENDPOINT_MAIN), now,
				now < lost + 16 * SECOND_US ? lost + 20 * SECOND_US : now + 4 * SECOND_US);
		now = endpoint_next(endpoint, ENDPOINT_MAIN);
	}
	for (size_t i = 0; i < 4; i++)
		assert_in_range(quarters[i], 60, 140);
	endpoint_free(endpoint);
}

static void no_window_is_longer_than_half_a_heartbeat(void **state)
{
	Muster__Wire__Reply reply = MUSTER__WIRE__REPLY__INIT;
	struct endpoint *endpoint = make();

	(void)state;
	reply.return_window_ms = UINT32_MAX;
	for (int i = 0; i < 100; i++) {
		send(endpoint, ENDPOINT_MAIN);
		answer(endpoint, ENDPOINT_MAIN, &reply);
		now = endpoint_next(endpoint, ENDPOINT_MAIN);
		send(endpoint, ENDPOINT_MAIN);
		endpoint_failed(endpoint, ENDPOINT_MAIN, ERR_CLOSED, "closed", 0);
		assert_in_range(endpoint_next(endpoint, ENDPOINT_MAIN) - now, 0, MINUTE_US / 2);
		now = endpoint_next(endpoint, ENDPOINT_MAIN);
	}
	endpoint_free(endpoint);
}

/* A reply that says how often to report where we are; 0: nothing. */
static void answer_pace(struct endpoint *endpoint, uint32_t interval_s, bool periodic)
{
	Muster__Wire__Reply reply = MUSTER__WIRE__REPLY__INIT;
	Muster__Wire__Pace pace = MUSTER__WIRE__PACE__INIT;

	pace.interval_s = interval_s;
	pace.periodic = periodic;
	reply.pace = interval_s > 0 ? &pace : NULL;
	answer(endpoint, ENDPOINT_MAIN, &reply);
}

static uint32_t held_for(struct endpoint *endpoint)
{
	struct arena *arena;
	uint32_t hold_s = report(endpoint, ENDPOINT_MAIN, &arena)->hold_s;

	arena_free(arena);
	return hold_s;
}

static void a_networks_pace_holds_until_a_reply_says_nothing_of_it(void **state)
{
	static const uint32_t longest_s = 129600 * 60;
	struct endpoint *endpoint = make();
	struct endpoint_status status;

	(void)state;
	send(endpoint, ENDPOINT_MAIN);
	answer_pace(endpoint, 600, false); /* held as ever, for as long as its heartbeat */
	assert_in_range(held_for(endpoint), 540, 600);
	answer_pace(endpoint, longest_s, true); /* nothing is held: it comes by itself */
	assert_in_range(endpoint_next(endpoint, ENDPOINT_MAIN), now + longest_s * SECOND_US / 10 * 9,
			now + longest_s * SECOND_US);
	endpoint_status(endpoint, &status);
	assert_int_equal(status.pace_us, longest_s * SECOND_US);
	assert_true(status.pace_periodic);
	now = endpoint_next(endpoint, ENDPOINT_MAIN);
	assert_int_equal(held_for(endpoint), 0);
	answer_pace(endpoint, 0, false);
	now = endpoint_next(endpoint, ENDPOINT_MAIN);
	assert_in_range(held_for(endpoint), 54, 60);
	endpoint_free(endpoint);
}

static void news_and_an_outage_do_not_wait_for_a_networks_pace(void **state)
{
	struct endpoint *endpoint = make();

	(void)state;
	send(endpoint, ENDPOINT_MAIN);
	answer_pace(endpoint, 86400, true);
	now += MINUTE_US;
	assert_int_equal(endpoint_event(endpoint, 0, EVENT_MALWARE_DETECTED, given_wall(NULL), NULL, 0, NULL), 0);
	assert_int_equal(endpoint_flush(endpoint, NULL), 0);
	assert_true(endpoint_next(endpoint, ENDPOINT_MAIN) <= now);
	send(endpoint, ENDPOINT_MAIN);
	endpoint_failed(endpoint, ENDPOINT_MAIN, ERR_CONNECT, "refused", 0);
	assert_true(endpoint_next(endpoint, ENDPOINT_MAIN) <= now + 5 * MINUTE_US);
	endpoint_free(endpoint);
}

static void record(struct endpoint *endpoint)
{
	assert_int_equal(endpoint_event(endpoint, 0, EVENT_MALWARE_DETECTED, given_wall(NULL), NULL, 0, NULL), 0);
}

static size_t events_told(struct endpoint *endpoint, enum endpoint_lane lane)
{
	struct arena *arena;
	size_t count = report(endpoint, lane, &arena)->n_events;

	arena_free(arena);
	return count;
}

static void answer_rekey(struct endpoint *endpoint, enum endpoint_lane lane, uint64_t acknowledged)
{
	Muster__Wire__Reply reply = MUSTER__WIRE__REPLY__INIT;

	reply.acknowledged_event = acknowledged;
	reply.rekey = true;
	answer(endpoint, lane, &reply);
}

static void what_was_told_is_acknowledged_before_another_identity_is_taken(void **state)
{
	struct endpoint *endpoint = make();

	(void)state;
	send(endpoint, ENDPOINT_MAIN);
	answer_plain(endpoint, ENDPOINT_MAIN, 0);
	record(endpoint);
	assert_int_equal(events_told(endpoint, ENDPOINT_MAIN), 1);
	record(endpoint);
	assert_int_equal(events_told(endpoint, ENDPOINT_URGENT), 2);
	answer_rekey(endpoint, ENDPOINT_MAIN, 1);
	assert_int_equal(rekeyed, 0); /* the second was told too, and may be stored */
	record(endpoint);
	answer_rekey(endpoint, ENDPOINT_URGENT, 2);
	assert_int_equal(rekeyed, 1); /* the third was told by nobody */
	leaving = true;
	assert_int_equal(events_told(endpoint, ENDPOINT_MAIN), 0);
	answer_plain(endpoint, ENDPOINT_MAIN, 0);
	leaving = false; /* it came to nothing */
	assert_int_equal(events_told(endpoint, ENDPOINT_MAIN), 1);
	answer_plain(endpoint, ENDPOINT_MAIN, 3);
	endpoint_free(endpoint);
}

/* Of another version, or one that does not know this computer any more. */
static void a_manager_that_takes_no_events_is_not_waited_for(void **state)
{
	struct endpoint *endpoint = make();
	int replies = 0;

	(void)state;
	send(endpoint, ENDPOINT_MAIN);
	answer_plain(endpoint, ENDPOINT_MAIN, 0);
	record(endpoint);
	for (; rekeyed == 0 && replies < 10; replies++) {
		assert_int_equal(events_told(endpoint, ENDPOINT_MAIN), 1);
		answer_rekey(endpoint, ENDPOINT_MAIN, 0);
	}
	assert_int_equal(rekeyed, 1);
	assert_int_equal(replies, 4);
	endpoint_free(endpoint);
}

/* Else the scan would be resumed first, and then paused for good: the manager sends both again, in their order. */
static void a_command_that_cannot_be_kept_holds_back_those_behind_it(void **state)
{
	struct endpoint *endpoint = make();

	(void)state;
	order(endpoint, 1, COMMAND_SCAN, 0, 0x5a, &computer);
	assert_int_equal(state_of(endpoint, 1), COMMAND_RUNNING);
	pause_and_resume(endpoint, true);
	assert_string_equal(steered, "");
	assert_int_equal(state_of(endpoint, 2), COMMAND_STATES);
	assert_int_equal(state_of(endpoint, 3), COMMAND_STATES);
	pause_and_resume(endpoint, false);
	assert_string_equal(steered, "pr");
	endpoint_free(endpoint);
}

static void rubbish_for_a_reply_is_a_failure(void **state)
{
	struct endpoint *endpoint = make();
	struct endpoint_status status;

	(void)state;
	send(endpoint, ENDPOINT_MAIN);
	assert_true(endpoint_reply(endpoint, ENDPOINT_MAIN, "\xff\xff", 2, NULL) < 0);
	endpoint_status(endpoint, &status);
	assert_int_equal(status.failures, 1);
	assert_false(status.connected);
	endpoint_free(endpoint);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_first_report_is_full_and_the_next_is_held, start, stop),
		cmocka_unit_test_setup_teardown(what_is_hurried_is_not_held, start, stop),
		cmocka_unit_test_setup_teardown(a_manager_that_asks_for_everything_again_and_again_makes_nobody_spin,
						start, stop),
		cmocka_unit_test_setup_teardown(news_takes_the_second_lane_while_the_first_is_held, start, stop),
		cmocka_unit_test_setup_teardown(a_command_is_run_once, start, stop),
		cmocka_unit_test_setup_teardown(what_a_crash_interrupted_is_ended_truthfully, start, stop),
		cmocka_unit_test_setup_teardown(what_does_not_verify_is_not_done, start, stop),
		cmocka_unit_test_setup_teardown(a_cancel_that_overtakes_keeps_the_command_from_running, start, stop),
		cmocka_unit_test_setup_teardown(what_was_ordered_of_another_run_is_refused_counted_and_told, start,
						stop),
		cmocka_unit_test_setup_teardown(a_journal_that_cannot_be_written_begins_nothing, start, stop),
		cmocka_unit_test_setup_teardown(a_beginning_that_cannot_be_written_is_tried_again, start, stop),
		cmocka_unit_test_setup_teardown(a_time_out_cancels_and_is_told_as_such, start, stop),
		cmocka_unit_test_setup_teardown(a_cancel_ends_when_it_is_done_and_is_asked_again_after_a_restart, start,
						stop),
		cmocka_unit_test_setup_teardown(an_end_that_cannot_be_written_is_written_later, start, stop),
		cmocka_unit_test_setup_teardown(an_outage_is_one_event_and_waits_grow, start, stop),
		cmocka_unit_test_setup_teardown(who_loses_the_manager_comes_back_spread_over_its_window, start, stop),
		cmocka_unit_test_setup_teardown(no_window_is_longer_than_half_a_heartbeat, start, stop),
		cmocka_unit_test_setup_teardown(a_networks_pace_holds_until_a_reply_says_nothing_of_it, start, stop),
		cmocka_unit_test_setup_teardown(news_and_an_outage_do_not_wait_for_a_networks_pace, start, stop),
		cmocka_unit_test_setup_teardown(what_was_told_is_acknowledged_before_another_identity_is_taken, start,
						stop),
		cmocka_unit_test_setup_teardown(a_manager_that_takes_no_events_is_not_waited_for, start, stop),
		cmocka_unit_test_setup_teardown(a_command_that_cannot_be_kept_holds_back_those_behind_it, start, stop),
		cmocka_unit_test_setup_teardown(rubbish_for_a_reply_is_a_failure, start, stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
