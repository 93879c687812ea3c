/* What is done with events of each type: stored or not, handed on or not, how
 * severe. The event table's defaults, changed by people, kept in the database.
 *
 * An event that is not recorded is taken and acknowledged like any other, and
 * raises its alerts; it only leaves no row. Any thread; never blocks for long.
 */
#ifndef MUSTER_MANAGER_FRONT_EVENT_SWITCHES_H
#define MUSTER_MANAGER_FRONT_EVENT_SWITCHES_H

#include "fleet/event_types.h"
#include "manager/front/front.h"

struct event_switches;

struct event_switch {
	bool record;
	bool forward;
	enum event_severity severity;
	bool is_default;
};

int event_switches_open(struct store *store, struct event_switches **ret_switches, struct err *err);
void event_switches_free(struct event_switches *switches); /* accepts NULL */
/* Of a type that the table does not have: recorded, not forwarded, info. */
struct event_switch event_switch_of(struct event_switches *switches, uint32_t type);

struct event_switch_change {
	int record, forward; /* 0, 1; -1: stays */
	int severity;        /* enum event_severity; -1: stays */
	bool reset;          /* all back to the table's */
};
/* Stored, audited, in force from then on. ERR_NOT_FOUND: no such type. Blocks. */
int event_switch_set(struct front *front, uint32_t type, const struct event_switch_change *change,
		     const struct front_actor *actor, struct err *err);

/* Is an event of this type handed on (syslog, central)? Any thread. */
bool front_event_forwarded(struct front *front, uint32_t type);

#endif
