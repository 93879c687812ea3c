/* Waiting times after wrong tokens. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "given_time.h"
#include "manager/front/cooldown.h"

static void waits_double_up_to_five_minutes(void **state)
{
	struct cooldown *cooldown;
	span_us last = 0;

	(void)state;
	now = DAY_US;
	assert_int_equal(cooldown_new(&env, &cooldown_default, &cooldown, NULL), 0);
	for (int i = 0; i < COOLDOWN_FREE; i++) {
		cooldown_failed(cooldown, "192.0.2.1");
		assert_int_equal(cooldown_left(cooldown, "192.0.2.1"), 0);
	}
	cooldown_failed(cooldown, "192.0.2.1");
	assert_int_equal(cooldown_left(cooldown, "192.0.2.1"), SECOND_US);
	for (int i = 0; i < 20; i++) {
		last = cooldown_left(cooldown, "192.0.2.1");
		cooldown_failed(cooldown, "192.0.2.1");
		assert_true(cooldown_left(cooldown, "192.0.2.1") >= last);
	}
	assert_int_equal(cooldown_left(cooldown, "192.0.2.1"), 5 * MINUTE_US);
	assert_int_equal(cooldown_left(cooldown, "192.0.2.2"), 0);
	now += 5 * MINUTE_US;
	assert_int_equal(cooldown_left(cooldown, "192.0.2.1"), 0);
	cooldown_free(cooldown);
}

static void success_and_a_quiet_hour_forgive(void **state)
{
	struct cooldown *cooldown;

	(void)state;
	assert_int_equal(cooldown_new(&env, &cooldown_default, &cooldown, NULL), 0);
	for (int i = 0; i <= COOLDOWN_FREE; i++)
		cooldown_failed(cooldown, "a");
	assert_true(cooldown_left(cooldown, "a") > 0);
	cooldown_succeeded(cooldown, "a");
	assert_int_equal(cooldown_left(cooldown, "a"), 0);
	for (int i = 0; i <= COOLDOWN_FREE; i++)
		cooldown_failed(cooldown, "b");
	now += 2 * HOUR_US;
	cooldown_failed(cooldown, "b");
	assert_int_equal(cooldown_left(cooldown, "b"), 0);
	cooldown_free(cooldown);
}

static void many_sources_do_not_grow_without_end(void **state)
{
	struct cooldown *cooldown;
	char source[32];

	(void)state;
	assert_int_equal(cooldown_new(&env, &cooldown_default, &cooldown, NULL), 0);
	for (unsigned i = 0; i < 3 * COOLDOWN_SOURCES_MAX; i++) {
		snprintf(source, sizeof(source), "source %u", i);
		now += MILLISECOND_US;
		cooldown_failed(cooldown, source);
	}
	for (int i = 0; i < COOLDOWN_FREE; i++)
		cooldown_failed(cooldown, source);
	assert_true(cooldown_left(cooldown, source) > 0);
	cooldown_free(cooldown);
}

static void a_source_is_an_address_or_a_network(void **state)
{
	static const struct {
		const char *peer, *source;
	} rows[] = {
		{ "192.0.2.1:50000", "192.0.2.1" },
		{ "[2001:db8:1:2:3:4:5:6]:443", "2001:db8:1:2::" },
		{ "[2001:db8:1:2:ffff::1]:444", "2001:db8:1:2::" },
		{ "[::ffff:192.0.2.1]:1", "::ffff:192.0.2.1" },
		{ "nonsense", "nonsense" },
	};
	char source[64];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		cooldown_source(rows[i].peer, source, sizeof(source));
		assert_string_equal(source, rows[i].source);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(waits_double_up_to_five_minutes),
		cmocka_unit_test(success_and_a_quiet_hour_forgive),
		cmocka_unit_test(many_sources_do_not_grow_without_end),
		cmocka_unit_test(a_source_is_an_address_or_a_network),
	};

	return cmocka_run_group_tests_name("unit/manager/cooldown", tests, NULL, NULL);
}
