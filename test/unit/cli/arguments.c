/* cli/arguments.h and cli/help.h: command lines, and what is made of the table. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/units.h"
#include "cli/arguments.h"
#include "cli/help.h"

static int run_nothing(struct cli *cli, struct err *err)
{
	(void)cli;
	(void)err;
	return 0;
}

static const struct cli_option global_options[] = {
	{ "server", "URL", "The manager.", NULL },
	{ "o", "FORMAT", "Output.", "table json csv" },
	{ "help", NULL, "Help.", NULL },
	{ "version", NULL, "Version.", NULL },
	{ 0 },
};
static const struct cli_option scan_options[] = {
	{ "exclude", "PATH", "Leave out.", NULL },
	{ "watch", NULL, "Follow.", NULL },
	{ "state", "S", "A word.", "on off" },
	{ 0 },
};
static const struct cli_verb verbs[] = {
	{ "login", NULL, "", 0, 0, NULL, "Sign in", NULL, run_nothing },
	{ "computer", "list", "", 0, 0, NULL, "List computers", NULL, run_nothing },
	{ "computer", "scan", "COMPUTER [PATH...]", 1, 3, scan_options, "Scan", "More -- of it.", run_nothing },
};
static const struct cli_noun nouns[] = { { "computer", "Computers." } };
static const struct cli_table table = { "prog", verbs, COUNT_OF(verbs), nouns, COUNT_OF(nouns), global_options };

static struct cli_arguments arguments;

static int parse(const char *line, struct err *err)
{
	static char copy[500];
	char *argv[40], *rest = copy;
	int argc = 0;

	snprintf(copy, sizeof(copy), "prog %s", line);
	for (char *word; (word = strsep(&rest, " ")) != NULL;) {
		if (*word != '\0')
			argv[argc++] = word;
	}
	return arguments_parse(&table, argc, argv, &arguments, err);
}

static void words_and_options(void **state)
{
	(void)state;
	assert_int_equal(
	    parse("-o json computer --server=https://h scan web1 --exclude /a /p --watch --exclude /b", NULL), 0);
	assert_string_equal(arguments.verb->verb, "scan");
	assert_int_equal(arguments.count, 2);
	assert_string_equal(arguments.words[0], "web1");
	assert_string_equal(arguments.words[1], "/p");
	assert_string_equal(arguments_option(&arguments, "o"), "json");
	assert_string_equal(arguments_option(&arguments, "server"), "https://h");
	assert_string_equal(arguments_option(&arguments, "exclude"), "/b");
	assert_int_equal(arguments.given_count, 5);
	assert_true(arguments_flag(&arguments, "watch"));
	assert_null(arguments_option(&arguments, "state"));
	assert_int_equal(arguments.ask, ASK_RUN);

	assert_int_equal(parse("login -ocsv", NULL), 0);
	assert_string_equal(arguments_option(&arguments, "o"), "csv");
	assert_int_equal(parse("computer scan web1 -- --watch -", NULL), 0);
	assert_int_equal(arguments.count, 3);
	assert_string_equal(arguments.words[1], "--watch");
	assert_false(arguments_flag(&arguments, "watch"));
	/* A status may be one that the program does not know. */
	assert_int_equal(parse("computer scan web1 --state other", NULL), 0);
}

static void help_is_asked_for_anywhere(void **state)
{
	static const struct {
		const char *line, *noun, *verb;
		enum cli_ask ask;
	} cases[] = {
		{ "--help", NULL, NULL, ASK_HELP },
		{ "-h", NULL, NULL, ASK_HELP },
		{ "computer --help", "computer", NULL, ASK_HELP },
		{ "computer scan --help", "computer", "scan", ASK_HELP },
		{ "--version", NULL, NULL, ASK_VERSION },
		{ "--help --version", NULL, NULL, ASK_HELP },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		assert_int_equal(parse(cases[i].line, NULL), 0);
		assert_int_equal(arguments.ask, cases[i].ask);
		assert_int_equal(arguments.noun != NULL, cases[i].noun != NULL);
		assert_int_equal(arguments.verb != NULL, cases[i].verb != NULL);
	}
}

