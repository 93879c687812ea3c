/* agent/schedule.h: what is accepted, and when a scan runs next. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "agent/schedule.h"

static void set_zone(const char *zone)
{
	setenv("TZ", zone, 1);
	tzset();
}

static void forms_are_read(void **state)
{
	static const struct {
		const char *text;
		struct schedule schedule;
	} rows[] = {
		{ "", { 0, 0, 0 } },
		{ "off", { 0, 0, 0 } },
		{ "daily 12:30", { 0x7f, 12, 30 } },
		{ "daily 00:00", { 0x7f, 0, 0 } },
		{ "weekly sun 03:00", { 0x01, 3, 0 } },
		{ "weekly MON,wed,Fri 23:59", { 0x2a, 23, 59 } },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct schedule schedule = { 9, 9, 9 };

		assert_int_equal(schedule_parse(rows[i].text, &schedule, NULL), 0);
		assert_memory_equal(&schedule, &rows[i].schedule, sizeof(schedule));
	}
}

static void other_forms_are_refused_and_leave_the_output(void **state)
{
	static const char *const rows[] = { "daily",
					    "daily 24:00",
					    "daily 12:60",
					    "daily 1:30",
					    "daily 12:3",
					    "daily 12:30 ",
					    "daily  12:30",
					    "hourly",
					    "weekly 03:00",
					    "weekly someday 03:00",
					    "weekly sun,,mon 03:00",
					    "weekly sun, mon 03:00",
					    "weekly sun",
					    "weekly sun 03:-1",
					    "OFF" };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct schedule schedule = { 9, 9, 9 };
		struct err err = { 0 };

		assert_int_equal(schedule_parse(rows[i], &schedule, &err), ERR_FORMAT);
		assert_int_equal(schedule.days, 9);
		assert_true(err.text[0] != '\0');
	}
}

static time_us at(const char *text)
{
	time_us moment;

	assert_int_equal(time_parse(text, &moment, NULL), 0);
	return moment;
}

static void next_run(const char *form, const char *now, const char *expected)
{
	struct schedule schedule;
	char text[TIME_TEXT_BYTES];

	assert_int_equal(schedule_parse(form, &schedule, NULL), 0);
	time_format(schedule_next(&schedule, at(now)), text);
	assert_string_equal(text, expected);
}

static void the_next_run_is_after_now(void **state)
{
	(void)state;
	set_zone("UTC");
	next_run("daily 12:30", "2026-11-21T12:29:59.999Z", "2026-11-21T12:30:00.000Z");
	next_run("daily 12:30", "2026-11-21T12:30:00.000Z", "2026-11-22T12:30:00.000Z");
	next_run("daily 00:00", "2026-12-31T23:00:00Z", "2027-01-01T00:00:00.000Z");
	next_run("weekly sat 03:00", "2026-11-21T02:00:00Z", "2026-11-21T03:00:00.000Z");
	next_run("weekly sat 03:00", "2026-11-21T03:00:00Z", "2026-11-28T03:00:00.000Z");
	next_run("weekly sun,mon 03:00", "2026-11-22T04:00:00Z", "2026-11-23T03:00:00.000Z");
}

static void off_never_runs(void **state)
{
	struct schedule schedule;

	(void)state;
	assert_int_equal(schedule_parse("off", &schedule, NULL), 0);
	assert_int_equal(schedule_next(&schedule, at("2026-11-21T12:00:00Z")), 0);
}

static void times_are_local_across_summer_time(void **state)
{
	(void)state;
	set_zone("CET-1CEST,M3.5.0,M10.5.0/3");
	next_run("daily 12:00", "2026-03-28T20:00:00Z", "2026-03-29T10:00:00.000Z");
	next_run("daily 12:00", "2026-10-24T20:00:00Z", "2026-10-25T11:00:00.000Z");
	/* 02:30 does not exist that night; the scan still runs once. */
	next_run("daily 02:30", "2026-03-28T20:00:00Z", "2026-03-29T01:30:00.000Z");
	set_zone("UTC");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(forms_are_read),
		cmocka_unit_test(other_forms_are_refused_and_leave_the_output),
		cmocka_unit_test(the_next_run_is_after_now),
		cmocka_unit_test(off_never_runs),
		cmocka_unit_test(times_are_local_across_summer_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
