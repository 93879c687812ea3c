/* Allowances of computers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "given_time.h"
#include "manager/front/intake.h"

#define REPORT_BYTES ((size_t)512 * 1024)
#define REPORT_ROWS  1000

static struct intake *intake;

static int begin(void **state)
{
	(void)state;
	now = DAY_US;
	return intake_new(&env, &intake, NULL);
}

static int end(void **state)
{
	(void)state;
	intake_free(intake);
	return 0;
}

static struct uuid computer(unsigned number)
{
	struct uuid id = { .bytes = { 1 } };

	memcpy(id.bytes + 8, &number, sizeof(number));
	return id;
}

/* Bytes that were let in, of as many reports as it likes. */
static int64_t flood(unsigned number, unsigned reports)
{
	struct uuid id = computer(number);
	int64_t taken = 0;

	for (unsigned i = 0; i < reports; i++) {
		span_us wait = intake_take(intake, &id, REPORT_BYTES, REPORT_ROWS);

		assert_true(wait >= 0 && wait <= INTAKE_WAIT_MAX_US);
		taken += wait == 0 ? (int64_t)(REPORT_BYTES + (size_t)REPORT_ROWS * INTAKE_ROW_BYTES) : 0;
	}
	return taken;
}

static void a_flood_is_bounded(void **state)
{
	int64_t taken;

	(void)state;
	taken = flood(1, 1000);
	assert_true(taken <= INTAKE_BURST_BYTES && taken > INTAKE_BURST_BYTES - 1024 * 1024);
	for (unsigned second = 0; second < 3600; second++, now += SECOND_US)
		taken += flood(1, 20);
	assert_true(taken <= INTAKE_BURST_BYTES + 3600 * INTAKE_BYTES_S);
	assert_true(flood(2, 1) > 0); /* the other one has its own */
}

static void a_day_of_quiet_gives_all_of_it_back(void **state)
{
	(void)state;
	(void)flood(1, 1000);
	assert_int_equal(flood(1, 1), 0);
	now += DAY_US;
	assert_true(flood(1, 1000) > INTAKE_BURST_BYTES - 1024 * 1024);
}

/* A fleet that is well leaves nothing behind. */
static void who_has_its_allowance_is_forgotten(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 100000; i++, now += MILLISECOND_US) {
		struct uuid id = computer(i);

		assert_int_equal(intake_take(intake, &id, 500, 1), 0);
	}
	assert_true(intake_count(intake) <= 2048);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_flood_is_bounded, begin, end),
		cmocka_unit_test_setup_teardown(a_day_of_quiet_gives_all_of_it_back, begin, end),
		cmocka_unit_test_setup_teardown(who_has_its_allowance_is_forgotten, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
