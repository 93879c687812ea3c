/* Nodes: their life, looking at them, and how they hang together. */
#include "policy/tree.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "policy/tree_parts.h"

/* --- life --- */

int policy_tree_new(uint64_t seed, policy_digest digest, struct policy_tree **ret_tree, struct err *err)
{
	struct policy_tree *tree = calloc(1, sizeof(*tree));

	if (tree == NULL)
		return err_set(err, ERR_MEMORY, "out of memory");
	tree->nodes = map_new(seed);
	tree->outcomes = outcomes_new(seed, digest);
	if (tree->nodes == NULL || tree->outcomes == NULL) {
		policy_tree_free(tree);
		return err_set(err, ERR_MEMORY, "out of memory");
	}
	*ret_tree = tree;
	return 0;
}

void own_free(char **own)
{
	for (unsigned id = 0; own != NULL && id < SETTINGS_COUNT; id++)
		free(own[id]);
	free(own);
}

void node_free(struct policy_tree *tree, struct policy_node *node)
{
	outcomes_unref(tree->outcomes, node->outcome);
	outcomes_unref(tree->outcomes, node->staged);
	outcomes_unref(tree->outcomes, node->before);
	own_free(node->own);
	if (!node->is_computer)
		free(as_policy(node)->name);
	free(node);
}

void policy_tree_free(struct policy_tree *tree)
{
	struct policy_node *node;
	size_t position = 0;

	if (tree == NULL)
		return;
	if (tree->outcomes != NULL)
		policy_rollback(tree);
	while (tree->nodes != NULL && (node = map_next(tree->nodes, &position, NULL, NULL)) != NULL)
		node_free(tree, node);
	map_free(tree->nodes);
	outcomes_free(tree->outcomes);
	free(tree->undo);
	free(tree->touched);
	free(tree);
}

/* --- looking --- */

struct policy_node *policy_find(const struct policy_tree *tree, const struct uuid *id)
{
	struct policy_node *node = map_get(tree->nodes, id->bytes, UUID_BYTES);

	return node != NULL && !node->is_computer && as_policy(node)->gone ? NULL : node;
}

struct policy_node *policy_find_name(const struct policy_tree *tree, const char *name)
{
	struct policy_node *policy = NULL;

	while ((policy = policy_next(tree, policy)) != NULL) {
		if (strcasecmp(policy_name(policy), name) == 0)
			break;
	}
	return policy;
}

struct policy_node *policy_base(const struct policy_tree *tree)
{
	return tree->base;
}

const struct uuid *policy_id(const struct policy_node *node)
{
	return &node->id;
}

bool policy_is_computer(const struct policy_node *node)
{
	return node->is_computer;
}

const char *policy_name(const struct policy_node *policy)
{
	return policy->is_computer ? "" : as_policy(policy)->name;
}

struct policy_node *policy_parent(const struct policy_node *node)
{
	return node->parent;
}

unsigned policy_depth(const struct policy_node *policy)
{
	unsigned depth = 0;

	while ((policy = policy->parent) != NULL)
		depth++;
	return depth;
}

size_t policy_child_count(const struct policy_node *policy)
{
	return policy->is_computer ? 0 : as_policy(policy)->child_count;
}

size_t policy_computer_count(const struct policy_node *policy)
{
	return policy->is_computer ? 0 : as_policy(policy)->computer_count;
}

size_t policy_own_count(const struct policy_node *node)
{
	size_t count = 0;

	for (unsigned id = 0; id < SETTINGS_COUNT; id++)
		count += policy_own(node, id) != NULL;
	return count;
}

size_t policy_tree_policies(const struct policy_tree *tree)
{
	return tree->policy_count;
}

size_t policy_tree_computers(const struct policy_tree *tree)
{
	return tree->computer_count;
}

struct policy_node *policy_next(const struct policy_tree *tree, const struct policy_node *policy)
{
	if (policy == NULL)
		return tree->base;
	if (as_policy(policy)->children != NULL)
		return as_policy(policy)->children;
	while (policy != NULL && policy->next == NULL)
		policy = policy->parent;
	return policy != NULL ? policy->next : NULL;
}

struct policy_node *policy_computer_next(const struct policy_node *policy, const struct policy_node *computer)
{
	return computer == NULL ? as_policy(policy)->computers : computer->next;
}

const char *policy_own(const struct policy_node *node, enum setting_id id)
{
	return node->own != NULL ? node->own[id] : NULL;
}

bool policy_is_appliance(const struct policy_node *node)
{
	return node->appliance;
}

const char *policy_value(const struct policy_node *node, enum setting_id id, const struct policy_node **ret_origin)
{
	const char *value = node_fixed(node, id);

	for (; node != NULL && value == NULL; node = value == NULL ? node->parent : node)
		value = policy_own(node, id);
	if (ret_origin != NULL)
		*ret_origin = node;
	return value != NULL ? value : setting_default(id);
}

/* --- links --- */

static bool goes_before(const struct policy_node *a, const struct policy_node *b)
{
	int order = strcasecmp(policy_name(a), policy_name(b));

	return order != 0 ? order < 0 : strcmp(policy_name(a), policy_name(b)) < 0;
}

void node_link(struct policy_node *node, struct policy_node *parent)
{
	struct policy *above = as_policy(parent);
	struct policy_node **head = node->is_computer ? &above->computers : &above->children;
	struct policy_node *before = NULL, *after = *head;

	while (!node->is_computer && after != NULL && goes_before(after, node)) {
		before = after;
		after = after->next;
	}
	node->parent = parent;
	node->previous = before;
	node->next = after;
	if (after != NULL)
		after->previous = node;
	if (before != NULL)
		before->next = node;
	else
		*head = node;
	above->computer_count += node->is_computer;
	above->child_count += !node->is_computer;
}

void node_unlink(struct policy_node *node)
{
	struct policy *above = as_policy(node->parent);

	if (node->previous != NULL)
		node->previous->next = node->next;
	else if (node->is_computer)
		above->computers = node->next;
	else
		above->children = node->next;
	if (node->next != NULL)
		node->next->previous = node->previous;
	node->next = node->previous = NULL;
	above->computer_count -= node->is_computer;
	above->child_count -= !node->is_computer;
}
