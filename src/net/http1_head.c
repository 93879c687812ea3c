/* Start line and header fields of HTTP/1.1 (RFC 9112 sections 3 to 6).
 *
 * Input is hostile, but http1.c has made sure of its lines: each ends in CR LF,
 * there is no other CR or LF and no NUL, and an empty line is the last. The text
 * is rewritten in place as NUL-terminated strings.
 */
#include "net/http1_head.h"

#include <string.h>
#include <strings.h>

static bool is_digit(char byte)
{
	return byte >= '0' && byte <= '9';
}

static bool is_letter(char byte)
{
	return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z');
}

/* tchar, RFC 9110 section 5.6.2 */
static bool is_token_byte(char byte)
{
	return is_letter(byte) || is_digit(byte) || (byte != '\0' && strchr("!#$%&'*+-.^_`|~", byte) != NULL);
}

/* What RFC 3986 lets stand in path and query; "%" is checked on its own. */
static bool is_target_byte(char byte)
{
	return is_letter(byte) || is_digit(byte) || (byte != '\0' && strchr("-._~!$&'()*+,;=:@/?%", byte) != NULL);
}

int http1_hex_digit(uint8_t byte)
{
	if (byte >= '0' && byte <= '9')
		return byte - '0';
	if (byte >= 'a' && byte <= 'f')
		return byte - 'a' + 10;
	if (byte >= 'A' && byte <= 'F')
		return byte - 'A' + 10;
	return -1;
}

static bool is_token(const char *text)
{
	if (*text == '\0')
		return false;
	while (is_token_byte(*text))
		text++;
	return *text == '\0';
}

/* Ends the line at `line` with NUL; returns where the next one starts. */
static char *cut_line(char *line)
{
	char *end = strstr(line, "\r\n");

	*end = '\0';
	return end + 2;
}

/* --- start line --- */

static bool parse_version(struct http1 *message, const char *text)
{
	if (strncmp(text, "HTTP/", 5) != 0 || !is_digit(text[5]) || text[6] != '.' || !is_digit(text[7]) ||
	    text[8] != '\0')
		return http1_fail(message, 400, "the first line does not end in an HTTP version");
	if (text[5] != '1')
		return http1_fail(message, 505, "this is HTTP/1.1");
	message->minor = text[7] == '0' ? 0 : 1;
	return true;
}

static bool check_target(struct http1 *message, const char *target)
{
	for (const char *at = target; *at != '\0'; at++) {
		if (!is_target_byte(*at))
			return http1_fail(message, 400, "a character in the request target that must be encoded");
		if (*at == '%' && (http1_hex_digit((uint8_t)at[1]) < 0 || http1_hex_digit((uint8_t)at[2]) < 0))
			return http1_fail(message, 400, "a percent sign without two hexadecimal digits in the target");
	}
	return true;
}

/* The absolute form is accepted as section 3.2.2 demands; its authority is
 * dropped. `/` is put in front of an empty path: there is room, the scheme. */
static char *strip_authority(char *target)
{
	char *rest = NULL;

	if (strncasecmp(target, "https://", 8) == 0)
		rest = target + 8;
	else if (strncasecmp(target, "http://", 7) == 0)
		rest = target + 7;
	if (rest == NULL)
		return target;
	rest += strcspn(rest, "/?");
	if (*rest == '/')
		return rest;
	memmove(target + 1, rest, strlen(rest) + 1);
	target[0] = '/';
	return target;
}

static bool parse_target(struct http1 *message, char *target)
{
	char *query;

	target = strip_authority(target);
	if (target[0] != '/')
		return http1_fail(message, 400, "the request target does not begin with a slash");
	if (!check_target(message, target))
		return false;
	query = strchr(target, '?');
	if (query != NULL)
		*query++ = '\0';
	message->path = target;
	message->query = query != NULL ? query : "";
	return true;
}

static bool parse_request_line(struct http1 *message, char *line)
{
	char *target = strchr(line, ' ');
	char *version = target != NULL ? strchr(target + 1, ' ') : NULL;

	if (version == NULL)
		return http1_fail(message, 400, "the first line is not method, target and version");
	*target++ = '\0';
	*version++ = '\0';
	if (!is_token(line) || strlen(line) > HTTP1_METHOD_MAX)
		return http1_fail(message, 400, "not a method");
	message->method = line;
	return parse_version(message, version) && parse_target(message, target);
}

static bool parse_status_line(struct http1 *message, char *line)
{
	char *code = strchr(line, ' ');

	if (code == NULL)
		return http1_fail(message, 502, "the first line is not version and status");
	*code++ = '\0';
	if (!parse_version(message, line))
		return false;
	if (!is_digit(code[0]) || !is_digit(code[1]) || !is_digit(code[2]) || (code[3] != ' ' && code[3] != '\0') ||
	    code[0] == '0')
		return http1_fail(message, 502, "the status is not a number of three digits");
	message->status = (code[0] - '0') * 100 + (code[1] - '0') * 10 + (code[2] - '0');
	return true;
}

/* --- header fields --- */

static bool check_value(struct http1 *message, const char *value)
{
	for (; *value != '\0'; value++)
		if (((uint8_t)*value < ' ' && *value != '\t') || *value == 0x7f)
			return http1_fail(message, 400, "a control character in a header");
	return true;
}

static char *trim(char *value)
{
	size_t size;

	value += strspn(value, " \t");
	size = strlen(value);
	while (size > 0 && (value[size - 1] == ' ' || value[size - 1] == '\t'))
		value[--size] = '\0';
	return value;
}

