/* Shares of addresses, and of clients (net/sources.h). The addresses are the peers'. */
#include "net/sources.h"

#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/map.h"

#define KEY_MAX_BYTES SOURCES_CLIENT_BYTES /* or a family and what counts of the address */

struct source {
	uint8_t key[KEY_MAX_BYTES];
	size_t key_size, count;
};

struct sources {
	pthread_mutex_t lock;
	struct map *by_key;
	size_t half, count; /* of all places; that are held */
};

struct sources *sources_new(size_t places, struct err *err)
{
	struct sources *sources = calloc(1, sizeof(*sources));
	uint64_t seed = 0;

	(void)!getrandom(&seed, sizeof(seed), 0); /* without it the order is known, and the table as good */
	if (sources != NULL)
		sources->by_key = map_new(seed);
	if (sources == NULL || sources->by_key == NULL) {
		free(sources);
		err_set(err, ERR_MEMORY, "no memory for a server");
		return NULL;
	}
	sources->half = places / 2;
	pthread_mutex_init(&sources->lock, NULL);
	return sources;
}

void sources_free(struct sources *sources)
{
	size_t position = 0;
	void *source;

	if (sources == NULL)
		return;
	while ((source = map_next(sources->by_key, &position, NULL, NULL)) != NULL)
		free(source);
	map_free(sources->by_key);
	pthread_mutex_destroy(&sources->lock);
	free(sources);
}

static size_t key_of(const struct sockaddr *address, uint8_t key[KEY_MAX_BYTES])
{
	struct sockaddr_in6 in6;
	struct sockaddr_in in;

	key[0] = (uint8_t)address->sa_family;
	if (address->sa_family == AF_INET) {
		memcpy(&in, address, sizeof(in));
		memcpy(key + 1, &in.sin_addr, 4);
		return 5;
	}
	if (address->sa_family == AF_INET6) {
		memcpy(&in6, address, sizeof(in6));
		memcpy(key + 1, &in6.sin6_addr, 8);
		return 9;
	}
	return 1;
}

/* Under the lock. */
static struct source *find_or_make(struct sources *sources, const uint8_t *key, size_t size)
{
	struct source *source = map_get(sources->by_key, key, size);

	if (source != NULL)
		return source;
	source = calloc(1, sizeof(*source));
	if (source == NULL)
		return NULL;
	memcpy(source->key, key, size);
	source->key_size = size;
	if (map_set(sources->by_key, key, size, source) == 0)
		return source;
	free(source);
	return NULL;
}

static struct source *enter(struct sources *sources, const uint8_t *key, size_t size)
{
	struct source *source;

	pthread_mutex_lock(&sources->lock);
	source = find_or_make(sources, key, size);
	if (source != NULL) {
		source->count++;
		sources->count++;
	}
	pthread_mutex_unlock(&sources->lock);
	return source;
}

struct source *sources_enter(struct sources *sources, const struct sockaddr *address)
{
	uint8_t key[KEY_MAX_BYTES] = { 0 };
	size_t size = key_of(address, key);

	return enter(sources, key, size);
}

struct source *sources_enter_client(struct sources *sources, const uint8_t client[SOURCES_CLIENT_BYTES])
{
	return enter(sources, client, SOURCES_CLIENT_BYTES);
}

size_t sources_count(struct sources *sources, const struct source *source)
{
	size_t count = 0;

	if (source == NULL)
		return 0;
	pthread_mutex_lock(&sources->lock);
	count = source->count;
	pthread_mutex_unlock(&sources->lock);
	return count;
}

void sources_leave(struct sources *sources, struct source *source)
{
	if (source == NULL)
		return;
	pthread_mutex_lock(&sources->lock);
	sources->count--;
	if (--source->count == 0)
		free(map_remove(sources->by_key, source->key, source->key_size));
	pthread_mutex_unlock(&sources->lock);
}

bool sources_crowds(struct sources *sources, const struct source *source)
{
	bool crowds = false;
	size_t share;

	if (source == NULL)
		return false;
	pthread_mutex_lock(&sources->lock);
	if (sources->count > sources->half) {
		share = sources->half / map_count(sources->by_key);
		crowds = source->count > (share > SOURCES_LEAST ? share : SOURCES_LEAST);
	}
	pthread_mutex_unlock(&sources->lock);
	return crowds;
}
