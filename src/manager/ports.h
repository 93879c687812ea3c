/* The manager's rows of the table of ports (net/ports.h): its listeners and
 * whom it connects to, as manager.ini and the database have it. Pure.
 */
#ifndef MUSTER_MANAGER_PORTS_H
#define MUSTER_MANAGER_PORTS_H

#include "manager/settings.h"
#include "net/ports.h"

#define MANAGER_PORTS_MAX 256 /* further destinations and hypervisors are left out */

struct manager_ports {
	size_t count;
	struct port_row rows[MANAGER_PORTS_MAX];
};

/* Listeners, the HTTP port that is off, and the port on which agents listen. */
void manager_ports_of_settings(const struct settings *settings, struct manager_ports *ports);
/* Agents that listen, and how many of them could not be dialled when last tried. */
void manager_ports_agents(struct manager_ports *ports, uint64_t listening, uint64_t failing);
/* A destination of events or a hypervisor, by the scheme of its address; one without a host has no row. */
void manager_ports_add(struct manager_ports *ports, const char *name, const char *url, bool enabled);
/* Why the manager cannot listen on one of its ports now: each as a line in `problems`, with the port,
 * what it is for, and the setting. ERR_REFUSED if any. Opens each port for a moment. */
int manager_ports_check(const struct settings *settings, struct buf *problems, struct err *err);

#endif
