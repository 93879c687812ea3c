/* HTTP client: one connection, one request at a time.
 *
 * What the server sends is not trusted: parsed by net/http1.h, bodies in memory
 * up to reply_max_bytes. Every way to fail goes through fail(), which decides
 * about the one retry; every end through give_answer().
 */
#include "net/client_parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "net/dial.h"
#include "net/stream.h"
#include "net/tls_session.h"

#define STALE_S            2 /* after which the end of a connection is not the news that it had ended before */
#define CONNECT_TIMEOUT_US (20 * SECOND_US)
#define PIECE_BYTES        (64 * KIB) /* of a body from a descriptor, in flight at once */
#define RETRY_AFTER_MAX_S  (30 * 24 * 3600)

/* --- connection --- */

static uint64_t bytes_sent(const struct http_client *client)
{
	return client->queued - evbuffer_get_length(bufferevent_get_output(client->stream));
}

static void set_silence(struct http_client *client)
{
	client->sent_before = bytes_sent(client);
	if (client->exchange.timeout > 0)
		loop_timer_set(client->deadline, client->exchange.timeout);
	else
		loop_timer_clear(client->deadline);
}

static void disconnect(struct http_client *client, bool clean)
{
	dial_free(client->dial);
	client->dial = NULL;
	stream_free(client->stream, clean && client->established);
	client->stream = NULL;
	client->established = false;
	client->used = false;
	loop_timer_clear(client->deadline);
}

/* --- end of an exchange --- */

static void free_now(struct http_client *client)
{
	disconnect(client, true);
	stream_free(client->turned, true);
	loop_timer_free(client->deadline);
	buf_wipe(&client->exchange.head); /* may hold a token */
	buf_wipe(&client->exchange.body);
	http1_done(&client->exchange.message);
	free(client->host);
	free(client->source_address);
	free(client);
}

/* Returns true if the user freed the client meanwhile: it is gone. */
static bool leave_callback(struct http_client *client)
{
	if (--client->depth > 0 || !client->freed)
		return client->freed;
	free_now(client);
	return true;
}

static span_us retry_after(const struct http1 *message)
{
	const char *text = http1_header(message, "Retry-After");
	uint64_t seconds;

	if (text == NULL || number_parse(text, 0, RETRY_AFTER_MAX_S, &seconds, NULL) != 0)
		return 0;
	return (span_us)seconds * SECOND_US;
}

/* The client is idle before answer() is called, which may send again or free it. */
static void give_answer(struct http_client *client, int status, bool resumed)
{
	struct client_exchange exchange = client->exchange;
	struct err err = client->err;
	struct http_answer answer = { .status = status, .err = &err, .resumed = resumed };

	client->exchange = (struct client_exchange){ .fd = -1 };
	client->err = (struct err){ 0 };
	loop_timer_clear(client->deadline);
	if (status != 0) {
		answer.body = (const uint8_t *)buf_text(&exchange.body);
		answer.size = exchange.body.size;
		answer.content_type = http1_header(&exchange.message, "Content-Type");
		answer.retry_after = retry_after(&exchange.message);
		answer.head = &exchange.message;
	}
	client->depth++;
	exchange.answer(exchange.argument, &answer);
	stream_free(client->turned, true); /* nobody took it */
	client->turned = NULL;
	leave_callback(client);
	buf_wipe(&exchange.head);
	buf_wipe(&exchange.body);
	http1_done(&exchange.message);
}

static void begin(struct http_client *client);

/* A kept connection may have been closed by the server just before our request reached it. One that
 * ends after the request has waited there is the server's own end, and no reason to come back at
 * once: with all that have polls held, that is a herd. */
static bool was_stale(const struct http_client *client)
{
	const struct client_exchange *exchange = &client->exchange;
	struct timespec now;

	if (!client->used || exchange->touched || exchange->retried || client->err.code != ERR_CLOSED)
		return false;
	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	return now.tv_sec - exchange->written_at.tv_sec <= STALE_S;
}

/* client->err says why. */
static void fail(struct http_client *client)
{
	struct client_exchange *exchange = &client->exchange;
	bool stale = was_stale(client);

	disconnect(client, false);
	if (stale) {
		exchange->retried = true;
		client->err = (struct err){ 0 };
		begin(client);
		return;
	}
	give_answer(client, 0, false);
}

