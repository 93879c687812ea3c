/* Link of an agent that nobody has activated yet: it waits for its manager.
 *
 * The prepared listener (agent/prepared_server.h), the control socket, of which
 * it answers status, stop and uninstall alone, and guard, which keeps its notices for the
 * link that comes after. Nothing of the other parts is made.
 */
#ifndef MUSTER_AGENT_LINK_LINK_PREPARED_H
#define MUSTER_AGENT_LINK_LINK_PREPARED_H

#include "agent/link/link.h"

/* Runs link->loop, which is made, until activated or stopped; a port that is taken is tried again. store: DIR/link. */
int link_prepared_run(struct link *link, int store, uid_t owner, struct err *err);

#endif
