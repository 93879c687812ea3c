/* A machine: guard (keeps jobs and an outbox over crashes of the link), the
 * link's shell around the endpoint, and what crashes do to both. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "world.h"

/* --- environment --- */

static time_us machine_wall(void *context)
{
	struct sim_machine *machine = context;

	return SIM_START_WALL + machine->sim->now + machine->clock_offset;
}

static time_us machine_monotonic(void *context)
{
	struct sim_machine *machine = context;

	return machine->sim->now - machine->booted;
}

static void machine_random(void *context, void *out, size_t size)
{
	const struct sim_machine *machine = context;

	sim_random_bytes(machine->sim, out, size);
}

/* --- guard: jobs --- */

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

void machine_unpause(struct sim_machine *machine, struct sim_job *job)
{
	job->paused = false;
	schedule_job(machine, job);
}

/* --- the actor --- */

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
		machine_unpause(machine, job);
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

static void rekey_answered(struct sim *sim, struct sim_event *event);

static void detected(struct sim *sim, struct sim_event *event)
{
	machine_detect(&sim->machines[event->machine]);
}

/* Asks for another identity, as the link does: that takes its time. */
static void actor_rekey(void *context)
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

static bool actor_leaves(void *context)
{
	const struct sim_machine *machine = context;

	return machine->rekey_asked && machine->sim->options.broken != BREAK_LEAVES_TALKING;
}

static void actor_trace(void *context, const struct uuid *id, const char *from, const char *to)
{
	const struct sim_machine *machine = context;
	char text[UUID_TEXT_BYTES];

	uuid_format(id, text);
	sim_log(machine->sim, "m%u: command %s %s -> %s", machine->index, text + 24, from, to);
}

/* --- guard: outbox --- */

/* As the daemons do: hand over, make durable, forget what the link has. */
static void pump(struct sim_machine *machine)
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

		endpoint_event(machine->endpoint, notice->source, notice->type, machine_wall(machine), &field, 1, NULL);
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

void machine_detect(struct sim_machine *machine)
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

/* --- state --- */

static void give_host(struct sim_machine *machine)
{
	Muster__Wire__Host host = MUSTER__WIRE__HOST__INIT;

	machine->direction = endpoint_direction(machine->endpoint);
	host.direction = machine->direction;
	host.listen_port = machine->direction == LINK_AGENT_INITIATED ? 0 : 21112;
	networks_tell(machine, &host);
	endpoint_host(machine->endpoint, &host, NULL);
}

void machine_new_address(struct sim_machine *machine)
{
	manager_drop_machine(machine);
	if (!machine->up)
		return;
	give_host(machine);
	endpoint_hurry(machine->endpoint);
	machine_poll(machine);
}

static void give_component(struct sim_machine *machine)
{
	Muster__Wire__Component component = MUSTER__WIRE__COMPONENT__INIT;
	char version[16];
	char name[] = "guard", state[] = "working";

	snprintf(version, sizeof(version), "%u", machine->component_state);
	component.name = name;
	component.state = state;
	component.version = version;
	endpoint_component(machine->endpoint, &component, NULL);
}

static void give_item(struct sim_machine *machine, unsigned index)
{
	Muster__Wire__QuarantineItem item = MUSTER__WIRE__QUARANTINE_ITEM__INIT;
	uint8_t digest[SHA256_BYTES] = { 0 };
	char detection[] = "Eicar";

	item.id = exchange_bytes(machine->items[index].bytes, UUID_BYTES);
	item.path = exchange_bytes("/tmp/x", 6);
	item.sha256 = exchange_bytes(digest, sizeof(digest));
	item.detection = detection;
	item.state = (Muster__Wire__QuarantineItem__State)machine->item_states[index];
	endpoint_item(machine->endpoint, &item, NULL);
}

void machine_new_state(struct sim_machine *machine)
{
	machine->component_state++;
	if (machine->up) {
		give_component(machine);
		machine_poll(machine);
	}
}

void machine_new_item(struct sim_machine *machine)
{
	unsigned index;

	if (machine->item_count < SIM_ITEMS_MAX && sim_below(machine->sim, 2) == 0) {
		index = machine->item_count++;
		machine->items[index] = env_uuid(&machine->env);
		machine->item_states[index] = 0;
	} else if (machine->item_count > 0) {
		index = (unsigned)sim_below(machine->sim, machine->item_count);
		machine->item_states[index] = 1;
	} else {
		return;
	}
	if (machine->up) {
		give_item(machine, index);
		machine_poll(machine);
	}
}

