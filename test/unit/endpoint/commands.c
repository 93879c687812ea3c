/* Commands at an endpoint: done once, ended truthfully, whatever the disk does and whenever it dies. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "one_endpoint.h"

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

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_command_is_run_once),
		TEST(what_a_crash_interrupted_is_ended_truthfully),
		TEST(what_does_not_verify_is_not_done),
		TEST(a_cancel_that_overtakes_keeps_the_command_from_running),
		TEST(what_was_ordered_of_another_run_is_refused_counted_and_told),
		TEST(a_journal_that_cannot_be_written_begins_nothing),
		TEST(a_beginning_that_cannot_be_written_is_tried_again),
		TEST(a_time_out_cancels_and_is_told_as_such),
		TEST(a_cancel_ends_when_it_is_done_and_is_asked_again_after_a_restart),
		TEST(an_end_that_cannot_be_written_is_written_later),
		TEST(a_command_that_cannot_be_kept_holds_back_those_behind_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
