/* What people ask about hypervisors (hypervisors.h). Names of machines are the hypervisors' words. */
#include <stdio.h>
#include <stdlib.h>

#include "manager/front/hypervisors_parts.h"
#include "os/env.h"

#define TEST_PATIENCE_US   (60 * SECOND_US)
#define CHANGE_PATIENCE_US (10 * SECOND_US) /* the thread reads a few rows */

bool hypervisors_live(struct front *front, const struct uuid *id, struct hypervisor_live *ret_live)
{
	struct hypervisors *hypervisors = front->hypervisors;
	const struct known *known;

	pthread_mutex_lock(&hypervisors->lock);
	known = hypervisors_known(hypervisors, id);
	if (known != NULL) {
		*ret_live = (struct hypervisor_live){
			.state = known->enabled ? hypervisor_link_name(known->link) : "disabled",
			.since = known->since,
			.listed = known->listed,
			.machines = known->count,
		};
		snprintf(ret_live->failure, sizeof(ret_live->failure), "%s", known->enabled ? known->failure : "");
	}
	pthread_mutex_unlock(&hypervisors->lock);
	return known != NULL;
}

static void show(const struct known *known, const struct known_machine *machine,
		 struct hypervisor_machine_shown *ret_shown)
{
	*ret_shown = (struct hypervisor_machine_shown){
		.id = machine->id, .hypervisor = known->id, .power = machine->power, .since = machine->since
	};
	snprintf(ret_shown->name, sizeof(ret_shown->name), "%s", machine->name);
	snprintf(ret_shown->hypervisor_name, sizeof(ret_shown->hypervisor_name), "%s", known->name);
}

int hypervisors_machines(struct front *front, const struct uuid *id, struct hypervisor_machine_shown **ret_machines,
			 size_t *ret_count, struct err *err)
{
	struct hypervisors *hypervisors = front->hypervisors;
	struct hypervisor_machine_shown *list = NULL;
	const struct known *known;
	size_t count = 0;

	pthread_mutex_lock(&hypervisors->lock);
	known = hypervisors_known(hypervisors, id);
	if (known != NULL) {
		count = known->count;
		list = calloc(count + 1, sizeof(*list));
	}
	for (size_t i = 0; list != NULL && i < count; i++)
		show(known, &known->machines[i], &list[i]);
	pthread_mutex_unlock(&hypervisors->lock);
	if (list == NULL)
		return known == NULL ? err_set(err, ERR_NOT_FOUND, "There is no hypervisor with this id.")
				     : err_set(err, ERR_MEMORY, "no memory");
	*ret_machines = list;
	*ret_count = count;
	return 0;
}

/* The lock is held. */
static bool find_machine(const struct hypervisors *hypervisors, const struct uuid *id,
			 struct hypervisor_machine_shown *ret_machine)
{
	bool found = false;

	for (size_t i = 0; i < hypervisors->count; i++) {
		const struct known_machine *machine = known_machine(&hypervisors->known[i], id);

		if (machine == NULL || (found && machine_state_of(machine->power) != MACHINE_RUNNING))
			continue;
		show(&hypervisors->known[i], machine, ret_machine);
		found = true;
	}
	return found;
}

bool hypervisors_find(struct front *front, const struct uuid *machine, struct hypervisor_machine_shown *ret_machine)
{
	struct hypervisors *hypervisors = front->hypervisors;
	struct uuid swapped = machine_swapped(machine);
	bool found;

	pthread_mutex_lock(&hypervisors->lock);
	found = find_machine(hypervisors, machine, ret_machine) || find_machine(hypervisors, &swapped, ret_machine);
	pthread_mutex_unlock(&hypervisors->lock);
	return found;
}

/* What is asked next is to find the change. */
void hypervisors_changed(struct front *front)
{
	struct hypervisors *hypervisors = front->hypervisors;
	const struct timespec until = env_system_after(CHANGE_PATIENCE_US);
	uint64_t mine;
	int waited = 0;

	pthread_mutex_lock(&hypervisors->lock);
	mine = ++hypervisors->rows_changed;
	hypervisors_wake(hypervisors);
	while (waited == 0 && hypervisors->rows_read < mine && !hypervisors->stop)
		waited = pthread_cond_timedwait(&hypervisors->said, &hypervisors->lock, &until);
	pthread_mutex_unlock(&hypervisors->lock);
}

/* --- a test --- */

/* The lock is held. */
static int begin_test(struct hypervisors *hypervisors, const struct uuid *id, uint32_t *ret_round, struct err *err)
{
	struct known *known = hypervisors_known(hypervisors, id);

	if (known == NULL)
		return err_set(err, ERR_NOT_FOUND, "There is no hypervisor with this id.");
	if (!known->enabled)
		return err_set(err, ERR_WRONG_STATE, "The hypervisor is disabled: enable it first.");
	if (!hypervisors->open)
		return err_set(err, ERR_CLOSED, "%s", HYPERVISORS_GONE);
	known->link = HYPERVISOR_CONNECTING;
	known->since = env_wall(hypervisors->front->env);
	*ret_round = ++known->round;
	hypervisors->orders_changed = true;
	return 0;
}

/* The lock is held. */
static int end_test(struct hypervisors *hypervisors, const struct uuid *id, uint32_t round, size_t *ret_machines,
		    struct err *err)
{
	const struct known *known = hypervisors_known(hypervisors, id);

	if (known == NULL)
		return err_set(err, ERR_NOT_FOUND, "The hypervisor was removed meanwhile.");
	if (known->round != round)
		return err_set(err, ERR_CONFLICT, "It was changed or tested again meanwhile.");
	if (known->link == HYPERVISOR_CONNECTING)
		return err_set(err, ERR_TIMEOUT, "it does not answer");
	if (known->link == HYPERVISOR_FAILED)
		return err_set(err, ERR_CONNECT, "%s", known->failure);
	*ret_machines = known->count;
	return 0;
}

static bool is_undecided(struct hypervisors *hypervisors, const struct uuid *id, uint32_t round)
{
	const struct known *known = hypervisors_known(hypervisors, id);

	return known != NULL && known->round == round && known->link == HYPERVISOR_CONNECTING && !hypervisors->stop;
}

int hypervisors_test(struct front *front, const struct uuid *id, size_t *ret_machines, struct err *err)
{
	struct hypervisors *hypervisors = front->hypervisors;
	const struct timespec until = env_system_after(TEST_PATIENCE_US);
	uint32_t round = 0;
	int waited = 0;
	int rc;

	pthread_mutex_lock(&hypervisors->lock);
	rc = begin_test(hypervisors, id, &round, err);
	if (rc == 0) {
		hypervisors_wake(hypervisors);
		while (waited == 0 && is_undecided(hypervisors, id, round))
			waited = pthread_cond_timedwait(&hypervisors->said, &hypervisors->lock, &until);
		rc = end_test(hypervisors, id, round, ret_machines, err);
	}
	pthread_mutex_unlock(&hypervisors->lock);
	return rc;
}
