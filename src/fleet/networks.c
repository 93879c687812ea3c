/* The table of networks: ranges cut into pieces that do not overlap, each with
 * the range that wins there, so that a look-up is a binary search. */
#include "fleet/networks.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"
#include "base/units.h"

/* A range with whose it is. */
struct placed {
	struct address_range range;
	const struct network *network;
};

/* From `first` to the next piece; winner NULL: nobody's. */
struct piece {
	struct address first;
	const struct placed *winner;
};

struct networks {
	struct network *networks;
	struct address_range *ranges; /* of all networks, one behind the other */
	struct placed *placed;
	size_t count, placed_count;
	struct piece *pieces; /* ascending */
	size_t piece_count;
};

/* --- rules --- */

struct network_pace network_pace(const struct network_rules *rules)
{
	uint32_t minutes = rules->heartbeat ? rules->heartbeat_min : rules->poll_min;

	if (rules->poll_min != 0 && rules->poll_min < minutes)
		minutes = rules->poll_min;
	return (struct network_pace){ .interval_s = minutes * 60, .periodic = rules->poll_min != 0 };
}

static bool in_bounds(uint32_t minutes)
{
	return minutes >= 1 && minutes <= NETWORK_MINUTES_MAX;
}

int network_rules_check(const struct network_rules *rules, const char **ret_member, struct err *err)
{
	const struct {
		const char *member;
		uint32_t minutes;
	} numbers[] = { { "heartbeat_minutes", rules->heartbeat_min },
			{ "offline_minutes", rules->offline_min },
			{ "poll_minutes", rules->poll_min != 0 ? rules->poll_min : 1 } };
	uint32_t interval;

	for (size_t i = 0; i < COUNT_OF(numbers); i++) {
		*ret_member = numbers[i].member;
		if (!in_bounds(numbers[i].minutes))
			return err_set(err, ERR_RANGE, "must be 1 to %d minutes", NETWORK_MINUTES_MAX);
	}
	*ret_member = "poll_minutes";
	if (!rules->heartbeat && rules->poll_min == 0)
		return err_set(err, ERR_RANGE,
			       "is needed where heartbeats are off: agents are heard only when they poll");
	interval = network_pace(rules).interval_s / 60;
	*ret_member = "offline_minutes";
	if (rules->offline_min < interval)
		return err_set(err, ERR_RANGE,
			       "is %u, but agents there speak only every %u minutes: each would be offline in "
			       "between. Give at least %u",
			       rules->offline_min, interval, interval);
	return 0;
}

/* --- copying --- */

static int check_network(const struct network *network, struct err *err)
{
	const char *member;
	int rc;

	if (!text_is_name(network->name, NETWORK_NAME_MAX_BYTES))
		return err_set(err, ERR_RANGE, "a network's name is 1 to %d bytes of printable text",
			       NETWORK_NAME_MAX_BYTES);
	if (network->range_count == 0)
		return err_set(err, ERR_RANGE, "the network %s has no range of addresses", network->name);
	if (network->range_count > NETWORK_RANGES_MAX)
		return err_set(err, ERR_LIMIT, "the network %s has more than %d ranges", network->name,
			       NETWORK_RANGES_MAX);
	rc = network_rules_check(&network->rules, &member, err);
	return rc == 0 ? 0 : err_add(err, rc, "%s: %s", network->name, member);
}

static int copy_network(struct networks *table, const struct network *given, struct err *err)
{
	struct network *network = &table->networks[table->count];
	int rc = check_network(given, err);

	if (rc != 0)
		return rc;
	*network = *given;
	network->name = strdup(given->name);
	if (network->name == NULL)
		return err_set(err, ERR_MEMORY, "no memory for the networks");
	network->ranges = table->ranges + table->placed_count;
	for (size_t i = 0; i < given->range_count; i++) {
		table->ranges[table->placed_count] = given->ranges[i];
		table->placed[table->placed_count++] = (struct placed){ given->ranges[i], network };
	}
	table->count++;
	return 0;
}

static int by_name(const void *a, const void *b)
{
	const struct network *const *first = a, *const *second = b;

	return strcasecmp((*first)->name, (*second)->name);
}

