/* A machine: the link's shell around the endpoint, its state and its talk with
 * the manager, and what crashes do to it. */
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

static void trace_command(void *context, const struct uuid *id, const char *from, const char *to)
{
	const struct sim_machine *machine = context;
	char text[UUID_TEXT_BYTES];

	uuid_format(id, text);
	sim_log(machine->sim, "m%u: command %s %s -> %s", machine->index, text + 24, from, to);
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
	requests_drop(machine);
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
	guard_pump(machine);
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
	struct endpoint_options options = {
		.env = &machine->env,
		.storage = disk_storage(&machine->disk),
		.actor = { .configurer = configuring_shell(), .trace = trace_command },
		.computer = machine->computer,
		.machine = { { (uint8_t)(machine->index >> 8), (uint8_t)machine->index, 1 } },
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
	guard_act(machine, &options.actor);
	copies_act(&options.actor);
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
	requests_drop(machine);
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
