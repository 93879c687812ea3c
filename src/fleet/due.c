/* Binary heaps of computers by the moment each needs the tick, or a dial. Trusted. */
#include <stdlib.h>

#include "fleet/parts.h"

static void put(struct due_heap *heap, enum due_kind kind, size_t index, struct computer *computer)
{
	heap->items[index] = computer;
	computer->due[kind].index = index;
}

static void rise(struct due_heap *heap, enum due_kind kind, size_t index)
{
	struct computer *computer = heap->items[index];

	while (index > 0) {
		size_t above = (index - 1) / 2;

		if (heap->items[above]->due[kind].at <= computer->due[kind].at)
			break;
		put(heap, kind, index, heap->items[above]);
		index = above;
	}
	put(heap, kind, index, computer);
}

static void sink(struct due_heap *heap, enum due_kind kind, size_t index)
{
	struct computer *computer = heap->items[index];

	for (;;) {
		size_t below = 2 * index + 1;

		if (below >= heap->count)
			break;
		if (below + 1 < heap->count && heap->items[below + 1]->due[kind].at < heap->items[below]->due[kind].at)
			below++;
		if (heap->items[below]->due[kind].at >= computer->due[kind].at)
			break;
		put(heap, kind, index, heap->items[below]);
		index = below;
	}
	put(heap, kind, index, computer);
}

static int reserve(struct due_heap *heap)
{
	size_t capacity = heap->capacity == 0 ? 64 : heap->capacity * 2;
	struct computer **items;

	if (heap->count < heap->capacity)
		return 0;
	items = reallocarray(heap->items, capacity, sizeof(struct computer *));
	if (items == NULL)
		return ERR_MEMORY;
	heap->items = items;
	heap->capacity = capacity;
	return 0;
}

static void insert(struct due_heap *heap, enum due_kind kind, struct computer *computer, time_us at)
{
	computer->due[kind].at = at;
	put(heap, kind, heap->count++, computer);
	rise(heap, kind, computer->due[kind].index);
}

static void take_out(struct due_heap *heap, enum due_kind kind, const struct computer *computer)
{
	size_t index = computer->due[kind].index;
	struct computer *last = heap->items[--heap->count];

	if (last == computer)
		return;
	put(heap, kind, index, last);
	rise(heap, kind, index);
	sink(heap, kind, last->due[kind].index);
}

/* --- the tick --- */

int due_reserve(struct fleet *fleet)
{
	int rc = 0;

	for (size_t i = 0; i < DUE_KINDS && rc == 0; i++)
		rc = reserve(&fleet->heaps[i]);
	return rc;
}

void due_insert(struct fleet *fleet, struct computer *computer, time_us due)
{
	insert(&fleet->heaps[DUE_TICK], DUE_TICK, computer, due);
}

void due_remove(struct fleet *fleet, struct computer *computer)
{
	take_out(&fleet->heaps[DUE_TICK], DUE_TICK, computer);
}

void due_by(struct fleet *fleet, struct computer *computer, time_us due)
{
	if (computer->due[DUE_TICK].at <= due)
		return;
	computer->due[DUE_TICK].at = due;
	rise(&fleet->heaps[DUE_TICK], DUE_TICK, computer->due[DUE_TICK].index);
}

struct computer *due_take(struct fleet *fleet, time_us now)
{
	const struct due_heap *heap = &fleet->heaps[DUE_TICK];
	struct computer *computer;

	if (heap->count == 0 || heap->items[0]->due[DUE_TICK].at > now)
		return NULL;
	computer = heap->items[0];
	due_remove(fleet, computer);
	return computer;
}

/* --- the dials --- */

void due_dial_insert(struct fleet *fleet, struct computer *computer)
{
	insert(&fleet->heaps[DUE_DIAL], DUE_DIAL, computer, FLEET_NEVER);
}

void due_dial_remove(struct fleet *fleet, struct computer *computer)
{
	take_out(&fleet->heaps[DUE_DIAL], DUE_DIAL, computer);
}

void due_dial_set(struct fleet *fleet, struct computer *computer, time_us due)
{
	struct due_heap *heap = &fleet->heaps[DUE_DIAL];

	computer->due[DUE_DIAL].at = due;
	rise(heap, DUE_DIAL, computer->due[DUE_DIAL].index);
	sink(heap, DUE_DIAL, computer->due[DUE_DIAL].index);
}

struct computer *due_dial_first(const struct fleet *fleet)
{
	const struct due_heap *heap = &fleet->heaps[DUE_DIAL];

	return heap->count > 0 ? heap->items[0] : NULL;
}
