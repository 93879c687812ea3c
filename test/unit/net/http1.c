/* The HTTP/1.1 parser: tables of messages and what becomes of them. Each is
 * read whole and byte by byte; both must give the same events. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/units.h"
#include "net/http1.h"

#define HEAD_MAX    200
#define HEADERS_MAX 4

/* What a message became, as one line. */
struct result {
	char text[512];
};

static void note_head(const struct http1 *message, struct buf *out)
{
	static const char *const framings[] = { "none", "sized", "chunked", "close" };

	if (message->kind == HTTP1_REQUEST)
		buf_printf(out, "%s %s?%s 1.%u", message->method, message->path, message->query, message->minor);
	else
		buf_printf(out, "%d 1.%u", message->status, message->minor);
	buf_printf(out, " %s %s%s", framings[message->framing], message->keep_alive ? "keep" : "close",
		   message->expects_continue ? " expects" : "");
}

/* Feeds `step` bytes at a time; stops at END or FAILED, or with "more". */
static struct result read_message(enum http1_kind kind, const char *bytes, size_t size, size_t step, bool closed)
{
	struct http1 message;
	struct result result = { "" };
	struct buf out, body;
	size_t at = 0, used;
	enum http1_event event = HTTP1_MORE;

	buf_init(&out, 400);
	buf_init(&body, 400);
	http1_init(&message, kind, HEAD_MAX, HEADERS_MAX);
	http1_limit_body(&message, 20);
	while (event != HTTP1_END && event != HTTP1_FAILED) {
		size_t piece = size - at < step ? size - at : step;

		event = http1_read(&message, (const uint8_t *)bytes + at, piece, &used);
		assert_true(used <= piece);
		at += used;
		if (event == HTTP1_HEAD)
			note_head(&message, &out);
		else if (event == HTTP1_BODY)
			buf_append(&body, message.body, message.body_size);
		else if (event == HTTP1_MORE && at == size) {
			if (!closed)
				break;
			event = http1_closed(&message);
		}
	}
	if (body.size > 0)
		buf_printf(&out, " [%s]", buf_text(&body));
	if (event == HTTP1_FAILED)
		buf_printf(&out, "%s%d %s", out.size > 0 ? " " : "", message.status, message.cause);
	else
		buf_printf(&out, " %s left %zu", event == HTTP1_END ? "end" : "more", size - at);
	snprintf(result.text, sizeof(result.text), "%s", buf_text(&out));
	http1_done(&message);
	buf_done(&out);
	buf_done(&body);
	return result;
}

struct row {
	const char *bytes;
	const char *expected;
	size_t size; /* 0: strlen */
	bool closed;
};

static void check_rows(enum http1_kind kind, const struct row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		size_t size = rows[i].size != 0 ? rows[i].size : strlen(rows[i].bytes);
		static const size_t steps[] = { 4096, 1, 3 };

		for (size_t k = 0; k < COUNT_OF(steps); k++) {
			struct result result = read_message(kind, rows[i].bytes, size, steps[k], rows[i].closed);

			if (strcmp(result.text, rows[i].expected) != 0)
				fail_msg("row %zu, %zu bytes at a time: \"%s\"\n  gave     \"%s\"\n  expected \"%s\"",
					 i, steps[k], rows[i].bytes, result.text, rows[i].expected);
		}
	}
}

#define GET       "GET / HTTP/1.1\r\nHost: a\r\n"
#define PUT       "PUT / HTTP/1.1\r\nHost: a\r\n"
#define CHUNKED   PUT "Transfer-Encoding: chunked\r\n\r\n"
#define LONG_TEXT "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"