/* --- talking --- */

static void wake(struct sim *sim, struct sim_event *event)
{
	struct sim_machine *machine = &sim->machines[event->machine];

	if (event->generation != machine->generation || !machine->up)
		return;
	machine->wake_at = INT64_MAX;
	machine_poll(machine);
}

static void gave_up(struct sim *sim, struct sim_event *event)
{
	struct sim_machine *machine = &sim->machines[event->machine];

	if (!machine->up || event->generation != machine->generation ||
	    machine->lane_token[event->lane] != event->token)
		return;
	machine->lane_token[event->lane] = 0;
	endpoint_failed(machine->endpoint, (enum endpoint_lane)event->lane, ERR_TIMEOUT, "no answer", 0);
	machine_poll(machine);
}

static void send_report(struct sim_machine *machine, enum endpoint_lane lane)
{
	struct sim *sim = machine->sim;
	struct sim_event *timer;
	struct err err = { 0 };
	struct buf report;
	uint32_t hold_s = 0;

	buf_init(&report, WIRE_REPORT_MAX_BYTES);
	if (endpoint_report(machine->endpoint, lane, &report, &hold_s, &err) != 0) {
		sim_fail(sim, "a report could not be made: %s", err.text);
	} else if (!machine->disk.dead) {
		machine->lane_token[lane] = ++sim->token;
		network_request(machine, lane, sim->token, &report);
		timer = sim_after(sim, (span_us)(hold_s + 30) * SECOND_US, gave_up);
		timer->machine = machine->index;
		timer->generation = machine->generation;
		timer->lane = lane;
		timer->token = sim->token;
	}
	buf_done(&report);
}

static bool talk(struct sim_machine *machine)
{
	time_us now = machine_monotonic(machine);
	bool talked = false;

	for (unsigned lane = 0; lane < ENDPOINT_LANES; lane++) {
		if (endpoint_next(machine->endpoint, (enum endpoint_lane)lane) > now || machine->disk.dead)
			continue;
		send_report(machine, (enum endpoint_lane)lane);
		talked = true;
	}
	return talked;
}

static time_us next_wake(const struct sim_machine *machine)
{
	time_us at = endpoint_due(machine->endpoint);

	for (unsigned lane = 0; lane < ENDPOINT_LANES; lane++) {
		time_us next = endpoint_next(machine->endpoint, (enum endpoint_lane)lane);

		at = next < at ? next : at;
	}
	return moves_due(machine) < at ? moves_due(machine) : at;
}

void machine_poll(struct sim_machine *machine)
{
	struct sim *sim = machine->sim;
	struct sim_event *event;
	time_us at;

	if (!machine->up)
		return;
	pump(machine);
	if (!machine->disk.dead)
		moves_tell_switch(machine);
	if (endpoint_direction(machine->endpoint) != machine->direction) {
		sim_log(sim, "m%u: is now %s", machine->index,
			link_direction_name(endpoint_direction(machine->endpoint)));
		give_host(machine);
	}
	if (endpoint_due(machine->endpoint) <= machine_monotonic(machine))
		endpoint_tick(machine->endpoint, NULL);
	while (!sim->failed && !machine->disk.dead && talk(machine))
		continue;
	if (machine->disk.dead) {
		machine_kill(machine, sim_below(sim, 2) == 0);
		return;
	}
	if (moves_leaves(machine)) {
		machine_start_anew(machine);
		return;
	}
	at = next_wake(machine);
	if (machine->outbox_count > 0 && at > machine_monotonic(machine) + SECOND_US)
		at = machine_monotonic(machine) + SECOND_US; /* the disk failed; try again */
	if (at >= machine->wake_at || at == INT64_MAX)
		return;
	machine->wake_at = at;
	at -= machine_monotonic(machine);
	event = sim_after(sim, at > 0 ? at : 0, wake);
	event->machine = machine->index;
	event->generation = machine->generation;
}

/* BREAK_LEAVES_TALKING matters where what it then tells is stored, and it does not hear of it. */
static bool talks_on(const struct sim_machine *machine)
{
	return machine->rekey_asked && machine->sim->options.broken == BREAK_LEAVES_TALKING;
}

