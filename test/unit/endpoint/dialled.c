#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "endpoint/endpoint.h"
#include "given_time.h"
#include "memory_disk.h"

static struct memory_disk disk;

static const struct uuid computer = { { 1, 2, 3 } };

static bool turn_wanted;

static bool wants_turn(void *context)
{
	(void)context;
	return turn_wanted;
}

static struct uuid machine; /* on which it runs; zeroes: not known */

static struct endpoint *make(enum link_direction direction)
{
	const struct endpoint_options options = {
		.env = &env,
		.storage = memory_disk_storage(&disk),
		.computer = computer,
		.machine = machine,
		.heartbeat_us = MINUTE_US,
		.direction = direction,
		.actor.wants_turn = wants_turn,
	};
	struct endpoint *endpoint;

	assert_int_equal(endpoint_new(&options, &endpoint, NULL), 0);
	return endpoint;
}

static int start(void **state)
{
	(void)state;
	now = DAY_US;
	machine = (struct uuid){ { 0 } };
	memory_disk_init(&disk);
	return 0;
}

static int stop(void **state)
{
	(void)state;
	memory_disk_done(&disk);
	return 0;
}

struct said {
	struct arena *arena;
	Muster__Wire__Report *report;
};

/* Posts a Reply; what the agent answers, or its refusal. */
static int post(struct endpoint *endpoint, const Muster__Wire__Reply *reply, struct said *ret_said)
{
	struct buf in, out;
	int rc;

	buf_init(&in, WIRE_REPLY_MAX_BYTES);
	buf_init(&out, WIRE_REPORT_MAX_BYTES);
	assert_int_equal(exchange_reply_encode(reply, &in, NULL), 0);
	rc = endpoint_dialled(endpoint, in.data, in.size, &out, NULL);
	if (rc == 0)
		assert_int_equal(exchange_report_decode(out.data, out.size, &ret_said->report, &ret_said->arena, NULL),
				 0);
	buf_done(&in);
	buf_done(&out);
	return rc;
}

static struct said open_talk(struct endpoint *endpoint, uint64_t acknowledged)
{
	Muster__Wire__Reply opening = MUSTER__WIRE__REPLY__INIT;
	struct said said;

	opening.protocol = WIRE_PROTOCOL;
	opening.acknowledged_event = acknowledged;
	assert_int_equal(post(endpoint, &opening, &said), 0);
	return said;
}

static Muster__Wire__Reply answer(const struct said *said, uint64_t acknowledged)
{
	Muster__Wire__Reply reply = MUSTER__WIRE__REPLY__INIT;

	reply.protocol = WIRE_PROTOCOL;
	reply.answers_session = said->report->session;
	reply.answers_sequence = said->report->sequence;
	reply.acknowledged_event = acknowledged;
	return reply;
}

/* A fresh spool learns from the first reply from where to count. */
static void first_contact(struct endpoint *endpoint)
{
	struct said first = open_talk(endpoint, 0), second;
	Muster__Wire__Reply reply = answer(&first, 0);

	assert_int_equal(post(endpoint, &reply, &second), 0);
	endpoint_hung_up(endpoint);
	arena_free(first.arena);
	arena_free(second.arena);
}

static void add_event(struct endpoint *endpoint)
{
	assert_int_equal(endpoint_event(endpoint, 0, EVENT_MALWARE_DETECTED, now, NULL, 0, NULL), 0);
	assert_int_equal(endpoint_flush(endpoint, NULL), 0);
}

static uint64_t waiting(const struct endpoint *endpoint)
{
	struct endpoint_status status;

	endpoint_status(endpoint, &status);
	return status.events_waiting;
}

static void a_talk_tells_confirms_and_ends(void **state)
{
	struct endpoint *endpoint = make(LINK_BIDIRECTIONAL);
	struct said first, second;
	Muster__Wire__Reply reply;

	(void)state;
	first_contact(endpoint);
	add_event(endpoint);
	first = open_talk(endpoint, 0);
	assert_int_equal(first.report->n_events, 1);
	assert_int_equal(first.report->hold_s, 0);
	reply = answer(&first, first.report->events[0]->number);
	assert_int_equal(post(endpoint, &reply, &second), 0);
	assert_int_equal(second.report->n_events, 0);
	assert_int_equal(second.report->sequence, first.report->sequence + 1);
	assert_int_equal(waiting(endpoint), 0);
	arena_free(first.arena);
	arena_free(second.arena);
	endpoint_free(endpoint);
}

