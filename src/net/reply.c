/* What handlers see of a request, and how they answer it. */
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/text.h"
#include "net/connection.h"
#include "net/stream.h"

#define REPLY_HEAD_MAX (64 * KIB)
#define PROBLEM_MAX    (16 * KIB)
#define DISCARD_MAX    (64 * KIB) /* an unwanted body up to this is read to keep the connection */
#define REPLY_JOIN_MAX (16 * KIB) /* head and body up to this leave as one TLS record */

const char *http_method(const struct http_request *request)
{
	return request->message.method;
}

const char *http_path(const struct http_request *request)
{
	return request->message.path;
}

const char *http_query(const struct http_request *request)
{
	return request->message.query;
}

const char *http_header(const struct http_request *request, const char *name)
{
	return http1_header(&request->message, name);
}

uint64_t http_content_length(const struct http_request *request)
{
	return request->message.framing == HTTP1_NO_BODY ? 0 : request->message.content_length;
}

const char *http_peer(const struct http_request *request)
{
	return request->connection->peer;
}

bool http_client_certificate(const struct http_request *request, uint8_t fingerprint[SHA256_BYTES])
{
	if (!request->connection->certified)
		return false;
	memcpy(fingerprint, request->connection->fingerprint, SHA256_BYTES);
	return true;
}

bool http_client_certificate_ended(const struct http_request *request, uint8_t fingerprint[SHA256_BYTES])
{
	if (!request->connection->ended)
		return false;
	memcpy(fingerprint, request->connection->fingerprint, SHA256_BYTES);
	return true;
}

struct ssl_st *http_tls(const struct http_request *request)
{
	return bufferevent_openssl_get_ssl(request->connection->stream);
}

struct loop *http_loop(const struct http_request *request)
{
	return request->connection->home->loop;
}

void *http_data(const struct http_request *request)
{
	return request->data;
}

void http_set_data(struct http_request *request, void *data)
{
	request->data = data;
}

void http_pause(struct http_request *request)
{
	request->paused = true;
	connection_poke(request->connection);
}

void http_resume(struct http_request *request)
{
	request->paused = false;
	connection_poke(request->connection);
}

/* --- replies --- */

/* "Sun, 06 Nov 1994 08:49:37 GMT" of now. */
static const char *date_now(struct home *home)
{
	struct timespec now;
	struct tm utc;

	clock_gettime(CLOCK_REALTIME_COARSE, &now);
	if (now.tv_sec != home->date_s || home->date_text[0] == '\0') {
		gmtime_r(&now.tv_sec, &utc); /* names of days: no program of ours sets a locale */
		strftime(home->date_text, sizeof(home->date_text), "%a, %d %b %Y %H:%M:%S GMT", &utc);
		home->date_s = now.tv_sec;
	}
	return home->date_text;
}

/* A body that the handler did not wait for must be read away before the next
 * request; a large one, or one that waits for our 100, is not worth it. */
static bool can_discard(const struct http_request *request)
{
	const struct http1 *message = &request->message;

	return request->complete || message->framing == HTTP1_NO_BODY ||
	       (message->framing == HTTP1_SIZED && message->content_length <= DISCARD_MAX &&
		!message->expects_continue);
}

static void decide_close(struct http_request *request)
{
	struct connection *connection = request->connection;

	if (!request->message.keep_alive || connection->home->draining || !can_discard(request))
		connection->closing = true;
}

static void build_head(struct http_request *request, struct buf *head, int status, const char *content_type,
		       const char *headers, uint64_t size)
{
	struct connection *connection = request->connection;

	buf_printf(head, "HTTP/1.1 %d %s\r\nDate: %s\r\n", status, http1_reason(status), date_now(connection->home));
	if (content_type != NULL)
		buf_printf(head, "Content-Type: %s\r\n", content_type);
	if (request->chunked)
		buf_append_text(head, "Transfer-Encoding: chunked\r\n");
	else if (size != UINT64_MAX && status != 204 && status != 304)
		buf_printf(head, "Content-Length: %llu\r\n", (unsigned long long)size);
	if (connection->closing)
		buf_append_text(head, "Connection: close\r\n");
	else if (request->message.minor == 0)
		buf_append_text(head, "Connection: keep-alive\r\n");
	if (headers != NULL)
		buf_append_text(head, headers);
	buf_append_text(head, "\r\n");
}

