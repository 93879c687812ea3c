/* Networks with settings of their own: ranges of addresses that people edit,
 * machines that are taken from one place to another, a site behind one address.
 * Where a machine is, how often it reports there and how long it may be silent
 * must be in the end what the rules give when they are gone through anew: the
 * network of the smallest range, one range after the other.
 *
 * In a world with networks nobody says to the tick who is offline (an agent may
 * go by what it was told before); nobody may be declared before its network's
 * time is over.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "world.h"

#define NAT    1 /* the site whose machines all come from one address */
#define PLACES 3 /* sites of addresses: a machine may be taken from one to another */
#define MOST   8 /* computers placed at once */

struct sim_networks {
	struct networks *table;
	struct network list[PLACES + 1];
	struct address_range ranges[PLACES + 1];
	size_t count;
	time_us changed;
};

static struct address own_address(const struct sim_machine *machine)
{
	struct address address = { .family = 4,
				   .bytes = { 10, (uint8_t)machine->place, (uint8_t)(machine->index >> 8),
					      (uint8_t)machine->index } };

	return address;
}

/* Where its connections come from, as a manager sees them. */
static struct address seen_address(const struct sim_machine *machine)
{
	struct address outside = { .family = 4, .bytes = { 198, 51, 100, 7 } };

	return machine->place == NAT ? outside : own_address(machine);
}

/* --- tables --- */

static struct network_rules some_rules(struct sim *sim)
{
	static const struct network_rules rules[] = { { true, 1, 3, 0 },   { true, 10, 30, 0 }, { false, 10, 30, 5 },
						      { true, 20, 25, 2 }, { true, 5, 5, 0 },   { false, 1, 60, 15 } };

	return rules[sim_below(sim, COUNT_OF(rules))];
}

/* A network that holds a whole place, or half of it; now and then one within that is more specific. */
static void add(struct sim *sim, struct sim_networks *networks, const char *range, const char *name)
{
	struct network *network = &networks->list[networks->count];

	if (address_range_parse(range, &networks->ranges[networks->count], NULL) != 0)
		abort();
	*network = (struct network){ .name = name, .rules = some_rules(sim), .range_count = 1 };
	sim_random_bytes(sim, network->id.bytes, UUID_BYTES);
	network->ranges = &networks->ranges[networks->count++];
}

static void make_table(struct sim *sim, struct sim_networks *networks)
{
	static const char *const names[PLACES] = { "zero", "one", "two" };
	char range[ADDRESS_RANGE_TEXT_BYTES];

	networks->count = 0;
	for (unsigned place = 0; place < PLACES; place++) {
		if (sim_below(sim, 3) == 0)
			continue;
		snprintf(range, sizeof(range), "10.%u.0.0/%u", place, sim_below(sim, 3) == 0 ? 31 : 16);
		add(sim, networks, range, names[place]);
	}
	if (sim_below(sim, 2) == 0)
		add(sim, networks, "10.0.0.0/8", "all");
	if (networks_new(networks->list, networks->count, &networks->table, NULL) != 0)
		abort();
}

void networks_edit(struct sim_manager *manager)
{
	struct sim *sim = manager->sim;
	struct networks *former = manager->networks->table;
	time_us slot = env_monotonic(&manager->env);

	if (!sim->networked || !manager->up)
		return;
	sim_log(sim, "manager %u: other networks", manager->index);
	manager->networks->changed = sim->now;
	make_table(sim, manager->networks);
	fleet_set_networks(manager->fleet, manager->networks->table);
	networks_free(former);
	while (fleet_place_some(manager->fleet, MOST, SECOND_US / 10, &slot))
		continue;
	requests_answer_woken(manager);
}

void networks_begin(struct sim_manager *manager)
{
	manager->networks = calloc(1, sizeof(*manager->networks));
	if (manager->networks == NULL)
		abort();
	if (manager->sim->networked)
		make_table(manager->sim, manager->networks);
}

void networks_end(struct sim_manager *manager)
{
	networks_free(manager->networks->table);
	free(manager->networks);
}

void networks_use(struct sim_manager *manager)
{
	if (manager->sim->networked)
		fleet_set_networks(manager->fleet, manager->networks->table);
}

/* --- machines --- */

void networks_tell(const struct sim_machine *machine, Muster__Wire__Host *host)
{
	static char text[ADDRESS_TEXT_BYTES], bridge[] = "172.17.0.1";
	static char *addresses[] = { bridge, text };
	struct address address = own_address(machine);

	if (!machine->sim->networked)
		return;
	address_format(&address, text);
	host->addresses = addresses;
	host->n_addresses = COUNT_OF(addresses);
}

