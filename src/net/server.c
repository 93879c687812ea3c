/* The server: listening, spreading connections over the loops, stopping.
 *
 * Accepting is done on loops[0], which hands descriptors to the others in turn.
 * (SO_REUSEPORT for each loop would let a second manager take the same port
 * without a word.)
 */
#include "net/server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "net/connection.h"
#include "net/stream.h"

#define ACCEPT_BATCH    64
#define ACCEPT_AGAIN_US (100 * MILLISECOND_US)
#define LISTEN_BACKLOG  4096

const struct http_limits http_limits_default = {
	.header_bytes = 16 * KIB,
	.header_count = 64,
	.connections = 16384,
	.handshake = 15 * SECOND_US,
	.header = 15 * SECOND_US,
	.body_idle = 30 * SECOND_US,
	.body_least = 16 * KIB,
	.idle = 120 * SECOND_US,
	.write_idle = 30 * SECOND_US,
};

struct listener {
	struct listener *next;
	struct http_server *server;
	struct tls_server *const *tls; /* one a home; NULL: the homes' own */
	struct loop_watch *watch;
	int fd;
	bool held; /* connections wait in the backlog */
};

struct handoff {
	struct home *home;
	struct tls_server *tls;
	int fd;
	struct sockaddr_in6 address; /* large enough for IPv4 too */
};

struct stop {
	struct http_server *server;
	span_us grace;
	void (*done)(void *argument);
	void *argument;
	struct loop_timer *timer;
};

struct http_server *http_server_new(struct loop *const *loops, struct tls_server *const *tls, size_t count,
				    const struct http_limits *limits, const struct http_handlers *handlers,
				    struct err *err)
{
	struct http_server *server = calloc(1, sizeof(*server));

	if (server != NULL)
		server->homes = calloc(count, sizeof(*server->homes));
	if (server == NULL || server->homes == NULL) {
		free(server);
		err_set(err, ERR_MEMORY, "no memory for a server");
		return NULL;
	}
	server->limits = *(limits != NULL ? limits : &http_limits_default);
	server->sources = sources_new(server->limits.connections, err);
	if (server->sources != NULL && server->limits.of_client > 0)
		server->clients = sources_new(server->limits.connections, err);
	if (server->sources == NULL || (server->clients == NULL && server->limits.of_client > 0)) {
		sources_free(server->sources);
		free(server->homes);
		free(server);
		return NULL;
	}
	server->handlers = *handlers;
	server->count = count;
	for (size_t i = 0; i < count; i++)
		server->homes[i] = (struct home){ .server = server,
						  .loop = loops[i],
						  .tls = tls[i],
						  .strangers_last = &server->homes[i].strangers,
						  .door_last = &server->homes[i].door_first };
	return server;
}

/* --- listening --- */

/* "[::1]:4343" or "127.0.0.1:4343"; the address alone goes into `host`. */
static bool split_address(const char *text, char *host, size_t capacity, uint64_t *ret_port)
{
	const char *colon = strrchr(text, ':');
	size_t size;

	if (colon == NULL || number_parse(colon + 1, 0, UINT16_MAX, ret_port, NULL) != 0)
		return false;
	size = (size_t)(colon - text);
	if (size >= 2 && text[0] == '[' && text[size - 1] == ']') {
		text++;
		size -= 2;
	} else if (memchr(text, ':', size) != NULL) {
		return false; /* IPv6 needs brackets */
	}
	if (size >= capacity)
		return false;
	memcpy(host, text, size);
	host[size] = '\0';
	return true;
}

static int parse_address(const char *text, struct sockaddr_storage *ret_address, socklen_t *ret_size, struct err *err)
{
	struct sockaddr_in *in = (struct sockaddr_in *)ret_address;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)ret_address;
	char host[INET6_ADDRSTRLEN];
	uint64_t port;

	memset(ret_address, 0, sizeof(*ret_address));
	if (split_address(text, host, sizeof(host), &port)) {
		if (inet_pton(AF_INET, host, &in->sin_addr) == 1) {
			in->sin_family = AF_INET;
			in->sin_port = htons((uint16_t)port);
			*ret_size = sizeof(*in);
			return 0;
		}
		if (inet_pton(AF_INET6, host, &in6->sin6_addr) == 1) {
			in6->sin6_family = AF_INET6;
			in6->sin6_port = htons((uint16_t)port);
			*ret_size = sizeof(*in6);
			return 0;
		}
	}
	return err_set(err, ERR_FORMAT, "listen address %s: expected ADDRESS:PORT, such as 0.0.0.0:4343 or [::]:4343",
		       text);
}

