/* HTTP/1.1 over TLS for servers (RFC 9110, RFC 9112).
 *
 * One server may listen on several addresses and spread its connections over
 * several loops; each connection stays on its loop. A request goes through
 *   on_request  headers are complete: refuse (reply at once) or go on;
 *   on_body     a piece of body arrived (streamed; back-pressure by http_pause);
 *   on_complete the body is whole: reply now, or keep the request and reply later
 *               from the loop's thread (held poll), or from a callback posted to it;
 *   on_gone     the client went before the reply was sent: `data` must be freed.
 * Exactly one of "reply ended" and on_gone ends a request; afterwards the
 * pointer is dead. Every limit is a field of http_limits: bytes before memory.
 * Parsing is strict: what RFC 9112 section 11.2 warns of (conflicting or
 * repeated lengths, obsolete folding, bare CR, space before the colon) is 400.
 */
#ifndef MUSTER_NET_SERVER_H
#define MUSTER_NET_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/hex.h"
#include "base/units.h"
#include "net/loop.h"
#include "net/tls.h"

struct http_server;
struct http_request;

#define HTTP_CLIENT_BYTES 16

struct http_limits {
	size_t header_bytes; /* request line and headers together */
	size_t header_count;
	size_t connections; /* of this server in all; more are closed at accept. When nine in ten are taken, the
			     * oldest without a client certificate that wait or are unfinished make room for new ones,
			     * as long as such ones are more than one in ten. */
	size_t of_client;   /* of one client (on_client); more are closed after their handshake. 0: no bound */
	span_us handshake;  /* accept to TLS established */
	span_us header;     /* first byte of a request to end of headers */
	span_us body_idle;  /* longest silence inside a body, */
	size_t body_least;  /* and what a body that is not at its end must bring in that time */
	span_us idle;       /* between requests on a kept connection */
	span_us write_idle; /* longest time a reply may make no progress */
};
extern const struct http_limits http_limits_default;

struct http_handlers {
	/* Returns the most body bytes to accept (0: none); more is 413. */
	uint64_t (*on_request)(void *context, struct http_request *request);
	void (*on_body)(struct http_request *request, const uint8_t *bytes, size_t size);
	void (*on_complete)(struct http_request *request);
	void (*on_gone)(struct http_request *request);
	void *context;
	/* May this address ("127.0.0.1:50000") connect now? NULL: all may. */
	bool (*on_accept)(void *context, const char *peer);
	/* A handshake showed this certificate: whose is it? False: of nobody who is served with it, so that its
	 * connections count as those without one. `client` is what all connections of the one have in common, whatever
	 * certificate they show. NULL: each certificate is a client. */
	bool (*on_client)(void *context, const uint8_t fingerprint[SHA256_BYTES], uint8_t client[HTTP_CLIENT_BYTES]);
	/* A TLS handshake failed: cause as tls_failure() says it. May be NULL. */
	void (*on_refused)(void *context, const char *peer, const struct err *cause);
};

/* loops[] are run by the caller's threads and outlive the server. tls is one
 * per loop (its own library context: doc/decisions), count as many. */
struct http_server *http_server_new(struct loop *const *loops, struct tls_server *const *tls, size_t count,
				    const struct http_limits *limits, const struct http_handlers *handlers,
				    struct err *err);
/* "0.0.0.0:4343", "[::]:4343", "127.0.0.1:0". ERR_BUSY: the port is taken; ERR_DENIED: it needs a
 * privilege; ERR_NOT_FOUND: not an address of this computer. What it is for and which setting says so is the caller's
 * to add.
 * Call before the loops run. ret_port gives the real port. */
int http_server_listen(struct http_server *server, const char *address, uint16_t *ret_port, struct err *err);
/* Whether one could listen there now; the same errors. Opens the port for a moment. */
int http_server_may_listen(const char *address, struct err *err);
/* The same with TLS of its own: as many as there are loops; they and the array outlive the server. held: whoever
 * connects waits, until http_server_admit(). */
int http_server_listen_with(struct http_server *server, const char *address, struct tls_server *const *tls, bool held,
			    uint16_t *ret_port, struct err *err);
