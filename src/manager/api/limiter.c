/* Lock-out by key. Keys (names, addresses) come from outside; they are bounded before they get here. */
#include "manager/api/limiter.h"

#include <stdlib.h>
#include <string.h>

#include "base/map.h"

struct entry {
	unsigned failures;
	time_us first; /* of the present window */
	time_us last;
	time_us locked_until;
};

struct limiter {
	struct map *map;
	size_t max;
};

struct limiter *limiter_new(size_t entries, uint64_t seed)
{
	struct limiter *limiter = calloc(1, sizeof(*limiter));

	if (limiter == NULL)
		return NULL;
	limiter->max = entries;
	limiter->map = map_new(seed);
	if (limiter->map == NULL) {
		free(limiter);
		return NULL;
	}
	return limiter;
}

void limiter_free(struct limiter *limiter)
{
	size_t position = 0;

	if (limiter == NULL)
		return;
	for (void *entry = map_next(limiter->map, &position, NULL, NULL); entry != NULL;
	     entry = map_next(limiter->map, &position, NULL, NULL))
		free(entry);
	map_free(limiter->map);
	free(limiter);
}

span_us limiter_locked(const struct limiter *limiter, const char *key, time_us now)
{
	const struct entry *entry = map_get(limiter->map, key, strlen(key));

	return entry != NULL && entry->locked_until > now ? entry->locked_until - now : 0;
}

unsigned limiter_failures(const struct limiter *limiter, const char *key, const struct limiter_rule *rule, time_us now)
{
	const struct entry *entry = map_get(limiter->map, key, strlen(key));

	return entry != NULL && now - entry->first <= rule->window ? entry->failures : 0;
}

static void forget_oldest(struct limiter *limiter)
{
	const void *oldest_key = NULL;
	size_t oldest_size = 0;
	time_us oldest = INT64_MAX;
	const void *key;
	size_t size;
	size_t position = 0;

	for (const struct entry *entry = map_next(limiter->map, &position, &key, &size); entry != NULL;
	     entry = map_next(limiter->map, &position, &key, &size)) {
		if (entry->last < oldest) {
			oldest = entry->last;
			oldest_key = key;
			oldest_size = size;
		}
	}
	if (oldest_key != NULL)
		free(map_remove(limiter->map, oldest_key, oldest_size));
}

static struct entry *entry_of(struct limiter *limiter, const char *key)
{
	struct entry *entry = map_get(limiter->map, key, strlen(key));

	if (entry != NULL)
		return entry;
	if (map_count(limiter->map) >= limiter->max)
		forget_oldest(limiter);
	entry = calloc(1, sizeof(*entry));
	if (entry != NULL && map_set(limiter->map, key, strlen(key), entry) != 0) {
		free(entry);
		entry = NULL;
	}
	return entry;
}

bool limiter_failed(struct limiter *limiter, const char *key, const struct limiter_rule *rule, time_us now)
{
	struct entry *entry = entry_of(limiter, key);

	if (entry == NULL)
		return false;
	if (entry->failures == 0 || now - entry->first > rule->window) {
		entry->first = now;
		entry->failures = 0;
	}
	entry->failures++;
	entry->last = now;
	if (entry->failures < rule->failures)
		return false;
	entry->failures = 0;
	entry->locked_until = now + rule->lock;
	return true;
}

void limiter_succeeded(struct limiter *limiter, const char *key)
{
	free(map_remove(limiter->map, key, strlen(key)));
}