static int open_socket(const struct sockaddr_storage *address, socklen_t size)
{
	const int one = 1;
	int fd = socket(address->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int saved;

	if (fd < 0)
		return -1;
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (address->ss_family == AF_INET6)
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
	if (bind(fd, (const struct sockaddr *)address, size) == 0 && listen(fd, LISTEN_BACKLOG) == 0)
		return fd;
	saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

static int listen_failure(const char *address, struct err *err)
{
	if (errno == EADDRINUSE)
		return err_set(
		    err, ERR_BUSY,
		    "cannot listen on %s: another program has this port (`ss -ltnp` says which); stop it or choose "
		    "another port",
		    address);
	if (errno == EACCES)
		return err_set(
		    err, ERR_DENIED,
		    "cannot listen on %s: ports below 1024 need a privilege; start it as root (it gives that up), give "
		    "it CAP_NET_BIND_SERVICE, or choose another port",
		    address);
	if (errno == EADDRNOTAVAIL)
		return err_set(
		    err, ERR_NOT_FOUND,
		    "cannot listen on %s: this computer has no such address; `ip address` lists those that it has",
		    address);
	if (errno == EAFNOSUPPORT)
		return err_set(err, ERR_NOT_FOUND, "cannot listen on %s: IPv6 is switched off on this computer",
			       address);
	return err_errno(err, errno, "cannot listen on %s", address);
}

static uint16_t bound_port(int fd)
{
	struct sockaddr_in6 address = { 0 }; /* IPv4 has its port at the same place */
	socklen_t size = sizeof(address);

	_Static_assert(offsetof(struct sockaddr_in6, sin6_port) == offsetof(struct sockaddr_in, sin_port), "");
	return getsockname(fd, (struct sockaddr *)&address, &size) == 0 ? ntohs(address.sin6_port) : 0;
}

static void take_handoff(void *argument)
{
	struct handoff *handoff = argument;

	connection_open(handoff->home, handoff->tls, handoff->fd, (const struct sockaddr *)&handoff->address);
	free(handoff);
}

static void give_away(const struct listener *listener, int fd, const struct sockaddr_in6 *address)
{
	struct http_server *server = listener->server;
	size_t place = server->next++ % server->count;
	struct home *home = &server->homes[place];
	struct tls_server *tls = listener->tls != NULL ? listener->tls[place] : home->tls;
	struct handoff *handoff;

	atomic_fetch_add(&server->counters.connections, 1);
	if (home == server->homes) {
		connection_open(home, tls, fd, (const struct sockaddr *)address);
		return;
	}
	handoff = malloc(sizeof(*handoff));
	if (handoff != NULL) {
		*handoff = (struct handoff){ .home = home, .tls = tls, .fd = fd, .address = *address };
		if (loop_post(home->loop, take_handoff, handoff) == 0)
			return;
		free(handoff);
	}
	atomic_fetch_sub(&server->counters.connections, 1);
	close(fd);
}

int http_server_adopt(struct http_server *server, struct bufferevent *connection, const char *peer, struct err *err)
{
	int rc = 0;

	if (atomic_fetch_add(&server->counters.connections, 1) >= server->limits.connections)
		rc = err_set(err, ERR_LIMIT, "too many connections are served to agents that were dialled");
	else if (server->homes[0].draining || !connection_adopt(&server->homes[0], connection, peer))
		rc = err_set(err, ERR_MEMORY, "no memory to serve the agent");
	if (rc == 0)
		return 0;
	atomic_fetch_sub(&server->counters.connections, 1);
	stream_free(connection, true);
	return rc;
}

static void watch_all(void *argument);

static void stop_watching(struct http_server *server)
{
	for (struct listener *each = server->listeners; each != NULL; each = each->next) {
		loop_watch_free(each->watch);
		each->watch = NULL;
	}
}

/* Out of descriptors or memory: the connection waits in the backlog, and we
 * must not spin on it. */
static void accept_later(struct http_server *server)
{
	atomic_fetch_add(&server->counters.accept_paused, 1);
	stop_watching(server);
	loop_timer_set(server->accept_again, ACCEPT_AGAIN_US);
}

static bool accept_one(struct listener *listener)
{
	struct http_server *server = listener->server;
	struct sockaddr_in6 address = { 0 };
	socklen_t size = sizeof(address);
	int fd = accept4(listener->fd, (struct sockaddr *)&address, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd < 0) {
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
			accept_later(server);
		return errno == ECONNABORTED || errno == EINTR;
	}
	atomic_fetch_add(&server->counters.accepted, 1);
	if (atomic_load(&server->counters.connections) >= server->limits.connections) {
		atomic_fetch_add(&server->counters.refused, 1);
		close(fd);
		return true;
	}
	give_away(listener, fd, &address);
	return true;
}

static void on_connection(void *argument)
{
	for (int i = 0; i < ACCEPT_BATCH && accept_one(argument); i++)
		;
}

static void watch_all(void *argument)
{
	struct http_server *server = argument;

	for (struct listener *each = server->listeners; each != NULL; each = each->next)
		if (each->watch == NULL && !each->held)
			each->watch = loop_watch_new(server->homes[0].loop, each->fd, on_connection, each);
}

int http_server_may_listen(const char *address, struct err *err)
{
	struct sockaddr_storage parsed;
	socklen_t size = 0;
	int fd, r = parse_address(address, &parsed, &size, err);

	if (r != 0)
		return r;
	fd = open_socket(&parsed, size);
	if (fd < 0)
		return listen_failure(address, err);
	close(fd);
	return 0;
}

int http_server_listen(struct http_server *server, const char *address, uint16_t *ret_port, struct err *err)
{
	return http_server_listen_with(server, address, NULL, false, ret_port, err);
}

int http_server_listen_with(struct http_server *server, const char *address, struct tls_server *const *tls, bool held,
			    uint16_t *ret_port, struct err *err)
{
	struct sockaddr_storage parsed;
	socklen_t size = 0;
	struct listener *listener;
	int fd, r = parse_address(address, &parsed, &size, err);

	if (r != 0)
		return r;
	fd = open_socket(&parsed, size);
	if (fd < 0)
		return listen_failure(address, err);
	if (server->accept_again == NULL)
		server->accept_again = loop_timer_new(server->homes[0].loop, watch_all, server);
	listener = calloc(1, sizeof(*listener));
	if (listener == NULL || server->accept_again == NULL) {
		free(listener);
		close(fd);
		return err_set(err, ERR_MEMORY, "no memory to listen on %s", address);
	}
	*listener =
	    (struct listener){ .next = server->listeners, .server = server, .tls = tls, .fd = fd, .held = held };
	server->listeners = listener;
	watch_all(server);
	if (ret_port != NULL)
		*ret_port = bound_port(fd);
	return listener->watch != NULL || held ? 0 : err_set(err, ERR_MEMORY, "no memory to listen on %s", address);
}

void http_server_admit(struct http_server *server, struct tls_server *const *tls)
{
	for (struct listener *each = server->listeners; each != NULL; each = each->next)
		each->held = each->held && each->tls != tls;
	watch_all(server);
}

static void close_listeners(struct http_server *server)
{
	stop_watching(server);
	if (server->accept_again != NULL)
		loop_timer_clear(server->accept_again);
	while (server->listeners != NULL) {
		struct listener *listener = server->listeners;

		server->listeners = listener->next;
		close(listener->fd);
		free(listener);
	}
}

/* --- one client is not to be here any more --- */

struct drop {
	struct home *home;
	uint8_t fingerprint[SHA256_BYTES];
};

static void drop_in_list(struct connection *first, const uint8_t fingerprint[SHA256_BYTES])
{
	struct connection *next;

	for (struct connection *each = first; each != NULL; each = next) {
		next = each->next;
		if (memcmp(each->fingerprint, fingerprint, SHA256_BYTES) == 0)
			connection_dismiss(each);
	}
}

/* One whose client was not known when it came may have become so since. */
static void drop_in_home(void *argument)
{
	struct drop *drop = argument;

	drop_in_list(drop->home->connections, drop->fingerprint);
	drop_in_list(drop->home->strangers, drop->fingerprint);
	free(drop);
}

int http_server_drop(struct http_server *server, const uint8_t fingerprint[SHA256_BYTES], struct err *err)
{
	for (size_t i = 0; i < server->count; i++) {
		struct drop *drop = malloc(sizeof(*drop));

		if (drop == NULL)
			return err_set(err, ERR_MEMORY, "no memory to end a client's connections");
		drop->home = &server->homes[i];
		memcpy(drop->fingerprint, fingerprint, SHA256_BYTES);
		if (loop_post(drop->home->loop, drop_in_home, drop) != 0) {
			free(drop);
			return err_set(err, ERR_MEMORY, "no memory to end a client's connections");
		}
	}
	return 0;
}

/* --- stopping --- */

static void end_connections(struct home *home)
{
	while (home->connections != NULL)
		connection_free(home->connections);
	while (home->strangers != NULL)
		connection_free(home->strangers);
}

static void end_stop(struct http_server *server)
{
	struct stop *stop = server->stop;

	server->stop = NULL;
	loop_timer_free(stop->timer);
	stop->done(stop->argument);
	free(stop);
}

/* On loops[0]: one more of the homes is empty. */
static void count_drained(void *argument)
{
	struct http_server *server = argument;

	if (++server->drained == server->count && server->stop != NULL)
		end_stop(server);
}

void home_check_drained(struct home *home)
{
	if (!home->draining || home->told_drained || !home_is_empty(home))
		return;
	home->told_drained = loop_post(home->server->homes[0].loop, count_drained, home->server) == 0;
}

static void drain_list(struct connection *first)
{
	struct connection *next;

	for (struct connection *each = first; each != NULL; each = next) {
		next = each->next;
		connection_drain(each);
	}
}

static void drain_home(void *argument)
{
	struct home *home = argument;

	home->draining = true;
	drain_list(home->connections);
	drain_list(home->strangers);
	home_check_drained(home);
}

static void end_home(void *argument)
{
	struct home *home = argument;

	end_connections(home);
	home_check_drained(home);
}

static void on_grace_over(void *argument)
{
	struct http_server *server = argument;

	for (size_t i = 0; i < server->count; i++)
		loop_post(server->homes[i].loop, end_home, &server->homes[i]);
}

static void begin_stop(void *argument)
{
	struct stop *stop = argument;
	struct http_server *server = stop->server;

	if (server->stop != NULL || server->drained > 0) { /* once is enough */
		free(stop);
		return;
	}
	server->stop = stop;
	close_listeners(server);
	stop->timer = loop_timer_new(server->homes[0].loop, on_grace_over, server);
	if (stop->timer != NULL)
		loop_timer_set(stop->timer, stop->grace);
	for (size_t i = 0; i < server->count; i++)
		loop_post(server->homes[i].loop, drain_home, &server->homes[i]);
}

void http_server_stop(struct http_server *server, span_us grace, void (*done)(void *argument), void *argument)
{
	struct stop *stop = malloc(sizeof(*stop));

	if (stop == NULL)
		return;
	*stop = (struct stop){ .server = server, .grace = grace, .done = done, .argument = argument };
	if (loop_post(server->homes[0].loop, begin_stop, stop) != 0)
		free(stop);
}

void http_server_free(struct http_server *server)
{
	if (server == NULL)
		return;
	close_listeners(server);
	for (size_t i = 0; i < server->count; i++) {
		server->homes[i].draining = false; /* nobody is there to be told */
		end_connections(&server->homes[i]);
	}
	loop_timer_free(server->accept_again);
	if (server->stop != NULL)
		loop_timer_free(server->stop->timer);
	free(server->stop);
	sources_free(server->sources);
	sources_free(server->clients);
	free(server->homes);
	free(server);
}

void http_server_counters(struct http_server *server, struct http_server_counters *out)
{
	struct counters *counters = &server->counters;

	*out = (struct http_server_counters){
		.connections = atomic_load(&counters->connections),
		.waiting = atomic_load(&counters->waiting),
		.accepted = atomic_load(&counters->accepted),
		.refused = atomic_load(&counters->refused),
		.evicted = atomic_load(&counters->evicted),
		.accept_paused = atomic_load(&counters->accept_paused),
		.handshakes_failed = atomic_load(&counters->handshakes_failed),
		.resumed = atomic_load(&counters->resumed),
		.requests = atomic_load(&counters->requests),
		.bad_requests = atomic_load(&counters->bad_requests),
		.timeouts = atomic_load(&counters->timeouts),
	};
}
