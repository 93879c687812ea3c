/* What the manager watches of itself: room on its disk, the size of its
 * database, room for quarantined files. Raised and resolved as alerts. */
#ifndef MUSTER_MANAGER_FRONT_SELF_WATCH_H
#define MUSTER_MANAGER_FRONT_SELF_WATCH_H

/* Periodic, on a worker thread; argument: the front. */
void self_watch(void *argument);

#endif
