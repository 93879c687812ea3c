/* What the endpoint has link do: each request of its goes to the part of link that serves it. */
#ifndef MUSTER_AGENT_LINK_LINK_ACTOR_H
#define MUSTER_AGENT_LINK_LINK_ACTOR_H

#include "agent/link/link.h"

/* For endpoint_new(). Those parts of link that it may call from there on are made before. */
struct endpoint_actor link_actor(struct link *link);

#endif
