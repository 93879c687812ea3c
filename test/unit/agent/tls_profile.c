/* The choices of link.tls_profile are rows of the table of TLS profiles. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "net/tls_profiles.h"
#include "policy/effective.h"

static void each_choice_is_a_row_that_is_not_legacy(void **state)
{
	tls_profile_set set;

	(void)state;
	assert_int_equal(tls_profiles_parse(LINK_TLS_PROFILES, &set, NULL), 0);
	assert_int_equal(tls_profiles_legacy(set), 0);
	assert_int_equal(tls_profiles_parse(setting_default(SETTING_LINK_TLS_PROFILE), &set, NULL), 0);
	assert_int_equal(set, TLS_PROFILE_MODERN);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(each_choice_is_a_row_that_is_not_legacy) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
