/* conf/value.h: what each type takes, refuses, and writes back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "conf/value.h"

static const struct conf_row rows[] = {
	[CONF_TEXT] = { "s", "text", NULL, CONF_TEXT, 0, 0, 1, 8, NULL, "a", "" },
	[CONF_PATH] = { "s", "path", NULL, CONF_PATH, 0, 0, 0, 0, NULL, "", "" },
	[CONF_NUMBER] = { "s", "number", NULL, CONF_NUMBER, CONF_MAY_BE_UNLIMITED, 0, 0, 100, NULL, "2", "" },
	[CONF_SPAN] = { "s", "span", NULL, CONF_SPAN, 0, 0, 10 * SECOND_US, 24 * HOUR_US, NULL, "10m", "" },
	[CONF_SIZE] = { "s", "size", NULL, CONF_SIZE, 0, 0, 1, 1 << 30, NULL, "5MB", "" },
	[CONF_BOOLEAN] = { "s", "boolean", NULL, CONF_BOOLEAN, 0, 0, 0, 0, NULL, "no", "" },
	[CONF_CHOICE] = { "s", "choice", "mode Kind", CONF_CHOICE, 0, 0, 0, 0, "held periodic", "held", "" },
	[CONF_LISTEN] = { "s", "listen", NULL, CONF_LISTEN, 0, 0, 0, 0, NULL, "[::]:4343", "" },
	[CONF_PATHS] = { "s", "paths", NULL, CONF_PATHS, 0, 0, 0, 3, NULL, "", "" },
};

/* expected NULL: refused with the code. */
static const struct {
	enum conf_type type;
	const char *text, *expected;
	int code;
} cases[] = {
	{ CONF_TEXT, "abc", "abc", 0 },
	{ CONF_TEXT, "", NULL, ERR_RANGE },
	{ CONF_TEXT, "123456789", NULL, ERR_RANGE },
	{ CONF_TEXT, "a\nb", NULL, ERR_FORMAT },
	{ CONF_TEXT, "a\xff", NULL, ERR_FORMAT },
	{ CONF_TEXT, " a", NULL, ERR_FORMAT },
	{ CONF_PATH, "/var/lib/x; y # z", "/var/lib/x; y # z", 0 },
	{ CONF_PATH, "", "", 0 },
	{ CONF_NUMBER, "0", "0", 0 },
	{ CONF_NUMBER, "100", "100", 0 },
	{ CONF_NUMBER, "Unlimited", "unlimited", 0 },
	{ CONF_NUMBER, "101", NULL, ERR_RANGE },
	{ CONF_NUMBER, "-1", NULL, ERR_FORMAT },
	{ CONF_NUMBER, "99999999999999999999999", NULL, ERR_RANGE },
	{ CONF_NUMBER, "9x", NULL, ERR_FORMAT },
	{ CONF_SPAN, "600", "10m", 0 },
	{ CONF_SPAN, "24h", "1d", 0 },
	{ CONF_SPAN, "9s", NULL, ERR_RANGE },
	{ CONF_SPAN, "unlimited", NULL, ERR_FORMAT },
	{ CONF_SPAN, "soon", NULL, ERR_FORMAT },
	{ CONF_SIZE, "5242880", "5MB", 0 },
	{ CONF_SIZE, "5MB", "5MB", 0 },
	{ CONF_SIZE, "1025", "1025", 0 },
	{ CONF_SIZE, "2GB", NULL, ERR_RANGE },
	{ CONF_SIZE, "0", NULL, ERR_RANGE },
	{ CONF_BOOLEAN, "yes", "yes", 0 },
	{ CONF_BOOLEAN, "TRUE", "yes", 0 },
	{ CONF_BOOLEAN, "0", "no", 0 },
	{ CONF_BOOLEAN, "maybe", NULL, ERR_FORMAT },
	{ CONF_PATHS, "", "", 0 },
	{ CONF_PATHS, "/b, /a/,,/b", "/a,/b", 0 },
	{ CONF_PATHS, "/", "/", 0 },
	{ CONF_PATHS, "/a b\\x2cc,/d\\x5ce", "/a b\\x2cc,/d\\x5ce", 0 },
	{ CONF_PATHS, "/a\nb\xff", "/a\\x0ab\\xff", 0 },
	{ CONF_PATHS, "a", NULL, ERR_FORMAT },
	{ CONF_PATHS, "/a\\b", NULL, ERR_FORMAT },
	{ CONF_PATHS, "/a\\x00b", NULL, ERR_FORMAT },
	{ CONF_PATHS, "/a,/b,/c,/d", NULL, ERR_RANGE },
	{ CONF_CHOICE, "periodic", "periodic", 0 },
	{ CONF_CHOICE, "Held", "held", 0 },
	{ CONF_CHOICE, "hel", NULL, ERR_RANGE },
	{ CONF_CHOICE, "", NULL, ERR_RANGE },
	{ CONF_LISTEN, "0.0.0.0:4343,[::1]:0", "0.0.0.0:4343, [::1]:0", 0 },
	{ CONF_LISTEN, "manager.example:65535", "manager.example:65535", 0 },
	{ CONF_LISTEN, "::1:80", NULL, ERR_FORMAT },
	{ CONF_LISTEN, "host:65536", NULL, ERR_FORMAT },
	{ CONF_LISTEN, "host", NULL, ERR_FORMAT },
	{ CONF_LISTEN, "ho st:1", NULL, ERR_FORMAT },
	{ CONF_LISTEN, "a/b:1", NULL, ERR_FORMAT },
	{ CONF_LISTEN, "", NULL, ERR_FORMAT },
	{ CONF_LISTEN, "a:1 a:2 a:3 a:4 a:5 a:6 a:7 a:8 a:9 a:10 a:11 a:12 a:13 a:14 a:15 a:16 a:17", NULL, ERR_LIMIT },
};

