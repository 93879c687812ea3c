/* The manager's end of the link: what is known of computers, and what to say to them.
 *
 * One `struct fleet` is one shard: no locks inside, never blocks, asks no
 * clock but env's, keeps nothing on disk. The shell holds the shard's lock
 * around each call and does what the results say. An exchange goes
 *
 *   fleet_heard()   report in, authenticated by the certificate -> what to store
 *   (shell commits exchange's rows in one write; if fleet_rows_empty(), no write)
 *   fleet_stored()  committed, or not
 *   fleet_answer()  reply now, or park the request until a moment
 *   fleet_reply()   the reply, when answering
 *   fleet_exchange_free()
 *
 * When the client has gone: fleet_exchange_free() at any step, but a write that
 * was begun must first end with fleet_stored(). The report may be freed once
 * fleet_answer() was called. Only what is durable is acknowledged, and only to
 * a report that carried it. Exactly-once rests on three rules the shell's
 * statements keep: events go in only if the computer's stored floor is still
 * events.previous (else the write fails with ERR_CONFLICT); an event whose
 * number is not above it is known if one with its number and mark is stored,
 * else it goes in too: it is of another agent with this identity, or of one
 * that was set back; a command's state changes only as command_may_move()
 * allows (a move it does not allow is skipped, and is no failure).
 */
#ifndef MUSTER_FLEET_FLEET_H
#define MUSTER_FLEET_FLEET_H

#include <stdbool.h>
#include <stdint.h>

#include "base/env.h"
#include "fleet/commands.h"
#include "fleet/event_types.h"
#include "fleet/key_chain.h"
#include "fleet/machines.h"
#include "fleet/networks.h"
#include "wire/directions.h"
#include "wire/exchange.h"

struct fleet;
struct fleet_exchange;

/* FLEET_VM_STOPPED: a virtual machine that is shut off, as its hypervisor says. */
enum fleet_status { FLEET_UNKNOWN, FLEET_ONLINE, FLEET_OFFLINE, FLEET_VM_STOPPED, FLEET_STATUSES };
/* How far a computer is with the configuration it should have: not told yet, told,
 * in force, or refused by its agent (the last good one stays). */
enum fleet_configuration_state {
	FLEET_CONFIGURATION_PENDING,
	FLEET_CONFIGURATION_SENT,
	FLEET_CONFIGURATION_APPLIED,
	FLEET_CONFIGURATION_FAILED,
	FLEET_CONFIGURATION_STATES
};
#define FLEET_CAUSE_BYTES      48
#define FLEET_LINK_ERROR_BYTES 200
#define FLEET_UNLIMITED        UINT32_MAX

struct fleet_options {
	const struct env *env;
	/* Something is there for a parked request: post it to its thread, call
	 * fleet_reply() there. Called inside other fleet_ calls; must not call back. */
	void (*wake)(void *context, void *parked);
	/* Each change of a command's or a computer's state, for tracing; may be NULL. */
	void (*trace)(void *context, const struct uuid *computer, const char *what, const char *from, const char *to);
	/* A computer is to be dialled sooner than fleet_dial_due() last said; as wake(). NULL: nobody dials. */
	void (*dial)(void *context);
	/* Is the second of two agents with one identity to take another (Reply.rekey), or refused? NULL: to take one.
	 */
	bool (*rekeys)(void *context);
	void *context;
	/* Agents that lose the manager come back this far apart on the average: the window announced to
	 * them in every reply is this times their number. 0: none is announced. */
	span_us return_spacing_us;
	span_us clone_settle_us; /* a dead agent's last words arrive within this; 0: 2 min */
	/* By which our own clock's steps are told from the agents' across starts (clock.c): which boot of our
	 * machine this is, and our wall clock less our monotonic one as it was at the first start on it.
	 * Zeroes: the boot is not known, and the difference is the one now. */
	struct uuid boot;
	span_us clock_zero_us;
};

