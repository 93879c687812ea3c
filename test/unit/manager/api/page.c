/* manager/api/page.h: a cursor comes back as it went; any other text is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "manager/api/page.h"

static void a_cursor_there_and_back(void **state)
{
	struct page page = { .number = -5, .text = "web 日本", .id = { { 1, 2, 3, 255 } } };
	struct page back;
	char text[PAGE_TEXT_BYTES];

	(void)state;
	page_format(&page, 'e', text);
	assert_int_equal(page_parse(text, 'e', &back, NULL), 0);
	assert_int_equal(back.number, -5);
	assert_string_equal(back.text, page.text);
	assert_true(uuid_equal(&back.id, &page.id));
	memset(page.text, 'x', PAGE_KEY_MAX_BYTES);
	page_format(&page, 'e', text);
	assert_int_equal(page_parse(text, 'e', &back, NULL), 0);
	assert_int_equal(strlen(back.text), PAGE_KEY_MAX_BYTES);
}

static void another_lists_cursor_is_refused(void **state)
{
	struct page page = { 0 }, back;
	char text[PAGE_TEXT_BYTES];

	(void)state;
	page_format(&page, 'e', text);
	assert_int_equal(page_parse(text, 'c', &back, NULL), ERR_FORMAT);
}

static void any_changed_character_is_noticed(void **state)
{
	struct page page = { .number = 1234567, .text = "a" }, back;
	char text[PAGE_TEXT_BYTES];

	(void)state;
	page_format(&page, 'e', text);
	for (size_t i = 0; text[i] != '\0'; i++) {
		char kept = text[i];

		text[i] = kept == '0' ? '1' : '0';
		assert_int_equal(page_parse(text, 'e', &back, NULL), ERR_FORMAT);
		text[i] = '\0';
		assert_int_equal(page_parse(text, 'e', &back, NULL), ERR_FORMAT);
		text[i] = kept;
	}
	assert_int_equal(page_parse(text, 'e', &back, NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_cursor_there_and_back),
		cmocka_unit_test(another_lists_cursor_is_refused),
		cmocka_unit_test(any_changed_character_is_noticed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