/* Who waits at held listeners with this TLS is served, and whoever comes from now on. On loops[0]'s thread. */
void http_server_admit(struct http_server *server, struct tls_server *const *tls);
/* Serves a connection that this side opened and that was turned (http_client_take()); of loops[0], on its thread.
 * Takes it, on failure too. The peer's certificate is that of its handshake. ERR_LIMIT: too many; ERR_MEMORY. */
struct bufferevent;
int http_server_adopt(struct http_server *server, struct bufferevent *connection, const char *peer, struct err *err);
/* Stops accepting, ends idle connections, lets replies finish for at most
 * `grace`, then calls done(argument) on loops[0]'s thread. Any thread. */
void http_server_stop(struct http_server *server, span_us grace, void (*done)(void *argument), void *argument);
void http_server_free(struct http_server *server); /* after the loops have stopped */
/* Ends every connection whose handshake showed this client certificate, within half a second: bodies on their way in
 * are cut at once, an answer that was given already may leave. Any thread. ERR_MEMORY: not all were. */
int http_server_drop(struct http_server *server, const uint8_t fingerprint[SHA256_BYTES], struct err *err);

struct http_server_counters {
	uint64_t connections, waiting, accepted, refused, evicted, accept_paused, handshakes_failed, resumed, requests,
	    bad_requests, timeouts;
};
void http_server_counters(struct http_server *server, struct http_server_counters *out); /* any thread */

/* --- a request; loop thread only --- */
const char *http_method(const struct http_request *request);
const char *http_path(const struct http_request *request);  /* raw, without the query; begins with '/' */
const char *http_query(const struct http_request *request); /* raw, "" if none */
const char *http_header(const struct http_request *request, const char *name); /* any case; NULL if absent */
uint64_t http_content_length(const struct http_request *request);              /* UINT64_MAX if chunked */
const char *http_peer(const struct http_request *request);                     /* "127.0.0.1:50000" */
/* SHA-256 of the client certificate's DER, verified against the CA; false if it showed none. */
bool http_client_certificate(const struct http_request *request, uint8_t fingerprint[SHA256_BYTES]);
/* The same of one that is verified, but has ended. */
bool http_client_certificate_ended(const struct http_request *request, uint8_t fingerprint[SHA256_BYTES]);
/* Of its connection, for net/tls_channel.h; valid during the callback that gave the request. */
struct ssl_st *http_tls(const struct http_request *request);
struct loop *http_loop(const struct http_request *request);
void *http_data(const struct http_request *request);
void http_set_data(struct http_request *request, void *data);

/* The answer may take long (a held poll): the end of what the client sends is then taken for the client's end, at once.
 * Otherwise it gets its answer if that comes soon. */
void http_park(struct http_request *request);

/* Stops reading the body until http_resume(); what is in flight may still arrive. */
void http_pause(struct http_request *request);
void http_resume(struct http_request *request);

/* One whole reply. headers: "Name: value\r\n"… or NULL. Content-Length, Date and Connection are ours. */
void http_reply(struct http_request *request, int status, const char *content_type, const char *headers,
		const void *body, size_t size);
/* problem+json (RFC 9457). */
void http_problem(struct http_request *request, int status, const char *title, const char *detail);

/* Answers 101: from now on the peer that was asked makes the requests over this connection, and whoever asked serves
 * them. taken() gets it, established and with nothing read of what comes next, for http_client_adopt(); if it cannot
 * be given any more, nothing is called. Only inside on_complete(). */
struct bufferevent;
void http_switch(struct http_request *request, const char *protocol,
		 void (*taken)(void *argument, struct bufferevent *connection), void *argument);

/* A streamed reply: size UINT64_MAX is chunked. on_drain(request) asks for more
 * when little is left to send; may be NULL. */
void http_reply_begin(struct http_request *request, int status, const char *content_type, const char *headers,
		      uint64_t size, void (*on_drain)(struct http_request *request));
void http_reply_body(struct http_request *request, const void *bytes, size_t size);
/* One that has brought less than its size said ends the connection. */
void http_reply_end(struct http_request *request);

#endif