/* A computer as stored, for restoring; and as shown. */
struct fleet_computer {
	struct uuid id;
	struct uuid group;      /* that it counts in, fleet_count_group(); zeroes: none */
	uint64_t events_stored; /* highest event number stored */
	span_us interval_us;    /* heartbeat interval; 0: the default of 10 min */
	/* What its agent goes by, as it said last; 0: not known. While the wanted configuration is not in
	 * force there, silence is measured by the longer of the two. */
	span_us agent_interval_us;
	uint32_t missed; /* heartbeats that may be lost, FLEET_UNLIMITED: never offline */
	enum fleet_status status;
	bool offline_error;   /* it is told as offline; a stopped machine may be so too */
	bool inactive_error;  /* setting: a stopped machine counts as offline by the same arithmetic */
	time_us status_since; /* wall clock */
	time_us last_heard;   /* wall clock, last authenticated sign of life; 0: never */
	time_us heard;        /* the same on the monotonic clock; when this manager started, if before that */
	char cause[FLEET_CAUSE_BYTES];
	uint8_t configuration[SHA256_BYTES];        /* in force at the agent */
	uint8_t wanted_configuration[SHA256_BYTES]; /* zeroes: none to send */
	enum fleet_configuration_state configuration_state;
	uint8_t trusted_key[SHA256_BYTES]; /* first key the agent trusts */
	span_us clock_offset_us;           /* agent's wall clock minus ours */
	span_us clock_limit_us;            /* a change by more is event 734; 0: unlimited */
	span_us clock_base_us;  /* what a change is measured from: offset as if ours had never been set on clock_boot */
	struct uuid clock_boot; /* our boot on which that was; zeroes: it is not known, or it was never heard */
	bool activated;         /* just now: its silence until then counts for nothing; of fleet_add() alone */
	bool connected;         /* a request is parked (not a sign of life in itself) */
	uint64_t events_waiting;         /* in the agent's spool */
	struct address seen_from;        /* where its connections come from; family 0: not known */
	const struct address *addresses; /* that it reports; of fleet_add() alone */
	size_t address_count;
	struct uuid network;                     /* that it is in; not read by fleet_add() */
	span_us offline_us;                      /* how long it may be silent there; 0: no network */
	enum link_direction direction;           /* in force, as the agent reports it */
	enum link_direction direction_wanted;    /* LINK_DIRECTIONS: as the agent has it */
	uint16_t listen_port;                    /* 0: it does not listen */
	char link_error[FLEET_LINK_ERROR_BYTES]; /* why it cannot be dialled, "": it can, or need not */
};

/* A command to be carried: envelope is packed and signed, copied by fleet_issue(). */
struct fleet_command {
	struct uuid id;
	struct uuid computer;
	enum command_kind kind;
	enum command_state state;
	struct uuid target; /* of pause, resume, cancel, restore, delete; else zeroes */
	time_us issued;     /* wall clock */
	span_us timeout_us; /* from issue to end; 0: none */
	time_us expires;    /* of the envelope, wall clock */
	bool restored;      /* open since before this manager started: a pending one may have been sent */
	uint64_t session;   /* the run of the agent that it was signed for; 0: of none that is known */
	const uint8_t *envelope;
	size_t envelope_size;
};

/* --- what to store; pointers live as long as the exchange and its report --- */
struct fleet_event_row {
	uint64_t number; /* the agent's; 0: made by the manager */
	uint64_t mark;   /* of those with this number it is this one; never 0 with a number */
	time_us time;
	uint32_t type;
	size_t field_count;
	Muster__Wire__Field *const *fields; /* as reported or made */
};
struct fleet_command_row {
	struct uuid id;
	enum command_state state;
	time_us time;                               /* of this change, wall clock */
	const Muster__Wire__CommandState *reported; /* NULL if the manager decided; code, text, result, progress */
	const char *code;                           /* err_name() or "" */
	const char *text;
};
struct fleet_rows {
	struct uuid computer;
	struct {
		uint64_t previous; /* the stored floor these follow */
		uint64_t last;     /* the floor afterwards */
		const struct fleet_event_row *rows;
		size_t count;
		/* Not above `previous`: each is looked up. The stored floor must have come as far as the last of them
		 * (else ERR_CONFLICT). */
		const struct fleet_event_row *repeated;
		size_t repeated_count;
	} events;
	const struct fleet_event_row *manager_events; /* about this computer: 275, 717, 730 to 735, 1201, 1202 */
	size_t manager_event_count;
	const struct fleet_command_row *commands;
	size_t command_count;
	Muster__Wire__QuarantineItem *const *quarantine; /* to insert or update by id */
	size_t quarantine_count;
	/* The computer's own row: NULL when unchanged. */
	const struct fleet_computer *computer_row;
	const Muster__Wire__Host *host;
	Muster__Wire__Component *const *components;
	size_t component_count;
	const char *configuration_error; /* NULL: unchanged */
	const char *link_error; /* with event 742 or 743 alone; NULL: unchanged. computer_row's does not count */
};
bool fleet_rows_empty(const struct fleet_rows *rows);

