/* Changing the tree: checked, computed, stored, then in force, or nothing of it.
 *
 * What is asked for comes from people and is checked by policy/tree.c. While
 * the database writes, others may look at outcomes, which are those of before.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "manager/front/policy_steps.h"
#include "manager/queries.h"

struct editing {
	struct policies *policies;
	const struct front_actor *actor;
	void (*fault)(void *context, const char *name, const char *reason);
	void *context;
	struct policy_steps steps;
	struct front_policy_result result;
};

/* --- what it was, what it is --- */

/* Name, parent and own values as one object; empty: not there. */
static json_t *snapshot(const struct policy_node *node)
{
	json_t *object = json_object();

	if (node == NULL || object == NULL)
		return object;
	if (!policy_is_computer(node))
		json_object_set_new(object, "name", json_string(policy_name(node)));
	if (policy_parent(node) != NULL)
		json_object_set_new(object, policy_is_computer(node) ? "policy" : "parent",
				    json_string(policy_name(policy_parent(node))));
	if (policy_is_computer(node))
		json_object_set_new(object, "appliance", json_string(policy_is_appliance(node) ? "yes" : "no"));
	for (unsigned id = 0; id < SETTINGS_COUNT; id++) {
		if (policy_own(node, id) != NULL)
			json_object_set_new(object, setting_name(id), json_string(policy_own(node, id)));
	}
	return object;
}

static int add_difference(json_t *changes, const char *name, json_t *old, json_t *new)
{
	json_t *change;

	if (old == NULL && new == NULL)
		return 0;
	if (old != NULL && new != NULL && json_equal(old, new))
		return 0;
	change = json_pack("{ss, sO, sO}", "name", name, "old", old != NULL ? old : json_null(), "new",
			   new != NULL ? new : json_null());
	return change != NULL && json_array_append_new(changes, change) == 0 ? 0 : ERR_MEMORY;
}

/* [{name, old, new}] of what differs; takes both over. */
static int compare(json_t *before, json_t *after, json_t **ret_changes, struct err *err)
{
	static const char *const others[] = { "name", "parent", "policy", "appliance" };
	json_t *changes = json_array();
	int rc = before != NULL && after != NULL && changes != NULL ? 0 : ERR_MEMORY;

	for (size_t i = 0; rc == 0 && i < COUNT_OF(others); i++)
		rc = add_difference(changes, others[i], json_object_get(before, others[i]),
				    json_object_get(after, others[i]));
	for (unsigned id = 0; rc == 0 && id < SETTINGS_COUNT; id++)
		rc = add_difference(changes, setting_name(id), json_object_get(before, setting_name(id)),
				    json_object_get(after, setting_name(id)));
	json_decref(before);
	json_decref(after);
	if (rc != 0) {
		json_decref(changes);
		return err_set(err, rc, "no memory for the change");
	}
	*ret_changes = changes;
	return 0;
}

/* --- one edit --- */

static int find_policy(const struct policy_tree *tree, const char *given, struct policy_node **ret_policy,
		       struct err *err)
{
	struct uuid id;
	struct policy_node *policy =
	    uuid_parse(given, &id, NULL) == 0 ? policy_find(tree, &id) : policy_find_name(tree, given);

	if (policy == NULL || policy_is_computer(policy))
		return err_set(err, ERR_NOT_FOUND, "there is no policy '%.100s'", given);
	*ret_policy = policy;
	return 0;
}

static int find_subject(const struct editing *editing, const struct front_policy_edit *edit,
			struct policy_node **ret_node, struct err *err)
{
	struct policy_node *node = policy_find(editing->policies->tree, &edit->subject);

	if (node == NULL || policy_is_computer(node) != edit->computer)
		return err_set(err, ERR_NOT_FOUND, "there is no such %s", edit->computer ? "computer" : "policy");
	*ret_node = node;
	return 0;
}

static int create_policy(const struct editing *editing, struct front_policy_edit *edit, struct policy_node **ret_node,
			 struct err *err)
{
	struct policy_tree *tree = editing->policies->tree;
	struct policy_node *parent = policy_base(tree);
	int rc = 0;

	if (edit->parent != NULL)
		rc = find_policy(tree, edit->parent, &parent, err);
	if (rc == ERR_NOT_FOUND && edit->restores != 0)
		rc = err_set(err, ERR_WRONG_STATE, "there is no policy '%.100s' to put it below; give another parent",
			     edit->parent);
	if (rc != 0)
		return rc;
	if (edit->restores == 0)
		edit->subject = env_uuid(editing->policies->front->env);
	return policy_create(tree, &edit->subject, edit->name, parent, ret_node, err);
}

