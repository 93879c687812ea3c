/* The manager's REST API: everything on the port outside /agent/.
 *
 * front owns the HTTP server; for each request whose path does not begin with
 * "/agent/" it calls the api_on_… functions below from the loop's thread, and
 * leaves http_data() of that request to us. A request is routed, its caller
 * authenticated and its input checked on a pool of worker threads, where
 * handlers may block in store reads and store_write_wait(); the answer is
 * posted back to the request's loop. A client that leaves meanwhile is safe.
 *
 * What this needs of the manager comes through struct api_services, so that
 * tests can run it over a real store and server without the rest.
 */
#ifndef MUSTER_MANAGER_API_API_H
#define MUSTER_MANAGER_API_API_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/env.h"
#include "base/err.h"
#include "base/hex.h"
#include "base/pack.h"
#include "base/units.h"
#include "net/server.h"
#include "store/store.h"

struct api;

/* A command that a person or a program asked for. Byte strings may hold any
 * bytes but NUL: they are file names. Owned by the caller. */
struct api_command {
	struct uuid id;
	struct uuid computer;
	const char *kind;      /* "scan" "pause" "resume" "cancel" "heartbeat" "restore" "delete" */
	const char *issued_by; /* name of the user or token */
	time_us issued;
	span_us timeout;             /* 0: none */
	const struct bytes *paths;   /* scan */
	size_t path_count;           /* 0: the configured default */
	const struct bytes *exclude; /* scan */
	size_t exclude_count;
	struct uuid target; /* command (pause, resume, cancel) or quarantine item (restore, delete) */
	bool overwrite;     /* restore */
};

/* For /metrics and /system. */
struct api_counters {
	uint64_t computers_by_status[4]; /* online, offline, never seen, other; of those in memory */
	uint64_t held_polls;
	uint64_t exchanges, exchanges_refused;
	uint64_t events_stored;
	uint64_t quarantine_bytes, quarantine_items;
	struct http_server_counters http;
};

/* What front does for the API. Called from worker threads; may block, must be
 * thread-safe. Any pointer may be NULL in tests that do not need it: the
 * routes that do then answer 503. */
struct api_services {
	void *context;
	/* Stores the command (state pending), running also(session, argument) in
	 * the same write (audit entry, idempotency key), has keys sign it, hands it
	 * to the computer's shard and wakes its poll. Returns when it is durable.
	 * ERR_NOT_FOUND: no such computer; ERR_STATE: it cannot take it now;
	 * ERR_BUSY: too many wait for this computer. For pause, resume and cancel
	 * this makes a command of its own aimed at `target`; a target that was
	 * never sent is ended at once. */
	int (*command_issue)(void *context, const struct api_command *command, store_function also, void *argument,
			     struct err *err);
	/* The computer's rows are gone: forget it, revoke, end its held poll. */
	void (*computer_deleted)(void *context, const struct uuid *computer);
	/* A row of the settings table changed. */
	void (*setting_changed)(void *context, const char *name);
	void (*counters)(void *context, struct api_counters *out);
	/* 0 when able to serve; else the reason in err (for /readyz). */
	int (*ready)(void *context, struct err *err);
};

struct api_options {
	struct store *store;   /* outlives the API */
	const struct env *env; /* thread-safe; outlives the API */
	struct api_services services;
	int quarantine_fd;  /* directory of sealed files named by item id; -1: none */
	const char *ca_pem; /* copied; GET /ca.pem */
	const char *name;   /* the manager's name for people; copied */
	unsigned workers;   /* 0: 4 */
	size_t queue_count; /* calls waiting for a worker; more are 503; 0: 256 */
};

struct api *api_new(const struct api_options *options, struct err *err);
/* Ends streams and waits for the workers; the loops must still run or have
 * been freed with their posts. Accepts NULL. */
void api_free(struct api *api);

/* The http_handlers' work for one request, loop thread only. */
uint64_t api_on_request(struct api *api, struct http_request *request);
void api_on_body(struct http_request *request, const uint8_t *bytes, size_t size);
void api_on_complete(struct http_request *request);
void api_on_gone(struct http_request *request);

/* New events are committed: wakes /events/stream. Any thread; cheap; often. */
void api_events_stored(struct api *api);

#endif
