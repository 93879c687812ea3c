/* Machines as hypervisors tell them (fleet/machines.h). */
#include "fleet/machines.h"

#include <stdlib.h>
#include <string.h>

/* One hypervisor's word: its machines, sorted by id. */
struct teller {
	struct teller *next;
	struct uuid id;
	time_us told; /* monotonic */
	struct machine_seen *seen;
	size_t count;
};

struct machines {
	const struct env *env;
	struct teller *tellers;
};

struct machines *machines_new(const struct env *env)
{
	struct machines *machines = calloc(1, sizeof(*machines));

	if (machines != NULL)
		machines->env = env;
	return machines;
}

static void teller_free(struct teller *teller)
{
	free(teller->seen);
	free(teller);
}

void machines_free(struct machines *machines)
{
	if (machines == NULL)
		return;
	while (machines->tellers != NULL) {
		struct teller *teller = machines->tellers;

		machines->tellers = teller->next;
		teller_free(teller);
	}
	free(machines);
}

/* --- one machine --- */

static int by_id(const void *a, const void *b)
{
	return memcmp(((const struct machine_seen *)a)->id.bytes, ((const struct machine_seen *)b)->id.bytes,
		      UUID_BYTES);
}

static enum machine_state word_of(const struct machines *machines, const struct uuid *id)
{
	const struct machine_seen key = { .id = *id };
	enum machine_state word = MACHINE_UNKNOWN;

	for (const struct teller *teller = machines->tellers; teller != NULL; teller = teller->next) {
		const struct machine_seen *seen =
		    teller->count > 0 ? bsearch(&key, teller->seen, teller->count, sizeof(key), by_id) : NULL;

		if (seen != NULL && seen->state == MACHINE_RUNNING)
			return MACHINE_RUNNING;
		if (seen != NULL && seen->state == MACHINE_STOPPED)
			word = MACHINE_STOPPED;
	}
	return word;
}

struct uuid machine_swapped(const struct uuid *machine)
{
	static const uint8_t from[8] = { 3, 2, 1, 0, 5, 4, 7, 6 };
	struct uuid swapped = *machine;

	for (size_t i = 0; i < sizeof(from); i++)
		swapped.bytes[i] = machine->bytes[from[i]];
	return swapped;
}

bool machine_is_none(const struct uuid *machine)
{
	uint8_t first = machine->bytes[0];

	for (size_t i = 1; i < UUID_BYTES; i++) {
		if (machine->bytes[i] != first)
			return false;
	}
	return first == 0 || first == 0xff;
}

enum machine_state machines_state(const struct machines *machines, const struct uuid *machine)
{
	enum machine_state word = word_of(machines, machine);
	struct uuid swapped;

	if (word != MACHINE_UNKNOWN)
		return word;
	swapped = machine_swapped(machine);
	return word_of(machines, &swapped);
}

/* --- all that one hypervisor says --- */

static struct teller **find(struct machines *machines, const struct uuid *id)
{
	struct teller **at = &machines->tellers;

	while (*at != NULL && !uuid_equal(&(*at)->id, id))
		at = &(*at)->next;
	return at;
}

static struct teller *teller_new(const struct machines *machines, const struct uuid *id,
				 const struct machine_seen *seen, size_t count)
{
	struct teller *teller = calloc(1, sizeof(*teller));

	if (teller == NULL)
		return NULL;
	*teller = (struct teller){ .id = *id, .told = env_monotonic(machines->env), .count = count };
	teller->seen = calloc(count + 1, sizeof(*seen));
	if (teller->seen == NULL) {
		free(teller);
		return NULL;
	}
	if (count > 0) {
		memcpy(teller->seen, seen, count * sizeof(*seen));
		qsort(teller->seen, count, sizeof(*seen), by_id);
	}
	return teller;
}

/* Each machine of the list, with the word it has by now. */
static void note_words(const struct machines *machines, struct machine_seen *list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		list[i].state = word_of(machines, &list[i].id);
}

/* Puts `fresh` where `at` points, and tells what that changes. before: room for the machines of both. */
static void replace(struct machines *machines, struct teller **at, struct teller *fresh, struct machine_seen *before,
		    machines_changed *changed, void *argument)
{
	struct teller *old = *at;
	size_t count = 0;

	for (size_t i = 0; old != NULL && i < old->count; i++)
		before[count++] = old->seen[i];
	for (size_t i = 0; i < fresh->count; i++) {
		if (old == NULL || old->count == 0 ||
		    bsearch(&fresh->seen[i], old->seen, old->count, sizeof(*before), by_id) == NULL)
			before[count++] = fresh->seen[i];
	}
	note_words(machines, before, count);
	*at = fresh;
	fresh->next = old != NULL ? old->next : NULL;
	for (size_t i = 0; i < count; i++) {
		enum machine_state word = word_of(machines, &before[i].id);

		if (word != before[i].state)
			changed(argument, &before[i].id, word);
	}
	if (old != NULL)
		teller_free(old);
}

int machines_listed(struct machines *machines, const struct uuid *by, const struct machine_seen *seen, size_t count,
		    machines_changed *changed, void *argument, struct err *err)
{
	struct teller **at = find(machines, by);
	struct teller *fresh = teller_new(machines, by, seen, count);
	struct machine_seen *before = calloc(count + (*at != NULL ? (*at)->count : 0) + 1, sizeof(*before));

	if (fresh == NULL || before == NULL) {
		if (fresh != NULL)
			teller_free(fresh);
		free(before);
		return err_set(err, ERR_MEMORY, "no memory for the machines of a hypervisor");
	}
	replace(machines, at, fresh, before, changed, argument);
	free(before);
	return 0;
}

/* Each entry is only read for itself: the words before it goes are noted in the list that goes, and no memory is
 * needed to forget. */
static void drop(struct machines *machines, struct teller **at, machines_changed *changed, void *argument)
{
	struct teller *old = *at;

	note_words(machines, old->seen, old->count);
	*at = old->next;
	for (size_t i = 0; i < old->count; i++) {
		enum machine_state word = word_of(machines, &old->seen[i].id);

		if (word != old->seen[i].state)
			changed(argument, &old->seen[i].id, word);
	}
	teller_free(old);
}

void machines_forget(struct machines *machines, const struct uuid *by, machines_changed *changed, void *argument)
{
	struct teller **at = find(machines, by);

	if (*at != NULL)
		drop(machines, at, changed, argument);
}

void machines_tick(struct machines *machines, machines_changed *changed, void *argument)
{
	struct teller **at = &machines->tellers;
	time_us now = env_monotonic(machines->env);

	while (*at != NULL) {
		if (now - (*at)->told >= MACHINE_TRUST_US)
			drop(machines, at, changed, argument);
		else
			at = &(*at)->next;
	}
}
