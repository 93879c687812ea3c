/* The agent's listener: what the manager dials (specification 10-links "Directions").
 *
 * HTTPS on the fleet's agent port. The TLS handshake ends for whoever does not
 * show the manager's certificate, signed by this fleet's CA. There are two
 * requests: POST /manager/v1/exchange goes to the endpoint, which verifies every
 * order by its signature as ever; POST /manager/v1/turn lets the agent send
 * requests of its own over the connection (files of the quarantine). Everything before that is hostile:
 * few connections, small buffers, deadlines, and a rate for each source.
 *
 * Loop thread only. Made when the direction asks for it and freed when not.
 */
#ifndef MUSTER_AGENT_LISTENER_H
#define MUSTER_AGENT_LISTENER_H

#include <stdint.h>

#include "base/env.h"
#include "base/err.h"
#include "endpoint/endpoint.h"
#include "net/loop.h"
#include "net/tls.h"

struct listener;
struct bufferevent;

#define LISTENER_PATH          "/manager/v1/exchange"
#define LISTENER_TURN_PATH     "/manager/v1/turn" /* the agent makes the requests from now on */
#define LISTENER_TURN_PROTOCOL "muster-agent"
#define LISTENER_MANAGER_URI   "urn:muster:manager" /* among the names of the manager's certificate */

struct listener_options {
	const struct env *env;
	struct loop *loop;
	struct tls_server *tls; /* outlives the listener; tls_server_require() was called */
	struct endpoint *endpoint;
	const char *address; /* numeric; "": every address of this computer */
	uint16_t port;
	/* The manager spoke, or a connection ended: what is due may have changed. May be NULL. */
	void (*spoken)(void *argument);
	/* The manager exchanged a report: it takes this computer for one of its own. May be NULL. */
	void (*heard)(void *argument);
	/* The manager lets the agent use this connection for requests of its own. NULL: it has none. */
	void (*turned)(void *argument, struct bufferevent *connection);
	/* A peer was refused for its certificate; one line a second at most. May be NULL. */
	void (*refused)(void *argument, const char *peer, const struct err *cause);
	void *argument;
};

/* ERR_BUSY: another program has the port; ERR_DENIED, ERR_IO, ERR_MEMORY. */
struct listener *listener_new(const struct listener_options *options, struct err *err);
void listener_free(struct listener *listener); /* accepts NULL; closes the port at once */

/* Opens the port on one address, or for "" on all of this computer. Errors as above. */
struct http_server;
int listener_open_ports(struct http_server *server, const char *address, uint16_t port, struct err *err);

struct listener_counters {
	uint64_t accepted, refused, talks;
};
void listener_counters(const struct listener *listener, struct listener_counters *out);

/* --- rate by source, apart for tests: pure --- */
#define GATE_SOURCES 32
#define GATE_BURST   20 /* connections from one address at once */
#define GATE_ALL     60 /* and from all together */
struct gate {
	struct gate_source {
		char address[48];
		time_us full_at; /* monotonic: when it has its whole burst again */
	} sources[GATE_SOURCES];
	char proven[48]; /* where the manager came from last; "": not known */
	time_us all_full_at;
};
/* peer: "127.0.0.1:50000". A source has GATE_BURST, and two more each second; all together GATE_ALL, and 20: the one
 * where the manager came from last counts for itself alone, so that a crowd does not keep it out. */
bool gate_pass(struct gate *gate, const char *peer, time_us now);
/* The manager's certificate came from there. */
void gate_prove(struct gate *gate, const char *peer);

#endif
