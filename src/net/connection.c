/* One connection of the server, from its birth to its end: what happens on its TLS stream, and what follows.
 *
 * step() is the only place that goes on with it, update() the only one that goes from a phase to another. Input is
 * hostile; connection_read.c reads it.
 */
#include "net/connection.h"

#include <arpa/inet.h>
#include <event2/event.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "net/connection_list.h"
#include "net/connection_phase.h"
#include "net/connection_read.h"
#include "net/door.h"
#include "net/stream.h"

#define INPUT_MAX_BYTES (64 * KIB) /* unread input after which reading stops */

size_t connection_output(const struct connection *connection)
{
	return connection->stream != NULL ? evbuffer_get_length(bufferevent_get_output(connection->stream)) : 0;
}

static size_t input_size(const struct connection *connection)
{
	return evbuffer_get_length(bufferevent_get_input(connection->stream));
}

/* --- deadlines --- */

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
	enum phase phase = connection_phase_now(connection);

	if (phase != PHASE_HANDSHAKE && phase != PHASE_LINGER)
		update_reading(connection);
	if (phase == connection->phase)
		return;
	connection->phase = phase;
	connection_deadline_set(connection);
}

/* --- end --- */

/* It does not count among those of its address any more, of whom nothing is known yet. */
static void known(struct connection *connection)
{
	sources_leave(connection->home->server->sources, connection->source);
	connection->source = NULL;
}

void connection_free(struct connection *connection)
{
	struct home *home = connection->home;

	connection_tell_gone(connection);
	connection_request_free(connection->request);
	stream_free(connection->stream, connection->established && !connection->broken);
	door_leave(connection);
	if (connection->bare != NULL) {
		close(event_get_fd(connection->bare));
		event_free(connection->bare);
	}
	if (connection->timer != NULL)
		event_free(connection->timer);
	connection_list_leave(connection);
	known(connection);
	sources_leave(home->server->clients, connection->client);
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

/* True if there is a request to go on with. The next one starts when the reply
 * to the one before has left. */
static bool next_request(struct connection *connection)
{
	if (connection->request != NULL)
		return true;
	if (connection_output(connection) > 0 || connection->closing || input_size(connection) == 0)
		return false;
	return connection_request_new(connection);
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
		connection_request_free(request);
		connection->request = NULL;
		return true;
	}
	if (request->complete || request->paused)
		return false;
	return connection_read_event(connection);
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

_Static_assert(HTTP_CLIENT_BYTES == SOURCES_CLIENT_BYTES, "counted by all of it");

/* Who is known is not closed for others, and so has its own bound. False: it has too many. */
static bool let_in(struct connection *connection)
{
	struct http_server *server = connection->home->server;
	const struct http_handlers *handlers = &server->handlers;
	uint8_t client[HTTP_CLIENT_BYTES];

	memcpy(client, connection->fingerprint, sizeof(client));
	if (handlers->on_client != NULL && !handlers->on_client(handlers->context, connection->fingerprint, client))
		return true;
	connection_list_certify(connection);
	if (server->clients == NULL)
		return true;
	connection->client = sources_enter_client(server->clients, client);
	return sources_count(server->clients, connection->client) <= server->limits.of_client;
}

/* May free the connection. */
static void established(struct connection *connection)
{
	SSL *ssl = bufferevent_openssl_get_ssl(connection->stream);
	enum tls_peer peer = tls_peer_certificate(ssl, connection->fingerprint);

	connection->established = true;
	known(connection);
	door_leave(connection);
	connection->ended = peer == TLS_PEER_ENDED;
	connection->certified = peer == TLS_PEER_VALID;
	if (connection->certified && !let_in(connection)) {
		counter_add(&connection_counters(connection)->refused);
		connection_free(connection);
		return;
	}
	if (tls_resumed(ssl))
		counter_add(&connection_counters(connection)->resumed);
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
	connection_deadline_set(connection);
	step(connection);
}

static void tell_refused(struct connection *connection, unsigned long tls_error)
{
	const struct http_handlers *handlers = connection_handlers(connection);
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
	counter_add(&connection_counters(connection)->handshakes_failed);
	tls_error = bufferevent_get_openssl_error(stream);
	tell_refused(connection, tls_error);
	if ((what & BEV_EVENT_ERROR) && tls_error != 0)
		linger(connection, false); /* the alert is to arrive */
	else
		connection_free(connection);
}

static void on_timer(evutil_socket_t fd, short what, void *argument)
{
	struct connection *connection = argument;

	(void)fd;
	(void)what;
	if (!connection->dismissed && connection_progressed(connection)) {
		connection_deadline_set(connection);
		return;
	}
	connection->broken |= connection->dismissed;
	if (connection->phase != PHASE_LINGER && connection->phase != PHASE_IDLE)
		counter_add(&connection_counters(connection)->timeouts);
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

void connection_open(struct home *home, struct tls_server *tls, int fd, const struct sockaddr *address)
{
	struct connection *connection = home->draining ? NULL : calloc(1, sizeof(*connection));

	if (connection == NULL) {
		atomic_fetch_sub(&home->server->counters.connections, 1);
		close(fd);
		return;
	}
	connection_list_make_room(home);
	connection->home = home;
	connection->tls = tls;
	connection_list_join(connection);
	connection->source = sources_enter(home->server->sources, address);
	connection_list_make_room_beside(connection);
	format_peer(connection->peer, address);
	if (connection_handlers(connection)->on_accept != NULL &&
	    !connection_handlers(connection)->on_accept(connection_handlers(connection)->context, connection->peer)) {
		counter_add(&connection_counters(connection)->refused);
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
	connection_deadline_set(connection);
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
	connection_list_join(connection);
	snprintf(connection->peer, sizeof(connection->peer), "%.*s", PEER_TEXT_BYTES - 1, peer);
	connection->stream = stream;
	bufferevent_openssl_set_allow_dirty_shutdown(stream, 1);
	bufferevent_setcb(stream, on_read, on_write, on_event, connection);
	connection->reading = true;
	bufferevent_enable(stream, EV_READ | EV_WRITE);
	connection->phase = PHASE_HANDSHAKE;
	connection_deadline_set(connection);
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
