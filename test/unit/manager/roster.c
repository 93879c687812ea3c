/* Whose certificate it is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "manager/front/roster.h"
#include "os/env.h"

static void standing_follows_the_computer(void **state)
{
	const uint8_t old[SHA256_BYTES] = { 1 }, fresh[SHA256_BYTES] = { 2 }, strange[SHA256_BYTES] = { 3 };
	const struct uuid computer = { { 9 } }, other = { { 8 } };
	struct uuid found;
	struct roster *roster;

	(void)state;
	assert_int_equal(roster_new(env_system(), &roster, NULL), 0);
	assert_int_equal(roster_put(roster, old, &computer, ROSTER_ACTIVE, NULL), 0);
	assert_int_equal(roster_put(roster, fresh, &computer, ROSTER_ACTIVE, NULL), 0);
	assert_int_equal(roster_find(roster, strange, &found), ROSTER_UNKNOWN);
	assert_int_equal(roster_find(roster, old, &found), ROSTER_ACTIVE);
	assert_true(uuid_equal(&found, &computer));
	roster_set(roster, &other, ROSTER_REVOKED);
	assert_int_equal(roster_find(roster, old, &found), ROSTER_ACTIVE);
	roster_set(roster, &computer, ROSTER_DEACTIVATED);
	assert_int_equal(roster_find(roster, old, &found), ROSTER_DEACTIVATED);
	assert_int_equal(roster_find(roster, fresh, &found), ROSTER_DEACTIVATED);
	assert_int_equal(roster_put(roster, old, &computer, ROSTER_REVOKED, NULL), 0);
	roster_set(roster, &computer, ROSTER_ACTIVE);
	assert_int_equal(roster_find(roster, old, &found), ROSTER_REVOKED); /* for good */
	assert_int_equal(roster_find(roster, fresh, &found), ROSTER_ACTIVE);
	assert_int_equal(roster_put(roster, fresh, &other, ROSTER_ACTIVE, NULL), 0);
	assert_int_equal(roster_find(roster, fresh, &found), ROSTER_ACTIVE);
	assert_true(uuid_equal(&found, &other));
	roster_free(roster);
}

struct seen {
	uint8_t first[8];
	size_t count;
};

static void see(void *argument, const uint8_t fingerprint[SHA256_BYTES])
{
	struct seen *seen = argument;

	assert_true(seen->count < sizeof(seen->first));
	seen->first[seen->count++] = fingerprint[0];
}

static void all_certificates_of_a_computer_are_found(void **state)
{
	const uint8_t old[SHA256_BYTES] = { 1 }, fresh[SHA256_BYTES] = { 2 }, others[SHA256_BYTES] = { 3 };
	const struct uuid computer = { { 9 } }, other = { { 8 } };
	struct seen seen = { .count = 0 };
	struct roster *roster;

	(void)state;
	assert_int_equal(roster_new(env_system(), &roster, NULL), 0);
	assert_int_equal(roster_put(roster, old, &computer, ROSTER_REVOKED, NULL), 0);
	assert_int_equal(roster_put(roster, fresh, &computer, ROSTER_ACTIVE, NULL), 0);
	assert_int_equal(roster_put(roster, others, &other, ROSTER_ACTIVE, NULL), 0);
	roster_each(roster, &computer, see, &seen);
	assert_int_equal(seen.count, 2);
	assert_int_equal(seen.first[0] + seen.first[1], 3);
	roster_free(roster);
}

static void the_next_one_counts_and_takes_the_place_once(void **state)
{
	const uint8_t old[SHA256_BYTES] = { 1 }, next[SHA256_BYTES] = { 2 };
	const struct uuid computer = { { 3 } };
	struct roster *roster;
	struct uuid found;
	struct roster_about about;

	(void)state;
	assert_int_equal(roster_new(env_system(), &roster, NULL), 0);
	assert_int_equal(roster_put(roster, old, &computer, ROSTER_ACTIVE, NULL), 0);
	assert_int_equal(roster_put(roster, next, &computer, ROSTER_ACTIVE, NULL), 0);
	roster_next(roster, next);
	roster_about(roster, next, &about);
	assert_int_equal(about.end, 0);
	assert_int_equal(about.roots, 0);
	assert_true(about.next);
	roster_describe(roster, next, 400 * DAY_US + MINUTE_US, 7 * SECOND_US);
	roster_about(roster, next, &about);
	assert_int_equal(about.end, 400 * DAY_US);
	assert_int_equal(about.roots, 7 * SECOND_US);
	assert_false(roster_promote(roster, old));
	assert_true(roster_promote(roster, next));
	assert_false(roster_promote(roster, next));
	roster_next(roster, next);
	assert_true(roster_promote(roster, next));
	assert_int_equal(roster_find(roster, old, &found), ROSTER_ACTIVE);
	roster_replaced(roster, old);
	assert_int_equal(roster_find(roster, old, &found), ROSTER_REPLACED);
	assert_true(uuid_equal(&found, &computer));
	roster_set(roster, &computer, ROSTER_DEACTIVATED); /* by a person: that counts for all that it had */
	assert_int_equal(roster_find(roster, old, &found), ROSTER_DEACTIVATED);
	assert_int_equal(roster_find(roster, next, &found), ROSTER_DEACTIVATED);
	roster_set(roster, &computer, ROSTER_ACTIVE);
	assert_int_equal(roster_find(roster, old, &found), ROSTER_REPLACED);
	assert_int_equal(roster_find(roster, next, &found), ROSTER_ACTIVE);
	roster_set(roster, &computer, ROSTER_MOVED);
	assert_int_equal(roster_find(roster, old, &found), ROSTER_REPLACED);
	assert_int_equal(roster_find(roster, next, &found), ROSTER_MOVED);
	roster_set(roster, &computer, ROSTER_REVOKED);
	assert_int_equal(roster_find(roster, old, &found), ROSTER_REVOKED);
	roster_set(roster, &computer, ROSTER_ACTIVE);
	assert_int_equal(roster_find(roster, old, &found), ROSTER_REVOKED);
	roster_forget(roster, next);
	assert_int_equal(roster_find(roster, next, &found), ROSTER_UNKNOWN);
	roster_free(roster);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(standing_follows_the_computer),
					    cmocka_unit_test(the_next_one_counts_and_takes_the_place_once),
					    cmocka_unit_test(all_certificates_of_a_computer_are_found) };

	return cmocka_run_group_tests_name("unit/manager/roster", tests, NULL, NULL);
}
