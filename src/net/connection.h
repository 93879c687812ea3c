/* A server's connections from accept to close: inner header of server.c,
 * connection.c and reply.c.
 *
 * All of a connection happens on its loop's thread. Callbacks of libevent are
 * deferred, so that none runs inside a call of ours.
 */
#ifndef MUSTER_NET_CONNECTION_H
#define MUSTER_NET_CONNECTION_H

#include <netinet/in.h>
#include <stdatomic.h>
#include <sys/socket.h>

#include "net/http1.h"
#include "net/server.h"
#include "net/sources.h"

#define PEER_TEXT_BYTES 56 /* "[…]:65535" */

struct bufferevent;
struct event;

/* One of a server's loops. */
struct home {
	struct http_server *server;
	struct loop *loop;
	struct tls_server *tls;
	struct connection *connections;                 /* of known clients */
	struct connection *strangers, **strangers_last; /* the others, the oldest first */
	size_t stranger_count;
	struct connection *door_first, **door_last; /* agents that wait to begin their handshakes */
	size_t agents_entering;                     /* and those in the midst of them */
	bool draining;                              /* the server stops */
	bool told_drained;                          /* and this loop said that it has nothing left */
	int64_t date_s;                             /* second that date_text is of */
	char date_text[32];
};

struct counters {
	atomic_uint_fast64_t connections, waiting, accepted, refused, evicted, accept_paused, handshakes_failed,
	    resumed, requests, bad_requests, timeouts;
};

struct http_server {
	struct http_limits limits;
	struct http_handlers handlers;
	struct counters counters;
	size_t count;
	struct home *homes;
	size_t next; /* home of the next connection */
	struct listener *listeners;
	struct loop_timer *accept_again; /* after running out of descriptors */
	struct stop *stop;
	struct sources *sources; /* of those whose handshake is not over */
	struct sources *clients; /* those that are known; NULL: without a bound */
	size_t drained;          /* homes that have nothing left; on loops[0] */
};

enum phase {
	PHASE_HANDSHAKE,
	PHASE_IDLE,
	PHASE_HEAD,
	PHASE_BODY,
	PHASE_HELD, /* the handler's turn: no deadline */
	PHASE_WRITE,
	PHASE_LINGER, /* our side is closed; what still comes is dropped */
};

struct connection {
	struct home *home;
	struct tls_server *tls; /* its listener's; NULL: adopted */
	struct connection *next, **previous;
	struct source *source; /* until its handshake is over; NULL: not counted */
	struct source *client; /* whose it is; NULL: not counted */
	struct connection *door_next, **door_previous;
	struct bufferevent *stream; /* NULL at the door and while lingering */
	struct event *bare;         /* the socket then */
	struct event *timer;
	struct http_request *request;
	uint64_t queued;      /* bytes given to the stream, ever */
	uint64_t sent_before; /* of these had left when last looked at */
	uint32_t body_bytes;  /* came since the deadline was set */
	enum phase phase;
	bool at_door;
	bool queues;   /* there, for its turn */
	bool entering; /* an agent whose handshake is under way */
	bool established;
	bool reading;
	bool stepping;
	bool closing;     /* close when the output has left */
	bool unread;      /* and there is input that nobody reads: linger */
	bool half_closed; /* the client sends no more, and waits for its answer */
	bool broken;
	bool dismissed; /* whoever it is may not be here any more: it ends soon, whatever it does */
	bool certified; /* it showed a certificate that is verified, */
	bool known;     /* and that of a client: it is not closed for others */
	bool ended;     /* its certificate, which is verified but for that */
	void (*taken)(void *argument, struct bufferevent *stream); /* the stream's next owner, once it is given away */
	void *taken_argument;
	uint8_t fingerprint[SHA256_BYTES];
	char peer[PEER_TEXT_BYTES];
};

struct http_request {
	struct connection *connection;
	struct http1 message;
	void *data;
	void (*on_drain)(struct http_request *request);
	bool told;     /* the handlers know of it and want its end */
	bool complete; /* the body is whole */
	bool paused;
	bool parked;
	bool begun; /* the reply */
	bool ended;
	bool chunked;
	bool bodyless;  /* of the reply: HEAD, 204, 304 */
	uint64_t left;  /* to be brought of the body whose size was said */
	bool swallowed; /* and a piece of body was given all the same */
};

static inline const struct http_handlers *connection_handlers(const struct connection *connection)
{
	return &connection->home->server->handlers;
}

static inline struct counters *connection_counters(const struct connection *connection)
{
	return &connection->home->server->counters;
}

static inline void counter_add(atomic_uint_fast64_t *counter)
{
	atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

/* Takes the descriptor. */
void connection_open(struct home *home, struct tls_server *tls, int fd, const struct sockaddr *address);
/* The handshake may begin. Takes the descriptor. May free the connection. */
void connection_enter(struct connection *connection, int fd);
/* Takes the stream of a connection that is established already. False: no memory. */
bool connection_adopt(struct home *home, struct bufferevent *stream, const char *peer);
/* Ends it at once; on_gone for a request under way. */
void connection_free(struct connection *connection);
/* True when nothing is left of any kind. */
bool home_is_empty(const struct home *home);
/* The server stops: idle ones end, others after their reply. */
void connection_drain(struct connection *connection);
/* Ends it now, or when an answer that is on its way has left, at most DISMISS_US from now in all. */
#define DISMISS_US (400 * MILLISECOND_US)
void connection_dismiss(struct connection *connection);

void connection_write(struct connection *connection, const void *bytes, size_t size);
/* Bytes that wait to leave. */
size_t connection_output(const struct connection *connection);
/* After a call from outside changed something: goes on from the loop. */
void connection_poke(struct connection *connection);
/* Answers with a problem and closes; on_gone if the handlers knew of the request. */
void connection_refuse(struct connection *connection, int status, const char *cause);

/* A connection of a stopping server is gone. */
void home_check_drained(struct home *home);

#endif
