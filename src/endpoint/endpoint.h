/* The agent's end of the link: spool, journal, life of commands, report and reply.
 *
 * Pure: no clock, socket or file of its own. The shell (link role) gives it
 * storage, an actor, and what guard and scan report; asks endpoint_next() when
 * to talk, sends what endpoint_report() makes, brings back the answer. Calls
 * may block as long as storage does. Not thread-safe.
 *
 * Promises: an event once durable (endpoint_flush) is reported until the
 * manager has stored it, or its drop is an event itself; a command is never
 * run twice, over any crash; its end is reported until acknowledged.
 */
#ifndef MUSTER_ENDPOINT_ENDPOINT_H
#define MUSTER_ENDPOINT_ENDPOINT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/env.h"
#include "endpoint/configuration.h"
#include "endpoint/storage.h"
#include "fleet/commands.h"
#include "fleet/event_types.h"
#include "wire/directions.h"
#include "wire/envelope.h"

struct endpoint;

/* A verified command as given to the actor; content lives during the call. */
struct endpoint_command {
	struct uuid id;
	enum command_kind kind;
	const Muster__Wire__Command *content;
	bool again; /* it was running when we stopped: go on with it if you know it, never begin it anew */
};

#define ENDPOINT_UNDER_WAY 1

/* What the shell can do. 0, or an error that ends the command as failed (code
 * and text of err are reported); for start with `again`, ERR_NOT_FOUND is
 * "nothing of it is left". Must return without waiting for the work, and must
 * not call back into the endpoint; ends arrive by endpoint_end(). */
struct endpoint_actor {
	void *context;
	int (*start)(void *context, const struct endpoint_command *command,
		     struct err *err); /* scan, restore, delete */
	/* Of a running one, asked by the command `by`. These three may be asked again after a restart, and may return
	 * ENDPOINT_UNDER_WAY: endpoint_end() then tells how `by` ended. by is NULL when a command's time is over. */
	int (*pause)(void *context, const struct uuid *command, const struct uuid *by, struct err *err);
	int (*resume)(void *context, const struct uuid *command, const struct uuid *by, struct err *err);
	int (*cancel)(void *context, const struct uuid *command, const struct uuid *by, struct err *err);
	void (*upload)(void *context, const struct uuid *item); /* the manager wants this item now */
	/* Enrol anew: another holds our identity. Asked once what was told under it is acknowledged. */
	void (*rekey)(void *context);
	/* Is another identity being taken that may be in force any moment? Until then no event is told under the
	 * present one: nobody would know whether it got there. May be NULL: no. */
	bool (*leaves)(void *context);
	void (*renew)(void *context); /* the certificate is to be followed by another; may be NULL */
	/* Are there requests for which a dialled connection should be turned? May be NULL: no. */
	bool (*wants_turn)(void *context);
	struct endpoint_configurer configurer; /* endpoint/configuration.h */
	/* An event of the endpoint's own is in the spool, for local displays; may be NULL. */
	void (*noted)(void *context, uint32_t type, time_us time, const struct event_field *fields, size_t count);
	/* Each move of a command's state, may be NULL. */
	void (*trace)(void *context, const struct uuid *command, const char *from, const char *to);
};

struct endpoint_options {
	const struct env *env;
	struct endpoint_storage storage;
	struct endpoint_actor actor;
	struct uuid computer;
	const struct envelope_key *keys; /* copied */
	size_t key_count;
	envelope_verify verify;
	void *verify_context;
	void (*digest)(const void *data, size_t size, uint8_t out[SHA256_BYTES]); /* SHA-256 */
	/* As the agent's own file has it, until a configuration says otherwise (endpoint/configuration.h). */
	span_us heartbeat_us; /* 0: 10 min */
	span_us poll_us;      /* 0: held polls; else answered at once, every so often */
	uint32_t way;
	uint32_t spool_events; /* 0: 20000 */
	uint64_t spool_bytes;  /* 0: 32 MiB */
	uint8_t boot_id[UUID_BYTES];
	struct uuid machine;           /* which one this is, by its firmware; zeroes: not known */
	enum link_direction direction; /* as it was proven before, or needs no proof */
};

/* Reads both logs and the last good configuration; damage is cut away and becomes event 6010,
 * never an error. Inside this call that configuration (or none) goes to the configurer's check()
 * and apply(), and commands that were running to actor.start(again). */
int endpoint_new(const struct endpoint_options *options, struct endpoint **ret_endpoint, struct err *err);
void endpoint_free(struct endpoint *endpoint);

/* --- events --- */
/* source: number in the caller's own outbox, ascending, for dedupe; 0: none.
 * One not above endpoint_source() is taken as known. Not durable before
 * endpoint_flush(), nor reported. Names, count and sizes by wire/limits.h, else ERR_LIMIT. */
int endpoint_event(struct endpoint *endpoint, uint64_t source, uint32_t type, time_us time,
		   const struct event_field *fields, size_t count, struct err *err);
/* Makes all of it durable; then the outbox may forget up to endpoint_source(). */
int endpoint_flush(struct endpoint *endpoint, struct err *err);
/* The same, before it ends to go on as another computer: what was acknowledged is in no file any more. Found again in
 * one that is damaged it is told once more, and only to the computer that it was told as is it known. */
int endpoint_leave(struct endpoint *endpoint, struct err *err);
uint64_t endpoint_source(const struct endpoint *endpoint);