/* What edit->changes does not name is inherited. */
static int unset_others(const struct editing *editing, const struct front_policy_edit *edit, struct policy_node *node,
			struct err *err)
{
	struct policy_change unset[SETTINGS_COUNT];
	size_t count = 0;

	for (unsigned id = 0; id < SETTINGS_COUNT; id++) {
		bool named = policy_own(node, id) == NULL;

		for (size_t i = 0; !named && i < edit->change_count; i++)
			named = strcmp(edit->changes[i].name, setting_name(id)) == 0;
		if (!named)
			unset[count++] = (struct policy_change){ setting_name(id), NULL };
	}
	return count > 0 ? policy_set(editing->policies->tree, node, unset, count, NULL, NULL, err) : 0;
}

static int change_node(const struct editing *editing, const struct front_policy_edit *edit, struct policy_node *node,
		       struct err *err)
{
	struct policy_tree *tree = editing->policies->tree;
	struct policy_node *parent = NULL;
	int rc = 0;

	if (edit->name != NULL && strcmp(edit->name, policy_name(node)) != 0)
		rc = policy_rename(tree, node, edit->name, err);
	if (rc == 0 && edit->parent != NULL) {
		rc = find_policy(tree, edit->parent, &parent, err);
		if (rc == 0 && parent != policy_parent(node))
			rc = policy_move(tree, node, parent, err);
	}
	/* What an appliance cannot have may be given with the word that it is none any more. */
	if (rc == 0 && edit->appliance == FRONT_APPLIANCE_NO)
		rc = policy_set_appliance(tree, node, false, err);
	if (rc == 0 && edit->kind == FRONT_POLICY_PUT)
		rc = unset_others(editing, edit, node, err);
	if (rc == 0 && edit->change_count > 0)
		rc = policy_set(tree, node, edit->changes, edit->change_count, editing->fault, editing->context, err);
	if (rc == 0 && edit->appliance == FRONT_APPLIANCE_YES)
		rc = policy_set_appliance(tree, node, true, err);
	return rc;
}

static void describe_node(struct policy_step *step, const struct policy_node *node)
{
	const struct policy_node *parent = policy_parent(node);

	step->appliance = policy_is_appliance(node);
	if (!step->is_computer)
		snprintf(step->name, sizeof(step->name), "%s", policy_name(node));
	if (parent == NULL)
		return;
	step->parent = *policy_id(parent);
	snprintf(step->parent_name, sizeof(step->parent_name), "%s", policy_name(parent));
}

/* With `lock` held; step->version was read if the subject was there. */
static int make_step(struct editing *editing, struct front_policy_edit *edit, struct policy_step *step,
		     struct policy_node *node, struct err *err)
{
	json_t *before = snapshot(node), *after;
	int rc = 0;

	if (node != NULL && !step->is_computer)
		snprintf(step->former, sizeof(step->former), "%s", policy_name(node));
	if (edit->kind == FRONT_POLICY_DELETE)
		rc = policy_delete(editing->policies->tree, node, err);
	else if (node == NULL)
		rc = create_policy(editing, edit, &node, err);
	if (rc == 0 && edit->kind != FRONT_POLICY_DELETE) {
		struct front_policy_edit rest = *edit;

		if (step->action == STEP_CREATE || step->action == STEP_RESTORE)
			rest.name = rest.parent = NULL;
		rc = change_node(editing, &rest, node, err);
	}
	if (rc != 0) {
		json_decref(before);
		return rc;
	}
	step->subject = *policy_id(node);
	describe_node(step, node);
	step->renamed = step->former[0] != '\0' && strcmp(step->former, step->name) != 0;
	after = snapshot(edit->kind == FRONT_POLICY_DELETE ? NULL : node);
	return compare(before, after, &step->changes, err);
}

