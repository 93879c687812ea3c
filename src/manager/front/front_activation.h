/* Activation from the manager, for API handlers (front.h says how such calls
 * behave): it dials an agent that was prepared for it (muster-agent prepare),
 * proves its server authentication key over that very connection
 * (wire/proof.h), takes the agent's request and hands over its identity.
 *
 * Who waits there is a computer that a person can reach under this address, and
 * no more is known of it: what it says is untrusted as in any enrolment. Each
 * step may be cut off on either side; the same call again heals it and gives
 * the same computer.
 */
#ifndef MUSTER_MANAGER_FRONT_FRONT_ACTIVATION_H
#define MUSTER_MANAGER_FRONT_FRONT_ACTIVATION_H

#include "manager/front/front.h"

struct front_activation {
	const char *host; /* name or address */
	uint16_t port;    /* 0: that of the fleet's agents */
	/* "": as the agent, or the settings, have it */
	const char *name, *policy, *group;
	const char *url; /* https://HOST:PORT by which the agent reaches this manager; "": its own */
};

/* ret_already: it was this manager's before, and nothing was done. Blocks as long as the network does, a minute and a
 * half at most. ERR_RESOLVE, ERR_CONNECT, ERR_TIMEOUT: nobody answers; ERR_REFUSED: no Muster agent, or one that is not
 * waiting; ERR_UNTRUSTED: it waits for a manager with another key; ERR_CONFLICT: it belongs to another manager;
 * ERR_WRONG_STATE: to a computer that is not managed, or the name is refused; ERR_RANGE; ERR_BUSY. */
int front_computer_activate(struct front *front, const struct front_activation *activation,
			    const struct front_actor *actor, struct uuid *ret_id, bool *ret_already, struct err *err);

#endif
