/* Copies of a machine have one identity. The link of one that is told so takes
 * another, as it would from the manager, and goes on as another computer. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "world.h"

/* --- two with one identity --- */

/* The whole disk is copied and the copy started beside the original. */
void copies_make(struct sim_machine *from, struct sim_machine *to)
{
	struct sim *sim = from->sim;
	struct sim_stored_computer *computer = store_machine(from);

	sim_log(sim, "m%u is cloned to m%u", from->index, to->index);
	to->manager = from->manager;
	to->computer = from->computer;
	to->certificate = from->certificate;
	memcpy(to->name, from->name, SIM_NAME_BYTES);
	to->heartbeat_s = from->heartbeat_s;
	to->enrolled_key = from->enrolled_key;
	to->site = from->site;
	to->has_clone = from->has_clone = true;
	to->twin = from->index;
	from->twin = to->index;
	to->damaged = from->damaged;
	from->between_from = from->made - from->outbox_count;
	from->between_to = from->made;
	computer->holders++;
	computer->was_shared = true;
	life_share(computer);
	to->next_source = from->next_source;
	memcpy(to->configured, from->configured, sizeof(to->configured));
	to->delicate = from->delicate;
	to->jobs = calloc(from->job_capacity + 1, sizeof(*to->jobs));
	if (to->jobs == NULL)
		abort();
	to->job_capacity = from->job_capacity + 1;
	if (from->job_count > 0)
		memcpy(to->jobs, from->jobs, from->job_count * sizeof(*to->jobs));
	to->job_count = from->job_count;
	disk_copy(&to->disk, &from->disk);
	machine_start(to);
}

bool copies_share(const struct sim_machine *machine)
{
	return store_machine(machine)->holders > 1;
}

void copies_left(struct sim *sim, struct sim_stored_computer *computer)
{
	computer->holders--;
	computer->life.alone_from = sim->now;
	for (size_t i = 0; i < sim->machine_count; i++) {
		if (uuid_equal(&sim->machines[i].computer, &computer->record.id))
			computer->machine = (unsigned)i;
	}
}

void copies_took(struct sim_machine *machine)
{
	struct sim *sim = machine->sim;
	struct sim_stored_computer *computer = store_machine(machine);
	unsigned holders = 0;

	for (size_t i = 0; i < sim->machine_count; i++)
		holders += sim->machines[i].manager == machine->manager &&
			   uuid_equal(&sim->machines[i].computer, &machine->computer);
	computer->holders = holders;
	if (holders == 1)
		return;
	computer->was_shared = true;
	life_share(computer);
}

/* --- taking another one --- */

/* Its last word as this computer is said. A sector that goes bad just then is found at the next start. */
void copies_end_telling(struct sim_machine *machine)
{
	struct sim *sim = machine->sim;
	int rc = sim->options.broken == BREAK_TOLD_KEPT ? endpoint_flush(machine->endpoint, NULL)
							: endpoint_leave(machine->endpoint, NULL);

	if (rc != 0 || machine->disk.dead)
		return;
	check_left(machine);
	if (!sim_chance(sim, 50))
		return;
	disk_damage_end(&machine->disk);
	machine->damaged = true;
}

/* Told that another holds its identity: it enrols anew. */
static void take_new_identity(struct sim_machine *machine)
{
	struct sim *sim = machine->sim;
	struct sim_stored_computer *former = store_machine(machine), *computer;
	struct fleet_computer record = { 0 };
	bool left_behind = joining_standing(former, machine->certificate) != ROSTER_ACTIVE;
	struct sim_identity identity;

	sim_log(sim, "m%u: takes a new identity%s", machine->index,
		left_behind ? ": the one that it had went on without it" : "");
	copies_end_telling(machine);
	machine->computer = env_uuid(&machine->env);
	machine->certificate = ++sim->token;
	snprintf(machine->name, sizeof(machine->name), "m%u-%zu", machine->index,
		 machine->manager->store.computer_count + 1);
	machine->enrolled_key = keys_present(machine->manager); /* as the answer to its enrolment says */
	buf_reset(&machine->disk.files[3].durable);
	former->abandoned = former->holders == 1;
	copies_left(sim, former);
	if (left_behind && machine->manager->up)
		fleet_copy_left(machine->manager->fleet, &former->record.id);
	identity = moves_identity(machine);
	computer = store_add_computer(machine, &identity);
	computer->left_behind = left_behind;
	computer->version = former->version;
	computer->record.interval_us = former->record.interval_us;
	computer->record.missed = former->record.missed;
	life_policy(machine->manager, computer, computer->record.interval_us, computer->record.missed);
	memcpy(computer->record.wanted_configuration, former->record.wanted_configuration, SHA256_BYTES);
	record.id = machine->computer;
	record.interval_us = computer->record.interval_us;
	record.missed = computer->record.missed;
	record.clock_limit_us = computer->record.clock_limit_us;
	record.direction = machine->direction; /* as it enrols, it says so */
	record.listen_port = 21112;
	memcpy(record.wanted_configuration, computer->record.wanted_configuration, SHA256_BYTES);
	if (machine->manager->up)
		fleet_add(machine->manager->fleet, &record, NULL);
	machine_kill(machine, false);
}

/* The manager gives it one, or the answer does not come: it is told again. Of two that were told, the first one left
 * the other alone; one whose identity went on without it has no other way. */
static void rekey_answered(struct sim *sim, struct sim_event *event)
{
	struct sim_machine *machine = &sim->machines[event->machine];

	if (!machine->up || event->generation != machine->generation || !machine->rekey_asked)
		return;
	machine->rekey_asked = false;
	if (joining_may_rekey(machine) && (!sim->chaos || sim_below(sim, 4) != 0))
		take_new_identity(machine);
	else
		machine_poll(machine);
}

static void detected(struct sim *sim, struct sim_event *event)
{
	guard_detect(&sim->machines[event->machine]);
}

/* Asks for another identity, as the link does: that takes its time. */
static void ask_anew(void *context)
{
	struct sim_machine *machine = context;
	struct sim_event *event;

	if (machine->rekey_asked)
		return;
	machine->rekey_asked = true;
	if (machine->sim->options.broken == BREAK_LEAVES_TALKING)
		sim_after(machine->sim, SECOND_US, detected)->machine = machine->index;
	event = sim_after(machine->sim, (span_us)sim_below(machine->sim, 20) * SECOND_US, rekey_answered);
	event->machine = machine->index;
	event->generation = machine->generation;
}

static bool is_asking(void *context)
{
	const struct sim_machine *machine = context;

	return machine->rekey_asked && machine->sim->options.broken != BREAK_LEAVES_TALKING;
}

void copies_act(struct endpoint_actor *actor)
{
	actor->rekey = ask_anew;
	actor->leaves = is_asking;
}
