/* What people and misfortune do: to a machine, a site, the manager, the fleet. */
#include "world.h"

static void do_scan(struct sim *sim, struct sim_machine *machine)
{
	(void)sim;
	orders_issue(machine, COMMAND_SCAN, NULL);
}

static void do_restore(struct sim *sim, struct sim_machine *machine)
{
	struct uuid item = env_uuid(&machine->env);

	(void)sim;
	orders_issue(machine, COMMAND_RESTORE, &item);
}

static void do_heartbeat(struct sim *sim, struct sim_machine *machine)
{
	(void)sim;
	orders_issue(machine, COMMAND_HEARTBEAT, NULL);
}

static void do_pause(struct sim *sim, struct sim_machine *machine)
{
	const struct sim_job *job;

	if (machine->job_count == 0)
		return;
	job = &machine->jobs[sim_below(sim, machine->job_count)];
	orders_issue(machine, sim_below(sim, 3) == 0 ? COMMAND_PAUSE : COMMAND_RESUME, &job->id);
}

static void do_cancel(struct sim *sim, struct sim_machine *machine)
{
	(void)sim;
	orders_cancel(machine);
}

static void do_event(struct sim *sim, struct sim_machine *machine)
{
	uint64_t count = 1 + sim_below(sim, sim_below(sim, 6) == 0 ? 30 : 3);

	while (count-- > 0)
		guard_detect(machine);
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
	orders_new_policy(machine->manager, sim->large && sim_below(sim, 8) != 0 ? (int)machine->site : -1);
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
	if (sim->large && sim_below(sim, 2) == 0)
		machine->manager->dies_at_commit = true; /* committed, and nobody hears of it */
	else
		manager_kill(machine->manager);
}

static void do_stall_manager(struct sim *sim, struct sim_machine *machine)
{
	if (!machine->manager->up || sim->now < machine->manager->stalled_until)
		return; /* what waits for its end waits for that one */
	machine->manager->stalled_until = sim->now + (span_us)(30 + sim_below(sim, 1800)) * SECOND_US;
	sim_log(sim, "manager %u is stalled for %lld s", machine->manager->index,
		(long long)((machine->manager->stalled_until - sim->now) / SECOND_US));
}

static void do_cut(struct sim *sim, struct sim_machine *machine)
{
	machine->cut_until = sim->now + (span_us)(1 + sim_below(sim, sim_below(sim, 4) == 0 ? 4000 : 90)) * SECOND_US;
	sim_log(sim, "m%u: is cut off for %lld s", machine->index,
		(long long)((machine->cut_until - sim->now) / SECOND_US));
	requests_drop(machine);
}

/* All of a site for a while, from a minute to hours. */
static void do_cut_site(struct sim *sim, struct sim_machine *machine)
{
	unsigned site = machine->site;

	sim->site_cut_until[site] =
	    sim->now + (span_us)(60 + sim_below(sim, sim_below(sim, 3) == 0 ? 6 * 3600 : 2400)) * SECOND_US;
	for (size_t i = 0; i < sim->machine_count; i++) {
		if (sim->machines[i].site == site)
			requests_drop(&sim->machines[i]);
	}
}

/* The mains: what is on goes off, and comes back when it does. */
static void do_power_off_site(struct sim *sim, struct sim_machine *machine)
{
	unsigned site = machine->site;

	for (size_t i = 0; i < sim->machine_count; i++) {
		if (sim->machines[i].site == site)
			machine_kill(&sim->machines[i], true);
	}
}

static span_us some_jump(struct sim *sim)
{
	span_us jump = (span_us)sim_below(sim, (uint64_t)(sim_below(sim, 3) == 0 ? 3 * DAY_US : 10 * MINUTE_US));

	return sim_below(sim, 2) == 0 ? jump : -jump;
}

static void do_clock(struct sim *sim, struct sim_machine *machine)
{
	span_us before = machine->clock_offset;

	machine->clock_offset = sim_below(sim, 2) == 0 ? 0 : some_jump(sim);
	if (machine->clock_offset != before)
		machine->clock_changed = sim->now;
	sim_log(sim, "m%u: its clock is off by %lld s", machine->index, (long long)(machine->clock_offset / SECOND_US));
	machine_poll(machine);
}

static void do_manager_clock(struct sim *sim, struct sim_machine *machine)
{
	struct sim_manager *manager = machine->manager;

	manager->clock_offset = sim_below(sim, 2) == 0 ? 0 : some_jump(sim);
	sim_log(sim, "the clock of manager %u is off by %lld s", manager->index,
		(long long)(manager->clock_offset / SECOND_US));
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
	if (!sim->clones || sim->machine_count == sim->machine_capacity || machine->has_clone ||
	    moves_under_way(machine) || store_machine(machine)->standing == STANDING_REVOKED)
		return;
	if (!sim->large && machine->index != 0)
		return;
	machine_init(sim, (unsigned)sim->machine_count);
	copies_make(machine, &sim->machines[sim->machine_count++]);
}

