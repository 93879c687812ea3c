/* Who a client certificate belongs to: fingerprint -> computer, in memory.
 *
 * Filled from the database at start, then by what begins and ends memberships
 * (manager/front/membership.h). Computers that are not managed any more stay in
 * it, so that their agents are told why they are refused. Thread-safe; never
 * blocks for long.
 */
#ifndef MUSTER_MANAGER_FRONT_ROSTER_H
#define MUSTER_MANAGER_FRONT_ROSTER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/env.h"
#include "base/hex.h"

struct roster;

enum roster_standing {
	ROSTER_UNKNOWN,
	ROSTER_ACTIVE,
	ROSTER_DEACTIVATED, /* may be let in again */
	ROSTER_MOVED,       /* the same; an agent that had it said that another manager has taken it */
	ROSTER_WAITING,     /* the same, and its agent has asked for it */
	ROSTER_DELETED,     /* its computer is gone; it was never revoked for a cause of its own */
	ROSTER_REVOKED,     /* for good: by a person, or by another enrolment */
	ROSTER_REPLACED,    /* its agent has used the one that followed it, and the computer is active, or has moved */
	ROSTER_STANDINGS
};

int roster_new(const struct env *env, struct roster **ret_roster, struct err *err);
void roster_free(struct roster *roster); /* accepts NULL */
/* Adds or replaces. ERR_MEMORY. */
int roster_put(struct roster *roster, const uint8_t fingerprint[SHA256_BYTES], const struct uuid *computer,
	       enum roster_standing standing, struct err *err);
/* Of every certificate of the computer, but for those that are revoked: that stays. */
void roster_set(struct roster *roster, const struct uuid *computer, enum roster_standing standing);
/* Calls for each certificate of the computer, of whatever standing; it must not call back. */
void roster_each(struct roster *roster, const struct uuid *computer,
		 void (*function)(void *argument, const uint8_t fingerprint[SHA256_BYTES]), void *argument);
/* ret_computer is set unless unknown. */
enum roster_standing roster_find(struct roster *roster, const uint8_t fingerprint[SHA256_BYTES],
				 struct uuid *ret_computer);

/* --- certificates that follow one another --- */
/* Of the one put before: when it ends (to the hour), and when the newest root was made that its agent was given with it
 * (to the second; 0: the first of all). Without it nothing is known of that. */
void roster_describe(struct roster *roster, const uint8_t fingerprint[SHA256_BYTES], time_us not_after, time_us roots);
/* The one put before was given to its agent, and not used yet. */
void roster_next(struct roster *roster, const uint8_t fingerprint[SHA256_BYTES]);
struct roster_about {
	time_us end;   /* 0: not known */
	time_us roots; /* as above */
	bool next;     /* not used yet */
};
void roster_about(struct roster *roster, const uint8_t fingerprint[SHA256_BYTES], struct roster_about *ret_about);
/* It is used: true once, for whoever is to store it; roster_next() takes it back. */
bool roster_promote(struct roster *roster, const uint8_t fingerprint[SHA256_BYTES]);
/* The one put before was followed by another, which its agent has used: whoever shows it is a copy of the agent, or was
 * set back to a state of before. */
void roster_replaced(struct roster *roster, const uint8_t fingerprint[SHA256_BYTES]);
/* Nobody has it any more. */
void roster_forget(struct roster *roster, const uint8_t fingerprint[SHA256_BYTES]);

#endif
