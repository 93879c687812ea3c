/* What agent.ini says to guard: as the message in which link sends it, too.
 * What policies may set of it (policy/settings.h) link replaces.
 */
#ifndef MUSTER_AGENT_SETTINGS_MESSAGE_H
#define MUSTER_AGENT_SETTINGS_MESSAGE_H

#include "agent/messages.h"
#include "agent/settings.h"

/* Paths point into settings. ERR_RANGE, ERR_LIMIT: the lists of paths. */
int settings_message(const struct settings *settings, struct message_settings *ret_message, struct err *err);
/* Everything in the file that the rows alone do not check, each problem a line; the number of problems. */
int settings_problems(const struct settings *settings, struct buf *problems);

#endif
