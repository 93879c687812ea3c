/* When an endpoint reports, and how it goes on after outages, paces and refusals. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "one_endpoint.h"

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
	struct endpoint *endpoint = make_heard();
	Muster__Wire__Report *message;
	struct arena *arena;

	(void)state;
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
	struct endpoint *endpoint = make_heard();

	(void)state;
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
	struct endpoint *endpoint = make_heard();
	Muster__Wire__Report *message;
	struct arena *arena;

	(void)state;
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
	struct endpoint *endpoint = make_heard();

	(void)state;
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
	struct endpoint *endpoint = make_heard();
	int replies = 0;

	(void)state;
	record(endpoint);
	for (; rekeyed == 0 && replies < 10; replies++) {
		assert_int_equal(events_told(endpoint, ENDPOINT_MAIN), 1);
		answer_rekey(endpoint, ENDPOINT_MAIN, 0);
	}
	assert_int_equal(rekeyed, 1);
	assert_int_equal(replies, 4);
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

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_first_report_is_full_and_the_next_is_held),
		TEST(what_is_hurried_is_not_held),
		TEST(a_manager_that_asks_for_everything_again_and_again_makes_nobody_spin),
		TEST(news_takes_the_second_lane_while_the_first_is_held),
		TEST(an_outage_is_one_event_and_waits_grow),
		TEST(who_loses_the_manager_comes_back_spread_over_its_window),
		TEST(no_window_is_longer_than_half_a_heartbeat),
		TEST(a_networks_pace_holds_until_a_reply_says_nothing_of_it),
		TEST(news_and_an_outage_do_not_wait_for_a_networks_pace),
		TEST(what_was_told_is_acknowledged_before_another_identity_is_taken),
		TEST(a_manager_that_takes_no_events_is_not_waited_for),
		TEST(rubbish_for_a_reply_is_a_failure),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
