/* A map from byte-string keys to pointers: open addressing, SipHash-free
 * because a per-map seed from the caller makes the order unpredictable.
 *
 * Keys are copied; values belong to the caller. Not thread-safe.
 */
#ifndef MUSTER_BASE_MAP_H
#define MUSTER_BASE_MAP_H

#include <stddef.h>
#include <stdint.h>

struct map;

/* seed: chance (env or os), so that outside keys cannot be chosen to collide. NULL: no memory. */
struct map *map_new(uint64_t seed);
void map_free(struct map *map);
size_t map_count(const struct map *map);
/* The value or NULL. */
void *map_get(const struct map *map, const void *key, size_t size);
/* Sets or replaces; value must not be NULL. 0 or ERR_MEMORY; key at most 255 bytes else ERR_LIMIT. */
int map_set(struct map *map, const void *key, size_t size, void *value);
/* Removes and returns the value, NULL if there was none. */
void *map_remove(struct map *map, const void *key, size_t size);
/* Steps through all: *position starts at 0; returns NULL at the end. ret_key/ret_size may be NULL.
 * The map must not change meanwhile, but for map_remove() of the entry just returned. */
void *map_next(const struct map *map, size_t *position, const void **ret_key, size_t *ret_size);

#endif
