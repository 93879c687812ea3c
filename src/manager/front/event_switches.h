/* What is done with events of each type: stored or not, handed on or not, how
 * severe. The event table's defaults, changed by people (front_event_type_set()
 * in manager/front/front.h), kept in the database.
 *
 * An event that is not recorded is taken and acknowledged like any other, and
 * raises its alerts; it only leaves no row. Any thread; never blocks for long.
 */
#ifndef MUSTER_MANAGER_FRONT_EVENT_SWITCHES_H
#define MUSTER_MANAGER_FRONT_EVENT_SWITCHES_H

#include "manager/front/front.h"

struct event_switches;

int event_switches_open(struct store *store, struct event_switches **ret_switches, struct err *err);
void event_switches_free(struct event_switches *switches); /* accepts NULL */
/* Of a type that the table does not have: recorded, not forwarded, info. */
struct front_event_type event_switch_of(struct event_switches *switches, uint32_t type);

#endif
