/* Which events a computer has in the manager's database: a number is one's own, or another's of the same number. */
#include <stdlib.h>

#include "world.h"

/* By number, then by mark. */
static int compare(const struct sim_kept_event *kept, uint64_t number, uint64_t mark)
{
	if (kept->number != number)
		return kept->number < number ? -1 : 1;
	return kept->mark == mark ? 0 : kept->mark < mark ? -1 : 1;
}

/* Where it stands, or would. */
static size_t find(const struct sim_kept_events *events, uint64_t number, uint64_t mark)
{
	size_t from = 0, to = events->count;

	while (from < to) {
		size_t middle = from + (to - from) / 2;

		if (compare(&events->list[middle], number, mark) < 0)
			from = middle + 1;
		else
			to = middle;
	}
	return from;
}

bool events_known(const struct sim_kept_events *events, uint64_t number, uint64_t mark)
{
	size_t at = find(events, number, mark);

	return at < events->count && compare(&events->list[at], number, mark) == 0;
}

bool events_number_taken(const struct sim_kept_events *events, uint64_t number)
{
	size_t at = find(events, number, 0);

	return at < events->count && events->list[at].number == number;
}

void events_keep(struct sim_kept_events *events, uint64_t number, uint64_t mark)
{
	size_t at = find(events, number, mark);

	if (events->count == events->capacity) {
		events->capacity = events->capacity * 2 + 16;
		events->list = reallocarray(events->list, events->capacity, sizeof(*events->list));
		if (events->list == NULL)
			abort();
	}
	for (size_t i = events->count++; i > at; i--)
		events->list[i] = events->list[i - 1];
	events->list[at] = (struct sim_kept_event){ number, mark };
}
