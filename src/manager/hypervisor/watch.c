/* Asking libvirt (watch.h). Its answers are untrusted. */
#include "manager/hypervisor/watch.h"

#include <libvirt/virterror.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/units.h"

#define KEEPALIVE_S     5
#define KEEPALIVE_COUNT 3

/* libvirt prints errors by itself unless somebody takes them. */
static void say_nothing(void *argument, virErrorPtr error)
{
	(void)argument;
	(void)error;
}

int watch_begin(struct err *err)
{
	virSetErrorFunc(NULL, say_nothing);
	if (virInitialize() != 0 || virEventRegisterDefaultImpl() != 0)
		return err_set(err, ERR_INTERNAL, "libvirt does not start: %s", virGetLastErrorMessage());
	return 0;
}

void watch_loop(void)
{
	while (virEventRunDefaultImpl() == 0)
		;
}

/* --- the connection --- */

static int on_lifecycle(virConnectPtr connection, virDomainPtr domain, int event, int detail, void *argument)
{
	const struct watch *watch = argument;

	(void)connection;
	(void)domain;
	(void)event;
	(void)detail;
	watch->poked(watch->argument);
	return 0;
}

static void on_close(virConnectPtr connection, int reason, void *argument)
{
	const struct watch *watch = argument;

	(void)connection;
	(void)reason;
	watch->poked(watch->argument);
}

int watch_connect(struct watch *watch, const char *uri, const char *directory, struct err *err)
{
	struct buf whole;

	buf_init(&whole, 16 * KIB);
	hypervisor_uri_compose(uri, directory, &whole);
	if (whole.status == 0)
		watch->connection = virConnectOpenReadOnly(buf_text(&whole));
	else
		err_set(err, ERR_FORMAT, "the URI %s", "is not one that Muster takes");
	buf_done(&whole);
	if (watch->connection == NULL)
		return err != NULL && err->code == ERR_FORMAT
			   ? ERR_FORMAT
			   : err_set(err, ERR_CONNECT, "%s", virGetLastErrorMessage());
	/* Neither is everywhere: the test driver and old daemons go without, and are asked again and again anyway. */
	(void)virConnectSetKeepAlive(watch->connection, KEEPALIVE_S, KEEPALIVE_COUNT);
	(void)virConnectRegisterCloseCallback(watch->connection, on_close, watch, NULL);
	watch->events = virConnectDomainEventRegisterAny(watch->connection, NULL, VIR_DOMAIN_EVENT_ID_LIFECYCLE,
							 VIR_DOMAIN_EVENT_CALLBACK(on_lifecycle), watch, NULL);
	virResetLastError();
	return 0;
}

void watch_close(struct watch *watch)
{
	if (watch->connection == NULL)
		return;
	if (watch->events >= 0)
		(void)virConnectDomainEventDeregisterAny(watch->connection, watch->events);
	(void)virConnectUnregisterCloseCallback(watch->connection, on_close);
	(void)virConnectClose(watch->connection);
	watch->connection = NULL;
	watch->events = -1;
}

/* --- its machines --- */

static enum hypervisor_power power_of(int state)
{
	static const struct {
		int state;
		enum hypervisor_power power;
	} powers[] = {
		{ VIR_DOMAIN_RUNNING, HYPERVISOR_RUNNING },        { VIR_DOMAIN_BLOCKED, HYPERVISOR_RUNNING },
		{ VIR_DOMAIN_PAUSED, HYPERVISOR_PAUSED },          { VIR_DOMAIN_PMSUSPENDED, HYPERVISOR_SUSPENDED },
		{ VIR_DOMAIN_SHUTDOWN, HYPERVISOR_SHUTTING_DOWN }, { VIR_DOMAIN_SHUTOFF, HYPERVISOR_SHUT_OFF },
		{ VIR_DOMAIN_CRASHED, HYPERVISOR_CRASHED },
	};

	for (size_t i = 0; i < COUNT_OF(powers); i++) {
		if (powers[i].state == state)
			return powers[i].power;
	}
	return HYPERVISOR_NO_STATE;
}

/* *ret_there false: it was removed meanwhile. */
static int ask(virDomainPtr domain, struct hypervisor_machine *machine, bool *ret_there, struct err *err)
{
	const char *name = virDomainGetName(domain);
	int state = 0;

	*ret_there = false;
	if (name == NULL || virDomainGetUUID(domain, machine->id.bytes) != 0)
		return err_set(err, ERR_FORMAT, "a machine without a name");
	if (virDomainGetState(domain, &state, NULL, 0) != 0)
		return virGetLastErrorCode() == VIR_ERR_NO_DOMAIN
			   ? 0
			   : err_set(err, ERR_CLOSED, "%s", virGetLastErrorMessage());
	snprintf(machine->name, sizeof(machine->name), "%s", name);
	machine->power = power_of(state);
	*ret_there = true;
	return 0;
}

static int ask_all(virDomainPtr *domains, size_t count, struct hypervisor_machine *machines, size_t *ret_count,
		   struct err *err)
{
	size_t known = 0;

	for (size_t i = 0; i < count; i++) {
		bool there;
		int rc = ask(domains[i], &machines[known], &there, err);

		if (rc != 0)
			return rc;
		known += there ? 1 : 0;
	}
	*ret_count = known;
	return 0;
}

int watch_list(struct watch *watch, struct hypervisor_machine **ret_machines, size_t *ret_count, struct err *err)
{
	virDomainPtr *domains = NULL;
	int count = virConnectListAllDomains(watch->connection, &domains, 0);
	struct hypervisor_machine *machines;
	int rc;

	if (count < 0)
		return err_set(err, ERR_CLOSED, "%s", virGetLastErrorMessage());
	machines = calloc((size_t)count + 1, sizeof(*machines));
	if (machines == NULL)
		rc = err_set(err, ERR_MEMORY, "no memory");
	else if (count > HYPERVISOR_MACHINES_MAX)
		rc =
		    err_set(err, ERR_LIMIT, "it has %d machines; at most %d are taken", count, HYPERVISOR_MACHINES_MAX);
	else
		rc = ask_all(domains, (size_t)count, machines, ret_count, err);
	for (int i = 0; i < count; i++)
		(void)virDomainFree(domains[i]);
	free(domains);
	if (rc != 0) {
		free(machines);
		return rc;
	}
	*ret_machines = machines;
	return 0;
}
