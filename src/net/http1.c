/* Framing of HTTP/1.1 messages: where the head ends, what is body, where the
 * message ends. Input is hostile; see http1.h.
 *
 * The head is collected whole (its size is limited) and parsed at once by
 * http1_head.c. Bodies are never collected.
 */
#include "net/http1.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/err.h"
#include "net/http1_head.h"

enum state {
	STATE_START, /* nothing yet, or the one empty line that may come first */
	STATE_HEAD,
	STATE_BODY_SIZED,
	STATE_BODY_UNTIL_CLOSE,
	STATE_CHUNK_SIZE,
	STATE_CHUNK_EXTENSION,
	STATE_CHUNK_SIZE_LF,
	STATE_CHUNK_DATA,
	STATE_CHUNK_CR,
	STATE_CHUNK_LF,
	STATE_TRAILER,
	STATE_ENDING, /* END is the next event */
	STATE_ENDED,
	STATE_FAILED,
};

void http1_init(struct http1 *message, enum http1_kind kind, size_t head_bytes, size_t header_count)
{
	*message = (struct http1){
		.kind = kind,
		.state = STATE_START,
		.line_empty = true,
		.header_max = header_count,
		.content_length = HTTP1_LENGTH_UNKNOWN,
		.body_max = UINT64_MAX,
	};
	buf_init(&message->head, head_bytes);
}

void http1_done(struct http1 *message)
{
	buf_done(&message->head);
}

void http1_answers_head(struct http1 *message)
{
	message->head_wanted_no_body = true;
}

void http1_limit_body(struct http1 *message, uint64_t max_bytes)
{
	message->body_max = max_bytes;
}

bool http1_fail(struct http1 *message, int status, const char *cause)
{
	message->state = STATE_FAILED;
	message->status = status;
	message->cause = cause;
	return false;
}

/* --- head --- */

/* One byte of head or trailer: line ends are CR LF, and neither comes alone. */
static bool check_line_byte(struct http1 *message, uint8_t byte)
{
	if (byte == '\0')
		return http1_fail(message, 400, "a NUL byte in the headers");
	if (message->previous == '\r' && byte != '\n')
		return http1_fail(message, 400, "a carriage return without line feed in the headers");
	if (byte == '\n' && message->previous != '\r')
		return http1_fail(message, 400, "a line feed without carriage return in the headers");
	message->previous = byte;
	return true;
}

/* True at the LF that ends an empty line. */
static bool ends_empty_line(struct http1 *message, uint8_t byte)
{
	bool empty = message->line_empty;

	if (byte == '\n') {
		message->line_empty = true;
		return empty;
	}
	if (byte != '\r')
		message->line_empty = false;
	return false;
}

static bool head_too_large(struct http1 *message, const uint8_t *bytes, size_t size)
{
	const struct buf *head = &message->head;
	const uint8_t *end = memchr(bytes, '\n', size);
	size_t line_size = head->size + (end != NULL ? (size_t)(end - bytes) : size);

	if (head->size > 0 && memchr(head->data, '\n', head->size) != NULL)
		line_size = 0;
	if (line_size >= head->max && message->kind == HTTP1_REQUEST)
		return http1_fail(message, 414, "the first line is too long");
	return http1_fail(message, 431, "the headers are too large");
}

static bool keep_head(struct http1 *message, const uint8_t *bytes, size_t size)
{
	switch (buf_append(&message->head, bytes, size)) {
	case 0:
		return true;
	case ERR_LIMIT:
		return head_too_large(message, bytes, size);
	default:
		return http1_fail(message, 500, "no memory for the headers");
	}
}

static void begin_body(struct http1 *message)
{
	switch (message->framing) {
	case HTTP1_NO_BODY:
		message->state = STATE_ENDING;
		break;
	case HTTP1_SIZED:
		message->body_left = message->content_length;
		message->state = message->body_left > 0 ? STATE_BODY_SIZED : STATE_ENDING;
		break;
	case HTTP1_CHUNKED:
		message->state = STATE_CHUNK_SIZE;
		break;
	case HTTP1_UNTIL_CLOSE:
		message->state = STATE_BODY_UNTIL_CLOSE;
		break;
	}
}

static enum http1_event read_head(struct http1 *message, const uint8_t *bytes, size_t size, size_t *used)
{
	size_t from = *used;

