/* What front reads at its start: identity, and from the database
 * the computers and commands that its shards carry.
 */
#ifndef MUSTER_MANAGER_FRONT_FRONT_LOAD_H
#define MUSTER_MANAGER_FRONT_FRONT_LOAD_H

#include "manager/front/front_state.h"

/* ca.pem, server-authentication.pub, and the name, URL and ports of manager.ini. */
int front_load_identity(struct front *front, struct err *err);
/* Computers into roster and shards. Before the loops run. */
int front_load_computers(struct front *front, struct err *err);
/* One that is managed again, into its shard. */
int front_load_computer(struct front *front, const struct uuid *computer, struct err *err);
/* The directories of quarantined files, made if missing, and how much they hold. */
int front_load_quarantine(struct front *front, struct err *err);

#endif
