/* The asker's end of the control socket, for local commands. Blocks. */
#ifndef MUSTER_AGENT_LOCAL_CONTROL_ASK_H
#define MUSTER_AGENT_LOCAL_CONTROL_ASK_H

#include <sys/types.h>

#include "agent/control.h"

/* Sends the request to the agent that runs on `data_directory` and calls
 * on_line for each answer line but the end; on_line(argument, NULL) when a
 * signal interrupted the waiting (go on by returning 0). A nonzero return from
 * on_line ends the asking with that code.
 * ret_end: the end line of a request that went well, to json_decref(); may be
 * NULL. ERR_NOT_FOUND when no agent runs there; ERR_DENIED when the socket is
 * somebody else's; else what the agent said. */
int control_ask(const char *data_directory, const struct control_request *request,
		int (*on_line)(void *argument, const json_t *line), void *argument, json_t **ret_end, struct err *err);

/* 0 when an agent answers on the socket there, without asking it anything. */
int control_reachable(const char *data_directory, struct err *err);
/* The process of the agent that listens on the socket there (its guard); 0: none. */
pid_t control_guard(const char *data_directory);

#endif
