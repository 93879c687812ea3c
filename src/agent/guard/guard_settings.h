/* What guard keeps of the settings that link gave it: guard/settings.
 *
 * Used from guard's start until link says the same or other, so that a scan
 * that goes on after a restart does not look into what is excluded. Written by
 * guard alone, whole or not at all; a damaged file counts as none.
 */
#ifndef MUSTER_AGENT_GUARD_GUARD_SETTINGS_H
#define MUSTER_AGENT_GUARD_GUARD_SETTINGS_H

#include "agent/messages.h"

/* directory: guard/. payload: a packed message_settings. Durable when 0. Blocks. */
int guard_settings_save(int directory, const void *payload, size_t size, struct err *err);
/* ret_settings points into bytes, which the caller gives fresh and frees. ERR_NOT_FOUND: none; ERR_FORMAT: damaged. */
int guard_settings_load(int directory, struct buf *bytes, struct message_settings *ret_settings, struct err *err);

#endif
