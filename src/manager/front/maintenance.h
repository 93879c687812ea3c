/* What the manager does by the clock: time-outs and liveness each second,
 * retention and left-over uploads each hour. */
#ifndef MUSTER_MANAGER_FRONT_MAINTENANCE_H
#define MUSTER_MANAGER_FRONT_MAINTENANCE_H

#include "manager/front/front_state.h"

int maintenance_begin(struct front *front, struct err *err);

/* As much memory and log for the database as the computers there are need; when they have become more. Blocks.
 * A benchmark calls it, too. */
void maintenance_room(void *front);

#endif
