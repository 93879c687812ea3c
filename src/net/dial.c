/* Resolving and connecting without blocking the loop. */
#include "net/dial.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define RESOLVE_STACK_BYTES (256 * KIB)

/* Shared by the loop and the thread; the last one frees it. The thread touches
 * nothing else: the loop may be gone when a slow name server answers. */
struct lookup {
	atomic_int holders;
	int ready_fd;
	char *host;
	char port[8];
	atomic_bool ready; /* what follows is the loop's to read */
	int result;        /* of getaddrinfo() */
	struct addrinfo *addresses;
};

struct dial {
	struct loop *loop;
	char *host;
	uint16_t port;
	char *source_address;
	void (*done)(void *argument, int fd, const struct err *err);
	void *argument;
	struct lookup *lookup;
	struct loop_watch *watch;
	struct loop_timer *soon; /* runs the first step, and reports failures, from the loop */
	const struct addrinfo *next;
	int fd;
	struct err err;
};

static void lookup_unref(struct lookup *lookup)
{
	if (lookup == NULL || atomic_fetch_sub(&lookup->holders, 1) > 1)
		return;
	if (lookup->addresses != NULL)
		freeaddrinfo(lookup->addresses);
	if (lookup->ready_fd >= 0)
		close(lookup->ready_fd);
	free(lookup->host);
	free(lookup);
}

static int look_up(struct lookup *lookup, int flags)
{
	const struct addrinfo hints = { .ai_family = AF_UNSPEC,
					.ai_socktype = SOCK_STREAM,
					.ai_flags = flags | AI_NUMERICSERV };

	return getaddrinfo(lookup->host, lookup->port, &hints, &lookup->addresses);
}

static void *lookup_thread(void *argument)
{
	struct lookup *lookup = argument;
	const uint64_t one = 1;

	lookup->result = look_up(lookup, 0);
	atomic_store(&lookup->ready, true);
	while (write(lookup->ready_fd, &one, sizeof(one)) < 0 && errno == EINTR)
		;
	lookup_unref(lookup);
	return NULL;
}

static struct lookup *lookup_new(const char *host, uint16_t port)
{
	struct lookup *lookup = calloc(1, sizeof(*lookup));

	if (lookup == NULL)
		return NULL;
	atomic_init(&lookup->holders, 1);
	lookup->ready_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	lookup->host = strdup(host);
	snprintf(lookup->port, sizeof(lookup->port), "%u", port);
	if (lookup->ready_fd < 0 || lookup->host == NULL) {
		lookup_unref(lookup);
		return NULL;
	}
	return lookup;
}

static int start_thread(struct lookup *lookup)
{
	pthread_attr_t attributes;
	pthread_t thread;
	int r = pthread_attr_init(&attributes);

	if (r != 0)
		return r;
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attributes, RESOLVE_STACK_BYTES);
	atomic_fetch_add(&lookup->holders, 1);
	r = pthread_create(&thread, &attributes, lookup_thread, lookup);
	if (r != 0)
		atomic_fetch_sub(&lookup->holders, 1);
	pthread_attr_destroy(&attributes);
	return r;
}

/* --- connecting --- */

static void finish(struct dial *dial, int fd)
{
	loop_watch_free(dial->watch);
	dial->watch = NULL;
	dial->fd = -1;
	dial->done(dial->argument, fd, &dial->err);
}

static int bind_source(struct dial *dial, int fd, int family)
{
	struct sockaddr_in in = { .sin_family = AF_INET };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };
	bool four = family == AF_INET;
	int one = 1;

	if (dial->source_address == NULL)
		return 0;
	if (inet_pton(family, dial->source_address, four ? (void *)&in.sin_addr : (void *)&in6.sin6_addr) != 1) {
		errno = EADDRNOTAVAIL;
		return -1;
	}
	/* The port is chosen at connect(), so that ports serve each (address, peer) pair anew. */
	(void)setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof(one));
	return bind(fd, four ? (struct sockaddr *)&in : (struct sockaddr *)&in6, four ? sizeof(in) : sizeof(in6));
}

