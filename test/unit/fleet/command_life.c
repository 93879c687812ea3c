/* A command from its issue to its end, on its way to one computer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "one_computer.h"

static const struct uuid command_id = { { 9, 9 } };

static void add_command(struct report *report, enum command_state state)
{
	muster__wire__command_state__init(&report->command);
	report->command.id = exchange_bytes(command_id.bytes, UUID_BYTES);
	report->command.state = (Muster__Wire__CommandState__State)state;
	report->command_list[0] = &report->command;
	report->wire.commands = report->command_list;
	report->wire.n_commands = 1;
}

static void issue(struct fleet *fleet, bool restored, enum command_state state)
{
	static const uint8_t envelope[] = { 0x0a, 0x01, 'x' };
	const struct fleet_command command = {
		.id = command_id,
		.computer = id,
		.kind = COMMAND_SCAN,
		.state = state,
		.issued = given_wall(NULL),
		.timeout_us = MINUTE_US,
		.restored = restored,
		.envelope = envelope,
		.envelope_size = sizeof(envelope),
		.session = 7,
	};

	assert_int_equal(fleet_issue(fleet, &command, NULL), 0);
	assert_int_equal(fleet_issue(fleet, &command, NULL), ERR_EXISTS);
}

static void a_command_wakes_the_parked_request(void **state)
{
	struct fleet *fleet = make_plain();
	struct fleet_exchange *exchange;
	struct report report;
	time_us until;
	int parked;

	(void)state;
	fill(&report, 7, 1, 1, 0);
	exchange_once(fleet, &report);
	fill(&report, 7, 2, 1, 0);
	exchange = heard(fleet, &report);
	assert_false(fleet_answer(fleet, exchange, true, &parked, &until));
	assert_int_equal(until, now + 50 * SECOND_US);
	issue(fleet, false, COMMAND_PENDING);
	assert_ptr_equal(woken, &parked);
	assert_int_equal(reply(fleet, exchange)->n_commands, 1);
	fleet_exchange_free(fleet, exchange);
	fill(&report, 7, 3, 1, 0);
	exchange = heard(fleet, &report); /* sent just now: not again at once */
	assert_false(fleet_answer(fleet, exchange, true, &parked, &until));
	assert_true(until <= now + 2 * SECOND_US);
	now = until;
	assert_true(fleet_answer(fleet, exchange, false, &parked, &until));
	assert_int_equal(reply(fleet, exchange)->n_commands, 1);
	fleet_exchange_free(fleet, exchange);
	fleet_free(fleet);
}

/* The first one may have been lost with its reply: what came after it must not overtake it. */
static void commands_go_in_the_order_of_their_issue(void **state)
{
	static const uint8_t envelope[] = { 0x0a, 0x01, 'y' };
	const struct fleet_command second = {
		.id = { { 9, 10 } },
		.computer = id,
		.kind = COMMAND_PAUSE,
		.target = command_id,
		.state = COMMAND_PENDING,
		.issued = given_wall(NULL),
		.timeout_us = MINUTE_US,
		.envelope = envelope,
		.envelope_size = sizeof(envelope),
		.session = 7,
	};
	struct fleet *fleet = make_plain();
	struct fleet_exchange *exchange;
	struct fleet_order orders[4];
	Muster__Wire__Reply *answer;
	struct report report;

	(void)state;
	issue(fleet, false, COMMAND_PENDING);
	fill(&report, 7, 1, 1, 0);
	exchange = heard(fleet, &report);
	fleet_stored(fleet, exchange, 0);
	assert_int_equal(reply(fleet, exchange)->n_commands, 1);
	fleet_exchange_free(fleet, exchange);
	assert_int_equal(fleet_issue(fleet, &second, NULL), 0);
	fill(&report, 8, 1, 1, 0); /* the agent was started again */
	exchange = heard(fleet, &report);
	fleet_stored(fleet, exchange, 0);
	assert_int_equal(reply(fleet, exchange)->n_commands, 0); /* they are for the run before */
	assert_int_equal(fleet_outdated(fleet, &id, 8, orders, COUNT_OF(orders)), 2);
	assert_int_equal(fleet_renew(fleet, &id, &orders[0].command, 8, (const uint8_t *)"\x0a\x01x", 3, NULL), 0);
	assert_int_equal(reply(fleet, exchange)->n_commands, 1);
	assert_int_equal(fleet_outdated(fleet, &id, 8, orders, COUNT_OF(orders)), 1);
	assert_int_equal(fleet_renew(fleet, &id, &second.id, 8, envelope, sizeof(envelope), NULL), 0);
	assert_int_equal(fleet_outdated(fleet, &id, 8, orders, COUNT_OF(orders)), 0);
	now += MINUTE_US;
	answer = reply(fleet, exchange);
	assert_int_equal(answer->n_commands, 2);
	assert_int_equal(answer->commands[0]->payload.data[0], 'x');
	assert_int_equal(answer->commands[1]->payload.data[0], 'y');
	fleet_exchange_free(fleet, exchange);
	fleet_free(fleet);
}

