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
	roster_revoke(roster, &other);
	assert_int_equal(roster_find(roster, old, &found), ROSTER_ACTIVE);
	roster_revoke(roster, &computer);
	assert_int_equal(roster_find(roster, old, &found), ROSTER_REVOKED);
	assert_int_equal(roster_find(roster, fresh, &found), ROSTER_REVOKED);
	assert_int_equal(roster_put(roster, fresh, &other, ROSTER_ACTIVE, NULL), 0);
	assert_int_equal(roster_find(roster, fresh, &found), ROSTER_ACTIVE);
	assert_true(uuid_equal(&found, &other));
	roster_free(roster);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(standing_follows_the_computer) };

	return cmocka_run_group_tests_name("unit/manager/roster", tests, NULL, NULL);
}