static void do_snapshot(struct sim *sim, struct sim_machine *machine)
{
	(void)sim;
	snapshot_take(machine);
}

static void do_set_back(struct sim *sim, struct sim_machine *machine)
{
	(void)sim;
	snapshot_restore(machine);
}

/* weight: of the small form, where something happens every few seconds. machine: in a large fleet, to each machine in
 * a hundred days; fleet: to all of it, in ten days. */
static void do_dial_now(struct sim *sim, struct sim_machine *machine)
{
	(void)sim;
	if (machine->manager->up)
		fleet_dial_now(machine->manager->fleet, &machine->computer, NULL);
}

static void do_roll_over(struct sim *sim, struct sim_machine *machine)
{
	(void)sim;
	keys_roll_over(machine->manager);
}

static void do_move(struct sim *sim, struct sim_machine *machine)
{
	(void)sim;
	moves_order(machine);
}

static void do_networks(struct sim *sim, struct sim_machine *machine)
{
	(void)sim;
	networks_edit(machine->manager);
}

static void do_roam(struct sim *sim, struct sim_machine *machine)
{
	(void)sim;
	networks_roam(machine);
}

static void do_deactivate(struct sim *sim, struct sim_machine *machine)
{
	(void)sim;
	joining_deactivate(machine);
}

static void do_revoke(struct sim *sim, struct sim_machine *machine)
{
	(void)sim;
	joining_revoke(machine);
}

static void do_renew(struct sim *sim, struct sim_machine *machine)
{
	(void)sim;
	joining_renew(machine);
}

static const struct happening {
	void (*run)(struct sim *sim, struct sim_machine *machine);
	unsigned weight, machine, fleet;
	bool fault;
} happenings[] = {
	{ do_event, 40, 400, 0, false },   { do_scan, 12, 60, 0, false },         { do_restore, 4, 20, 0, false },
	{ do_heartbeat, 3, 10, 0, false }, { do_pause, 5, 30, 0, false },         { do_cancel, 6, 20, 0, false },
	{ do_state, 5, 40, 0, false },     { do_item, 5, 30, 0, false },          { do_configuration, 2, 0, 80, false },
	{ do_clone, 2, 0, 15, false },     { do_kill_link, 3, 20, 0, true },      { do_power_off, 3, 10, 0, true },
	{ do_die_inside, 5, 20, 0, true }, { do_kill_manager, 2, 0, 40, true },   { do_stall_manager, 1, 0, 20, true },
	{ do_cut, 4, 40, 0, true },        { do_clock, 2, 4, 0, true },           { do_manager_clock, 1, 0, 6, true },
	{ do_dial_now, 2, 10, 0, false },  { do_damage, 1, 1, 0, true },          { do_roll_over, 2, 0, 20, false },
	{ do_cut_site, 0, 0, 60, true },   { do_power_off_site, 0, 0, 15, true }, { do_move, 4, 20, 0, false },
	{ do_deactivate, 1, 2, 0, false }, { do_snapshot, 3, 15, 0, false },      { do_set_back, 2, 4, 0, true },
	{ do_deactivate, 1, 2, 0, false }, { do_networks, 1, 0, 10, false },      { do_roam, 2, 20, 0, false },
	{ do_renew, 2, 2, 0, false },      { do_revoke, 1, 1, 0, false },
};

/* How often, in a thousand days. */
static uint64_t share(const struct sim *sim, const struct happening *happening)
{
	if (sim->manager_count == 1 && happening->run == do_move)
		return 0;
	if (!sim->large)
		return happening->weight;
	return (uint64_t)happening->machine * 10 * sim->options.machines + (uint64_t)happening->fleet * 100;
}

static uint64_t all_shares(const struct sim *sim)
{
	uint64_t total = 0;

	for (size_t i = 0; i < COUNT_OF(happenings); i++)
		total += share(sim, &happenings[i]);
	return total;
}

static span_us pause(struct sim *sim)
{
	if (!sim->large)
		return (span_us)sim_below(sim, sim_below(sim, 3) == 0 ? 120 : 8) * SECOND_US;
	return (span_us)sim_below(sim, 2 * 1000 * (uint64_t)DAY_US / all_shares(sim) + 1);
}

static void happen(struct sim *sim, struct sim_event *event)
{
	struct sim_machine *machine = &sim->machines[sim_below(sim, sim->machine_count)];
	uint64_t at = sim_below(sim, all_shares(sim));
	const struct happening *happening = happenings;

	(void)event;
	if (!sim->chaos)
		return;
	for (; at >= share(sim, happening); happening++)
		at -= share(sim, happening);
	if (sim->options.faults || !happening->fault) {
		sim->counts.faults += happening->fault;
		happening->run(sim, machine);
	}
	sim_after(sim, pause(sim), happen);
}

void happenings_begin(struct sim *sim)
{
	sim_after(sim, SECOND_US, happen);
}
