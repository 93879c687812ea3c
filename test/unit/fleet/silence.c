/* When a computer is offline, and when it only may be silent (src/fleet/liveness.c). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "one_computer.h"

static void offline_after_one_heartbeat_more_than_allowed(void **state)
{
	struct fleet *fleet;
	time_us start;

	(void)state;
	now = 0;
	fleet = make_plain();
	reports(fleet, 7, 1);
	start = now;
	tick_until(fleet, start + 3 * MINUTE_US);
	assert_int_equal(status(fleet), FLEET_ONLINE);
	tick_until(fleet, start + 3 * MINUTE_US + SECOND_US); /* within a second of the moment */
	assert_int_equal(status(fleet), FLEET_OFFLINE);
	assert_int_equal(ticked_type, EVENT_COMPUTER_OFFLINE);
	assert_int_equal(ticked_events, 1);
	reports(fleet, 7, 2);
	assert_int_equal(status(fleet), FLEET_ONLINE);
	fleet_free(fleet);
}

static void becomes(struct fleet *fleet, uint32_t missed, enum fleet_status expected, uint32_t event)
{
	assert_int_equal(fleet_set_heartbeat(fleet, &id, MINUTE_US, missed, NULL), 0);
	ticked_type = 0;
	tick_until(fleet, now + 10 * SECOND_US);
	assert_int_equal(status(fleet), expected);
	assert_int_equal(ticked_events, event != 0);
	assert_int_equal(ticked_type, event);
}

/* Edited twice before the next tick, by a manager that has not heard it since its start: what is stored and what was
 * told never differ. */
static void what_ended_is_told_though_it_counts_again(void **state)
{
	struct fleet_computer shown;
	struct fleet *fleet;

	(void)state;
	now = 0;
	fleet = make_plain();
	reports(fleet, 7, 1);
	tick_until(fleet, 4 * MINUTE_US);
	assert_int_equal(fleet_show(fleet, &id, &shown, NULL), 0);
	assert_int_equal(shown.status, FLEET_OFFLINE);
	fleet_free(fleet);
	fleet = make(&shown);
	assert_int_equal(fleet_set_heartbeat(fleet, &id, MINUTE_US, FLEET_UNLIMITED, NULL), 0);
	assert_int_equal(status(fleet), FLEET_UNKNOWN);
	becomes(fleet, 2, FLEET_UNKNOWN, EVENT_COMPUTER_NOT_WATCHED);
	fleet_free(fleet);
}

static void who_may_be_silent_is_offline_no_more(void **state)
{
	struct fleet_computer shown;
	struct fleet *fleet;

	(void)state;
	now = 0;
	fleet = make_plain();
	reports(fleet, 7, 1);
	tick_until(fleet, 4 * MINUTE_US);
	assert_int_equal(status(fleet), FLEET_OFFLINE);
	assert_int_equal(fleet_show(fleet, &id, &shown, NULL), 0);
	becomes(fleet, 3, FLEET_OFFLINE, 0); /* that is too long all the same */
	becomes(fleet, FLEET_UNLIMITED, FLEET_UNKNOWN, EVENT_COMPUTER_NOT_WATCHED);
	becomes(fleet, FLEET_UNLIMITED, FLEET_UNKNOWN, 0);
	becomes(fleet, 2, FLEET_OFFLINE, EVENT_COMPUTER_OFFLINE);
	becomes(fleet, 5, FLEET_UNKNOWN, EVENT_COMPUTER_NOT_WATCHED);
	tick_until(fleet, 6 * MINUTE_US);
	assert_int_equal(ticked_events, 0);
	tick_until(fleet, 6 * MINUTE_US + SECOND_US);
	assert_int_equal(ticked_type, EVENT_COMPUTER_OFFLINE);
	fleet_free(fleet);
	/* Set in the last write of a manager: its next start tells it. */
	shown.missed = FLEET_UNLIMITED;
	fleet = make(&shown);
	tick_until(fleet, now + MINUTE_US);
	assert_int_equal(status(fleet), FLEET_UNKNOWN);
	assert_int_equal(ticked_type, EVENT_COMPUTER_NOT_WATCHED);
	assert_int_equal(ticked_events, 1);
	fleet_free(fleet);
}

static struct fleet_exchange *ticked;