static bool all_sent(const struct http_client *client)
{
	const struct client_exchange *exchange = &client->exchange;

	return exchange->taken == exchange->size && evbuffer_get_length(bufferevent_get_output(client->stream)) == 0;
}

static void succeed(struct http_client *client)
{
	bool resumed = tls_resumed(bufferevent_openssl_get_ssl(client->stream));

	if (client->exchange.message.status == 101) {
		client->turned = client->stream;
		client->stream = NULL;
		disconnect(client, true);
	} else if (!client->exchange.message.keep_alive || !all_sent(client) ||
		   evbuffer_get_length(bufferevent_get_input(client->stream)) > 0)
		disconnect(client, true);
	else
		client->used = true;
	give_answer(client, client->exchange.message.status, resumed);
}

/* --- answer --- */

static void on_read(struct bufferevent *stream, void *argument)
{
	struct http_client *client = argument;
	enum client_reading reading = READ_ON;
	int r = 0;

	(void)stream;
	if (!client->exchange.busy || !client->exchange.written) { /* nobody asked */
		disconnect(client, true);
		return;
	}
	while (r == 0 && reading == READ_ON && !client->freed)
		r = client_answer_read(client, &reading);
	if (client->freed) /* in on_body */
		free_now(client);
	else if (r != 0)
		fail(client);
	else if (reading == READ_DONE)
		succeed(client);
	else
		set_silence(client);
}

/* --- request --- */

/* The next piece of a body from a descriptor. */
static int pump(struct http_client *client)
{
	struct client_exchange *exchange = &client->exchange;
	struct evbuffer *output = bufferevent_get_output(client->stream);
	uint64_t left = exchange->size - exchange->taken;
	struct evbuffer_iovec room;
	ssize_t size;

	if (left == 0)
		return 0;
	if (evbuffer_reserve_space(output, PIECE_BYTES, &room, 1) != 1)
		return err_set(&client->err, ERR_MEMORY, "no memory to send");
	size = pread(exchange->fd, room.iov_base, left < PIECE_BYTES ? (size_t)left : PIECE_BYTES,
		     (off_t)(exchange->offset + exchange->taken));
	if (size < 0)
		return err_errno(&client->err, errno, "read what is to be sent");
	if (size == 0)
		return err_set(&client->err, ERR_IO, "what is to be sent became shorter while it was sent");
	room.iov_len = (size_t)size;
	if (evbuffer_commit_space(output, &room, 1) != 0)
		return err_set(&client->err, ERR_MEMORY, "no memory to send");
	exchange->taken += (uint64_t)size;
	client->queued += (uint64_t)size;
	return 0;
}

static void write_request(struct http_client *client)
{
	struct client_exchange *exchange = &client->exchange;

	client_answer_begin(client);
	exchange->written = true;
	clock_gettime(CLOCK_MONOTONIC_COARSE, &exchange->written_at);
	exchange->taken = 0;
	client->queued += exchange->head.size;
	if (bufferevent_write(client->stream, exchange->head.data, exchange->head.size) != 0)
		err_set(&client->err, ERR_MEMORY, "no memory to send");
	else if (pump(client) == 0) {
		set_silence(client);
		return;
	}
	loop_timer_set(client->deadline, 0); /* told from the loop: on_deadline() */
}

static void on_write(struct bufferevent *stream, void *argument)
{
	struct http_client *client = argument;

	(void)stream;
	if (!client->established || !client->exchange.busy || !client->exchange.written)
		return;
	if (pump(client) != 0)
		fail(client);
	else
		set_silence(client);
}

/* --- connecting and losing --- */

