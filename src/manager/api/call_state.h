/* The inside of a call: for the files that carry it, not for handlers.
 *
 * Two threads may hold a call: the loop's (from on_request to the reply or
 * on_gone) and one worker's. Each holds a reference; the last one frees it.
 * `request` belongs to the loop's thread alone; all else belongs to the worker
 * from the moment the call is queued until it posts the call back.
 */
#ifndef MUSTER_MANAGER_API_CALL_STATE_H
#define MUSTER_MANAGER_API_CALL_STATE_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/buf.h"
#include "manager/api/call.h"
#include "manager/api/decode.h"
#include "manager/api/measure.h"
#include "manager/api/routes.h"

struct sign_ins;
struct answer_stream;

#define API_SOURCE_BYTES     64
#define API_KEY_MAX_BYTES    128 /* of an Idempotency-Key */
#define API_TAG_BYTES        32  /* of an entity tag in If-Match */
#define API_HEADERS_MAX      4096
#define API_ANSWER_MAX_BYTES (64 * 1024 * 1024)
#define API_BEARER_BYTES     128

struct api {
	struct front *front;
	struct measure measure;
	struct sign_ins *sign_ins;
	char *document;        /* openapi.json */
	atomic_uint downloads; /* under way: each holds a worker */
	atomic_uint streams;   /* of events */
	/* Idempotency-Keys whose first request is being answered: owner and key. */
	pthread_mutex_t keys_lock;
	struct map *keys;
};

struct api_call {
	atomic_uint references;
	struct api *api;
	const struct api_route *route;
	struct http_request *request; /* loop thread; NULL when it is over */
	struct loop *loop;
	atomic_bool gone; /* the client left */
	time_us started;  /* monotonic */
	/* from the request */
	char id_text[ROUTE_ID_MAX_BYTES];
	char source[API_SOURCE_BYTES];
	char bearer[API_BEARER_BYTES]; /* "" if none; wiped once checked */
	bool bearer_malformed;
	char idempotency_key[API_KEY_MAX_BYTES + 1];
	char last_event_id[UUID_TEXT_BYTES];
	char if_match[API_TAG_BYTES];
	char *query_text;
	struct buf body_bytes;
	/* decoded and checked */
	struct uuid id;
	json_t *query;
	json_t *body;
	struct api_principal principal;
	time_us token_expires;
	struct front_actor actor;
	struct front_once once; /* when the request has an Idempotency-Key */
	bool key_held;          /* it is in api->keys */
	/* the answer */
	bool answered;
	int status;
	char content_type[64];
	struct buf headers;
	struct buf answer;
	struct faults faults;
	struct answer_stream *stream;      /* of a streamed answer; the worker's */
	struct answer_stream *loop_stream; /* the same, once the loop knows of it */
	/* Set by a handler that goes on on the loop's thread: called there instead of replying. */
	void (*take_over)(struct api_call *call);
	void *taken; /* what it keeps */
	void (*taken_free)(void *taken);
	void (*taken_gone)(struct api_call *call); /* the client left after take_over */
};

struct api_call *call_new(struct api *api, struct http_request *request);
void call_ref(struct api_call *call);
void call_unref(struct api_call *call); /* any thread; accepts NULL */

/* Turns a handler's error into the answer, unless there is one. */
void call_fail(struct api_call *call, int rc, const struct err *err);
/* Sends the answer and ends the request; loop thread, request not NULL. */
void call_send(struct api_call *call);
/* The header lines that every answer carries, and the call's own. */
const char *call_headers(struct api_call *call);

/* answer_stream.c: ends what api_stream_begin() began; waits for nothing. Worker thread. */
void answer_stream_finish(struct api_call *call);
void answer_stream_gone(struct answer_stream *stream); /* loop thread: the client left */
void answer_stream_free(struct answer_stream *stream); /* accepts NULL */

#endif
