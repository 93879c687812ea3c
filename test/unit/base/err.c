/* base/err.h: codes, sentences and how they grow. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <errno.h>

#include "base/err.h"

static void every_code_has_a_name(void **state)
{
	(void)state;
	for (int code = ERR_NONE; code >= ERR_LAST_; code--)
		assert_non_null(err_name(code));
	assert_string_equal(err_name(ERR_UNTRUSTED), "untrusted");
	assert_string_equal(err_name(ERR_LAST_ - 1), "internal");
	assert_string_equal(err_name(7), "internal");
}

static void context_goes_in_front(void **state)
{
	struct err err = { 0 };

	(void)state;
	assert_int_equal(err_set(&err, ERR_RANGE, "port %d is out of range", 70000), ERR_RANGE);
	assert_int_equal(err_add(&err, ERR_RANGE, "manager.ini:3"), ERR_RANGE);
	assert_string_equal(err.text, "manager.ini:3: port 70000 is out of range");
}

static void system_errors_get_codes_and_words(void **state)
{
	struct err err = { 0 };

	(void)state;
	assert_int_equal(err_errno(&err, ENOENT, "open %s", "a"), ERR_NOT_FOUND);
	assert_string_equal(err.text, "open a: No such file or directory");
	assert_int_equal(err_errno(&err, ENOSPC, "write"), ERR_SPACE);
	assert_int_equal(err_errno(&err, EXDEV, "rename"), ERR_IO);
}

static void no_place_for_the_sentence_is_fine(void **state)
{
	(void)state;
	assert_int_equal(err_set(NULL, ERR_BUSY, "x"), ERR_BUSY);
	assert_int_equal(err_add(NULL, ERR_BUSY, "x"), ERR_BUSY);
	assert_int_equal(err_errno(NULL, EPERM, "x"), ERR_DENIED);
}

static void long_sentences_lose_their_end_only(void **state)
{
	struct err err = { 0 };
	char long_text[2 * ERR_TEXT_BYTES];

	(void)state;
	memset(long_text, 'x', sizeof(long_text));
	long_text[sizeof(long_text) - 1] = '\0';
	err_set(&err, ERR_IO, "%s", long_text);
	err_add(&err, ERR_IO, "start");
	assert_int_equal(strlen(err.text), ERR_TEXT_BYTES - 1);
	assert_memory_equal(err.text, "start: xxx", 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_code_has_a_name),
		cmocka_unit_test(context_goes_in_front),
		cmocka_unit_test(system_errors_get_codes_and_words),
		cmocka_unit_test(no_place_for_the_sentence_is_fine),
		cmocka_unit_test(long_sentences_lose_their_end_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