static void keep_ticked(void *argument, struct fleet_exchange *exchange)
{
	(void)argument;
	assert_null(ticked);
	ticked = exchange;
}

/* Whoever is told as offline while it is told that it may be silent: however often its settings are set meanwhile. */
static void who_may_be_silent_before_its_offline_is_stored_is_told_so(void **state)
{
	const struct fleet_rows *rows;
	struct fleet *fleet;

	(void)state;
	now = 0;
	fleet = make_plain();
	reports(fleet, 7, 1);
	for (; ticked == NULL; now += SECOND_US)
		fleet_tick(fleet, keep_ticked, NULL);
	rows = fleet_exchange_rows(ticked);
	assert_int_equal(rows->manager_event_count, 1);
	assert_int_equal(rows->manager_events[0].type, EVENT_COMPUTER_OFFLINE);
	for (int i = 0; i < 2; i++)
		assert_int_equal(fleet_set_heartbeat(fleet, &id, MINUTE_US, FLEET_UNLIMITED, NULL), 0);
	fleet_stored(fleet, ticked, 0);
	fleet_exchange_free(fleet, ticked);
	ticked = NULL;
	tick_until(fleet, now + 10 * SECOND_US);
	assert_int_equal(status(fleet), FLEET_UNKNOWN);
	assert_int_equal(ticked_events, 1);
	assert_int_equal(ticked_type, EVENT_COMPUTER_NOT_WATCHED);
	fleet_free(fleet);
}

/* One that reports each hour, and is wanted to report each minute. */
static struct fleet *make_slow(uint8_t wanted[SHA256_BYTES])
{
	const struct fleet_computer record = { .id = id, .interval_us = HOUR_US, .missed = 2 };
	struct fleet *fleet = make(&record);
	struct report report;

	fill(&report, 7, 1, 1, 0);
	report.wire.heartbeat_s = 3600;
	exchange_once(fleet, &report);
	memset(wanted, 7, SHA256_BYTES);
	assert_int_equal(fleet_set_heartbeat(fleet, &id, MINUTE_US, 2, NULL), 0);
	assert_int_equal(fleet_want_configuration(fleet, &id, wanted, HOUR_US, NULL), 0);
	return fleet;
}

static void an_agent_that_goes_by_its_old_interval_is_not_offline(void **state)
{
	uint8_t wanted[SHA256_BYTES];
	struct fleet *fleet;

	(void)state;
	now = 0;
	fleet = make_slow(wanted);
	tick_until(fleet, 3 * HOUR_US);
	assert_int_equal(status(fleet), FLEET_ONLINE);
	tick_until(fleet, 3 * HOUR_US + SECOND_US);
	assert_int_equal(status(fleet), FLEET_OFFLINE);
	fleet_free(fleet);
}

static void with_the_configuration_the_new_interval_counts_at_once(void **state)
{
	uint8_t wanted[SHA256_BYTES];
	struct fleet *fleet;
	struct report report;

	(void)state;
	now = 0;
	fleet = make_slow(wanted);
	fill(&report, 7, 2, 1, 0);
	report.wire.heartbeat_s = 60;
	report.wire.configuration = exchange_bytes(wanted, SHA256_BYTES);
	exchange_once(fleet, &report);
	tick_until(fleet, now + 3 * MINUTE_US + SECOND_US);
	assert_int_equal(status(fleet), FLEET_OFFLINE);
	fleet_free(fleet);
}

static void the_interval_of_the_agent_is_known_after_a_restart(void **state)
{
	const struct fleet_computer record = {
		.id = id,
		.interval_us = MINUTE_US,
		.missed = 2,
		.agent_interval_us = HOUR_US,
		.wanted_configuration = { 7 },
		.status = FLEET_ONLINE,
		.last_heard = WALL_START,
	};
	struct fleet *fleet;

	(void)state;
	now = 0;
	fleet = make(&record);
	tick_until(fleet, 3 * HOUR_US);
	assert_int_equal(status(fleet), FLEET_ONLINE);
	tick_until(fleet, 3 * HOUR_US + SECOND_US);
	assert_int_equal(status(fleet), FLEET_OFFLINE);
	fleet_free(fleet);
}

