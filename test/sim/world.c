/* Time, chance, the network, and what happens when. */
#include "world.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- chance: splitmix64 --- */

uint64_t sim_random(struct sim *sim)
{
	uint64_t z = (sim->random += 0x9e3779b97f4a7c15u);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

uint64_t sim_below(struct sim *sim, uint64_t bound)
{
	return bound == 0 ? 0 : sim_random(sim) % bound;
}

bool sim_chance(struct sim *sim, unsigned permille)
{
	return sim->chaos && sim->options.faults && sim_below(sim, 1000) < permille;
}

void sim_fail(struct sim *sim, const char *format, ...)
{
	va_list arguments;

	if (sim->failed)
		return;
	sim->failed = true;
	va_start(arguments, format);
	vsnprintf(sim->failure, sizeof(sim->failure), format, arguments);
	va_end(arguments);
}

void sim_log(struct sim *sim, const char *format, ...)
{
	va_list arguments;

	if (!sim->options.verbose)
		return;
	printf("%12.6f ", (double)sim->now / 1e6);
	va_start(arguments, format);
	vprintf(format, arguments);
	va_end(arguments);
	putchar('\n');
}

/* --- what happens when --- */

static bool before(const struct sim_event *a, const struct sim_event *b)
{
	return a->at < b->at || (a->at == b->at && a->order < b->order);
}

struct sim_event *sim_after(struct sim *sim, span_us delay, void (*run)(struct sim *sim, struct sim_event *event))
{
	struct sim_event *event = calloc(1, sizeof(*event));
	size_t index = sim->queue_count;

	if (event == NULL)
		abort();
	if (sim->queue_count == sim->queue_capacity) {
		sim->queue_capacity = sim->queue_capacity * 2 + 256;
		sim->queue = reallocarray(sim->queue, sim->queue_capacity, sizeof(struct sim_event *));
		if (sim->queue == NULL)
			abort();
	}
	event->at = sim->now + delay;
	event->order = ++sim->order;
	event->run = run;
	sim->queue_count++;
	while (index > 0 && before(event, sim->queue[(index - 1) / 2])) {
		sim->queue[index] = sim->queue[(index - 1) / 2];
		index = (index - 1) / 2;
	}
	sim->queue[index] = event;
	return event;
}

static struct sim_event *next_event(struct sim *sim)
{
	struct sim_event *first = sim->queue[0], *last = sim->queue[--sim->queue_count];
	size_t index = 0;

	for (;;) {
		size_t below = 2 * index + 1;

		if (below >= sim->queue_count)
			break;
		if (below + 1 < sim->queue_count && before(sim->queue[below + 1], sim->queue[below]))
			below++;
		if (!before(sim->queue[below], last))
			break;
		sim->queue[index] = sim->queue[below];
		index = below;
	}
	if (sim->queue_count > 0)
		sim->queue[index] = last;
	return first;
}

static void event_free(struct sim_event *event)
{
	free(event->bytes);
	free(event);
}

static void step(struct sim *sim)
{
	struct sim_event *event = next_event(sim);

	sim->now = event->at;
	event->run(sim, event);
	event_free(event);
	check_step(sim);
	sim->steps++;
}

/* --- network --- */

static span_us delay(struct sim *sim)
{
	if (sim_chance(sim, 50))
		return (span_us)sim_below(sim, 20 * SECOND_US);
	return (span_us)(1 + sim_below(sim, 80)) * MILLISECOND_US;
}

static void carry(struct sim *sim, void (*run)(struct sim *sim, struct sim_event *event), unsigned machine,
		  uint64_t generation, unsigned lane, uint64_t token, const void *bytes, size_t size)
{
	struct sim_event *event = sim_after(sim, delay(sim), run);

	event->machine = machine;
	event->generation = generation;
	event->lane = lane;
	event->token = token;
	event->size = size;
	event->bytes = malloc(size + 1);
	if (event->bytes == NULL)
		abort();
	if (size > 0)
		memcpy(event->bytes, bytes, size);
}

static bool lost(struct sim *sim, unsigned machine)
{
	return sim->machines[machine].dark || sim->now < sim->machines[machine].cut_until || sim_chance(sim, 30);
}

void network_request(struct sim_machine *machine, unsigned lane, uint64_t token, const struct buf *report)
{
	struct sim *sim = machine->sim;

	if (lost(sim, machine->index)) {
		if (sim_below(sim, 2) == 0) /* noticed at once, or only by the time-out */
			network_error(sim, machine->index, machine->generation, lane, token);
		return;
	}
	carry(sim, manager_request, machine->index, machine->generation, lane, token, report->data, report->size);
	if (sim_chance(sim, 20))
		carry(sim, manager_request, machine->index, machine->generation, lane, token, report->data,
		      report->size);
}

void network_reply(struct sim *sim, unsigned machine, uint64_t generation, unsigned lane, uint64_t token,
		   const void *bytes, size_t size)
{
	if (!lost(sim, machine))
		carry(sim, machine_reply, machine, generation, lane, token, bytes, size);
}

void network_error(struct sim *sim, unsigned machine, uint64_t generation, unsigned lane, uint64_t token)
{
	carry(sim, machine_no_reply, machine, generation, lane, token, NULL, 0);
}

/* --- signatures --- */

const struct envelope_key sim_key = { .fingerprint = { 1, 2, 3 }, .public_key = { 4, 5, 6 } };

void sim_digest(const void *data, size_t size, uint8_t out[SHA256_BYTES])
{
	const uint8_t *bytes = data;
	uint64_t hash = 0xcbf29ce484222325u;

	for (size_t i = 0; i < size; i++)
		hash = (hash ^ bytes[i]) * 0x100000001b3u;
	for (size_t i = 0; i < SHA256_BYTES; i++) {
		hash = (hash ^ i) * 0x100000001b3u;
		out[i] = (uint8_t)(hash >> 32);
	}
}

void sim_sign(const void *message, size_t size, uint8_t signature[ENVELOPE_SIGNATURE_BYTES])
{
	sim_digest(message, size, signature);
	memset(signature + SHA256_BYTES, 0x5a, ENVELOPE_SIGNATURE_BYTES - SHA256_BYTES);
}

bool sim_verify(void *context, const uint8_t key[ENVELOPE_KEY_BYTES], const void *message, size_t size,
		const uint8_t signature[ENVELOPE_SIGNATURE_BYTES])
{
	uint8_t expected[ENVELOPE_SIGNATURE_BYTES];

	(void)context;
	sim_sign(message, size, expected);
	return memcmp(key, sim_key.public_key, ENVELOPE_KEY_BYTES) == 0 &&
	       memcmp(signature, expected, sizeof(expected)) == 0;
}

/* --- what people and misfortune do --- */

static void do_scan(struct sim *sim, struct sim_machine *machine)
{
	manager_issue(sim, machine, COMMAND_SCAN, NULL);
}

static void do_restore(struct sim *sim, struct sim_machine *machine)
{
	struct uuid item = env_uuid(&machine->env);

	manager_issue(sim, machine, COMMAND_RESTORE, &item);
}

static void do_heartbeat(struct sim *sim, struct sim_machine *machine)
{
	manager_issue(sim, machine, COMMAND_HEARTBEAT, NULL);
}

static void do_pause(struct sim *sim, struct sim_machine *machine)
{
	const struct sim_job *job;

	if (machine->job_count == 0)
		return;
	job = &machine->jobs[sim_below(sim, machine->job_count)];
	manager_issue(sim, machine, sim_below(sim, 3) == 0 ? COMMAND_PAUSE : COMMAND_RESUME, &job->id);
}

static void do_cancel(struct sim *sim, struct sim_machine *machine)
{
	manager_cancel(sim, machine);
}

static void do_event(struct sim *sim, struct sim_machine *machine)
{
	uint64_t count = 1 + sim_below(sim, sim_below(sim, 6) == 0 ? 30 : 3);

	while (count-- > 0)
		machine_detect(machine);
}

static void do_state(struct sim *sim, struct sim_machine *machine)
{
	(void)sim;
	machine_new_state(machine);
}

static void do_item(struct sim *sim, struct sim_machine *machine)
{
	(void)sim;
	machine_new_item(machine);
}

static void do_configuration(struct sim *sim, struct sim_machine *machine)
{
	(void)machine;
	manager_new_configuration(sim);
}

static void do_kill_link(struct sim *sim, struct sim_machine *machine)
{
	(void)sim;
	machine_kill(machine, false);
}

static void do_power_off(struct sim *sim, struct sim_machine *machine)
{
	(void)sim;
	machine_kill(machine, true);
}

/* The process dies inside one of its next operations on the disk. */
static void do_die_inside(struct sim *sim, struct sim_machine *machine)
{
	machine->disk.crash_after = (int)(1 + sim_below(sim, 12));
}

static void do_kill_manager(struct sim *sim, struct sim_machine *machine)
{
	(void)machine;
	manager_kill(sim);
}

static void do_stall_manager(struct sim *sim, struct sim_machine *machine)
{
	(void)machine;
	if (sim->manager.up)
		sim->manager.stalled_until = sim->now + (span_us)(30 + sim_below(sim, 1800)) * SECOND_US;
}

static void do_cut(struct sim *sim, struct sim_machine *machine)
{
	machine->cut_until = sim->now + (span_us)(1 + sim_below(sim, sim_below(sim, 4) == 0 ? 4000 : 90)) * SECOND_US;
	manager_drop_machine(sim, machine->index);
}

static span_us some_jump(struct sim *sim)
{
	span_us jump = (span_us)sim_below(sim, (uint64_t)(sim_below(sim, 3) == 0 ? 3 * DAY_US : 10 * MINUTE_US));

	return sim_below(sim, 2) == 0 ? jump : -jump;
}

static void do_clock(struct sim *sim, struct sim_machine *machine)
{
	machine->clock_offset = sim_below(sim, 2) == 0 ? 0 : some_jump(sim);
	machine->clock_changed = sim->now;
	machine_poll(machine);
}

static void do_manager_clock(struct sim *sim, struct sim_machine *machine)
{
	(void)machine;
	sim->manager.clock_offset = sim_below(sim, 2) == 0 ? 0 : some_jump(sim);
}

static void do_damage(struct sim *sim, struct sim_machine *machine)
{
	(void)sim;
	disk_damage(&machine->disk);
	machine->damaged = true;
	machine_kill(machine, true);
}

static void do_clone(struct sim *sim, struct sim_machine *machine)
{
	if (!sim->clones || sim->machine_count == SIM_MACHINES_MAX || machine->index != 0 || machine->has_clone)
		return;
	machine_init(sim, (unsigned)sim->machine_count);
	machine_clone(machine, &sim->machines[sim->machine_count++]);
}

static const struct happening {
	void (*run)(struct sim *sim, struct sim_machine *machine);
	unsigned weight;
	bool fault;
} happenings[] = {
	{ do_event, 40, false },    { do_scan, 12, false },       { do_restore, 4, false },
	{ do_heartbeat, 3, false }, { do_pause, 5, false },       { do_cancel, 6, false },
	{ do_state, 5, false },     { do_item, 5, false },        { do_configuration, 2, false },
	{ do_clone, 2, false },     { do_kill_link, 3, true },    { do_power_off, 3, true },
	{ do_die_inside, 5, true }, { do_kill_manager, 2, true }, { do_stall_manager, 1, true },
	{ do_cut, 4, true },        { do_clock, 2, true },        { do_manager_clock, 1, true },
	{ do_damage, 1, true },
};

static void happen(struct sim *sim, struct sim_event *event)
{
	struct sim_machine *machine = &sim->machines[sim_below(sim, sim->machine_count)];
	uint64_t total = 0, at;

	(void)event;
	if (!sim->chaos)
		return;
	for (size_t i = 0; i < COUNT_OF(happenings); i++)
		total += happenings[i].weight;
	at = sim_below(sim, total);
	for (size_t i = 0; i < COUNT_OF(happenings); i++) {
		if (at < happenings[i].weight) {
			if (sim->options.faults || !happenings[i].fault)
				happenings[i].run(sim, machine);
			break;
		}
		at -= happenings[i].weight;
	}
	sim_after(sim, (span_us)sim_below(sim, sim_below(sim, 3) == 0 ? 120 : 8) * SECOND_US, happen);
}

/* --- a run --- */

static void build(struct sim *sim)
{
	size_t count = 1 + (size_t)sim_below(sim, 4);

	sim->clones = sim->options.faults && sim_below(sim, 6) == 0;
	sim->machine_count = count;
	for (unsigned i = 0; i < count; i++) {
		machine_init(sim, i);
		sim->machines[i].small_spool = sim_below(sim, 8) == 0;
		store_add_computer(sim, &sim->machines[i].computer, sim->machines[i].heartbeat_s);
	}
	manager_start(sim);
	manager_new_configuration(sim);
	for (unsigned i = 0; i < count; i++)
		machine_start(&sim->machines[i]);
	sim_after(sim, SECOND_US, happen);
}

/* No more faults, right clocks, whole network: all must come to rest. A manager that is stalled stays so to its end:
 * cut short, the stall would be one that the fleet need not forgive. */
static void heal(struct sim *sim)
{
	sim_log(sim, "healed");
	sim->chaos = false;
	sim->manager.clock_offset = 0;
	if (!sim->manager.up)
		manager_start(sim);
	for (size_t i = 0; i < sim->machine_count; i++) {
		struct sim_machine *machine = &sim->machines[i];

		machine->clock_changed = machine->clock_offset != 0 ? sim->now : machine->clock_changed;
		machine->clock_offset = 0;
		machine->cut_until = 0;
		machine->disk.crash_after = 0;
		for (size_t at = 0; at < machine->job_count; at++) {
			if (machine->jobs[at].paused)
				machine_unpause(machine, &machine->jobs[at]);
		}
	}
}

static void step_until(struct sim *sim, time_us end)
{
	while (!sim->failed && sim->queue_count > 0 && sim->queue[0]->at < end)
		step(sim);
}

/* What leads nowhere is tried again from time to time: not in the midst of that. */
static bool configuring(const struct sim *sim)
{
	struct endpoint_configuration_state state;

	for (size_t i = 0; i < sim->machine_count; i++) {
		if (!sim->machines[i].up)
			continue;
		endpoint_configuration_state(sim->machines[i].endpoint, &state);
		if (state.under_way)
			return true;
	}
	return false;
}

static void finish(struct sim *sim)
{
	step_until(sim, sim->now + 3 * HOUR_US);
	for (int i = 0; i < 10 && configuring(sim); i++)
		step_until(sim, sim->now + 5 * MINUTE_US);
	if (!sim->failed)
		check_end(sim);
}

static void tear_down(struct sim *sim)
{
	for (size_t i = 0; i < sim->machine_count; i++)
		machine_done(&sim->machines[i]);
	manager_done(sim);
	for (size_t i = 0; i < sim->queue_count; i++)
		event_free(sim->queue[i]);
	free(sim->queue);
	store_done(sim);
}

bool sim_run(const struct sim_options *options, char *text, size_t capacity, struct sim_counts *ret_counts)
{
	struct sim *sim = calloc(1, sizeof(*sim));
	bool good;

	if (sim == NULL)
		abort();
	sim->options = *options;
	sim->random = options->seed * 0x2545f4914f6cdd1du + 1;
	sim->chaos = true;
	build(sim);
	for (unsigned i = 0; i < options->steps && !sim->failed; i++)
		step(sim);
	heal(sim);
	finish(sim);
	good = !sim->failed;
	snprintf(text, capacity, "%s", sim->failure);
	ret_counts->steps += sim->steps;
	ret_counts->exchanges += sim->exchanges;
	ret_counts->crashes += sim->crashes;
	ret_counts->commands += sim->commands;
	for (size_t i = 0; i < sim->store.computer_count; i++)
		ret_counts->events += sim->store.computers[i].event_count;
	ret_counts->simulated += sim->now;
	tear_down(sim);
	free(sim);
	return good;
}
