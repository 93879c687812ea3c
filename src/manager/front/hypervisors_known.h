/* What is known of one hypervisor: its row, how its connection is, its machines.
 *
 * A list of machines comes in pieces, is built beside the one that counts, and
 * takes its place when the role says that it is whole. No lock, no thread.
 */
#ifndef MUSTER_MANAGER_FRONT_HYPERVISORS_KNOWN_H
#define MUSTER_MANAGER_FRONT_HYPERVISORS_KNOWN_H

#include "base/units.h"
#include "fleet/machines.h"
#include "manager/hypervisor/hypervisor_messages.h"

#define HYPERVISOR_NAME_BYTES 128

struct known_machine {
	struct uuid id;
	enum hypervisor_power power;
	time_us since; /* wall clock, when it was first seen in this state */
	char *name;
};

struct known {
	struct uuid id;
	char name[HYPERVISOR_NAME_BYTES];
	char uri[HYPERVISOR_URI_BYTES];
	bool enabled;
	uint32_t round;
	enum hypervisor_link link;
	char failure[ERR_TEXT_BYTES];
	time_us since;                  /* wall clock, of the link's state; 0: nothing was said yet */
	time_us listed;                 /* wall clock, of the last whole list; 0: none */
	bool failing;                   /* was told as an event */
	struct known_machine *machines; /* sorted by id */
	size_t count;
	struct known_machine *fresh; /* the list that is being built */
	size_t fresh_count, fresh_capacity;
	bool filling;
};

void known_done(struct known *known);
/* Forgets the machines, as of one that is not asked any more. */
void known_clear(struct known *known);
/* A piece. ERR_LIMIT: more than a hypervisor may have; ERR_MEMORY. A piece of another round is dropped. */
int known_take(struct known *known, const struct hypervisor_machines *piece);
/* True: the list is whole now. What another round says is dropped. */
bool known_said(struct known *known, const struct hypervisor_said *said, time_us wall);
/* A failure that front itself finds. */
void known_fail(struct known *known, const char *text, time_us wall);
/* NULL: it has no such machine. */
const struct known_machine *known_machine(const struct known *known, const struct uuid *id);
enum machine_state machine_state_of(enum hypervisor_power power);

#endif
