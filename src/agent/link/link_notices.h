/* What guard tells link: events, jobs that ended, items, progress, components; and that it is gone. */
#ifndef MUSTER_AGENT_LINK_LINK_NOTICES_H
#define MUSTER_AGENT_LINK_LINK_NOTICES_H

#include "agent/link/link.h"

/* For link_guard_new(). */
struct link_guard_handlers link_notices(struct link *link);
/* Takes the state of a component; context: the link. One that does not fit is told in the log. */
void link_notices_component(void *context, const struct message_component *component);

#endif
