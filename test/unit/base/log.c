/* base/log.h: a line is one JSON object whatever the text holds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log.h"

static time_us noon(void)
{
	return 12 * HOUR_US;
}

static void read_line(int fd, char *line, size_t capacity)
{
	ssize_t size = read(fd, line, capacity - 1);

	assert_true(size > 0);
	line[size] = '\0';
}

static void hostile_text_stays_inside_its_field(void **state)
{
	int fds[2];
	char line[1000];

	(void)state;
	assert_int_equal(pipe(fds), 0);
	log_setup("muster-test", "unit", fds[1], LOG_INFO, noon);
	LOG(LOG_WARNING, "file.odd", log_text("path", "a\"b\\c\n{\x1b"), log_number("size", -5));
	read_line(fds[0], line, sizeof(line));
	assert_string_equal(line,
			    "{\"time\":\"1970-01-01T12:00:00.000Z\",\"level\":\"warning\",\"program\":\"muster-test\","
			    "\"role\":\"unit\",\"event\":\"file.odd\",\"path\":\"a\\\"b\\\\x5cc\\\\x0a{\\\\x1b\","
			    "\"size\":-5}\n");
	close(fds[0]);
	close(fds[1]);
}

static void quiet_levels_write_nothing(void **state)
{
	int fds[2];
	char line[1000];

	(void)state;
	assert_int_equal(pipe(fds), 0);
	log_setup("muster-test", "unit", fds[1], LOG_INFO, noon);
	LOG(LOG_DEBUG, "not.shown");
	LOG(LOG_ERROR, "shown");
	read_line(fds[0], line, sizeof(line));
	assert_non_null(strstr(line, "\"event\":\"shown\""));
	assert_null(strstr(line, "not.shown"));
	close(fds[0]);
	close(fds[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hostile_text_stays_inside_its_field),
		cmocka_unit_test(quiet_levels_write_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
