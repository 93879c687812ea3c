/* A binary heap of computers by the moment each needs the tick. Trusted. */
#include <stdlib.h>

#include "fleet/parts.h"

static void put(struct fleet *fleet, size_t index, struct computer *computer)
{
	fleet->heap[index] = computer;
	computer->due_index = index;
}

static void rise(struct fleet *fleet, size_t index)
{
	struct computer *computer = fleet->heap[index];

	while (index > 0) {
		size_t above = (index - 1) / 2;

		if (fleet->heap[above]->due <= computer->due)
			break;
		put(fleet, index, fleet->heap[above]);
		index = above;
	}
	put(fleet, index, computer);
}

static void sink(struct fleet *fleet, size_t index)
{
	struct computer *computer = fleet->heap[index];

	for (;;) {
		size_t below = 2 * index + 1;

		if (below >= fleet->heap_count)
			break;
		if (below + 1 < fleet->heap_count && fleet->heap[below + 1]->due < fleet->heap[below]->due)
			below++;
		if (fleet->heap[below]->due >= computer->due)
			break;
		put(fleet, index, fleet->heap[below]);
		index = below;
	}
	put(fleet, index, computer);
}

int due_reserve(struct fleet *fleet)
{
	size_t capacity = fleet->heap_capacity == 0 ? 64 : fleet->heap_capacity * 2;
	struct computer **heap;

	if (fleet->heap_count < fleet->heap_capacity)
		return 0;
	heap = reallocarray(fleet->heap, capacity, sizeof(struct computer *));
	if (heap == NULL)
		return ERR_MEMORY;
	fleet->heap = heap;
	fleet->heap_capacity = capacity;
	return 0;
}

void due_insert(struct fleet *fleet, struct computer *computer, time_us due)
{
	computer->due = due;
	put(fleet, fleet->heap_count++, computer);
	rise(fleet, computer->due_index);
}

void due_remove(struct fleet *fleet, struct computer *computer)
{
	size_t index = computer->due_index;
	struct computer *last = fleet->heap[--fleet->heap_count];

	if (last == computer)
		return;
	put(fleet, index, last);
	rise(fleet, index);
	sink(fleet, last->due_index);
}

void due_by(struct fleet *fleet, struct computer *computer, time_us due)
{
	if (computer->due <= due)
		return;
	computer->due = due;
	rise(fleet, computer->due_index);
}

struct computer *due_take(struct fleet *fleet, time_us now)
{
	struct computer *computer;

	if (fleet->heap_count == 0 || fleet->heap[0]->due > now)
		return NULL;
	computer = fleet->heap[0];
	due_remove(fleet, computer);
	return computer;
}
