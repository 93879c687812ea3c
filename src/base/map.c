/* Open addressing with linear probing and tombstones. */
#include "base/map.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"

#define MAP_FIRST_SLOTS   16
#define MAP_KEY_MAX_BYTES 255

struct entry {
	void *value;
	uint8_t size;
	uint8_t key[];
};

/* Marks a slot whose entry was removed: probing goes on past it. */
static struct entry removed;

/* The hash beside the pointer: another key's entry is not touched on the way. */
struct slot {
	uint64_t hash;
	struct entry *entry;
};

struct map {
	struct slot *slots;
	size_t capacity; /* a power of two */
	size_t count;
	size_t used; /* count and tombstones */
	uint64_t seed;
};

static uint64_t mix(uint64_t x)
{
	x ^= x >> 32;
	x *= 0xd6e8feb86659fd93u;
	x ^= x >> 32;
	x *= 0xd6e8feb86659fd93u;
	return x ^ x >> 32;
}

static uint64_t hash_key(const struct map *map, const void *key, size_t size)
{
	const uint8_t *bytes = key;
	uint64_t hash = map->seed ^ size;

	for (; size > 0;) {
		uint64_t word = 0;
		size_t n = size < 8 ? size : 8;

		memcpy(&word, bytes, n);
		hash = mix(hash ^ word) + map->seed;
		bytes += n;
		size -= n;
	}
	return mix(hash);
}

struct map *map_new(uint64_t seed)
{
	struct map *map = calloc(1, sizeof(*map));

	if (map == NULL)
		return NULL;
	map->slots = calloc(MAP_FIRST_SLOTS, sizeof(*map->slots));
	if (map->slots == NULL) {
		free(map);
		return NULL;
	}
	map->capacity = MAP_FIRST_SLOTS;
	map->seed = seed;
	return map;
}

void map_free(struct map *map)
{
	if (map == NULL)
		return;
	for (size_t i = 0; i < map->capacity; i++) {
		if (map->slots[i].entry != &removed)
			free(map->slots[i].entry);
	}
	free(map->slots);
	free(map);
}

size_t map_count(const struct map *map)
{
	return map->count;
}

/* The key's slot, or the slot where it would go. */
static size_t find(const struct map *map, const void *key, size_t size, uint64_t hash)
{
	size_t mask = map->capacity - 1;
	size_t free_slot = SIZE_MAX;

	for (size_t i = (size_t)hash & mask;; i = (i + 1) & mask) {
		const struct slot *slot = &map->slots[i];
		const struct entry *entry = slot->entry;

		if (entry == NULL)
			return free_slot != SIZE_MAX ? free_slot : i;
		if (entry == &removed) {
			if (free_slot == SIZE_MAX)
				free_slot = i;
		} else if (slot->hash == hash && entry->size == size && memcmp(entry->key, key, size) == 0) {
			return i;
		}
	}
}

static struct entry *present(const struct map *map, size_t slot)
{
	return map->slots[slot].entry == &removed ? NULL : map->slots[slot].entry;
}

void *map_get(const struct map *map, const void *key, size_t size)
{
	struct entry *entry;

	if (size > MAP_KEY_MAX_BYTES)
		return NULL;
	entry = present(map, find(map, key, size, hash_key(map, key, size)));
	return entry != NULL ? entry->value : NULL;
}

static int resize(struct map *map, size_t capacity)
{
	struct slot *old = map->slots;
	size_t old_capacity = map->capacity;

	map->slots = calloc(capacity, sizeof(*map->slots));
	if (map->slots == NULL) {
		map->slots = old;
		return ERR_MEMORY;
	}
	map->capacity = capacity;
	map->used = map->count;
	for (size_t i = 0; i < old_capacity; i++) {
		const struct entry *entry = old[i].entry;

		if (entry != NULL && entry != &removed)
			map->slots[find(map, entry->key, entry->size, old[i].hash)] = old[i];
	}
	free(old);
	return 0;
}

int map_set(struct map *map, const void *key, size_t size, void *value)
{
	uint64_t hash;
	size_t slot;
	struct entry *entry;

	if (size > MAP_KEY_MAX_BYTES)
		return ERR_LIMIT;
	if ((map->used + 1) * 4 > map->capacity * 3 &&
	    resize(map, map->count * 2 >= map->capacity ? map->capacity * 2 : map->capacity) != 0)
		return ERR_MEMORY;
	hash = hash_key(map, key, size);
	slot = find(map, key, size, hash);
	entry = present(map, slot);
	if (entry != NULL) {
		entry->value = value;
		return 0;
	}
	entry = malloc(sizeof(*entry) + size);
	if (entry == NULL)
		return ERR_MEMORY;
	entry->value = value;
	entry->size = (uint8_t)size;
	memcpy(entry->key, key, size);
	map->used += map->slots[slot].entry == NULL;
	map->slots[slot] = (struct slot){ .hash = hash, .entry = entry };
	map->count++;
	return 0;
}

void *map_remove(struct map *map, const void *key, size_t size)
{
	size_t slot;
	struct entry *entry;
	void *value;

	if (size > MAP_KEY_MAX_BYTES)
		return NULL;
	slot = find(map, key, size, hash_key(map, key, size));
	entry = present(map, slot);
	if (entry == NULL)
		return NULL;
	value = entry->value;
	free(entry);
	map->slots[slot].entry = &removed;
	map->count--;
	return value;
}

void *map_next(const struct map *map, size_t *position, const void **ret_key, size_t *ret_size)
{
	for (; *position < map->capacity; (*position)++) {
		struct entry *entry = present(map, *position);

		if (entry == NULL)
			continue;
		(*position)++;
		if (ret_key != NULL)
			*ret_key = entry->key;
		if (ret_size != NULL)
			*ret_size = entry->size;
		return entry->value;
	}
	return NULL;
}
