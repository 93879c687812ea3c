/* The manager dials agents: whom and when is src/fleet's to say (fleet_dial_due()).
 *
 * A thread and loop of its own, so that dials and served connections do not
 * wait for each other. At most [dial] concurrency talks at a time; each resolves
 * a name by the system's resolver on a thread of its own, connects, proves the
 * manager by its dialling certificate, checks that the agent's certificate is
 * the computer's, and then exchanges posts and reports until neither has more
 * to say (doc/protocol.md "Dialled exchange"). What agents answer is untrusted.
 */
#ifndef MUSTER_MANAGER_FRONT_DIALLER_H
#define MUSTER_MANAGER_FRONT_DIALLER_H

#include "manager/front/front_state.h"

struct dialler;

/* Begins when the keys role has certified the dialling key, or at once if that was done before. */
int dialler_start(struct front *front, struct dialler **ret_dialler, struct err *err);
/* fleet_options' dial: any thread, under a shard's lock. context: the front. */
void dialler_poke(void *context);
/* Another certificate is there for dialling: talks that begin from now on show it. Any thread; accepts NULL. */
void dialler_certified(struct dialler *dialler);
/* Ends talks, waits for what is being stored, joins the thread. Before workers and store stop. Accepts NULL. */
void dialler_stop(struct dialler *dialler);
void dialler_free(struct dialler *dialler);

/* A computer is not managed any more: talks with it end, and nothing else of it is begun. Any thread; accepts NULL. */
void dialler_forget(struct dialler *dialler, const struct uuid *computer);
/* Connections that were turned and whose agent showed this certificate end. Any thread; accepts NULL. */
void dialler_drop(struct dialler *dialler, const uint8_t fingerprint[SHA256_BYTES]);

struct dialler_counters {
	uint64_t dialled, failed, rounds;
	uint64_t under_way, highest, bound; /* talks now, the most at once since the start, the most allowed */
	uint64_t resumed;                   /* talks of those dialled whose TLS session was */
	uint64_t sessions;                  /* that are kept to be resumed */
};
/* Any thread; accepts NULL. */
void dialler_counters(const struct dialler *dialler, struct dialler_counters *out);

#endif
