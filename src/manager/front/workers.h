/* A pool of threads for work that may block, and work that comes round again.
 *
 * The queue has a bound; past it callers are told so at once (ERR_BUSY) and
 * tell their client to come back. Periodic work runs on the same threads and
 * never twice at once.
 */
#ifndef MUSTER_MANAGER_FRONT_WORKERS_H
#define MUSTER_MANAGER_FRONT_WORKERS_H

#include <stddef.h>

#include "base/env.h"
#include "base/err.h"
#include "base/units.h"

struct workers;

#define WORKERS_PERIODIC_MAX 16

int workers_new(unsigned threads, size_t queue_max, const struct env *env, struct workers **ret_workers,
		struct err *err);
/* Queues function(argument). ERR_BUSY when full, ERR_CLOSED after workers_stop(). Any thread; never blocks. */
int workers_add(struct workers *workers, void (*function)(void *argument), void *argument);
/* From now on every `every`, first after one `every`. ERR_LIMIT. Any thread. */
int workers_every(struct workers *workers, span_us every, void (*function)(void *argument), void *argument);
size_t workers_queued(struct workers *workers);
/* Ends periodic work, finishes what is queued, joins the threads. Blocks. Not from a worker. */
void workers_stop(struct workers *workers);
void workers_free(struct workers *workers); /* stops first; accepts NULL */

#endif
