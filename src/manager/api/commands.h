/* Commands as JSON, for each handler that makes one. */
#ifndef MUSTER_MANAGER_API_COMMANDS_H
#define MUSTER_MANAGER_API_COMMANDS_H

#include "manager/api/call.h"

/* Issues it and answers `status` with the command, or with the target when
 * cancelling ended that at once. */
int command_issue_and_reply(struct api_call *call, const struct front_command *command, int status, struct err *err);
/* Answers with the command of this id. */
int command_reply(struct api_call *call, const struct uuid *id, int status, struct err *err);

/* A list of ids, checked by its shape: each once, the caller's to free. ERR_MEMORY. */
int computers_take(const struct env *env, const json_t *list_json, struct uuid **ret_computers, size_t *ret_count);

#endif
