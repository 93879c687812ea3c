/* Requests of local users on the control socket. Loop thread only. */
#ifndef MUSTER_AGENT_LINK_LINK_LOCAL_H
#define MUSTER_AGENT_LINK_LINK_LOCAL_H

#include "agent/link/link.h"

/* listen_fd: now the server's. owner: of the data directory. */
struct link_local *link_local_new(struct link *link, int listen_fd, uid_t owner, struct err *err);
void link_local_free(struct link_local *local);
/* Notices when the connection to the manager comes and goes, and answers who waits for a heartbeat. */
void link_local_step(struct link_local *local);
time_us link_local_due(const struct link_local *local);

#endif
