#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fleet/commands.h"

static void no_state_goes_back(void **state)
{
	(void)state;
	for (int from = 0; from < COMMAND_STATES; from++) {
		for (int to = 0; to <= from && to <= COMMAND_RUNNING; to++)
			assert_false(command_may_move((enum command_state)from, (enum command_state)to));
	}
}

static void only_timed_out_gives_way_to_the_truth(void **state)
{
	(void)state;
	for (int to = 0; to < COMMAND_STATES; to++) {
		assert_false(command_may_move(COMMAND_SUCCEEDED, (enum command_state)to));
		assert_false(command_may_move(COMMAND_FAILED, (enum command_state)to));
		assert_false(command_may_move(COMMAND_CANCELLED, (enum command_state)to));
	}
	assert_true(command_may_move(COMMAND_TIMED_OUT, COMMAND_SUCCEEDED));
	assert_false(command_may_move(COMMAND_TIMED_OUT, COMMAND_RUNNING));
	assert_false(command_may_move(COMMAND_RUNNING, (enum command_state)99));
}

static void names_go_both_ways(void **state)
{
	(void)state;
	for (unsigned kind = COMMAND_SCAN; kind <= COMMAND_DELETE_ITEM; kind++)
		assert_int_equal(command_kind_parse(command_kind_name(kind)), kind);
	assert_int_equal(command_kind_parse("dance"), 0);
	assert_null(command_kind_name(99));
	assert_null(command_state_name(COMMAND_STATES));
	assert_string_equal(command_state_name(COMMAND_TIMED_OUT), "timed_out");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_state_goes_back),
		cmocka_unit_test(only_timed_out_gives_way_to_the_truth),
		cmocka_unit_test(names_go_both_ways),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
