/* What a node sets itself: its overrides, and whether it is an appliance. Names and values are untrusted. */
#include <stdlib.h>
#include <string.h>

#include "policy/tree_parts.h"

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
	rc = tree_make_room(tree, err);
	if (rc != 0)
		return rc;
	tree_touch(tree, computer);
	tree_note(tree, (struct undo){ .kind = UNDO_APPLIANCE, .node = computer });
	computer->appliance = appliance;
	return 0;
}

/* --- overrides --- */

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
		rc = tree_make_room(tree, NULL);
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
	tree_touch(tree, node);
	tree_note(tree, (struct undo){ .kind = UNDO_SET, .node = node, .own = node->own });
	node->own = own;
	return 0;
}
