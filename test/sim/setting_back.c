/* A machine is set back to an earlier state of its disk, as a snapshot of a
 * virtual machine or a backup has it. What it recorded since and the manager
 * does not have is gone, and nobody's fault; what it records from then on it
 * numbers as before, and has to arrive. */
#include <stdlib.h>
#include <string.h>

#include "world.h"

struct sim_snapshot {
	struct sim_disk disk;
	struct sim_identity identity;
	uint64_t next_source, made;
	struct sim_job *jobs;
	size_t job_count;
	time_us taken;
	unsigned configured[SIM_COMPONENTS];
	bool damaged;
};

void snapshot_free(struct sim_snapshot *snapshot)
{
	if (snapshot == NULL)
		return;
	disk_done(&snapshot->disk);
	free(snapshot->jobs);
	free(snapshot);
}

static void drop(struct sim_machine *machine)
{
	snapshot_free(machine->snapshot);
	machine->snapshot = NULL;
}

/* What guard has recorded and link has not taken yet would be recorded by link once more: a moment without any of it.
 */
static bool is_quiet(const struct sim_machine *machine)
{
	return machine->outbox_count == 0 && !machine->disk.dead && !moves_under_way(machine) && !machine->rekey_asked;
}

void snapshot_take(struct sim_machine *machine)
{
	struct sim_snapshot *snapshot;

	if (!is_quiet(machine))
		return;
	drop(machine);
	snapshot = calloc(1, sizeof(*snapshot));
	if (snapshot == NULL)
		abort();
	snapshot->jobs = calloc(machine->job_count + 1, sizeof(*snapshot->jobs));
	if (snapshot->jobs == NULL)
		abort();
	if (machine->job_count > 0)
		memcpy(snapshot->jobs, machine->jobs, machine->job_count * sizeof(*snapshot->jobs));
	snapshot->job_count = machine->job_count;
	disk_init(&snapshot->disk, machine->sim);
	disk_copy(&snapshot->disk, &machine->disk);
	snapshot->identity = moves_identity(machine);
	snapshot->next_source = machine->next_source;
	snapshot->made = machine->made;
	snapshot->taken = machine->sim->now;
	snapshot->damaged = machine->damaged;
	memcpy(snapshot->configured, machine->configured, sizeof(snapshot->configured));
	machine->snapshot = snapshot;
	sim_log(machine->sim, "m%u: a snapshot is taken", machine->index);
}

/* The manager may have given it another certificate since, or another that followed; not another membership. */
static bool is_same(const struct sim_identity *one, const struct sim_identity *other)
{
	const struct sim_stored_computer *computer = store_computer(other->manager, &one->computer);

	if (!joining_admits(computer, one->certificate) && !joining_rekeys(other->manager, computer, one->certificate))
		return false;
	return one->manager == other->manager && uuid_equal(&one->computer, &other->computer);
}

/* What was recorded since and is not stored is nowhere any more. */
static void excuse(struct sim_machine *machine, uint64_t kept)
{
	for (uint64_t i = kept + 1; i <= machine->made; i++) {
		uint8_t bit = (uint8_t)(1u << i % 8);

		if ((machine->stored[i / 8] & bit) == 0)
			machine->excused[i / 8] |= bit;
	}
}

void excuse_unstored(struct sim_machine *machine)
{
	excuse(machine, 0);
}

/* As they stood: what ran has as long to go as it had. */
static void restore_jobs(struct sim_machine *machine, const struct sim_snapshot *snapshot)
{
	machine->job_count = snapshot->job_count;
	for (size_t i = 0; i < snapshot->job_count; i++) {
		struct sim_job *job = &machine->jobs[i];

		*job = snapshot->jobs[i];
		if (command_ended(job->state) || job->paused)
			continue;
		job->left = job->ends_at > snapshot->taken ? job->ends_at - snapshot->taken : 0;
		guard_unpause(machine, job);
	}
}

void snapshot_restore(struct sim_machine *machine)
{
	const struct sim_snapshot *snapshot = machine->snapshot;
	struct sim_identity identity = moves_identity(machine);

	if (snapshot == NULL || moves_under_way(machine))
		return;
	if (!is_same(&snapshot->identity, &identity)) { /* it would be a second one with that identity, if anything */
		drop(machine);
		return;
	}
	sim_log(machine->sim, "m%u: is set back by %lld s", machine->index,
		(long long)((machine->sim->now - snapshot->taken) / SECOND_US));
	machine_leave(machine, machine->sim->now + (span_us)sim_below(machine->sim, 60) * SECOND_US);
	machine->sim->counts.set_back++;
	machine->was_set_back = true;
	machine->certificate = snapshot->identity.certificate; /* its manager may have given it another one since */
	machine->damaged |= snapshot->damaged;
	excuse(machine, snapshot->made);
	machine->outbox_count = 0;
	machine->next_source = snapshot->next_source;
	restore_jobs(machine, snapshot);
	disk_copy(&machine->disk, &snapshot->disk);
	disk_process_died(&machine->disk);
	memcpy(machine->configured, snapshot->configured, sizeof(machine->configured));
}