static void an_end_is_acknowledged_when_stored(void **state)
{
	struct fleet *fleet = make_plain();
	struct fleet_exchange *exchange;
	struct report report;
	Muster__Wire__Reply *answer;

	(void)state;
	issue(fleet, true, COMMAND_RUNNING);
	fill(&report, 7, 1, 1, 0);
	add_command(&report, COMMAND_SUCCEEDED);
	exchange = heard(fleet, &report);
	assert_int_equal(fleet_exchange_rows(exchange)->commands[0].state, COMMAND_SUCCEEDED);
	assert_int_equal(reply(fleet, exchange)->n_acknowledged_commands, 0);
	fleet_stored(fleet, exchange, 0);
	answer = reply(fleet, exchange);
	assert_int_equal(answer->n_acknowledged_commands, 1);
	assert_memory_equal(answer->acknowledged_commands[0].data, command_id.bytes, UUID_BYTES);
	fleet_exchange_free(fleet, exchange);
	fleet_free(fleet);
}

static void the_truth_arrives_after_a_time_out(void **state)
{
	struct fleet *fleet;
	struct fleet_exchange *exchange;
	struct report report;

	(void)state;
	now = 0;
	fleet = make_plain();
	issue(fleet, true, COMMAND_RUNNING);
	tick_until(fleet, 2 * MINUTE_US);
	assert_int_equal(ticked_state, COMMAND_TIMED_OUT);
	assert_int_equal(ticked_type, EVENT_COMMAND_TIMED_OUT);
	fill(&report, 7, 1, 1, 0);
	add_command(&report, COMMAND_SUCCEEDED);
	exchange = heard(fleet, &report);
	assert_int_equal(fleet_exchange_rows(exchange)->commands[0].state, COMMAND_SUCCEEDED);
	fleet_stored(fleet, exchange, 0);
	assert_int_equal(reply(fleet, exchange)->n_acknowledged_commands, 1);
	fleet_exchange_free(fleet, exchange);
	fleet_free(fleet);
}

static void keep_tick(void *argument, struct fleet_exchange *exchange)
{
	*(struct fleet_exchange **)argument = exchange;
}

/* It would say so again in each round of a talk, as fast as the wire goes, until the disk is done. */
static void an_end_that_comes_while_another_is_stored_prolongs_no_talk(void **state)
{
	struct fleet_exchange *timed_out = NULL, *exchange;
	struct fleet *fleet;
	struct report report;

	(void)state;
	now = 0;
	fleet = make_plain();
	issue(fleet, true, COMMAND_RUNNING);
	now = 2 * MINUTE_US;
	fleet_tick(fleet, keep_tick, &timed_out);
	assert_non_null(timed_out);
	fill(&report, 7, 1, 1, 0);
	add_command(&report, COMMAND_SUCCEEDED);
	exchange = heard(fleet, &report);
	fleet_stored(fleet, exchange, 0);
	reply(fleet, exchange);
	fleet_exchange_free(fleet, exchange);
	for (uint64_t sequence = 2; sequence < 5; sequence++) {
		fill(&report, 7, sequence, 1, 0);
		add_command(&report, COMMAND_SUCCEEDED);
		exchange = heard(fleet, &report);
		fleet_stored(fleet, exchange, 0);
		assert_int_equal(reply(fleet, exchange)->n_acknowledged_commands, sequence == 4);
		assert_int_equal(fleet_more(exchange), sequence == 4);
		fleet_exchange_free(fleet, exchange);
		if (sequence == 3) {
			fleet_stored(fleet, timed_out, 0);
			fleet_exchange_free(fleet, timed_out);
		}
	}
	fleet_free(fleet);
}

static void cancel_ends_at_once_only_what_was_never_sent(void **state)
{
	struct fleet *fleet = make_plain();
	struct fleet_exchange *exchange = NULL;

	(void)state;
	issue(fleet, false, COMMAND_PENDING);
	assert_int_equal(fleet_cancel(fleet, &id, &command_id, &exchange, NULL), 0);
	assert_non_null(exchange);
	assert_int_equal(fleet_exchange_rows(exchange)->commands[0].state, COMMAND_CANCELLED);
	assert_int_equal(fleet_exchange_rows(exchange)->manager_event_count, 1);
	assert_int_equal(fleet_exchange_rows(exchange)->manager_events[0].type, EVENT_COMMAND_FINISHED);
	fleet_stored(fleet, exchange, 0);
	fleet_exchange_free(fleet, exchange);
	assert_int_equal(fleet_cancel(fleet, &id, &command_id, &exchange, NULL), ERR_NOT_FOUND);
	issue(fleet, true, COMMAND_PENDING); /* from before a restart: it may be on its way */
	assert_int_equal(fleet_cancel(fleet, &id, &command_id, &exchange, NULL), 0);
	assert_null(exchange);
	fleet_free(fleet);
}

static void a_running_command_missing_from_a_full_report_has_failed(void **state)
{
	struct fleet *fleet = make_plain();
	struct fleet_exchange *exchange;
	struct report report;

	(void)state;
	issue(fleet, true, COMMAND_RUNNING);
	fill(&report, 7, 1, 1, 0);
	exchange = heard(fleet, &report);
	assert_int_equal(fleet_exchange_rows(exchange)->command_count, 1);
	assert_int_equal(fleet_exchange_rows(exchange)->commands[0].state, COMMAND_FAILED);
	fleet_exchange_free(fleet, exchange);
	fleet_free(fleet);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_command_wakes_the_parked_request),
		cmocka_unit_test(commands_go_in_the_order_of_their_issue),
		cmocka_unit_test(an_end_is_acknowledged_when_stored),
		cmocka_unit_test(the_truth_arrives_after_a_time_out),
		cmocka_unit_test(an_end_that_comes_while_another_is_stored_prolongs_no_talk),
		cmocka_unit_test(cancel_ends_at_once_only_what_was_never_sent),
		cmocka_unit_test(a_running_command_missing_from_a_full_report_has_failed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
