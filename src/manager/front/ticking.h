/* What the fleet says that no report has brought: what time alone changes, and what a person has changed.
 *
 * It goes the way of a report's rows: stored, told to the fleet, published.
 */
#ifndef MUSTER_MANAGER_FRONT_TICKING_H
#define MUSTER_MANAGER_FRONT_TICKING_H

#include "manager/front/front_state.h"

/* fleet_tick() over all shards; a periodic function on a worker. */
void ticking_run(void *front);
/* Stores what an exchange says that did not come from an agent (fleet_cancel()), with also(session, argument) in the
 * same write, and ends it. Waits for the commit: on worker threads only. */
int ticking_store_now(struct front *front, struct shard *shard, struct fleet_exchange *fleet, store_function also,
		      void *argument, struct err *err);

#endif
