/* One hypervisor: connected with, and asked for its machines. libvirt's, and libvirt alone.
 *
 * Read-only: libvirt itself refuses whatever changes a machine. Calls block, on
 * a thread of the hypervisor's own; one that hangs is the role's to notice
 * (hypervisor.c). What hypervisors answer is cut to limits, and is their word.
 */
#ifndef MUSTER_MANAGER_HYPERVISOR_WATCH_H
#define MUSTER_MANAGER_HYPERVISOR_WATCH_H

#include <libvirt/libvirt.h>
#include <stdbool.h>

#include "manager/hypervisor/hypervisor_messages.h"

struct watch {
	virConnectPtr connection;      /* NULL: none */
	int events;                    /* libvirt's number of our callback, -1: none */
	void (*poked)(void *argument); /* something happened to a machine, or the connection ended; on any thread */
	void *argument;
};

/* Once, before any thread: libvirt, and the loop its connections live by. ERR_INTERNAL. */
int watch_begin(struct err *err);
/* libvirt's loop; returns only if it fails. For a thread of its own. */
void watch_loop(void);

/* directory: of keys and certificates. ERR_CONNECT with libvirt's words. */
int watch_connect(struct watch *watch, const char *uri, const char *directory, struct err *err);
/* All machines; *ret_machines is the caller's to free(). ERR_CLOSED, ERR_LIMIT, ERR_MEMORY. */
int watch_list(struct watch *watch, struct hypervisor_machine **ret_machines, size_t *ret_count, struct err *err);
/* Accepts one that is not connected. */
void watch_close(struct watch *watch);

#endif
