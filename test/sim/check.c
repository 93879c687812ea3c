/* What must be true, whatever happens. */
#include <stdlib.h>
#include <string.h>

#include "endpoint/record_log.h"
#include "world.h"

/* Status may lag behind the arithmetic by the way of a message, a tick, a second's rounding. */
#define SLACK_US (3 * SECOND_US)
#define GRACE_US (5 * SECOND_US)  /* FLEET_TIMEOUT_GRACE_US */
#define RETRY_US (10 * SECOND_US) /* FLEET_RETRY_US */
#define WALK_US  (10 * MINUTE_US) /* of a large fleet, everything is gone through so often */

static void check_status(struct sim_manager *manager, struct sim_stored_computer *computer)
{
	struct sim *sim = manager->sim;
	size_t index = (size_t)(computer - manager->store.computers);
	const struct sim_life *life = &computer->life;
	struct fleet_computer shown;
	span_us silence = sim->now - life_silent_from(manager, computer);

	if (life->out) {
		if (fleet_show(manager->fleet, &computer->record.id, &shown, NULL) == 0)
			sim_fail(sim, "computer %zu is not managed, and known to the fleet", index);
		return;
	}
	if (fleet_show(manager->fleet, &computer->record.id, &shown, NULL) != 0) {
		sim_fail(sim, "computer %zu is not known to the fleet", index);
		return;
	}
	if (life->shared)
		return;
	if (shown.missed != life->missed || shown.interval_us != life->interval_us)
		sim_fail(sim, "computer %zu is watched by another policy than its own", index);
	if ((shown.status == FLEET_OFFLINE) != life->offline)
		sim_fail(sim, "computer %zu is shown %s, by the arithmetic it is %s", index,
			 shown.status == FLEET_OFFLINE ? "offline" : "online", life->offline ? "offline" : "online");
	if (shown.status == FLEET_ONLINE && life->missed != FLEET_UNLIMITED &&
	    sim->now >= manager->stalled_until + 2 * SECOND_US && sim->now - life->policy_at > SLACK_US &&
	    silence > life_allowed(computer) + SLACK_US)
		sim_fail(sim, "computer %zu is shown online, silent for %lld s, %lld s are allowed", index,
			 (long long)(silence / SECOND_US), (long long)(life_allowed(computer) / SECOND_US));
	check_offline(manager, computer, &shown);
}

/* Every command ends within its time-out and GRACE_US, counted while the manager runs. Its end may be late by the tick
 * that sees it (a second) and by the write that stores it: SIM_WRITE_MOST_US of its own and SIM_STALL_MOST_US of a disk
 * that stalls. Writes are in order and each waits for its own stall alone, so that stalls never add up. After a write
 * that failed the end is tried again RETRY_US later, and the same counts from there. */
void check_overdue(struct sim_manager *manager, const struct sim_stored_command *command)
{
	struct sim *sim = manager->sim;
	time_us until = command->issued_mono;

	if (until < manager->started)
		until = manager->started; /* it may have to wait for the manager's clock to be right */
	until += command->timeout_us + GRACE_US;
	if (until < manager->stalled_until)
		until = manager->stalled_until;
	if (until < command->write_failed + RETRY_US)
		until = command->write_failed + RETRY_US;
	if (sim->now - until > SIM_TICK_US + SIM_STALL_MOST_US + SIM_WRITE_MOST_US)
		sim_fail(sim, "command %zu (%s) is %s long after its time-out",
			 (size_t)(command - manager->store.commands), command_kind_name(command->kind),
			 command_state_name(command->state));
}

void check_touch(struct sim_manager *manager, struct sim_stored_computer *computer)
{
	if (computer->touched)
		return;
	computer->touched = true;
	manager->touched[manager->touched_count++] = (size_t)(computer - manager->store.computers);
}

static void check_touched(struct sim_manager *manager)
{
	for (size_t i = 0; i < manager->touched_count; i++) {
		struct sim_stored_computer *computer = &manager->store.computers[manager->touched[i]];

		computer->touched = false;
		if (manager->up)
			check_status(manager, computer);
	}
	manager->touched_count = 0;
}

static void check_everything(struct sim_manager *manager)
{
	const struct sim *sim = manager->sim;

	manager->walked = sim->now;
	for (size_t i = 0; i < manager->store.computer_count && !sim->failed; i++)
		check_status(manager, &manager->store.computers[i]);
	for (size_t i = 0; i < manager->store.open_count && !sim->failed; i++)
		check_overdue(manager, &manager->store.commands[manager->store.open[i]]);
}

