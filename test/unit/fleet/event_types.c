#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/text.h"
#include "fleet/event_types.h"

static void rows_ascend_and_are_found(void **state)
{
	size_t count;
	const struct event_type *rows = event_types(&count);

	(void)state;
	assert_true(count > 70);
	for (size_t i = 0; i < count; i++) {
		assert_ptr_equal(event_type_find(rows[i].number), &rows[i]);
		if (i > 0)
			assert_true(rows[i].number > rows[i - 1].number);
	}
	assert_null(event_type_find(2999));
	assert_int_equal(event_type_find(EVENT_MALWARE_DETECTED)->severity, EVENT_WARNING);
	assert_int_equal(event_type_find(EVENT_EVENTS_DROPPED)->severity, EVENT_ERROR);
}

static bool has_field(const struct event_type *row, const char *name, size_t size)
{
	for (size_t i = 0; row->fields[i] != NULL; i++) {
		if (strlen(row->fields[i]) == size && memcmp(row->fields[i], name, size) == 0)
			return true;
	}
	return false;
}

static void texts_name_fields_that_are_there(void **state)
{
	size_t count;
	const struct event_type *rows = event_types(&count);

	(void)state;
	for (size_t i = 0; i < count; i++) {
		for (const char *at = strchr(rows[i].text, '{'); at != NULL; at = strchr(at + 1, '{'))
			assert_true(has_field(&rows[i], at + 1, (size_t)(strchr(at, '}') - at - 1)));
	}
}

static size_t fields_in(const struct event_type *row, const char *text)
{
	size_t count = 0;

	for (const char *at = strchr(text, '{'); at != NULL; at = strchr(at + 1, '{')) {
		assert_true(has_field(row, at + 1, (size_t)(strchr(at, '}') - at - 1)));
		count++;
	}
	return count;
}

/* The same fields, so that neither language leaves out what the other tells; and it is not the English one. */
static void every_type_has_its_words_in_japanese(void **state)
{
	size_t count;
	const struct event_type *rows = event_types(&count);

	(void)state;
	for (size_t i = 0; i < count; i++) {
		const char *japanese = event_text_japanese(&rows[i]);

		if (strcmp(japanese, rows[i].text) == 0)
			fail_msg("event %u has no words in Japanese", (unsigned)rows[i].number);
		assert_true(text_is_name(japanese, 500));
		assert_int_equal(fields_in(&rows[i], japanese), fields_in(&rows[i], rows[i].text));
		assert_non_null(strstr(japanese, "。"));
	}
}

static void text_is_filled_and_escaped(void **state)
{
	const struct event_field fields[] = {
		{ "file", { (const uint8_t *)"/tmp/a\nb", 8 } },
		{ "limit", { (const uint8_t *)"size", 4 } },
	};
	struct buf out;

	(void)state;
	buf_init(&out, 1000);
	event_text(event_type_find(EVENT_NOT_FULLY_SCANNED), fields, 2, &out);
	assert_string_equal(buf_text(&out), "/tmp/a\\x0ab was not fully scanned: size.");
	buf_reset(&out);
	event_text(event_type_find(EVENT_NOT_FULLY_SCANNED), fields, 1, &out);
	assert_string_equal(buf_text(&out), "/tmp/a\\x0ab was not fully scanned: -.");
	buf_done(&out);
}

static void a_sentence_in_a_field_keeps_its_full_stop_alone(void **state)
{
	const struct event_field field = { "limit", { (const uint8_t *)"It was too large.", 17 } };
	struct buf out;

	(void)state;
	buf_init(&out, 1000);
	event_text(event_type_find(EVENT_NOT_FULLY_SCANNED), &field, 1, &out);
	assert_string_equal(buf_text(&out), "- was not fully scanned: It was too large.");
	buf_done(&out);
}

static void test_severities_are_read_as_they_are_written(void **state)
{
	(void)state;
	for (enum event_severity severity = EVENT_INFO; severity <= EVENT_ERROR; severity++)
		assert_int_equal(event_severity_of(event_severity_name(severity)), severity);
	assert_int_equal(event_severity_of("loud"), EVENT_INFO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_severities_are_read_as_they_are_written),
		cmocka_unit_test(rows_ascend_and_are_found),
		cmocka_unit_test(texts_name_fields_that_are_there),
		cmocka_unit_test(every_type_has_its_words_in_japanese),
		cmocka_unit_test(text_is_filled_and_escaped),
		cmocka_unit_test(a_sentence_in_a_field_keeps_its_full_stop_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
