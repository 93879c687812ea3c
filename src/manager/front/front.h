/* What the front role offers to those who handle API requests.
 *
 * One `struct front` lives from the start of the role to its end. The calls
 * below are safe from any worker thread at the same time and may block (they
 * wait for a commit, a signature or a disk); none may be called from a loop's
 * thread but those marked "any thread", and none touches an object of a loop.
 * Whatever changes something writes its audit entry and its event in the same
 * transaction as the change. Values in arguments come from people: they are
 * checked here, and a refusal is ERR_RANGE, ERR_FORMAT, ERR_UNKNOWN,
 * ERR_NOT_FOUND, ERR_WRONG_STATE or ERR_EXISTS with a sentence fit to be shown.
 */
#ifndef MUSTER_MANAGER_FRONT_FRONT_H
#define MUSTER_MANAGER_FRONT_FRONT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "alerts/alerts.h"
#include "base/env.h"
#include "base/err.h"
#include "base/hex.h"
#include "base/pack.h"
#include "base/units.h"
#include "fleet/address.h"
#include "net/loop.h"
#include "net/server.h"
#include "store/store.h"

struct front;

/* --- the world; any thread --- */
struct store *front_store(struct front *front);
const struct env *front_env(const struct front *front);
/* REQUEST_KEY_BYTES (manager/front/request_key.h). */
const uint8_t *front_request_key(const struct front *front);
const char *front_data_directory(const struct front *front);

/* Runs function(argument) on one of the worker threads. ERR_BUSY when the queue
 * is full: answer 503 with Retry-After. Any thread; never blocks. */
int front_work(struct front *front, void (*function)(void *argument), void *argument);

struct front_identity {
	const char *name;                     /* of this manager */
	const char *url;                      /* https://name:port */
	const char *ca_pem;                   /* GET /ca.pem */
	uint8_t ca_fingerprint[SHA256_BYTES]; /* of the CA certificate's DER */
	uint8_t server_authentication[32];    /* as `init` wrote it; front_server_key() is the one that is present */
	uint16_t agent_port;
};
const struct front_identity *front_identity(const struct front *front);

/* Where the manager listens and with which TLS profiles. */
struct listening;
const struct listening *front_listening(const struct front *front);
/* Of these the one at index takes nobody yet: its certificate with an RSA key is being made. Any thread. */
bool front_holds(const struct front *front, size_t index);
/* manager.ini as it was at the start. */
struct settings;
const struct settings *front_settings(const struct front *front);

/* --- who asks: goes into audit entries and into issued_by --- */
/* A request that may be made again until it is answered, and is done once: the commands that it makes have the same
 * ids each time. */
struct front_once {
	time_us when; /* wall clock, of the first time */
	uint8_t seed[32];
	bool again; /* it may have been done before, or in part */
};

struct front_actor {
	const char *kind;              /* "user", "token", "system" */
	const char *name;              /* of the user or token */
	struct uuid id;                /* zero for "system" */
	const char *peer;              /* address it came from, "" for none */
	const struct front_once *once; /* NULL: made anew each time */
};

/* One row of the audit log; written by the caller inside its own write function,
 * so that the change and its trace are one. `action` is "computer.delete" and
 * the like, `object` the id or name, `detail` JSON or "", `outcome` "done" or
 * the name of an error code. The hash chain over rows is kept here. */
int front_audit(struct front *front, struct store_session *session, const struct front_actor *actor, const char *action,
		const char *object, const char *detail, const char *outcome, struct err *err);
/* The same in a transaction of its own: refused sign-ins and the like. */
int front_audit_now(struct front *front, const struct front_actor *actor, const char *action, const char *object,
		    const char *detail, const char *outcome, struct err *err);

/* --- manager events (spec 15-events-alerts.md) --- */
struct front_field {
	const char *name;
	const char *value;
};
/* Inside a write function. computer: NULL for none. */
int front_event(struct front *front, struct store_session *session, uint32_t type, const struct uuid *computer,
		const struct front_field *fields, size_t count, struct err *err);