void check_step(struct sim *sim)
{
	if (!sim->large || sim->now - sim->machines_walked >= WALK_US) { /* whether a manager is up or not */
		moves_belong(sim);
		sim->machines_walked = sim->now;
	}
	for (unsigned i = 0; i < sim->manager_count; i++) {
		struct sim_manager *manager = &sim->managers[i];

		check_touched(manager);
		if (manager->up && !sim->failed && (!sim->large || sim->now - manager->walked >= WALK_US))
			check_everything(manager);
	}
}

/* Acknowledged implies durable. */
void check_reply(struct sim_manager *manager, const struct uuid *id, const Muster__Wire__Reply *reply)
{
	struct sim *sim = manager->sim;
	const struct sim_stored_computer *computer = store_computer(manager, id);

	if (computer == NULL || computer->standing != STANDING_MANAGED)
		sim_fail(sim, "an agent is answered whose computer is out");
	if (reply->rekey && (computer == NULL || !computer->was_shared))
		sim_fail(sim, "an agent is told to take another identity that holds its own alone");
	if (reply->rekey)
		return;
	if (computer == NULL || reply->acknowledged_event > computer->record.events_stored)
		sim_fail(sim, "event %llu is acknowledged and not stored",
			 (unsigned long long)reply->acknowledged_event);
	for (size_t i = 0; i < reply->n_acknowledged_commands; i++) {
		struct uuid command_id = exchange_uuid(&reply->acknowledged_commands[i]);
		const struct sim_stored_command *command = store_command(manager, &command_id);

		/* One of its former identity is not the manager's to store, and is forgotten. */
		if (command != NULL && uuid_equal(&command->computer, id) && !command_ended(command->state))
			sim_fail(sim, "the end of a command is acknowledged and not stored");
	}
}

static int count_record(void *argument, const uint8_t *payload, size_t size)
{
	uint64_t *records = argument;

	(void)payload;
	(void)size;
	(*records)++;
	return 0;
}

/* In the file of events are its header and what the next computer has to tell: with a bad sector, what this one told
 * would be told once more. */
void check_left(struct sim_machine *machine)
{
	const struct endpoint_storage storage = disk_storage(&machine->disk);
	struct record_log log = { .storage = &storage, .name = "spool" };
	struct record_damage damage;
	struct endpoint_status status;
	uint64_t records = 0;

	endpoint_status(machine->endpoint, &status);
	if (record_log_load(&log, SIM_FILE_MAX_BYTES, count_record, &records, &damage, NULL) != 0)
		abort();
	if (records != status.events_waiting + 1 || damage.places > 0)
		sim_fail(
		    machine->sim,
		    "machine %u becomes another computer with %llu records in its file of events, and has %llu to tell",
		    machine->index, (unsigned long long)records, (unsigned long long)status.events_waiting);
}

/* --- at the end, when all is healed and quiet --- */

static void check_events(struct sim *sim, const struct sim_machine *machine)
{
	uint64_t missing = 0, first = 0, dropped = machine->told_drops;

	if (machine->has_clone)
		dropped += sim->machines[machine->twin].told_drops;
	if (machine->outbox_count > 0)
		sim_fail(sim, "machine %u: %zu notices never reached the link's disk", machine->index,
			 machine->outbox_count);
	for (uint64_t i = 1; i <= machine->made; i++) {
		if (((machine->stored[i / 8] | machine->excused[i / 8]) & 1u << i % 8) == 0) {
			missing++;
			first = first == 0 ? i : first;
		}
	}
	if (missing > dropped && !machine->damaged)
		sim_fail(sim, "machine %u: %llu events are lost (the first is %llu of %llu), %llu told as dropped",
			 machine->index, (unsigned long long)missing, (unsigned long long)first,
			 (unsigned long long)machine->made, (unsigned long long)dropped);
}

static const struct sim_job *find_job(const struct sim *sim, const struct sim_stored_command *command)
{
	const struct sim_machine *machine = &sim->machines[command->machine];

	for (size_t at = 0; at < machine->job_count; at++) {
		if (uuid_equal(&machine->jobs[at].id, &command->id))
			return &machine->jobs[at];
	}
	return NULL;
}

