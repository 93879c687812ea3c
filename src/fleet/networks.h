/* Networks that the manager cannot reach: ranges of addresses, and what holds
 * for the agents inside (specification 10, "Agents in networks the manager
 * cannot reach").
 *
 * A table is made once and never changes: whoever edits makes another. Where
 * ranges overlap the smallest that holds an address wins; two of one size that
 * overlap are refused, as neither is the more specific. Looking up takes
 * O(log n) of the ranges. Pure; names and ranges were checked or are checked here.
 */
#ifndef MUSTER_FLEET_NETWORKS_H
#define MUSTER_FLEET_NETWORKS_H

#include "base/hex.h"
#include "fleet/address.h"

#define NETWORKS_MAX           1000
#define NETWORK_RANGES_MAX     64
#define NETWORK_NAME_MAX_BYTES 100
#define NETWORK_MINUTES_MAX    129600 /* 90 days; the least is one */

struct network_rules {
	bool heartbeat;         /* off: agents are heard when they poll, and when they have news */
	uint32_t heartbeat_min; /* how often they report when there is nothing new */
	uint32_t offline_min;   /* how long one may be silent */
	uint32_t poll_min;      /* how often they ask, nothing being held open; 0: as their policy says */
};

struct network {
	struct uuid id;
	const char *name;
	struct network_rules rules;
	const struct address_range *ranges;
	size_t range_count;
};

/* How often an agent inside reports. An exchange is heartbeat and poll in one, so
 * the more frequent of the two decides. */
struct network_pace {
	uint32_t interval_s; /* 0: no network, as the policy says */
	bool periodic;       /* answered at once, nothing is held open; else as the policy says */
};
struct network_pace network_pace(const struct network_rules *rules);

/* ERR_RANGE: a number out of its bounds, or an agent that speaks as often as told
 * would be offline in between. *ret_member: "heartbeat_minutes" and the like. */
int network_rules_check(const struct network_rules *rules, const char **ret_member, struct err *err);

struct networks;

/* Copies everything. Names differ in more than case. ERR_EXISTS: a name twice, a range
 * twice, or two ranges of which neither is the more specific; ERR_RANGE, ERR_LIMIT, ERR_MEMORY. */
int networks_new(const struct network *networks, size_t count, struct networks **ret_networks, struct err *err);
void networks_free(struct networks *networks); /* accepts NULL */
size_t networks_count(const struct networks *networks);
const struct network *networks_at(const struct networks *networks, size_t index);
size_t networks_index(const struct networks *networks, const struct network *network);
const struct network *networks_by_id(const struct networks *networks, const struct uuid *id);

/* The network whose range holds the address most closely, NULL: none. networks
 * may be NULL. *ret_range, which may be NULL: that range. Lives as long as the table. */
const struct network *networks_find(const struct networks *networks, const struct address *address,
				    const struct address_range **ret_range);

#endif