static void parses_and_formats(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		const struct conf_row *row = &rows[cases[i].type];
		union conf_value value = { 0 };
		struct err err = { 0 };
		struct buf out;

		if (conf_value_parse(row, cases[i].text, &value, &err) != cases[i].code)
			fail_msg("%s '%s': %s %s", row->key, cases[i].text, err_name(err.code), err.text);
		if (cases[i].expected == NULL) {
			assert_true(err.text[0] != '\0');
			continue;
		}
		buf_init(&out, 1000);
		conf_value_format(row, &value, &out);
		assert_string_equal(buf_text(&out), cases[i].expected);
		conf_value_done(row, &value);
		assert_int_equal(conf_value_parse(row, buf_text(&out), &value, NULL), 0);
		conf_value_done(row, &value);
		buf_done(&out);
	}
}

static void refusals_say_what_is_allowed(void **state)
{
	static const struct conf_row no_end = { "s", "x", NULL, CONF_SIZE, 0, 0, 1024, INT64_MAX, NULL, "1MB", "" };
	union conf_value value;
	struct err err;

	(void)state;
	conf_value_parse(&rows[CONF_SPAN], "9s", &value, &err);
	assert_string_equal(err.text, "allowed: 10s to 1d");
	conf_value_parse(&rows[CONF_NUMBER], "101", &value, &err);
	assert_string_equal(err.text, "allowed: 0 to 100, or unlimited");
	conf_value_parse(&no_end, "x", &value, &err);
	assert_string_equal(err.text, "allowed: a size such as 10240, 5MB or 2GB, at least 1KB");
	conf_value_parse(&rows[CONF_CHOICE], "x", &value, &err);
	assert_string_equal(err.text, "allowed: held, periodic");
	conf_value_parse(&rows[CONF_BOOLEAN], "x", &value, &err);
	assert_string_equal(err.text, "allowed: yes or no");
}

static void rows_answer_to_aliases(void **state)
{
	(void)state;
	assert_true(conf_row_is(&rows[CONF_CHOICE], "choice"));
	assert_true(conf_row_is(&rows[CONF_CHOICE], "MODE"));
	assert_true(conf_row_is(&rows[CONF_CHOICE], "kind"));
	assert_false(conf_row_is(&rows[CONF_CHOICE], "mode kind"));
	assert_false(conf_row_is(&rows[CONF_CHOICE], ""));
	assert_false(conf_row_is(&rows[CONF_TEXT], "mode"));
}

static void lists_of_paths_are_read_back(void **state)
{
	static const char *const paths[] = { "/a,b", "/c\\d", "/e\nf", "/g\xff" };
	struct buf list, one;
	size_t position = 0;

	(void)state;
	buf_init(&list, CONF_VALUE_BYTES);
	buf_init(&one, CONF_VALUE_BYTES);
	for (size_t i = 0; i < COUNT_OF(paths); i++)
		conf_paths_add(&list, paths[i], strlen(paths[i]));
	for (size_t i = 0; i < COUNT_OF(paths); i++) {
		assert_true(conf_paths_next(buf_text(&list), &position, &one));
		assert_string_equal(buf_text(&one), paths[i]);
	}
	assert_false(conf_paths_next(buf_text(&list), &position, &one));
	position = 0;
	assert_false(conf_paths_next("", &position, &one));
	buf_done(&list);
	buf_done(&one);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parses_and_formats),
		cmocka_unit_test(refusals_say_what_is_allowed),
		cmocka_unit_test(rows_answer_to_aliases),
		cmocka_unit_test(lists_of_paths_are_read_back),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
