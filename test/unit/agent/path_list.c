/* agent/path_list.h: the lists of agent.ini, and what must never be excluded. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "agent/path_list.h"

static void lists(void **state)
{
	struct message_paths paths;
	struct err err;
	char *long_list;

	(void)state;
	assert_int_equal(path_list_parse("", &paths, &err), 0);
	assert_int_equal(paths.count, 0);
	assert_int_equal(path_list_parse(":/a::/b c:", &paths, &err), 0);
	assert_int_equal(paths.count, 2);
	assert_memory_equal(paths.paths[1].data, "/b c", 4);
	assert_int_equal(paths.paths[1].size, 4);
	assert_int_equal(path_list_parse("/a:b", &paths, &err), ERR_RANGE);
	assert_string_equal(err.text, "'b' is not an absolute path");
	long_list = malloc(3 * (MESSAGE_PATHS_MAX + 1) + 1);
	for (size_t i = 0; i <= MESSAGE_PATHS_MAX; i++)
		memcpy(long_list + 3 * i, "/a:", 4);
	assert_int_equal(path_list_parse(long_list, &paths, &err), ERR_LIMIT);
	free(long_list);
}

static int both(const char *exclusions, const char *never, struct err *err)
{
	struct message_paths a, b;

	assert_int_equal(path_list_parse(exclusions, &a, NULL), 0);
	assert_int_equal(path_list_parse(never, &b, NULL), 0);
	return path_list_excludes_none_of(&a, &b, err);
}

static void exclusions_against_the_local_limit(void **state)
{
	static const struct {
		const char *exclusions, *never;
		bool clash;
	} cases[] = {
		{ "/var/log", "", false },
		{ "", "/srv", false },
		{ "/var/log:/tmp", "/srv/uploads", false },
		{ "/srv/uploads", "/srv/uploads", true },
		{ "/srv", "/srv/uploads", true },                 /* above it */
		{ "/srv/uploads/big.iso", "/srv/uploads", true }, /* a part of it */
		{ "/", "/srv/uploads", true },
		{ "/srv/upload", "/srv/uploads", false },
		{ "/srv/*", "/srv/uploads", true },
		{ "/*/uploads", "/srv/uploads", true },
		{ "/*/uploads/x", "/srv/uploads", true },
		{ "/home/*/cache", "/home/bob/mail", false },
		{ "/home/*/[mc]*", "/home/bob/mail", true },
		{ "/a:/srv//uploads/", "/b:/srv/uploads", true },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct err err = { 0 };

		assert_int_equal(both(cases[i].exclusions, cases[i].never, &err), cases[i].clash ? ERR_DENIED : 0);
		if (cases[i].clash)
			assert_non_null(strstr(err.text, "never_exclude"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lists),
		cmocka_unit_test(exclusions_against_the_local_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
