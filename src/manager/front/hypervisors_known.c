/* A hypervisor and its machines. What the role says passed its decoder, and is untrusted. */
#include "manager/front/hypervisors_known.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Shut off and crashed ones are stopped. A paused or sleeping one is not: nobody switched it off. */
enum machine_state machine_state_of(enum hypervisor_power power)
{
	static const enum machine_state states[HYPERVISOR_POWERS] = {
		[HYPERVISOR_RUNNING] = MACHINE_RUNNING,   [HYPERVISOR_PAUSED] = MACHINE_RUNNING,
		[HYPERVISOR_SUSPENDED] = MACHINE_RUNNING, [HYPERVISOR_SHUTTING_DOWN] = MACHINE_RUNNING,
		[HYPERVISOR_SHUT_OFF] = MACHINE_STOPPED,  [HYPERVISOR_CRASHED] = MACHINE_STOPPED,
		[HYPERVISOR_NO_STATE] = MACHINE_UNKNOWN,
	};

	return states[power];
}

static void free_list(struct known_machine *machines, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(machines[i].name);
	free(machines);
}

static void drop_fresh(struct known *known)
{
	free_list(known->fresh, known->fresh_count);
	known->fresh = NULL;
	known->fresh_count = known->fresh_capacity = 0;
	known->filling = false;
}

void known_clear(struct known *known)
{
	drop_fresh(known);
	free_list(known->machines, known->count);
	known->machines = NULL;
	known->count = 0;
	known->listed = 0;
}

void known_done(struct known *known)
{
	known_clear(known);
	*known = (struct known){ 0 };
}

static int make_room(struct known *known, size_t more)
{
	size_t capacity = known->fresh_capacity * 2 + HYPERVISOR_CHUNK;
	struct known_machine *list;

	if (known->fresh_count + more > HYPERVISOR_MACHINES_MAX)
		return ERR_LIMIT;
	if (known->fresh != NULL && known->fresh_count + more <= known->fresh_capacity)
		return 0;
	list = calloc(capacity, sizeof(*list));
	if (list == NULL)
		return ERR_MEMORY;
	if (known->fresh != NULL)
		memcpy(list, known->fresh, known->fresh_count * sizeof(*list));
	free(known->fresh);
	known->fresh = list;
	known->fresh_capacity = capacity;
	return 0;
}

static int add(struct known *known, const struct hypervisor_machine *machine)
{
	char *name = strdup(machine->name);

	if (name == NULL)
		return ERR_MEMORY;
	known->fresh[known->fresh_count++] =
	    (struct known_machine){ .id = machine->id, .power = machine->power, .name = name };
	return 0;
}

int known_take(struct known *known, const struct hypervisor_machines *piece)
{
	int rc;

	if (piece->round != known->round || !known->enabled)
		return 0;
	if (piece->first) {
		drop_fresh(known);
		known->filling = true;
	}
	if (!known->filling)
		return 0;
	rc = make_room(known, piece->count);
	for (size_t i = 0; i < piece->count && rc == 0; i++)
		rc = add(known, &piece->machines[i]);
	if (rc != 0)
		drop_fresh(known);
	return rc;
}

static int by_id(const void *a, const void *b)
{
	return memcmp(((const struct known_machine *)a)->id.bytes, ((const struct known_machine *)b)->id.bytes,
		      UUID_BYTES);
}

const struct known_machine *known_machine(const struct known *known, const struct uuid *id)
{
	const struct known_machine key = { .id = *id };

	return known->count > 0 ? bsearch(&key, known->machines, known->count, sizeof(key), by_id) : NULL;
}

/* The fresh list counts from now on; what has not changed keeps its moment. */
static void take_over(struct known *known, time_us wall)
{
	struct known_machine *machines = known->fresh;
	size_t count = known->fresh_count;

	if (count > 0)
		qsort(machines, count, sizeof(*machines), by_id);
	for (size_t i = 0; i < count; i++) {
		const struct known_machine *before = known_machine(known, &machines[i].id);

		machines[i].since = before != NULL && before->power == machines[i].power ? before->since : wall;
	}
	free_list(known->machines, known->count);
	known->machines = machines;
	known->count = count;
	known->fresh = NULL;
	known->fresh_count = known->fresh_capacity = 0;
	known->filling = false;
	known->listed = wall;
}

static void set_link(struct known *known, enum hypervisor_link link, const char *failure, time_us wall)
{
	if (known->link != link || known->since == 0)
		known->since = wall;
	known->link = link;
	snprintf(known->failure, sizeof(known->failure), "%s", failure);
}

bool known_said(struct known *known, const struct hypervisor_said *said, time_us wall)
{
	bool whole = said->link == HYPERVISOR_CONNECTED && known->filling;

	if (said->round != known->round || !known->enabled)
		return false;
	/* Without its list it is as before: the next one comes soon. */
	if (said->link == HYPERVISOR_CONNECTED && !whole)
		return false;
	set_link(known, said->link, said->link == HYPERVISOR_FAILED ? said->text : "", wall);
	if (whole)
		take_over(known, wall);
	else
		drop_fresh(known);
	return whole;
}

void known_fail(struct known *known, const char *text, time_us wall)
{
	drop_fresh(known);
	set_link(known, HYPERVISOR_FAILED, text, wall);
}
