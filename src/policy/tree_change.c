/* Changing the tree one step at a time, each with what undoes it. */
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "policy/tree_parts.h"

/* --- room for what a change keeps --- */

static int reserve(void **array, size_t count, size_t *capacity, size_t size)
{
	size_t wanted = *capacity == 0 ? 16 : *capacity * 2;
	void *more;

	if (count < *capacity)
		return 0;
	more = reallocarray(*array, wanted, size);
	if (more == NULL)
		return ERR_MEMORY;
	*array = more;
	*capacity = wanted;
	return 0;
}

int tree_make_room(struct policy_tree *tree, struct err *err)
{
	void *undo = tree->undo, *touched = tree->touched;
	int rc = reserve(&undo, tree->undo_count, &tree->undo_capacity, sizeof(*tree->undo));

	tree->undo = undo;
	if (rc == 0)
		rc = reserve(&touched, tree->touched_count, &tree->touched_capacity, sizeof(struct policy_node *));
	tree->touched = touched;
	return rc == 0 ? 0 : err_set(err, rc, "out of memory");
}

void tree_note(struct policy_tree *tree, struct undo undo)
{
	tree->undo[tree->undo_count++] = undo;
}

void tree_touch(struct policy_tree *tree, struct policy_node *node)
{
	if (node->touched)
		return;
	if (node->is_computer)
		node->before = outcome_ref(node_outcome(node));
	node->touched = true;
	tree->touched[tree->touched_count++] = node;
}

/* --- changing --- */

static int check_name(const struct policy_tree *tree, const struct policy_node *self, const char *name, struct err *err)
{
	const struct policy_node *other;
	struct uuid uuid;

	if (!text_is_name(name, POLICY_NAME_MAX_BYTES) || name[0] == ' ' || name[strlen(name) - 1] == ' ')
		return err_set(err, ERR_RANGE,
			       "a policy's name is 1 to %d bytes of printable text without spaces around",
			       POLICY_NAME_MAX_BYTES);
	if (uuid_parse(name, &uuid, NULL) == 0)
		return err_set(err, ERR_RANGE, "a policy's name must not look like an id");
	other = policy_find_name(tree, name);
	if (other != NULL && other != self)
		return err_set(err, ERR_EXISTS, "there is a policy of this name: %s", policy_name(other));
	return 0;
}

/* How many levels of policies stand below. */
static unsigned height(const struct policy_node *policy)
{
	unsigned most = 0;

	for (const struct policy_node *child = as_policy(policy)->children; child != NULL; child = child->next) {
		unsigned below = 1 + height(child);

		most = below > most ? below : most;
	}
	return most;
}

static int check_place(const struct policy_tree *tree, const struct policy_node *parent, struct err *err)
{
	if (parent == NULL && tree->base != NULL)
		return err_set(err, ERR_WRONG_STATE, "there is one base policy; a policy needs a parent");
	if (parent != NULL && parent->is_computer)
		return err_set(err, ERR_WRONG_STATE, "a computer cannot be the parent of anything");
	if (tree->policy_count >= POLICIES_MAX)
		return err_set(err, ERR_LIMIT, "there are %d policies already", POLICIES_MAX);
	if (parent != NULL && policy_depth(parent) + 1 > POLICY_DEPTH_MAX)
		return err_set(err, ERR_LIMIT, "policies can stand %d levels deep at most", POLICY_DEPTH_MAX);
	return 0;
}

int policy_create(struct policy_tree *tree, const struct uuid *id, const char *name, struct policy_node *parent,
		  struct policy_node **ret_policy, struct err *err)
{
	struct policy *policy;
	int rc = check_name(tree, NULL, name, err);

	if (rc == 0)
		rc = check_place(tree, parent, err);
	if (rc == 0 && map_get(tree->nodes, id->bytes, UUID_BYTES) != NULL)
		rc = err_set(err, ERR_EXISTS, "the id is taken");
	if (rc == 0)
		rc = tree_make_room(tree, err);
	if (rc != 0)
		return rc;
	policy = calloc(1, sizeof(*policy));
	if (policy != NULL)
		policy->name = strdup(name);
	if (policy == NULL || policy->name == NULL || map_set(tree->nodes, id->bytes, UUID_BYTES, &policy->node) != 0) {
		free(policy != NULL ? policy->name : NULL);
		free(policy);
		return err_set(err, ERR_MEMORY, "out of memory");
	}
	policy->node.id = *id;
	if (parent != NULL)
		node_link(&policy->node, parent);
	else
		tree->base = &policy->node;
	tree->policy_count++;
	tree_note(tree, (struct undo){ .kind = UNDO_CREATE, .node = &policy->node });
	tree_touch(tree, &policy->node);
	*ret_policy = &policy->node;
	return 0;
}

