/* The unload password as link asks for it, and the events that wrong ones become. Loop thread only; blocks on the disk
 * and for as long as hashing a password takes. */
#ifndef MUSTER_AGENT_LINK_LINK_UNLOAD_H
#define MUSTER_AGENT_LINK_LINK_UNLOAD_H

#include "agent/link/link.h"
#include "agent/local_action.h"

/* May the one at the other end of the control socket? By the last good configuration, and as local_action_allowed(). */
int link_unload_allowed(struct link *link, enum local_action action, const char *password, uid_t uid, struct err *err);
/* Is there a password at all? */
bool link_unload_asks(const struct link *link);
/* Events 5020 of what was refused while no link ran, or was not told before it ended. Once at the start. */
void link_unload_tell(struct link *link);

#endif
