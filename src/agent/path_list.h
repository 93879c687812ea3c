/* Lists of paths in agent.ini: absolute, separated by ':'. Pure; the file is the administrator's. */
#ifndef MUSTER_AGENT_PATH_LIST_H
#define MUSTER_AGENT_PATH_LIST_H

#include "agent/messages.h"

/* Paths point into text. ERR_RANGE for one that is not absolute, ERR_LIMIT; the sentence does not name the setting. */
int path_list_parse(const char *text, struct message_paths *ret_paths, struct err *err);
/* The first pair of an exclusion and a path that it would leave anything out of (protect/exclusions.h): ERR_DENIED,
 * and the sentence names both. 0: none. */
int path_list_excludes_none_of(const struct message_paths *exclusions, const struct message_paths *never,
			       struct err *err);

#endif