/* What is done with events of a type. */
struct front_event_type {
	bool record;  /* stored; an event that is not is still acknowledged, and raises its alerts */
	bool forward; /* handed on: syslog, central */
	enum event_severity severity;
	bool is_default;
};
void front_event_type(struct front *front, uint32_t type, struct front_event_type *ret_type); /* any thread */
bool front_event_forwarded(struct front *front, uint32_t type);                               /* any thread */
struct front_event_type_change {
	int record, forward; /* 0, 1; -1: stays */
	int severity;        /* enum event_severity; -1: stays */
	bool reset;          /* first all back to the table's */
};
/* In force from the next event on. ERR_NOT_FOUND: no such type. */
int front_event_type_set(struct front *front, uint32_t type, const struct front_event_type_change *change,
			 const struct front_actor *actor, struct err *err);
/* Queued; a failure is logged. Any thread; never blocks. */
void front_event_later(struct front *front, uint32_t type, const struct uuid *computer,
		       const struct front_field *fields, size_t count);

/* --- alerts (spec 15-events-alerts.md, alerts/alerts.h) --- */
/* Ends it as dismissed. ERR_NOT_FOUND; ERR_WRONG_STATE: ended already, or of a type that ends by itself alone. */
int front_alert_dismiss(struct front *front, const struct uuid *alert, const struct front_actor *actor,
			struct err *err);
struct front_alert_type {
	const struct alert_definition *definition;
	bool enabled;
	enum alert_severity severity;
	bool is_default;
};
void front_alert_type(struct front *front, size_t kind, struct front_alert_type *ret_type); /* kind < ALERT_KINDS */
/* enabled: 0, 1, or -1: stays; severity: enum alert_severity or -1. Switched off, open
 * ones are resolved; on again, what is so now is raised. ERR_NOT_FOUND. */
int front_alert_type_set(struct front *front, const char *name, int enabled, int severity,
			 const struct front_actor *actor, struct err *err);

/* --- live state of computers, from memory --- */
struct front_live {
	const char *status; /* the words of spec 10-links.md: "online", "offline", … */
	char cause[160];
	time_us since;      /* of the status, wall */
	time_us last_heard; /* wall, 0: never */
	int64_t clock_offset_s;
	bool connected;                             /* a held poll is open now */
	char network[101];                          /* that it is in and the manager cannot reach; "": none */
	struct address seen_from;                   /* where its connections come from; family 0: not known */
	const char *direction;                      /* the words of the setting link.direction */
	const char *configuration_state;            /* "pending", "sent", "applied", "failed" */
	uint8_t configuration[SHA256_BYTES];        /* in force at the agent; zeroes: none yet */
	uint8_t wanted_configuration[SHA256_BYTES]; /* that it should have */
	const char *direction_in_force;             /* as the agent reports it */
	char link_error[200];                       /* why the manager cannot dial it, "": it can, or need not */
};
/* ERR_NOT_FOUND for no such computer. Any thread; never blocks for long. */
int front_computer_live(struct front *front, const struct uuid *computer, struct front_live *ret_live, struct err *err);

struct front_counts {
	uint64_t computers, online, offline, vm_stopped, unknown, held_polls;
	uint64_t exchanges, exchanges_refused, events_stored, events_repeated, events_beside;
	uint64_t enrolments, enrolments_refused;
	uint64_t commands_open;
	uint64_t work_queued, feed_dropped;
	uint64_t open_files_limit, connections_max;
	uint64_t quarantine_bytes, quarantine_capacity_bytes;
	uint64_t dials_under_way, dials_highest, dials_bound; /* at once: now, the most since the start, allowed */
	uint64_t dialled, dials_failed, dials_resumed;        /* since the start; resumed: of those that worked */
	uint64_t dial_sessions;                               /* kept to be resumed */
	time_us started;
	unsigned loops;
};
void front_counts(struct front *front, struct front_counts *ret_counts);                  /* any thread */
void front_http_counters(struct front *front, struct http_server_counters *ret_counters); /* any thread */