static int take_edit(struct editing *editing, struct front_policy_edit *edit, struct policy_step *step, struct err *err)
{
	struct policies *policies = editing->policies;
	struct policy_node *node = NULL;
	int rc = 0;

	step->action = edit->kind == FRONT_POLICY_DELETE ? STEP_DELETE : edit->reverts > 0 ? STEP_REVERT : STEP_CHANGE;
	step->reverts = edit->reverts;
	step->is_computer = edit->computer;
	if (edit->kind == FRONT_POLICY_PUT)
		node = policy_find_name(policies->tree, edit->name);
	else if (edit->kind != FRONT_POLICY_CREATE)
		rc = find_subject(editing, edit, &node, err);
	if (rc == 0 && node != NULL) {
		edit->subject = step->subject = *policy_id(node);
		rc = policy_step_read(policies->front, step, err);
	} else if (node == NULL) {
		step->action = edit->restores != 0 ? STEP_RESTORE : STEP_CREATE;
		step->version = edit->restores;
	}
	/* One that this very change creates is not in the database yet. */
	if (rc == ERR_NOT_FOUND && node != NULL && editing->steps.count > 1)
		rc = err_set(err, ERR_EXISTS, "the policy %s is given twice", policy_name(node));
	if (rc == 0 && edit->version != 0 && edit->version != step->version)
		rc = err_set(err, ERR_CONFLICT, "it was changed meanwhile: its version is %llu, not %llu",
			     (unsigned long long)step->version, (unsigned long long)edit->version);
	if (rc != 0)
		return rc;
	pthread_mutex_lock(&policies->lock);
	rc = make_step(editing, edit, step, node, err);
	pthread_mutex_unlock(&policies->lock);
	return rc == 0 || step->name[0] == '\0' || step->is_computer ? rc : err_add(err, rc, "%s", step->name);
}

/* --- all of them --- */

static void count_changed(void *context, const struct uuid *computer, const struct outcome *before,
			  const struct outcome *after)
{
	struct front_policy_result *result = context;

	(void)computer;
	result->affected++;
	if (before == NULL || memcmp(before->fingerprint, after->fingerprint, SHA256_BYTES) != 0)
		result->contacted++;
}

static int tell_changes(struct editing *editing, struct err *err)
{
	json_t *list = json_array();
	int rc = list != NULL ? 0 : ERR_MEMORY;

	for (size_t i = 0; rc == 0 && i < editing->steps.count; i++) {
		const struct policy_step *step = &editing->steps.steps[i];
		char id[UUID_TEXT_BYTES];
		json_t *changes;

		if (json_array_size(step->changes) == 0)
			continue;
		uuid_format(&step->subject, id);
		changes = json_deep_copy(step->changes);
		front_policy_changes_hide(changes);
		rc = json_array_append_new(list,
					   json_pack("{ss, ss, ss, so}", "subject", id, "name", step->name, "action",
						     policy_step_name(step->action), "changes", changes)) == 0
			 ? 0
			 : ERR_MEMORY;
	}
	if (rc == 0)
		editing->result.changes = json_dumps(list, JSON_COMPACT);
	json_decref(list);
	return rc == 0 && editing->result.changes != NULL ? 0 : err_set(err, ERR_MEMORY, "no memory for the change");
}

static bool nothing_changes(const struct policy_steps *steps)
{
	for (size_t i = 0; i < steps->count; i++) {
		if (json_array_size(steps->steps[i].changes) > 0)
			return false;
	}
	return true;
}

static int settle(struct editing *editing, struct err *err)
{
	struct policies *policies = editing->policies;
	int rc;

	pthread_mutex_lock(&policies->lock);
	rc = policy_settle(policies->tree, err);
	pthread_mutex_unlock(&policies->lock);
	if (rc == 0) {
		policy_preview(policies->tree, count_changed, &editing->result);
		rc = tell_changes(editing, err);
	}
	return rc;
}

static void end(const struct editing *editing, bool commit)
{
	struct policies *policies = editing->policies;

	pthread_mutex_lock(&policies->lock);
	if (commit)
		policy_commit(policies->tree, policies_changed, policies);
	else
		policy_rollback(policies->tree);
	for (size_t i = 0; commit && i < editing->steps.count; i++) {
		if (editing->steps.steps[i].is_computer)
			policies_regroup(policies, &editing->steps.steps[i].subject);
	}
	pthread_mutex_unlock(&policies->lock);
}

static uint64_t next_revision(const struct policies *policies)
{
	int64_t now = env_wall(policies->front->env);

	return now > 0 && (uint64_t)now > policies->revision ? (uint64_t)now : policies->revision + 1;
}