void networks_seen(struct sim_manager *manager, const struct sim_machine *machine)
{
	struct address address = seen_address(machine);

	if (machine->roamed && manager->sim->options.broken == BREAK_PLACE_STALE)
		return;
	if (manager->sim->networked)
		fleet_seen_from(manager->fleet, &machine->computer, &address);
}

/* It is taken elsewhere: what was open ends, and it has another address. */
void networks_roam(struct sim_machine *machine)
{
	struct sim *sim = machine->sim;

	if (!sim->networked || machine->has_clone)
		return;
	machine->place = (unsigned)sim_below(sim, PLACES);
	machine->roamed = true;
	sim_log(sim, "m%u: is in place %u now", machine->index, machine->place);
	machine_new_address(machine);
}

/* --- what must be true --- */

/* Gone through one by one: the smallest range that holds it. */
static const struct network *smallest(const struct sim_networks *networks, const struct address *address)
{
	const struct network *best = NULL;

	for (size_t i = 0; i < networks->count; i++) {
		const struct network *network = &networks->list[i];

		if (address_range_holds(network->ranges, address) &&
		    (best == NULL || address_range_compare_size(network->ranges, best->ranges) < 0))
			best = network;
	}
	return best;
}

/* By where it comes from; of one behind a NAT that is in no network, by where it says it is. */
static const struct network *network_by_rule(const struct sim_machine *machine)
{
	const struct sim_networks *networks = machine->manager->networks;
	struct address seen = seen_address(machine), own = own_address(machine);
	const struct network *network = smallest(networks, &seen);

	return network != NULL || machine->place != NAT ? network : smallest(networks, &own);
}

void networks_check(const struct sim_machine *machine)
{
	struct sim *sim = machine->sim;
	const struct network *network;
	struct network_pace pace = { 0 };
	struct endpoint_status status;
	struct fleet_computer shown;

	if (!sim->networked || sim->failed || machine->has_clone)
		return;
	network = network_by_rule(machine);
	if (network != NULL)
		pace = network_pace(&network->rules);
	if (fleet_show(machine->manager->fleet, &machine->computer, &shown, NULL) != 0)
		return;
	endpoint_status(machine->endpoint, &status);
	if (network != NULL ? !uuid_equal(&shown.network, &network->id) : !uuid_is_zero(&shown.network))
		sim_fail(sim, "machine %u is shown in another network than %s", machine->index,
			 network != NULL ? network->name : "none");
	if (shown.offline_us != (network != NULL ? (span_us)network->rules.offline_min * MINUTE_US : 0))
		sim_fail(sim, "machine %u may be silent for %lld s, and its network is %s", machine->index,
			 (long long)(shown.offline_us / SECOND_US), network != NULL ? network->name : "none");
	/* One that only listens speaks when it is dialled, and need not be told how often that is. */
	if (endpoint_dials(machine->endpoint) &&
	    (status.pace_us != (span_us)pace.interval_s * SECOND_US || status.pace_periodic != pace.periodic))
		sim_fail(sim, "machine %u reports every %lld s, its network %s says %u", machine->index,
			 (long long)(status.pace_us / SECOND_US), network != NULL ? network->name : "none",
			 pace.interval_s);
}

/* Each network counts those that it holds. */
void networks_end_check(struct sim_manager *manager)
{
	struct sim *sim = manager->sim;
	size_t inside[PLACES + 1] = { 0 };

	for (size_t at = 0; sim->networked && at < manager->store.computer_count; at++) {
		struct fleet_computer shown;

		if (fleet_show(manager->fleet, &manager->store.computers[at].record.id, &shown, NULL) != 0)
			continue;
		for (size_t i = 0; i < manager->networks->count; i++)
			inside[i] += uuid_equal(&shown.network, &manager->networks->list[i].id);
	}
	for (size_t i = 0; sim->networked && i < manager->networks->count; i++) {
		size_t counted = fleet_count_in(manager->fleet, &manager->networks->list[i].id);

		if (counted != inside[i])
			sim_fail(sim, "network %s counts %zu computers and holds %zu", manager->networks->list[i].name,
				 counted, inside[i]);
	}
}

/* Nobody is offline there before the network's time is over; after an edit the former time may have been. */
void networks_declared(struct sim_manager *manager, const struct sim_stored_computer *computer)
{
	struct sim *sim = manager->sim;
	span_us silence = sim->now - life_silent_from(manager, computer);
	struct fleet_computer shown;

	if (!sim->networked || computer->holders > 1 || computer->was_shared ||
	    fleet_show(manager->fleet, &computer->record.id, &shown, NULL) != 0)
		return;
	if (shown.offline_us > silence + SECOND_US)
		sim_fail(sim, "computer of machine %u is offline after %lld s, its network allows %lld",
			 computer->machine, (long long)(silence / SECOND_US),
			 (long long)(shown.offline_us / SECOND_US));
}
