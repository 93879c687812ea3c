/* The manager is told that the agent is being removed from this computer (POST /agent/v1/leave). */
#ifndef MUSTER_AGENT_LOCAL_FAREWELL_H
#define MUSTER_AGENT_LOCAL_FAREWELL_H

#include "agent/identity_files.h"

/* 0: it knows, or knows nothing of this identity any more; else why it could not be told. Blocks up to half a minute.
 */
int farewell_say(const struct agent_identity *identity, struct err *err);

#endif
