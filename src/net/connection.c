/* One connection of the server: TLS stream, requests one after another, deadlines.
 *
 * Input is hostile. step() is the only place that reads it, one event of the
 * parser at a time; update() is the only place that sets deadlines: the phase
 * is computed from the state, never stored by hand.
 */
#include "net/connection.h"

#include <arpa/inet.h>
#include <event2/event.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "net/door.h"
#include "net/stream.h"

#define INPUT_MAX_BYTES (64 * KIB) /* unread input after which reading stops */
#define LINGER_US       (2 * SECOND_US)
#define EVICT_LOOK      64 /* of the oldest strangers, for one that does nothing */

static const struct http_limits *limits_of(const struct connection *connection)
{
	return &connection->home->server->limits;
}

static struct counters *counters_of(const struct connection *connection)
{
	return &connection->home->server->counters;
}

static const struct http_handlers *handlers_of(const struct connection *connection)
{
	return &connection->home->server->handlers;
}

static void count(atomic_uint_fast64_t *counter)
{
	atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

size_t connection_output(const struct connection *connection)
{
	return connection->stream != NULL ? evbuffer_get_length(bufferevent_get_output(connection->stream)) : 0;
}

static size_t input_size(const struct connection *connection)
{
	return evbuffer_get_length(bufferevent_get_input(connection->stream));
}

/* --- deadlines --- */

static enum phase phase_now(const struct connection *connection)
{
	const struct http_request *request = connection->request;

	if (connection->stream == NULL)
		return connection->at_door ? PHASE_HANDSHAKE : PHASE_LINGER;
	if (!connection->established)
		return PHASE_HANDSHAKE;
	if (connection_output(connection) > 0)
		return PHASE_WRITE;
	if (request == NULL)
		return PHASE_IDLE;
	if (request->message.path == NULL)
		return PHASE_HEAD;
	return request->complete || request->paused ? PHASE_HELD : PHASE_BODY;
}

static span_us phase_limit(const struct http_limits *limits, enum phase phase)
{
	switch (phase) {
	case PHASE_HANDSHAKE:
		return limits->handshake;
	case PHASE_IDLE:
		return limits->idle;
	case PHASE_HEAD:
		return limits->header;
	case PHASE_BODY:
		return limits->body_idle;
	case PHASE_WRITE:
		return limits->write_idle;
	case PHASE_LINGER:
		return LINGER_US;
	case PHASE_HELD:
		break;
	}
	return 0;
}

static void set_deadline(struct connection *connection)
{
	bool awaited = connection->phase == PHASE_HELD && connection->half_closed;
	span_us limit = phase_limit(limits_of(connection), awaited ? PHASE_WRITE : connection->phase);
	const struct timeval after = { .tv_sec = limit / SECOND_US, .tv_usec = limit % SECOND_US };

	if (connection->dismissed) /* its end is set already */
		return;
	connection->body_bytes = 0;
	connection->sent_before = connection->queued - connection_output(connection);
	if (limit > 0)
		event_add(connection->timer, &after);
	else
		event_del(connection->timer);
}

static void update_reading(struct connection *connection)
{
	bool paused = connection->request != NULL && connection->request->paused;
	bool want = !paused && !connection->half_closed && input_size(connection) < INPUT_MAX_BYTES;

	if (want == connection->reading)
		return;
	connection->reading = want;
	if (want)
		bufferevent_enable(connection->stream, EV_READ);
	else
		bufferevent_disable(connection->stream, EV_READ);
}

static void update(struct connection *connection)
{
	enum phase phase = phase_now(connection);

	if (phase != PHASE_HANDSHAKE && phase != PHASE_LINGER)
		update_reading(connection);
	if (phase == connection->phase)
		return;
	connection->phase = phase;
	set_deadline(connection);
}

/* --- end --- */

static void request_free(struct http_request *request)
{
	if (request == NULL)
		return;
	http1_done(&request->message);
	free(request);
}

static void tell_gone(struct connection *connection)
{
	struct http_request *request = connection->request;

	if (request == NULL || !request->told || request->ended)
		return;
	request->told = false;
	if (handlers_of(connection)->on_gone != NULL)
		handlers_of(connection)->on_gone(request);
}

static void join_strangers(struct connection *connection)
{
	struct home *home = connection->home;

	connection->next = NULL;
	connection->previous = home->strangers_last;
	*home->strangers_last = connection;
	home->strangers_last = &connection->next;
	home->stranger_count++;
}

static void leave_list(struct connection *connection)
{
	struct home *home = connection->home;

	*connection->previous = connection->next;
	if (connection->next != NULL)
		connection->next->previous = connection->previous;
	else if (home->strangers_last == &connection->next)
		home->strangers_last = connection->previous;
	home->stranger_count -= !connection->certified;
}

static void join_certified(struct connection *connection)
{
	struct home *home = connection->home;

	connection->next = home->connections;
	connection->previous = &home->connections;
	if (connection->next != NULL)
		connection->next->previous = &connection->next;
	home->connections = connection;
}

bool home_is_empty(const struct home *home)
{
	return home->connections == NULL && home->strangers == NULL;
}

void connection_free(struct connection *connection)
{
	struct home *home = connection->home;

	tell_gone(connection);
	request_free(connection->request);
	stream_free(connection->stream, connection->established && !connection->broken);
	door_leave(connection);
	if (connection->bare != NULL) {
		close(event_get_fd(connection->bare));
		event_free(connection->bare);
	}
	if (connection->timer != NULL)
		event_free(connection->timer);
	leave_list(connection);
	atomic_fetch_sub(&home->server->counters.connections, 1);
	free(connection);
	home_check_drained(home);
}

static void on_linger(evutil_socket_t fd, short what, void *argument)
{
	struct connection *connection = argument;
	uint8_t dropped[16 * 1024];
	ssize_t size = read(fd, dropped, sizeof(dropped));

	(void)what;
	if (size <= 0)
		connection_free(connection);
}

/* Closing a socket with unread input resets the connection, and the reset can
 * overtake our last words at the peer. So our side is closed first and what
 * comes is dropped, for a short while (that of a peer who is busy sending a body
 * that nobody wants, and must come to see the answer). */
static void linger(struct connection *connection, bool clean)
{
	int fd = stream_end(connection->stream, clean);

	connection->stream = NULL;
	shutdown(fd, SHUT_WR);
	connection->bare =
	    event_new(loop_base(connection->home->loop), fd, EV_READ | EV_PERSIST, on_linger, connection);
	if (connection->bare == NULL)
		close(fd);
	if (connection->bare == NULL || event_add(connection->bare, NULL) != 0)
		connection_free(connection);
	else
		update(connection);
}

/* --- requests --- */

static bool request_new(struct connection *connection)
{
	const struct http_limits *limits = limits_of(connection);
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

	tell_gone(connection);
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

	count(&counters_of(connection)->requests);
	request->told = true;
	max = handlers_of(connection)->on_request(handlers_of(connection)->context, request);
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
	if (!request->ended && handlers_of(connection)->on_body != NULL)
		handlers_of(connection)->on_body(request, request->message.body, request->message.body_size);
}

static void take_end(struct connection *connection, struct http_request *request)
{
	request->complete = true;
	if (!request->ended)
		handlers_of(connection)->on_complete(request);
}

static void take_failure(struct connection *connection, struct http_request *request)
{
	count(&counters_of(connection)->bad_requests);
	if (request->ended) /* a reply to it is on its way already */
		connection->closing = true;
	else
		connection_refuse(connection, request->message.status, request->message.cause);
}

/* One event of the parser. False when there is nothing more to read now. */
static bool read_event(struct connection *connection)
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

/* True if there is a request to go on with. The next one starts when the reply
 * to the one before has left. */
static bool next_request(struct connection *connection)
{
	if (connection->request != NULL)
		return true;
	if (connection_output(connection) > 0 || connection->closing || input_size(connection) == 0)
		return false;
	return request_new(connection);
}

static bool step_once(struct connection *connection)
{
	struct http_request *request;

	if (connection->broken || !next_request(connection))
		return false;
	request = connection->request;
	if (request->ended && (request->complete || connection->closing)) {
		connection->unread = !request->complete || input_size(connection) > 0;
		connection->closing |= !request->message.keep_alive;
		request_free(request);
		connection->request = NULL;
		return true;
	}
	if (request->complete || request->paused)
		return false;
	return read_event(connection);
}

static bool is_over(const struct connection *connection)
{
	const struct http_request *request = connection->request;
	bool closing = connection->closing || connection->home->draining || connection->half_closed;
	/* The rest of a request will never come. */
	bool cut = connection->half_closed && request != NULL && !request->complete && !request->ended;

	return connection->broken ||
	       ((closing || cut) && (request == NULL || cut) && connection_output(connection) == 0);
}

static void give_away(struct connection *connection)
{
	void (*taken)(void *argument, struct bufferevent *stream) = connection->taken;
	void *argument = connection->taken_argument;
	struct bufferevent *stream = connection->stream;

	bufferevent_setcb(stream, NULL, NULL, NULL, NULL);
	connection->stream = NULL;
	connection_free(connection);
	taken(argument, stream);
}

/* Goes as far as input and handlers allow. May free the connection. */
static void step(struct connection *connection)
{
	connection->stepping = true;
	while (connection->taken == NULL && step_once(connection))
		;
	connection->stepping = false;
	if (connection->taken != NULL && !connection->broken) {
		give_away(connection);
		return;
	}
	if (!is_over(connection))
		update(connection);
	else if (connection->unread && !connection->broken)
		linger(connection, true);
	else
		connection_free(connection);
}

/* --- callbacks --- */

static void on_read(struct bufferevent *stream, void *argument)
{
	(void)stream;
	step(argument);
}

/* Asks for more of a streamed reply. What is given for a reply without body
 * (HEAD) leaves nothing to wait for, so that it is asked for at once. */
static void drain(struct connection *connection)
{
	struct http_request *request = connection->request;

	do {
		if (request == NULL || !request->begun || request->ended || request->on_drain == NULL ||
		    connection_output(connection) > 0 || connection->broken)
			return;
		request->swallowed = false;
		request->on_drain(request);
	} while (request->swallowed);
}

static void on_write(struct bufferevent *stream, void *argument)
{
	struct connection *connection = argument;

	(void)stream;
	if (!connection->established)
		return;
	connection->stepping = true;
	drain(connection);
	step(connection);
}

static void established(struct connection *connection)
{
	SSL *ssl = bufferevent_openssl_get_ssl(connection->stream);
	enum tls_peer peer = tls_peer_certificate(ssl, connection->fingerprint);

	connection->established = true;
	door_leave(connection);
	connection->ended = peer == TLS_PEER_ENDED;
	if (peer == TLS_PEER_VALID) {
		leave_list(connection);
		connection->certified = true;
		join_certified(connection);
	}
	if (tls_resumed(ssl))
		count(&counters_of(connection)->resumed);
	if (connection->tls != NULL)
		tls_server_shed(connection->tls, ssl);
	step(connection);
}

/* A client that has said all it wants to say may still wait for its answer. One whose answer may take long, or is a
 * stream, is taken for gone: nobody else would tell. */
static bool awaits_answer(const struct connection *connection)
{
	const struct http_request *request = connection->request;

	if (request == NULL)
		return connection_output(connection) > 0;
	return request->complete && !request->parked && (!request->begun || request->ended);
}

static void half_close(struct connection *connection)
{
	connection->half_closed = true;
	connection->reading = false;
	bufferevent_enable(connection->stream, EV_WRITE); /* the end of reading has stopped both */
	set_deadline(connection);
	step(connection);
}

static void tell_refused(struct connection *connection, unsigned long tls_error)
{
	const struct http_handlers *handlers = handlers_of(connection);
	struct err cause = { 0 };

	if (handlers->on_refused == NULL || tls_error == 0)
		return;
	tls_failure(bufferevent_openssl_get_ssl(connection->stream), tls_error, &cause);
	handlers->on_refused(handlers->context, connection->peer, &cause);
}

static void on_event(struct bufferevent *stream, short what, void *argument)
{
	struct connection *connection = argument;
	unsigned long tls_error;

	if (what & BEV_EVENT_CONNECTED) {
		established(connection);
		return;
	}
	if (connection->established && (what & BEV_EVENT_EOF) && (what & BEV_EVENT_READING) &&
	    awaits_answer(connection)) {
		half_close(connection);
		return;
	}
	if (connection->established) {
		connection->broken = true;
		connection_free(connection);
		return;
	}
	count(&counters_of(connection)->handshakes_failed);
	tls_error = bufferevent_get_openssl_error(stream);
	tell_refused(connection, tls_error);
	if ((what & BEV_EVENT_ERROR) && tls_error != 0)
		linger(connection, false); /* the alert is to arrive */
	else
		connection_free(connection);
}

/* A reply that moves at all is not late. */
static bool write_progressed(struct connection *connection)
{
	return connection->phase == PHASE_WRITE &&
	       connection->queued - connection_output(connection) > connection->sent_before;
}

static bool body_progressed(const struct connection *connection)
{
	return connection->phase == PHASE_BODY && connection->body_bytes >= limits_of(connection)->body_least;
}

static void on_timer(evutil_socket_t fd, short what, void *argument)
{
	struct connection *connection = argument;

	(void)fd;
	(void)what;
	if (!connection->dismissed && (write_progressed(connection) || body_progressed(connection))) {
		set_deadline(connection);
		return;
	}
	connection->broken |= connection->dismissed;
	if (connection->phase != PHASE_LINGER && connection->phase != PHASE_IDLE)
		count(&counters_of(connection)->timeouts);
	if ((connection->phase == PHASE_HEAD || connection->phase == PHASE_BODY) && !connection->request->ended &&
	    !connection->dismissed) {
		connection_refuse(connection, 408, "the request did not arrive in time");
		step(connection);
		return;
	}
	connection->broken |= connection->phase == PHASE_WRITE;
	connection_free(connection);
}

/* --- birth --- */

static void format_peer(char *text, const struct sockaddr *address)
{
	char host[INET6_ADDRSTRLEN] = "";

	if (address->sa_family == AF_INET6) {
		const struct sockaddr_in6 *in6 = (const void *)address;

		inet_ntop(AF_INET6, &in6->sin6_addr, host, sizeof(host));
		snprintf(text, PEER_TEXT_BYTES, "[%s]:%u", host, ntohs(in6->sin6_port));
	} else {
		const struct sockaddr_in *in = (const void *)address;

		inet_ntop(AF_INET, &in->sin_addr, host, sizeof(host));
		snprintf(text, PEER_TEXT_BYTES, "%s:%u", host, ntohs(in->sin_port));
	}
}

/* A peer whose network vanished does not say so; held requests have no deadline of ours. */
static void set_options(int fd)
{
	static const struct {
		int level, name, value;
	} options[] = {
		{ IPPROTO_TCP, TCP_NODELAY, 1 },    { SOL_SOCKET, SO_KEEPALIVE, 1 }, { IPPROTO_TCP, TCP_KEEPIDLE, 60 },
		{ IPPROTO_TCP, TCP_KEEPINTVL, 15 }, { IPPROTO_TCP, TCP_KEEPCNT, 4 },
	};

	for (size_t i = 0; i < COUNT_OF(options); i++)
		(void)setsockopt(fd, options[i].level, options[i].name, &options[i].value, sizeof(int));
}

static bool open_stream(struct connection *connection, int fd)
{
	struct home *home = connection->home;

	connection->stream = stream_new(home->loop, fd, tls_server_connection(connection->tls));
	if (connection->stream == NULL)
		return false;
	bufferevent_openssl_set_allow_dirty_shutdown(connection->stream, 1);
	bufferevent_setcb(connection->stream, on_read, on_write, on_event, connection);
	connection->reading = true;
	return bufferevent_enable(connection->stream, EV_READ | EV_WRITE) == 0;
}

static bool may_be_evicted(const struct connection *connection)
{
	return connection->phase == PHASE_HANDSHAKE || connection->phase == PHASE_IDLE ||
	       connection->phase == PHASE_HEAD || connection->phase == PHASE_BODY || connection->phase == PHASE_LINGER;
}

/* Nearly all places are taken: strangers that wait, or do not get on, must not keep others out. */
static void make_room(struct home *home)
{
	struct http_server *server = home->server;
	size_t most = server->limits.connections;
	struct connection *each = home->strangers;

	if (atomic_load(&server->counters.connections) <= most / 10 * 9 ||
	    home->stranger_count <= most / 10 / server->count)
		return;
	for (unsigned looked = 0; each != NULL && looked < EVICT_LOOK; looked++, each = each->next) {
		if (may_be_evicted(each)) {
			count(&server->counters.evicted);
			connection_free(each);
			return;
		}
	}
}

void connection_open(struct home *home, struct tls_server *tls, int fd, const struct sockaddr *address)
{
	struct connection *connection = home->draining ? NULL : calloc(1, sizeof(*connection));

	if (connection == NULL) {
		atomic_fetch_sub(&home->server->counters.connections, 1);
		close(fd);
		return;
	}
	make_room(home);
	connection->home = home;
	connection->tls = tls;
	join_strangers(connection);
	format_peer(connection->peer, address);
	if (handlers_of(connection)->on_accept != NULL &&
	    !handlers_of(connection)->on_accept(handlers_of(connection)->context, connection->peer)) {
		count(&counters_of(connection)->refused);
		close(fd);
		connection_free(connection);
		return;
	}
	set_options(fd);
	connection->at_door = true;
	connection->phase = PHASE_HANDSHAKE;
	connection->timer = event_new(loop_base(home->loop), -1, 0, on_timer, connection);
	if (!door_wait(connection, fd) || connection->timer == NULL) {
		if (connection->bare == NULL)
			close(fd);
		connection_free(connection);
		return;
	}
	set_deadline(connection);
}

void connection_enter(struct connection *connection, int fd)
{
	connection->at_door = false;
	if (!open_stream(connection, fd))
		connection_free(connection);
}

bool connection_adopt(struct home *home, struct bufferevent *stream, const char *peer)
{
	struct connection *connection = calloc(1, sizeof(*connection));

	if (connection != NULL)
		connection->timer = event_new(loop_base(home->loop), -1, 0, on_timer, connection);
	if (connection == NULL || connection->timer == NULL) {
		free(connection);
		return false;
	}
	connection->home = home;
	join_strangers(connection);
	snprintf(connection->peer, sizeof(connection->peer), "%.*s", PEER_TEXT_BYTES - 1, peer);
	connection->stream = stream;
	bufferevent_openssl_set_allow_dirty_shutdown(stream, 1);
	bufferevent_setcb(stream, on_read, on_write, on_event, connection);
	connection->reading = true;
	bufferevent_enable(stream, EV_READ | EV_WRITE);
	connection->phase = PHASE_HANDSHAKE;
	set_deadline(connection);
	established(connection); /* reads what came already */
	return true;
}

void connection_drain(struct connection *connection)
{
	if (connection->phase == PHASE_IDLE || connection->phase == PHASE_HANDSHAKE)
		connection_free(connection);
}

/* The last words to it are a refusal, which says why: a request that is whole and unanswered, or whose answer is
 * leaving, may have it. Bodies on their way in and streams on their way out end here and now. */
static bool deserves_answer(const struct connection *connection)
{
	const struct http_request *request = connection->request;

	if (connection->stream == NULL)
		return false;
	if (request == NULL || request->ended)
		return connection_output(connection) > 0;
	return request->complete && !request->begun;
}

void connection_dismiss(struct connection *connection)
{
	const struct timeval after = { .tv_usec = DISMISS_US };

	if (!deserves_answer(connection) || event_add(connection->timer, &after) != 0) {
		connection->broken |= connection->request != NULL;
		connection_free(connection);
		return;
	}
	connection->closing = true;
	connection->dismissed = true;
}

/* --- for reply.c --- */

void connection_write(struct connection *connection, const void *bytes, size_t size)
{
	if (connection->broken || connection->stream == NULL)
		return;
	if (evbuffer_add(bufferevent_get_output(connection->stream), bytes, size) != 0)
		connection->broken = true;
	else
		connection->queued += size;
}

void http_park(struct http_request *request)
{
	request->parked = true;
	if (request->connection->half_closed) {
		request->connection->broken = true;
		connection_poke(request->connection);
	}
}

void connection_poke(struct connection *connection)
{
	if (connection->stepping)
		return;
	bufferevent_trigger(connection->stream, EV_READ, BEV_TRIG_IGNORE_WATERMARKS | BEV_TRIG_DEFER_CALLBACKS);
	if (!connection->broken)
		update(connection);
}
