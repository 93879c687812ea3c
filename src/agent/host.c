/* Facts about this computer (agent/host.h). */
#include "agent/host.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/text.h"
#include "os/env.h"
#include "os/files.h"

/* Cuts at the end of a line and drops what is not a printable name. */
static void keep_name(char *name)
{
	name[strcspn(name, "\n")] = '\0';
	if (!text_is_name(name, 255))
		name[0] = '\0';
}

static void read_os(char *os, size_t capacity)
{
	struct buf text;
	const char *line;

	buf_init(&text, 64 * KIB);
	if (files_read(AT_FDCWD, "/usr/lib/os-release", 32 * KIB, &text, NULL) == 0) {
		line = strstr(buf_text(&text), "PRETTY_NAME=\"");
		if (line != NULL) {
			line += strlen("PRETTY_NAME=\"");
			snprintf(os, capacity, "%.*s", (int)strcspn(line, "\"\n"), line);
		}
	}
	buf_done(&text);
	keep_name(os);
}

static void add_address(struct host *host, const struct sockaddr *address)
{
	const void *bytes = NULL;

	if (host->address_count == HOST_ADDRESSES_MAX)
		return;
	if (address->sa_family == AF_INET)
		bytes = &((const struct sockaddr_in *)(const void *)address)->sin_addr;
	else if (address->sa_family == AF_INET6)
		bytes = &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr;
	if (bytes &&
	    inet_ntop(address->sa_family, bytes, host->addresses[host->address_count], sizeof(host->addresses[0])))
		host->address_count++;
}

bool host_refresh(struct host *host)
{
	char before[HOST_ADDRESSES_MAX][64];
	size_t count = host->address_count;
	struct ifaddrs *list;

	if (getifaddrs(&list) != 0)
		return false;
	memcpy(before, host->addresses, sizeof(before));
	memset(host->addresses, 0, sizeof(host->addresses));
	host->address_count = 0;
	for (const struct ifaddrs *at = list; at != NULL; at = at->ifa_next) {
		if (at->ifa_addr != NULL && !(at->ifa_flags & IFF_LOOPBACK))
			add_address(host, at->ifa_addr);
	}
	freeifaddrs(list);
	return count != host->address_count || memcmp(before, host->addresses, sizeof(before)) != 0;
}

/* The UUID at the beginning of a file of the kernel's. */
static bool read_uuid(const char *path, struct uuid *ret_id)
{
	struct buf text;
	bool found = false;

	buf_init(&text, 256);
	if (files_read(AT_FDCWD, path, 128, &text, NULL) == 0) {
		char line[UUID_TEXT_BYTES] = { 0 };

		snprintf(line, sizeof(line), "%.36s", buf_text(&text));
		found = uuid_parse(line, ret_id, NULL) == 0;
	}
	buf_done(&text);
	return found;
}

/* SMBIOS (x86, most of ARM), Xen without firmware, POWER. */
static void read_machine(struct uuid *machine)
{
	static const char *const places[] = { "/sys/class/dmi/id/product_uuid", "/sys/hypervisor/uuid",
					      "/sys/firmware/devicetree/base/vm,uuid" };
	bool found = false;

	for (size_t i = 0; i < COUNT_OF(places) && !found; i++)
		found = read_uuid(places[i], machine);
}

void host_read(struct host *host, const char *machine)
{
	struct uuid boot;
	struct utsname system;

	memset(host, 0, sizeof(*host));
	if (uname(&system) == 0) {
		snprintf(host->name, sizeof(host->name), "%s", system.nodename);
		snprintf(host->kernel, sizeof(host->kernel), "%s %s", system.sysname, system.release);
		snprintf(host->architecture, sizeof(host->architecture), "%s", system.machine);
	}
	keep_name(host->name);
	keep_name(host->kernel);
	read_os(host->os, sizeof(host->os));
	(void)host_refresh(host);
	env_system_boot(&boot);
	memcpy(host->boot_id, boot.bytes, UUID_BYTES);
	if (machine == NULL || machine[0] == '\0' || uuid_parse(machine, &host->machine, NULL) != 0)
		read_machine(&host->machine);
}

void host_message(struct host *host, char **pointers, Muster__Wire__Host *ret_message)
{
	Muster__Wire__Host message = MUSTER__WIRE__HOST__INIT;
	static char version[] = MUSTER_VERSION;

	for (size_t i = 0; i < host->address_count; i++)
		pointers[i] = host->addresses[i];
	message.name = host->name;
	message.os = host->os;
	message.kernel = host->kernel;
	message.architecture = host->architecture;
	message.agent_version = version;
	message.n_addresses = host->address_count;
	message.addresses = pointers;
	if (!uuid_is_zero(&host->machine))
		message.machine = (ProtobufCBinaryData){ UUID_BYTES, host->machine.bytes };
	*ret_message = message;
}
