/* A manager's shell around the fleet: its clocks, its starts, its ticks, and
 * crashes that lose what was not committed. */
#include <stdlib.h>
#include <string.h>

#include "world.h"

static time_us manager_wall(void *context)
{
	const struct sim_manager *manager = context;

	return SIM_START_WALL + manager->sim->now + manager->clock_offset;
}

static time_us manager_monotonic(void *context)
{
	const struct sim_manager *manager = context;

	return manager->sim->now - manager->booted;
}

static void manager_random(void *context, void *out, size_t size)
{
	const struct sim_manager *manager = context;

	sim_random_bytes(manager->sim, out, size);
}

struct sim_event *manager_after(struct sim_manager *manager, span_us delay,
				void (*run)(struct sim *sim, struct sim_event *event))
{
	struct sim_event *event = sim_after(manager->sim, delay, run);

	event->manager = manager;
	event->generation = manager->generation;
	return event;
}

struct sim_manager *manager_of(const struct sim_event *event)
{
	struct sim_manager *manager = event->manager;

	return manager->up && event->generation == manager->generation ? manager : NULL;
}

static void tick(struct sim *sim, struct sim_event *event)
{
	struct sim_manager *manager = manager_of(event);

	if (manager == NULL)
		return;
	if (sim->now < manager->stalled_until) {
		manager->listening_since = sim->now + SECOND_US;
	} else {
		if (sim->now - manager->last_tick > TICK_LATE_US && sim->now > manager->forgiven)
			manager->forgiven = sim->now;
		manager->last_tick = sim->now;
		fleet_tick(manager->fleet, requests_write, manager);
		life_ticked(manager);
		requests_answer_woken(manager);
	}
	manager_after(manager, SECOND_US, tick);
}

static void restart(struct sim *sim, struct sim_event *event)
{
	(void)sim;
	if (!event->manager->up)
		manager_start(event->manager);
}

void manager_init(struct sim *sim, size_t computers)
{
	struct sim_manager *manager = &sim->managers[sim->manager_count];

	*manager = (struct sim_manager){ .sim = sim, .index = sim->manager_count++, .boot = 1 };
	manager->touched = calloc(computers, sizeof(*manager->touched));
	manager->overdue = calloc(computers, sizeof(*manager->overdue));
	if (manager->touched == NULL || manager->overdue == NULL)
		abort();
	store_init(manager, computers);
	joining_init(manager);
	networks_begin(manager);
	manager->configuration_version = manager->index * 1000; /* no two have the same policy */
}

void manager_start(struct sim_manager *manager)
{
	struct sim *sim = manager->sim;
	struct fleet_options options = {
		.wake = requests_wake, .dial = talk_dial, .trace = life_trace, .context = manager
	};

	span_us managed = 0;

	sim_log(sim, "manager %u starts", manager->index);
	manager->env = (struct env){ manager, manager_wall, manager_monotonic, manager_random };
	options.env = &manager->env;
	if (manager->store.computer_count > 0 && sim_below(sim, 2) == 0)
		options.return_spacing_us =
		    (sim->large ? 120 : 30) * SECOND_US / (span_us)manager->store.computer_count;
	for (size_t i = 0; i < manager->store.computer_count; i++)
		managed += !manager->store.computers[i].life.out;
	manager->generation++;
	manager->up = true;
	manager->started = sim->now;
	manager->listening_since = sim->now + 2 * options.return_spacing_us * managed;
	manager->forgiven = manager->listening_since;
	manager->last_tick = sim->now;
	manager->dies_at_commit = false;
	memcpy(options.boot.bytes, &manager->boot, sizeof(manager->boot));
	if (manager->zero_boot != manager->boot)
		manager->clock_zero = manager_wall(manager) - manager_monotonic(manager);
	manager->zero_boot = manager->boot;
	options.clock_zero_us = manager->clock_zero;
	manager->last_commit = sim->now;
	talk_begin_all(manager);
	if (fleet_new(&options, &manager->fleet, NULL) != 0)
		abort();
	networks_use(manager);
	for (size_t i = 0; i < manager->store.computer_count; i++) {
		if (!manager->store.computers[i].life.out &&
		    fleet_add(manager->fleet, &manager->store.computers[i].record, NULL) != 0)
			abort();
	}
	keys_manager_started(manager);
	fleet_listen(manager->fleet);
	orders_hand_over_open(manager);
	life_manager_started(manager);
	manager_after(manager, SECOND_US, tick);
}

static void end(struct sim_manager *manager)
{
	manager->generation++;
	manager->up = false;
	talk_end_all(manager);
	requests_end(manager);
	fleet_free(manager->fleet);
	manager->fleet = NULL;
	keys_manager_ended(manager);
}

void manager_done(struct sim_manager *manager)
{
	if (manager->up)
		end(manager);
	requests_done(manager);
	store_done(manager);
	free(manager->touched);
	free(manager->overdue);
	free(manager->tokens);
	networks_end(manager);
}

void manager_kill(struct sim_manager *manager)
{
	struct sim *sim = manager->sim;

	if (!manager->up)
		return;
	sim_log(sim, "manager %u is killed", manager->index);
	sim->counts.crashes++;
	end(manager);
	if (sim_below(sim, 4) == 0) { /* and its machine */
		manager->booted = sim->now;
		manager->boot++;
	}
	sim_after(sim, (span_us)(1 + sim_below(sim, sim_below(sim, 5) == 0 ? 3600 : 30)) * SECOND_US, restart)
	    ->manager = manager;
}
