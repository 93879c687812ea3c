/* Networks that the manager cannot reach, as those who handle API requests see
 * them (fleet/networks.h has the rules).
 *
 * An edit is checked against all others, stored with its audit entry, and then
 * in force: what is counted as silence at once, agents that hold a request are
 * told at the pace of the setting policy.rollout_rate, all others at their next
 * exchange. Worker threads only; edits block.
 */
#ifndef MUSTER_MANAGER_FRONT_FRONT_NETWORK_H
#define MUSTER_MANAGER_FRONT_FRONT_NETWORK_H

#include "fleet/networks.h"
#include "manager/front/front.h"

/* What a new network has unless it is given. */
#define FRONT_NETWORK_RULES                                                                                            \
	((struct network_rules){ .heartbeat = true, .heartbeat_min = 10, .offline_min = 60, .poll_min = 0 })

enum front_network_edit_kind { FRONT_NETWORK_CREATE, FRONT_NETWORK_CHANGE, FRONT_NETWORK_DELETE };

/* What is to be; what is NULL or negative stays, or is the default of a new one. */
struct front_network_edit {
	enum front_network_edit_kind kind;
	struct uuid id; /* create: set by the call */
	const char *name;
	const struct address_range *ranges;
	size_t range_count;
	int heartbeat;
	int64_t heartbeat_minutes, offline_minutes;
	int64_t poll_minutes; /* 0: as the policy says */
	uint64_t version;     /* it must be this one; 0: any */
	const char *detail;   /* for the audit log: JSON */
};
/* ERR_NOT_FOUND; ERR_CONFLICT: another version; ERR_EXISTS, ERR_LIMIT, ERR_RANGE as
 * networks_new() and network_rules_check() say: then *ret_member names what is wrong, or is "". */
int front_network_edit(struct front *front, struct front_network_edit *edit, const struct front_actor *actor,
		       const char **ret_member, struct err *err);

/* How many computers are in it now. Any thread. */
uint64_t front_network_computers(struct front *front, const struct uuid *network);

/* A network as it was when asked. */
struct front_network {
	struct uuid id;
	char name[NETWORK_NAME_MAX_BYTES + 1];
	struct network_rules rules;
};
/* The one that a computer is in; false: in none. Any thread. */
bool front_network_of(struct front *front, const struct uuid *computer, struct front_network *ret_network);

#endif
