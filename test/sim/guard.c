/* A machine's guard: the work of commands, which outlives crashes of the link,
 * and an outbox of events until the link has them on disk. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "world.h"

#define SIM_JOBS_MAX 512

/* --- the work of commands --- */

static struct sim_job *find_job(struct sim_machine *machine, const struct uuid *id)
{
	for (size_t i = 0; i < machine->job_count; i++) {
		if (uuid_equal(&machine->jobs[i].id, id))
			return &machine->jobs[i];
	}
	return NULL;
}

static void tell_end(struct sim *sim, struct sim_event *event);

static void tell_later(struct sim_machine *machine, struct sim_job *job)
{
	struct sim_event *event =
	    sim_after(machine->sim, (span_us)sim_below(machine->sim, 200) * MILLISECOND_US, tell_end);

	event->machine = machine->index;
	event->generation = machine->generation;
	event->number = (uint64_t)(job - machine->jobs);
}

/* Guard tells the end until the link has it on disk. */
static void tell_end(struct sim *sim, struct sim_event *event)
{
	struct sim_machine *machine = &sim->machines[event->machine];
	struct sim_job *job = &machine->jobs[event->number];
	int rc;

	if (!machine->up || event->generation != machine->generation || job->told)
		return;
	rc = endpoint_end(machine->endpoint, &job->id, job->state, "", "", NULL, 0, NULL);
	if (rc == 0 && !machine->disk.dead)
		job->told = true;
	else if (rc != ERR_NOT_FOUND && !machine->disk.dead)
		tell_later(machine, job);
	machine_poll(machine);
}

static void end_job(struct sim_machine *machine, struct sim_job *job, enum command_state state)
{
	sim_log(machine->sim, "m%u: job %zu ends %s", machine->index, (size_t)(job - machine->jobs),
		command_state_name(state));
	job->state = state;
	tell_later(machine, job);
}

static void job_due(struct sim *sim, struct sim_event *event)
{
	struct sim_machine *machine = &sim->machines[event->machine];
	struct sim_job *job = &machine->jobs[event->number];

	if (event->number >= machine->job_count || command_ended(job->state) || job->paused || sim->now < job->ends_at)
		return;
	end_job(machine, job, job->outcome);
}

static void schedule_job(struct sim_machine *machine, struct sim_job *job)
{
	struct sim_event *event;

	job->ends_at = machine->sim->now + job->left;
	event = sim_after(machine->sim, job->left, job_due);
	event->machine = machine->index;
	event->number = (uint64_t)(job - machine->jobs);
}

static int begin_job(struct sim_machine *machine, const struct uuid *id, struct err *err)
{
	struct sim *sim = machine->sim;
	struct sim_job *job = find_job(machine, id);

	if (job != NULL) {
		job->begun++;
		sim_fail(sim, "a command was begun twice");
		return err_set(err, ERR_EXISTS, "begun already");
	}
	if (machine->job_count == SIM_JOBS_MAX)
		return err_set(err, ERR_BUSY, "too many jobs");
	if (machine->job_count == machine->job_capacity) {
		machine->job_capacity = machine->job_capacity * 2 + 8;
		machine->jobs = reallocarray(machine->jobs, machine->job_capacity, sizeof(*machine->jobs));
		if (machine->jobs == NULL)
			abort();
	}
	job = &machine->jobs[machine->job_count++];
	*job = (struct sim_job){ .id = *id, .begun = 1, .state = COMMAND_RUNNING };
	job->outcome = sim_below(sim, 5) == 0 ? COMMAND_FAILED : COMMAND_SUCCEEDED;
	job->left = (span_us)(1 + sim_below(sim, sim_below(sim, 4) == 0 ? 900 : 30)) * SECOND_US;
	sim_log(sim, "m%u: job %zu begins", machine->index, machine->job_count - 1);
	schedule_job(machine, job);
	return 0;
}

void guard_unpause(struct sim_machine *machine, struct sim_job *job)
{
	job->paused = false;
	schedule_job(machine, job);
}

/* --- what the link asks of it --- */

static int actor_start(void *context, const struct endpoint_command *command, struct err *err)
{
	struct sim_machine *machine = context;
	struct sim_job *job;

	if (machine->disk.dead)
		return 0;
	if (command->kind == COMMAND_MOVE)
		return moves_command(machine, command, err);
	if (!command->again)
		return begin_job(machine, &command->id, err);
	job = find_job(machine, &command->id);
	if (job == NULL)
		return err_set(err, ERR_NOT_FOUND, "nothing of it is left");
	if (command_ended(job->state)) {
		job->told = false;
		tell_later(machine, job);
	}
	return 0;
}

static int pause_job(struct sim_machine *machine, struct sim_job *job)
{
	if (!job->paused) {
		job->paused = true;
		job->left = job->ends_at - machine->sim->now;
	}
	return 0;
}

static int resume_job(struct sim_machine *machine, struct sim_job *job)
{
	if (job->paused)
		guard_unpause(machine, job);
	return 0;
}

static int cancel_job(struct sim_machine *machine, struct sim_job *job)
{
	end_job(machine, job, COMMAND_CANCELLED);
	return 0;
}

/* What guard is asked about a job, at once or when the asking has arrived. */
struct steering {
	struct uuid job, by;
	int (*steer)(struct sim_machine *machine, struct sim_job *job);
};

