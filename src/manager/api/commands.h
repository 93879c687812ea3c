/* Commands as JSON, for each handler that makes one. */
#ifndef MUSTER_MANAGER_API_COMMANDS_H
#define MUSTER_MANAGER_API_COMMANDS_H

#include "manager/api/call.h"

/* Issues it and answers `status` with the command, or with the target when
 * cancelling ended that at once. */
int command_issue_and_reply(struct api_call *call, const struct front_command *command, int status, struct err *err);
/* Answers with the command of this id. */
int command_reply(struct api_call *call, const struct uuid *id, int status, struct err *err);

#endif
