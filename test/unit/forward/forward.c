/* Every format against bytes that try to break out of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>
#include <string.h>

#include "forward/forward.h"

#define EVIL "/srv/a|b=c\\d\r\nBcc: x@y\n\x1b[31m\xff"

static const struct forward_origin origin = { "manager.example", "0.1.0" };

static struct forward_event detection(const struct event_field *fields, size_t count)
{
	struct forward_event event = {
		.id.bytes = { 1 },
		.computer.bytes = { 2 },
		.computer_name = "web 1",
		.time = 1763760000123000,
		.number = EVENT_MALWARE_DETECTED,
		.type = event_type_find(EVENT_MALWARE_DETECTED),
		.severity = EVENT_WARNING,
		.fields = fields,
		.field_count = count,
	};
	return event;
}

#define FIELD(name, text)                                                                                              \
	{                                                                                                              \
		name,                                                                                                  \
		{                                                                                                      \
			(const uint8_t *)(text), sizeof(text) - 1                                                      \
		}                                                                                                      \
	}

static const struct event_field evil[] = {
	FIELD("file", EVIL),
	FIELD("detection", "Test=1|2"),
	FIELD("action", "quarantine"),
	FIELD("result", "done"),
};

static void test_cef_is_one_line_with_its_specials_escaped(void **state)
{
	struct forward_event event = detection(evil, COUNT_OF(evil));
	struct buf out;

	(void)state;
	buf_init(&out, 65536);
	forward_cef(&origin, &event, &out);
	assert_int_equal(out.status, 0);
	assert_ptr_equal(
	    strstr(buf_text(&out), "CEF:0|Muster|Manager|0.1.0|2000|malware_detected|6|rt=1763760000123 externalId="),
	    buf_text(&out));
	assert_null(strpbrk(buf_text(&out), "\r\n\x1b"));
	assert_non_null(
	    strstr(buf_text(&out), " filePath=/srv/a|b\\=c\\\\x5cd\\\\x0d\\\\x0aBcc: x@y\\\\x0a\\\\x1b[31m\\\\xff "));
	assert_non_null(strstr(buf_text(&out), " cs1Label=detection cs1=Test\\=1|2 act=quarantine outcome=done"));
	assert_non_null(strstr(buf_text(&out), " dvchost=web 1 "));
	buf_done(&out);
}

static void test_a_syslog_message_has_the_rfcs_header(void **state)
{
	struct forward_event event = detection(evil, COUNT_OF(evil));
	struct buf out, framed;
	json_t *json;

	(void)state;
	buf_init(&out, 65536);
	buf_init(&framed, 65536);
	forward_syslog(&origin, &event, FORWARD_JSON, forward_facility("local4"), &out);
	assert_ptr_equal(strstr(buf_text(&out), "<164>1 2025-11-21T21:20:00.123Z web_1 muster - malware_detected - {"),
			 buf_text(&out));
	json = json_loads(strchr(buf_text(&out), '{'), 0, NULL);
	assert_string_equal(json_string_value(json_object_get(json_object_get(json, "fields"), "detection")),
			    "Test=1|2");
	assert_string_equal(json_string_value(json_object_get(json, "computer_name")), "web 1");
	json_decref(json);
	forward_frame(out.data, out.size, &framed);
	assert_int_equal(strtoul(buf_text(&framed), NULL, 10), out.size);
	assert_string_equal(strchr(buf_text(&framed), ' ') + 1, buf_text(&out));
	buf_done(&out);
	buf_done(&framed);
}

static void test_facilities_are_those_of_the_rfc(void **state)
{
	(void)state;
	assert_int_equal(forward_facility("daemon"), 3);
	assert_int_equal(forward_facility("local7"), 23);
	assert_int_equal(forward_facility("kern"), -1);
	for (size_t i = 0; forward_facilities[i] != NULL; i++)
		assert_true(forward_facility(forward_facilities[i]) > 0);
}

static void test_an_unknown_number_and_the_manager_itself(void **state)
{
	struct forward_event event = detection(NULL, 0);
	struct buf out;

	(void)state;
	event.number = 4711;
	event.type = NULL;
	event.computer = (struct uuid){ 0 };
	event.computer_name = "";
	buf_init(&out, 65536);
	forward_syslog(&origin, &event, FORWARD_CEF, 16, &out);
	assert_non_null(strstr(buf_text(&out), "Z manager.example muster - unknown - CEF:0|"));
	assert_non_null(strstr(buf_text(&out), "msg=Event 4711."));
	assert_null(strstr(buf_text(&out), "deviceExternalId"));
	buf_done(&out);
}

static const char *const recipients[] = { "ops@example.org", "night@example.org" };

static void check_mail_lines(const char *text)
{
	bool body = false;

	while (*text != '\0') {
		const char *end = strstr(text, "\r\n");

		assert_non_null(end);
		assert_true(end - text <= 78);
		assert_null(memchr(text, '\n', (size_t)(end - text)));
		if (!body)
			assert_int_not_equal(strncmp(text, "Bcc:", 4), 0);
		body = body || end == text;
		if (body)
			assert_int_not_equal(text[0], '.');
		text = end + 2;
	}
}

static void test_a_mail_keeps_its_lines_and_headers(void **state)
{
	const struct forward_mail mail = { "muster@example.org", recipients, 2, 1763760000000000 };
	struct forward_event events[2] = { detection(evil, COUNT_OF(evil)), detection(evil, 1) };
	struct buf out;

	(void)state;
	buf_init(&out, 65536);
	events[1].computer_name = "\xe6\x97\xa5\xe6\x9c\xac";
	for (size_t count = 1; count <= 2; count++) {
		buf_reset(&out);
		forward_mail(&origin, &mail, events, count, &out);
		assert_int_equal(out.status, 0);
		check_mail_lines(buf_text(&out));
		assert_non_null(strstr(buf_text(&out), "Date: Fri, 21 Nov 2025 21:20:00 +0000\r\n"));
		assert_non_null(strstr(buf_text(&out), "To: <ops@example.org>,\r\n <night@example.org>\r\n"));
	}
	assert_non_null(strstr(buf_text(&out), "Subject: 2 messages from manager.example\r\n"));
	buf_reset(&out);
	forward_mail(&origin, &mail, events + 1, 1, &out);
	assert_non_null(strstr(buf_text(&out), "Subject: =?UTF-8?Q?=E6=97=A5=E6=9C=AC="));
	check_mail_lines(buf_text(&out));
	buf_done(&out);
}

static void test_addresses_that_end_a_header_are_none(void **state)
{
	(void)state;
	assert_true(forward_is_address("a.b+c@example.org"));
	assert_false(forward_is_address("a"));
	assert_false(forward_is_address("@b"));
	assert_false(forward_is_address("a@"));
	assert_false(forward_is_address("a@b@c"));
	assert_false(forward_is_address("a@b\r\nBcc: c@d"));
	assert_false(forward_is_address("<a@b>"));
	assert_false(forward_is_address("-f@b"));
}

static void test_a_webhook_body_is_json(void **state)
{
	struct forward_event events[2] = { detection(evil, COUNT_OF(evil)), detection(NULL, 0) };
	struct buf out;
	json_t *json;

	(void)state;
	buf_init(&out, 65536);
	forward_webhook(&origin, events, 2, &out);
	json = json_loadb((const char *)out.data, out.size, 0, NULL);
	assert_int_equal(json_array_size(json_object_get(json, "events")), 2);
	assert_string_equal(json_string_value(json_object_get(json, "manager")), "manager.example");
	json_decref(json);
	buf_done(&out);
}

static void test_no_room_is_told(void **state)
{
	struct forward_event event = detection(evil, COUNT_OF(evil));
	struct buf out;

	(void)state;
	buf_init(&out, 64);
	forward_syslog(&origin, &event, FORWARD_CEF, 16, &out);
	assert_int_equal(out.status, ERR_LIMIT);
	buf_done(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cef_is_one_line_with_its_specials_escaped),
		cmocka_unit_test(test_a_syslog_message_has_the_rfcs_header),
		cmocka_unit_test(test_facilities_are_those_of_the_rfc),
		cmocka_unit_test(test_an_unknown_number_and_the_manager_itself),
		cmocka_unit_test(test_a_mail_keeps_its_lines_and_headers),
		cmocka_unit_test(test_addresses_that_end_a_header_are_none),
		cmocka_unit_test(test_a_webhook_body_is_json),
		cmocka_unit_test(test_no_room_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
