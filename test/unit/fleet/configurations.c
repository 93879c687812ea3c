/* The configuration that an agent should have: when it is offered, and offered again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "one_computer.h"

static enum fleet_configuration_state configuration_of(struct fleet *fleet)
{
	struct fleet_computer shown;

	assert_int_equal(fleet_show(fleet, &id, &shown, NULL), 0);
	return shown.configuration_state;
}

static void never_store(void *argument, struct fleet_exchange *exchange)
{
	fleet_stored(argument, exchange, 0);
	fleet_exchange_free(argument, exchange);
}

/* A report in order, stored; parked if there is nothing to say. */
static struct fleet_exchange *report_and_park(struct fleet *fleet, struct report *report, void *parked)
{
	struct fleet_exchange *exchange = heard(fleet, report);
	time_us until;

	if (!fleet_rows_empty(fleet_exchange_rows(exchange)))
		fleet_stored(fleet, exchange, 0);
	assert_int_equal(fleet_answer(fleet, exchange, true, parked, &until), parked == NULL);
	return exchange;
}

static bool answer_has_configuration(struct fleet *fleet, struct fleet_exchange *exchange)
{
	bool due = fleet_configuration_due(fleet, exchange), configuration;
	Muster__Wire__Reply *answer;

	assert_int_equal(fleet_reply(fleet, exchange, &answer, &configuration, NULL), 0);
	assert_int_equal(due, configuration);
	fleet_exchange_free(fleet, exchange);
	return configuration;
}

static void a_roll_out_waits_for_its_moment(void **state)
{
	static const uint8_t wanted[SHA256_BYTES] = { 7 };
	struct fleet *fleet = make_plain();
	struct fleet_exchange *exchange;
	struct report report;
	int parked;

	(void)state;
	fill(&report, 1, 1, 1, 0);
	exchange = report_and_park(fleet, &report, &parked);
	assert_int_equal(configuration_of(fleet), FLEET_CONFIGURATION_APPLIED); /* none is wanted */
	assert_int_equal(fleet_want_configuration(fleet, &id, wanted, 3 * SECOND_US, NULL), 0);
	assert_int_equal(configuration_of(fleet), FLEET_CONFIGURATION_PENDING);
	for (unsigned second = 0; second < 3; second++) {
		assert_null(woken);
		fleet_tick(fleet, never_store, fleet);
		now += SECOND_US;
	}
	fleet_tick(fleet, never_store, fleet);
	assert_ptr_equal(woken, &parked);
	assert_true(answer_has_configuration(fleet, exchange));
	assert_int_equal(configuration_of(fleet), FLEET_CONFIGURATION_SENT);
	fill(&report, 1, 2, 1, 0);
	report.wire.configuration = exchange_bytes(wanted, SHA256_BYTES);
	exchange = report_and_park(fleet, &report, &parked);
	assert_int_equal(configuration_of(fleet), FLEET_CONFIGURATION_APPLIED);
	fleet_exchange_free(fleet, exchange);
	fleet_free(fleet);
}

static void what_an_agent_refused_is_offered_again_after_an_hour(void **state)
{
	static const uint8_t wanted[SHA256_BYTES] = { 7 }, other[SHA256_BYTES] = { 8 };
	struct fleet *fleet = make_plain();
	struct fleet_exchange *exchange;
	struct report report;
	int parked;

	(void)state;
	assert_int_equal(fleet_want_configuration(fleet, &id, wanted, 0, NULL), 0);
	fill(&report, 1, 1, 1, 0);
	exchange = report_and_park(fleet, &report, NULL);
	assert_true(answer_has_configuration(fleet, exchange));
	fill(&report, 1, 2, 1, 0);
	report.wire.configuration_error = (char *)(uintptr_t) "scan.cpu_limit: allowed: 1 to 100";
	report.wire.refused_configuration = exchange_bytes(wanted, SHA256_BYTES);
	exchange = report_and_park(fleet, &report, &parked);
	assert_int_equal(configuration_of(fleet), FLEET_CONFIGURATION_FAILED);
	now += 59 * MINUTE_US;
	fleet_tick(fleet, never_store, fleet);
	assert_null(woken);
	now += 2 * MINUTE_US;
	fleet_tick(fleet, never_store, fleet);
	assert_ptr_equal(woken, &parked);
	assert_true(answer_has_configuration(fleet, exchange));
	/* Another one is offered at once; what was refused says nothing of it. */
	fill(&report, 1, 3, 1, 0);
	report.wire.configuration_error = (char *)(uintptr_t) "scan.cpu_limit: allowed: 1 to 100";
	report.wire.refused_configuration = exchange_bytes(wanted, SHA256_BYTES);
	exchange = report_and_park(fleet, &report, &parked);
	woken = NULL;
	assert_int_equal(fleet_want_configuration(fleet, &id, other, 0, NULL), 0);
	assert_ptr_equal(woken, &parked);
	assert_int_equal(configuration_of(fleet), FLEET_CONFIGURATION_PENDING);
	fleet_exchange_free(fleet, exchange);
	fleet_free(fleet);
}

