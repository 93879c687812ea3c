/* Agents enter one after another; see door.h. What is read here is a peer's first
 * bytes, looked at and left in the socket; nothing is parsed. */
#include "net/door.h"

#include <errno.h>
#include <event2/event.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "net/connection.h"
#include "net/tls.h"

#define AGENTS_INSIDE 32   /* at once on a loop: enough to keep it busy when their answers take 50 ms */
#define LOOK_BYTES    1460 /* of a first message: what a packet holds; ALPN comes before tickets of TLS 1.3 */

static void join_queue(struct connection *connection)
{
	struct home *home = connection->home;

	connection->door_next = NULL;
	connection->door_previous = home->door_last;
	*home->door_last = connection;
	home->door_last = &connection->door_next;
	connection->queues = true;
	atomic_fetch_add_explicit(&home->server->counters.waiting, 1, memory_order_relaxed);
}

static void leave_queue(struct connection *connection)
{
	struct home *home = connection->home;

	*connection->door_previous = connection->door_next;
	if (connection->door_next != NULL)
		connection->door_next->door_previous = connection->door_previous;
	else
		home->door_last = connection->door_previous;
	connection->queues = false;
	atomic_fetch_sub_explicit(&home->server->counters.waiting, 1, memory_order_relaxed);
}

static void enter(struct connection *connection, bool agent)
{
	int fd = event_get_fd(connection->bare);

	event_free(connection->bare);
	connection->bare = NULL;
	connection->entering = agent;
	connection->home->agents_entering += agent;
	connection_enter(connection, fd);
}

/* Whose patience has ended is gone already. */
static bool hung_up(int fd)
{
	struct pollfd look = { .fd = fd, .events = POLLRDHUP };

	return poll(&look, 1, 0) != 0;
}

static void let_in(struct home *home)
{
	while (!home->draining && home->door_first != NULL && home->agents_entering < AGENTS_INSIDE) {
		struct connection *connection = home->door_first;

		leave_queue(connection);
		if (hung_up(event_get_fd(connection->bare)))
			connection_free(connection);
		else
			enter(connection, true);
	}
}

static void on_first_bytes(evutil_socket_t fd, short what, void *argument)
{
	struct connection *connection = argument;
	uint8_t bytes[LOOK_BYTES];
	ssize_t size = recv(fd, bytes, sizeof(bytes), MSG_PEEK | MSG_DONTWAIT);
	bool agent;

	(void)what;
	if (size < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (size <= 0) {
		connection_free(connection);
		return;
	}
	agent = memmem(bytes, (size_t)size, TLS_AGENT_PROTOCOL, strlen(TLS_AGENT_PROTOCOL)) != NULL;
	if (!agent || connection->home->agents_entering < AGENTS_INSIDE) {
		enter(connection, agent);
		return;
	}
	event_del(connection->bare);
	join_queue(connection);
}

bool door_wait(struct connection *connection, int fd)
{
	connection->bare =
	    event_new(loop_base(connection->home->loop), fd, EV_READ | EV_PERSIST, on_first_bytes, connection);
	return connection->bare != NULL && event_add(connection->bare, NULL) == 0;
}

void door_leave(struct connection *connection)
{
	struct home *home = connection->home;

	if (connection->queues)
		leave_queue(connection);
	if (!connection->entering)
		return;
	connection->entering = false;
	home->agents_entering--;
	let_in(home);
}