int policy_delete(struct policy_tree *tree, struct policy_node *policy, struct err *err)
{
	struct policy *one = as_policy(policy);
	int rc;

	if (policy->is_computer)
		return err_set(err, ERR_WRONG_STATE, "a computer is not a policy");
	if (policy == tree->base)
		return err_set(err, ERR_WRONG_STATE, "the base policy cannot be deleted");
	if (one->child_count > 0)
		return err_set(err, ERR_WRONG_STATE, "%zu %s below it, such as %s; move or delete %s first",
			       one->child_count, one->child_count == 1 ? "policy stands" : "policies stand",
			       policy_name(one->children), one->child_count == 1 ? "it" : "them");
	if (one->computer_count > 0)
		return err_set(err, ERR_WRONG_STATE, "%zu %s assigned to it; assign another policy first",
			       one->computer_count, one->computer_count == 1 ? "computer is" : "computers are");
	rc = tree_make_room(tree, err);
	if (rc != 0)
		return rc;
	tree_note(tree, (struct undo){ .kind = UNDO_DELETE, .node = policy, .parent = policy->parent });
	node_unlink(policy);
	one->gone = true;
	tree->policy_count--;
	return 0;
}

int policy_rename(struct policy_tree *tree, struct policy_node *policy, const char *name, struct err *err)
{
	struct policy *one = as_policy(policy);
	char *copy;
	int rc;

	if (policy->is_computer || policy == tree->base)
		return err_set(err, ERR_WRONG_STATE, "the base policy keeps its name");
	rc = check_name(tree, policy, name, err);
	if (rc == 0)
		rc = tree_make_room(tree, err);
	if (rc != 0)
		return rc;
	copy = strdup(name);
	if (copy == NULL)
		return err_set(err, ERR_MEMORY, "out of memory");
	tree_note(tree, (struct undo){ .kind = UNDO_RENAME, .node = policy, .name = one->name });
	node_unlink(policy);
	one->name = copy;
	node_link(policy, policy->parent);
	return 0;
}

int policy_move(struct policy_tree *tree, struct policy_node *node, struct policy_node *parent, struct err *err)
{
	int rc;

	if (node == tree->base)
		return err_set(err, ERR_WRONG_STATE, "the base policy cannot be moved");
	if (parent->is_computer)
		return err_set(err, ERR_WRONG_STATE, "a computer cannot be the parent of anything");
	for (const struct policy_node *above = parent; above != NULL; above = above->parent) {
		if (above == node)
			return err_set(err, ERR_WRONG_STATE, "%s stands below %s: the tree would become a circle",
				       policy_name(parent), policy_name(node));
	}
	if (!node->is_computer && policy_depth(parent) + 1 + height(node) > POLICY_DEPTH_MAX)
		return err_set(err, ERR_LIMIT, "policies can stand %d levels deep at most", POLICY_DEPTH_MAX);
	if (parent == node->parent)
		return 0;
	rc = tree_make_room(tree, err);
	if (rc != 0)
		return rc;
	tree_touch(tree, node);
	tree_note(tree, (struct undo){ .kind = UNDO_MOVE, .node = node, .parent = node->parent });
	node_unlink(node);
	node_link(node, parent);
	return 0;
}

int policy_computer_add(struct policy_tree *tree, const struct uuid *id, struct policy_node *policy,
			struct policy_node **ret_computer, struct err *err)
{
	struct policy_node *computer;
	int rc = tree_make_room(tree, err);

	if (rc != 0)
		return rc;
	if (map_get(tree->nodes, id->bytes, UUID_BYTES) != NULL)
		return err_set(err, ERR_EXISTS, "the computer is known already");
	computer = calloc(1, sizeof(*computer));
	if (computer == NULL || map_set(tree->nodes, id->bytes, UUID_BYTES, computer) != 0) {
		free(computer);
		return err_set(err, ERR_MEMORY, "out of memory");
	}
	computer->id = *id;
	computer->is_computer = true;
	tree_touch(tree, computer); /* while it has no outcome */
	node_link(computer, policy);
	tree->computer_count++;
	tree_note(tree, (struct undo){ .kind = UNDO_CREATE, .node = computer });
	*ret_computer = computer;
	return 0;
}

void policy_computer_remove(struct policy_tree *tree, struct policy_node *computer)
{
	node_unlink(computer);
	map_remove(tree->nodes, computer->id.bytes, UUID_BYTES);
	tree->computer_count--;
	node_free(tree, computer);
}
