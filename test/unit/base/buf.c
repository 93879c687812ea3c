/* base/buf.h: growth, the maximum, sticky errors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/err.h"

static void grows_and_stays_a_string(void **state)
{
	struct buf buf;

	(void)state;
	buf_init(&buf, 100000);
	for (int i = 0; i < 1000; i++)
		buf_printf(&buf, "%d,", i);
	assert_int_equal(buf.status, 0);
	assert_int_equal(strlen(buf_text(&buf)), buf.size);
	buf_consume(&buf, 2);
	assert_memory_equal(buf.data, "1,2,", 4);
	buf_done(&buf);
	assert_string_equal(buf_text(&buf), "");
}

static void past_the_maximum_nothing_more_is_written(void **state)
{
	struct buf buf;

	(void)state;
	buf_init(&buf, 4);
	assert_int_equal(buf_append(&buf, "abcd", 4), 0);
	assert_int_equal(buf_append(&buf, "e", 1), ERR_LIMIT);
	assert_int_equal(buf_append(&buf, "", 0), ERR_LIMIT);
	assert_string_equal(buf_text(&buf), "abcd");
	assert_null(buf_room(&buf, SIZE_MAX));
	buf_reset(&buf);
	assert_int_equal(buf_append(&buf, "xy", 2), 0);
	buf_done(&buf);
}

static void hands_its_memory_over_once(void **state)
{
	struct buf buf;
	size_t size;
	uint8_t *bytes;

	(void)state;
	buf_init(&buf, 10);
	buf_append_text(&buf, "abc");
	bytes = buf_take(&buf, &size);
	assert_int_equal(size, 3);
	assert_string_equal((char *)bytes, "abc");
	free(bytes);
	assert_null(buf_take(&buf, &size));
	assert_int_equal(size, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(grows_and_stays_a_string),
		cmocka_unit_test(past_the_maximum_nothing_more_is_written),
		cmocka_unit_test(hands_its_memory_over_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
