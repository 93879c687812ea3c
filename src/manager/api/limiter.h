/* Counting refused attempts by key, and locking keys out for a while. Pure, bounded.
 *
 * Not thread-safe: the caller holds a lock. When full, the key that was quiet
 * longest is forgotten first.
 */
#ifndef MUSTER_MANAGER_API_LIMITER_H
#define MUSTER_MANAGER_API_LIMITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/units.h"

struct limiter;

struct limiter_rule {
	unsigned failures; /* so many … */
	span_us window;    /* … within this … */
	span_us lock;      /* … lock the key for this */
};

/* entries: keys remembered at most. NULL: no memory. */
struct limiter *limiter_new(size_t entries, uint64_t seed);
void limiter_free(struct limiter *limiter);
/* How long the key stays locked from now (monotonic); 0: it is not. */
span_us limiter_locked(const struct limiter *limiter, const char *key, time_us now);
/* Refusals of its present window, less than would lock it. */
unsigned limiter_failures(const struct limiter *limiter, const char *key, const struct limiter_rule *rule, time_us now);
/* One more refusal; true if this one locked the key. Out of memory locks nothing. */
bool limiter_failed(struct limiter *limiter, const char *key, const struct limiter_rule *rule, time_us now);
void limiter_succeeded(struct limiter *limiter, const char *key);

#endif
