/* What the manager does by the clock: time-outs and liveness each second,
 * retention and left-over uploads each hour. */
#ifndef MUSTER_MANAGER_FRONT_MAINTENANCE_H
#define MUSTER_MANAGER_FRONT_MAINTENANCE_H

#include "manager/front/front_state.h"

int maintenance_begin(struct front *front, struct err *err);

#endif