static void begin_reply(struct http_request *request, struct buf *head, int status, const char *content_type,
			const char *headers, uint64_t size)
{
	const char *method = request->message.method; /* NULL if the head was refused */

	request->begun = true;
	request->bodyless = status == 204 || status == 304 || (method != NULL && strcmp(method, "HEAD") == 0);
	request->chunked = size == UINT64_MAX && !request->bodyless && request->message.minor > 0;
	request->left = request->bodyless || size == UINT64_MAX ? 0 : size;
	decide_close(request);
	if (size == UINT64_MAX && !request->chunked && !request->bodyless)
		request->connection->closing = true; /* HTTP/1.0: the close is the end of the body */
	build_head(request, head, status, content_type, headers, size);
	if (head->status != 0)
		request->connection->broken = true;
}

void http_reply(struct http_request *request, int status, const char *content_type, const char *headers,
		const void *body, size_t size)
{
	struct connection *connection = request->connection;
	struct buf head;

	buf_init(&head, REPLY_HEAD_MAX + REPLY_JOIN_MAX);
	begin_reply(request, &head, status, content_type, headers, size);
	if (!request->bodyless && size <= REPLY_JOIN_MAX)
		buf_append(&head, body, size);
	connection_write(connection, head.data, head.size);
	if (!request->bodyless && size > REPLY_JOIN_MAX)
		connection_write(connection, body, size);
	buf_done(&head);
	request->left = 0;
	http_reply_end(request);
}

void http_reply_begin(struct http_request *request, int status, const char *content_type, const char *headers,
		      uint64_t size, void (*on_drain)(struct http_request *request))
{
	struct buf head;

	buf_init(&head, REPLY_HEAD_MAX);
	request->on_drain = on_drain;
	begin_reply(request, &head, status, content_type, headers, size);
	connection_write(request->connection, head.data, head.size);
	buf_done(&head);
	connection_poke(request->connection);
}

void http_reply_body(struct http_request *request, const void *bytes, size_t size)
{
	char line[24];

	request->swallowed = request->bodyless;
	if (request->bodyless || size == 0)
		return;
	request->left -= size < request->left ? size : request->left;
	if (request->chunked)
		connection_write(request->connection, line, http1_chunk_line(size, line));
	connection_write(request->connection, bytes, size);
	if (request->chunked)
		connection_write(request->connection, "\r\n", 2);
	connection_poke(request->connection);
}

void http_reply_end(struct http_request *request)
{
	char line[24];

	if (request->chunked)
		connection_write(request->connection, line, http1_chunk_line(0, line));
	if (request->left > 0) /* the end of the connection tells it; the next answer would be taken for the rest */
		request->connection->closing = true;
	request->ended = true;
	request->told = false;
	request->paused = false;
	connection_poke(request->connection);
}

/* --- problems --- */

/* A JSON string: escaped for people first (base/text.h), then for JSON. */
static void add_json_text(struct buf *out, const char *text)
{
	struct buf shown;

	buf_init(&shown, PROBLEM_MAX);
	text_escape(&shown, text, strlen(text));
	buf_append_byte(out, '"');
	for (const char *at = buf_text(&shown); *at != '\0'; at++) {
		if (*at == '"' || *at == '\\')
			buf_append_byte(out, '\\');
		buf_append_byte(out, (uint8_t)*at);
	}
	buf_append_byte(out, '"');
	buf_done(&shown);
}

void http_problem(struct http_request *request, int status, const char *title, const char *detail)
{
	struct buf body;

	buf_init(&body, 4 * PROBLEM_MAX);
	buf_append_text(&body, "{\"type\":\"about:blank\",\"title\":");
	add_json_text(&body, title != NULL ? title : http1_reason(status));
	buf_printf(&body, ",\"status\":%d", status);
	if (detail != NULL) {
		buf_append_text(&body, ",\"detail\":");
		add_json_text(&body, detail);
	}
	buf_append_text(&body, "}\n");
	http_reply(request, status, "application/problem+json", NULL, body.data, body.size);
	buf_done(&body);
}

void http_switch(struct http_request *request, const char *protocol,
		 void (*taken)(void *argument, struct bufferevent *connection), void *argument)
{
	struct connection *connection = request->connection;
	char head[160];
	int size =
	    snprintf(head, sizeof(head),
		     "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: %.40s\r\n\r\n", protocol);

	connection_write(connection, head, (size_t)size);
	request->begun = request->ended = true;
	connection->taken = taken;
	connection->taken_argument = argument;
	connection_poke(connection);
}