static int check_names(const struct networks *table, struct err *err)
{
	const struct network **sorted = calloc(table->count + 1, sizeof(const struct network *));
	int rc = sorted != NULL ? 0 : err_set(err, ERR_MEMORY, "no memory for the networks");

	for (size_t i = 0; rc == 0 && i < table->count; i++)
		sorted[i] = &table->networks[i];
	if (rc == 0 && table->count > 0)
		qsort(sorted, table->count, sizeof(const struct network *), by_name);
	for (size_t i = 1; rc == 0 && i < table->count; i++) {
		if (by_name(&sorted[i - 1], &sorted[i]) == 0)
			rc = err_set(err, ERR_EXISTS, "another network is called %s", sorted[i]->name);
	}
	free(sorted);
	return rc;
}

/* --- who wins where --- */

static int by_size(const void *a, const void *b)
{
	const struct placed *first = a, *second = b;
	int order = address_range_compare_size(&first->range, &second->range);

	return order != 0 ? order : address_compare(&first->range.first, &second->range.first);
}

static int by_first(const void *a, const void *b)
{
	const struct placed *first = a, *second = b;

	return address_compare(&first->range.first, &second->range.first);
}

static int refuse_pair(const struct placed *a, const struct placed *b, struct err *err)
{
	char of_a[ADDRESS_RANGE_TEXT_BYTES], of_b[ADDRESS_RANGE_TEXT_BYTES];

	address_range_format(&a->range, of_a);
	address_range_format(&b->range, of_b);
	if (by_first(a, b) != 0)
		return err_set(err, ERR_EXISTS,
			       "%s (network %s) and %s (network %s) overlap and are of one size: neither is the more "
			       "specific. Make one smaller",
			       of_a, a->network->name, of_b, b->network->name);
	if (a->network == b->network)
		return err_set(err, ERR_EXISTS, "%s is given twice", of_a);
	return err_set(err, ERR_EXISTS, "%s belongs to two networks, %s and %s", of_a, a->network->name,
		       b->network->name);
}

/* Sorted by size, then place, two of one size overlap only if neighbours do. */
static int check_overlaps(struct networks *table, struct err *err)
{
	if (table->placed_count > 0)
		qsort(table->placed, table->placed_count, sizeof(*table->placed), by_size);
	for (size_t i = 1; i < table->placed_count; i++) {
		const struct placed *a = &table->placed[i - 1], *b = &table->placed[i];

		if (address_range_compare_size(&a->range, &b->range) == 0 &&
		    address_range_holds(&a->range, &b->range.first))
			return refuse_pair(a, b, err);
	}
	return 0;
}

/* The ranges that hold the place reached, the smallest on top; a binary heap. */
struct open_ranges {
	const struct placed **heap;
	size_t count;
};

static bool smaller(const struct open_ranges *open, size_t a, size_t b)
{
	return address_range_compare_size(&open->heap[a]->range, &open->heap[b]->range) < 0;
}

static void swap(struct open_ranges *open, size_t a, size_t b)
{
	const struct placed *kept = open->heap[a];

	open->heap[a] = open->heap[b];
	open->heap[b] = kept;
}

static void open_range(struct open_ranges *open, const struct placed *range)
{
	size_t at = open->count++;

	open->heap[at] = range;
	for (; at > 0 && smaller(open, at, (at - 1) / 2); at = (at - 1) / 2)
		swap(open, at, (at - 1) / 2);
}

static void close_smallest(struct open_ranges *open)
{
	size_t at = 0;

	open->heap[0] = open->heap[--open->count];
	for (;;) {
		size_t below = 2 * at + 1;

		if (below >= open->count)
			break;
		if (below + 1 < open->count && smaller(open, below + 1, below))
			below++;
		if (!smaller(open, below, at))
			break;
		swap(open, at, below);
		at = below;
	}
}

/* The smallest that reaches as far as `place`. */
static const struct placed *winner_at(struct open_ranges *open, const struct address *place)
{
	while (open->count > 0 && address_compare(&open->heap[0]->range.last, place) < 0)
		close_smallest(open);
	return open->count > 0 ? open->heap[0] : NULL;
}

static int by_place(const void *a, const void *b)
{
	const struct piece *first = a, *second = b;

	return address_compare(&first->first, &second->first);
}

/* Each place where a range begins, or has just ended: between two of them the winner is one. */
static void mark_places(struct networks *table)
{
	for (size_t i = 0; i < table->placed_count; i++) {
		const struct address_range *range = &table->placed[i].range;

		table->pieces[2 * i].first = range->first;
		table->pieces[2 * i + 1].first = address_next(&range->last);
	}
	table->piece_count = 2 * table->placed_count;
	if (table->piece_count > 0)
		qsort(table->pieces, table->piece_count, sizeof(*table->pieces), by_place);
}

