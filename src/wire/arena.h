/* Memory of one message: bounded, freed in one go.
 *
 * Blocks are chained; a request beyond the maximum fails, so that a small
 * message of many tiny parts cannot take more memory than its kind may. What
 * was handed out stays where it is until the arena is freed.
 */
#ifndef MUSTER_WIRE_ARENA_H
#define MUSTER_WIRE_ARENA_H

#include <stdbool.h>
#include <stddef.h>

struct arena;

/* NULL: no memory. */
struct arena *arena_new(size_t max_bytes);
/* Accepts NULL. */
void arena_free(struct arena *arena);
/* Aligned for any type, not zeroed; NULL past the maximum or without memory. */
void *arena_take(struct arena *arena, size_t size);
/* True once a request was refused because of the maximum. */
bool arena_exceeded(const struct arena *arena);
/* Bytes taken so far, blocks' own overhead left out. */
size_t arena_taken(const struct arena *arena);

#endif