/* --- life --- */
int fleet_new(const struct fleet_options *options, struct fleet **ret_fleet, struct err *err);
void fleet_free(struct fleet *fleet);

/* The stored computers have been added, their agents may come: nobody's silence counts before each
 * of them has had the announced window twice. */
void fleet_listen(struct fleet *fleet);

/* --- who belongs --- */
/* At start, each computer as last stored; or a newly enrolled one (id alone set). ERR_EXISTS. */
int fleet_add(struct fleet *fleet, const struct fleet_computer *computer, struct err *err);
/* Forgets; a parked request is woken and answers ERR_NOT_FOUND. */
void fleet_remove(struct fleet *fleet, const struct uuid *computer);
int fleet_set_heartbeat(struct fleet *fleet, const struct uuid *computer, span_us interval_us, uint32_t missed,
			struct err *err);
/* How far the computer's clock may change between exchanges before event 734
 * (once a change): 1 s to 24 h, 0: unlimited (the default). ERR_NOT_FOUND, ERR_RANGE. */
int fleet_set_clock_limit(struct fleet *fleet, const struct uuid *computer, span_us limit_us, struct err *err);
/* The fingerprint the agent should have; NULL: none. If it differs the agent is told
 * not before delay_us from now, and a parked request is woken then: the pace of a
 * roll-out is the shell's. One that the agent refused is offered again, rarely. */
int fleet_want_configuration(struct fleet *fleet, const struct uuid *computer, const uint8_t *fingerprint,
			     span_us delay_us, struct err *err);
/* Whether a stopped machine counts as offline too (link.offline_error_inactive_vm); an offline error that was
 * raised for one ends with "no". ERR_NOT_FOUND. */
int fleet_set_inactive_error(struct fleet *fleet, const struct uuid *computer, bool error, struct err *err);
/* What hypervisors say of the computer's machine (fleet/machines.h); told again, it changes nothing. A stopped
 * one is FLEET_VM_STOPPED until it runs or nothing is known of it any more: the arithmetic starts from then. Its
 * agent's word weighs more: one that speaks after the stop is online, and the stop is doubted until the machine
 * was seen running. ERR_NOT_FOUND. */
int fleet_set_machine(struct fleet *fleet, const struct uuid *computer, enum machine_state state, struct err *err);
/* "unknown", "online", "offline", "vm_stopped" */
const char *fleet_status_name(enum fleet_status status);
/* FLEET_UNKNOWN for any other word. */
enum fleet_status fleet_status_parse(const char *name);
/* "pending", "sent", "applied", "failed" */
const char *fleet_configuration_state_name(enum fleet_configuration_state state);

/* --- networks that the manager cannot reach --- */
/* The table that holds from now on, NULL: none; borrowed until another takes its
 * place. Computers heard from now on are placed by it, all others by: */
void fleet_set_networks(struct fleet *fleet, const struct networks *networks);
/* Places some `most` more computers by the present table; true: call again. So no
 * call takes long. Of those whose agent has to be told and holds a request, one is
 * woken every gap_us from *slot (monotonic) on; *slot becomes that of the next. */
bool fleet_place_some(struct fleet *fleet, size_t most, span_us gap_us, time_us *slot);
/* How many computers are in it; 0 for one that the table has not. */
size_t fleet_count_in(const struct fleet *fleet, const struct uuid *network);
/* The address that a computer's connection comes from, before fleet_heard() of what it brings. */
void fleet_seen_from(struct fleet *fleet, const struct uuid *computer, const struct address *address);

/* --- server authentication keys --- */
/* The chain that holds from now on, NULL: nothing is known of keys, all agents count as having the present one;
 * borrowed until another takes its place. An agent that trusts a key before the present one is told the way with its
 * next reply; one that trusts another is told no orders, which it would refuse. */
void fleet_set_keys(struct fleet *fleet, const struct key_chain *keys);
/* Goes through some `most` more computers after that; true: call again. Of those that are to be told, each requests
 * that is held is answered, or it is dialled, one every gap_us from *slot (monotonic) on; *slot becomes the next. */