/* Appends "name\0value\0" at *out, which lies before the line. */
static bool parse_field(struct http1 *message, char *line, char **out)
{
	char *colon = strchr(line, ':');
	char *value;
	size_t size;

	if (line[0] == ' ' || line[0] == '\t')
		return http1_fail(message, 400, "a header folded over two lines");
	if (colon == NULL)
		return http1_fail(message, 400, "a header without colon");
	*colon = '\0';
	if (!is_token(line))
		return http1_fail(message, 400, "not a header name (is there a space before the colon?)");
	value = trim(colon + 1);
	if (!check_value(message, value))
		return false;
	if (++message->header_count > message->header_max)
		return http1_fail(message, 431, "too many headers");
	size = (size_t)(colon - line) + 1;
	memmove(*out, line, size);
	*out += size;
	size = strlen(value) + 1;
	memmove(*out, value, size);
	*out += size;
	return true;
}

static bool parse_fields(struct http1 *message, char *line)
{
	char *text = (char *)message->head.data;
	char *out = line;

	message->headers_at = (size_t)(line - text);
	while (strncmp(line, "\r\n", 2) != 0) {
		char *next = cut_line(line);

		if (!parse_field(message, line, &out))
			return false;
		line = next;
	}
	message->head.size = (size_t)(out - text);
	return true;
}

/* --- what the fields mean for the connection --- */

static bool parse_length(struct http1 *message, const char *value)
{
	uint64_t length = 0;

	if (message->content_length != HTTP1_LENGTH_UNKNOWN)
		return http1_fail(message, 400, "Content-Length given twice");
	if (*value == '\0')
		return http1_fail(message, 400, "Content-Length is not a number");
	for (; *value != '\0'; value++) {
		if (!is_digit(*value))
			return http1_fail(message, 400, "Content-Length is not a number");
		if (length > (INT64_MAX - 9) / 10)
			return http1_fail(message, 413, "Content-Length is too large");
		length = length * 10 + (uint64_t)(*value - '0');
	}
	message->content_length = length;
	return true;
}

static bool parse_coding(struct http1 *message, const char *value)
{
	if (message->framing == HTTP1_CHUNKED)
		return http1_fail(message, 400, "Transfer-Encoding given twice");
	if (message->minor == 0)
		return http1_fail(message, 400, "Transfer-Encoding in HTTP/1.0");
	if (strcasecmp(value, "chunked") != 0)
		return http1_fail(message, 501, "a transfer coding other than chunked");
	message->framing = HTTP1_CHUNKED;
	return true;
}

/* True if the comma-separated list has the word. */
static bool list_has(const char *list, const char *word)
{
	size_t size = strlen(word);

	while (*list != '\0') {
		size_t item;

		list += strspn(list, " \t,");
		item = strcspn(list, " \t,");
		if (item == size && strncasecmp(list, word, size) == 0)
			return true;
		list += item;
	}
	return false;
}

static bool parse_connection(struct http1 *message, const char *value)
{
	if (list_has(value, "close"))
		message->keep_alive = false;
	else if (message->minor == 0 && list_has(value, "keep-alive"))
		message->keep_alive = true;
	return true;
}

static bool parse_expect(struct http1 *message, const char *value)
{
	if (strcasecmp(value, "100-continue") != 0)
		return http1_fail(message, 417, "an expectation other than 100-continue");
	message->expects_continue = message->minor > 0;
	return true;
}

static const struct {
	const char *name;
	bool (*parse)(struct http1 *message, const char *value);
	bool requests_only;
} rules[] = {
	{ "Content-Length", parse_length, false },
	{ "Transfer-Encoding", parse_coding, false },
	{ "Connection", parse_connection, false },
	{ "Expect", parse_expect, true },
};

static bool apply_rules(struct http1 *message)
{
	const char *cursor = NULL, *name, *value;
	unsigned hosts = 0;

	message->keep_alive = message->minor > 0;
	while (http1_next_header(message, &cursor, &name, &value)) {
		hosts += strcasecmp(name, "Host") == 0;
		for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
			if (strcasecmp(name, rules[i].name) != 0)
				continue;
			if (rules[i].requests_only && message->kind == HTTP1_ANSWER)
				continue;
			if (!rules[i].parse(message, value))
				return false;
		}
	}
	if (message->kind == HTTP1_REQUEST && (hosts > 1 || (hosts == 0 && message->minor > 0)))
		return http1_fail(message, 400, hosts > 1 ? "Host given twice" : "Host is missing");
	return true;
}

/* RFC 9112 section 6.3 */
static bool decide_framing(struct http1 *message)
{
	bool sized = message->content_length != HTTP1_LENGTH_UNKNOWN;

	if (message->framing == HTTP1_CHUNKED && sized)
		return http1_fail(message, 400, "both Content-Length and Transfer-Encoding");
	if (message->kind == HTTP1_ANSWER && (message->head_wanted_no_body || message->status < 200 ||
					      message->status == 204 || message->status == 304)) {
		message->framing = HTTP1_NO_BODY;
		return true;
	}
	if (message->framing == HTTP1_CHUNKED)
		return true;
	if (sized)
		message->framing = HTTP1_SIZED;
	else if (message->kind == HTTP1_ANSWER)
		message->framing = HTTP1_UNTIL_CLOSE;
	if (message->framing == HTTP1_UNTIL_CLOSE)
		message->keep_alive = false;
	return true;
}

bool http1_parse_head(struct http1 *message)
{
	char *line = (char *)message->head.data;
	char *next = cut_line(line);

	if (!(message->kind == HTTP1_REQUEST ? parse_request_line(message, line) : parse_status_line(message, line)))
		return false;
	return parse_fields(message, next) && apply_rules(message) && decide_framing(message);
}