static void settle_winners(struct networks *table, struct open_ranges *open)
{
	size_t next = 0, kept = 0;

	for (size_t i = 0; i < table->piece_count; i++) {
		struct piece piece = { .first = table->pieces[i].first };

		while (next < table->placed_count &&
		       address_compare(&table->placed[next].range.first, &piece.first) <= 0)
			open_range(open, &table->placed[next++]);
		piece.winner = winner_at(open, &piece.first);
		if (kept > 0 && address_compare(&table->pieces[kept - 1].first, &piece.first) == 0)
			kept--;
		table->pieces[kept++] = piece;
	}
	table->piece_count = kept;
}

static int cut_into_pieces(struct networks *table, struct err *err)
{
	struct open_ranges open = { .heap = calloc(table->placed_count + 1, sizeof(const struct placed *)) };

	table->pieces = calloc(2 * table->placed_count + 1, sizeof(*table->pieces));
	if (open.heap == NULL || table->pieces == NULL) {
		free(open.heap);
		return err_set(err, ERR_MEMORY, "no memory for the networks");
	}
	mark_places(table);
	if (table->placed_count > 0)
		qsort(table->placed, table->placed_count, sizeof(*table->placed), by_first);
	settle_winners(table, &open);
	free(open.heap);
	return 0;
}

/* --- the whole --- */

static size_t count_ranges(const struct network *networks, size_t count)
{
	size_t ranges = 0;

	for (size_t i = 0; i < count; i++)
		ranges += networks[i].range_count;
	return ranges;
}

int networks_new(const struct network *networks, size_t count, struct networks **ret_networks, struct err *err)
{
	size_t ranges = count_ranges(networks, count);
	struct networks *table;
	int rc = 0;

	if (count > NETWORKS_MAX)
		return err_set(err, ERR_LIMIT, "there can be %d networks", NETWORKS_MAX);
	table = calloc(1, sizeof(*table));
	if (table == NULL)
		return err_set(err, ERR_MEMORY, "no memory for the networks");
	table->networks = calloc(count + 1, sizeof(*table->networks));
	table->ranges = calloc(ranges + 1, sizeof(*table->ranges));
	table->placed = calloc(ranges + 1, sizeof(*table->placed));
	if (table->networks == NULL || table->ranges == NULL || table->placed == NULL)
		rc = err_set(err, ERR_MEMORY, "no memory for the networks");
	for (size_t i = 0; rc == 0 && i < count; i++)
		rc = copy_network(table, &networks[i], err);
	if (rc == 0)
		rc = check_names(table, err);
	if (rc == 0)
		rc = check_overlaps(table, err);
	if (rc == 0)
		rc = cut_into_pieces(table, err);
	if (rc == 0)
		*ret_networks = table;
	else
		networks_free(table);
	return rc;
}

void networks_free(struct networks *networks)
{
	if (networks == NULL)
		return;
	for (size_t i = 0; networks->networks != NULL && i < networks->count; i++)
		free((char *)(uintptr_t)networks->networks[i].name);
	free(networks->networks);
	free(networks->ranges);
	free(networks->placed);
	free(networks->pieces);
	free(networks);
}

size_t networks_count(const struct networks *networks)
{
	return networks != NULL ? networks->count : 0;
}

const struct network *networks_at(const struct networks *networks, size_t index)
{
	return &networks->networks[index];
}

size_t networks_index(const struct networks *networks, const struct network *network)
{
	return (size_t)(network - networks->networks);
}

const struct network *networks_by_id(const struct networks *networks, const struct uuid *id)
{
	for (size_t i = 0; i < networks_count(networks); i++) {
		if (uuid_equal(&networks->networks[i].id, id))
			return &networks->networks[i];
	}
	return NULL;
}

const struct network *networks_find(const struct networks *networks, const struct address *address,
				    const struct address_range **ret_range)
{
	size_t low = 0, high = networks != NULL ? networks->piece_count : 0;
	const struct placed *winner;

	/* The last piece that begins at the address or before it. */
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (address_compare(&networks->pieces[middle].first, address) <= 0)
			low = middle + 1;
		else
			high = middle;
	}
	winner = low > 0 ? networks->pieces[low - 1].winner : NULL;
	if (winner == NULL || address->family == 0)
		return NULL;
	if (ret_range != NULL)
		*ret_range = &winner->range;
	return winner->network;
}
