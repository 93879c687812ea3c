/* What happens when: events in the order of simulated time, of equal times in
 * the order of their making. A heap of four children, its keys beside each
 * other in memory: a large fleet has tens of thousands of events waiting. */
#include <stdlib.h>

#include "world.h"

#define CHILDREN    4
#define BLOCK_COUNT 256

struct sim_slot {
	time_us at;
	uint64_t order;
	struct sim_event *event;
};

struct sim_block {
	struct sim_block *next;
	struct sim_event events[BLOCK_COUNT];
};

static bool before(const struct sim_slot *a, const struct sim_slot *b)
{
	return a->at < b->at || (a->at == b->at && a->order < b->order);
}

/* Memory of events is used again and again, and freed with the queue. */
static struct sim_event *event_new(struct sim_queue *queue)
{
	struct sim_event *event = queue->spare;

	if (event == NULL) {
		struct sim_block *block = calloc(1, sizeof(*block));

		if (block == NULL)
			abort();
		block->next = queue->blocks;
		queue->blocks = block;
		for (size_t i = 0; i < BLOCK_COUNT; i++) {
			block->events[i].object = queue->spare;
			queue->spare = &block->events[i];
		}
		event = queue->spare;
	}
	queue->spare = event->object;
	*event = (struct sim_event){ 0 };
	return event;
}

void queue_free_event(struct sim_queue *queue, struct sim_event *event)
{
	free(event->bytes);
	event->bytes = NULL;
	event->object = queue->spare;
	queue->spare = event;
}

struct sim_event *sim_after(struct sim *sim, span_us delay, void (*run)(struct sim *sim, struct sim_event *event))
{
	struct sim_queue *queue = &sim->queue;
	struct sim_event *event = event_new(queue);
	struct sim_slot slot = { .at = sim->now + delay, .order = ++queue->order, .event = event };
	size_t index = queue->count++;

	if (queue->count > queue->capacity) {
		queue->capacity = queue->capacity * 2 + 256;
		queue->slots = reallocarray(queue->slots, queue->capacity, sizeof(*queue->slots));
		if (queue->slots == NULL)
			abort();
	}
	event->at = slot.at;
	event->run = run;
	while (index > 0 && before(&slot, &queue->slots[(index - 1) / CHILDREN])) {
		queue->slots[index] = queue->slots[(index - 1) / CHILDREN];
		index = (index - 1) / CHILDREN;
	}
	queue->slots[index] = slot;
	return event;
}

static size_t first_child(const struct sim_queue *queue, size_t index)
{
	size_t first = CHILDREN * index + 1, end = first + CHILDREN, best = first;

	if (end > queue->count)
		end = queue->count;
	for (size_t i = first + 1; i < end; i++) {
		if (before(&queue->slots[i], &queue->slots[best]))
			best = i;
	}
	return best;
}

bool queue_waits(const struct sim_queue *queue, time_us end)
{
	return queue->count > 0 && queue->slots[0].at < end;
}

struct sim_event *queue_take(struct sim_queue *queue)
{
	struct sim_event *event = queue->slots[0].event;
	struct sim_slot last = queue->slots[--queue->count];
	size_t index = 0;

	while (CHILDREN * index + 1 < queue->count) {
		size_t child = first_child(queue, index);

		if (!before(&queue->slots[child], &last))
			break;
		queue->slots[index] = queue->slots[child];
		index = child;
	}
	queue->slots[index] = last;
	return event;
}

void queue_done(struct sim_queue *queue)
{
	for (size_t i = 0; i < queue->count; i++)
		free(queue->slots[i].event->bytes);
	while (queue->blocks != NULL) {
		struct sim_block *block = queue->blocks;

		queue->blocks = block->next;
		free(block);
	}
	free(queue->slots);
	*queue = (struct sim_queue){ 0 };
}
