/* Clocks that are set: theirs, ours, and which of the two it was. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "one_computer.h"

struct clocked {
	struct report report;
	Muster__Wire__Clock clock;
	Muster__Wire__Field seconds, *field_list[1];
};

static struct uuid boot; /* of our machine */

static span_us wall_jump; /* of our own wall clock */

static span_us boot_zero; /* our wall clock less our monotonic one, at the first start on this boot */

static time_us jumping_wall(void *context)
{
	(void)context;
	return WALL_START + now + wall_jump;
}

static const struct env jumping = { NULL, jumping_wall, given_monotonic, given_random };

static struct fleet *make_clocked(span_us limit, span_us base)
{
	const struct uuid first_boot = { { 1 } };
	const struct fleet_options options = {
		.env = &jumping, .wake = note_wake, .boot = first_boot, .clock_zero_us = WALL_START
	};
	const struct fleet_computer record = {
		.id = id, .interval_us = MINUTE_US, .missed = 2, .clock_limit_us = limit, .clock_base_us = base
	};
	struct fleet *fleet;

	now = wall_jump = 0;
	boot = first_boot;
	boot_zero = WALL_START;
	assert_int_equal(fleet_new(&options, &fleet, NULL), 0);
	assert_int_equal(fleet_add(fleet, &record, NULL), 0);
	return fleet;
}

/* The manager's next start: the computer as the old one would store it. */
static struct fleet *start_again(struct fleet *fleet, bool same_boot)
{
	struct fleet_options options = { .env = &jumping, .wake = note_wake };
	struct fleet_computer record;

	assert_int_equal(fleet_show(fleet, &id, &record, NULL), 0);
	fleet_free(fleet);
	if (!same_boot) {
		now = 0;
		boot.bytes[0]++;
		boot_zero = WALL_START + wall_jump;
	}
	options.boot = boot;
	options.clock_zero_us = boot_zero;
	assert_int_equal(fleet_new(&options, &fleet, NULL), 0);
	assert_int_equal(fleet_add(fleet, &record, NULL), 0);
	return fleet;
}

/* A report with the agent's clock `offset` from the true time; how many events 734 it made. rc: of the commit. */
static size_t hear_clock(struct fleet *fleet, uint64_t sequence, span_us offset, const char *seen, int rc)
{
	static struct clocked clocked;
	struct fleet_exchange *exchange;
	const struct fleet_rows *rows;
	size_t told = 0;

	fill(&clocked.report, 7, sequence, sequence, seen != NULL);
	muster__wire__clock__init(&clocked.clock);
	clocked.clock.wall_us = WALL_START + now + offset;
	clocked.report.wire.clock = &clocked.clock;
	if (seen != NULL) {
		static char name[] = "seconds";

		muster__wire__field__init(&clocked.seconds);
		clocked.seconds.name = name;
		clocked.seconds.value = exchange_bytes(seen, strlen(seen));
		clocked.field_list[0] = &clocked.seconds;
		clocked.report.events[0].type = EVENT_CLOCK_CHANGED;
		clocked.report.events[0].fields = clocked.field_list;
		clocked.report.events[0].n_fields = 1;
	}
	exchange = heard(fleet, &clocked.report);
	rows = fleet_exchange_rows(exchange);
	for (size_t i = 0; i < rows->manager_event_count; i++)
		told += rows->manager_events[i].type == EVENT_COMPUTER_CLOCK_CHANGE;
	assert_true(told == 0 || rows->computer_row != NULL); /* in the same write */
	if (!fleet_rows_empty(rows))
		fleet_stored(fleet, exchange, rc);
	fleet_exchange_free(fleet, exchange);
	tick_until(fleet, now + MINUTE_US); /* the manager listens meanwhile */
	return told;
}