	for (size_t i = from; i < size; i++) {
		if (!check_line_byte(message, bytes[i]))
			return HTTP1_FAILED;
		if (bytes[i] != '\r' && bytes[i] != '\n')
			message->state = STATE_HEAD;
		if (!ends_empty_line(message, bytes[i]))
			continue;
		*used = i + 1;
		if (message->state == STATE_START) { /* RFC 9112 section 2.2: one is ignored */
			message->state = STATE_HEAD;
			buf_reset(&message->head);
			from = i + 1;
			continue;
		}
		if (!keep_head(message, bytes + from, i + 1 - from) || !http1_parse_head(message))
			return HTTP1_FAILED;
		begin_body(message);
		return HTTP1_HEAD;
	}
	if (!keep_head(message, bytes + from, size - from))
		return HTTP1_FAILED;
	*used = size;
	return HTTP1_MORE;
}

/* --- body --- */

static enum http1_event give_body(struct http1 *message, const uint8_t *bytes, size_t size, size_t *used, uint64_t left)
{
	size_t piece = size - *used;

	if (piece > left)
		piece = (size_t)left;
	if (piece > message->body_max - message->body_seen) {
		http1_fail(message, 413, "the body is larger than what is accepted here");
		return HTTP1_FAILED;
	}
	message->body = bytes + *used;
	message->body_size = piece;
	message->body_seen += piece;
	*used += piece;
	return HTTP1_BODY;
}

static enum http1_event read_sized(struct http1 *message, const uint8_t *bytes, size_t size, size_t *used)
{
	enum http1_event event = give_body(message, bytes, size, used, message->body_left);

	if (event != HTTP1_BODY)
		return event;
	message->body_left -= message->body_size;
	if (message->body_left == 0)
		message->state = message->state == STATE_CHUNK_DATA ? STATE_CHUNK_CR : STATE_ENDING;
	return event;
}

static bool chunk_size_digit(struct http1 *message, int digit)
{
	if (message->body_left > UINT64_MAX >> 4)
		return http1_fail(message, 400, "a chunk size that is too large");
	message->body_left = message->body_left << 4 | (uint64_t)digit;
	message->digits = 1;
	return true;
}

static bool chunk_size_byte(struct http1 *message, uint8_t byte)
{
	int digit = http1_hex_digit(byte);

	if (digit >= 0)
		return chunk_size_digit(message, digit);
	if (message->digits == 0 || (byte != '\r' && byte != ';'))
		return http1_fail(message, 400, "a chunk size that is not a hexadecimal number");
	message->state = byte == '\r' ? STATE_CHUNK_SIZE_LF : STATE_CHUNK_EXTENSION;
	return true;
}

static bool chunk_extension_byte(struct http1 *message, uint8_t byte)
{
	if (byte == '\r')
		message->state = STATE_CHUNK_SIZE_LF;
	else if ((byte < ' ' && byte != '\t') || byte == 0x7f)
		return http1_fail(message, 400, "a control character in a chunk extension");
	return true;
}

static bool chunk_size_end(struct http1 *message, uint8_t byte)
{
	if (byte != '\n')
		return http1_fail(message, 400, "a chunk size that does not end in CR LF");
	if (message->body_left > message->body_max - message->body_seen)
		return http1_fail(message, 413, "the body is larger than what is accepted here");
	if (message->body_left > 0) {
		message->state = STATE_CHUNK_DATA;
		return true;
	}
	message->state = STATE_TRAILER;
	message->previous = '\0';
	message->line_empty = true;
	return true;
}

static bool chunk_data_end(struct http1 *message, uint8_t byte)
{
	if (byte != (message->state == STATE_CHUNK_CR ? '\r' : '\n'))
		return http1_fail(message, 400, "a chunk that is longer than its size says");
	if (message->state == STATE_CHUNK_CR) {
		message->state = STATE_CHUNK_LF;
		return true;
	}
	message->state = STATE_CHUNK_SIZE;
	message->digits = 0;
	message->line_size = 0;
	message->body_left = 0;
	return true;
}

/* Trailer fields are checked for size and line ends, and dropped. */
static bool trailer_byte(struct http1 *message, uint8_t byte)
{
	if (++message->trailer_bytes > message->head.max)
		return http1_fail(message, 431, "the trailer is too large");
	if (!check_line_byte(message, byte))
		return false;
	if (ends_empty_line(message, byte))
		message->state = STATE_ENDING;
	return true;
}

static bool chunk_line_byte(struct http1 *message, uint8_t byte)
{
	if (++message->line_size > HTTP1_CHUNK_LINE_MAX)
		return http1_fail(message, 400, "a chunk size line that is too long");
	switch (message->state) {
	case STATE_CHUNK_SIZE:
		return chunk_size_byte(message, byte);
	case STATE_CHUNK_EXTENSION:
		return chunk_extension_byte(message, byte);
	default:
		return chunk_size_end(message, byte);
	}
}

