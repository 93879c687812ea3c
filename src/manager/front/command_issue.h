/* Commands: from the request of a person to the shard that carries them
 * (front_command_issue() of manager/front/front.h), and back into the shards at start.
 */
#ifndef MUSTER_MANAGER_FRONT_COMMAND_ISSUE_H
#define MUSTER_MANAGER_FRONT_COMMAND_ISSUE_H

#include "manager/front/front_state.h"

/* Hands every open command in the database to its shard. Before the loops run. */
int commands_restore(struct front *front, struct err *err);

#endif
