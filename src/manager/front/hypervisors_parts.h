/* Inside manager/front: what hypervisors.c (the thread), hypervisors_owners.c (whose computers) and hypervisors_shown.c
 * (people) share. */
#ifndef MUSTER_MANAGER_FRONT_HYPERVISORS_PARTS_H
#define MUSTER_MANAGER_FRONT_HYPERVISORS_PARTS_H

#include <pthread.h>

#include "manager/front/front_state.h"
#include "manager/front/hypervisors.h"
#include "os/channel.h"

#define HYPERVISORS_GONE "the hypervisor role does not run (muster-manager-hypervisor)"

/* Which machine a computer is. */
struct owner {
	struct uuid computer, machine;
};
struct owners {
	struct owner *items;
	size_t count, capacity;
};

struct hypervisors {
	struct front *front;
	void (*broken)(void *argument);
	void *argument;
	pthread_t thread;
	int wake_fd;
	struct channel role; /* the thread's alone */

	pthread_mutex_t lock; /* of what follows */
	pthread_cond_t said;
	bool open; /* the channel */
	int fresh_fd;
	bool orders_changed, stop;
	uint64_t rows_changed, rows_read; /* how often; read behind changed: they are to be read again */
	bool remembered;                  /* what was stored of stopped machines still counts */
	struct known known[HYPERVISORS_MAX];
	size_t count;
	struct machines *machines; /* changed by the thread alone */
	struct owners reported;
};

/* The lock is held. NULL: there is none with this id. */
struct known *hypervisors_known(struct hypervisors *hypervisors, const struct uuid *id);
void hypervisors_wake(struct hypervisors *hypervisors);

/* --- owners: computers and their machines, in lists that grow; start with a zeroed one --- */
/* False: no memory. */
bool owners_add(struct owners *owners, const struct uuid *computer, const struct uuid *machine);
void owners_done(struct owners *owners);
/* For machines.h, under the lock: argument is a list of machines that changed, their computers found afterwards. */
void owners_note(void *argument, const struct uuid *machine, enum machine_state state);
/* The shards are told how the machines of these computers are. */
void owners_tell(struct hypervisors *hypervisors, const struct owners *owners);
/* The same of all computers whose machines are in the list, which it takes over. Reads the database. */
void owners_spread(struct hypervisors *hypervisors, struct owners *changes);

#endif
