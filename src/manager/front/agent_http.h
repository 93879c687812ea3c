/* Requests of agents: everything below /agent/ (doc/architecture.md).
 *
 * A table of routes says of each its largest body and whether a certificate is
 * needed. Whoever shows one is looked up in the roster before a byte of body is
 * taken: an unknown or revoked certificate is answered 403 with the cause.
 * All of this runs on the request's loop thread; input is untrusted.
 */
#ifndef MUSTER_MANAGER_FRONT_AGENT_HTTP_H
#define MUSTER_MANAGER_FRONT_AGENT_HTTP_H

#include "manager/front/front_state.h"

struct agent_request;

struct agent_route {
	const char *method;
	const char *path;        /* ends in '/': an item's id follows */
	uint64_t body_max_bytes; /* 0: begin() says it in the request's */
	bool certificate;
	bool ended; /* one that has ended will do */
	/* Headers are there; may answer (then returns false). NULL: nothing to check. */
	bool (*begin)(struct agent_request *request);
	/* A piece of body; NULL: it is collected in `body`. */
	void (*piece)(struct agent_request *request, const uint8_t *bytes, size_t size);
	/* The body is whole. From here on the handler owns the request and ends it with agent_request_free(). */
	void (*complete)(struct agent_request *request);
	/* The client went (http is NULL by now): after complete(), free it when nothing is under way any more; before,
	 * only what begin() and piece() made in `state`. */
	void (*gone)(struct agent_request *request);
	bool (*is_name)(const char *text); /* not NULL: what follows the '/' is no id but a name of this form */
};

struct agent_request {
	struct front *front;
	const struct agent_route *route;
	struct http_request *http; /* NULL once answered or gone; loop thread only */
	struct loop *loop;
	struct uuid computer; /* by its certificate */
	uint8_t fingerprint[SHA256_BYTES];
	bool outsider; /* its certificate is no computer's, and it may become one by it */
	struct uuid item;
	char name[64]; /* in place of the item, where the route takes a name */
	char peer[80];
	uint64_t body_max_bytes;
	struct buf body;
	void *state; /* the handler's */
};

/* http_handlers' work for paths that begin with "/agent/". */
bool agent_http_is(const struct http_request *http);
uint64_t agent_http_on_request(struct front *front, struct http_request *http);
void agent_http_on_body(struct http_request *http, const uint8_t *bytes, size_t size);
void agent_http_on_complete(struct http_request *http);
void agent_http_on_gone(struct http_request *http);

void agent_request_free(struct agent_request *request);
/* Answers and leaves request->http NULL. Nothing is sent when the client has gone. */
void agent_reply(struct agent_request *request, int status, const char *content_type, const void *body, size_t size);
/* The error as problem+json with its proper status; 429 and 503 carry Retry-After. */
void agent_refuse(struct agent_request *request, const char *title, const struct err *err);
void agent_refuse_status(struct agent_request *request, int status, const char *title, const char *detail,
			 unsigned retry_after_s);

/* Its computer's membership ended while the request was held: 403 with the cause. */
void agent_refuse_standing(struct agent_request *request);

/* Who was refused and why: logged, counted, and an event (770 or 771) unless this source caused several just now. */
void agent_note_refused(struct agent_request *request, uint32_t event, const char *cause);

#define AGENT_PROTOBUF "application/x-protobuf"

/* The handlers of the routes, one file each. */
void exchange_complete(struct agent_request *request);
void exchange_gone(struct agent_request *request);
void enrol_complete(struct agent_request *request);
void enrol_gone(struct agent_request *request);
void prove_complete(struct agent_request *request);
void prove_gone(struct agent_request *request);
void leave_complete(struct agent_request *request);
void leave_gone(struct agent_request *request);
void renew_complete(struct agent_request *request);
void renew_gone(struct agent_request *request);
void quarantine_announce_complete(struct agent_request *request);
void quarantine_announce_gone(struct agent_request *request);
bool quarantine_put_begin(struct agent_request *request);
void quarantine_put_piece(struct agent_request *request, const uint8_t *bytes, size_t size);
void quarantine_put_complete(struct agent_request *request);
void quarantine_put_gone(struct agent_request *request);
void quarantine_send_complete(struct agent_request *request);
void quarantine_send_gone(struct agent_request *request);
void install_script_complete(struct agent_request *request);
void install_script_gone(struct agent_request *request);
void manifest_complete(struct agent_request *request);
void manifest_gone(struct agent_request *request);
void package_complete(struct agent_request *request);
void package_gone(struct agent_request *request);

#endif