/* With `editing` held. */
static int edit_all(struct editing *editing, struct front_policy_edit *edits, size_t count, bool dry_run,
		    struct err *err)
{
	struct policies *policies = editing->policies;
	bool commit = false;
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < count; i++) {
		editing->steps.count = i + 1;
		rc = take_edit(editing, &edits[i], &editing->steps.steps[i], err);
	}
	if (rc == 0)
		rc = settle(editing, err);
	if (rc == 0 && !dry_run && !nothing_changes(&editing->steps)) {
		editing->steps.revision = next_revision(policies);
		rc = store_write_wait(policies->front->store, policy_steps_write, &editing->steps, err);
		commit = rc == 0;
	}
	if (commit)
		policies->revision = editing->steps.revision; /* before anybody is told */
	end(editing, commit);
	return rc;
}

int front_policy_edit(struct front *front, struct front_policy_edit *edits, size_t count, bool dry_run,
		      const struct front_actor *actor,
		      void (*fault)(void *context, const char *name, const char *reason), void *context,
		      struct front_policy_result *ret_result, struct err *err)
{
	struct editing editing = { .policies = front->policies, .actor = actor, .fault = fault, .context = context };
	int rc;

	editing.steps = (struct policy_steps){ .front = front, .actor = actor };
	editing.steps.steps = calloc(count + 1, sizeof(*editing.steps.steps));
	if (editing.steps.steps == NULL)
		return err_set(err, ERR_MEMORY, "no memory for the change");
	pthread_mutex_lock(&front->policies->editing);
	rc = edit_all(&editing, edits, count, dry_run, err);
	pthread_mutex_unlock(&front->policies->editing);
	for (size_t i = 0; i < count; i++)
		json_decref(editing.steps.steps[i].changes);
	free(editing.steps.steps);
	if (rc == 0)
		*ret_result = editing.result;
	else
		free(editing.result.changes);
	return rc;
}

/* --- reverting --- */

struct past {
	const struct uuid *subject;
	uint64_t version;
	bool reached, is_computer, any;
	json_t *values; /* name to what it was, null: inherited */
};

static int step_back(struct past *past, struct cursor *cursor)
{
	json_t *changes = json_loads(cursor_text(cursor, "changes"), 0, NULL);
	int rc = json_is_array(changes) ? 0 : ERR_FORMAT;

	for (size_t i = 0; rc == 0 && i < json_array_size(changes); i++) {
		const json_t *change = json_array_get(changes, i);
		const char *name = json_string_value(json_object_get(change, "name"));

		if (name == NULL || json_object_set(past->values, name, json_object_get(change, "old")) != 0)
			rc = ERR_FORMAT;
	}
	json_decref(changes);
	return rc;
}

static int read_past(struct store_session *session, void *argument, struct err *err)
{
	struct past *past = argument;
	struct cursor *cursor = cursor_open(session, &QUERY_POLICY_HISTORY_OF);
	int rc = 0, end;

	cursor_bind_uuid(cursor, "subject", past->subject);
	while (rc == 0 && !past->reached && cursor_next(cursor)) {
		uint64_t version = (uint64_t)cursor_number(cursor, "version");

		past->reached = version == past->version;
		if (!past->any && version < past->version)
			break;
		past->any = true;
		if (past->reached)
			break;
		/* What was before it was created, or while it was deleted, is no version to go back to. */
		if (strcmp(cursor_text(cursor, "action"), "create") == 0 ||
		    (strcmp(cursor_text(cursor, "action"), "restore") == 0 && version - 1 == past->version))
			break;
		rc = step_back(past, cursor);
		past->reached = rc == 0 && version - 1 == past->version;
	}
	end = cursor_end(cursor, rc == 0 ? err : NULL);
	return rc != 0 ? err_set(err, rc, "its history cannot be read") : end;
}

static bool was_appliance(const json_t *value)
{
	return json_is_string(value) && strcmp(json_string_value(value), "yes") == 0;
}

int front_policy_revert(struct front *front, const struct uuid *subject, bool computer, uint64_t version,
			uint64_t expected, const struct front_actor *actor, struct front_policy_result *ret_result,
			struct err *err)
{
	struct policy_change changes[SETTINGS_COUNT];
	struct front_policy_edit edit = { .kind = FRONT_POLICY_CHANGE,
					  .subject = *subject,
					  .version = expected,
					  .reverts = version,
					  .changes = changes };
	struct past past = { .subject = subject, .version = version, .values = json_object() };
	const char *name;
	json_t *value;
	int rc = past.values != NULL ? 0 : err_set(err, ERR_MEMORY, "no memory");