static void requests_of_its_own_are_told_to_who_dialled(void **state)
{
	struct endpoint *endpoint = make(LINK_MANAGER_INITIATED);
	struct said first, second;
	Muster__Wire__Reply reply;

	(void)state;
	first = open_talk(endpoint, 0);
	assert_false(first.report->wants_turn);
	turn_wanted = true; /* by what the manager asks for meanwhile */
	reply = answer(&first, 0);
	assert_int_equal(post(endpoint, &reply, &second), 0);
	assert_true(second.report->wants_turn);
	turn_wanted = false;
	arena_free(first.arena);
	arena_free(second.arena);
	endpoint_free(endpoint);
}

static void an_opening_acknowledges_nothing(void **state)
{
	struct endpoint *endpoint = make(LINK_BIDIRECTIONAL);
	struct said said, next;
	Muster__Wire__Reply reply;

	(void)state;
	add_event(endpoint);
	said = open_talk(endpoint, 1000);
	assert_int_equal(said.report->n_events, 0); /* nor does it say from where to count */
	assert_int_equal(waiting(endpoint), 1);
	reply = answer(&said, 7);
	assert_int_equal(post(endpoint, &reply, &next), 0);
	assert_int_equal(next.report->n_events, 1);
	assert_true(next.report->events[0]->number > 7 && next.report->events[0]->number != 1001);
	arena_free(said.arena);
	arena_free(next.arena);
	endpoint_free(endpoint);
}

static void a_reply_to_another_report_is_refused(void **state)
{
	struct endpoint *endpoint = make(LINK_BIDIRECTIONAL);
	struct said said, none;
	Muster__Wire__Reply reply;

	(void)state;
	add_event(endpoint);
	said = open_talk(endpoint, 0);
	reply = answer(&said, 1);
	reply.answers_sequence++;
	assert_int_equal(post(endpoint, &reply, &none), ERR_WRONG_STATE);
	reply = answer(&said, 1);
	reply.answers_session++;
	assert_int_equal(post(endpoint, &reply, &none), ERR_WRONG_STATE);
	endpoint_hung_up(endpoint);
	reply = answer(&said, 1);
	assert_int_equal(post(endpoint, &reply, &none), ERR_WRONG_STATE);
	assert_int_equal(waiting(endpoint), 1);
	arena_free(said.arena);
	endpoint_free(endpoint);
}

static void what_was_cut_off_is_told_again(void **state)
{
	struct endpoint *endpoint = make(LINK_BIDIRECTIONAL);
	struct said first, second;

	(void)state;
	first = open_talk(endpoint, 0);
	assert_true(first.report->full);
	arena_free(first.arena);
	endpoint_hung_up(endpoint);
	first = open_talk(endpoint, 0);
	assert_true(first.report->full);
	arena_free(first.arena);
	first_contact(endpoint);
	add_event(endpoint);
	first = open_talk(endpoint, 0);
	endpoint_hung_up(endpoint);
	second = open_talk(endpoint, 0);
	assert_int_equal(second.report->n_events, 1);
	assert_int_equal(second.report->events[0]->number, first.report->events[0]->number);
	arena_free(first.arena);
	arena_free(second.arena);
	endpoint_free(endpoint);
}

/* The shell tells the direction in use as part of the host. */
static void tell_host(struct endpoint *endpoint)
{
	Muster__Wire__Host host = MUSTER__WIRE__HOST__INIT;

	host.direction = endpoint_direction(endpoint);
	assert_int_equal(endpoint_host(endpoint, &host, NULL), 0);
}

/* The manager dials, and what it is told is stored. */
static void was_dialled(struct endpoint *endpoint)
{
	struct said first = open_talk(endpoint, 0), second;
	Muster__Wire__Reply reply = answer(&first, 0);

	assert_int_equal(post(endpoint, &reply, &second), 0);
	endpoint_hung_up(endpoint);
	arena_free(first.arena);
	arena_free(second.arena);
}

