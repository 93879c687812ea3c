/* What people do to the agent on its own machine, and whether they may: the one
 * place that asks. Stopping, trusting another manager's key, moving and
 * uninstalling need the unload password where one is set (specification 30
 * "Self-protection"); whoever can write the data directory is let through by
 * the system, not by us.
 */
#ifndef MUSTER_AGENT_LOCAL_ACTION_H
#define MUSTER_AGENT_LOCAL_ACTION_H

#include "base/err.h"

enum local_action { LOCAL_ACTION_TRUST, LOCAL_ACTION_MOVE, LOCAL_ACTIONS };

/* password: as given, NULL for none; not kept. 0, or ERR_DENIED with what to do. May take as long as hashing a password
 * does. */
int local_action_allowed(enum local_action action, const char *password, struct err *err);

#endif
