/* base/text.h: hostile names become one printable line, and back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/hex.h"
#include "base/text.h"

static const struct {
	const char *bytes;
	size_t size;
	const char *escaped;
} rows[] = {
	{ "plain name", 10, "plain name" },
	{ "日本語", 9, "日本語" },
	{ "a\nb", 3, "a\\x0ab" },
	{ "\x1b[31mred", 8, "\\x1b[31mred" },
	{ "back\\slash", 10, "back\\x5cslash" },
	{ "\xff\xfe", 2, "\\xff\\xfe" },
	{ "\xc0\xaf", 2, "\\xc0\\xaf" },          /* overlong */
	{ "\xed\xa0\x80", 3, "\\xed\\xa0\\x80" }, /* surrogate */
	{ "\xe2\x80\xae", 3, "\\xe2\\x80\\xae" }, /* right-to-left override */
	{ "\xc2\x9b", 2, "\\xc2\\x9b" },          /* C1 control */
	{ "nul\0x", 5, "nul\\x00x" },
	{ "cut \xe3\x81", 6, "cut \\xe3\\x81" },
	{ "\xf5\x80\x80\x80", 4, "\\xf5\\x80\\x80\\x80" },
};

static void each_name_there_and_back(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct buf escaped, back;

		buf_init(&escaped, 1000);
		buf_init(&back, 1000);
		text_escape(&escaped, rows[i].bytes, rows[i].size);
		assert_string_equal(buf_text(&escaped), rows[i].escaped);
		assert_true(text_is_utf8(escaped.data, escaped.size));
		assert_int_equal(text_unescape(buf_text(&escaped), &back), 0);
		assert_int_equal(back.size, rows[i].size);
		assert_memory_equal(back.data, rows[i].bytes, rows[i].size);
		buf_done(&escaped);
		buf_done(&back);
	}
}

static void broken_escapes_are_refused(void **state)
{
	static const char *const broken[] = { "\\", "\\x", "\\x1", "\\xzz", "\\n" };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(broken); i++) {
		struct buf out;

		buf_init(&out, 10);
		assert_int_equal(text_unescape(broken[i], &out), ERR_FORMAT);
		buf_done(&out);
	}
}

static void names_are_printable_and_bounded(void **state)
{
	(void)state;
	assert_true(text_is_name("web-01", 6));
	assert_false(text_is_name("web-01", 5));
	assert_false(text_is_name("", 5));
	assert_false(text_is_name("a\tb", 5));
	assert_false(text_is_name("\xff", 5));
}

static void distance_is_what_has_to_be_changed(void **state)
{
	char large[TEXT_DISTANCE_MAX_BYTES + 2] = { 0 };

	(void)state;
	assert_int_equal(text_distance("https_port", "HTTPS_port"), 0);
	assert_int_equal(text_distance("", "abc"), 3);
	assert_int_equal(text_distance("abc", ""), 3);
	assert_int_equal(text_distance("kitten", "sitting"), 3);
	memset(large, 'a', sizeof(large) - 1);
	assert_true(text_distance("a", large) == SIZE_MAX);
	large[TEXT_DISTANCE_MAX_BYTES] = '\0';
	assert_int_equal(text_distance("a", large), TEXT_DISTANCE_MAX_BYTES - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_name_there_and_back),
		cmocka_unit_test(broken_escapes_are_refused),
		cmocka_unit_test(names_are_printable_and_bounded),
		cmocka_unit_test(distance_is_what_has_to_be_changed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