/* One byte of what surrounds the chunks. */
static bool read_chunk_byte(struct http1 *message, uint8_t byte)
{
	switch (message->state) {
	case STATE_CHUNK_CR:
	case STATE_CHUNK_LF:
		return chunk_data_end(message, byte);
	case STATE_TRAILER:
		return trailer_byte(message, byte);
	default:
		return chunk_line_byte(message, byte);
	}
}

static enum http1_event end_message(struct http1 *message)
{
	message->state = STATE_ENDED;
	return HTTP1_END;
}

enum http1_event http1_read(struct http1 *message, const uint8_t *bytes, size_t size, size_t *ret_used)
{
	*ret_used = 0;
	for (;;) {
		if (message->state == STATE_FAILED)
			return HTTP1_FAILED;
		if (message->state == STATE_ENDING)
			return end_message(message);
		if (message->state == STATE_ENDED || *ret_used == size)
			return HTTP1_MORE;
		switch (message->state) {
		case STATE_START:
		case STATE_HEAD:
			return read_head(message, bytes, size, ret_used);
		case STATE_BODY_SIZED:
		case STATE_CHUNK_DATA:
			return read_sized(message, bytes, size, ret_used);
		case STATE_BODY_UNTIL_CLOSE:
			return give_body(message, bytes, size, ret_used, UINT64_MAX);
		default:
			if (read_chunk_byte(message, bytes[*ret_used]))
				(*ret_used)++;
		}
	}
}

enum http1_event http1_closed(struct http1 *message)
{
	if (message->state == STATE_FAILED)
		return HTTP1_FAILED;
	if (message->state == STATE_BODY_UNTIL_CLOSE || message->state == STATE_ENDING)
		return end_message(message);
	http1_fail(message, 400, "the connection ended inside a message");
	return HTTP1_FAILED;
}

/* --- asking and writing --- */

bool http1_next_header(const struct http1 *message, const char **cursor, const char **ret_name, const char **ret_value)
{
	const char *text = buf_text(&message->head);
	const char *at = *cursor != NULL ? *cursor : text + message->headers_at;

	if (message->header_count == 0 || at >= text + message->head.size)
		return false;
	*ret_name = at;
	at += strlen(at) + 1;
	*ret_value = at;
	*cursor = at + strlen(at) + 1;
	return true;
}

const char *http1_header(const struct http1 *message, const char *name)
{
	const char *cursor = NULL, *each, *value;

	while (http1_next_header(message, &cursor, &each, &value))
		if (strcasecmp(each, name) == 0)
			return value;
	return NULL;
}

size_t http1_chunk_line(uint64_t size, char *text)
{
	return (size_t)snprintf(text, 24, "%llx\r\n%s", (unsigned long long)size, size == 0 ? "\r\n" : "");
}

static const struct {
	int status;
	const char *reason;
} reasons[] = {
	{ 100, "Continue" },
	{ 200, "OK" },
	{ 201, "Created" },
	{ 202, "Accepted" },
	{ 204, "No Content" },
	{ 206, "Partial Content" },
	{ 301, "Moved Permanently" },
	{ 302, "Found" },
	{ 303, "See Other" },
	{ 304, "Not Modified" },
	{ 307, "Temporary Redirect" },
	{ 308, "Permanent Redirect" },
	{ 400, "Bad Request" },
	{ 401, "Unauthorized" },
	{ 403, "Forbidden" },
	{ 404, "Not Found" },
	{ 405, "Method Not Allowed" },
	{ 406, "Not Acceptable" },
	{ 408, "Request Timeout" },
	{ 409, "Conflict" },
	{ 410, "Gone" },
	{ 411, "Length Required" },
	{ 412, "Precondition Failed" },
	{ 413, "Content Too Large" },
	{ 414, "URI Too Long" },
	{ 415, "Unsupported Media Type" },
	{ 416, "Range Not Satisfiable" },
	{ 417, "Expectation Failed" },
	{ 422, "Unprocessable Content" },
	{ 426, "Upgrade Required" },
	{ 428, "Precondition Required" },
	{ 429, "Too Many Requests" },
	{ 431, "Request Header Fields Too Large" },
	{ 500, "Internal Server Error" },
	{ 501, "Not Implemented" },
	{ 502, "Bad Gateway" },
	{ 503, "Service Unavailable" },
	{ 504, "Gateway Timeout" },
	{ 505, "HTTP Version Not Supported" },
	{ 507, "Insufficient Storage" },
};

const char *http1_reason(int status)
{
	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
		if (reasons[i].status == status)
			return reasons[i].reason;
	return "";
}
