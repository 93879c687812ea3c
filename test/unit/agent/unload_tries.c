/* agent/unload_tries.h: how long each further try waits, over clocks that are set and files that are damaged. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "agent/unload_tries.h"

#define NOON (1700000000 * SECOND_US)

static void each_wrong_one_waits_longer(void **state)
{
	static const struct {
		uint32_t count;
		span_us since, wait;
	} cases[] = {
		{ 0, 0, 0 },
		{ 1, 0, 0 },
		{ 4, 0, 0 },
		{ 5, 0, 30 * SECOND_US },
		{ 5, 10 * SECOND_US, 20 * SECOND_US },
		{ 5, 30 * SECOND_US, 0 },
		{ 5, 30 * SECOND_US - 1, 1 },
		{ 6, 0, MINUTE_US },
		{ 7, 0, 2 * MINUTE_US },
		{ 11, 0, 32 * MINUTE_US },
		{ 12, 0, HOUR_US },
		{ 13, 0, HOUR_US },
		{ 1000, 0, HOUR_US },
		{ UINT32_MAX, 0, HOUR_US },
		{ UINT32_MAX, HOUR_US, 0 },
		/* Set back: as long as from the beginning, and no longer. */
		{ 5, -DAY_US, 30 * SECOND_US },
		{ 4, -DAY_US, 0 },
		{ 13, -365 * DAY_US, HOUR_US },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct unload_tries tries = { .count = cases[i].count, .last = NOON };
		time_us now = NOON + cases[i].since;

		assert_int_equal(unload_tries_wait(&tries, now), cases[i].wait);
		/* Whatever was set, the wait is over when it has been waited for. */
		assert_int_equal(unload_tries_wait(&tries, now + cases[i].wait), 0);
	}
}

static void only_the_right_one_ends_it(void **state)
{
	struct unload_tries tries = { 0 };
	struct unload_refusal attempt = { .time = NOON, .action = 2, .uid = 1000 };

	(void)state;
	for (unsigned i = 0; i < 40; i++) {
		unload_tries_begin(&tries, &attempt);
		attempt.time += HOUR_US;
	}
	assert_int_equal(tries.count, 40);
	assert_int_equal(tries.untold_count, UNLOAD_TRIES_UNTOLD_MAX);
	/* The newest are kept, oldest first. */
	assert_int_equal(tries.untold[0].time, NOON + 24 * HOUR_US);
	assert_int_equal(tries.untold[UNLOAD_TRIES_UNTOLD_MAX - 1].time, NOON + 39 * HOUR_US);
	attempt.action = 4;
	unload_tries_begin(&tries, &attempt);
	unload_tries_right(&tries);
	assert_int_equal(tries.count, 0);
	assert_int_equal(unload_tries_wait(&tries, attempt.time), 0);
	/* The right one is no refusal; those before it were. */
	assert_int_equal(tries.untold_count, UNLOAD_TRIES_UNTOLD_MAX - 1);
	for (size_t i = 0; i < tries.untold_count; i++)
		assert_int_equal(tries.untold[i].action, 2);
}

static void the_count_does_not_wrap(void **state)
{
	struct unload_tries tries = { .count = UINT32_MAX };
	const struct unload_refusal attempt = { .time = NOON };

	(void)state;
	unload_tries_begin(&tries, &attempt);
	assert_int_equal(tries.count, UINT32_MAX);
}

static void the_file_comes_back_whole_or_not(void **state)
{
	struct unload_tries tries = { 0 }, read;
	struct buf bytes;

	(void)state;
	for (unsigned i = 0; i < UNLOAD_TRIES_UNTOLD_MAX; i++)
		unload_tries_begin(&tries, &(struct unload_refusal){ NOON + i, (uint8_t)(i % 5), i });
	buf_init(&bytes, UNLOAD_TRIES_FILE_MAX_BYTES);
	unload_tries_encode(&tries, &bytes);
	assert_int_equal(bytes.status, 0);
	assert_int_equal(unload_tries_decode(bytes.data, bytes.size, &read), 0);
	assert_int_equal(read.count, tries.count);
	assert_int_equal(read.last, tries.last);
	assert_int_equal(read.untold_count, tries.untold_count);
	for (size_t i = 0; i < tries.untold_count; i++) {
		assert_int_equal(read.untold[i].time, tries.untold[i].time);
		assert_int_equal(read.untold[i].action, tries.untold[i].action);
		assert_int_equal(read.untold[i].uid, tries.untold[i].uid);
	}
	for (size_t cut = 0; cut < bytes.size; cut++)
		assert_int_equal(unload_tries_decode(bytes.data, cut, &read), ERR_FORMAT);
	for (size_t at = 0; at < bytes.size; at++) {
		bytes.data[at] ^= 0x10;
		assert_int_equal(unload_tries_decode(bytes.data, bytes.size, &read), ERR_FORMAT);
		bytes.data[at] ^= 0x10;
	}
	buf_done(&bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_wrong_one_waits_longer),
		cmocka_unit_test(only_the_right_one_ends_it),
		cmocka_unit_test(the_count_does_not_wrap),
		cmocka_unit_test(the_file_comes_back_whole_or_not),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
