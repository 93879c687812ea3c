/* Facts about this computer for the manager: name, system, addresses. Blocks; read before confinement. */
#ifndef MUSTER_AGENT_HOST_H
#define MUSTER_AGENT_HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/hex.h"
#include "exchange.pb-c.h"

#define HOST_ADDRESSES_MAX 16

struct host {
	char name[256];
	char os[256];
	char kernel[256];
	char architecture[65];
	char addresses[HOST_ADDRESSES_MAX][64];
	size_t address_count;
	uint8_t boot_id[UUID_BYTES];
	struct uuid machine; /* of the firmware: which machine this is to a hypervisor; zeroes: none */
};

/* What cannot be read stays empty (the machine's UUID is for root alone).
 * machine: a UUID to report in place of the firmware's; NULL or "": none. */
void host_read(struct host *host, const char *machine);
/* The addresses as they are now; true if they changed. Quick, and allowed in confinement. */
bool host_refresh(struct host *host);
/* As a message; pointers[] needs HOST_ADDRESSES_MAX entries. All point into host. */
void host_message(struct host *host, char **pointers, Muster__Wire__Host *ret_message);

#endif
