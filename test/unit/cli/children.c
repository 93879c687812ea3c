/* Programs run beside each other: input, lines, ends, limits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "cli/children.h"
#include "os/env.h"

static const char *const environment[] = { "PATH=/usr/bin:/bin", "WORD=given", NULL };
static unsigned running, most_running, lines;
static bool cancel;

static bool cancelled(void)
{
	return cancel;
}

static void on_begin(struct child *child)
{
	(void)child;
	running++;
	most_running = running > most_running ? running : most_running;
}

static void on_end(struct child *child)
{
	(void)child;
	running--;
}

static void on_line(struct child *child, const char *line)
{
	char *all = child->context;
	size_t used = strlen(all);

	lines++;
	snprintf(all + used, 4096 - used, "[%s]", line);
}

static int run(struct child *items, size_t count, size_t at_once, span_us timeout)
{
	struct children children = { .items = items,
				     .count = count,
				     .at_once = at_once,
				     .timeout = timeout,
				     .env = env_system(),
				     .cancelled = cancelled,
				     .on_begin = on_begin,
				     .on_line = on_line,
				     .on_end = on_end };

	running = most_running = lines = 0;
	return children_run(&children, NULL);
}

static void it_is_fed_and_heard(void **state)
{
	static const char *const arguments[] = { "sh", "-c", "cat; echo $WORD >&2; printf 'no end'; exit 3", NULL };
	char said[4096] = "";
	struct child child = { .arguments = arguments,
			       .environment = environment,
			       .input = "one\r\n\ntwo\n",
			       .input_size = 10,
			       .context = said };

	(void)state;
	assert_int_equal(run(&child, 1, 4, MINUTE_US), 0);
	assert_int_equal(child.code, 3);
	assert_false(child.timed_out);
	assert_string_equal(said, "[one][][two][given][no end]");
}

static void long_lines_are_cut(void **state)
{
	static const char *const arguments[] = { "sh", "-c", "head -c 100000 /dev/zero | tr '\\0' x; echo; echo end",
						 NULL };
	char said[4096] = "";
	struct child child = { .arguments = arguments, .environment = environment, .input = "", .context = said };

	(void)state;
	assert_int_equal(run(&child, 1, 1, MINUTE_US), 0);
	assert_int_equal(lines, 2);
	assert_int_equal(strlen(said), CHILDREN_LINE_MAX_BYTES + 2 + strlen("[end]"));
}

static void so_many_at_once_and_no_more(void **state)
{
	static const char *const arguments[] = { "sh", "-c", "sleep 0.1; echo done", NULL };
	static char said[9][4096];
	struct child items[9];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(items); i++)
		items[i] = (struct child){
			.arguments = arguments, .environment = environment, .input = "", .context = said[i]
		};
	assert_int_equal(run(items, COUNT_OF(items), 3, MINUTE_US), 0);
	assert_int_equal(most_running, 3);
	assert_int_equal(running, 0);
	for (size_t i = 0; i < COUNT_OF(items); i++) {
		assert_int_equal(items[i].code, 0);
		assert_string_equal(said[i], "[done]");
	}
}

/* What it started ends with it, though it holds the output open. */
static void one_that_takes_too_long_is_ended(void **state)
{
	static const char *const arguments[] = { "sh", "-c", "sleep 1000 & echo begun; wait", NULL };
	char said[4096] = "";
	struct child child = { .arguments = arguments, .environment = environment, .input = "", .context = said };

	(void)state;
	assert_int_equal(run(&child, 1, 1, 300 * MILLISECOND_US), 0);
	assert_true(child.timed_out);
	assert_false(child.interrupted);
	assert_true(child.code > 128);
}

static void an_interruption_ends_all(void **state)
{
	static const char *const arguments[] = { "sleep", "1000", NULL };
	static char said[3][4096];
	struct child items[3];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(items); i++)
		items[i] = (struct child){
			.arguments = arguments, .environment = environment, .input = "", .context = said[i]
		};
	cancel = true;
	assert_int_equal(run(items, COUNT_OF(items), 2, MINUTE_US), 0);
	cancel = false;
	for (size_t i = 0; i < COUNT_OF(items); i++) {
		assert_true(items[i].interrupted);
		assert_int_equal(items[i].code, -1);
	}
}

static void what_is_not_there_is_said(void **state)
{
	static const char *const arguments[] = { "muster-has-no-such-program", NULL };
	char said[4096] = "";
	struct child child = { .arguments = arguments, .environment = environment, .input = "", .context = said };

	(void)state;
	assert_int_equal(run(&child, 1, 1, MINUTE_US), 0);
	assert_int_equal(child.code, -1);
	assert_non_null(strstr(said, "muster-has-no-such-program"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_is_fed_and_heard),         cmocka_unit_test(long_lines_are_cut),
		cmocka_unit_test(so_many_at_once_and_no_more), cmocka_unit_test(one_that_takes_too_long_is_ended),
		cmocka_unit_test(an_interruption_ends_all),    cmocka_unit_test(what_is_not_there_is_said),
	};

	return cmocka_run_group_tests_name("children", tests, NULL, NULL);
}