/* Its agent was activated and never ran: nothing was missed that had been there before. */
static void one_that_was_never_heard_says_so(void **state)
{
	const struct fleet_computer record = { .id = id, .interval_us = MINUTE_US, .missed = 2 };
	struct fleet_computer shown;
	struct fleet *fleet;

	(void)state;
	now = 0;
	fleet = make(&record);
	tick_until(fleet, 4 * MINUTE_US);
	assert_int_equal(fleet_show(fleet, &id, &shown, NULL), 0);
	assert_int_equal(shown.status, FLEET_OFFLINE);
	assert_string_equal(shown.cause, "not heard since it was added");
	assert_int_equal(shown.last_heard, 0);
	fleet_free(fleet);
}

static void a_restart_neither_lies_nor_alarms(void **state)
{
	const struct fleet_computer record = {
		.id = id,
		.interval_us = MINUTE_US,
		.missed = 2,
		.status = FLEET_ONLINE,
		.last_heard = WALL_START - HOUR_US,
	};
	struct fleet *fleet;

	(void)state;
	now = 0;
	fleet = make(&record);
	assert_int_equal(status(fleet), FLEET_UNKNOWN); /* an hour of silence, and nobody listened */
	tick_until(fleet, 2 * MINUTE_US);
	assert_int_equal(status(fleet), FLEET_UNKNOWN);
	tick_until(fleet, 4 * MINUTE_US);
	assert_int_equal(status(fleet), FLEET_OFFLINE);
	fleet_free(fleet);
}

static void silence_counts_when_the_announced_window_is_over_twice(void **state)
{
	const struct fleet_options options = { .env = &env, .wake = note_wake, .return_spacing_us = 5 * MINUTE_US };
	const struct fleet_computer record = {
		.id = id, .interval_us = MINUTE_US, .missed = 2, .status = FLEET_ONLINE, .last_heard = WALL_START
	};
	struct fleet *fleet;

	(void)state;
	now = 0;
	assert_int_equal(fleet_new(&options, &fleet, NULL), 0);
	assert_int_equal(fleet_add(fleet, &record, NULL), 0);
	fleet_listen(fleet);
	tick_until(fleet, 12 * MINUTE_US);
	assert_int_equal(status(fleet), FLEET_ONLINE);
	tick_until(fleet, 14 * MINUTE_US);
	assert_int_equal(status(fleet), FLEET_OFFLINE);
	fleet_free(fleet);
}

static void a_late_tick_forgives_the_silence(void **state)
{
	struct fleet *fleet;

	(void)state;
	now = 0;
	fleet = make_plain();
	reports(fleet, 7, 1);
	now += HOUR_US; /* stopped, not listening */
	tick_until(fleet, now + 2 * MINUTE_US);
	assert_int_equal(status(fleet), FLEET_ONLINE);
	fleet_free(fleet);
}

static void never_heard_and_stored_offline_stays_quiet(void **state)
{
	const struct fleet_computer record = {
		.id = id, .interval_us = MINUTE_US, .missed = 2, .status = FLEET_OFFLINE
	};
	struct fleet *fleet;

	(void)state;
	now = 0;
	fleet = make(&record);
	tick_until(fleet, 10 * MINUTE_US);
	assert_int_equal(ticked_events, 0); /* it was told, and has not come back */
	assert_int_equal(status(fleet), FLEET_OFFLINE);
	fleet_free(fleet);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(offline_after_one_heartbeat_more_than_allowed),
		cmocka_unit_test(what_ended_is_told_though_it_counts_again),
		cmocka_unit_test(who_may_be_silent_is_offline_no_more),
		cmocka_unit_test(who_may_be_silent_before_its_offline_is_stored_is_told_so),
		cmocka_unit_test(an_agent_that_goes_by_its_old_interval_is_not_offline),
		cmocka_unit_test(with_the_configuration_the_new_interval_counts_at_once),
		cmocka_unit_test(the_interval_of_the_agent_is_known_after_a_restart),
		cmocka_unit_test(one_that_was_never_heard_says_so),
		cmocka_unit_test(a_restart_neither_lies_nor_alarms),
		cmocka_unit_test(silence_counts_when_the_announced_window_is_over_twice),
		cmocka_unit_test(a_late_tick_forgives_the_silence),
		cmocka_unit_test(never_heard_and_stored_offline_stays_quiet),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