static void check_command(struct sim_manager *manager, size_t index)
{
	struct sim *sim = manager->sim;
	const struct sim_stored_command *command = &manager->store.commands[index];
	const struct sim_job *job = find_job(sim, command);
	bool work = command->kind == COMMAND_SCAN || command->kind == COMMAND_RESTORE;

	if (!command_ended(command->state)) {
		sim_fail(sim, "command %zu (%s) never ended: %s", index, command_kind_name(command->kind),
			 command_state_name(command->state));
		return;
	}
	if (!work || command->cut_off || sim->machines[command->machine].has_clone ||
	    sim->machines[command->machine].was_set_back)
		return; /* a clone may have run what its original was sent, and who was set back does not know */
	if (job == NULL && command->state == COMMAND_SUCCEEDED)
		sim_fail(sim, "command %zu is told as succeeded and was never begun", index);
	/* Timed out is true of work that was stopped, or whose end the agent could not wait for. */
	if (job != NULL && job->told && command_ended(job->state) && command->state != job->state &&
	    command->state != COMMAND_TIMED_OUT)
		sim_fail(sim, "command %zu is told as %s and was %s", index, command_state_name(command->state),
			 command_state_name(job->state));
	if (job != NULL && job->begun > 1)
		sim_fail(sim, "command %zu was begun %u times", index, job->begun);
}

/* What the manager shows is what the machine has; what can be in force is. */
static void check_configuration(struct sim *sim, const struct sim_machine *machine,
				const struct sim_stored_computer *computer, const struct fleet_computer *shown)
{
	unsigned version = computer->version, in_force = 0;
	struct endpoint_configuration_state state;
	const char *error = computer->configuration_error != NULL ? computer->configuration_error : "";
	bool fits = configuring_fits(machine, version);

	endpoint_configuration_state(machine->endpoint, &state);
	if (state.kept != NULL)
		in_force = (unsigned)strtoul((const char *)state.kept->settings[0]->value.data, NULL, 10);
	for (size_t i = 0; i < SIM_COMPONENTS; i++) {
		if (machine->configured[i] != in_force)
			sim_fail(sim, "machine %u: component %zu has configuration %u, the link %u", machine->index, i,
				 machine->configured[i], in_force);
	}
	if (fits != (in_force == version))
		sim_fail(sim, "machine %u: configuration %u is wanted, %u in force", machine->index, version, in_force);
	if (fits != (memcmp(shown->configuration, computer->record.wanted_configuration, SHA256_BYTES) == 0))
		sim_fail(sim, "machine %u: the manager does not show what is in force", machine->index);
	if (shown->configuration_state != (fits ? FLEET_CONFIGURATION_APPLIED : FLEET_CONFIGURATION_FAILED))
		sim_fail(sim, "machine %u: configuration %u is shown as %s", machine->index, version,
			 fleet_configuration_state_name(shown->configuration_state));
	if (fits != (state.refused[0] == '\0') || strcmp(state.refused, error) != 0)
		sim_fail(sim, "machine %u: configuration %u: refused for '%s', shown as '%s'", machine->index, version,
			 state.refused, error);
}

static void check_machine_state(struct sim *sim, const struct sim_machine *machine)
{
	const struct sim_stored_computer *computer = store_machine(machine);
	struct endpoint_status status;
	struct fleet_computer shown;

	endpoint_status(machine->endpoint, &status);
	fleet_show(machine->manager->fleet, &machine->computer, &shown, NULL);
	if (shown.status != FLEET_ONLINE)
		sim_fail(sim, "machine %u is up and not online: %s", machine->index, shown.cause);
	if (status.events_waiting > 0)
		sim_fail(sim, "machine %u still has %llu events", machine->index,
			 (unsigned long long)status.events_waiting);
	if (computer->component_state != machine->component_state)
		sim_fail(sim, "machine %u: component %u is stored as %u", machine->index, machine->component_state,
			 computer->component_state);
	check_configuration(sim, machine, computer, &shown);
	keys_check(machine);
	networks_check(machine);
	for (unsigned i = 0; i < machine->item_count; i++) {
		bool same = false;

		for (unsigned at = 0; at < computer->item_count; at++)
			same |= uuid_equal(&computer->items[at], &machine->items[i]) &&
				computer->item_states[at] == machine->item_states[i];
		if (!same)
			sim_fail(sim, "machine %u: quarantine item %u is not stored as it is", machine->index, i);
	}
}

static void check_machine(struct sim *sim, struct sim_machine *machine)
{
	if (!machine->up)
		sim_fail(sim, "machine %u is not up at the end", machine->index);
	else if (copies_share(machine))
		sim_fail(sim, "machine %u shares its identity to the end", machine->index);
	else
		check_machine_state(sim, machine);
	if (!sim->failed)
		check_events(sim, machine);
}