static void manager_initiated_dials_until_the_manager_knows(void **state)
{
	struct endpoint *endpoint = make(LINK_BIDIRECTIONAL);
	struct said said;

	(void)state;
	tell_host(endpoint);
	assert_true(endpoint_proven(endpoint));
	endpoint_set_direction(endpoint, LINK_MANAGER_INITIATED);
	assert_false(endpoint_proven(endpoint));
	assert_true(endpoint_next(endpoint, ENDPOINT_MAIN) <= now);
	/* A dial alone is not enough: the manager may forget that it has to, if it crashes before it has stored it. */
	was_dialled(endpoint);
	assert_false(endpoint_proven(endpoint));
	tell_host(endpoint);
	said = open_talk(endpoint, 0);
	arena_free(said.arena);
	endpoint_hung_up(endpoint);
	assert_false(endpoint_proven(endpoint));
	assert_true(endpoint_next(endpoint, ENDPOINT_MAIN) <= now);
	was_dialled(endpoint);
	assert_true(endpoint_proven(endpoint));
	add_event(endpoint);
	endpoint_hurry(endpoint);
	assert_int_equal(endpoint_next(endpoint, ENDPOINT_MAIN), INT64_MAX);
	assert_int_equal(endpoint_next(endpoint, ENDPOINT_URGENT), INT64_MAX);
	/* And back: at once. */
	endpoint_set_direction(endpoint, LINK_BIDIRECTIONAL);
	assert_true(endpoint_next(endpoint, ENDPOINT_MAIN) <= now);
	endpoint_free(endpoint);
}

/* A manager that asks for the whole state has not taken what it was told: reports of two lanes came in another order.
 */
static void what_is_asked_for_again_is_not_known(void **state)
{
	struct endpoint *endpoint = make(LINK_BIDIRECTIONAL);
	struct said first, second;
	Muster__Wire__Reply reply;

	(void)state;
	tell_host(endpoint);
	was_dialled(endpoint);
	endpoint_set_direction(endpoint, LINK_MANAGER_INITIATED);
	tell_host(endpoint);
	first = open_talk(endpoint, 0);
	reply = answer(&first, 0);
	reply.send_full = true;
	assert_int_equal(post(endpoint, &reply, &second), 0);
	assert_false(endpoint_proven(endpoint));
	endpoint_hung_up(endpoint);
	assert_true(endpoint_next(endpoint, ENDPOINT_MAIN) <= now);
	arena_free(first.arena);
	arena_free(second.arena);
	was_dialled(endpoint); /* tells all, and is not asked again */
	assert_true(endpoint_proven(endpoint));
	endpoint_free(endpoint);
}

/* An agent that neither dials nor is dialled is lost: it only listens if the manager was last told that it does. */
static void a_start_only_listens_if_the_manager_knows(void **state)
{
	struct endpoint *endpoint = make(LINK_MANAGER_INITIATED);

	(void)state;
	assert_false(endpoint_proven(endpoint)); /* a new agent, or one with damaged files */
	assert_true(endpoint_next(endpoint, ENDPOINT_MAIN) <= now);
	tell_host(endpoint);
	was_dialled(endpoint);
	assert_true(endpoint_proven(endpoint));
	endpoint_free(endpoint);

	endpoint = make(LINK_MANAGER_INITIATED);
	assert_true(endpoint_proven(endpoint));
	assert_int_equal(endpoint_next(endpoint, ENDPOINT_MAIN), INT64_MAX);
	/* Another direction is tried, and the agent ends before it is kept: the manager may have been told of it. */
	endpoint_set_direction(endpoint, LINK_AGENT_INITIATED);
	endpoint_free(endpoint);
	endpoint = make(LINK_MANAGER_INITIATED);
	assert_false(endpoint_proven(endpoint));
	assert_true(endpoint_next(endpoint, ENDPOINT_MAIN) <= now);
	endpoint_free(endpoint);

	endpoint = make(LINK_AGENT_INITIATED);
	assert_true(endpoint_proven(endpoint));
	endpoint_free(endpoint);
}

/* A copy, or what was restored there: the manager knows another machine that listens, with addresses of its own. */
static void on_another_machine_it_dials_until_the_manager_knows(void **state)
{
	struct endpoint *endpoint;

	(void)state;
	for (uint8_t number = 0; number < 4; number++) {
		machine.bytes[0] = number; /* from not known to known nothing follows */
		endpoint = make(LINK_MANAGER_INITIATED);
		if (number != 1) {
			assert_false(endpoint_proven(endpoint));
			assert_true(endpoint_next(endpoint, ENDPOINT_MAIN) <= now);
			tell_host(endpoint);
			was_dialled(endpoint);
		}
		assert_true(endpoint_proven(endpoint));
		if (number == 1) { /* what is written next says which machine it is */
			endpoint_set_direction(endpoint, LINK_BIDIRECTIONAL);
			endpoint_set_direction(endpoint, LINK_MANAGER_INITIATED);
			tell_host(endpoint);
			was_dialled(endpoint);
			assert_true(endpoint_proven(endpoint));
		}
		endpoint_free(endpoint);
		endpoint = make(LINK_MANAGER_INITIATED);
		assert_true(endpoint_proven(endpoint));
		endpoint_free(endpoint);
	}
	machine.bytes[0] = 0;
	endpoint = make(LINK_MANAGER_INITIATED);
	assert_true(endpoint_proven(endpoint));
	endpoint_free(endpoint);
}

