/* cli/progress.h: every state of a scan on one line. */
#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "cli/progress.h"
#include "cli/table.h"

static void expect_line(const struct progress *progress, size_t width, const char *expected)
{
	struct buf out;

	buf_init(&out, 10000);
	progress_line(progress, width, &out);
	assert_string_equal(buf_text(&out), expected);
	assert_true(table_cells(buf_text(&out)) <= width);
	buf_done(&out);
}

static const struct progress half = {
	.files_total = 200,
	.files_done = 120,
	.bytes_total = 4 * 1048576,
	.bytes_done = 2 * 1048576,
	.elapsed_ms = 2000,
	.path = "/usr/share/doc/x",
};

static void a_running_scan(void **state)
{
	struct progress progress = half;

	(void)state;
	expect_line(&half, 120,
		    "[##########..........]  50%  120/200 files  2.0 MB/4.0 MB  1.0 MB/s  0:02 left  /usr/share/doc/x");
	progress.detections = 2;
	progress.errors = 1;
	/* No room for the bar: what is said matters more. */
	expect_line(&progress, 79, "120/200 files  2.0 MB/4.0 MB  1.0 MB/s  0:02 left  2 detections  1 unreadable");
	expect_line(&half, 30, "120/200 files  2.0 MB/4.0 MB  ");
}

static void other_states(void **state)
{
	struct progress counting = { .counting = true, .files_total = 1234, .bytes_total = 1048576, .path = "" };
	struct progress paused = half, nothing = { .path = "" }, done = half, empty_files = half;

	(void)state;
	expect_line(&counting, 79, "counting: 1234 files  1.0 MB");
	counting.paused = true;
	expect_line(&counting, 79, "counting: 1234 files  1.0 MB  paused");
	paused.paused = true;
	paused.path = "";
	expect_line(&paused, 100, "[##########..........]  50%  120/200 files  2.0 MB/4.0 MB  1.0 MB/s  paused");
	expect_line(&nothing, 79, "0/0 files  0 B/0 B");
	done.files_done = 200;
	done.path = "";
	expect_line(&done, 100, "[####################] 100%  200/200 files  2.0 MB/4.0 MB  1.0 MB/s  0:00 left");
	empty_files.bytes_total = empty_files.bytes_done = 0;
	assert_int_equal(progress_percent(&empty_files), 60);
}

static void long_and_hostile_paths(void **state)
{
	struct progress progress = half;

	(void)state;
	progress.path = "/a/very/long/path/that/does/not/fit/on/the/line/at/all/file.bin";
	expect_line(
	    &progress, 100,
	    "[##########..........]  50%  120/200 files  2.0 MB/4.0 MB  1.0 MB/s  0:02 left  …ine/at/all/file.bin");
	progress.path = "/x\x1b[2J日本語";
	expect_line(&progress, 105,
		    "[##########..........]  50%  120/200 files  2.0 MB/4.0 MB  1.0 MB/s  0:02 left  /x\\x1b[2J日本語");
}

static void never_100_percent_too_soon(void **state)
{
	struct progress progress = half;

	(void)state;
	progress.bytes_done = progress.bytes_total;
	assert_int_equal(progress_percent(&progress), 99);
	progress.bytes_done = INT64_MAX;
	assert_int_equal(progress_percent(&progress), 99);
	progress.files_done = 200;
	assert_int_equal(progress_percent(&progress), 100);
	progress.counting = true;
	assert_int_equal(progress_percent(&progress), -1);
	assert_int_equal(progress_left(&progress), -1);
}

static void odd_numbers_are_survived(void **state)
{
	json_t *json = json_loads("{\"files_total\":-5,\"files_done\":\"x\",\"bytes_total\":9223372036854775807,"
				  "\"bytes_done\":1,\"elapsed_ms\":9223372036854775807,\"path\":7}",
				  0, NULL);
	struct progress progress;
	struct buf out;

	(void)state;
	progress_read(json, &progress);
	assert_int_equal(progress.files_total, 0);
	assert_int_equal(progress.files_done, 0);
	assert_string_equal(progress.path, "");
	progress.files_total = 10;
	assert_int_equal(progress_left(&progress), -1);
	buf_init(&out, 1000);
	progress_line(&progress, 79, &out);
	assert_true(out.size > 0);
	progress_read(NULL, &progress);
	assert_int_equal(progress_percent(&progress), -1);
	json_decref(json);
	buf_done(&out);
}

static void clocks(void **state)
{
	static const struct {
		span_us span;
		const char *text;
	} cases[] = {
		{ 0, "0:00" },
		{ 7 * SECOND_US, "0:07" },
		{ 754 * SECOND_US, "12:34" },
		{ 3723 * SECOND_US, "1:02:03" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct buf out;

		buf_init(&out, 100);
		progress_clock(cases[i].span, &out);
		assert_string_equal(buf_text(&out), cases[i].text);
		buf_done(&out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_running_scan),           cmocka_unit_test(other_states),
		cmocka_unit_test(long_and_hostile_paths),   cmocka_unit_test(never_100_percent_too_soon),
		cmocka_unit_test(odd_numbers_are_survived), cmocka_unit_test(clocks),
	};

	setlocale(LC_CTYPE, "C.UTF-8");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
