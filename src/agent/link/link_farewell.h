/* The manager that this agent has left is told so, with the identity that it gave: link/former; and so are
 * the others that were left before and could not be told (agent/identity_switch.h), one after the other.
 *
 * It is asked until it answers, for a week at most; then the former identity is
 * forgotten. One that another live agent may hold (the agent was a copy and was given
 * an identity of its own) is never a former one: nobody speaks with it again.
 * Loop thread only, but for link_farewell_new(), which reads files before the
 * role is confined.
 */
#ifndef MUSTER_AGENT_LINK_LINK_FAREWELL_H
#define MUSTER_AGENT_LINK_LINK_FAREWELL_H

#include "agent/link/link.h"

struct link_farewell;

/* NULL without error: nobody is to be told. */
struct link_farewell *link_farewell_new(struct link *link, int store, struct err *err);
void link_farewell_free(struct link_farewell *farewell); /* accepts NULL */
/* Once the loop is there. Accepts NULL. */
void link_farewell_begin(struct link_farewell *farewell);

#endif
