/* What the manager watches of itself: room on its disk, the size of its
 * database, room for quarantined files, TLS profiles that endanger. Raised and resolved as alerts. */
#ifndef MUSTER_MANAGER_FRONT_SELF_WATCH_H
#define MUSTER_MANAGER_FRONT_SELF_WATCH_H

/* Once at the start, on a worker thread; argument: the front. */
void self_watch_first(void *argument);
/* Periodic, on a worker thread; argument: the front. */
void self_watch(void *argument);

#endif