static void a_clock_change_is_told_once(void **state)
{
	struct fleet *fleet = make_clocked(MINUTE_US, 0);

	(void)state;
	assert_int_equal(hear_clock(fleet, 1, 0, NULL, 0), 0);
	assert_int_equal(hear_clock(fleet, 2, 30 * SECOND_US, NULL, 0), 0); /* within the limit */
	assert_int_equal(hear_clock(fleet, 3, HOUR_US, NULL, ERR_IO), 1);   /* not stored: told again */
	assert_int_equal(hear_clock(fleet, 4, HOUR_US, NULL, 0), 1);
	assert_int_equal(hear_clock(fleet, 5, HOUR_US, NULL, 0), 0);
	assert_int_equal(hear_clock(fleet, 6, HOUR_US + 59 * SECOND_US, NULL, 0), 0);
	assert_int_equal(hear_clock(fleet, 7, HOUR_US + 61 * SECOND_US, NULL, 0), 1); /* drifted past it */
	assert_int_equal(hear_clock(fleet, 8, 0, NULL, 0), 1);                        /* set right: a change too */
	fleet_free(fleet);
}

static void a_late_report_is_no_clock_change(void **state)
{
	struct fleet *fleet = make_clocked(10 * SECOND_US, 0);

	(void)state;
	assert_int_equal(hear_clock(fleet, 1, 0, NULL, 0), 0);
	assert_int_equal(hear_clock(fleet, 2, -40 * SECOND_US, NULL, 0), 0); /* 40 s on its way? */
	assert_int_equal(hear_clock(fleet, 3, 0, NULL, 0), 0);               /* it was */
	assert_int_equal(hear_clock(fleet, 4, -40 * SECOND_US, NULL, 0), 0);
	assert_int_equal(hear_clock(fleet, 5, -40 * SECOND_US, NULL, 0), 1); /* it was not */
	assert_int_equal(hear_clock(fleet, 6, -10 * MINUTE_US, NULL, 0), 1); /* nothing is that long on its way */
	fleet_free(fleet);
}

/* Stopped for ten minutes, as by a debugger or a host that swaps: what arrived at its beginning is read at its end. */
static void what_waited_while_we_stood_still_is_no_clock_change(void **state)
{
	struct fleet *fleet = make_clocked(10 * SECOND_US, 0);

	(void)state;
	assert_int_equal(hear_clock(fleet, 1, 0, NULL, 0), 0);
	now += 10 * MINUTE_US;
	assert_int_equal(hear_clock(fleet, 2, -10 * MINUTE_US, NULL, 0), 0); /* before the first tick */
	assert_int_equal(hear_clock(fleet, 3, -9 * MINUTE_US, NULL, 0), 0);  /* after it: another that waited */
	assert_int_equal(hear_clock(fleet, 4, 0, NULL, 0), 0);
	assert_int_equal(hear_clock(fleet, 5, -9 * MINUTE_US, NULL, 0), 1); /* nothing waited for so long any more */
	assert_int_equal(hear_clock(fleet, 6, 0, NULL, 0), 1);
	now += 10 * MINUTE_US;
	assert_int_equal(hear_clock(fleet, 7, -DAY_US, NULL, 0), 1); /* nor a day */
	now += 10 * MINUTE_US;
	assert_int_equal(hear_clock(fleet, 8, 0, NULL, 0), 1); /* forwards no waiting makes it */
	now += 10 * MINUTE_US;
	assert_int_equal(hear_clock(fleet, 9, -5 * MINUTE_US, NULL, 0), 0);
	tick_until(fleet, now + 2 * MINUTE_US);
	assert_int_equal(hear_clock(fleet, 10, -5 * MINUTE_US, NULL, 0), 1); /* it was set, and still is */
	fleet_free(fleet);
}

static void our_own_clock_is_no_change_of_theirs(void **state)
{
	struct fleet *fleet = make_clocked(MINUTE_US, 0);

	(void)state;
	assert_int_equal(hear_clock(fleet, 1, 0, NULL, 0), 0);
	wall_jump = 365 * DAY_US;
	assert_int_equal(hear_clock(fleet, 2, 0, NULL, 0), 0);
	assert_int_equal(hear_clock(fleet, 3, 0, NULL, 0), 0);
	assert_int_equal(hear_clock(fleet, 4, HOUR_US, NULL, 0), 1); /* theirs is still seen */
	wall_jump = 0;
	assert_int_equal(hear_clock(fleet, 5, HOUR_US, NULL, 0), 0);
	assert_int_equal(hear_clock(fleet, 6, 0, NULL, 0), 1);
	fleet_free(fleet);
}

