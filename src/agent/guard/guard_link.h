/* Guard's state, and its conversation with link. Used by guard*.c alone. */
#ifndef MUSTER_AGENT_GUARD_GUARD_LINK_H
#define MUSTER_AGENT_GUARD_GUARD_LINK_H

#include <signal.h>

#include "agent/guard/guard.h"
#include "agent/guard/jobs.h"
#include "protect/exclusions.h"

struct guard_items;

struct guard {
	const struct env *env;
	int data, guard, lock, jobs_directory, vault_directory, control, signals;
	sigset_t signals_before;
	char signatures[4096];
	char missing[512]; /* of the confinement */
	struct starter *starter;
	struct scanner *scanner;
	struct outbox *outbox;
	struct vault *vault;
	struct jobs *jobs;
	struct guard_items *items; /* what link wants done with them */
	struct exclusions *never_delete;
	const struct message_paths *never_exclude;
	enum scanner_state scanner_told; /* state that events were made of */
	/* link */
	struct channel link;
	bool link_running, link_waits; /* waits: its queue is full */
	bool link_starts_anew;         /* it said so: its end is no failure */
	uint64_t link_starts;          /* an answer is for the link that asked alone */
	time_us link_since, link_due, link_back_off;
	time_us hold_back_until; /* no notices to link while some of an item are missing, until then at most */
	time_us settle_due;      /* when what could not be told is tried again; INT64_MAX: nothing */
	uint64_t sent;           /* newest notice sent to this link */
	uint64_t stored;
	/* the end */
	bool stopping, stopped;
	time_us stop_by;
	struct err failure;
};

/* A new link: everything not stored is sent again, components too. */
void guard_link_started(struct guard *guard);
/* Event 5010. */
void guard_link_restarted(struct guard *guard, const char *role, const char *cause);
/* What a crash or a full disk left in the vault: done or undone, and told. */
int guard_link_recover(struct guard *guard, struct err *err);
/* Requests. 0; ERR_CLOSED: gone; ERR_DENIED: it broke the rules and was ended; ERR_WRONG_STATE: it wants the agent to
 * stop. */
int guard_link_serve(struct guard *guard);
void guard_link_answer(struct guard *guard, uint32_t request, int code, const struct err *err);
/* Sends notices as far as there is room. */
void guard_link_flush(struct guard *guard);
bool guard_link_waits(const struct guard *guard);

/* Hooks of jobs and scanner; context is the guard. */
void guard_link_progress(void *context, const struct message_progress *progress);
void guard_link_verdict(void *context, uint64_t cookie, const struct scan_verdict *verdict);
void guard_link_lost(void *context, uint64_t cookie, const char *what);
void guard_link_again(void *context, uint64_t cookie, bool begun);
void guard_link_scanner_changed(void *context);

#endif
