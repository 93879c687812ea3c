/* What hypervisors say of virtual machines: one word for each machine.
 *
 * Each hypervisor tells all its machines again and again. A machine may be known
 * to several (one that was moved keeps its definition where it came from): it
 * runs if any of them says so, and is stopped if any says that and none that it
 * runs. What a hypervisor said last is believed for MACHINE_TRUST_US; when it
 * cannot be asked for longer, nothing is known of its machines.
 *
 * Pure: no locks, no clock but env's. What hypervisors say has passed the
 * shell's limits; it is their word about machines alone.
 */
#ifndef MUSTER_FLEET_MACHINES_H
#define MUSTER_FLEET_MACHINES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/env.h"
#include "base/err.h"
#include "base/hex.h"

#define MACHINE_TRUST_US (10 * MINUTE_US)

enum machine_state { MACHINE_UNKNOWN, MACHINE_RUNNING, MACHINE_STOPPED, MACHINE_STATES };

struct machine_seen {
	struct uuid id; /* as the hypervisor calls it */
	enum machine_state state;
};

struct machines;
/* A machine's word is another now; must not call back. */
typedef void machines_changed(void *argument, const struct uuid *machine, enum machine_state state);

/* NULL: no memory. */
struct machines *machines_new(const struct env *env);
void machines_free(struct machines *machines); /* accepts NULL */
/* All machines of the hypervisor `by`, in place of what it said before; as heard now. A machine that it does
 * not name any more is forgotten. ERR_MEMORY: nothing has changed. */
int machines_listed(struct machines *machines, const struct uuid *by, const struct machine_seen *seen, size_t count,
		    machines_changed *changed, void *argument, struct err *err);
/* Nothing that this hypervisor said counts any more (it was removed). */
void machines_forget(struct machines *machines, const struct uuid *by, machines_changed *changed, void *argument);
/* Every few seconds: forgets hypervisors that have been silent for MACHINE_TRUST_US. */
void machines_tick(struct machines *machines, machines_changed *changed, void *argument);
/* Of the machine that calls itself so: as it is, else with the byte order of machine_swapped(). */
enum machine_state machines_state(const struct machines *machines, const struct uuid *machine);

/* Firmware older than SMBIOS 2.6 and some hypervisors write the first three fields of the UUID in the other
 * byte order: 00112233-4455-6677-… is 33221100-5544-7766-… to them. */
struct uuid machine_swapped(const struct uuid *machine);
/* What firmware without a UUID has in its place: all zeroes or all ones. */
bool machine_is_none(const struct uuid *machine);

#endif
