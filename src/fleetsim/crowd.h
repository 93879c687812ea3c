/* The agents of one thread: their loop, their start one after the other, their
 * events, their end. Made and joined by the main thread; everything between
 * happens on the crowd's own thread. The figures may be read from anywhere.
 */
#ifndef MUSTER_FLEETSIM_CROWD_H
#define MUSTER_FLEETSIM_CROWD_H

#include "base/env.h"
#include "base/pack.h"
#include "fleetsim/figures.h"
#include "fleetsim/identities.h"
#include "fleetsim/options.h"
#include "net/loop.h"
#include "net/tls.h"

/* What all crowds share; constant while they run, but for `identities`, `ordered` and `observed`. */
struct fleet_plan {
	const struct options *options;
	const struct env *env;
	const char *ca_pem;
	const char *key_pem;
	const char *token;    /* for enrolment */
	struct bytes request; /* PKCS#10 of the key */
	struct uuid boot_id;
	char name_prefix[32];
	bool loopback; /* agents have source addresses of their own */
	struct identities *identities;
	atomic_int_fast64_t ordered;          /* wall clock: when the fan-out was ordered; 0: not yet */
	atomic_int_fast64_t observed;         /* monotonic: when all were connected; 0: not yet */
	void (*fatal)(const struct err *err); /* nothing can come of it; any thread */
};

struct agent;
struct agent_lane;

struct crowd {
	const struct fleet_plan *plan;
	unsigned index; /* agents index, index + threads, index + 2 * threads ... are here */
	struct loop *loop;
	pthread_t thread;
	struct tls_client *tls;        /* of whom all agents' are siblings */
	struct tls_server *tls_server; /* the same for those that listen; NULL until the first does */
	struct agent **agents;
	size_t count, started, enrolling;
	time_us began; /* monotonic */
	struct loop_timer *ramp_timer, *event_timer, *end_timer, *inbox_timer;
	struct agent_lane *inbox, **inbox_end; /* replies that came, oldest first */
	time_us events_at;                     /* up to when events were made */
	double events_owed;
	size_t next_agent;
	bool finishing;
	bool acting; /* upon the order for all */
	time_us give_up_at;
	struct figures figures;
};

int crowd_start(struct crowd *crowd, const struct fleet_plan *plan, unsigned index, struct err *err);
/* The crowd's own thread: a reply came; agent_take_reply() follows when no more are to be received. */
void crowd_inbox(struct crowd *crowd, struct agent_lane *lane);
/* Makes no more events, waits for acknowledgements for at most `patience`, then ends the agents and the thread. */
void crowd_finish(struct crowd *crowd, span_us patience);
/* Waits for the thread's end and frees everything but the figures. A crowd that never started is fine. */
void crowd_join(struct crowd *crowd);

#endif
