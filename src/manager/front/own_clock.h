/* Where the manager's own clock stood on this boot of its machine: by that its
 * steps, while it was down too, are told from the agents' (fleet/clock.c).
 */
#ifndef MUSTER_MANAGER_FRONT_OWN_CLOCK_H
#define MUSTER_MANAGER_FRONT_OWN_CLOCK_H

#include "manager/front/front.h"

/* The wall clock less the monotonic one (CLOCK_BOOTTIME) as it was at the first start on this boot: read from the
 * database, or written there now when the boot is another one or not known. Blocks. */
int own_clock_open(struct front *front, span_us *ret_zero, struct err *err);

#endif
