/* The home of the tree of policies in the front role: loading it, who hangs
 * under what, and what the rest of the role asks of it.
 *
 * Two locks: `editing` is held by whoever changes the tree, over the database
 * write; `lock` for looking and for the moment in which a change comes into
 * force. Order: editing, lock, a shard's lock. Loop threads take `lock` at most,
 * for a look-up, and read nothing but outcomes, which are always committed ones.
 */
#ifndef MUSTER_MANAGER_FRONT_POLICIES_H
#define MUSTER_MANAGER_FRONT_POLICIES_H

#include "fleet/fleet.h"
#include "manager/front/front_policy.h"
#include "manager/front/front_state.h"

struct policies {
	struct front *front;
	pthread_mutex_t editing;
	pthread_mutex_t lock;
	struct policy_tree *tree;
	uint64_t revision; /* serial of configurations: only grows, at least the wall clock of the last change */
	time_us slot;      /* monotonic: when the next agent may be woken */
};

int policies_new(struct front *front, struct policies **ret_policies, struct err *err);
void policies_free(struct policies *policies); /* accepts NULL */

/* Reads the tree and who hangs where. Free names of before are settled, and each is logged. Blocks. */
int policies_load(struct front *front, struct err *err);
/* Heartbeat, limits and the wanted configuration, for fleet_add(). */
void policies_fill(struct front *front, const struct uuid *computer, struct fleet_computer *record);

/* A new computer under a policy that was found by front_policy_name(). ERR_NOT_FOUND: deleted meanwhile. */
int policies_join(struct front *front, const struct uuid *computer, const char *policy, bool appliance,
		  struct err *err);
/* A computer that was deleted, or that did not come to be. */
void policies_leave(struct front *front, const struct uuid *computer);

/* The packed Configuration of a computer and the serial it goes with. Appends to out. */
int policies_configuration(struct front *front, const struct uuid *computer, struct buf *out, uint64_t *ret_serial,
			   struct err *err);
/* The word of link.direction that holds for a computer; constant. Any thread. */
const char *policies_direction(struct front *front, const struct uuid *computer);
/* The largest quarantined file that this computer sends, in bytes. Any thread. */
int64_t policies_largest_file(struct front *front, const struct uuid *computer);

/* policy_edit.c: a change comes into force; callback of policy_commit(). With `lock` held. */
/* With the lock of looking: the computer counts in the policy that it hangs under now. */
void policies_regroup(struct policies *policies, const struct uuid *computer);
void policies_changed(void *policies, const struct uuid *computer, const struct outcome *before,
		      const struct outcome *after);

#endif