/* It only listens, and its manager was told otherwise: by a copy of it, or by itself before it was set back; or it has
 * a certificate by which it is nobody that the manager would dial; or another one with its identity may be dialled in
 * its place. */
static bool is_undialled(const struct sim_machine *machine)
{
	const struct sim_stored_computer *computer = store_machine(machine);

	if (machine->direction != LINK_MANAGER_INITIATED)
		return false;
	return copies_share(machine) || joining_rekeys(machine->manager, computer, machine->certificate) ||
	       computer->record.direction != LINK_MANAGER_INITIATED;
}

bool check_undialled(const struct sim *sim)
{
	for (size_t i = 0; i < sim->machine_count; i++) {
		if (!sim->machines[i].checked && sim->machines[i].up && is_undialled(&sim->machines[i]))
			return true;
	}
	return false;
}

/* What leads nowhere is tried again from time to time, and told: not in the midst of that. */
static bool is_busy(const struct sim_machine *machine)
{
	struct endpoint_configuration_state state;
	struct endpoint_status status;

	if (!machine->up)
		return false;
	endpoint_configuration_state(machine->endpoint, &state);
	endpoint_status(machine->endpoint, &status);
	return machine->rekey_asked || copies_share(machine) || moves_under_way(machine) || state.under_way ||
	       machine->dark || status.events_waiting > 0 || is_undialled(machine);
}

size_t check_machines(struct sim *sim)
{
	size_t left = 0;

	for (size_t i = 0; i < sim->machine_count && !sim->failed; i++) {
		struct sim_machine *machine = &sim->machines[i];

		if (machine->checked)
			continue;
		machine->checked = !is_busy(machine);
		left += !machine->checked;
		if (machine->checked)
			check_machine(sim, machine);
	}
	return left;
}

/* Names the first that keeps from coming to rest, and what both sides know of it. */
void check_restless(struct sim *sim, size_t left)
{
	struct endpoint_configuration_state state;
	struct endpoint_status status;
	struct fleet_computer shown = { 0 };
	const struct sim_machine *machine = sim->machines;

	while (machine->checked || !machine->up)
		machine++;
	endpoint_configuration_state(machine->endpoint, &state);
	endpoint_status(machine->endpoint, &status);
	fleet_show(machine->manager->fleet, &machine->computer, &shown, NULL);
	sim_fail(
	    sim,
	    "%zu machines do not come to rest; machine %u is %s:%s%s %llu events wait; the manager knows it as %s, "
	    "heard it %lld s ago, '%s' '%s'",
	    left, machine->index, link_direction_name(machine->direction),
	    state.under_way ? " a configuration is under way," : "", machine->dark ? " it goes a wrong way," : "",
	    (unsigned long long)status.events_waiting, link_direction_name(shown.direction),
	    (long long)((sim->now - shown.heard) / SECOND_US), shown.cause, shown.link_error);
}

/* The most that was seen of one that had much to tell is 41. Whoever asks, is answered at once and asks again for
 * nothing made 340 to 568 over the simulated network, and 75,000 on a real machine. */
#define REPLIES_A_MINUTE 200

void check_pace(struct sim_machine *machine)
{
	struct sim *sim = machine->sim;

	if (sim->now - machine->paced_since >= MINUTE_US) {
		machine->paced_since = sim->now;
		machine->paced = 0;
	}
	if (++machine->paced > REPLIES_A_MINUTE)
		sim_fail(sim, "machine %u asks, is answered at once and asks again, %u times in %lld s", machine->index,
			 machine->paced, (long long)((sim->now - machine->paced_since) / SECOND_US));
}

static void check_manager_end(struct sim_manager *manager)
{
	struct sim *sim = manager->sim;

	keys_end(manager);
	networks_end_check(manager);
	for (size_t i = 0; i < manager->store.command_count && !sim->failed; i++)
		check_command(manager, i);
	for (size_t i = 0; i < manager->store.computer_count && !sim->failed; i++) {
		struct sim_stored_computer *computer = &manager->store.computers[i];

		if (computer->online_events > computer->offline_events)
			sim_fail(sim, "computer %zu came back more often than it went", i);
		life_end(manager, computer);
		if (!sim->failed)
			check_alerts_end(manager, computer);
	}
}

void check_end(struct sim *sim)
{
	moves_check(sim);
	for (unsigned i = 0; i < sim->manager_count; i++)
		check_manager_end(&sim->managers[i]);
}
