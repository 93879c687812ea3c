/* agent/control.h: requests there and back, and those that are refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/control.h"
#include "base/units.h"

static int parse_back(const struct control_request *request, struct control_request *back)
{
	char *line = control_request_format(request);
	int rc;

	assert_non_null(line);
	assert_int_equal(line[strlen(line) - 1], '\n');
	rc = control_request_parse(line, strlen(line) - 1, back, NULL);
	free(line);
	return rc;
}

static void a_scan_goes_there_and_back_with_hostile_names(void **state)
{
	char plain[] = "/usr/share", hostile[] = "/tmp/a\nb\x1b[31m\xff\\x41\"";
	char *paths[] = { plain, hostile };
	struct control_request request = { .kind = CONTROL_SCAN, .paths = paths, .path_count = 2 };
	struct control_request back;

	(void)state;
	assert_int_equal(parse_back(&request, &back), 0);
	assert_int_equal(back.kind, CONTROL_SCAN);
	assert_int_equal(back.path_count, 2);
	assert_string_equal(back.paths[0], plain);
	assert_string_equal(back.paths[1], hostile);
	assert_int_equal(back.exclude_count, 0);
	control_request_done(&back);
}

static void restore_carries_item_and_overwrite(void **state)
{
	struct control_request request = { .kind = CONTROL_QUARANTINE_RESTORE, .overwrite = true };
	struct control_request back;

	(void)state;
	memset(&request.item, 0x5a, sizeof(request.item));
	assert_int_equal(parse_back(&request, &back), 0);
	assert_true(back.overwrite);
	assert_true(uuid_equal(&back.item, &request.item));
}

static void trust_carries_key_and_password(void **state)
{
	char password[] = "pass \"word\"";
	struct control_request request = { .kind = CONTROL_TRUST, .password = password };
	struct control_request back;

	(void)state;
	memset(request.key, 0xa5, sizeof(request.key));
	assert_int_equal(parse_back(&request, &back), 0);
	assert_memory_equal(back.key, request.key, sizeof(back.key));
	assert_string_equal(back.password, password);
	control_request_done(&back);
	request.password = NULL;
	assert_int_equal(parse_back(&request, &back), 0);
	assert_null(back.password);
	control_request_done(&back);
}

static void what_needs_a_password_carries_it(void **state)
{
	static const enum control_kind kinds[] = { CONTROL_STOP, CONTROL_TRUST, CONTROL_UNINSTALL };
	char password[] = "correct horse";

	(void)state;
	for (size_t i = 0; i < COUNT_OF(kinds); i++) {
		struct control_request request = { .kind = kinds[i], .password = password }, back;

		assert_int_equal(parse_back(&request, &back), 0);
		assert_int_equal(back.kind, kinds[i]);
		assert_string_equal(back.password, password);
		control_request_done(&back);
	}
}

static void bad_requests_are_refused(void **state)
{
	static const struct {
		const char *line;
		int code;
	} rows[] = {
		{ "", ERR_FORMAT },
		{ "status", ERR_FORMAT },
		{ "[]", ERR_FORMAT },
		{ "{}", ERR_FORMAT },
		{ "{\"do\":1}", ERR_FORMAT },
		{ "{\"do\":\"status\"", ERR_FORMAT },
		{ "{\"do\":\"status\",\"do\":\"stop\"}", ERR_FORMAT },
		{ "{\"do\":\"fly\"}", ERR_UNKNOWN },
		{ "{\"do\":\"scan\",\"paths\":\"/\"}", ERR_FORMAT },
		{ "{\"do\":\"scan\",\"paths\":[1]}", ERR_FORMAT },
		{ "{\"do\":\"scan\",\"paths\":[\"relative\"]}", ERR_RANGE },
		{ "{\"do\":\"scan\",\"paths\":[\"\"]}", ERR_RANGE },
		{ "{\"do\":\"scan\",\"paths\":[\"/a\\\\x00b\"]}", ERR_RANGE },
		{ "{\"do\":\"scan\",\"paths\":[\"/a\\\\q\"]}", ERR_FORMAT },
		{ "{\"do\":\"quarantine.delete\"}", ERR_FORMAT },
		{ "{\"do\":\"quarantine.delete\",\"item\":\"12\"}", ERR_FORMAT },
		{ "{\"do\":\"events\",\"limit\":-1}", ERR_RANGE },
		{ "{\"do\":\"events\",\"limit\":10001}", ERR_RANGE },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct control_request request;
		struct err err = { 0 };
		int rc = control_request_parse(rows[i].line, strlen(rows[i].line), &request, &err);

		if (rc != rows[i].code)
			print_error("%s: %s\n", rows[i].line, err_name(rc));
		assert_int_equal(rc, rows[i].code);
		assert_true(err.text[0] != '\0');
	}
}

static void counts_and_sizes_have_limits(void **state)
{
	struct control_request request;
	struct buf line;

	(void)state;
	buf_init(&line, 2 * CONTROL_REQUEST_MAX_BYTES);
	while (line.size <= CONTROL_REQUEST_MAX_BYTES)
		buf_append_byte(&line, ' ');
	assert_int_equal(control_request_parse(line.data, line.size, &request, NULL), ERR_LIMIT);

	buf_reset(&line);
	buf_append_text(&line, "{\"do\":\"scan\",\"paths\":[\"/\"");
	for (int i = 0; i < CONTROL_PATHS_MAX; i++)
		buf_append_text(&line, ",\"/\"");
	buf_append_text(&line, "]}");
	assert_int_equal(control_request_parse(line.data, line.size, &request, NULL), ERR_LIMIT);

	buf_reset(&line);
	buf_append_text(&line, "{\"do\":\"scan\",\"paths\":[\"/");
	for (int i = 0; i < CONTROL_PATH_MAX_BYTES; i++)
		buf_append_byte(&line, 'a');
	buf_append_text(&line, "\"]}");
	assert_int_equal(control_request_parse(line.data, line.size, &request, NULL), ERR_LIMIT);
	buf_done(&line);
}

static void lines_are_cut_from_a_stream(void **state)
{
	struct buf in;
	size_t size;
	int rc;

	(void)state;
	buf_init(&in, 64);
	assert_false(control_line(&in, 8, &size, &rc));
	assert_int_equal(rc, 0);
	buf_append_text(&in, "12345678\nrest");
	assert_true(control_line(&in, 8, &size, &rc));
	assert_int_equal(size, 8);
	assert_false(control_line(&in, 7, &size, &rc));
	assert_int_equal(rc, ERR_LIMIT);
	buf_consume(&in, 9);
	assert_false(control_line(&in, 8, &size, &rc));
	assert_int_equal(rc, 0);
	buf_append_text(&in, "of it");
	assert_false(control_line(&in, 8, &size, &rc));
	assert_int_equal(rc, ERR_LIMIT);
	buf_done(&in);
}

static void the_end_line_tells_the_error(void **state)
{
	struct err err;
	json_t *line;

	(void)state;
	line = control_end_line(err_set(&err, ERR_WRONG_STATE, "no scan runs\n"), &err);
	assert_false(json_is_true(json_object_get(line, "ok")));
	assert_string_equal(json_string_value(json_object_get(line, "code")), "state");
	assert_string_equal(json_string_value(json_object_get(line, "error")), "no scan runs\\x0a");
	json_decref(line);
	line = control_end_line(0, NULL);
	assert_true(json_is_true(json_object_get(line, "ok")));
	json_decref(line);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_scan_goes_there_and_back_with_hostile_names),
		cmocka_unit_test(restore_carries_item_and_overwrite),
		cmocka_unit_test(trust_carries_key_and_password),
		cmocka_unit_test(what_needs_a_password_carries_it),
		cmocka_unit_test(bad_requests_are_refused),
		cmocka_unit_test(counts_and_sizes_have_limits),
		cmocka_unit_test(lines_are_cut_from_a_stream),
		cmocka_unit_test(the_end_line_tells_the_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
