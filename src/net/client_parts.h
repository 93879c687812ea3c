/* What a client is made of: inner header of client.c, client_request.c and client_answer.c. Loop thread only. */
#ifndef MUSTER_NET_CLIENT_PARTS_H
#define MUSTER_NET_CLIENT_PARTS_H

#include <time.h>

#include "base/buf.h"
#include "net/client.h"
#include "net/http1.h"

struct bufferevent;
struct dial;
struct loop_timer;

/* The request under way. */
struct client_exchange {
	bool busy;
	bool written; /* handed to a connection */
	bool touched; /* a byte of the answer came */
	bool retried;
	struct timespec written_at; /* monotonic */
	struct buf head;            /* request line and headers, and the body if from memory */
	int fd;
	uint64_t offset, size; /* of the body from a descriptor */
	uint64_t taken;        /* of it are with the stream */
	span_us timeout;
	bool head_only; /* HEAD */
	bool turns;     /* 101 is hoped for */
	int (*on_body)(void *argument, const uint8_t *bytes, size_t size);
	void (*answer)(void *argument, const struct http_answer *answer);
	void *argument;
	struct http1 message;
	struct buf body;
};

struct http_client {
	struct loop *loop;
	char *host;
	uint16_t port;
	char *source_address;
	struct tls_client *tls;
	struct tls_session **session;
	span_us connect_timeout;
	size_t reply_max;
	int (*on_peer)(void *argument, const uint8_t fingerprint[SHA256_BYTES], struct err *err);
	int (*on_secure)(void *argument, struct err *err);
	void *peer_argument;
	struct dial *dial;
	struct bufferevent *stream;
	bool established;
	bool used;                  /* the connection has served an exchange */
	bool adopts;                /* never dials */
	struct bufferevent *turned; /* until it is taken, inside answer() */
	uint64_t queued;            /* bytes given to the stream, ever */
	uint64_t sent_before;
	struct loop_timer *deadline;
	struct client_exchange exchange;
	struct err err;
	unsigned depth; /* of callbacks to the user */
	bool freed;     /* in one of them */
};

/* --- client_request.c --- */

/* The request's line and headers, and its body if that is in memory, into the exchange's head; or nothing of it is. */
int client_request_build(struct http_client *client, const char *method, const char *path, const char *headers,
			 const struct http_body *body, struct err *err);

/* --- client_answer.c --- */

enum client_reading { READ_ON, READ_ALL, READ_DONE };

/* A new answer is to come. */
void client_answer_begin(struct http_client *client);
/* One event of the parser, or a negative code with client->err set. READ_ALL: nothing more has come. */
int client_answer_read(struct http_client *client, enum client_reading *ret_reading);

#endif