static void years_are_told_and_do_no_harm(void **state)
{
	static const span_us offsets[] = { 50 * 365 * DAY_US, -50 * 365 * DAY_US, 7000 * 365 * DAY_US };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(offsets); i++) {
		struct fleet *fleet = make_clocked(DAY_US, 0);
		struct fleet_computer shown;

		assert_int_equal(hear_clock(fleet, 1, offsets[i], NULL, 0), 1); /* wrong since it was enrolled */
		assert_int_equal(hear_clock(fleet, 2, offsets[i], NULL, 0), 0);
		assert_int_equal(fleet_show(fleet, &id, &shown, NULL), 0);
		assert_int_equal(shown.clock_offset_us, offsets[i]);
		assert_int_equal(shown.status, FLEET_ONLINE);
		fleet_free(fleet);
	}
}

static void the_agents_own_event_counts(void **state)
{
	struct fleet *fleet = make_clocked(MINUTE_US, 0);

	(void)state;
	assert_int_equal(hear_clock(fleet, 1, 0, NULL, 0), 0);
	assert_int_equal(hear_clock(fleet, 2, 0, "30", 0), 0);    /* within the limit */
	assert_int_equal(hear_clock(fleet, 3, 0, "-7200", 0), 1); /* set, and set back before it reported */
	assert_int_equal(hear_clock(fleet, 4, HOUR_US, "3600", 0), 1);
	assert_int_equal(hear_clock(fleet, 5, HOUR_US, "3600", 0), 0); /* told already */
	assert_int_equal(hear_clock(fleet, 6, HOUR_US, "nonsense", 0), 0);
	fleet_free(fleet);
}

static void a_clock_is_compared_across_a_restart(void **state)
{
	struct fleet *fleet = make_clocked(MINUTE_US, HOUR_US);

	(void)state;
	assert_int_equal(hear_clock(fleet, 1, HOUR_US, NULL, 0), 0);
	fleet = start_again(fleet, true);
	assert_int_equal(hear_clock(fleet, 1, 2 * HOUR_US, NULL, 0), 1); /* changed while nobody listened */
	fleet_free(fleet);
}

static void our_own_clock_set_while_we_were_down_is_no_change_of_theirs(void **state)
{
	struct fleet *fleet = make_clocked(MINUTE_US, 0);

	(void)state;
	assert_int_equal(hear_clock(fleet, 1, 30 * SECOND_US, NULL, 0), 0);
	wall_jump = 365 * DAY_US;
	fleet = start_again(fleet, true);
	assert_int_equal(hear_clock(fleet, 1, 30 * SECOND_US, NULL, 0), 0);
	wall_jump = -HOUR_US; /* set while it ran, and down before the computer was heard again */
	fleet = start_again(fleet, true);
	assert_int_equal(hear_clock(fleet, 1, 30 * SECOND_US, NULL, 0), 0);
	wall_jump = DAY_US;
	fleet = start_again(fleet, true);
	assert_int_equal(hear_clock(fleet, 1, 2 * HOUR_US, NULL, 0), 1); /* both: theirs is seen */
	assert_int_equal(hear_clock(fleet, 2, 2 * HOUR_US, NULL, 0), 0);
	fleet_free(fleet);
}

static void after_another_boot_clocks_are_measured_from_where_they_are(void **state)
{
	struct fleet *fleet = make_clocked(MINUTE_US, 0);

	(void)state;
	assert_int_equal(hear_clock(fleet, 1, 0, NULL, 0), 0);
	wall_jump = -30 * DAY_US; /* the machine came up with an empty battery */
	fleet = start_again(fleet, false);
	assert_int_equal(hear_clock(fleet, 1, 0, NULL, 0), 0);
	wall_jump = 0;
	assert_int_equal(hear_clock(fleet, 2, 0, NULL, 0), 0);
	assert_int_equal(hear_clock(fleet, 3, HOUR_US, NULL, 0), 1);
	fleet = start_again(fleet, false);
	assert_int_equal(hear_clock(fleet, 1, 3 * HOUR_US, "7200", 0), 1); /* its own word counts */
	assert_int_equal(hear_clock(fleet, 2, 3 * HOUR_US, NULL, 0), 0);
	fleet_free(fleet);
}

