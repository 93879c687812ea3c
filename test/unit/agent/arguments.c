/* agent/arguments.h: command lines, good and bad. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "agent/local/arguments.h"

static int run(const struct arguments *arguments)
{
	(void)arguments;
	return 0;
}

static const struct arguments_option none[] = { { 0 } };
static const struct arguments_option options[] = {
	{ "--data", "DIR", "where", true }, { "-o", "FORMAT", "form", false }, { "--yes", NULL, "do it", false }, { 0 }
};
static const struct arguments_command commands[] = {
	{ "status", "", 0, 0, "How it is", "", options, false, run },
	{ "scan", "PATH...", 1, 2, "Looks", "Carefully.", options, false, run },
	{ "quarantine list", "", 0, 0, "Lists", "", none, false, run },
	{ "link", "", 0, 0, "Inner", "", none, true, run },
	{ 0 },
};

static int parse(const char *const *words, struct arguments *arguments, struct err *err)
{
	static char *argv[16];
	int argc = 0;

	while (words[argc] != NULL) {
		argv[argc] = (char *)(uintptr_t)words[argc];
		argc++;
	}
	return arguments_parse(commands, argc, argv, arguments, err);
}

#define PARSE(arguments, err, ...) parse((const char *const[]){ "muster-agent", __VA_ARGS__, NULL }, arguments, err)

static void options_and_operands_in_any_order(void **state)
{
	struct arguments arguments;

	(void)state;
	assert_int_equal(PARSE(&arguments, NULL, "scan", "/a", "--data=/d", "/b", "-o", "json", "--yes"), 0);
	assert_string_equal(arguments.command->name, "scan");
	assert_string_equal(arguments_value(&arguments, "--data"), "/d");
	assert_string_equal(arguments_value(&arguments, "-o"), "json");
	assert_true(arguments_given(&arguments, "--yes"));
	assert_int_equal(arguments.operand_count, 2);
	assert_string_equal(arguments.operands[0], "/a");
	assert_string_equal(arguments.operands[1], "/b");
}

static void two_dashes_end_options(void **state)
{
	struct arguments arguments;

	(void)state;
	assert_int_equal(PARSE(&arguments, NULL, "scan", "--data", "/d", "--", "--yes", "--help"), 0);
	assert_false(arguments_given(&arguments, "--yes"));
	assert_false(arguments.help);
	assert_int_equal(arguments.operand_count, 2);
}

static void commands_of_two_words(void **state)
{
	struct arguments arguments;
	struct err err;

	(void)state;
	assert_int_equal(PARSE(&arguments, NULL, "quarantine", "list"), 0);
	assert_string_equal(arguments.command->name, "quarantine list");
	assert_int_equal(PARSE(&arguments, &err, "quarantine"), ERR_USAGE);
	assert_int_equal(PARSE(&arguments, &err, "quarantine", "lost"), ERR_USAGE);
}

static void wrong_usage_names_what_is_wrong(void **state)
{
	static const struct {
		const char *words[8];
		const char *part;
	} rows[] = {
		{ { "muster-agent", "fly" }, "'fly'" },
		{ { "muster-agent", "status" }, "needs --data DIR" },
		{ { "muster-agent", "status", "--data" }, "--data needs a value" },
		{ { "muster-agent", "status", "--data", "/d", "--data=/e" }, "--data is given twice" },
		{ { "muster-agent", "status", "--data=/d", "--dat" }, "no option --dat" },
		{ { "muster-agent", "status", "--data=/d", "--yes=1" }, "--yes takes no value" },
		{ { "muster-agent", "status", "--data=/d", "more" }, "'more'" },
		{ { "muster-agent", "scan", "--data=/d" }, "needs PATH...; see muster-agent scan --help" },
		{ { "muster-agent", "scan", "--data=/d", "a", "b", "c" }, "'c'" },
		{ { "muster-agent" }, "missing; see muster-agent --help" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct arguments arguments;
		struct err err = { 0 };

		assert_int_equal(parse(rows[i].words, &arguments, &err), ERR_USAGE);
		assert_non_null(strstr(err.text, rows[i].part));
	}
}

static void help_is_printed_from_the_rows(void **state)
{
	struct arguments arguments;
	struct buf out;

	(void)state;
	buf_init(&out, 8192);
	assert_int_equal(PARSE(&arguments, NULL, "--help"), 0);
	assert_true(arguments.help);
	arguments_help(&arguments, commands, "About.", &out);
	assert_non_null(strstr(buf_text(&out), "quarantine list"));
	assert_null(strstr(buf_text(&out), "Inner"));

	buf_reset(&out);
	assert_int_equal(PARSE(&arguments, NULL, "scan", "--help"), 0);
	assert_true(arguments.help);
	arguments_help(&arguments, commands, "About.", &out);
	assert_non_null(strstr(buf_text(&out), "usage: muster-agent scan PATH... [options]"));
	assert_non_null(strstr(buf_text(&out), "Carefully."));
	assert_non_null(strstr(buf_text(&out), "--data DIR"));
	buf_done(&out);

	assert_int_equal(PARSE(&arguments, NULL, "--version"), 0);
	assert_true(arguments.version);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(options_and_operands_in_any_order),
		cmocka_unit_test(two_dashes_end_options),
		cmocka_unit_test(commands_of_two_words),
		cmocka_unit_test(wrong_usage_names_what_is_wrong),
		cmocka_unit_test(help_is_printed_from_the_rows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
