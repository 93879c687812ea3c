/* The hypervisors: which there are, what they say of machines, and whose
 * computers those are (specification 10-links "Inactive machines").
 *
 * One thread of its own has the hypervisor role connect with those of the
 * database, hears what it says, and tells the shards which computers' machines
 * are stopped. What a hypervisor said counts for MACHINE_TRUST_US after it was
 * last asked. After a start, what is stored of stopped machines counts as long,
 * or until every hypervisor has been asked. Any thread, where nothing else is said.
 */
#ifndef MUSTER_MANAGER_FRONT_HYPERVISORS_H
#define MUSTER_MANAGER_FRONT_HYPERVISORS_H

#include "manager/front/front.h"
#include "manager/front/hypervisors_known.h"

struct hypervisors;

/* Reads what is stored and begins. broken() is called when the role sent what it may not. */
int hypervisors_new(struct front *front, void (*broken)(void *argument), void *argument,
		    struct hypervisors **ret_hypervisors, struct err *err);
void hypervisors_free(struct hypervisors *hypervisors); /* ends the thread; accepts NULL */
/* A new channel to the role; fd is taken over. Does not wait. */
void hypervisors_attach(struct hypervisors *hypervisors, int fd);
/* Rows were made, changed or removed; returns when that is known. A worker's thread. */
void hypervisors_changed(struct front *front);
/* A computer said which machine it is. Does not wait. */
void hypervisors_reported(struct front *front, const struct uuid *computer, const struct uuid *machine);

struct hypervisor_live {
	const char *state; /* "disabled", "connecting", "connected", "failed" */
	char failure[ERR_TEXT_BYTES];
	time_us since, listed; /* wall clock; 0: never */
	size_t machines;
};
/* False: there is none with this id. */
bool hypervisors_live(struct front *front, const struct uuid *id, struct hypervisor_live *ret_live);

struct hypervisor_machine_shown {
	struct uuid id, hypervisor;
	enum hypervisor_power power;
	time_us since;
	char name[HYPERVISOR_MACHINE_BYTES];
	char hypervisor_name[HYPERVISOR_NAME_BYTES];
};
/* Its machines, in no order; the caller's to free(). ERR_NOT_FOUND, ERR_MEMORY. */
int hypervisors_machines(struct front *front, const struct uuid *id, struct hypervisor_machine_shown **ret_machines,
			 size_t *ret_count, struct err *err);
/* The machine that calls itself so, in either byte order, preferring one that runs. False: nobody tells of it. */
bool hypervisors_find(struct front *front, const struct uuid *machine, struct hypervisor_machine_shown *ret_machine);
/* Hangs up, connects anew, and waits for the list (at most a minute): a worker's thread. ERR_NOT_FOUND;
 * ERR_WRONG_STATE: it is disabled; ERR_CLOSED: the role does not run; ERR_CONNECT, with the hypervisor's words. */
int hypervisors_test(struct front *front, const struct uuid *id, size_t *ret_machines, struct err *err);

#endif