static void test_good_requests(void **state)
{
	static const struct row rows[] = {
		{ GET "\r\n", "GET /? 1.1 none keep end left 0" },
		{ "\r\n" GET "\r\n", "GET /? 1.1 none keep end left 0" },
		{ GET "\r\nGET", "GET /? 1.1 none keep end left 3" },
		{ "GET /a?b=%20c?d HTTP/1.1\r\nHost:a\r\n\r\n", "GET /a?b=%20c?d 1.1 none keep end left 0" },
		{ "GET http://h:1/x?y HTTP/1.1\r\nHost: h\r\n\r\n", "GET /x?y 1.1 none keep end left 0" },
		{ "GET HTTPS://h?y HTTP/1.1\r\nHost: h\r\n\r\n", "GET /?y 1.1 none keep end left 0" },
		{ "GET http://h HTTP/1.1\r\nHost: h\r\n\r\n", "GET /? 1.1 none keep end left 0" },
		{ "GET / HTTP/1.0\r\n\r\n", "GET /? 1.0 none close end left 0" },
		{ "GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", "GET /? 1.0 none keep end left 0" },
		{ "GET / HTTP/1.2\r\nHost: a\r\n\r\n", "GET /? 1.1 none keep end left 0" },
		{ GET "Connection: x, Close\r\n\r\n", "GET /? 1.1 none close end left 0" },
		{ GET "Connection: closed\r\n\r\n", "GET /? 1.1 none keep end left 0" },
		{ GET "Empty:\r\nBlank: \t \r\n\r\n", "GET /? 1.1 none keep end left 0" },
		{ PUT "content-length: 5\r\n\r\nhelloX", "PUT /? 1.1 sized keep [hello] end left 1" },
		{ PUT "Content-Length: 0\r\n\r\n", "PUT /? 1.1 sized keep end left 0" },
		{ PUT "Content-Length: 5\r\n\r\nhel", "PUT /? 1.1 sized keep [hel] more left 0" },
		{ PUT "Content-Length: 5\r\nExpect: 100-Continue\r\n\r\n",
		  "PUT /? 1.1 sized keep expects more left 0" },
		{ CHUNKED "5\r\nhello\r\n0\r\n\r\nX", "PUT /? 1.1 chunked keep [hello] end left 1" },
		{ CHUNKED "5;a=\"b\"\r\nhello\r\n00A\r\n, world!!!\r\n0\r\n\r\n",
		  "PUT /? 1.1 chunked keep [hello, world!!!] end left 0" },
		{ CHUNKED "1\r\nh\r\n0\r\nTrailer: t\r\nMore: u\r\n\r\nX", "PUT /? 1.1 chunked keep [h] end left 1" },
	};

	(void)state;
	check_rows(HTTP1_REQUEST, rows, COUNT_OF(rows));
}

static void test_bad_requests(void **state)
{
	static const struct row rows[] = {
		{ "GET / HTTP/1.1\nHost: a\n\n", "400 a line feed without carriage return in the headers" },
		{ "GET / HTTP/1.1\r\nHost: a\rb\r\n\r\n", "400 a carriage return without line feed in the headers" },
		{ GET "A: b\r\r\n\r\n", "400 a carriage return without line feed in the headers" },
		{ "GET / HTTP/1.1\r\nHost: a\0b\r\n\r\n", "400 a NUL byte in the headers", 28 },
		{ "\r\n\r\nGET / HTTP/1.1\r\n\r\n", "400 the first line is not method, target and version" },
		{ "GET /\r\n\r\n", "400 the first line is not method, target and version" },
		{ "GET  / HTTP/1.1\r\nHost: a\r\n\r\n", "400 the first line does not end in an HTTP version" },
		{ "GET / / HTTP/1.1\r\nHost: a\r\n\r\n", "400 the first line does not end in an HTTP version" },
		{ "G(T / HTTP/1.1\r\nHost: a\r\n\r\n", "400 not a method" },
		{ " GET / HTTP/1.1\r\nHost: a\r\n\r\n", "400 not a method" },
		{ "ABCDEFGHIJKLMNOPQRSTUVWXYZ / HTTP/1.1\r\nHost: a\r\n\r\n", "400 not a method" },
		{ "GET / HTTP/1.1 \r\nHost: a\r\n\r\n", "400 the first line does not end in an HTTP version" },
		{ "GET / http/1.1\r\nHost: a\r\n\r\n", "400 the first line does not end in an HTTP version" },
		{ "GET / HTTP/1.10\r\nHost: a\r\n\r\n", "400 the first line does not end in an HTTP version" },
		{ "GET / HTTP/2.0\r\nHost: a\r\n\r\n", "505 this is HTTP/1.1" },
		{ "PRI * HTTP/2.0\r\n\r\n", "505 this is HTTP/1.1" },
		{ "GET a HTTP/1.1\r\nHost: a\r\n\r\n", "400 the request target does not begin with a slash" },
		{ "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", "400 the request target does not begin with a slash" },
		{ "CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n", "400 the request target does not begin with a slash" },
		{ "GET /\xff HTTP/1.1\r\nHost: a\r\n\r\n",
		  "400 a character in the request target that must be encoded" },
		{ "GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n",
		  "400 a character in the request target that must be encoded" },
		{ "GET /a\tb HTTP/1.1\r\nHost: a\r\n\r\n",
		  "400 a character in the request target that must be encoded" },
		{ "GET /%2 HTTP/1.1\r\nHost: a\r\n\r\n",
		  "400 a percent sign without two hexadecimal digits in the target" },
		{ "GET / HTTP/1.1\r\n\r\n", "400 Host is missing" },
		{ GET "host: a\r\n\r\n", "400 Host given twice" },
		{ GET " folded\r\n\r\n", "400 a header folded over two lines" },
		{ GET "\tfolded: x\r\n\r\n", "400 a header folded over two lines" },
		{ "GET / HTTP/1.1\r\n Host: a\r\n\r\n", "400 a header folded over two lines" },
		{ GET "nothing\r\n\r\n", "400 a header without colon" },
		{ GET "A : b\r\n\r\n", "400 not a header name (is there a space before the colon?)" },
		{ GET ": b\r\n\r\n", "400 not a header name (is there a space before the colon?)" },
		{ GET "A\xc3\xa4: b\r\n\r\n", "400 not a header name (is there a space before the colon?)" },
		{ GET "A: \x01\r\n\r\n", "400 a control character in a header" },
		{ GET "A: \x7f\r\n\r\n", "400 a control character in a header" },
		{ GET "A: 1\r\nB: 2\r\nC: 3\r\nD: 4\r\n\r\n", "431 too many headers" },
		{ "GET /" LONG_TEXT LONG_TEXT " HTTP/1.1\r\n\r\n", "414 the first line is too long" },
		{ GET "A: " LONG_TEXT LONG_TEXT "\r\n\r\n", "431 the headers are too large" },
		{ PUT "Content-Length: 1\r\nContent-Length: 1\r\n\r\n", "400 Content-Length given twice" },
		{ PUT "Content-Length: 1, 1\r\n\r\n", "400 Content-Length is not a number" },
		{ PUT "Content-Length: +1\r\n\r\n", "400 Content-Length is not a number" },
		{ PUT "Content-Length: -1\r\n\r\n", "400 Content-Length is not a number" },
		{ PUT "Content-Length: 0x1\r\n\r\n", "400 Content-Length is not a number" },
		{ PUT "Content-Length:\r\n\r\n", "400 Content-Length is not a number" },
		{ PUT "Content-Length: 99999999999999999999\r\n\r\n", "413 Content-Length is too large" },
		{ PUT "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
		  "400 both Content-Length and Transfer-Encoding" },
		{ PUT "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
		  "400 Transfer-Encoding given twice" },
		{ PUT "Transfer-Encoding: gzip, chunked\r\n\r\n", "501 a transfer coding other than chunked" },
		{ PUT "Transfer-Encoding: identity\r\n\r\n", "501 a transfer coding other than chunked" },
		{ PUT "Transfer-Encoding: xchunked\r\n\r\n", "501 a transfer coding other than chunked" },
		{ "PUT / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", "400 Transfer-Encoding in HTTP/1.0" },
		{ PUT "Expect: 200-ok\r\n\r\n", "417 an expectation other than 100-continue" },
	};

	(void)state;
	check_rows(HTTP1_REQUEST, rows, COUNT_OF(rows));
}

