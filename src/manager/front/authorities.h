/* The manager's authorities in front: who issues, who is to follow, whom to trust.
 *
 * keys is right about them, and front asks it whenever it is there anew; until then ca.pem says what they were. What
 * front holds is a snapshot that never changes: when keys has others, another snapshot takes its place, for replies,
 * for listeners and for the dialler, without a restart. When one follows another is decided here, by the rule of
 * trust/authority_turn.h. Agents learn of the next root with their next certificate: those whose certificate was given
 * before are told to have another one after the other, each at its moment: a request that it holds is answered then,
 * or it is dialled.
 */
#ifndef MUSTER_MANAGER_FRONT_AUTHORITIES_H
#define MUSTER_MANAGER_FRONT_AUTHORITIES_H

#include "manager/front/front_state.h"
#include "trust/authority_turn.h"

struct front_authorities {
	struct front_authorities *former;
	struct front_identity identity; /* its ca_pem: the issuing root first, then the others and what leads to them */
	char *pem;
	char *roots;   /* whom to trust */
	char *issuing; /* the root that issues, alone */
	char *chain;   /* what goes behind a certificate of ours in a handshake: what leads to roots, then roots */
	struct renewal_life life; /* of the issuing root */
	char *problem;            /* NULL: none; else why keys has no key of them: nothing can be issued */
	bool has_next;
	bool known;                   /* keys has said so in this run */
	time_us newest;               /* when the newest root was made; 0: there is but one */
	time_us first_end;            /* of the other roots, the first to end; INT64_MAX: there are none */
	uint8_t second[SHA256_BYTES]; /* of the root after the issuing one: the next one, if there is one */
};

/* Of this moment; stays until front ends. Any thread. */
const struct front_authorities *authorities_now(const struct front *front);
/* What ca.pem says, until keys does. ERR_FORMAT, ERR_MEMORY. */
int authorities_begin(struct front *front, const char *pem, struct err *err);
/* ERR_BUSY, with a sentence for whoever wants a certificate: there is no key to sign one with. Any thread. */
int authorities_ready(const struct front *front, struct err *err);
void front_authorities_free(struct front *front); /* all snapshots */
/* keys is attached: asks it, on a worker thread. Any thread. */
void authorities_attached(struct front *front);
/* Every few seconds: does what the rule says. Worker threads. */
void authorities_review(void *front);
/* The next one's turn: how many connected agents it waits for (-1: not counted yet), and until when at the latest.
 * False: there is none. Any thread. */
bool authorities_waiting(const struct front *front, int64_t *ret_agents, time_us *ret_until);
/* Is it this agent's turn to be told of the newest root? roots: as in roster.h; seed: of its certificate. Any thread.
 */
bool authorities_to_tell(const struct front *front, time_us roots, uint64_t seed);

/* keys has taken them back out of a backup: in use, and noted. Worker threads; blocks. */
int front_authority_restored(struct front *front, const struct front_actor *actor, struct err *err);
/* ERR_WRONG_STATE with cause and advice for a person: nothing can be certified now. Any thread. */
int front_authority_ready(const struct front *front, struct err *err);
/* A person wants another one now. ERR_EXISTS: it is under way. Worker threads; blocks. */
int front_authority_renew(struct front *front, const struct front_actor *actor, struct err *err);

#endif