/* Begins to verify the connections of these computers, of all for NULL: who answers now, and who
 * is silent for how long (manager/front/verify.h). Its rows tell. ERR_NOT_FOUND; ERR_BUSY: too many under way. */
int front_verify(struct front *front, const struct uuid *computers, size_t count, const struct front_actor *actor,
		 struct uuid *ret_id, struct err *err);

/* Where the manager dials it: a host name or an address, "": as its agent reports. ERR_NOT_FOUND, ERR_RANGE. */
int front_computer_link(struct front *front, const struct uuid *computer, const char *address,
			const struct front_actor *actor, struct err *err);
/* Memberships (manager/front/membership.h): what the computer's agent has open ends within a second, its open commands
 * as cancelled, its alerts as resolved. ERR_NOT_FOUND; ERR_WRONG_STATE: not from where it is. */
/* Keeps the row; its certificate is refused until front_computer_reactivate(). */
int front_computer_deactivate(struct front *front, const struct uuid *computer, const struct front_actor *actor,
			      struct err *err);
/* The longest that the agent of a computer that is deactivated, or not on record, keeps away between two questions:
 * what it is told with each refusal, and people are when they let it in again. */
#define FRONT_BACK_WITHIN_S 600
int front_computer_reactivate(struct front *front, const struct uuid *computer, const struct front_actor *actor,
			      struct err *err);
/* Keeps the row; its certificate is refused for good, the agent has to enrol again. */
int front_computer_revoke(struct front *front, const struct uuid *computer, const struct front_actor *actor,
			  struct err *err);
/* A computer that is known and has no agent yet: whoever activates under its name becomes it. address: where it may be
 * dialled, "": nobody knows. ERR_EXISTS: the name; ERR_NOT_FOUND: the policy. */
int front_computer_add(struct front *front, const char *name, const char *policy, const char *group,
		       const char *address, const struct front_actor *actor, struct uuid *ret_id, struct err *err);
/* Forgets the computer; its rows stay for the history, marked deleted. */
int front_computer_delete(struct front *front, const struct uuid *computer, const struct front_actor *actor,
			  struct err *err);

/* --- commands --- */
enum front_command_kind {
	FRONT_COMMAND_SCAN = 1,
	FRONT_COMMAND_PAUSE, /* target: a scan command */
	FRONT_COMMAND_RESUME,
	FRONT_COMMAND_CANCEL, /* target: any command that has not ended */
	FRONT_COMMAND_HEARTBEAT,
	FRONT_COMMAND_RESTORE, /* target: a quarantine item */
	FRONT_COMMAND_DELETE,  /* target: a quarantine item */
	FRONT_COMMAND_MOVE,    /* to another manager */
};
/* "scan", "pause", …; NULL for a number that is none. */
const char *front_command_kind_name(enum front_command_kind kind);
int front_command_kind_parse(const char *name, enum front_command_kind *ret_kind);

struct front_command {
	enum front_command_kind kind;
	struct uuid computer;      /* ignored where target is given: the target's */
	struct uuid target;        /* by kind */
	const struct bytes *paths; /* scan: absolute paths; none: the configured default */
	size_t path_count;         /* at most 1000 */
	const struct bytes *exclude;
	size_t exclude_count;
	bool overwrite; /* restore: replace what is at the path now */
	/* move: https://HOST:PORT, its token (NULL: none, and its settings decide), and the SHA-256 of its CA */
	const char *manager, *token;
	uint8_t authority[SHA256_BYTES];
	span_us timeout; /* 0: the kind's default */
};
/* Stores it (state pending), has it signed, hands it to the computer's shard,
 * which wakes a held poll. Returns when it is durable. Cancelling a command that
 * was not sent yet ends it at once; *ret_id is then the target's own id. */
int front_command_issue(struct front *front, const struct front_command *command, const struct front_actor *actor,
			struct uuid *ret_id, struct err *err);