void machine_reply(struct sim *sim, struct sim_event *event)
{
	struct sim_machine *machine = &sim->machines[event->machine];
	struct err err = { 0 };

	if (!machine->up || event->generation != machine->generation ||
	    machine->lane_token[event->lane] != event->token || machine_is_cut(machine) || talks_on(machine))
		return;
	machine->lane_token[event->lane] = 0;
	if (endpoint_reply(machine->endpoint, (enum endpoint_lane)event->lane, event->bytes, event->size, &err) != 0)
		sim_fail(sim, "a reply was not understood: %s", err.text);
	sim->counts.exchanges++;
	check_pace(machine);
	machine_poll(machine);
}

void machine_no_reply(struct sim *sim, struct sim_event *event)
{
	struct sim_machine *machine = &sim->machines[event->machine];

	if (!machine->up || event->generation != machine->generation ||
	    machine->lane_token[event->lane] != event->token)
		return;
	machine->lane_token[event->lane] = 0;
	endpoint_failed(machine->endpoint, (enum endpoint_lane)event->lane, ERR_CONNECT, "refused",
			sim_below(sim, 8) == 0 ? 5 * SECOND_US : 0);
	machine_poll(machine);
}

/* --- life --- */

bool machine_is_cut(const struct sim_machine *machine)
{
	const struct sim *sim = machine->sim;

	return sim->now < machine->cut_until || sim->now < sim->site_cut_until[machine->site];
}

static uint64_t some_heartbeat_s(struct sim *sim)
{
	static const uint64_t small[] = { 10, 60, 600 };
	uint64_t draw;

	if (!sim->large)
		return small[sim_below(sim, COUNT_OF(small))];
	draw = sim_below(sim, 200);
	return draw < 2 ? 60 : draw < 20 ? 300 : draw < 40 ? 1800 : draw < 41 ? 7200 : 600;
}

void machine_init(struct sim *sim, unsigned index)
{
	struct sim_machine *machine = &sim->machines[index];

	*machine = (struct sim_machine){ .sim = sim, .index = index, .generation = 1, .delicate = index % 2 == 0 };
	machine->manager = &sim->managers[sim_below(sim, sim->manager_count)];
	machine->certificate = ++sim->token;
	machine->enrolled_key = keys_present(machine->manager);
	snprintf(machine->name, sizeof(machine->name), "m%u", index);
	moves_init(machine);
	machine->env = (struct env){ machine, machine_wall, machine_monotonic, machine_random };
	machine->heartbeat_s = some_heartbeat_s(sim);
	if (sim->large)
		presence_init(machine);
	machine->computer = env_uuid(&machine->env);
	disk_init(&machine->disk, sim);
	machine->disk.lies = sim->options.broken == BREAK_NO_SYNC;
}

void machine_done(struct sim_machine *machine)
{
	endpoint_free(machine->endpoint);
	machine->endpoint = NULL;
	disk_done(&machine->disk);
	free(machine->outbox);
	free(machine->jobs);
	free(machine->stored);
	free(machine->excused);
	snapshot_free(machine->snapshot);
	moves_done(machine);
}

static void restart(struct sim *sim, struct sim_event *event)
{
	struct sim_machine *machine = &sim->machines[event->machine];

	if (!machine->up && event->generation == machine->generation)
		machine_start(machine);
}

static void start_later(struct sim_machine *machine, span_us wait)
{
	struct sim_event *event = sim_after(machine->sim, wait, restart);

	event->machine = machine->index;
	event->generation = machine->generation;
}

/* Networks that cut idle connections: asked every so often instead of held. */
static span_us own_poll(const struct sim_machine *machine)
{
	if (!machine->sim->large)
		return machine->index == 3 ? 20 * SECOND_US : 0;
	return machine->index % 5 == 3 ? (span_us)machine->heartbeat_s * SECOND_US : 0; /* as in configuring.c */
}

