/* The connections of a loop (connection_list.h). Their peers are anybody. */
#include "net/connection_list.h"

#define SHARE_LOOK 1024 /* likewise, for one of an address that has more than its share: most are its own then */
#define EVICT_LOOK 64   /* of the oldest strangers, for one that does nothing */

void connection_list_join(struct connection *connection)
{
	struct home *home = connection->home;

	connection->next = NULL;
	connection->previous = home->strangers_last;
	*home->strangers_last = connection;
	home->strangers_last = &connection->next;
	home->stranger_count++;
}

void connection_list_leave(struct connection *connection)
{
	struct home *home = connection->home;

	*connection->previous = connection->next;
	if (connection->next != NULL)
		connection->next->previous = connection->previous;
	else if (home->strangers_last == &connection->next)
		home->strangers_last = connection->previous;
	home->stranger_count -= !connection->known;
}

void connection_list_certify(struct connection *connection)
{
	struct home *home = connection->home;

	connection_list_leave(connection);
	connection->known = true;
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

static bool may_be_evicted(const struct connection *connection)
{
	return connection->phase == PHASE_HANDSHAKE || connection->phase == PHASE_IDLE ||
	       connection->phase == PHASE_HEAD || connection->phase == PHASE_BODY || connection->phase == PHASE_LINGER;
}

void connection_list_make_room(struct home *home)
{
	struct http_server *server = home->server;
	size_t most = server->limits.connections;
	struct connection *each = home->strangers;

	if (atomic_load(&server->counters.connections) <= most * 9 / 10 ||
	    home->stranger_count <= most / 10 / server->count)
		return;
	for (unsigned looked = 0; each != NULL && looked < EVICT_LOOK; looked++, each = each->next) {
		if (may_be_evicted(each)) {
			counter_add(&server->counters.evicted);
			connection_free(each);
			return;
		}
	}
}

/* The oldest that says nothing; else the oldest at all, which may be an agent that has waited long for its turn. */
static struct connection *oldest_beside(const struct connection *connection)
{
	struct connection *each = connection->home->strangers, *waits = NULL;

	for (unsigned looked = 0; each != NULL && looked < SHARE_LOOK; looked++, each = each->next) {
		if (each == connection || each->source != connection->source)
			continue;
		if (!each->queues && !each->entering)
			return each;
		waits = waits != NULL ? waits : each;
	}
	return waits;
}

void connection_list_make_room_beside(struct connection *connection)
{
	struct http_server *server = connection->home->server;
	struct connection *oldest;

	if (!sources_crowds(server->sources, connection->source))
		return;
	oldest = oldest_beside(connection);
	if (oldest == NULL)
		return;
	counter_add(&server->counters.evicted);
	connection_free(oldest);
}
