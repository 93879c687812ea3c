#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/units.h"
#include "endpoint/host_watch.h"

#define WALL ((time_us)1790000000 * SECOND_US)

static struct clock_watch watch;

/* At `at` of the monotonic clock the wall clock is off by `offset`: what is told, in seconds; 0: nothing. */
static int64_t look(time_us at, span_us offset, span_us limit)
{
	span_us change = 0;

	return clock_watch_look(&watch, WALL + at + offset, at, limit, &change) ? change / SECOND_US : 0;
}

static void a_step_beyond_the_limit_is_told_once(void **state)
{
	(void)state;
	watch = (struct clock_watch){ .begun = false };
	assert_int_equal(look(0, 0, MINUTE_US), 0);
	assert_int_equal(look(HOUR_US, 0, MINUTE_US), 0); /* time passes */
	assert_int_equal(look(HOUR_US, MINUTE_US, MINUTE_US), 0);
	assert_int_equal(look(HOUR_US, -MINUTE_US, MINUTE_US), 0);
	assert_int_equal(look(HOUR_US, MINUTE_US + SECOND_US, MINUTE_US), 61);
	assert_int_equal(look(DAY_US, MINUTE_US + SECOND_US, MINUTE_US), 0);
	assert_int_equal(look(DAY_US, 0, MINUTE_US), -61); /* set right: a change too */
	assert_int_equal(look(DAY_US, 0, MINUTE_US), 0);
}

static void small_steps_add_up(void **state)
{
	int64_t told = 0;

	(void)state;
	watch = (struct clock_watch){ .begun = false };
	for (unsigned i = 0; i < 5; i++)
		told += look(i, (span_us)i * 20 * SECOND_US, MINUTE_US);
	assert_int_equal(told, 80);
}

static void what_was_before_the_limit_is_no_change(void **state)
{
	(void)state;
	watch = (struct clock_watch){ .begun = false };
	assert_int_equal(look(0, 0, 0), 0);
	assert_int_equal(look(1, DAY_US, 0), 0);
	assert_int_equal(look(2, DAY_US, MINUTE_US), 0);
	assert_int_equal(look(3, 0, MINUTE_US), -86400);
}

static void clocks_anywhere_do_no_harm(void **state)
{
	span_us change = 0;

	(void)state;
	watch = (struct clock_watch){ .begun = false };
	assert_false(clock_watch_look(&watch, INT64_MIN, 1, MINUTE_US, &change)); /* cannot be told from none */
	assert_false(watch.begun);
	assert_false(clock_watch_look(&watch, INT64_MIN + 1, 0, MINUTE_US, &change));
	assert_false(
	    clock_watch_look(&watch, INT64_MAX, 0, MINUTE_US, &change)); /* too far to be counted: begun anew */
	assert_true(clock_watch_look(&watch, 0, 0, MINUTE_US, &change));
	assert_int_equal(change, -INT64_MAX);
}

static void a_disk_is_told_low_and_enough_once_each(void **state)
{
	static const struct {
		bool told;
		uint64_t free;
		enum disk_news expected;
	} cases[] = {
		{ false, 1000, DISK_UNCHANGED }, { false, 999, DISK_LOW },
		{ true, 0, DISK_UNCHANGED },     { true, 1099, DISK_UNCHANGED },
		{ true, 1100, DISK_ENOUGH },     { true, UINT64_MAX, DISK_ENOUGH },
		{ false, 0, DISK_LOW },          { false, UINT64_MAX, DISK_UNCHANGED },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(disk_watch_look(cases[i].told, cases[i].free, 1000), cases[i].expected);
	assert_int_equal(disk_watch_look(false, 0, 0), DISK_UNCHANGED); /* not watched */
	assert_int_equal(disk_watch_look(true, 0, 0), DISK_ENOUGH);     /* any more */
	assert_int_equal(disk_watch_look(true, UINT64_MAX - 1, UINT64_MAX), DISK_UNCHANGED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_step_beyond_the_limit_is_told_once),    cmocka_unit_test(small_steps_add_up),
		cmocka_unit_test(what_was_before_the_limit_is_no_change),  cmocka_unit_test(clocks_anywhere_do_no_harm),
		cmocka_unit_test(a_disk_is_told_low_and_enough_once_each),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