static void open_endpoint(struct sim_machine *machine)
{
	struct sim *sim = machine->sim;
	const struct envelope_key key = keys_of_machine(machine);
	const struct endpoint_options options = {
		.env = &machine->env,
		.storage = disk_storage(&machine->disk),
		.actor = { machine, actor_start, actor_pause, actor_resume, actor_cancel, actor_upload, actor_rekey,
			   .leaves = actor_leaves, .configurer = configuring_shell(), .trace = actor_trace },
		.computer = machine->computer,
		.keys = &key,
		.key_count = 1,
		.verify = sim_verify,
		.digest = sim_digest,
		.heartbeat_us = (span_us)machine->heartbeat_s * SECOND_US,
		.poll_us = own_poll(machine),
		.spool_events = machine->small_spool ? 12 : 0,
	};
	struct err err = { 0 };

	if (sim->options.broken == BREAK_JOURNAL_LOST) {
		buf_reset(&machine->disk.files[1].durable);
		buf_reset(&machine->disk.files[1].pending);
	}
	machine->disk.error_ppm = sim->options.faults ? sim->weather.disk_fails : 0;
	machine->wake_at = INT64_MAX;
	machine->dark = false;
	machine->up = true;
	memset(machine->lane_token, 0, sizeof(machine->lane_token));
	if (endpoint_new(&options, &machine->endpoint, &err) != 0) {
		machine->up = false; /* the disk failed; the supervisor tries again */
		machine->endpoint = NULL;
		if (!sim->chaos && !machine->disk.dead)
			sim_fail(sim, "an endpoint does not start: %s", err.text);
		machine->generation++;
		disk_process_died(&machine->disk);
		start_later(machine, SECOND_US);
		return;
	}
	if (!machine->disk.dead) {
		give_host(machine);
		give_component(machine);
		for (unsigned i = 0; i < machine->item_count; i++)
			give_item(machine, i);
	}
	if (sim->large)
		presence_begin(machine);
	moves_say_farewell(machine);
	machine_poll(machine);
}

void machine_start(struct sim_machine *machine)
{
	if (moves_begin(machine)) {
		open_endpoint(machine);
		return;
	}
	machine->generation++;
	disk_process_died(&machine->disk);
	start_later(machine, SECOND_US);
}

/* The link's process is gone. */
static void end(struct sim_machine *machine, bool power)
{
	struct sim *sim = machine->sim;

	endpoint_free(machine->endpoint);
	machine->endpoint = NULL;
	machine->up = false;
	machine->rekey_asked = false;
	machine->generation++;
	if (power) {
		disk_power_lost(&machine->disk);
		machine->booted = sim->now - (time_us)sim_below(sim, 1000) * SECOND_US;
	} else {
		disk_process_died(&machine->disk);
	}
	manager_drop_machine(machine);
}

void machine_kill(struct sim_machine *machine, bool power)
{
	struct sim *sim = machine->sim;

	if (!machine->up)
		return;
	sim_log(sim, "m%u: %s", machine->index, power ? "loses power" : "link is killed");
	sim->counts.crashes++;
	end(machine, power);
	start_later(machine, (span_us)sim_below(sim, sim->chaos && sim_below(sim, 5) == 0 ? 3600 : 20) * SECOND_US);
}

void machine_leave(struct sim_machine *machine, time_us until)
{
	struct sim *sim = machine->sim;

	if (!machine->up)
		return;
	sim_log(sim, "m%u: switched off", machine->index);
	end(machine, sim_below(sim, 20) == 0);
	start_later(machine, until - sim->now);
}

void machine_start_anew(struct sim_machine *machine)
{
	end(machine, false);
	start_later(machine, (span_us)sim_below(machine->sim, 3000) * MILLISECOND_US);
}

/* Whoever is off is switched on. */
void machine_come_back(struct sim_machine *machine)
{
	if (machine->up)
		return;
	machine->generation++;
	start_later(machine, (span_us)sim_below(machine->sim, 120) * SECOND_US);
}

/* The whole disk is copied and the copy started beside the original. */
void machine_clone(struct sim_machine *from, struct sim_machine *to)
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

bool shares_identity(const struct sim_machine *machine)
{
	return store_machine(machine)->holders > 1;
}

void machine_left(struct sim *sim, struct sim_stored_computer *computer)
{
	computer->holders--;
	computer->life.alone_from = sim->now;
	for (size_t i = 0; i < sim->machine_count; i++) {
		if (uuid_equal(&sim->machines[i].computer, &computer->record.id))
			computer->machine = (unsigned)i;
	}
}

/* Its last word as this computer is said. A sector that goes bad just then is found at the next start. */
void machine_leaves_identity(struct sim_machine *machine)
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

void machine_took(struct sim_machine *machine)
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
	machine_leaves_identity(machine);
	machine->computer = env_uuid(&machine->env);
	machine->certificate = ++sim->token;
	snprintf(machine->name, sizeof(machine->name), "m%u-%zu", machine->index,
		 machine->manager->store.computer_count + 1);
	machine->enrolled_key = keys_present(machine->manager); /* as the answer to its enrolment says */
	buf_reset(&machine->disk.files[3].durable);
	former->abandoned = former->holders == 1;
	machine_left(sim, former);
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