static void wrong_usage_says_what_there_is(void **state)
{
	static const struct {
		const char *line, *text;
	} cases[] = {
		{ "", "nothing to do was given; there are login, computer; see --help" },
		{ "compter list", "there is no 'compter'; there are login, computer" },
		{ "computer", "computer: what to do with it? There are list, scan" },
		{ "computer lst", "computer has no 'lst'; it has list, scan" },
		{ "computer scan", "too few arguments: expected COMPUTER [PATH...]; see --help" },
		{ "computer list x", "too many arguments: expected none; see --help" },
		{ "login x", "too many arguments: expected none; see --help" },
		{ "computer list --watch", "unknown option --watch; see --help" },
		{ "--exclude /a computer scan x", "unknown option --exclude; see --help" },
		{ "computer list --o json", "unknown option --o; see --help" },
		{ "computer list -s", "unknown option -s; see --help" },
		{ "computer list --server", "--server needs a value: URL" },
		{ "computer scan x --watch=1", "--watch=1: the option takes no value" },
		{ "-o xml login", "-o: 'xml' is none of: table json csv" },
		{ "-o js login", "-o: 'js' is none of: table json csv" },
		{ "-o= login", "-o: '' is none of: table json csv" },
	};
	struct err err;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		assert_int_equal(parse(cases[i].line, &err), ERR_USAGE);
		assert_string_equal(err.text, cases[i].text);
	}
}

static void servers_are_checked(void **state)
{
	static const struct {
		const char *url;
		int rc;
	} cases[] = {
		{ "https://h:4343", 0 },         { "HTTPS://[::1]:4343/", 0 },
		{ "http://h", ERR_USAGE },       { "h:4343", ERR_USAGE },
		{ "https://", ERR_USAGE },       { "https:///x", ERR_USAGE },
		{ "https://h/path", ERR_USAGE }, { "https://user@h", ERR_USAGE },
		{ "https://h?x=1", ERR_USAGE },  { "", ERR_USAGE },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++)
		assert_int_equal(arguments_check_server(cases[i].url, NULL), cases[i].rc);
}

static void help_shows_every_row(void **state)
{
	struct buf out;

	(void)state;
	buf_init(&out, 100000);
	help_text(&table, NULL, NULL, &out);
	assert_non_null(strstr(buf_text(&out), "  computer scan COMPUTER [PATH...]\n                          Scan\n"));
	assert_non_null(strstr(buf_text(&out), "  login                   Sign in\n"));
	buf_reset(&out);
	help_text(&table, "computer", NULL, &out);
	assert_non_null(strstr(buf_text(&out), "usage: prog computer VERB"));
	assert_null(strstr(buf_text(&out), "login"));
	buf_reset(&out);
	help_text(&table, "computer", &verbs[2], &out);
	assert_non_null(strstr(buf_text(&out), "usage: prog computer scan COMPUTER [PATH...] [OPTION...]"));
	assert_non_null(strstr(buf_text(&out), "  --exclude PATH          Leave out.\n"));
	assert_non_null(strstr(buf_text(&out), "  -o FORMAT               Output.\n"));
	buf_done(&out);
}

static void completion_offers_words(void **state)
{
	struct buf out;

	(void)state;
	buf_init(&out, 100000);
	help_completion(&table, &out);
	assert_non_null(strstr(buf_text(&out), "\" \") words=\" login computer --server"));
	assert_non_null(strstr(buf_text(&out), "\"computer \") words=\"list scan\" ;;"));
	assert_non_null(strstr(buf_text(&out), "\"computer scan --state\") words=\"on off\" ;;"));
	assert_non_null(strstr(buf_text(&out), "complete -F _prog prog\n"));
	buf_done(&out);
}

static void the_manual_escapes_roff(void **state)
{
	struct buf out;

	(void)state;
	buf_init(&out, 100000);
	help_manual(&table, &out);
	assert_non_null(strstr(buf_text(&out), ".SS computer scan COMPUTER [PATH...]\nScan.\nMore \\-\\- of it.\n"));
	assert_non_null(strstr(buf_text(&out), ".B \\-\\-exclude \\fIPATH\\fR\n"));
	buf_done(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words_and_options),
		cmocka_unit_test(help_is_asked_for_anywhere),
		cmocka_unit_test(wrong_usage_says_what_there_is),
		cmocka_unit_test(servers_are_checked),
		cmocka_unit_test(help_shows_every_row),
		cmocka_unit_test(completion_offers_words),
		cmocka_unit_test(the_manual_escapes_roff),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
