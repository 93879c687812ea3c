/* Chained blocks, each larger than the last; freed together. */
#include "wire/arena.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>

#define ARENA_FIRST_BLOCK_BYTES ((size_t)2048)
#define ARENA_LAST_BLOCK_BYTES  ((size_t)65536)

struct arena_block {
	struct arena_block *before;
	size_t used, capacity;
	alignas(max_align_t) uint8_t bytes[];
};

struct arena {
	struct arena_block *last;
	size_t taken, max;
	size_t next_block_bytes;
	bool exceeded;
};

struct arena *arena_new(size_t max_bytes)
{
	struct arena *arena = malloc(sizeof(*arena));

	if (arena != NULL)
		*arena = (struct arena){ .max = max_bytes, .next_block_bytes = ARENA_FIRST_BLOCK_BYTES };
	return arena;
}

void arena_free(struct arena *arena)
{
	if (arena == NULL)
		return;
	for (struct arena_block *block = arena->last; block != NULL;) {
		struct arena_block *before = block->before;

		free(block);
		block = before;
	}
	free(arena);
}

static struct arena_block *arena_block_for(struct arena *arena, size_t size)
{
	size_t capacity = size > arena->next_block_bytes ? size : arena->next_block_bytes;
	struct arena_block *block;

	if (arena->last != NULL && arena->last->capacity - arena->last->used >= size)
		return arena->last;
	block = malloc(sizeof(*block) + capacity);
	if (block == NULL)
		return NULL;
	block->before = arena->last;
	block->used = 0;
	block->capacity = capacity;
	arena->last = block;
	if (arena->next_block_bytes < ARENA_LAST_BLOCK_BYTES)
		arena->next_block_bytes *= 2;
	return block;
}

void *arena_take(struct arena *arena, size_t size)
{
	const size_t align = alignof(max_align_t);
	struct arena_block *block;
	void *at;

	if (size > arena->max || (size + align - 1) / align * align > arena->max - arena->taken) {
		arena->exceeded = true;
		return NULL;
	}
	size = (size + align - 1) / align * align;
	block = arena_block_for(arena, size);
	if (block == NULL)
		return NULL;
	at = block->bytes + block->used;
	block->used += size;
	arena->taken += size;
	return at;
}

bool arena_exceeded(const struct arena *arena)
{
	return arena->exceeded;
}

size_t arena_taken(const struct arena *arena)
{
	return arena->taken;
}
