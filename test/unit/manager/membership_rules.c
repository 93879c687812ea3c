/* Memberships: every ending from every standing, and who may come back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/units.h"
#include "manager/front/membership_rules.h"

static void each_ending_happens_from_its_standings_alone(void **state)
{
	static const char allowed[ENDINGS][STANDINGS + 1] = {
		/* managed, added, deactivated, moved, revoked */
		[ENDING_DEACTIVATE] = "y----", [ENDING_MOVE] = "y----",   [ENDING_REVOKE] = "y-yy-",
		[ENDING_UNINSTALL] = "y----",  [ENDING_DELETE] = "yyyyy",
	};

	(void)state;
	for (int ending = 0; ending < ENDINGS; ending++) {
		for (int standing = 0; standing < STANDINGS; standing++)
			assert_int_equal(ending_check(&membership_endings[ending], (enum standing)standing, true, NULL),
					 allowed[ending][standing] == 'y' ? 0 : ERR_WRONG_STATE);
	}
}

/* An agent that left, came back and was given another certificate: what it says by the former one comes too late. */
static void a_certificate_that_was_replaced_ends_nothing(void **state)
{
	(void)state;
	assert_int_equal(ending_check(&membership_endings[ENDING_MOVE], STANDING_MANAGED, false, NULL), ERR_UNTRUSTED);
	assert_int_equal(ending_check(&membership_endings[ENDING_UNINSTALL], STANDING_MANAGED, false, NULL),
			 ERR_UNTRUSTED);
}

static void only_who_kept_its_certificate_comes_back(void **state)
{
	(void)state;
	assert_int_equal(standing_may_return(STANDING_DEACTIVATED, "x", NULL), 0);
	assert_int_equal(standing_may_return(STANDING_MOVED, "x", NULL), 0);
	assert_int_equal(standing_may_return(STANDING_MANAGED, "x", NULL), ERR_WRONG_STATE);
	assert_int_equal(standing_may_return(STANDING_ADDED, "x", NULL), ERR_WRONG_STATE);
	assert_int_equal(standing_may_return(STANDING_REVOKED, "x", NULL), ERR_WRONG_STATE);
}

static void names_go_there_and_back(void **state)
{
	(void)state;
	for (int standing = 0; standing < STANDINGS; standing++)
		assert_int_equal(standing_parse(standing_name((enum standing)standing)), standing);
	assert_int_equal(standing_parse("?"), STANDING_REVOKED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_ending_happens_from_its_standings_alone),
		cmocka_unit_test(a_certificate_that_was_replaced_ends_nothing),
		cmocka_unit_test(only_who_kept_its_certificate_comes_back),
		cmocka_unit_test(names_go_there_and_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