/* The same command (scan, heartbeat or move: what has no target) for many computers:
 * signed and stored in a few steps for all. ret_ids[i] is the command for computers[i]; zeroes: that
 * computer is not there, or has too many commands open. computers: each once.
 * Fails only if none could be issued, for another reason. One audit entry for all. */
#define FRONT_COMMANDS_MAX 20000
int front_command_issue_many(struct front *front, const struct front_command *command, const struct uuid *computers,
			     size_t count, const struct front_actor *actor, struct uuid *ret_ids, struct err *err);

/* How far a command is that has not ended, as JSON text to free(), from memory:
 * its row holds what was reported with its last change of state alone. NULL:
 * nothing was reported, or no memory. Any thread; never blocks for long. */
char *front_command_progress(struct front *front, const struct uuid *computer, const struct uuid *command);

/* --- quarantine store --- */
struct front_quarantine_file {
	int fd; /* of the sealed file, for reading; the caller's to close */
	uint64_t sealed_bytes;
	uint8_t key[32]; /* unseals it (protect/sealed.h); wipe after use */
};
/* ERR_NOT_FOUND: no such item; ERR_WRONG_STATE: its file is not here (not uploaded, deleted, too large). */
int front_quarantine_open(struct front *front, const struct uuid *item, struct front_quarantine_file *ret_file,
			  struct err *err);
/* Deletes the manager's copy and sends the agent a command to delete its own. */
int front_quarantine_delete(struct front *front, const struct uuid *item, const struct front_actor *actor,
			    struct uuid *ret_command, struct err *err);

/* --- settings kept in the database --- */
struct front_setting {
	const char *name; /* "quarantine.capacity" */
	const char *type; /* "size", "duration", "number", "choice" */
	const char *help;
	const char *default_text;
	char value[1025];   /* as text that set() takes */
	char allowed[1025]; /* in words, as conf_value_allowed() gives it */
	bool is_default;
};
size_t front_setting_count(const struct front *front);
int front_setting_at(struct front *front, size_t index, struct front_setting *ret_setting, struct err *err);
int front_setting_get(struct front *front, const char *name, struct front_setting *ret_setting, struct err *err);
/* value NULL: back to the default. ERR_UNKNOWN, ERR_RANGE name the setting. All or none of `count` are set. */
int front_setting_set(struct front *front, const struct front_field *values, size_t count,
		      const struct front_actor *actor, struct err *err);

/* --- destinations of events and alerts (front/destination.h) --- */
/* After rows of `destination` were written: the thread that serves them reads them again. Any thread. */
void front_destinations_changed(struct front *front);
/* Delivers a test message and waits for what came of it, up to a minute and a half. ERR_NOT_FOUND; ERR_BUSY. */
int front_destination_test(struct front *front, const struct uuid *destination, const char *user, struct err *err);

/* --- feed of what happens, for server-sent events --- */
enum front_topic {
	FRONT_TOPIC_EVENT = 1,
	FRONT_TOPIC_COMMAND = 2,
	FRONT_TOPIC_COMPUTER = 4,
	FRONT_TOPIC_QUARANTINE = 8,
	FRONT_TOPIC_ALERT = 16
};

struct front_news {
	enum front_topic topic;
	struct uuid id;       /* of the event, command, computer, item or alert, whose row is committed */
	struct uuid computer; /* zero: none */
	uint32_t event_type;  /* events */
	uint64_t sequence;    /* 1, 2, … within this run of the role */
};
struct front_subscription;
/* on_news is called on `loop`'s thread for news of the topics (bits of enum
 * front_topic), at most a batch a turn; `missed` counts what a slow reader lost.
 * It hands reading the row to front_work(). Any thread. */
struct front_subscription *front_subscribe(struct front *front, struct loop *loop, unsigned topics,
					   void (*on_news)(void *argument, const struct front_news *news, size_t count,
							   uint64_t missed),
					   void *argument);
/* On the loop's thread; on_news is not called any more once it returns. Accepts NULL. */
void front_unsubscribe(struct front_subscription *subscription);

/* True once the role has been told to stop: long replies should end. Any thread. */
bool front_stopping(const struct front *front);

#endif
