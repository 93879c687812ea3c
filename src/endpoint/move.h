/* One identity follows another, and so one manager another: what is next, and when.
 *
 * New first, old last. The agent asks for another identity while it goes on with
 * the present one. Once the new one is whole on the disk it is decided: what the
 * present manager has not got yet is told to it if that is done soon, then the
 * link starts anew, and the identities change places. At last the manager that
 * was left is told, until it answers. When the new manager cannot be reached or
 * verified, or refuses, nothing has changed.
 *
 * Pure: agent/link/link_candidate.h, agent/identity_switch.h and
 * agent/link/link_farewell.h do what is said here; test/sim does it in a
 * simulated world.
 */
#ifndef MUSTER_ENDPOINT_MOVE_H
#define MUSTER_ENDPOINT_MOVE_H

#include <stdbool.h>

#include "base/env.h"
#include "endpoint/endpoint.h"

/* --- asking for another identity --- */
struct move_asking {
	bool under_way, decided;
	bool moves;       /* to another manager; else its own gives it another identity */
	time_us leave_by; /* monotonic: decided, and the present manager is not waited for any longer */
	time_us not_before;
	unsigned failures;
};

/* ERR_BUSY: another one is under way or decided. A move is a person's order and never waits for its time. */
int move_may_begin(const struct move_asking *asking, bool moves, time_us now, struct err *err);
void move_begun(struct move_asking *asking, bool moves);
/* Nothing has changed; by itself the agent asks again after a while. */
void move_failed(struct move_asking *asking, const struct env *env);
/* The new identity is whole, and durable. */
void move_decided(struct move_asking *asking, time_us now);
/* Is the present manager to be left now? */
bool move_leaves(const struct move_asking *asking, const struct endpoint_status *status, time_us now);
/* When to ask that again; INT64_MAX: nothing is decided. */
time_us move_leaves_at(const struct move_asking *asking);

/* --- at a start: the identities change places --- */
enum move_candidate {
	MOVE_CANDIDATE_NONE,
	MOVE_CANDIDATE_UNDER_WAY, /* an attempt, to be gone on with; or one that cannot be read now */
	MOVE_CANDIDATE_WHOLE,     /* decided */
	MOVE_CANDIDATE_BROKEN     /* decided, and cannot be used */
};
/* What is found. An order stands beside a candidate that is decided and goes with it into the identity's place, where
 * it says that the exchange was made and that not all of what follows was. */
struct move_places {
	bool ordered; /* the order is in the identity's place */
	enum move_candidate candidate;
	bool followed; /* in this run: what else goes by the identity was changed */
};
enum move_step {
	MOVE_DONE,
	MOVE_DROP_CANDIDATE,
	MOVE_EXCHANGE,     /* identity and candidate, in one step */
	MOVE_FOLLOW,       /* what else goes by the identity */
	MOVE_KEEP_FORMER,  /* what is in the candidate's place now: its manager is to be told */
	MOVE_FORGET_ORDER, /* once it is told that the identity is another one */
};
/* What is next; each may be cut off at any moment, and then what is found says how to go on. */
enum move_step move_next(const struct move_places *places);

/* --- taking leave of a manager that was left --- */
struct move_farewell {
	unsigned failures;
	time_us begun;
};
void move_farewell_begin(struct move_farewell *farewell, time_us now);
/* It has answered so (an HTTP status): it knows, or does not know this identity any more. */
bool move_farewell_settled(int status);
/* It has not: how long to wait before the next time. False: enough. */
bool move_farewell_again(struct move_farewell *farewell, const struct env *env, span_us *ret_wait);

#endif