/* --- state to report; copied, only differences travel --- */
int endpoint_component(struct endpoint *endpoint, const Muster__Wire__Component *component, struct err *err);
int endpoint_host(struct endpoint *endpoint, const Muster__Wire__Host *host, struct err *err);
/* A quarantine item as it is now; reported until acknowledged. */
int endpoint_item(struct endpoint *endpoint, const Muster__Wire__QuarantineItem *item, struct err *err);

/* --- commands --- */
int endpoint_progress(struct endpoint *endpoint, const struct uuid *command, const Muster__Wire__Progress *progress,
		      struct err *err);
/* state: succeeded, failed, cancelled. Durable when this returns 0. Twice is harmless.
 * What could not be written is tried again by endpoint_tick(). */
int endpoint_end(struct endpoint *endpoint, const struct uuid *command, enum command_state state, const char *code,
		 const char *text, const struct event_field *result, size_t count, struct err *err);
/* One row a call, *position starts at 0; false at the end. For status displays. */
bool endpoint_commands(const struct endpoint *endpoint, size_t *position, struct uuid *ret_id,
		       enum command_kind *ret_kind, enum command_state *ret_state);

/* --- talking --- */
/* Two lanes that the agent dials: the main one may be held by the manager; urgent is a second
 * connection, never held. The third carries what the manager dials: endpoint_dialled(). */
enum endpoint_lane { ENDPOINT_MAIN, ENDPOINT_URGENT, ENDPOINT_LANES, ENDPOINT_DIALLED = ENDPOINT_LANES };

/* When to send on a lane (monotonic); INT64_MAX: not before something happens
 * (a report is under way, or nothing is urgent). */
time_us endpoint_next(const struct endpoint *endpoint, enum endpoint_lane lane);
/* Asks for an exchange now (command "heartbeat", muster-agent heartbeat). */
void endpoint_hurry(struct endpoint *endpoint);
/* Appends a packed Report and takes the lane until _reply or _failed. Flushes first. */
int endpoint_report(struct endpoint *endpoint, enum endpoint_lane lane, struct buf *out, uint32_t *ret_hold_s,
		    struct err *err);
/* A reply's bytes. Takes acknowledgements, verifies and starts commands. An error
 * counts as a failed exchange. Starts with what is untrusted: decode, limits, envelopes. */
int endpoint_reply(struct endpoint *endpoint, enum endpoint_lane lane, const void *bytes, size_t size, struct err *err);
/* No reply: cause is an err_code (ERR_RESOLVE, ERR_CONNECT, ERR_TLS, ERR_TIMEOUT, …), text a
 * sentence, retry_after_us from 429/503 or 0. Backs off with full jitter; event 4011 once an outage. */
void endpoint_failed(struct endpoint *endpoint, enum endpoint_lane lane, int cause, const char *text,
		     span_us retry_after_us);
/* Time-outs of commands, deadlines; call at the moment endpoint_due() names. */
int endpoint_tick(struct endpoint *endpoint, struct err *err);
time_us endpoint_due(const struct endpoint *endpoint);

/* --- the manager's key --- */
/* Trusts this key instead, by hand (muster-agent trust). Durable when it returns 0; told with the next report. The same
 * again changes nothing. Whether the person may is the shell's to ask. */
int endpoint_trust(struct endpoint *endpoint, const uint8_t public_key[ENVELOPE_KEY_BYTES], struct err *err);
/* SHA-256 of the key that is trusted now. */
void endpoint_trusted(const struct endpoint *endpoint, uint8_t fingerprint[SHA256_BYTES]);

/* --- directions --- */
/* Another direction, from now on, of the agent's own file: a configuration in force goes before it. One in which the
 * agent does not dial counts only once the manager has dialled and has stored that it must; until then the agent goes
 * on dialling by itself, so that no agent is lost: endpoint_proven() tells, and the shell goes back when it takes too
 * long.
 */
void endpoint_set_direction(struct endpoint *endpoint, enum link_direction direction);
enum link_direction endpoint_direction(const struct endpoint *endpoint);
/* Does it open connections by itself now? */
bool endpoint_dials(const struct endpoint *endpoint);
/* The direction set has worked since it was set, or was given as proven at the start. */
bool endpoint_proven(const struct endpoint *endpoint);
/* The manager dialled and posted these bytes (a Reply: the first of a connection answers no
 * report). Appends the packed Report to answer with. ERR_WRONG_STATE: it answers another report
 * than the last one given (the connection should end); else as endpoint_reply(). */
int endpoint_dialled(struct endpoint *endpoint, const void *bytes, size_t size, struct buf *out, struct err *err);
/* That connection ended: what it told and was not answered is told again. */
void endpoint_hung_up(struct endpoint *endpoint);
/* Somebody who may not spoke to the listener: event 4030, one an hour for each code. */
void endpoint_refused(struct endpoint *endpoint, int code, const char *text);

struct endpoint_status {
	bool connected;       /* the last exchange worked */
	time_us last_contact; /* wall clock, 0: never in this run */
	int last_error;       /* err_code of the last failure, 0: none since */
	char last_error_text[256];
	uint64_t events_waiting, events_dropped, reports, failures;
	uint64_t refused;   /* communications that did not verify, in this run */
	span_us pace_us;    /* how often it reports in the network it is in; 0: as its configuration says */
	bool pace_periodic; /* nothing is held open there */
	uint64_t dialled;   /* reports given to a manager that dialled */
};
void endpoint_status(const struct endpoint *endpoint, struct endpoint_status *out);
/* The number of this run in its reports. */
uint64_t endpoint_session(const struct endpoint *endpoint);

#endif