static void one_that_nobody_dials_asks_by_itself(void **state)
{
	struct endpoint *endpoint = make(LINK_MANAGER_INITIATED);
	struct buf report;
	uint32_t hold_s;

	(void)state;
	tell_host(endpoint);
	was_dialled(endpoint);
	now += DAY_US - SECOND_US;
	was_dialled(endpoint);
	assert_int_equal(endpoint_due(endpoint), now + DAY_US);
	now += DAY_US - SECOND_US;
	assert_int_equal(endpoint_tick(endpoint, NULL), 0);
	assert_int_equal(endpoint_next(endpoint, ENDPOINT_MAIN), INT64_MAX);
	now += SECOND_US;
	for (int i = 0; i < 3; i++) { /* it is not heard: rarely, or a firewall would have much to tell */
		assert_int_equal(endpoint_tick(endpoint, NULL), 0);
		assert_true(endpoint_dials(endpoint));
		assert_true(endpoint_next(endpoint, ENDPOINT_MAIN) <= now);
		buf_init(&report, WIRE_REPORT_MAX_BYTES);
		assert_int_equal(endpoint_report(endpoint, ENDPOINT_MAIN, &report, &hold_s, NULL), 0);
		buf_done(&report);
		endpoint_failed(endpoint, ENDPOINT_MAIN, ERR_CONNECT, "refused", 0);
		assert_false(endpoint_dials(endpoint));
		assert_int_equal(endpoint_next(endpoint, ENDPOINT_MAIN), INT64_MAX);
		assert_in_range(endpoint_due(endpoint) - now, HOUR_US, 2 * HOUR_US);
		now = endpoint_due(endpoint);
	}
	assert_int_equal(endpoint_tick(endpoint, NULL), 0);
	assert_true(endpoint_dials(endpoint));
	was_dialled(endpoint);
	assert_false(endpoint_dials(endpoint));
	assert_int_equal(endpoint_due(endpoint), now + DAY_US);
	endpoint_free(endpoint);
}

static void agent_initiated_is_not_to_be_dialled(void **state)
{
	struct endpoint *endpoint = make(LINK_AGENT_INITIATED);
	Muster__Wire__Reply opening = MUSTER__WIRE__REPLY__INIT;
	struct said none;

	(void)state;
	opening.protocol = WIRE_PROTOCOL;
	assert_int_equal(post(endpoint, &opening, &none), ERR_WRONG_STATE);
	endpoint_free(endpoint);
}

static void a_refusal_is_told_once_an_hour(void **state)
{
	struct endpoint *endpoint = make(LINK_BIDIRECTIONAL);

	(void)state;
	for (int i = 0; i < 10; i++)
		endpoint_refused(endpoint, ERR_UNTRUSTED, "a computer's certificate");
	assert_int_equal(waiting(endpoint), 1);
	now += HOUR_US + SECOND_US;
	endpoint_refused(endpoint, ERR_UNTRUSTED, "a computer's certificate");
	assert_int_equal(waiting(endpoint), 2);
	endpoint_free(endpoint);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_talk_tells_confirms_and_ends, start, stop),
		cmocka_unit_test_setup_teardown(requests_of_its_own_are_told_to_who_dialled, start, stop),
		cmocka_unit_test_setup_teardown(an_opening_acknowledges_nothing, start, stop),
		cmocka_unit_test_setup_teardown(a_reply_to_another_report_is_refused, start, stop),
		cmocka_unit_test_setup_teardown(what_was_cut_off_is_told_again, start, stop),
		cmocka_unit_test_setup_teardown(manager_initiated_dials_until_the_manager_knows, start, stop),
		cmocka_unit_test_setup_teardown(what_is_asked_for_again_is_not_known, start, stop),
		cmocka_unit_test_setup_teardown(a_start_only_listens_if_the_manager_knows, start, stop),
		cmocka_unit_test_setup_teardown(on_another_machine_it_dials_until_the_manager_knows, start, stop),
		cmocka_unit_test_setup_teardown(one_that_nobody_dials_asks_by_itself, start, stop),
		cmocka_unit_test_setup_teardown(agent_initiated_is_not_to_be_dialled, start, stop),
		cmocka_unit_test_setup_teardown(a_refusal_is_told_once_an_hour, start, stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
