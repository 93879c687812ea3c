/* The tree of policies, computers as its last level, and what each comes to.
 *
 * One base policy stands at the top and cannot be moved or deleted. A policy or
 * computer overrides a setting or inherits it from what it hangs under; what
 * nobody sets is the table's default (policy/settings.h).
 *
 * Changes are made as one: any number of the calls under "changing", then
 * policy_settle() computes what comes out, then either policy_commit() or
 * policy_rollback(), which cannot fail. A call that fails changes nothing; the
 * changes before it stand until one of the two. In between the tree shows what
 * would be, but for policy_outcome(). Cost: the policies below a change, and
 * the computers with overrides of their own below it; other computers are
 * only listed, and only where the outcome differs.
 *
 * Pure, not thread-safe. Names and values are untrusted and checked here.
 */
#ifndef MUSTER_POLICY_TREE_H
#define MUSTER_POLICY_TREE_H

#include <stdbool.h>

#include "policy/outcome.h"

struct policy_tree;
struct policy_node; /* a policy or a computer */

#define POLICY_BASE           "base"
#define POLICY_NAME_MAX_BYTES 255
#define POLICIES_MAX          10000
#define POLICY_DEPTH_MAX      32

int policy_tree_new(uint64_t seed, policy_digest digest, struct policy_tree **ret_tree, struct err *err);
void policy_tree_free(struct policy_tree *tree); /* accepts NULL */

/* --- looking --- */
/* NULL: none. Names are compared without regard to case. */
struct policy_node *policy_find(const struct policy_tree *tree, const struct uuid *id);
struct policy_node *policy_find_name(const struct policy_tree *tree, const char *name);
struct policy_node *policy_base(const struct policy_tree *tree);
const struct uuid *policy_id(const struct policy_node *node);
bool policy_is_computer(const struct policy_node *node);
const char *policy_name(const struct policy_node *policy); /* "" of a computer */
struct policy_node *policy_parent(const struct policy_node *node);
unsigned policy_depth(const struct policy_node *policy);        /* of base: 0 */
size_t policy_child_count(const struct policy_node *policy);    /* policies right below */
size_t policy_computer_count(const struct policy_node *policy); /* computers right below */
size_t policy_own_count(const struct policy_node *node);        /* settings it overrides */
size_t policy_tree_policies(const struct policy_tree *tree);    /* in all */
size_t policy_tree_computers(const struct policy_tree *tree);
/* All policies, each before those below it, siblings by name; NULL begins and ends. */
struct policy_node *policy_next(const struct policy_tree *tree, const struct policy_node *policy);
/* The computers right below a policy; NULL begins and ends. */
struct policy_node *policy_computer_next(const struct policy_node *policy, const struct policy_node *computer);
/* Its own value of a setting; NULL: inherited. */
const char *policy_own(const struct policy_node *node, enum setting_id id);
/* A computer whose link.direction is bidirectional whatever it is set to (specification 10-links "Directions"). */
bool policy_is_appliance(const struct policy_node *node);
/* The value that holds for it, and whose it is; *ret_origin NULL: the default. ret_origin may be NULL. What an
 * appliance is bound to is its own, also where policy_own() has nothing. */
const char *policy_value(const struct policy_node *node, enum setting_id id, const struct policy_node **ret_origin);
/* As of the last commit; NULL before the first. Lives until the next commit. */
const struct outcome *policy_outcome(const struct policy_node *node);

/* --- changing --- */
/* parent NULL: the base policy, once. ERR_EXISTS the name or id is taken,
 * ERR_RANGE not a name, ERR_LIMIT too many or too deep, ERR_WRONG_STATE. */
int policy_create(struct policy_tree *tree, const struct uuid *id, const char *name, struct policy_node *parent,
		  struct policy_node **ret_policy, struct err *err);
/* ERR_WRONG_STATE: the base policy, or there are policies or computers below it. */
int policy_delete(struct policy_tree *tree, struct policy_node *policy, struct err *err);
int policy_rename(struct policy_tree *tree, struct policy_node *policy, const char *name, struct err *err);
/* A policy or a computer. ERR_WRONG_STATE: the base policy, or below itself. */
int policy_move(struct policy_tree *tree, struct policy_node *node, struct policy_node *parent, struct err *err);

struct policy_change {
	const char *name;
	const char *value; /* NULL: inherit again */
};
/* All or nothing. What is wrong is told one by one (fault may be NULL), each by the
 * setting's name as given; then ERR_RANGE, and err holds the first. ERR_WRONG_STATE: the
 * node is an appliance, and a direction that it cannot have is given. */
int policy_set(struct policy_tree *tree, struct policy_node *node, const struct policy_change *changes, size_t count,
	       void (*fault)(void *context, const char *name, const char *reason), void *context, struct err *err);

int policy_computer_add(struct policy_tree *tree, const struct uuid *id, struct policy_node *policy,
			struct policy_node **ret_computer, struct err *err);
/* ERR_WRONG_STATE: not a computer, or it overrides link.direction with one that appliances cannot have. */
int policy_set_appliance(struct policy_tree *tree, struct policy_node *computer, bool appliance, struct err *err);
/* At once, and only while nothing else is under way. */
void policy_computer_remove(struct policy_tree *tree, struct policy_node *computer);

/* --- deciding --- */
/* Once, behind the last change. ERR_MEMORY, ERR_LIMIT: roll back. */
int policy_settle(struct policy_tree *tree, struct err *err);
/* After policy_settle(). changed (may be NULL) is called for each computer whose
 * outcome is another now, once; before is NULL for a new one. */
void policy_commit(struct policy_tree *tree,
		   void (*changed)(void *context, const struct uuid *computer, const struct outcome *before,
				   const struct outcome *after),
		   void *context);
/* The same calls without taking anything: what would be. */
void policy_preview(const struct policy_tree *tree,
		    void (*changed)(void *context, const struct uuid *computer, const struct outcome *before,
				    const struct outcome *after),
		    void *context);
void policy_rollback(struct policy_tree *tree);

#endif
