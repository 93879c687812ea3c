/* One manager a data directory: DIR/run.lock, taken before anything of it is started.
 *
 * Held by flock() for as long as the supervisor lives, or the keys role that it started, so that a crash frees it once
 * nobody of that manager writes keys any more.
 * Its text says who holds it, to name it to whom it refuses.
 */
#ifndef MUSTER_MANAGER_RUN_LOCK_H
#define MUSTER_MANAGER_RUN_LOCK_H

#include "base/err.h"

/* *ret_fd stays open as long as the lock is to be held. ERR_BUSY names who holds it. */
int run_lock_take(const char *directory, int *ret_fd, struct err *err);

#endif
