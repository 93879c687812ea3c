/* HTTP/1.1 over TLS for clients: one connection, kept alive, resumed by
 * session ticket after it closes. Made for agents: small when idle, any number
 * in one process (muster-fleet-sim), each cause of failure its own code
 * (ERR_RESOLVE, ERR_CONNECT, ERR_TLS, ERR_UNTRUSTED, ERR_CLOCK, ERR_TIMEOUT,
 * ERR_CLOSED, ERR_FORMAT). One request at a time; loop thread only.
 */
#ifndef MUSTER_NET_CLIENT_H
#define MUSTER_NET_CLIENT_H

#include "base/buf.h"
#include "base/units.h"
#include "net/loop.h"
#include "net/tls.h"

struct http_client;

struct http_client_options {
	const char *host; /* copied */
	uint16_t port;
	struct tls_client *tls;     /* outlives the client */
	const char *source_address; /* bind to this, or NULL */
	span_us connect_timeout;    /* resolve, connect and handshake; 0: 20 s */
	size_t reply_max_bytes;     /* larger replies fail with ERR_LIMIT */
};

struct http_answer {
	int status; /* 0: no answer; see err */
	const struct err *err;
	const uint8_t *body;
	size_t size;
	span_us retry_after; /* Retry-After, 0 if absent */
	const char *content_type;
};

struct http_body {
	const void *bytes; /* sent from memory, copied; or */
	int fd;            /* -1, or a descriptor to send `size` bytes of from `offset`; the caller's */
	uint64_t offset;
	uint64_t size;
};

struct http_client *http_client_new(struct loop *loop, const struct http_client_options *options, struct err *err);
void http_client_free(struct http_client *client); /* the answer of a request under way is not called */
/* Sends when connected, connecting first if needed; a request whose kept
 * connection turned out closed before any answer is sent once more. headers as
 * in http_reply(). answer() is called exactly once, its data valid during it. */
int http_client_send(struct http_client *client, const char *method, const char *path, const char *headers,
		     const struct http_body *body, span_us timeout,
		     void (*answer)(void *argument, const struct http_answer *answer), void *argument, struct err *err);
bool http_client_busy(const struct http_client *client);
/* Pieces of the answer's body go here instead of memory; return nonzero to abort. */
void http_client_stream(struct http_client *client, int (*on_body)(void *argument, const uint8_t *bytes, size_t size));

#endif
