/* Phases and deadlines of connections (connection_phase.h). */
#include "net/connection_phase.h"

#include <event2/bufferevent.h>
#include <event2/event.h>

#define LINGER_US (2 * SECOND_US)

enum phase connection_phase_now(const struct connection *connection)
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

void connection_deadline_set(struct connection *connection)
{
	bool awaited = connection->phase == PHASE_HELD && connection->half_closed;
	span_us limit = phase_limit(&connection->home->server->limits, awaited ? PHASE_WRITE : connection->phase);
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

/* A reply that moves at all is not late. */
static bool write_progressed(const struct connection *connection)
{
	return connection->phase == PHASE_WRITE &&
	       connection->queued - connection_output(connection) > connection->sent_before;
}

static bool body_progressed(const struct connection *connection)
{
	return connection->phase == PHASE_BODY && connection->body_bytes >= connection->home->server->limits.body_least;
}

bool connection_progressed(const struct connection *connection)
{
	return write_progressed(connection) || body_progressed(connection);
}
