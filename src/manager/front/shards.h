/* Computers spread over shards: one pure fleet (fleet/fleet.h) and one lock each.
 *
 * A shard's lock is held for the pure step only, never over I/O. `issuing` is
 * another lock, held by whoever issues a command to one of the shard's
 * computers from taking its serial number until fleet_issue(), so that serials
 * reach agents in ascending order; it is taken on worker threads only.
 */
#ifndef MUSTER_MANAGER_FRONT_SHARDS_H
#define MUSTER_MANAGER_FRONT_SHARDS_H

#include <pthread.h>

#include "fleet/fleet.h"

#define SHARD_COUNT 16

struct shard {
	pthread_mutex_t lock;
	pthread_mutex_t issuing;
	struct fleet *fleet;
};

struct shards;

int shards_new(const struct fleet_options *options, struct shards **ret_shards, struct err *err);
void shards_free(struct shards *shards); /* accepts NULL */
struct shard *shards_of(struct shards *shards, const struct uuid *computer);
struct shard *shards_at(struct shards *shards, size_t index); /* 0 to SHARD_COUNT - 1 */
/* fleet_listen() of all. */
void shards_listen(struct shards *shards);
/* `issuing` of all shards, for an order for many computers. */
void shards_begin_issuing(struct shards *shards);
void shards_end_issuing(struct shards *shards);
/* some() of each shard until it has no more: a few computers under a shard's lock at a time, so that reports go on in
 * between. Those who hold a request are woken `gap_us` apart, from `from` on. */
void shards_tell(struct shards *shards, time_us from, span_us gap_us,
		 bool (*some)(struct fleet *fleet, size_t most, span_us gap_us, time_us *slot));
size_t shards_count(struct shards *shards, size_t counts[FLEET_STATUSES]);

#endif