static void test_bad_bodies(void **state)
{
	static const struct row rows[] = {
		{ CHUNKED "15\r\n", "PUT /? 1.1 chunked keep 413 the body is larger than what is accepted here" },
		{ CHUNKED "ffffffffffffffff\r\n",
		  "PUT /? 1.1 chunked keep 413 the body is larger than what is accepted here" },
		{ CHUNKED "10000000000000000\r\n", "PUT /? 1.1 chunked keep 400 a chunk size that is too large" },
		{ CHUNKED "\r\n", "PUT /? 1.1 chunked keep 400 a chunk size that is not a hexadecimal number" },
		{ CHUNKED "0x5\r\n", "PUT /? 1.1 chunked keep 400 a chunk size that is not a hexadecimal number" },
		{ CHUNKED "-1\r\n", "PUT /? 1.1 chunked keep 400 a chunk size that is not a hexadecimal number" },
		{ CHUNKED "5 \r\nhello", "PUT /? 1.1 chunked keep 400 a chunk size that is not a hexadecimal number" },
		{ CHUNKED "5\nhello", "PUT /? 1.1 chunked keep 400 a chunk size that is not a hexadecimal number" },
		{ CHUNKED "5;\x01\r\nhello", "PUT /? 1.1 chunked keep 400 a control character in a chunk extension" },
		{ CHUNKED "5;\nhello", "PUT /? 1.1 chunked keep 400 a control character in a chunk extension" },
		{ CHUNKED "5\rhello", "PUT /? 1.1 chunked keep 400 a chunk size that does not end in CR LF" },
		{ CHUNKED "5;" LONG_TEXT LONG_TEXT LONG_TEXT "\r\nhello",
		  "PUT /? 1.1 chunked keep 400 a chunk size line that is too long" },
		{ CHUNKED "0\r\nA: b\n\r\n",
		  "PUT /? 1.1 chunked keep 400 a line feed without carriage return in the headers" },
		{ CHUNKED "0\r\nA: " LONG_TEXT LONG_TEXT "\r\n\r\n",
		  "PUT /? 1.1 chunked keep 431 the trailer is too large" },
		{ CHUNKED "2\r\nhello", "PUT /? 1.1 chunked keep [he] 400 a chunk that is longer than its size says" },
		{ PUT "Content-Length: 5\r\n\r\nhel",
		  "PUT /? 1.1 sized keep [hel] 400 the connection ended inside a message", 0, true },
	};

	(void)state;
	check_rows(HTTP1_REQUEST, rows, COUNT_OF(rows));
}

