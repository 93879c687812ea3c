#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "agent/listener.h"

static unsigned passed(struct gate *gate, const char *address, unsigned tries, time_us now)
{
	unsigned count = 0;

	for (unsigned i = 0; i < tries; i++) {
		char peer[80];

		snprintf(peer, sizeof(peer), "%s:%u", address, 40000 + i); /* ports do not matter */
		count += gate_pass(gate, peer, now);
	}
	return count;
}

/* Strangers from many addresses leave nothing for others of what all have together. */
static void a_crowd_does_not_keep_the_manager_out(void **state)
{
	struct gate gate = { 0 };
	time_us now = HOUR_US;
	unsigned let_in = 0;
	char address[32];

	(void)state;
	gate_prove(&gate, "192.0.2.1:40000");
	for (unsigned second = 0; second < 20; second++, now += SECOND_US) {
		for (unsigned i = 0; i < 250; i++) {
			snprintf(address, sizeof(address), "198.51.100.%u", i);
			(void)passed(&gate, address, 1, now);
		}
		let_in += passed(&gate, "192.0.2.1", 1, now);
		assert_int_equal(passed(&gate, "192.0.2.2", 1, now), 0);
	}
	assert_int_equal(let_in, 20);
	assert_int_equal(passed(&gate, "192.0.2.1", 100, now + HOUR_US), GATE_BURST); /* and not without a bound */
}

static void a_source_has_its_burst_and_earns_more(void **state)
{
	struct gate gate = { 0 };
	time_us now = HOUR_US;

	(void)state;
	assert_int_equal(passed(&gate, "192.0.2.1", 100, now), GATE_BURST);
	assert_int_equal(passed(&gate, "192.0.2.1", 100, now + SECOND_US), 2);
	assert_int_equal(passed(&gate, "[2001:db8::1]", 100, now + SECOND_US), GATE_BURST);
	/* Whoever waited has the whole burst again, and no more. */
	assert_int_equal(passed(&gate, "192.0.2.1", 100, now + HOUR_US), GATE_BURST);
}

static void one_loud_source_leaves_the_others_their_part(void **state)
{
	struct gate gate = { 0 };
	time_us now = HOUR_US;

	(void)state;
	for (int i = 0; i < 1000; i++) {
		passed(&gate, "192.0.2.66", 10, now);
		now += 100 * MILLISECOND_US;
	}
	assert_int_equal(passed(&gate, "192.0.2.1", 5, now), 5);
}

static void many_sources_are_bounded_together(void **state)
{
	struct gate gate = { 0 };
	unsigned count = 0;

	(void)state;
	for (unsigned i = 0; i < 1000; i++) {
		char address[32];

		snprintf(address, sizeof(address), "10.0.%u.%u", i / 250, i % 250);
		count += passed(&gate, address, 1, HOUR_US);
	}
	assert_int_equal(count, GATE_ALL);
}

static void odd_peers_are_bounded(void **state)
{
	struct gate gate = { 0 };
	char longest[200];

	(void)state;
	snprintf(longest, sizeof(longest), "%0180d:1", 0);
	assert_true(gate_pass(&gate, longest, HOUR_US));
	assert_true(gate_pass(&gate, "", HOUR_US));
	assert_true(gate_pass(&gate, "nocolon", HOUR_US));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_crowd_does_not_keep_the_manager_out),
		cmocka_unit_test(a_source_has_its_burst_and_earns_more),
		cmocka_unit_test(one_loud_source_leaves_the_others_their_part),
		cmocka_unit_test(many_sources_are_bounded_together),
		cmocka_unit_test(odd_peers_are_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
