/* Which network an agent is in, how often it is to report there, and how it
 * comes to know.
 *
 * What counts is the address that its connections come from: the manager sees
 * it, nobody claims it. An agent that has not got that address itself sits
 * behind a NAT or proxy; many such agents share one address, and administrators
 * know them by those within. So, where the former is in no network, the
 * addresses that it reports count, the smallest range first. An agent that
 * does have the address is not taken by its others: a bridge for containers
 * has the same 172.17.0.1 everywhere.
 *
 * The pace goes with each reply instead of into the configuration. It belongs
 * to where the agent is now and not to what it is: signed, tried and kept on
 * disk it would outlive the move of a laptop, and every move would roll out a
 * configuration. A reply that says nothing takes it back, so that no message
 * can be lost for good, and nothing is left behind in an agent that restarts.
 */
#include <stdlib.h>
#include <string.h>

#include "fleet/parts.h"

/* --- where it is --- */

static bool is_behind_nat(const struct computer *computer)
{
	if (computer->seen_from.family == 0 || address_is_loopback(&computer->seen_from))
		return false;
	for (size_t i = 0; i < computer->address_count; i++) {
		if (address_compare(&computer->addresses[i], &computer->seen_from) == 0)
			return false;
	}
	return true;
}

static const struct network *network_of(const struct fleet *fleet, const struct computer *computer)
{
	const struct network *network = networks_find(fleet->networks, &computer->seen_from, NULL);
	const struct address_range *best = NULL, *range;

	if (network != NULL || networks_count(fleet->networks) == 0 || !is_behind_nat(computer))
		return network;
	for (size_t i = 0; i < computer->address_count; i++) {
		const struct network *found = networks_find(fleet->networks, &computer->addresses[i], &range);

		if (found == NULL || (best != NULL && address_range_compare_size(best, range) <= 0))
			continue;
		best = range;
		network = found;
	}
	return network;
}

static void count(struct fleet *fleet, struct computer *computer, const struct network *network)
{
	if (fleet->inside != NULL && computer->counted_in != 0 && computer->counted_when == fleet->table)
		fleet->inside[computer->counted_in - 1]--;
	computer->counted_in = 0;
	if (fleet->inside == NULL || network == NULL)
		return;
	computer->counted_in = (uint32_t)networks_index(fleet->networks, network) + 1;
	computer->counted_when = fleet->table;
	fleet->inside[computer->counted_in - 1]++;
}

static void place(struct fleet *fleet, struct computer *computer)
{
	const struct network *network = network_of(fleet, computer);

	count(fleet, computer, network);
	if (network == NULL) {
		memset(&computer->network, 0, sizeof(computer->network));
		computer->offline_us = 0;
		computer->pace = (struct network_pace){ 0 };
		return;
	}
	computer->network = network->id;
	computer->offline_us = (span_us)network->rules.offline_min * MINUTE_US;
	computer->pace = network_pace(&network->rules);
}

/* --- what it is told --- */

static bool same_pace(const struct network_pace *a, const struct network_pace *b)
{
	return a->interval_s == b->interval_s && a->periodic == b->periodic;
}

bool pace_differs(const struct computer *computer)
{
	return !same_pace(&computer->pace, &computer->told);
}

time_us pace_wake_at(const struct computer *computer)
{
	return computer->parked != NULL && pace_differs(computer) ? computer->pace_next : FLEET_NEVER;
}

int pace_tell(struct computer *computer, struct fleet_exchange *exchange, Muster__Wire__Reply *reply)
{
	if (computer->pace.interval_s != 0) {
		reply->pace = exchange_memory(exchange, sizeof(*reply->pace));
		if (reply->pace == NULL)
			return ERR_MEMORY;
		muster__wire__pace__init(reply->pace);
		reply->pace->interval_s = computer->pace.interval_s;
		reply->pace->periodic = computer->pace.periodic;
	}
	if (exchange->session == computer->session) {
		computer->told = computer->pace;
		computer->told_session = exchange->session;
	}
	return 0;
}

/* An agent goes by its old interval until it has the new configuration, and goes on with it if it refuses that. */
static span_us interval_of(const struct computer *computer)
{
	bool other = computer->agent_interval_us > computer->interval_us && configuration_differs(computer);

	return other ? computer->agent_interval_us : computer->interval_us;
}

/* Never less than the interval that its agent was last told: nobody is silent
 * who was not to speak yet, whatever was edited meanwhile. */
