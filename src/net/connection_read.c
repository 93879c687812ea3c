/* Requests as they come in (connection_read.h). Input is hostile: the parser has its limits (net/http1.h), handlers
 * theirs. */
#include "net/connection_read.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <stdlib.h>

void connection_request_free(struct http_request *request)
{
	if (request == NULL)
		return;
	http1_done(&request->message);
	free(request);
}

void connection_tell_gone(struct connection *connection)
{
	struct http_request *request = connection->request;

	if (request == NULL || !request->told || request->ended)
		return;
	request->told = false;
	if (connection_handlers(connection)->on_gone != NULL)
		connection_handlers(connection)->on_gone(request);
}

bool connection_request_new(struct connection *connection)
{
	const struct http_limits *limits = &connection->home->server->limits;
	struct http_request *request = calloc(1, sizeof(*request));

	if (request == NULL) {
		connection->broken = true;
		return false;
	}
	request->connection = connection;
	http1_init(&request->message, HTTP1_REQUEST, limits->header_bytes, limits->header_count);
	connection->request = request;
	return true;
}

void connection_refuse(struct connection *connection, int status, const char *cause)
{
	struct http_request *request = connection->request;

	connection_tell_gone(connection);
	if (request->begun) { /* half a reply cannot be taken back */
		connection->broken = true;
		return;
	}
	connection->closing = true;
	http_problem(request, status, http1_reason(status), cause);
}

static void take_head(struct connection *connection, struct http_request *request)
{
	uint64_t max, length = request->message.content_length;

	counter_add(&connection_counters(connection)->requests);
	request->told = true;
	max = connection_handlers(connection)->on_request(connection_handlers(connection)->context, request);
	if (request->ended || request->message.framing == HTTP1_NO_BODY)
		return;
	http1_limit_body(&request->message, max);
	if (length != HTTP1_LENGTH_UNKNOWN && length > max)
		connection_refuse(connection, 413, "the body is larger than what is accepted here");
	else if (request->message.expects_continue && max > 0 && !request->begun)
		connection_write(connection, "HTTP/1.1 100 Continue\r\n\r\n", 25);
}

static void take_body(struct connection *connection, struct http_request *request)
{
	connection->body_bytes += (uint32_t)request->message.body_size;
	if (!request->ended && connection_handlers(connection)->on_body != NULL)
		connection_handlers(connection)->on_body(request, request->message.body, request->message.body_size);
}

static void take_end(struct connection *connection, struct http_request *request)
{
	request->complete = true;
	if (!request->ended)
		connection_handlers(connection)->on_complete(request);
}

static void take_failure(struct connection *connection, struct http_request *request)
{
	counter_add(&connection_counters(connection)->bad_requests);
	if (request->ended) /* a reply to it is on its way already */
		connection->closing = true;
	else
		connection_refuse(connection, request->message.status, request->message.cause);
}

bool connection_read_event(struct connection *connection)
{
	struct http_request *request = connection->request;
	struct evbuffer *input = bufferevent_get_input(connection->stream);
	struct evbuffer_iovec piece = { 0 };
	size_t used;
	enum http1_event event;

	evbuffer_peek(input, -1, NULL, &piece, 1);
	event = http1_read(&request->message, piece.iov_base, piece.iov_len, &used);
	switch (event) {
	case HTTP1_MORE:
		break;
	case HTTP1_HEAD:
		take_head(connection, request);
		break;
	case HTTP1_BODY:
		take_body(connection, request);
		break;
	case HTTP1_END:
		take_end(connection, request);
		break;
	case HTTP1_FAILED:
		take_failure(connection, request);
		break;
	}
	evbuffer_drain(input, used);
	return event != HTTP1_MORE || evbuffer_get_length(input) > 0;
}
