#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/units.h"
#include "fleet/machines.h"

static time_us now;

static time_us test_clock(void *context)
{
	(void)context;
	return now;
}

static void test_random(void *context, void *out, size_t size)
{
	(void)context;
	memset(out, 0, size);
}

static const struct env env = { NULL, test_clock, test_clock, test_random };
static const struct uuid east = { { 1 } }, west = { { 2 } };
static const struct uuid web = { { 10 } }, mail = { { 11 } }, files = { { 12 } };

static struct {
	size_t count;
	struct uuid machine;
	enum machine_state state;
} told;

static void note(void *argument, const struct uuid *machine, enum machine_state state)
{
	(void)argument;
	told.count++;
	told.machine = *machine;
	told.state = state;
}

static void list(struct machines *machines, const struct uuid *by, const struct machine_seen *seen, size_t count)
{
	told.count = 0;
	assert_int_equal(machines_listed(machines, by, seen, count, note, NULL, NULL), 0);
}

static struct machines *make(void)
{
	struct machines *machines = machines_new(&env);

	now = 0;
	assert_non_null(machines);
	return machines;
}

static void only_what_is_new_is_told(void **state)
{
	const struct machine_seen first[] = { { mail, MACHINE_STOPPED }, { web, MACHINE_RUNNING } };
	const struct machine_seen second[] = { { web, MACHINE_STOPPED }, { mail, MACHINE_STOPPED } };
	struct machines *machines = make();

	(void)state;
	assert_int_equal(machines_state(machines, &web), MACHINE_UNKNOWN);
	list(machines, &east, first, 2);
	assert_int_equal(told.count, 2);
	assert_int_equal(machines_state(machines, &web), MACHINE_RUNNING);
	assert_int_equal(machines_state(machines, &mail), MACHINE_STOPPED);
	list(machines, &east, first, 2);
	assert_int_equal(told.count, 0);
	list(machines, &east, second, 2);
	assert_int_equal(told.count, 1);
	assert_true(uuid_equal(&told.machine, &web));
	assert_int_equal(told.state, MACHINE_STOPPED);
	machines_free(machines);
}

static void a_machine_that_is_named_no_more_is_forgotten(void **state)
{
	const struct machine_seen both[] = { { web, MACHINE_STOPPED }, { mail, MACHINE_STOPPED } };
	struct machines *machines = make();

	(void)state;
	list(machines, &east, both, 2);
	list(machines, &east, both, 1);
	assert_int_equal(told.count, 1);
	assert_true(uuid_equal(&told.machine, &mail));
	assert_int_equal(told.state, MACHINE_UNKNOWN);
	list(machines, &east, NULL, 0);
	assert_int_equal(machines_state(machines, &web), MACHINE_UNKNOWN);
	machines_free(machines);
}

/* A machine that was moved away is still defined, and shut off, where it came from. */
static void one_that_says_running_outweighs_the_others(void **state)
{
	const struct machine_seen stopped = { web, MACHINE_STOPPED }, runs = { web, MACHINE_RUNNING };
	struct machines *machines = make();

	(void)state;
	list(machines, &east, &runs, 1);
	list(machines, &west, &stopped, 1);
	assert_int_equal(told.count, 0);
	list(machines, &east, &stopped, 1);
	assert_int_equal(told.state, MACHINE_STOPPED);
	list(machines, &west, &runs, 1);
	assert_int_equal(told.state, MACHINE_RUNNING);
	told.count = 0;
	machines_forget(machines, &west, note, NULL);
	assert_int_equal(told.count, 1);
	assert_int_equal(told.state, MACHINE_STOPPED);
	machines_forget(machines, &west, note, NULL);
	assert_int_equal(told.count, 1);
	machines_free(machines);
}

static void a_silent_hypervisor_is_believed_for_a_while(void **state)
{
	const struct machine_seen old = { web, MACHINE_STOPPED }, fresh = { files, MACHINE_STOPPED };
	struct machines *machines = make();

	(void)state;
	list(machines, &east, &old, 1);
	now = MACHINE_TRUST_US - 1;
	list(machines, &west, &fresh, 1);
	told.count = 0;
	machines_tick(machines, note, NULL);
	assert_int_equal(told.count, 0);
	now++;
	machines_tick(machines, note, NULL);
	assert_int_equal(told.count, 1);
	assert_true(uuid_equal(&told.machine, &web));
	assert_int_equal(told.state, MACHINE_UNKNOWN);
	assert_int_equal(machines_state(machines, &files), MACHINE_STOPPED);
	machines_free(machines);
}

static void the_other_byte_order_is_recognised(void **state)
{
	struct machine_seen seen = { .state = MACHINE_STOPPED };
	struct uuid inside, none = { { 0 } };
	struct machines *machines = make();

	(void)state;
	assert_int_equal(uuid_parse("00112233-4455-6677-8899-aabbccddeeff", &seen.id, NULL), 0);
	assert_int_equal(uuid_parse("33221100-5544-7766-8899-aabbccddeeff", &inside, NULL), 0);
	list(machines, &east, &seen, 1);
	assert_int_equal(machines_state(machines, &inside), MACHINE_STOPPED);
	inside = machine_swapped(&inside);
	assert_true(uuid_equal(&inside, &seen.id));
	assert_true(machine_is_none(&none));
	memset(none.bytes, 0xff, UUID_BYTES);
	assert_true(machine_is_none(&none));
	assert_false(machine_is_none(&seen.id));
	machines_free(machines);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_what_is_new_is_told),
		cmocka_unit_test(a_machine_that_is_named_no_more_is_forgotten),
		cmocka_unit_test(one_that_says_running_outweighs_the_others),
		cmocka_unit_test(a_silent_hypervisor_is_believed_for_a_while),
		cmocka_unit_test(the_other_byte_order_is_recognised),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