static void a_base_of_another_boot_is_unknown_however_often_we_started_since(void **state)
{
	struct fleet *fleet = make_clocked(MINUTE_US, 0);

	(void)state;
	assert_int_equal(hear_clock(fleet, 1, 0, NULL, 0), 0);
	wall_jump = -30 * DAY_US;
	fleet = start_again(fleet, false);
	fleet = start_again(fleet, true); /* the computer was not heard in between */
	wall_jump = -29 * DAY_US;
	fleet = start_again(fleet, true);
	assert_int_equal(hear_clock(fleet, 1, 0, NULL, 0), 0);
	wall_jump = 0;
	fleet = start_again(fleet, true);
	assert_int_equal(hear_clock(fleet, 1, 0, NULL, 0), 0);
	fleet = start_again(fleet, true);
	assert_int_equal(hear_clock(fleet, 1, HOUR_US, NULL, 0), 1); /* it was heard on this boot */
	fleet_free(fleet);
}

static void without_the_boot_known_every_start_is_on_another(void **state)
{
	struct fleet *fleet = make_clocked(MINUTE_US, 0);

	(void)state;
	boot = (struct uuid){ 0 };
	fleet = start_again(fleet, true);
	assert_int_equal(hear_clock(fleet, 1, 0, NULL, 0), 0);
	wall_jump = DAY_US;
	fleet = start_again(fleet, true);
	assert_int_equal(hear_clock(fleet, 1, 0, NULL, 0), 0);
	assert_int_equal(hear_clock(fleet, 2, HOUR_US, NULL, 0), 1);
	fleet_free(fleet);
}

static void one_never_heard_is_measured_from_our_clock_at_each_start(void **state)
{
	struct fleet *fleet = make_clocked(MINUTE_US, 0);

	(void)state;
	wall_jump = HOUR_US;
	fleet = start_again(fleet, true);
	wall_jump = 0;
	fleet = start_again(fleet, true);
	assert_int_equal(hear_clock(fleet, 1, 0, NULL, 0), 0);
	assert_int_equal(hear_clock(fleet, 2, HOUR_US, NULL, 0), 1);
	fleet_free(fleet);
}

static void a_limit_is_checked_and_none_is_silent(void **state)
{
	struct fleet *fleet = make_clocked(0, 0);

	(void)state;
	assert_int_equal(hear_clock(fleet, 1, DAY_US, NULL, 0), 0);
	assert_int_equal(fleet_set_clock_limit(fleet, &id, SECOND_US - 1, NULL), ERR_RANGE);
	assert_int_equal(fleet_set_clock_limit(fleet, &id, DAY_US + 1, NULL), ERR_RANGE);
	assert_int_equal(fleet_set_clock_limit(fleet, &stranger, MINUTE_US, NULL), ERR_NOT_FOUND);
	assert_int_equal(fleet_set_clock_limit(fleet, &id, MINUTE_US, NULL), 0);
	assert_int_equal(hear_clock(fleet, 2, DAY_US, NULL, 0), 0); /* what was before the limit is no change */
	assert_int_equal(hear_clock(fleet, 3, 0, NULL, 0), 1);
	fleet_free(fleet);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_clock_change_is_told_once),
		cmocka_unit_test(a_late_report_is_no_clock_change),
		cmocka_unit_test(what_waited_while_we_stood_still_is_no_clock_change),
		cmocka_unit_test(our_own_clock_is_no_change_of_theirs),
		cmocka_unit_test(years_are_told_and_do_no_harm),
		cmocka_unit_test(the_agents_own_event_counts),
		cmocka_unit_test(a_clock_is_compared_across_a_restart),
		cmocka_unit_test(our_own_clock_set_while_we_were_down_is_no_change_of_theirs),
		cmocka_unit_test(after_another_boot_clocks_are_measured_from_where_they_are),
		cmocka_unit_test(a_base_of_another_boot_is_unknown_however_often_we_started_since),
		cmocka_unit_test(without_the_boot_known_every_start_is_on_another),
		cmocka_unit_test(one_never_heard_is_measured_from_our_clock_at_each_start),
		cmocka_unit_test(a_limit_is_checked_and_none_is_silent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
