/* Inside src/policy: nodes of the tree, and what a change keeps to undo itself. */
#ifndef MUSTER_POLICY_TREE_PARTS_H
#define MUSTER_POLICY_TREE_PARTS_H

#include "base/map.h"
#include "policy/tree.h"

struct policy_node {
	struct uuid id;
	struct policy_node *parent;
	struct policy_node *next, *previous; /* of its kind below the parent */
	char **own;                          /* SETTINGS_COUNT texts, each its own; NULL: none at all */
	struct outcome *outcome;             /* of policies and of computers with values of their own; else NULL */
	struct outcome *staged;              /* after policy_settle(), if computed */
	struct outcome *before;              /* of a touched computer: what it had */
	bool is_computer;
	bool appliance; /* a computer only */
	bool touched;   /* in tree->touched */
};

struct policy {
	struct policy_node node; /* first */
	char *name;
	struct policy_node *children;  /* by name */
	struct policy_node *computers; /* newest first */
	size_t child_count, computer_count;
	bool gone; /* deleted, not yet committed */
};

enum undo_kind { UNDO_CREATE, UNDO_DELETE, UNDO_RENAME, UNDO_MOVE, UNDO_SET, UNDO_APPLIANCE };

struct undo {
	enum undo_kind kind;
	struct policy_node *node;
	struct policy_node *parent; /* move: the former */
	char **own;                 /* set: the former */
	char *name;                 /* rename: the former */
};

struct policy_tree {
	struct map *nodes; /* by id */
	struct outcomes *outcomes;
	struct policy_node *base;
	size_t policy_count, computer_count;
	struct undo *undo;
	size_t undo_count, undo_capacity;
	struct policy_node **touched;
	size_t touched_count, touched_capacity;
};

static inline struct policy *as_policy(const struct policy_node *node)
{
	return (struct policy *)(uintptr_t)node;
}

/* The value that no policy and no override can change; NULL: they decide. */
static inline const char *node_fixed(const struct policy_node *node, enum setting_id id)
{
	return node->appliance && id == SETTING_LINK_DIRECTION ? link_direction_name(LINK_BIDIRECTIONAL) : NULL;
}

/* Else it has that of its policy. */
static inline bool node_keeps_outcome(const struct policy_node *node)
{
	return !node->is_computer || node->own != NULL || node->appliance;
}

/* tree.c */
void node_link(struct policy_node *node, struct policy_node *parent);
void node_unlink(struct policy_node *node);
void node_free(struct policy_tree *tree, struct policy_node *node);
void own_free(char **own);
/* tree_change.c: after it, tree_note() and tree_touch() for one node cannot fail. */
int tree_make_room(struct policy_tree *tree, struct err *err);
void tree_note(struct policy_tree *tree, struct undo undo);          /* takes over what is in it */
void tree_touch(struct policy_tree *tree, struct policy_node *node); /* what comes out of it may change */
/* tree_settle.c: what it has now, before anything under way. NULL: nothing yet. */
struct outcome *node_outcome(const struct policy_node *node);

#endif
