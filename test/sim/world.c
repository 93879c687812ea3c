/* Time, chance, the network, and a run from its start to its end. */
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

void sim_random_bytes(struct sim *sim, void *out, size_t size)
{
	uint8_t *bytes = out;

	for (size_t at = 0; at < size; at += sizeof(uint64_t)) {
		uint64_t number = sim_random(sim);

		memcpy(bytes + at, &number, size - at < sizeof(number) ? size - at : sizeof(number));
	}
}

bool sim_chance(struct sim *sim, unsigned permille)
{
	return sim_rare(sim, permille * 1000);
}

bool sim_rare(struct sim *sim, unsigned ppm)
{
	return sim->chaos && sim->options.faults && sim_below(sim, 1000000) < ppm;
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
	sim_log(sim, "%s", sim->failure);
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

static void step(struct sim *sim)
{
	struct sim_event *event = queue_take(&sim->queue);

	sim->now = event->at;
	event->run(sim, event);
	queue_free_event(&sim->queue, event);
	check_step(sim);
	sim->counts.steps++;
}

/* --- network --- */

span_us network_delay(struct sim *sim)
{
	if (sim_rare(sim, sim->weather.late))
		return (span_us)sim_below(sim, 20 * SECOND_US);
	return (span_us)(1 + sim_below(sim, 80)) * MILLISECOND_US;
}

static struct sim_event *carry(struct sim *sim, void (*run)(struct sim *sim, struct sim_event *event), unsigned machine,
			       uint64_t generation, unsigned lane, uint64_t token, const void *bytes, size_t size)
{
	struct sim_event *event = sim_after(sim, network_delay(sim), run);

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
	return event;
}

bool network_lost(struct sim *sim, unsigned machine)
{
	return sim->machines[machine].dark || machine_is_cut(&sim->machines[machine]) ||
	       sim_rare(sim, sim->weather.lost);
}

void network_request(struct sim_machine *machine, unsigned lane, uint64_t token, const struct buf *report)
{
	struct sim *sim = machine->sim;

	if (network_lost(sim, machine->index)) {
		if (sim_below(sim, 2) == 0) /* noticed at once, or only by the time-out */
			network_error(sim, machine->index, machine->generation, lane, token);
		return;
	}
	carry(sim, requests_arrive, machine->index, machine->generation, lane, token, report->data, report->size)
	    ->manager = machine->manager;
	if (sim_rare(sim, sim->weather.twice))
		carry(sim, requests_arrive, machine->index, machine->generation, lane, token, report->data,
		      report->size)
		    ->manager = machine->manager;
}

void network_reply(struct sim *sim, unsigned machine, uint64_t generation, unsigned lane, uint64_t token,
		   const void *bytes, size_t size)
{
	if (!network_lost(sim, machine))
		carry(sim, machine_reply, machine, generation, lane, token, bytes, size);
}

void network_error(struct sim *sim, unsigned machine, uint64_t generation, unsigned lane, uint64_t token)
{
	carry(sim, machine_no_reply, machine, generation, lane, token, NULL, 0);
}

/* --- signatures --- */

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

void sim_sign(unsigned key, const void *message, size_t size, uint8_t signature[ENVELOPE_SIGNATURE_BYTES])
{
	sim_digest(message, size, signature);
	memset(signature + SHA256_BYTES, 0x5a, ENVELOPE_SIGNATURE_BYTES - SHA256_BYTES);
	memcpy(signature + SHA256_BYTES, &key, sizeof(key));
}

bool sim_verify(void *context, const uint8_t key[ENVELOPE_KEY_BYTES], const void *message, size_t size,
		const uint8_t signature[ENVELOPE_SIGNATURE_BYTES])
{
	uint8_t expected[ENVELOPE_SIGNATURE_BYTES];
	struct envelope_key known;
	unsigned number;

	(void)context;
	memcpy(&number, key + 3, sizeof(number));
	known = sim_key(number);
	sim_sign(number, message, size, expected);
	return memcmp(key, known.public_key, ENVELOPE_KEY_BYTES) == 0 &&
	       memcmp(signature, expected, sizeof(expected)) == 0;
}

/* --- a run --- */

static const struct sim_weather weather_small = { .lost = 30000,
						  .late = 50000,
						  .twice = 20000,
						  .write_fails = 20000,
						  .write_stalls = 30000,
						  .write_last = 5000,
						  .disk_fails = 2000,
						  .nobody_answers = 30000 };
/* Of a large fleet each thing is rarer, and there are many more of all of them. */
static const struct sim_weather weather_large = { .lost = 3000,
						  .late = 5000,
						  .twice = 3000,
						  .write_fails = 1000,
						  .write_stalls = 30,
						  .disk_fails = 100,
						  .nobody_answers = 3000 };

/* Memory for clones too. */
static void make_room(struct sim *sim)
{
	size_t machines = sim->options.machines;
	unsigned managers = sim->options.managers;

	if (managers == 0)
		managers = 1 + (unsigned)sim_below(sim, 2);

	sim->large = machines > 0;
	sim->weather = sim->large ? weather_large : weather_small;
	sim->machine_capacity = sim->large ? machines + machines / 50 + 5 : SIM_SMALL_MAX;
	sim->machines = calloc(sim->machine_capacity, sizeof(*sim->machines));
	sim->networked = sim_below(sim, 4) == 0;
	if (sim->machines == NULL)
		abort();
	for (unsigned i = 0; i < managers; i++)
		manager_init(sim, (sim->large ? 5 : 40) * sim->machine_capacity);
}

static void build(struct sim *sim)
{
	struct sim_identity identity;
	size_t count;

	make_room(sim);
	count = sim->large ? sim->options.machines : 1 + (size_t)sim_below(sim, 4);
	sim->sites = sim->large ? 2 + (unsigned)count / 200 : 1;
	if (sim->sites > SIM_SITES_MAX)
		sim->sites = SIM_SITES_MAX;
	sim->clones = sim->options.faults && (sim->large || sim_below(sim, 2) == 0);
	sim->clones |= sim->options.faults && sim->options.copies;
	sim->clones |= needs_copies(sim->options.broken);
	sim->machine_count = count;
	for (unsigned i = 0; i < count; i++) {
		machine_init(sim, i);
		sim->machines[i].small_spool = sim_below(sim, sim->large ? 50 : 8) == 0;
		identity = moves_identity(&sim->machines[i]);
		store_add_computer(&sim->machines[i], &identity);
	}
	for (unsigned i = 0; i < sim->manager_count; i++) {
		manager_start(&sim->managers[i]);
		orders_new_policy(&sim->managers[i], -1);
	}
	for (unsigned i = 0; i < count; i++)
		machine_start(&sim->machines[i]);
	happenings_begin(sim);
}

static void heal_machine(struct sim_machine *machine)
{
	struct sim *sim = machine->sim;

	machine->clock_changed = machine->clock_offset != 0 ? sim->now : machine->clock_changed;
	machine->clock_offset = 0;
	machine->cut_until = 0;
	machine->disk.crash_after = 0;
	for (size_t at = 0; at < machine->job_count; at++) {
		if (machine->jobs[at].paused)
			guard_unpause(machine, &machine->jobs[at]);
	}
	machine_come_back(machine);
}

/* No more faults, right clocks, whole network: all must come to rest. A manager that is stalled stays so to its end:
 * cut short, the stall would be one that the fleet need not forgive. */
static void heal(struct sim *sim)
{
	sim_log(sim, "healed");
	sim->chaos = false;
	memset(sim->site_cut_until, 0, sizeof(sim->site_cut_until));
	for (unsigned i = 0; i < sim->manager_count; i++) {
		sim->managers[i].clock_offset = 0;
		if (!sim->managers[i].up)
			manager_start(&sim->managers[i]);
	}
	for (size_t i = 0; i < sim->machine_count; i++)
		heal_machine(&sim->machines[i]);
}

static void step_until(struct sim *sim, time_us end)
{
	while (!sim->failed && queue_waits(&sim->queue, end))
		step(sim);
}

static size_t come_to_rest(struct sim *sim)
{
	size_t left = check_machines(sim);

	for (int i = 0; i < 30 && left > 0 && !sim->failed; i++) {
		step_until(sim, sim->now + 2 * MINUTE_US);
		left = check_machines(sim);
	}
	return left;
}

/* One that only listens and is dialled by nobody asks by itself after a day (decision 0017); two with one identity have
 * to be heard in turn until both are known, and one that is dialled in between waits for another day. */
#define UNDIALLED_DAYS 4

static void finish(struct sim *sim)
{
	/* A way to the manager that failed again and again, for want of a network, is tried anew after a day at most.
	 */
	span_us rest = sim->large ? ENDPOINT_AGAIN_MAX_US + 3 * HOUR_US : 3 * HOUR_US;
	size_t left;

	step_until(sim, sim->now + rest);
	left = come_to_rest(sim);
	for (unsigned days = 0; days < UNDIALLED_DAYS && left > 0 && !sim->failed && check_undialled(sim); days++) {
		step_until(sim, sim->now + DAY_US + 2 * HOUR_US);
		left = come_to_rest(sim);
	}
	if (left > 0)
		check_restless(sim, left);
	if (!sim->failed)
		check_end(sim);
}

static void tear_down(struct sim *sim)
{
	for (size_t i = 0; i < sim->machine_count; i++)
		machine_done(&sim->machines[i]);
	for (unsigned i = 0; i < sim->manager_count; i++)
		manager_done(&sim->managers[i]);
	queue_done(&sim->queue);
	free(sim->machines);
}

static void add_counts(struct sim_counts *sum, const struct sim_counts *counts)
{
	sum->steps += counts->steps;
	sum->exchanges += counts->exchanges;
	sum->crashes += counts->crashes;
	sum->faults += counts->faults;
	sum->talks += counts->talks;
	sum->set_back += counts->set_back;
	sum->roll_overs += counts->roll_overs;
	sum->succession_signatures += counts->succession_signatures;
	sum->orders_renewed += counts->orders_renewed;
	sum->moves_ordered += counts->moves_ordered;
	sum->moves_refused += counts->moves_refused;
	sum->moves_lost += counts->moves_lost;
	sum->moves += counts->moves;
	sum->farewells += counts->farewells;
	sum->events_at_both += counts->events_at_both;
	sum->commands += counts->commands;
	sum->events += counts->events;
	sum->alerts += counts->alerts;
	sum->declared += counts->declared;
	sum->stored += counts->stored;
	sum->excused += counts->excused;
	sum->simulated += counts->simulated;
}

/* The part with faults. */
static void live(struct sim *sim)
{
	if (!sim->large) {
		for (unsigned i = 0; i < sim->options.steps && !sim->failed; i++)
			step(sim);
		return;
	}
	for (unsigned hour = 1; hour <= sim->options.days * 24 && !sim->failed; hour++) {
		step_until(sim, (time_us)hour * HOUR_US);
		if (sim->options.progress && hour % 24 == 0)
			progress_day(sim, hour / 24);
	}
}

bool sim_run(const struct sim_options *options, char *text, size_t capacity, struct sim_counts *counts)
{
	struct sim *sim = calloc(1, sizeof(*sim));
	bool good;

	if (sim == NULL)
		abort();
	sim->options = *options;
	sim->random = options->seed * 0x2545f4914f6cdd1du + 1;
	sim->chaos = true;
	sim->began_s = sim_cpu_seconds();
	build(sim);
	live(sim);
	heal(sim);
	finish(sim);
	good = !sim->failed;
	snprintf(text, capacity, "%s", sim->failure);
	sim->counts.simulated = sim->now;
	for (unsigned i = 0; i < sim->manager_count; i++) {
		sim->counts.events += sim->managers[i].store.event_count;
		sim->counts.alerts += sim->managers[i].store.alerts_raised;
	}
	add_counts(counts, &sim->counts);
	tear_down(sim);
	free(sim);
	return good;
}
