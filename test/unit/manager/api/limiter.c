/* manager/api/limiter.h: keys lock after too many refusals, for a while, and the memory is bounded. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <stdio.h>

#include "manager/api/limiter.h"

static const struct limiter_rule rule = { 3, 10 * SECOND_US, 60 * SECOND_US };

static void the_third_refusal_locks_for_a_minute(void **state)
{
	struct limiter *limiter = limiter_new(10, 1);

	(void)state;
	assert_false(limiter_failed(limiter, "a", &rule, 0));
	assert_false(limiter_failed(limiter, "a", &rule, 1));
	assert_int_equal(limiter_locked(limiter, "a", 2), 0);
	assert_int_equal(limiter_failures(limiter, "a", &rule, 2), 2);
	assert_int_equal(limiter_failures(limiter, "b", &rule, 2), 0);
	assert_int_equal(limiter_failures(limiter, "a", &rule, 1 + rule.window), 0);
	assert_true(limiter_failed(limiter, "a", &rule, 2));
	assert_int_equal(limiter_failures(limiter, "a", &rule, 2), 0);
	assert_int_equal(limiter_locked(limiter, "a", 2), 60 * SECOND_US);
	assert_int_equal(limiter_locked(limiter, "b", 2), 0);
	assert_int_equal(limiter_locked(limiter, "a", 2 + 60 * SECOND_US), 0);
	limiter_free(limiter);
}

static void refusals_far_apart_do_not_lock(void **state)
{
	struct limiter *limiter = limiter_new(10, 1);

	(void)state;
	for (time_us now = 0; now < 100 * rule.window; now += rule.window / 2 + 1)
		assert_false(limiter_failed(limiter, "a", &rule, now));
	limiter_free(limiter);
}

static void success_forgets(void **state)
{
	struct limiter *limiter = limiter_new(10, 1);

	(void)state;
	limiter_failed(limiter, "a", &rule, 0);
	limiter_failed(limiter, "a", &rule, 0);
	limiter_succeeded(limiter, "a");
	limiter_succeeded(limiter, "never seen");
	assert_false(limiter_failed(limiter, "a", &rule, 0));
	limiter_free(limiter);
}

static void the_quietest_is_forgotten_first(void **state)
{
	struct limiter *limiter = limiter_new(4, 1);
	char key[16];

	(void)state;
	for (int i = 0; i < 3; i++)
		limiter_failed(limiter, "old", &rule, i);
	assert_true(limiter_locked(limiter, "old", 5) > 0);
	for (int i = 0; i < 4; i++) {
		snprintf(key, sizeof(key), "new %d", i);
		limiter_failed(limiter, key, &rule, 10 + i);
	}
	assert_int_equal(limiter_locked(limiter, "old", 20), 0);
	limiter_failed(limiter, "new 3", &rule, 20);
	assert_true(limiter_failed(limiter, "new 3", &rule, 20));
	limiter_free(limiter);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_third_refusal_locks_for_a_minute),
		cmocka_unit_test(refusals_far_apart_do_not_lock),
		cmocka_unit_test(success_forgets),
		cmocka_unit_test(the_quietest_is_forgotten_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
