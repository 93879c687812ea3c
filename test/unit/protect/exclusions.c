/* Excluded paths and patterns. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "protect/exclusions.h"

static void add(struct exclusions *exclusions, const char *path)
{
	assert_int_equal(exclusions_add(exclusions, path, strlen(path), NULL), 0);
}

static void a_path_leaves_out_itself_and_all_below(void **state)
{
	struct exclusions *exclusions = exclusions_new();

	(void)state;
	add(exclusions, "/var/log/");
	assert_true(exclusions_match(exclusions, "/var/log"));
	assert_true(exclusions_match(exclusions, "/var/log/a/b"));
	assert_false(exclusions_match(exclusions, "/var/logs"));
	assert_false(exclusions_match(exclusions, "/var"));
	assert_false(exclusions_match(exclusions, "/x/var/log"));
	exclusions_free(exclusions);
}

static void patterns_stop_at_slashes(void **state)
{
	struct exclusions *exclusions = exclusions_new();

	(void)state;
	add(exclusions, "/home/*/.cache");
	add(exclusions, "/tmp/*.iso");
	assert_true(exclusions_match(exclusions, "/home/ann/.cache"));
	assert_false(exclusions_match(exclusions, "/home/ann/x/.cache"));
	assert_true(exclusions_match(exclusions, "/tmp/a b.iso"));
	assert_false(exclusions_match(exclusions, "/tmp/d/a.iso"));
	/* A name that holds the wildcard itself still matches as it is written. */
	assert_true(exclusions_match(exclusions, "/tmp/*.iso"));
	exclusions_free(exclusions);
}

static void root_leaves_out_everything(void **state)
{
	struct exclusions *exclusions = exclusions_new();

	(void)state;
	assert_false(exclusions_match(exclusions, "/a"));
	add(exclusions, "/");
	assert_true(exclusions_match(exclusions, "/a"));
	exclusions_free(exclusions);
}

static void refuses_what_is_no_absolute_path(void **state)
{
	struct exclusions *exclusions = exclusions_new();
	struct err err;

	(void)state;
	assert_int_equal(exclusions_add(exclusions, "a", 1, &err), ERR_FORMAT);
	assert_int_equal(exclusions_add(exclusions, "", 0, &err), ERR_FORMAT);
	assert_int_equal(exclusions_add(exclusions, "/a\0b", 4, &err), ERR_FORMAT);
	for (int i = 0; i < EXCLUSIONS_MAX; i++)
		add(exclusions, "/x");
	assert_int_equal(exclusions_add(exclusions, "/x", 2, &err), ERR_LIMIT);
	exclusions_free(exclusions);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_path_leaves_out_itself_and_all_below),
		cmocka_unit_test(patterns_stop_at_slashes),
		cmocka_unit_test(root_leaves_out_everything),
		cmocka_unit_test(refuses_what_is_no_absolute_path),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