static int steer(struct sim_machine *machine, const struct steering *steering, struct err *err)
{
	struct sim_job *job = find_job(machine, &steering->job);

	if (job == NULL || command_ended(job->state))
		return err_set(err, ERR_NOT_FOUND, "no such job");
	return steering->steer(machine, job);
}

static void steer_later(struct sim *sim, struct sim_event *event)
{
	struct sim_machine *machine = &sim->machines[event->machine];
	struct steering steering;
	int rc;

	if (!machine->up || event->generation != machine->generation || machine->disk.dead)
		return;
	memcpy(&steering, event->bytes, sizeof(steering));
	rc = steer(machine, &steering, NULL);
	endpoint_end(machine->endpoint, &steering.by, rc == 0 ? COMMAND_SUCCEEDED : COMMAND_FAILED, "", "", NULL, 0,
		     NULL);
	machine_poll(machine);
}

static int ask(struct sim_machine *machine, const struct steering *steering, struct err *err)
{
	struct sim_event *event;

	if (machine->disk.dead)
		return 0;
	if (uuid_is_zero(&steering->by) || sim_below(machine->sim, 3) == 0)
		return steer(machine, steering, err);
	event = sim_after(machine->sim, (span_us)sim_below(machine->sim, 2000) * MILLISECOND_US, steer_later);
	event->machine = machine->index;
	event->generation = machine->generation;
	event->bytes = malloc(sizeof(*steering));
	if (event->bytes == NULL)
		abort();
	memcpy(event->bytes, steering, sizeof(*steering));
	return ENDPOINT_UNDER_WAY;
}

static struct uuid id_or_none(const struct uuid *id)
{
	return id != NULL ? *id : (struct uuid){ { 0 } };
}

static int actor_pause(void *context, const struct uuid *id, const struct uuid *by, struct err *err)
{
	return ask(context, &(struct steering){ *id, id_or_none(by), pause_job }, err);
}

static int actor_resume(void *context, const struct uuid *id, const struct uuid *by, struct err *err)
{
	return ask(context, &(struct steering){ *id, id_or_none(by), resume_job }, err);
}

static int actor_cancel(void *context, const struct uuid *id, const struct uuid *by, struct err *err)
{
	return ask(context, &(struct steering){ *id, id_or_none(by), cancel_job }, err);
}

static void actor_upload(void *context, const struct uuid *item)
{
	(void)context;
	(void)item;
}

void guard_act(struct sim_machine *machine, struct endpoint_actor *actor)
{
	actor->context = machine;
	actor->start = actor_start;
	actor->pause = actor_pause;
	actor->resume = actor_resume;
	actor->cancel = actor_cancel;
	actor->upload = actor_upload;
}

/* --- outbox --- */

/* As the daemons do: hand over, make durable, forget what the link has. */
void guard_pump(struct sim_machine *machine)
{
	uint64_t durable;
	size_t kept = 0;

	if (!machine->up || machine->outbox_count == 0)
		return;
	for (size_t i = 0; i < machine->outbox_count; i++) {
		const struct sim_notice *notice = &machine->outbox[i];
		char payload[24];
		int size = snprintf(payload, sizeof(payload), "%llu", (unsigned long long)notice->payload);
		const struct event_field field = { "payload", { (const uint8_t *)payload, (size_t)size } };

		endpoint_event(machine->endpoint, notice->source, notice->type, env_wall(&machine->env), &field, 1,
			       NULL);
	}
	if (endpoint_flush(machine->endpoint, NULL) != 0 || machine->disk.dead)
		return;
	durable = endpoint_source(machine->endpoint);
	for (size_t i = 0; i < machine->outbox_count; i++) {
		if (machine->outbox[i].source > durable)
			machine->outbox[kept++] = machine->outbox[i];
	}
	machine->outbox_count = kept;
}

static void grow_bits(uint8_t **bits, size_t from, size_t to)
{
	*bits = realloc(*bits, to);
	if (*bits == NULL)
		abort();
	memset(*bits + from, 0, to - from);
}

/* Room to note that the manager has the next payload. */
static void make_bit(struct sim_machine *machine)
{
	size_t needed = (size_t)(machine->made + 1) / 8 + 1, size = machine->stored_size + 64;

	if (needed <= machine->stored_size)
		return;
	grow_bits(&machine->stored, machine->stored_size, size);
	grow_bits(&machine->excused, machine->stored_size, size);
	machine->stored_size = size;
}

void guard_detect(struct sim_machine *machine)
{
	static const uint32_t types[] = { EVENT_MALWARE_DETECTED, EVENT_SCAN_FINISHED, EVENT_NOT_FULLY_SCANNED,
					  EVENT_QUARANTINED };

	if (machine->outbox_count == machine->outbox_capacity) {
		machine->outbox_capacity = machine->outbox_capacity * 2 + 16;
		machine->outbox = reallocarray(machine->outbox, machine->outbox_capacity, sizeof(*machine->outbox));
		if (machine->outbox == NULL)
			abort();
	}
	make_bit(machine);
	machine->outbox[machine->outbox_count++] = (struct sim_notice){
		.source = ++machine->next_source,
		.payload = (uint64_t)(machine->index + 1) * SIM_PAYLOADS + ++machine->made,
		.type = types[sim_below(machine->sim, COUNT_OF(types))],
	};
	machine_poll(machine);
}
