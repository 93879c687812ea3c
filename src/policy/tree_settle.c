/* What changes come to: computed once per distinct outcome, then taken or dropped. */
#include <stdlib.h>
#include <string.h>

#include "policy/tree_parts.h"

/* --- outcomes --- */

struct outcome *node_outcome(const struct policy_node *node)
{
	if (node->before != NULL || node->outcome != NULL)
		return node->before != NULL ? node->before : node->outcome;
	/* A computer without any of its own has those of its policy; a new one has none yet. */
	return node->is_computer && !node->touched && node->parent != NULL ? node->parent->outcome : NULL;
}

const struct outcome *policy_outcome(const struct policy_node *node)
{
	return node_outcome(node);
}

/* What will hold after the commit. */
static struct outcome *coming(const struct policy_node *node)
{
	if (node->staged != NULL)
		return node->staged;
	if (!node_keeps_outcome(node) && node->parent != NULL)
		return coming(node->parent);
	return node->outcome;
}

static bool differs(const struct policy_node *policy)
{
	return policy->staged != NULL && policy->staged != policy->outcome;
}

/* --- settling --- */

static int stage(struct policy_tree *tree, struct policy_node *node, struct err *err)
{
	const struct outcome *above = node->parent != NULL ? coming(node->parent) : NULL;
	const char *values[SETTINGS_COUNT];

	for (unsigned id = 0; id < SETTINGS_COUNT; id++) {
		const char *own = node_fixed(node, id);

		if (own == NULL)
			own = policy_own(node, id);
		values[id] = own != NULL ? own : above != NULL ? above->values[id] : setting_default(id);
	}
	outcomes_unref(tree->outcomes, node->staged);
	node->staged = NULL;
	return outcomes_get(tree->outcomes, values, &node->staged, err);
}

/* Parents come before what is below them. */
static int settle_policy(struct policy_tree *tree, struct policy_node *policy, struct err *err)
{
	struct policy_node *computer = NULL;
	int rc = 0;

	if (policy->touched || (policy->parent != NULL && differs(policy->parent)))
		rc = stage(tree, policy, err);
	if (!differs(policy))
		return rc;
	while (rc == 0 && (computer = policy_computer_next(policy, computer)) != NULL) {
		if (node_keeps_outcome(computer) && !computer->touched)
			rc = stage(tree, computer, err);
	}
	return rc;
}

int policy_settle(struct policy_tree *tree, struct err *err)
{
	struct policy_node *policy = NULL;
	int rc = 0;

	while (rc == 0 && (policy = policy_next(tree, policy)) != NULL)
		rc = settle_policy(tree, policy, err);
	for (size_t i = 0; rc == 0 && i < tree->touched_count; i++) {
		struct policy_node *node = tree->touched[i];

		if (node->is_computer && node_keeps_outcome(node))
			rc = stage(tree, node, err);
	}
	return rc;
}

/* --- taking --- */

struct telling {
	void (*changed)(void *context, const struct uuid *computer, const struct outcome *before,
			const struct outcome *after);
	void *context;
};

static void tell(const struct telling *telling, const struct policy_node *computer)
{
	const struct outcome *before = node_outcome(computer), *after = coming(computer);

	if (telling->changed != NULL && before != after)
		telling->changed(telling->context, &computer->id, before, after);
}

static void take(struct policy_tree *tree, struct policy_node *node)
{
	if (node->staged != NULL || !node_keeps_outcome(node)) {
		outcomes_unref(tree->outcomes, node->outcome);
		node->outcome = node->staged;
		node->staged = NULL;
	}
	outcomes_unref(tree->outcomes, node->before);
	node->before = NULL;
	node->touched = false;
}

/* For each policy whose outcome differs: its computers, but for the touched, which have a turn of their own. */
static void tell_computers(const struct policy_tree *tree, const struct telling *telling)
{
	struct policy_node *policy = NULL;

	while ((policy = policy_next(tree, policy)) != NULL) {
		struct policy_node *computer = NULL;

		while (differs(policy) && (computer = policy_computer_next(policy, computer)) != NULL) {
			if (!computer->touched)
				tell(telling, computer);
		}
	}
	for (size_t i = 0; i < tree->touched_count; i++) {
		if (tree->touched[i]->is_computer)
			tell(telling, tree->touched[i]);
	}
}

void policy_preview(const struct policy_tree *tree,
		    void (*changed)(void *context, const struct uuid *computer, const struct outcome *before,
				    const struct outcome *after),
		    void *context)
{
	const struct telling telling = { changed, context };

	tell_computers(tree, &telling);
}

static void for_all_staged(struct policy_tree *tree, void (*act)(struct policy_tree *tree, struct policy_node *node))
{
	struct policy_node *policy = NULL;

	/* Computers first: whether their policy differs is asked of the policy. */
	while ((policy = policy_next(tree, policy)) != NULL) {
		struct policy_node *computer = NULL;

		while (differs(policy) && (computer = policy_computer_next(policy, computer)) != NULL) {
			if (computer->staged != NULL)
				act(tree, computer);
		}
		act(tree, policy);
	}
	for (size_t i = 0; i < tree->touched_count; i++)
		act(tree, tree->touched[i]);
	tree->touched_count = 0;
}

static void forget_undo(struct policy_tree *tree, struct undo *undo)
{
	own_free(undo->own);
	free(undo->name);
	if (undo->kind != UNDO_DELETE)
		return;
	map_remove(tree->nodes, undo->node->id.bytes, UUID_BYTES);
	node_free(tree, undo->node);
}

void policy_commit(struct policy_tree *tree,
		   void (*changed)(void *context, const struct uuid *computer, const struct outcome *before,
				   const struct outcome *after),
		   void *context)
{
	const struct telling telling = { changed, context };

	tell_computers(tree, &telling);
	for_all_staged(tree, take);
	for (size_t i = 0; i < tree->undo_count; i++)
		forget_undo(tree, &tree->undo[i]);
	tree->undo_count = 0;
}

/* --- dropping --- */

static void drop(struct policy_tree *tree, struct policy_node *node)
{
	outcomes_unref(tree->outcomes, node->staged);
	outcomes_unref(tree->outcomes, node->before);
	node->staged = node->before = NULL;
	node->touched = false;
}

static void undo_create(struct policy_tree *tree, struct policy_node *node)
{
	if (node == tree->base)
		tree->base = NULL;
	else
		node_unlink(node);
	if (node->is_computer)
		tree->computer_count--;
	else
		tree->policy_count--;
	map_remove(tree->nodes, node->id.bytes, UUID_BYTES);
	node_free(tree, node);
}

static void undo_one(struct policy_tree *tree, struct undo *undo)
{
	struct policy_node *node = undo->node;

	switch (undo->kind) {
	case UNDO_CREATE:
		undo_create(tree, node);
		break;
	case UNDO_DELETE:
		as_policy(node)->gone = false;
		node_link(node, undo->parent);
		tree->policy_count++;
		break;
	case UNDO_RENAME:
		node_unlink(node);
		free(as_policy(node)->name);
		as_policy(node)->name = undo->name;
		node_link(node, node->parent);
		break;
	case UNDO_MOVE:
		node_unlink(node);
		node_link(node, undo->parent);
		break;
	case UNDO_SET:
		own_free(node->own);
		node->own = undo->own;
		break;
	case UNDO_APPLIANCE:
		node->appliance = !node->appliance;
		break;
	}
}

void policy_rollback(struct policy_tree *tree)
{
	for_all_staged(tree, drop);
	while (tree->undo_count > 0)
		undo_one(tree, &tree->undo[--tree->undo_count]);
}
