/* base/units.h: text forms of time, spans, numbers, sizes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/units.h"

static void times_go_there_and_back(void **state)
{
	static const struct {
		const char *text;
		time_us t;
	} rows[] = {
		{ "1970-01-01T00:00:00.000Z", 0 },
		{ "2026-11-21T20:08:06.123Z", 1795291686123000 },
		{ "2000-02-29T23:59:59.999Z", 951868799999000 },
		{ "1969-12-31T23:59:59.500Z", -500000 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		char text[TIME_TEXT_BYTES];
		time_us t;

		time_format(rows[i].t, text);
		assert_string_equal(text, rows[i].text);
		assert_int_equal(time_parse(rows[i].text, &t, NULL), 0);
		assert_int_equal(t, rows[i].t);
	}
}

static void times_with_offsets_and_without_fraction(void **state)
{
	time_us utc, tokyo;

	(void)state;
	assert_int_equal(time_parse("2026-01-01T00:00:00Z", &utc, NULL), 0);
	assert_int_equal(time_parse("2026-01-01T09:00:00+09:00", &tokyo, NULL), 0);
	assert_int_equal(utc, tokyo);
}

static void bad_times_are_refused(void **state)
{
	static const char *const rows[] = {
		"",
		"2026",
		"2026-13-01T00:00:00Z",
		"2026-01-01",
		"2026-01-01T00:00:00",
		"2026-01-01T00:00:00.Z",
		"2026-01-01T00:00:00Zx",
		"2026-01-01T25:00:00Z",
		"2026-01-01T00:00:00+9",
		"20260101T000000Z",
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		time_us t;
		struct err err;

		assert_int_equal(time_parse(rows[i], &t, &err), ERR_FORMAT);
	}
}

static void spans_go_there_and_back(void **state)
{
	static const struct {
		const char *text, *back;
		span_us span;
	} rows[] = {
		{ "10s", "10s", 10 * SECOND_US },
		{ "600s", "10m", 10 * MINUTE_US },
		{ "24h", "1d", DAY_US },
		{ "250ms", "250ms", 250000 },
		{ "0", "0s", 0 },
		{ "90", "90s", 90 * SECOND_US },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		char text[TIME_TEXT_BYTES];
		span_us span;

		assert_int_equal(span_parse(rows[i].text, &span, NULL), 0);
		assert_int_equal(span, rows[i].span);
		span_format(span, text);
		assert_string_equal(text, rows[i].back);
	}
}

static void bad_spans_numbers_and_sizes_are_refused(void **state)
{
	span_us span;
	uint64_t number;

	(void)state;
	assert_int_equal(span_parse("", &span, NULL), ERR_FORMAT);
	assert_int_equal(span_parse("-1s", &span, NULL), ERR_FORMAT);
	assert_int_equal(span_parse("1 h", &span, NULL), ERR_FORMAT);
	assert_int_equal(span_parse("1w", &span, NULL), ERR_FORMAT);
	assert_int_equal(span_parse("9223372036854775807d", &span, NULL), ERR_RANGE);
	assert_int_equal(number_parse("", 0, 9, &number, NULL), ERR_FORMAT);
	assert_int_equal(number_parse(" 1", 0, 9, &number, NULL), ERR_FORMAT);
	assert_int_equal(number_parse("+1", 0, 9, &number, NULL), ERR_FORMAT);
	assert_int_equal(number_parse("10", 0, 9, &number, NULL), ERR_RANGE);
	assert_int_equal(number_parse("99999999999999999999", 0, UINT64_MAX, &number, NULL), ERR_RANGE);
	assert_int_equal(size_parse("5 MB", &number, NULL), ERR_FORMAT);
	assert_int_equal(size_parse("9999999999GB", &number, NULL), ERR_RANGE);
}

static void numbers_and_sizes(void **state)
{
	uint64_t number;

	(void)state;
	assert_int_equal(number_parse("18446744073709551615", 0, UINT64_MAX, &number, NULL), 0);
	assert_true(number == UINT64_MAX);
	assert_int_equal(size_parse("5MB", &number, NULL), 0);
	assert_int_equal(number, 5 * MIB);
	assert_int_equal(size_parse("10240", &number, NULL), 0);
	assert_int_equal(number, 10240);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(times_go_there_and_back),
		cmocka_unit_test(times_with_offsets_and_without_fraction),
		cmocka_unit_test(bad_times_are_refused),
		cmocka_unit_test(spans_go_there_and_back),
		cmocka_unit_test(bad_spans_numbers_and_sizes_are_refused),
		cmocka_unit_test(numbers_and_sizes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
