/* Answers as they come in (net/client_parts.h). What the server sends is not trusted: parsed by net/http1.h, kept in
 * memory up to reply_max_bytes. */
#include "net/client_parts.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>

#define ANSWER_HEAD_MAX    (16 * KIB)
#define ANSWER_HEADERS_MAX 64

void client_answer_begin(struct http_client *client)
{
	struct client_exchange *exchange = &client->exchange;

	http1_done(&exchange->message);
	http1_init(&exchange->message, HTTP1_ANSWER, ANSWER_HEAD_MAX, ANSWER_HEADERS_MAX);
	if (exchange->head_only)
		http1_answers_head(&exchange->message);
}

static bool streams_body(const struct client_exchange *exchange)
{
	return exchange->on_body != NULL && exchange->message.status / 100 == 2;
}

static int too_large(struct http_client *client)
{
	return err_set(&client->err, ERR_LIMIT, "the answer of %s is larger than %zu bytes", client->host,
		       client->reply_max);
}

static int take_head(struct http_client *client)
{
	const struct client_exchange *exchange = &client->exchange;

	if (exchange->message.status == 101 && !exchange->turns)
		return err_set(&client->err, ERR_FORMAT, "%s switched to another protocol unasked", client->host);
	if (exchange->message.framing == HTTP1_SIZED && exchange->message.content_length > client->reply_max &&
	    !streams_body(exchange))
		return too_large(client);
	return 0;
}

static int take_body(struct http_client *client)
{
	struct client_exchange *exchange = &client->exchange;
	int r;

	if (streams_body(exchange)) {
		client->depth++;
		r = exchange->on_body(exchange->argument, exchange->message.body, exchange->message.body_size);
		client->depth--;
		return r == 0 ? 0 : err_set(&client->err, ERR_CANCELLED, "the answer's receiver stopped it");
	}
	r = buf_append(&exchange->body, exchange->message.body, exchange->message.body_size);
	if (r == ERR_LIMIT)
		return too_large(client);
	return r == 0 ? 0 : err_set(&client->err, r, "no memory for the answer of %s", client->host);
}

int client_answer_read(struct http_client *client, enum client_reading *ret_reading)
{
	struct client_exchange *exchange = &client->exchange;
	struct evbuffer *input = bufferevent_get_input(client->stream);
	struct evbuffer_iovec piece = { 0 };
	enum http1_event event;
	size_t used;
	int r = 0;

	evbuffer_peek(input, -1, NULL, &piece, 1);
	exchange->touched |= piece.iov_len > 0;
	event = http1_read(&exchange->message, piece.iov_base, piece.iov_len, &used);
	*ret_reading = READ_ON;
	if (event == HTTP1_HEAD)
		r = take_head(client);
	else if (event == HTTP1_BODY)
		r = take_body(client);
	else if (event == HTTP1_FAILED)
		r = err_set(&client->err, ERR_FORMAT, "the answer of %s: %s", client->host, exchange->message.cause);
	evbuffer_drain(input, used);
	if (event == HTTP1_MORE && evbuffer_get_length(input) == 0)
		*ret_reading = READ_ALL;
	if (event == HTTP1_END && (exchange->message.status >= 200 || exchange->message.status == 101))
		*ret_reading = READ_DONE;
	else if (event == HTTP1_END)
		client_answer_begin(client); /* an interim answer; the real one follows */
	return r;
}