static void name_failure(struct http_client *client, short what, unsigned long tls_error)
{
	const char *when = !client->established       ? "during the TLS handshake"
			   : client->exchange.touched ? "inside its answer"
						      : "before it answered";
	int saved = errno;

	if (tls_error != 0 ||
	    (!client->established && SSL_get_verify_result(bufferevent_openssl_get_ssl(client->stream)) != X509_V_OK)) {
		tls_failure(bufferevent_openssl_get_ssl(client->stream), tls_error, &client->err);
		err_add(&client->err, 0, "%s port %u", client->host, client->port);
		return;
	}
	if ((what & BEV_EVENT_ERROR) && saved != 0 && saved != ECONNRESET && saved != EPIPE)
		err_set(&client->err, ERR_CLOSED, "connection to %s port %u: %s", client->host, client->port,
			strerror(saved));
	else
		err_set(&client->err, ERR_CLOSED, "%s port %u closed the connection %s", client->host, client->port,
			when);
}

static void on_lost(struct http_client *client, short what)
{
	unsigned long tls_error = bufferevent_get_openssl_error(client->stream);

	if (!client->exchange.busy) {
		disconnect(client, false);
		return;
	}
	if ((what & BEV_EVENT_EOF) && tls_error == 0 && client->exchange.touched &&
	    http1_closed(&client->exchange.message) == HTTP1_END) {
		client->exchange.message.keep_alive = false;
		succeed(client);
		return;
	}
	name_failure(client, what, tls_error);
	fail(client);
}

static int check_peer(struct http_client *client)
{
	uint8_t fingerprint[SHA256_BYTES];

	if (client->on_peer == NULL)
		return 0;
	if (tls_peer_certificate(bufferevent_openssl_get_ssl(client->stream), fingerprint) == TLS_PEER_NONE)
		return err_set(&client->err, ERR_UNTRUSTED, "%s port %u showed no valid certificate", client->host,
			       client->port);
	return client->on_peer(client->peer_argument, fingerprint, &client->err);
}

static int secured(struct http_client *client)
{
	return client->on_secure != NULL ? client->on_secure(client->peer_argument, &client->err) : 0;
}

static void on_event(struct bufferevent *stream, short what, void *argument)
{
	struct http_client *client = argument;

	(void)stream;
	if (!(what & BEV_EVENT_CONNECTED)) {
		on_lost(client, what);
		return;
	}
	client->established = true;
	if (check_peer(client) != 0 || secured(client) != 0)
		fail(client);
	else
		write_request(client);
}

static SSL *make_tls(const struct http_client *client)
{
	SSL *ssl = tls_client_connection(client->tls, client->host);

	if (ssl != NULL && client->session != NULL)
		tls_session_use(ssl, client->session);
	return ssl;
}

static void on_dialed(void *argument, int fd, const struct err *err)
{
	struct http_client *client = argument;

	if (fd < 0) {
		client->err = *err;
		fail(client);
		return;
	}
	dial_free(client->dial);
	client->dial = NULL;
	client->stream = stream_new(client->loop, fd, make_tls(client));
	if (client->stream == NULL) {
		err_set(&client->err, ERR_MEMORY, "no memory to connect to %s", client->host);
		fail(client);
		return;
	}
	client->queued = 0;
	bufferevent_setcb(client->stream, on_read, on_write, on_event, client);
	bufferevent_enable(client->stream, EV_READ | EV_WRITE);
}

static void on_deadline(void *argument)
{
	struct http_client *client = argument;

	if (client->err.code != 0) { /* the request could not even start */
		fail(client);
		return;
	}
	if (client->established && bytes_sent(client) > client->sent_before) {
		set_silence(client);
		return;
	}
	if (client->established)
		err_set(&client->err, ERR_TIMEOUT, "%s port %u did not answer in time", client->host, client->port);
	else
		err_set(&client->err, ERR_TIMEOUT, "%s port %u: no connection in time (%s)", client->host, client->port,
			client->stream != NULL ? "the TLS handshake does not end"
					       : "name resolution or the network does not answer");
	fail(client);
}

/* Starts, or goes on with, what the exchange needs. Failures are told from the loop. */
static void begin(struct http_client *client)
{
	if (client->established) {
		write_request(client);
		return;
	}
	if (client->adopts) {
		err_set(&client->err, ERR_CLOSED, "the connection that the manager opened has ended");
		loop_timer_set(client->deadline, 0);
		return;
	}
	client->dial = dial_new(client->loop, client->host, client->port, client->source_address, on_dialed, client);
	if (client->dial == NULL)
		err_set(&client->err, ERR_MEMORY, "no memory to connect to %s", client->host);
	loop_timer_set(client->deadline, client->dial != NULL ? client->connect_timeout : 0);
}

