/* Nodes, looking at them, and changing them one step at a time. */
#include "policy/tree.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"
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

/* After it, note() and touch() for one node cannot fail. */
static int make_room(struct policy_tree *tree, struct err *err)
{
	void *undo = tree->undo, *touched = tree->touched;
	int rc = reserve(&undo, tree->undo_count, &tree->undo_capacity, sizeof(*tree->undo));

	tree->undo = undo;
	if (rc == 0)
		rc = reserve(&touched, tree->touched_count, &tree->touched_capacity, sizeof(struct policy_node *));
	tree->touched = touched;
	return rc == 0 ? 0 : err_set(err, rc, "out of memory");
}

static void note(struct policy_tree *tree, struct undo undo)
{
	tree->undo[tree->undo_count++] = undo;
}

static void touch(struct policy_tree *tree, struct policy_node *node)
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
		rc = make_room(tree, err);
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
	note(tree, (struct undo){ .kind = UNDO_CREATE, .node = &policy->node });
	touch(tree, &policy->node);
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
	rc = make_room(tree, err);
	if (rc != 0)
		return rc;
	note(tree, (struct undo){ .kind = UNDO_DELETE, .node = policy, .parent = policy->parent });
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
		rc = make_room(tree, err);
	if (rc != 0)
		return rc;
	copy = strdup(name);
	if (copy == NULL)
		return err_set(err, ERR_MEMORY, "out of memory");
	note(tree, (struct undo){ .kind = UNDO_RENAME, .node = policy, .name = one->name });
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
	rc = make_room(tree, err);
	if (rc != 0)
		return rc;
	touch(tree, node);
	note(tree, (struct undo){ .kind = UNDO_MOVE, .node = node, .parent = node->parent });
	node_unlink(node);
	node_link(node, parent);
	return 0;
}

int policy_computer_add(struct policy_tree *tree, const struct uuid *id, struct policy_node *policy,
			struct policy_node **ret_computer, struct err *err)
{
	struct policy_node *computer;
	int rc = make_room(tree, err);

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
	touch(tree, computer); /* while it has no outcome */
	node_link(computer, policy);
	tree->computer_count++;
	note(tree, (struct undo){ .kind = UNDO_CREATE, .node = computer });
	*ret_computer = computer;
	return 0;
}

/* Its own direction that an appliance cannot have; NULL: none. */
static const char *unfit_direction(char *const *own)
{
	const char *direction = own != NULL ? own[SETTING_LINK_DIRECTION] : NULL;

	return direction == NULL || strcmp(direction, link_direction_name(LINK_BIDIRECTIONAL)) == 0 ? NULL : direction;
}

int policy_set_appliance(struct policy_tree *tree, struct policy_node *computer, bool appliance, struct err *err)
{
	const char *unfit = unfit_direction(computer->own);
	int rc;

	if (!computer->is_computer)
		return err_set(err, ERR_WRONG_STATE, "only a computer can be an appliance");
	if (computer->appliance == appliance)
		return 0;
	if (appliance && unfit != NULL)
		return err_set(err, ERR_WRONG_STATE,
			       "appliances are only bidirectional, and this computer has link.direction = %s of its "
			       "own; have it inherit link.direction first",
			       unfit);
	rc = make_room(tree, err);
	if (rc != 0)
		return rc;
	touch(tree, computer);
	note(tree, (struct undo){ .kind = UNDO_APPLIANCE, .node = computer });
	computer->appliance = appliance;
	return 0;
}

void policy_computer_remove(struct policy_tree *tree, struct policy_node *computer)
{
	node_unlink(computer);
	map_remove(tree->nodes, computer->id.bytes, UUID_BYTES);
	tree->computer_count--;
	node_free(tree, computer);
}

/* --- settings --- */

struct setting_faults {
	void (*tell)(void *context, const char *name, const char *reason);
	void *context;
	size_t count;
	struct err *err;
};

static void fault(struct setting_faults *faults, const char *name, const char *reason)
{
	if (faults->tell != NULL)
		faults->tell(faults->context, name, reason);
	if (faults->count++ == 0)
		err_set(faults->err, ERR_RANGE, "%.64s: %s", name, reason);
}

static void fault_unknown(struct setting_faults *faults, const char *name)
{
	const char *nearest = setting_nearest(name);
	char reason[160] = "there is no such setting";
	struct err text = { 0 };

	if (nearest != NULL) {
		err_set(&text, ERR_UNKNOWN, "there is no such setting; did you mean %s?", nearest);
		fault(faults, name, text.text);
	} else {
		fault(faults, name, reason);
	}
}

/* Puts one change into own; faults are noted. Only ERR_MEMORY is returned. */
static int take_change(char **own, bool *given, const struct policy_change *change, struct setting_faults *faults)
{
	enum setting_id id = setting_find(change->name);
	struct err why = { 0 };
	struct buf text;
	int rc = 0;

	if (id == SETTINGS_COUNT) {
		fault_unknown(faults, change->name);
		return 0;
	}
	if (given[id]) {
		fault(faults, change->name, "is given twice");
		return 0;
	}
	given[id] = true;
	buf_init(&text, CONF_VALUE_BYTES + 1);
	if (change->value != NULL && setting_canonical(id, change->value, &text, &why) != 0) {
		if (why.code == ERR_MEMORY)
			rc = ERR_MEMORY;
		else
			fault(faults, change->name, why.text);
	} else {
		free(own[id]);
		own[id] = change->value != NULL ? strdup(buf_text(&text)) : NULL;
		rc = change->value != NULL && own[id] == NULL ? ERR_MEMORY : 0;
	}
	buf_done(&text);
	return rc;
}

static char **copy_own(char *const *own)
{
	char **copy = calloc(SETTINGS_COUNT, sizeof(char *));

	for (unsigned id = 0; copy != NULL && own != NULL && id < SETTINGS_COUNT; id++) {
		if (own[id] == NULL)
			continue;
		copy[id] = strdup(own[id]);
		if (copy[id] == NULL) {
			own_free(copy);
			return NULL;
		}
	}
	return copy;
}

static bool own_empty(char *const *own)
{
	for (unsigned id = 0; id < SETTINGS_COUNT; id++) {
		if (own[id] != NULL)
			return false;
	}
	return true;
}

int policy_set(struct policy_tree *tree, struct policy_node *node, const struct policy_change *changes, size_t count,
	       void (*tell)(void *context, const char *name, const char *reason), void *context, struct err *err)
{
	struct setting_faults faults = { tell, context, 0, err };
	bool given[SETTINGS_COUNT] = { false };
	char **own = copy_own(node->own);
	int rc = own != NULL ? 0 : ERR_MEMORY;

	for (size_t i = 0; rc == 0 && i < count; i++)
		rc = take_change(own, given, &changes[i], &faults);
	if (rc == 0)
		rc = make_room(tree, NULL);
	if (rc != 0)
		err_set(err, rc, "out of memory");
	else if (faults.count > 0)
		rc = ERR_RANGE;
	else if (node->appliance && unfit_direction(own) != NULL)
		rc = err_set(err, ERR_WRONG_STATE,
			     "the computer is an appliance, and appliances are only bidirectional: link.direction = %s "
			     "cannot be set on it",
			     unfit_direction(own));
	if (rc != 0) {
		own_free(own);
		return rc;
	}
	if (own_empty(own)) {
		own_free(own);
		own = NULL;
	}
	touch(tree, node);
	note(tree, (struct undo){ .kind = UNDO_SET, .node = node, .own = node->own });
	node->own = own;
	return 0;
}
