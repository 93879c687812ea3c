/* Computers spread over shards. */
#include "manager/front/shards.h"

#include <stdlib.h>
#include <string.h>

#define TOLD_AT_ONCE 256 /* computers, under a shard's lock */

struct shards {
	struct shard items[SHARD_COUNT];
};

int shards_new(const struct fleet_options *options, struct shards **ret_shards, struct err *err)
{
	struct shards *shards = calloc(1, sizeof(*shards));
	int rc = shards == NULL ? err_set(err, ERR_MEMORY, "shards: no memory") : 0;

	for (size_t i = 0; i < SHARD_COUNT && rc == 0; i++) {
		pthread_mutex_init(&shards->items[i].lock, NULL);
		pthread_mutex_init(&shards->items[i].issuing, NULL);
		rc = fleet_new(options, &shards->items[i].fleet, err);
	}
	if (rc != 0) {
		shards_free(shards);
		return rc;
	}
	*ret_shards = shards;
	return 0;
}

void shards_free(struct shards *shards)
{
	if (shards == NULL)
		return;
	for (size_t i = 0; i < SHARD_COUNT; i++)
		fleet_free(shards->items[i].fleet);
	free(shards);
}

/* The last bytes of a UUIDv7 are random. */
struct shard *shards_of(struct shards *shards, const struct uuid *computer)
{
	return &shards->items[computer->bytes[UUID_BYTES - 1] % SHARD_COUNT];
}

struct shard *shards_at(struct shards *shards, size_t index)
{
	return &shards->items[index];
}

void shards_listen(struct shards *shards)
{
	for (size_t i = 0; i < SHARD_COUNT; i++) {
		pthread_mutex_lock(&shards->items[i].lock);
		fleet_listen(shards->items[i].fleet);
		pthread_mutex_unlock(&shards->items[i].lock);
	}
}

void shards_begin_issuing(struct shards *shards)
{
	for (size_t i = 0; i < SHARD_COUNT; i++)
		pthread_mutex_lock(&shards->items[i].issuing);
}

void shards_end_issuing(struct shards *shards)
{
	for (size_t i = 0; i < SHARD_COUNT; i++)
		pthread_mutex_unlock(&shards->items[i].issuing);
}

void shards_tell(struct shards *shards, time_us from, span_us gap_us,
		 bool (*some)(struct fleet *fleet, size_t most, span_us gap_us, time_us *slot))
{
	time_us slot = from;

	for (size_t i = 0; i < SHARD_COUNT; i++) {
		struct shard *shard = &shards->items[i];
		bool more = true;

		while (more) {
			pthread_mutex_lock(&shard->lock);
			more = some(shard->fleet, TOLD_AT_ONCE, gap_us, &slot);
			pthread_mutex_unlock(&shard->lock);
		}
	}
}

size_t shards_count(struct shards *shards, size_t counts[FLEET_STATUSES])
{
	size_t computers = 0;

	memset(counts, 0, FLEET_STATUSES * sizeof(*counts));
	for (size_t i = 0; i < SHARD_COUNT; i++) {
		struct shard *shard = &shards->items[i];

		pthread_mutex_lock(&shard->lock);
		computers += fleet_count(shard->fleet);
		for (unsigned status = 0; status < FLEET_STATUSES; status++)
			counts[status] += fleet_with_status(shard->fleet, (enum fleet_status)status);
		pthread_mutex_unlock(&shard->lock);
	}
	return computers;
}