span_us silence_allowed(const struct computer *computer)
{
	span_us told =
	    computer->told.interval_s > 0 ? (span_us)computer->told.interval_s * SECOND_US : computer->interval_us;
	span_us allowed = computer->offline_us;

	if (allowed == 0 && computer->missed == FLEET_UNLIMITED)
		return FLEET_NEVER;
	if (allowed == 0)
		allowed = ((span_us)computer->missed + 1) * interval_of(computer);
	return allowed > told ? allowed : told;
}

/* --- it reports --- */

static void keep_addresses(struct computer *computer, const Muster__Wire__Host *host)
{
	struct address *addresses = calloc(host->n_addresses + 1, sizeof(*addresses));
	size_t count = 0;

	if (addresses == NULL)
		return; /* those of before stay */
	for (size_t i = 0; i < host->n_addresses; i++) {
		if (address_parse(host->addresses[i], &addresses[count], NULL) == 0)
			count++;
	}
	free(computer->addresses);
	computer->addresses = addresses;
	computer->address_count = count;
}

void placement_heard(struct fleet *fleet, struct computer *computer, const Muster__Wire__Report *report)
{
	if (report->host != NULL)
		keep_addresses(computer, report->host);
	if (computer->told_session != computer->session) { /* it was started again and knows nothing */
		computer->told = (struct network_pace){ 0 };
		computer->told_session = computer->session;
	}
	place(fleet, computer);
	dialling_placed(fleet, computer);
	computer->pace_next = 0;
}

void fleet_seen_from(struct fleet *fleet, const struct uuid *id, const struct address *address)
{
	struct computer *computer = computer_find(fleet, id);

	if (computer == NULL || address_compare(&computer->seen_from, address) == 0)
		return;
	computer->seen_from = *address;
	computer->row_dirty = true;
}

/* --- the table changes --- */

void fleet_set_networks(struct fleet *fleet, const struct networks *networks)
{
	fleet->networks = networks;
	fleet->unplaced = fleet->first;
	fleet->table++;
	free(fleet->inside);
	fleet->inside = calloc(networks_count(networks) + 1, sizeof(*fleet->inside));
}

size_t fleet_count_in(const struct fleet *fleet, const struct uuid *id)
{
	const struct network *network = networks_by_id(fleet->networks, id);

	return network != NULL && fleet->inside != NULL ? fleet->inside[networks_index(fleet->networks, network)] : 0;
}

static void place_again(struct fleet *fleet, struct computer *computer, span_us gap_us, time_us *slot)
{
	time_us now = fleet_now(fleet);
	span_us before = computer->offline_us;

	place(fleet, computer);
	if (computer->offline_us != before)
		liveness_allowed(fleet, computer);
	dialling_placed(fleet, computer);
	if (pace_differs(computer) && computer->parked != NULL) {
		computer->pace_next = *slot > now ? *slot : now;
		*slot = computer->pace_next + gap_us;
	}
	due_by(fleet, computer, computer_due(fleet, computer));
}

bool fleet_place_some(struct fleet *fleet, size_t most, span_us gap_us, time_us *slot)
{
	for (; fleet->unplaced != NULL && most > 0; most--) {
		struct computer *computer = fleet->unplaced;

		fleet->unplaced = computer->next;
		place_again(fleet, computer, gap_us, slot);
	}
	return fleet->unplaced != NULL;
}

/* --- who belongs --- */

/* Stored ones were told before: what they do is taken to be what they should do. */
void placement_restore(struct fleet *fleet, struct computer *computer, const struct fleet_computer *record)
{
	computer->next = fleet->first;
	if (fleet->first != NULL)
		fleet->first->previous = computer;
	fleet->first = computer;
	computer->seen_from = record->seen_from;
	if (record->address_count > 0)
		computer->addresses = calloc(record->address_count, sizeof(*computer->addresses));
	if (computer->addresses != NULL) {
		memcpy(computer->addresses, record->addresses, record->address_count * sizeof(*computer->addresses));
		computer->address_count = record->address_count;
	}
	place(fleet, computer);
	computer->told = computer->pace;
}

void placement_done(struct fleet *fleet, struct computer *computer)
{
	count(fleet, computer, NULL);
	if (fleet->unplaced == computer)
		fleet->unplaced = computer->next;
	if (fleet->untold == computer)
		fleet->untold = computer->next;
	if (fleet->first == computer)
		fleet->first = computer->next;
	if (computer->previous != NULL)
		computer->previous->next = computer->next;
	if (computer->next != NULL)
		computer->next->previous = computer->previous;
	free(computer->addresses);
}
