/* How long events are kept, and what that means for destinations that are behind.
 *
 * An event older than the setting events.retention goes, unless an enabled
 * destination has not got it yet: then it waits, at most as long as
 * events.retention_undelivered more. What goes after that is counted, and told
 * as event 1313 of each destination that would have had it.
 */
#ifndef MUSTER_MANAGER_FRONT_RETENTION_H
#define MUSTER_MANAGER_FRONT_RETENTION_H

#include "manager/front/front.h"

/* Removes what is too old, and tells of what was lost, in one write. Blocks. Not while events.retention is unlimited.
 */
int retention_run(struct front *front, struct err *err);

#endif