static void connect_failed(struct dial *dial, int errno_value)
{
	bool local = errno_value == EMFILE || errno_value == ENFILE || errno_value == ENOBUFS;

	err_set(&dial->err, local ? ERR_IO : ERR_CONNECT, "connect to %s port %u: %s", dial->host, dial->port,
		strerror(errno_value));
	loop_watch_free(dial->watch);
	dial->watch = NULL;
	if (dial->fd >= 0)
		close(dial->fd);
	dial->fd = -1;
}

static void try_next(struct dial *dial);

static void on_connected(void *argument)
{
	struct dial *dial = argument;
	int error = 0;
	socklen_t size = sizeof(error);

	if (getsockopt(dial->fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0)
		error = errno;
	if (error == 0) {
		finish(dial, dial->fd);
		return;
	}
	connect_failed(dial, error);
	try_next(dial);
}

/* False if it failed at once. */
static bool start_connect(struct dial *dial, const struct addrinfo *address)
{
	const int one = 1;

	dial->fd = socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (dial->fd < 0 || bind_source(dial, dial->fd, address->ai_family) != 0)
		return false;
	(void)setsockopt(dial->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	(void)setsockopt(dial->fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one));
	if (connect(dial->fd, address->ai_addr, address->ai_addrlen) != 0 && errno != EINPROGRESS)
		return false;
	dial->watch = loop_watch_write_new(dial->loop, dial->fd, on_connected, dial);
	if (dial->watch == NULL)
		errno = ENOBUFS;
	return dial->watch != NULL;
}

static void try_next(struct dial *dial)
{
	while (dial->next != NULL) {
		const struct addrinfo *address = dial->next;

		dial->next = address->ai_next;
		if (start_connect(dial, address))
			return;
		connect_failed(dial, errno);
	}
	finish(dial, -1);
}

/* --- resolving --- */

static void resolved(struct dial *dial)
{
	if (dial->lookup->result != 0) {
		err_set(&dial->err, ERR_RESOLVE, "resolve %s: %s", dial->host, gai_strerror(dial->lookup->result));
		finish(dial, -1);
		return;
	}
	dial->next = dial->lookup->addresses;
	try_next(dial);
}

static void on_ready(void *argument)
{
	struct dial *dial = argument;

	if (!atomic_load(&dial->lookup->ready))
		return;
	loop_watch_free(dial->watch);
	dial->watch = NULL;
	resolved(dial);
}

static void start(void *argument)
{
	struct dial *dial = argument;
	int r;

	dial->lookup->result = look_up(dial->lookup, AI_NUMERICHOST);
	if (dial->lookup->result == 0) {
		resolved(dial);
		return;
	}
	dial->watch = loop_watch_new(dial->loop, dial->lookup->ready_fd, on_ready, dial);
	r = dial->watch != NULL ? start_thread(dial->lookup) : ENOMEM;
	if (r != 0) {
		err_errno(&dial->err, r, "resolve %s: cannot start a thread", dial->host);
		finish(dial, -1);
	}
}

struct dial *dial_new(struct loop *loop, const char *host, uint16_t port, const char *source_address,
		      void (*done)(void *argument, int fd, const struct err *err), void *argument)
{
	struct dial *dial = calloc(1, sizeof(*dial));

	if (dial == NULL)
		return NULL;
	*dial = (struct dial){ .loop = loop, .port = port, .done = done, .argument = argument, .fd = -1 };
	dial->host = strdup(host);
	dial->source_address = source_address != NULL ? strdup(source_address) : NULL;
	dial->lookup = lookup_new(host, port);
	dial->soon = loop_timer_new(loop, start, dial);
	if (dial->host == NULL || (source_address != NULL && dial->source_address == NULL) || dial->lookup == NULL ||
	    dial->soon == NULL) {
		dial_free(dial);
		return NULL;
	}
	loop_timer_set(dial->soon, 0);
	return dial;
}

void dial_free(struct dial *dial)
{
	if (dial == NULL)
		return;
	loop_watch_free(dial->watch);
	loop_timer_free(dial->soon);
	if (dial->fd >= 0)
		close(dial->fd);
	lookup_unref(dial->lookup);
	free(dial->host);
	free(dial->source_address);
	free(dial);
}
