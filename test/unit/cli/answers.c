/* cli/problem.h and cli/sse.h: refusals as sentences, streams as events. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/units.h"
#include "cli/problem.h"
#include "cli/sse.h"

static void problems_become_sentences(void **state)
{
	static const struct {
		long status;
		const char *body;
		long retry_after_s;
		int code;
		const char *text;
	} cases[] = {
		{ 404, "{\"title\":\"Not found\",\"detail\":\"There is no command with this id.\"}", 0, ERR_NOT_FOUND,
		  "There is no command with this id." },
		{ 400,
		  "{\"title\":\"Not valid\",\"errors\":[{\"name\":\"paths[0]\",\"reason\":\"must begin with /\"},"
		  "{\"name\":\"timeout\",\"reason\":\"too long\"}]}",
		  0, ERR_RANGE, "Not valid (paths[0]: must begin with /; timeout: too long)" },
		/* Where to look is for programs. */
		{ 400,
		  "{\"detail\":\"Nothing was changed: see errors.\",\"errors\":[{\"name\":\"a.b\",\"reason\":\"is not "
		  "a "
		  "setting\"}]}",
		  0, ERR_RANGE, "Nothing was changed (a.b: is not a setting)" },
		/* One that is the sentence itself is not told again. */
		{ 409,
		  "{\"title\":\"No package\",\"detail\":\"there is none for vax\",\"errors\":[{\"name\":\"platform\","
		  "\"reason\":\"there is none for vax\"}]}",
		  0, ERR_CONFLICT, "there is none for vax" },
		{ 409,
		  "{\"detail\":\"none for vax\",\"errors\":[{\"name\":\"platform\",\"reason\":\"none for vax\"},"
		  "{\"name\":\"uses\",\"reason\":\"too many\"},{\"name\":\"policy\",\"reason\":\"\"}]}",
		  0, ERR_CONFLICT, "none for vax (uses: too many; policy: )" },
		{ 401, "{\"detail\":\"The token has expired.\"}", 0, ERR_DENIED,
		  "The token has expired; sign in with `muster login`, or give --token or MUSTER_TOKEN" },
		{ 401, "{\"detail\":\"This needs a token: send a header. Or else.\"}", 0, ERR_DENIED,
		  "This needs a token; sign in with `muster login`, or give --token or MUSTER_TOKEN" },
		{ 503, "{\"title\":\"Busy\"}", 7, ERR_BUSY, "Busy; try again later (in 7 s)" },
		{ 502, "<html>Bad gateway</html>", 0, ERR_INTERNAL, "the answer was HTTP status 502 without a reason" },
		{ 418, "", 0, ERR_REFUSED, "the answer was HTTP status 418 without a reason" },
		{ 409, "{\"detail\":\"a\\u001b[2Jb\"}", 0, ERR_CONFLICT, "a\\x1b[2Jb" },
		{ 409, "{\"detail\":7,\"title\":[],\"errors\":{}}", 0, ERR_CONFLICT,
		  "the answer was HTTP status 409 without a reason" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct err err = { 0 };

		assert_int_equal(
		    problem_error(cases[i].status, cases[i].body, strlen(cases[i].body), cases[i].retry_after_s, &err),
		    cases[i].code);
		assert_int_equal(err.code, cases[i].code);
		assert_string_equal(err.text, cases[i].text);
	}
}

static int keep(void *context, const char *event, const char *data)
{
	buf_printf(context, "<%s|%s>", event, data);
	return strcmp(data, "stop") == 0 ? ERR_CANCELLED : 0;
}

static const char stream[] =
    ": hello\n\nid: 1\nevent: event\ndata: {\"a\":1}\n\ndata:one\r\ndata: two\r\n\r\n"
    "retry: 5\nid: 2\rdata: three\r\revent: only\n\ndata\n\nunknown: x\nid: 3\ndata: unfinished\n";
static const char expected[] = "<event|{\"a\":1}><|one\ntwo><|three><|>";

static void events_come_whole_however_they_are_cut(void **state)
{
	(void)state;
	for (size_t piece = 1; piece <= sizeof(stream); piece++) {
		struct buf out;
		struct sse sse;

		buf_init(&out, 1000);
		sse_init(&sse);
		for (size_t at = 0; at < sizeof(stream) - 1; at += piece) {
			size_t left = sizeof(stream) - 1 - at;

			assert_int_equal(sse_feed(&sse, stream + at, left < piece ? left : piece, keep, &out), 0);
		}
		assert_string_equal(buf_text(&out), expected);
		assert_string_equal(sse.id, "3");
		sse_done(&sse);
		buf_done(&out);
	}
}

static void a_stream_can_be_ended(void **state)
{
	static const char text[] = "data: go\n\ndata: stop\n\ndata: never\n\n";
	struct buf out;
	struct sse sse;

	(void)state;
	buf_init(&out, 1000);
	sse_init(&sse);
	assert_int_equal(sse_feed(&sse, text, sizeof(text) - 1, keep, &out), ERR_CANCELLED);
	assert_string_equal(buf_text(&out), "<|go><|stop>");
	sse_done(&sse);
	buf_done(&out);
}

static void an_endless_line_is_refused(void **state)
{
	static const char piece[4096] = { 'x' };
	struct buf out;
	struct sse sse;
	int rc = 0;

	(void)state;
	buf_init(&out, 1000);
	sse_init(&sse);
	for (int i = 0; rc == 0 && i < 1000; i++)
		rc = sse_feed(&sse, piece, sizeof(piece), keep, &out);
	assert_int_equal(rc, ERR_LIMIT);
	sse_done(&sse);
	buf_done(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(problems_become_sentences),
		cmocka_unit_test(events_come_whole_however_they_are_cut),
		cmocka_unit_test(a_stream_can_be_ended),
		cmocka_unit_test(an_endless_line_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