bool fleet_tell_keys(struct fleet *fleet, size_t most, span_us gap_us, time_us *slot);
/* How many are KEY_MISMATCHED; the first `most` of them in ids. Goes through all. */
size_t fleet_mismatched(const struct fleet *fleet, struct uuid *ids, size_t most);
/* How many said last that they trust this key. Goes through all. */
size_t fleet_trusting(const struct fleet *fleet, const uint8_t fingerprint[SHA256_BYTES]);

/* From `at` on (monotonic) a reply is wanted in which the caller tells the computer what the fleet does not know of: a
 * request that is held is answered then, or it is dialled. Any reply after that moment does. ERR_NOT_FOUND. */
int fleet_want_reply(struct fleet *fleet, const struct uuid *computer, time_us at, struct err *err);

/* The present state; ERR_NOT_FOUND. */
int fleet_show(const struct fleet *fleet, const struct uuid *computer, struct fleet_computer *ret_computer,
	       struct err *err);
size_t fleet_count(const struct fleet *fleet);
/* The group (the policy) that it counts in; fleet_add() takes that of the record. ERR_NOT_FOUND, ERR_MEMORY. */
int fleet_set_group(struct fleet *fleet, const struct uuid *computer, const struct uuid *group, struct err *err);
/* How far the group's computers are with their configuration. Does not go through them. */
void fleet_count_group(const struct fleet *fleet, const struct uuid *group, size_t counts[FLEET_CONFIGURATION_STATES]);
size_t fleet_with_status(const struct fleet *fleet, enum fleet_status status);

/* --- exchange --- */
/* certificate: whose certificate the connection showed. ERR_NOT_FOUND: not a
 * computer of ours; ERR_UNTRUSTED: the report names another. On success the
 * caller owns the exchange, and keeps the report until fleet_answer(). */
int fleet_heard(struct fleet *fleet, const struct uuid *certificate, const Muster__Wire__Report *report,
		struct fleet_exchange **ret_exchange, struct err *err);
const struct fleet_rows *fleet_exchange_rows(const struct fleet_exchange *exchange);
/* rc of the commit; not called when there was nothing to store. */
void fleet_stored(struct fleet *fleet, struct fleet_exchange *exchange, int rc);
/* True: answer now. False: hold until *ret_until (monotonic); `parked` is
 * handed to wake() once, when something is there before that; call
 * fleet_answer() again with may_hold false at the deadline, or fleet_reply(). */
bool fleet_answer(struct fleet *fleet, struct fleet_exchange *exchange, bool may_hold, void *parked,
		  time_us *ret_until);
/* Would fleet_reply() say now that the configuration is to be added? For shells
 * that need a while to sign it: sign first, then ask for the reply. */
bool fleet_configuration_due(const struct fleet *fleet, const struct fleet_exchange *exchange);
/* The reply, owned by the exchange; valid until the next call of the fleet, so
 * pack it under the same lock. The shell adds the signed configuration if
 * *ret_configuration, and upload_quarantine. A dialled talk goes on while
 * fleet_more() says so: fleet_heard() with the next report. ERR_NOT_FOUND: removed meanwhile;
 * ERR_IO: the commit failed (answer 503; the agent keeps everything); ERR_DENIED: a clone that is not to be rekeyed,
 * and has no events to tell. */
int fleet_reply(struct fleet *fleet, struct fleet_exchange *exchange, Muster__Wire__Reply **ret_reply,
		bool *ret_configuration, struct err *err);
/* Orders of a computer that would go with the next reply to this run of its agent, but for the key that signed them,
 * which is not the present one, or for the run that they were signed for, which is another: what they hold is to be
 * signed anew, for this run, and given to fleet_renew() first. At most `most`; they live until the next call. */
struct fleet_order {
	struct uuid command;
	const uint8_t *envelope; /* packed */
	size_t envelope_size;
};
size_t fleet_outdated(const struct fleet *fleet, const struct uuid *computer, uint64_t session,
		      struct fleet_order *orders, size_t most);
/* Is this the fingerprint of the present key (or nothing known of keys)? What another signed need not be sent. */
bool fleet_key_is_present(const struct fleet *fleet, const uint8_t fingerprint[SHA256_BYTES]);
/* The same order in another envelope, for that run of the agent; copied. ERR_NOT_FOUND: it ended meanwhile. */
int fleet_renew(struct fleet *fleet, const struct uuid *computer, const struct uuid *command, uint64_t session,
		const uint8_t *envelope, size_t size, struct err *err);