/* How much of it is given before the refusal depends on the pieces. */
static void test_sized_body_over_the_limit(void **state)
{
	static const char text[] = PUT "Content-Length: 21\r\n\r\n123456789012345678901";

	(void)state;
	assert_string_equal(read_message(HTTP1_REQUEST, text, sizeof(text) - 1, 4096, false).text,
			    "PUT /? 1.1 sized keep 413 the body is larger than what is accepted here");
	assert_string_equal(read_message(HTTP1_REQUEST, text, sizeof(text) - 1, 1, false).text,
			    "PUT /? 1.1 sized keep [12345678901234567890] 413 the body is larger than what is "
			    "accepted here");
}

static void test_answers(void **state)
{
	static const struct row rows[] = {
		{ "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", "200 1.1 sized keep [ok] end left 0" },
		{ "HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok", "200 1.1 sized keep [ok] end left 0" },
		{ "HTTP/1.1 204 No Content\r\n\r\n", "204 1.1 none keep end left 0" },
		{ "HTTP/1.1 304 x\r\nContent-Length: 5\r\n\r\n", "304 1.1 none keep end left 0" },
		{ "HTTP/1.1 100 Continue\r\n\r\nHTTP", "100 1.1 none keep end left 4" },
		{ "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
		  "200 1.1 chunked keep [ok] end left 0" },
		{ "HTTP/1.1 200 OK\r\n\r\nrest", "200 1.1 close close [rest] end left 0", 0, true },
		{ "HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", "200 1.0 sized close end left 0" },
		{ "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok",
		  "200 1.1 sized keep [ok] 400 the connection ended inside a message", 0, true },
		{ "HTTP/1.1 2x0 OK\r\n\r\n", "502 the status is not a number of three digits" },
		{ "HTTP/1.1 2000 OK\r\n\r\n", "502 the status is not a number of three digits" },
		{ "HTTP/1.1\r\n\r\n", "502 the first line is not version and status" },
		{ "SSH-2.0-x y\r\n\r\n", "400 the first line does not end in an HTTP version" },
		{ "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
		  "400 both Content-Length and Transfer-Encoding" },
		{ "", "400 the connection ended inside a message", 0, true },
	};

	(void)state;
	check_rows(HTTP1_ANSWER, rows, COUNT_OF(rows));
}

static void test_headers_are_found(void **state)
{
	static const char text[] = GET "X-One: 1 \r\nx-two:\t two words\t\r\nX-One: again\r\n\r\n";
	const char *cursor = NULL, *name, *value;
	struct http1 message;
	unsigned count = 0;
	size_t used;

	(void)state;
	http1_init(&message, HTTP1_REQUEST, HEAD_MAX, HEADERS_MAX);
	assert_int_equal(http1_read(&message, (const uint8_t *)text, sizeof(text) - 1, &used), HTTP1_HEAD);
	assert_string_equal(http1_header(&message, "x-one"), "1");
	assert_string_equal(http1_header(&message, "X-TWO"), "two words");
	assert_null(http1_header(&message, "x-on"));
	assert_null(http1_header(&message, "1"));
	while (http1_next_header(&message, &cursor, &name, &value))
		count++;
	assert_int_equal(count, 4);
	http1_done(&message);
}

static void test_head_answer_has_no_body(void **state)
{
	static const char text[] = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n";
	struct http1 message;
	size_t used;

	(void)state;
	http1_init(&message, HTTP1_ANSWER, HEAD_MAX, HEADERS_MAX);
	http1_answers_head(&message);
	assert_int_equal(http1_read(&message, (const uint8_t *)text, sizeof(text) - 1, &used), HTTP1_HEAD);
	assert_int_equal(message.content_length, 9);
	assert_int_equal(http1_read(&message, NULL, 0, &used), HTTP1_END);
	http1_done(&message);
}

static void test_chunk_lines(void **state)
{
	char line[24];

	(void)state;
	assert_int_equal(http1_chunk_line(0, line), 5);
	assert_string_equal(line, "0\r\n\r\n");
	assert_int_equal(http1_chunk_line(UINT64_MAX, line), 18);
	assert_string_equal(line, "ffffffffffffffff\r\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good_requests),
		cmocka_unit_test(test_bad_requests),
		cmocka_unit_test(test_bad_bodies),
		cmocka_unit_test(test_sized_body_over_the_limit),
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_headers_are_found),
		cmocka_unit_test(test_head_answer_has_no_body),
		cmocka_unit_test(test_chunk_lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