	edit.computer = computer;
	if (rc == 0)
		rc = store_read(front->store, read_past, &past, err);
	if (rc == 0 && !past.reached)
		rc = err_set(err, ERR_NOT_FOUND, "it has no version %llu; its history lists them",
			     (unsigned long long)version);
	json_object_foreach(past.values, name, value)
	{
		if (strcmp(name, "name") == 0)
			edit.name = json_string_value(value);
		else if (strcmp(name, "parent") == 0 || strcmp(name, "policy") == 0)
			edit.parent = json_string_value(value);
		else if (strcmp(name, "appliance") == 0)
			edit.appliance = was_appliance(value) ? FRONT_APPLIANCE_YES : FRONT_APPLIANCE_NO;
		else if (edit.change_count < SETTINGS_COUNT)
			changes[edit.change_count++] = (struct policy_change){ name, json_string_value(value) };
	}
	if (rc == 0)
		rc = front_policy_edit(front, &edit, 1, false, actor, NULL, NULL, ret_result, err);
	json_decref(past.values);
	return rc;
}

/* --- restoring --- */

struct deleted {
	const struct uuid *subject;
	bool any, is_computer, deleted;
	uint64_t version;
	json_t *changes; /* of the deletion: old is what it was */
};

static int read_deleted(struct store_session *session, void *argument, struct err *err)
{
	struct deleted *deleted = argument;
	struct cursor *cursor = cursor_open(session, &QUERY_POLICY_HISTORY_OF);

	cursor_bind_uuid(cursor, "subject", deleted->subject);
	if (cursor_next(cursor)) {
		deleted->any = true;
		deleted->is_computer = cursor_number(cursor, "is_computer") != 0;
		deleted->deleted = strcmp(cursor_text(cursor, "action"), "delete") == 0;
		deleted->version = (uint64_t)cursor_number(cursor, "version");
		deleted->changes = json_loads(cursor_text(cursor, "changes"), 0, NULL);
	}
	return cursor_end(cursor, err);
}

static int check_deleted(const struct deleted *deleted, struct err *err)
{
	if (!deleted->any || deleted->is_computer)
		return err_set(err, ERR_NOT_FOUND, "no policy with this id was ever deleted");
	if (!deleted->deleted)
		return err_set(err, ERR_WRONG_STATE, "the policy is there: nothing is to be restored");
	return json_is_array(deleted->changes) ? 0 : err_set(err, ERR_FORMAT, "its history cannot be read");
}

/* As it was when it was deleted; changes has room for every setting. */
static void fill_restored(const struct deleted *deleted, struct front_policy_edit *edit, struct policy_change *changes)
{
	for (size_t i = 0; i < json_array_size(deleted->changes); i++) {
		const json_t *change = json_array_get(deleted->changes, i);
		const char *name = json_string_value(json_object_get(change, "name"));
		const char *old = json_string_value(json_object_get(change, "old"));

		if (name == NULL || old == NULL)
			continue;
		if (strcmp(name, "name") == 0)
			edit->name = edit->name != NULL ? edit->name : old;
		else if (strcmp(name, "parent") == 0)
			edit->parent = edit->parent != NULL ? edit->parent : old;
		else if (edit->change_count < SETTINGS_COUNT)
			changes[edit->change_count++] = (struct policy_change){ name, old };
	}
}

int front_policy_restore(struct front *front, const struct uuid *subject, const char *name, const char *parent,
			 const struct front_actor *actor,
			 void (*fault)(void *context, const char *name, const char *reason), void *context,
			 struct front_policy_result *ret_result, struct err *err)
{
	struct policy_change changes[SETTINGS_COUNT];
	struct front_policy_edit edit = {
		.kind = FRONT_POLICY_CREATE, .subject = *subject, .name = name, .parent = parent, .changes = changes
	};
	struct deleted deleted = { .subject = subject };
	int rc = store_read(front->store, read_deleted, &deleted, err);

	if (rc == 0)
		rc = check_deleted(&deleted, err);
	if (rc == 0) {
		edit.restores = deleted.version;
		fill_restored(&deleted, &edit, changes);
		rc = front_policy_edit(front, &edit, 1, false, actor, fault, context, ret_result, err);
	}
	json_decref(deleted.changes);
	return rc;
}
