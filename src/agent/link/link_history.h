/* What happened lately, for `muster-agent events`: DIR/link/history.log and,
 * when that is full, history.old. One JSON object a line; not synced, since the
 * spool is what counts. Loop thread only; blocks on the disk.
 */
#ifndef MUSTER_AGENT_LINK_LINK_HISTORY_H
#define MUSTER_AGENT_LINK_LINK_HISTORY_H

#include <jansson.h>

#include "agent/control.h"
#include "base/units.h"
#include "fleet/event_types.h"

#define LINK_HISTORY_FILE_BYTES (MIB)
#define LINK_HISTORY_DEFAULT    50

struct link_history;

/* directory: open descriptor of DIR/link, kept by the caller. */
struct link_history *link_history_new(int directory, struct err *err);
void link_history_free(struct link_history *history);
/* A failure is logged once and nothing else: history is for convenience. */
void link_history_add(struct link_history *history, uint32_t type, time_us time, const struct event_field *fields,
		      size_t count);
/* Takes over the reference. */
typedef void (*link_history_line)(void *context, json_t *line);
/* The last `limit` (0: the default) as event lines, oldest first. */
void link_history_show(struct link_history *history, uint32_t limit, link_history_line line_to, void *context);

#endif
