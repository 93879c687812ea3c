/* HTTP/1.1 over TLS for clients: one connection, kept alive, resumed by
 * session ticket after it closes. Made for agents: small when idle, any number
 * in one process (muster-fleet-sim), each cause of failure its own code
 * (ERR_RESOLVE, ERR_CONNECT, ERR_TLS, ERR_UNTRUSTED, ERR_CLOCK, ERR_TIMEOUT,
 * ERR_CLOSED, ERR_FORMAT). One request at a time; loop thread only.
 */
#ifndef MUSTER_NET_CLIENT_H
#define MUSTER_NET_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/units.h"
#include "net/loop.h"
#include "net/tls.h"

struct http_client;
struct http1;
struct tls_session;

struct http_client_options {
	const char *host; /* copied */
	uint16_t port;
	struct tls_client *tls; /* outlives the client */
	/* Where the session to resume is kept between connections (net/tls_session.h); outlives the client.
	 * NULL: tls keeps the last one of its own. */
	struct tls_session **session;
	const char *source_address; /* bind to this, or NULL */
	span_us connect_timeout;    /* resolve, connect and handshake; 0: 20 s */
	size_t reply_max_bytes;     /* larger replies fail with ERR_LIMIT */
	/* Is this the peer we meant (SHA-256 of its certificate; with by_proof it may have ended)? An error ends the
	 * connection before anything is sent, with that code and text. NULL: its chain is enough. */
	int (*on_peer)(void *argument, const uint8_t fingerprint[SHA256_BYTES], struct err *err);
	/* The connection is secured and nothing is sent over it yet: what is sent may depend on it (http_client_tls(),
	 * http_client_instead()). An error ends it likewise. NULL: it need not. */
	int (*on_secure)(void *argument, struct err *err);
	void *peer_argument; /* of both */
};

struct http_answer {
	int status; /* 0: no answer; see err */
	const struct err *err;
	const uint8_t *body;
	size_t size;
	span_us retry_after;      /* Retry-After in seconds; 0 if absent or a date */
	const char *content_type; /* NULL if absent */
	const struct http1 *head; /* other headers, by http1_header() (net/http1.h); NULL without answer */
	bool resumed;             /* the connection's TLS session was */
};

struct http_body {
	const void *bytes; /* sent from memory, copied; or NULL and */
	int fd;            /* a descriptor to send `size` bytes of from `offset`; the caller's, open until the answer */
	uint64_t offset;
	uint64_t size;
};

struct http_client *http_client_new(struct loop *loop, const struct http_client_options *options, struct err *err);
/* The answer of a request under way is not called. Allowed inside callbacks. */
void http_client_free(struct http_client *client);
/* Sends when connected, connecting first if needed; a request whose kept
 * connection turns out closed at once, before any answer, is sent once more. headers as
 * in http_reply(); Host and Content-Length are ours. body may be NULL. timeout:
 * the longest silence, counted from the last byte that moved in either direction
 * (connecting has its own); 0: none. answer() is called exactly once, from the
 * loop, never inside this call; its data are valid during it, and it may send
 * the next request. ERR_BUSY while one is under way, ERR_FORMAT for a path with
 * blanks or control characters, ERR_MEMORY. */
int http_client_send(struct http_client *client, const char *method, const char *path, const char *headers,
		     const struct http_body *body, span_us timeout,
		     void (*answer)(void *argument, const struct http_answer *answer), void *argument, struct err *err);
bool http_client_busy(const struct http_client *client);
/* Of the connection that is established; NULL: none is. For net/tls_channel.h. */
struct ssl_st *http_client_tls(const struct http_client *client);
/* Inside on_secure(): what is sent instead of what was asked for; a body comes from memory. Errors as in sending. */
int http_client_instead(struct http_client *client, const char *method, const char *path, const char *headers,
			const struct http_body *body, struct err *err);
/* For the next (or present) request: pieces of the body of a 2xx answer go to
 * on_body, called with the request's argument, instead of memory; any size.
 * Nonzero aborts with ERR_CANCELLED. Other answers' bodies still go to memory. */
void http_client_stream(struct http_client *client, int (*on_body)(void *argument, const uint8_t *bytes, size_t size));
/* Turned connections (net/server.h "http_switch"): whoever was dialled makes the requests.
 *   http_client_turn()   for the next request: 101 is an answer; http_client_take() inside its answer()
 *                        gives the connection, for http_server_adopt().
 *   http_client_adopt()  requests go over a connection that http_switch() gave, as long as it lasts.
 *   http_client_dials()  false: never opens a connection itself; without one that was adopted a request
 *                        fails with ERR_CLOSED. True at first. */
struct bufferevent;
void http_client_turn(struct http_client *client);
struct bufferevent *http_client_take(struct http_client *client); /* NULL: taken already, or not turned */
void http_client_adopt(struct http_client *client, struct bufferevent *connection); /* not while busy */
void http_client_dials(struct http_client *client, bool dials);
bool http_client_connected(const struct http_client *client);
/* Ends the kept connection: the next request opens a new one. Not while busy. */
void http_client_disconnect(struct http_client *client);

#endif