/* The run of the computer's agent that was heard last, which orders are signed for; 0: none since we started. */
uint64_t fleet_session(const struct fleet *fleet, const struct uuid *computer);
/* The run of the agent that made the report. */
uint64_t fleet_exchange_session(const struct fleet_exchange *exchange);
/* After fleet_reply(): the reply brings something, or confirms something that was told.
 * Else a talk that the manager dialled may end without it. */
bool fleet_more(const struct fleet_exchange *exchange);
/* Says in the reply which report it answers, as a dialled talk needs. */
void fleet_reply_answers(const struct fleet_exchange *exchange, Muster__Wire__Reply *reply);
/* Un-parks if parked. Accepts NULL. fleet may not be NULL. */
void fleet_exchange_free(struct fleet *fleet, struct fleet_exchange *exchange);
/* Asks for a sign of life now: a parked request is answered, so that the agent reports at once.
 * *ret_asked false: none is parked (the shell may dial it). ERR_NOT_FOUND. */
int fleet_ask(struct fleet *fleet, const struct uuid *computer, bool *ret_asked, struct err *err);
/* Was this run of an agent found to be the second one with the computer's identity? */
bool fleet_is_clone(const struct fleet *fleet, const struct uuid *computer, uint64_t session);
/* One of two agents with its identity has taken another, not for being the second one: whoever speaks from now on is
 * its agent, whichever of the two that is. */
void fleet_copy_left(struct fleet *fleet, const struct uuid *computer);

/* --- dialling: the manager's own calls (specification 10-links "Directions") --- */
/* Who wants another direction than the agent reports; LINK_DIRECTIONS: nobody. The manager dials
 * on schedule while either says manager-initiated, so that no switch loses an agent. */
int fleet_set_direction(struct fleet *fleet, const struct uuid *computer, enum link_direction wanted, struct err *err);
/* Dials it as soon as may be, whatever its back-off (a person asks). ERR_NOT_FOUND;
 * ERR_WRONG_STATE: it is agent-initiated, or listens nowhere. */
int fleet_dial_now(struct fleet *fleet, const struct uuid *computer, struct err *err);
/* The next computer to dial now; it counts as being dialled until fleet_dialled(). False: none,
 * *ret_next says when to ask again (monotonic; INT64_MAX: when dial() was called). */
bool fleet_dial_due(struct fleet *fleet, struct uuid *ret_computer, uint16_t *ret_port, time_us *ret_next);
/* The talk ended; rc 0, or what failed (err_code) and its sentence: backs off with full jitter, and
 * tells event 742 with the second failure in a row, 743 when it works again. ERR_BUSY, ERR_MEMORY
 * and ERR_CANCELLED are the manager's own trouble: tried again soon, and not told. */
void fleet_dialled(struct fleet *fleet, const struct uuid *computer, int rc, const char *text);

/* --- commands --- */
/* Takes a command that is stored: new (pending), or open ones at start. Wakes the
 * computer's parked request. ERR_NOT_FOUND, ERR_EXISTS, ERR_LIMIT too many open. */
int fleet_issue(struct fleet *fleet, const struct fleet_command *command, struct err *err);
/* Surely never sent: it ends here, and *ret_exchange is to be stored, then
 * fleet_stored(), fleet_exchange_free(). Else *ret_exchange is NULL: issue a
 * command of kind cancel for it. ERR_NOT_FOUND: not open (ended already). */
int fleet_cancel(struct fleet *fleet, const struct uuid *computer, const struct uuid *command,
		 struct fleet_exchange **ret_exchange, struct err *err);
/* The latest progress reported; false if none. Lives until the next call. */
const Muster__Wire__Progress *fleet_progress(const struct fleet *fleet, const struct uuid *computer,
					     const struct uuid *command);

/* --- time --- */
/* Call several times a second: time-outs, liveness, states not stored yet. Each
 * computer concerned comes as an exchange that store() owns: write its rows,
 * fleet_stored(), fleet_exchange_free(); later and from any thread, under the
 * shard's lock, but not inside store(). A tick that comes far too late forgives
 * the silence meanwhile (we were not listening). */
void fleet_tick(struct fleet *fleet, void (*store)(void *argument, struct fleet_exchange *exchange), void *argument);

#endif
