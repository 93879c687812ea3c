/* HTTP/1.1 messages as a pure function from bytes to events (RFC 9112).
 *
 * Does no I/O and knows no clock. The owner feeds what arrived; each call
 * consumes some of it and returns one event:
 *
 *   MORE   everything was consumed, the message goes on
 *   HEAD   start line and headers are complete and can be asked for
 *   BODY   `body`/`body_size` is the next decoded piece, pointing into the input
 *   END    the message is complete; http1_init() again for the next one
 *   FAILED `status` and `cause` say why; nothing more will be read
 *
 * Input is hostile. Strict where leniency lets two readers see two different
 * messages (RFC 9112 section 11.2): bare CR or LF, NUL, folded headers, space
 * before the colon, repeated lengths, a length beside a transfer coding, and
 * chunk sizes with anything but digits are refused, not repaired.
 */
#ifndef MUSTER_NET_HTTP1_H
#define MUSTER_NET_HTTP1_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

#define HTTP1_LENGTH_UNKNOWN UINT64_MAX
#define HTTP1_CHUNK_LINE_MAX 256 /* size and extensions of one chunk */
#define HTTP1_METHOD_MAX     24

enum http1_kind { HTTP1_REQUEST, HTTP1_ANSWER };

enum http1_event { HTTP1_MORE, HTTP1_HEAD, HTTP1_BODY, HTTP1_END, HTTP1_FAILED };

/* How the end of the body is known. */
enum http1_framing { HTTP1_NO_BODY, HTTP1_SIZED, HTTP1_CHUNKED, HTTP1_UNTIL_CLOSE };

struct http1 {
	enum http1_kind kind;
	uint8_t state; /* enum in http1.c */
	uint8_t previous;
	uint8_t digits;
	bool line_empty;
	bool head_wanted_no_body; /* the answer to a HEAD request */
	uint16_t line_size;
	size_t header_max;
	size_t trailer_bytes;
	struct buf head; /* the head as it came; once parsed "name\0value\0" pairs */
	size_t headers_at;
	size_t header_count;
	uint64_t body_left; /* of the sized body or of the chunk */
	uint64_t body_seen;
	uint64_t body_max;

	/* From HEAD on: */
	enum http1_framing framing;
	uint64_t content_length; /* HTTP1_LENGTH_UNKNOWN when not given */
	const char *method;      /* requests; in head */
	const char *path;
	const char *query; /* "" if none */
	int status;        /* answers: the status; FAILED: what to answer the sender of a request */
	unsigned minor;    /* 0 or 1 */
	bool keep_alive;   /* what version and Connection ask for */
	bool expects_continue;

	/* BODY */
	const uint8_t *body;
	size_t body_size;

	/* FAILED */
	const char *cause; /* static text */
};

/* head_bytes: start line and headers together; more is 431 (414 for the request line alone). */
void http1_init(struct http1 *message, enum http1_kind kind, size_t head_bytes, size_t header_count);
void http1_done(struct http1 *message); /* frees the head; accepts a zeroed struct */
/* For answers: the request was HEAD, so that no body follows. */
void http1_answers_head(struct http1 *message);
/* Longer bodies fail with 413. Set at HEAD at the latest; without it there is no maximum. */
void http1_limit_body(struct http1 *message, uint64_t max_bytes);

enum http1_event http1_read(struct http1 *message, const uint8_t *bytes, size_t size, size_t *ret_used);
/* The connection ended: END if that is how the body ends, else FAILED. */
enum http1_event http1_closed(struct http1 *message);

/* The first header of that name, any case; NULL if absent. */
const char *http1_header(const struct http1 *message, const char *name);
/* Steps through the headers: *cursor starts at NULL; false at the end. */
bool http1_next_header(const struct http1 *message, const char **cursor, const char **ret_name, const char **ret_value);

/* The line in front of a chunk of size bytes (0: the end of the body, complete
 * with the empty trailer). text needs 24 bytes; returns its length. After the
 * bytes of a chunk comes "\r\n". */
size_t http1_chunk_line(uint64_t size, char *text);

/* "Not Found" for 404, "" for a status not in the table. */
const char *http1_reason(int status);

#endif