/* --- what users call --- */

struct http_client *http_client_new(struct loop *loop, const struct http_client_options *options, struct err *err)
{
	struct http_client *client = calloc(1, sizeof(*client));

	if (client == NULL)
		goto fail;
	*client = (struct http_client){
		.loop = loop,
		.port = options->port,
		.tls = options->tls,
		.session = options->session,
		.connect_timeout = options->connect_timeout > 0 ? options->connect_timeout : CONNECT_TIMEOUT_US,
		.reply_max = options->reply_max_bytes,
		.on_peer = options->on_peer,
		.on_secure = options->on_secure,
		.peer_argument = options->peer_argument,
		.exchange.fd = -1,
	};
	client->host = strdup(options->host);
	client->source_address = options->source_address != NULL ? strdup(options->source_address) : NULL;
	client->deadline = loop_timer_new(loop, on_deadline, client);
	if (client->host != NULL && client->deadline != NULL &&
	    (options->source_address == NULL || client->source_address != NULL))
		return client;
	loop_timer_free(client->deadline);
	free(client->host);
	free(client->source_address);
	free(client);
fail:
	err_set(err, ERR_MEMORY, "no memory for an HTTP client");
	return NULL;
}

void http_client_free(struct http_client *client)
{
	if (client == NULL)
		return;
	client->freed = true;
	if (client->depth == 0)
		free_now(client);
}

bool http_client_busy(const struct http_client *client)
{
	return client->exchange.busy;
}

void http_client_stream(struct http_client *client, int (*on_body)(void *argument, const uint8_t *bytes, size_t size))
{
	client->exchange.on_body = on_body;
}

void http_client_turn(struct http_client *client)
{
	client->exchange.turns = true;
}

struct bufferevent *http_client_take(struct http_client *client)
{
	struct bufferevent *turned = client->turned;

	client->turned = NULL;
	if (turned == NULL)
		return NULL;
	bufferevent_setcb(turned, NULL, NULL, NULL, NULL);
	tls_client_leave(bufferevent_openssl_get_ssl(turned)); /* a late ticket must find neither client nor host */
	return turned;
}

void http_client_adopt(struct http_client *client, struct bufferevent *connection)
{
	disconnect(client, true);
	client->stream = connection;
	client->established = true;
	client->queued = evbuffer_get_length(bufferevent_get_output(connection));
	bufferevent_setcb(connection, on_read, on_write, on_event, client);
	bufferevent_enable(connection, EV_READ | EV_WRITE);
}

void http_client_dials(struct http_client *client, bool dials)
{
	client->adopts = !dials;
}

struct ssl_st *http_client_tls(const struct http_client *client)
{
	return client->established ? bufferevent_openssl_get_ssl(client->stream) : NULL;
}

bool http_client_connected(const struct http_client *client)
{
	return client->established;
}

void http_client_disconnect(struct http_client *client)
{
	if (!client->exchange.busy)
		disconnect(client, true);
}

int http_client_send(struct http_client *client, const char *method, const char *path, const char *headers,
		     const struct http_body *body, span_us timeout,
		     void (*answer)(void *argument, const struct http_answer *answer), void *argument, struct err *err)
{
	struct client_exchange *exchange = &client->exchange;
	int r;

	if (exchange->busy)
		return err_set(err, ERR_BUSY, "a request to %s is under way", client->host);
	r = client_request_build(client, method, path, headers, body, err);
	if (r != 0)
		return r;
	exchange->busy = true;
	exchange->head_only = strcmp(method, "HEAD") == 0;
	exchange->timeout = timeout;
	exchange->answer = answer;
	exchange->argument = argument;
	if (body != NULL && body->bytes == NULL && body->size > 0) {
		exchange->fd = body->fd;
		exchange->offset = body->offset;
		exchange->size = body->size;
	}
	buf_init(&exchange->body, client->reply_max);
	client->err = (struct err){ 0 };
	begin(client);
	return 0;
}