static const char *error_told(struct fleet *fleet, struct fleet_exchange *exchange)
{
	const struct fleet_rows *rows = fleet_exchange_rows(exchange);

	fleet_stored(fleet, exchange, 0);
	return rows->configuration_error != NULL ? rows->configuration_error : "as before";
}

/* What was refused is taken back, and what the agent has is wanted again: it is told that, once, and says no more of
 * the one that it refused. Until then its old word is not what is so. */
static void a_refusal_is_over_when_it_is_taken_back(void **state)
{
	static const uint8_t good[SHA256_BYTES] = { 6 }, bad[SHA256_BYTES] = { 7 };
	struct fleet *fleet = make_plain();
	struct fleet_exchange *exchange;
	struct report report;
	time_us until;
	int parked;

	(void)state;
	assert_int_equal(fleet_want_configuration(fleet, &id, bad, 0, NULL), 0);
	fill(&report, 1, 1, 1, 0);
	report.wire.configuration = exchange_bytes(good, SHA256_BYTES);
	exchange = report_and_park(fleet, &report, NULL);
	assert_true(answer_has_configuration(fleet, exchange));
	fill(&report, 1, 2, 1, 0);
	report.wire.configuration = exchange_bytes(good, SHA256_BYTES);
	report.wire.configuration_error = (char *)(uintptr_t) "scan.cpu_limit: allowed: 1 to 100";
	report.wire.refused_configuration = exchange_bytes(bad, SHA256_BYTES);
	exchange = heard(fleet, &report);
	assert_string_equal(error_told(fleet, exchange), report.wire.configuration_error);
	assert_false(fleet_answer(fleet, exchange, true, &parked, &until));
	assert_int_equal(configuration_of(fleet), FLEET_CONFIGURATION_FAILED);
	/* Taken back: whoever holds a request hears of it at once. */
	assert_null(woken);
	assert_int_equal(fleet_want_configuration(fleet, &id, good, 0, NULL), 0);
	assert_ptr_equal(woken, &parked);
	assert_int_equal(configuration_of(fleet), FLEET_CONFIGURATION_APPLIED);
	assert_true(answer_has_configuration(fleet, exchange));
	/* The same word again, from before it heard that: nothing is wrong, and it is not told twice in a breath. */
	fill(&report, 1, 3, 1, 0);
	report.wire.configuration = exchange_bytes(good, SHA256_BYTES);
	report.wire.configuration_error = (char *)(uintptr_t) "scan.cpu_limit: allowed: 1 to 100";
	report.wire.refused_configuration = exchange_bytes(bad, SHA256_BYTES);
	exchange = heard(fleet, &report);
	assert_string_equal(error_told(fleet, exchange), "");
	assert_int_equal(configuration_of(fleet), FLEET_CONFIGURATION_APPLIED);
	assert_false(answer_has_configuration(fleet, exchange));
	now += MINUTE_US;
	fill(&report, 1, 4, 1, 0);
	report.wire.configuration = exchange_bytes(good, SHA256_BYTES);
	report.wire.refused_configuration = exchange_bytes(bad, SHA256_BYTES);
	exchange = report_and_park(fleet, &report, NULL);
	assert_true(answer_has_configuration(fleet, exchange));
	/* It has heard. */
	now += HOUR_US;
	fill(&report, 1, 5, 1, 0);
	report.wire.configuration = exchange_bytes(good, SHA256_BYTES);
	exchange = heard(fleet, &report);
	assert_string_equal(error_told(fleet, exchange), "as before");
	assert_false(answer_has_configuration(fleet, exchange));
	fleet_free(fleet);
}

/* It may have been refused for its dates, by a clock that was wrong. */
static void what_an_agent_refused_is_offered_again_when_a_clock_was_set(void **state)
{
	static const uint8_t wanted[SHA256_BYTES] = { 7 };
	struct fleet *fleet = make_plain();
	struct report report;
	Muster__Wire__Clock clock;

	(void)state;
	muster__wire__clock__init(&clock);
	assert_int_equal(fleet_want_configuration(fleet, &id, wanted, 0, NULL), 0);
	for (uint64_t sequence = 1; sequence <= 4; sequence++) {
		/* at first; not again while the clocks differ as before; and when they agree */
		bool offered = sequence == 1 || sequence == 4;
		struct fleet_exchange *exchange;

		clock.wall_us = given_wall(NULL) + (sequence < 4 ? 30 * DAY_US : 0);
		fill(&report, 1, sequence, 1, 0);
		report.wire.clock = &clock;
		report.wire.refused_configuration = exchange_bytes(wanted, sequence > 1 ? SHA256_BYTES : 0);
		exchange = report_and_park(fleet, &report, offered ? NULL : &clock);
		assert_int_equal(answer_has_configuration(fleet, exchange), offered);
		now += MINUTE_US;
	}
	fleet_free(fleet);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_roll_out_waits_for_its_moment),
		cmocka_unit_test(what_an_agent_refused_is_offered_again_after_an_hour),
		cmocka_unit_test(what_an_agent_refused_is_offered_again_when_a_clock_was_set),
		cmocka_unit_test(a_refusal_is_over_when_it_is_taken_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
