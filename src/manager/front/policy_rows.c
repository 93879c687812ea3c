/* What a change of policies writes: rows, history, audit entries and events, in one transaction. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "manager/front/policy_steps.h"
#include "manager/queries.h"

static const struct {
	const char *name, *audit;
	uint32_t event;
} actions[] = {
	[STEP_CREATE] = { "create", "policy.create", EVENT_POLICY_CREATED },
	[STEP_CHANGE] = { "change", "policy.change", EVENT_POLICY_CHANGED },
	[STEP_DELETE] = { "delete", "policy.delete", EVENT_POLICY_DELETED },
	[STEP_REVERT] = { "revert", "policy.revert", EVENT_POLICY_REVERTED },
	[STEP_RESTORE] = { "restore", "policy.restore", EVENT_POLICY_RESTORED },
};

const char *policy_step_name(enum step_action action)
{
	return actions[action].name;
}

/* --- reading --- */

struct reading {
	struct policy_step *step;
	bool there;
};

static int read_subject(struct store_session *session, void *argument, struct err *err)
{
	struct reading *reading = argument;
	struct policy_step *step = reading->step;
	struct cursor *cursor =
	    cursor_open(session, step->is_computer ? &QUERY_POLICY_COMPUTER_BY_ID : &QUERY_POLICY_BY_ID);

	cursor_bind_uuid(cursor, "id", &step->subject);
	if (cursor_next(cursor)) {
		reading->there = true;
		step->version = (uint64_t)cursor_number(cursor, step->is_computer ? "settings_version" : "version");
		snprintf(step->name, sizeof(step->name), "%s", cursor_text(cursor, "name"));
	}
	return cursor_end(cursor, err);
}

int policy_step_read(struct front *front, struct policy_step *step, struct err *err)
{
	struct reading reading = { step, false };
	int rc = store_read(front->store, read_subject, &reading, err);

	return rc == 0 && !reading.there
		   ? err_set(err, ERR_NOT_FOUND, "there is no such %s", step->is_computer ? "computer" : "policy")
		   : rc;
}

/* --- rows --- */

static int write_policy(const struct policy_steps *steps, const struct policy_step *step, struct store_session *session,
			struct err *err)
{
	bool is_new = step->action == STEP_CREATE || step->action == STEP_RESTORE;
	struct cursor *cursor = cursor_open(session, is_new ? &QUERY_POLICY_INSERT : &QUERY_POLICY_UPDATE);

	cursor_bind_uuid(cursor, "id", &step->subject);
	cursor_bind_text(cursor, "name", step->name);
	cursor_bind_uuid(cursor, "parent", uuid_is_zero(&step->parent) ? NULL : &step->parent);
	cursor_bind_number(cursor, "version", (int64_t)step->version + 1);
	cursor_bind_number(cursor, "now", env_wall(steps->front->env));
	return cursor_run(cursor, err);
}

static int write_computer(const struct policy_step *step, struct store_session *session, struct err *err)
{
	struct cursor *cursor = cursor_open(session, &QUERY_POLICY_COMPUTER_UPDATE);
	int rc;

	cursor_bind_uuid(cursor, "id", &step->subject);
	cursor_bind_text(cursor, "policy", step->parent_name);
	cursor_bind_number(cursor, "appliance", step->appliance);
	cursor_bind_number(cursor, "version", (int64_t)step->version + 1);
	rc = cursor_run(cursor, err);
	return rc == 0 && store_changes(session) != 1 ? err_set(err, ERR_NOT_FOUND, "the computer was deleted just now")
						      : rc;
}

/* Computers and enrolment tokens name their policy. */
static int write_new_name(const struct policy_step *step, struct store_session *session, struct err *err)
{
	static const struct store_statement *const statements[] = { &QUERY_POLICY_RENAMED,
								    &QUERY_POLICY_RENAMED_TOKENS };
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < COUNT_OF(statements); i++) {
		struct cursor *cursor = cursor_open(session, statements[i]);

		cursor_bind_text(cursor, "name", step->name);
		cursor_bind_text(cursor, "before", step->former);
		rc = cursor_run(cursor, err);
	}
	return rc;
}

static int write_setting(const struct policy_step *step, const char *name, const json_t *value,
			 struct store_session *session, struct err *err)
{
	static const struct store_statement *const statements[2][2] = {
		{ &QUERY_POLICY_SETTING_DELETE, &QUERY_POLICY_SETTING_PUT },
		{ &QUERY_COMPUTER_SETTING_DELETE, &QUERY_COMPUTER_SETTING_PUT },
	};
	bool put = json_is_string(value);
	struct cursor *cursor = cursor_open(session, statements[step->is_computer][put]);

	cursor_bind_uuid(cursor, "id", &step->subject);
	cursor_bind_text(cursor, "name", name);
	if (put)
		cursor_bind_text(cursor, "value", json_string_value(value));
	return cursor_run(cursor, err);
}

static int write_settings(const struct policy_step *step, struct store_session *session, struct err *err)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < json_array_size(step->changes); i++) {
		const json_t *change = json_array_get(step->changes, i);
		const char *name = json_string_value(json_object_get(change, "name"));

		if (setting_find(name) != SETTINGS_COUNT)
			rc = write_setting(step, name, json_object_get(change, "new"), session, err);
	}
	return rc;
}

static int check_tokens(const struct policy_steps *steps, const struct policy_step *step, struct store_session *session,
			struct err *err)
{
	struct cursor *cursor = cursor_open(session, &QUERY_POLICY_TOKENS);
	int64_t count = 0;
	int rc;

	cursor_bind_text(cursor, "name", step->name);
	cursor_bind_number(cursor, "now", env_wall(steps->front->env));
	if (cursor_next(cursor))
		count = cursor_number(cursor, "count");
	rc = cursor_end(cursor, err);
	return rc == 0 && count > 0
		   ? err_set(err, ERR_WRONG_STATE, "%" PRId64 " enrolment %s its name; revoke %s first", count,
			     count == 1 ? "token holds" : "tokens hold", count == 1 ? "it" : "them")
		   : rc;
}

static int write_deletion(const struct policy_steps *steps, const struct policy_step *step,
			  struct store_session *session, struct err *err)
{
	struct cursor *cursor;
	int rc = check_tokens(steps, step, session, err);

	if (rc != 0)
		return rc;
	cursor = cursor_open(session, &QUERY_POLICY_DELETE);
	cursor_bind_uuid(cursor, "id", &step->subject);
	return cursor_run(cursor, err);
}

static int write_subject(const struct policy_steps *steps, const struct policy_step *step,
			 struct store_session *session, struct err *err)
{
	int rc;

	if (step->action == STEP_DELETE)
		return write_deletion(steps, step, session, err);
	rc = step->is_computer ? write_computer(step, session, err) : write_policy(steps, step, session, err);
	if (rc == 0 && step->renamed)
		rc = write_new_name(step, session, err);
	return rc == 0 ? write_settings(step, session, err) : rc;
}

/* --- traces --- */

void front_policy_changes_hide(json_t *changes)
{
	static const char *const members[] = { "old", "new" };

	for (size_t i = 0; i < json_array_size(changes); i++) {
		json_t *change = json_array_get(changes, i);
		const char *name = json_string_value(json_object_get(change, "name"));
		enum setting_id id = name != NULL ? setting_find(name) : SETTINGS_COUNT;

		for (size_t j = 0; setting_is_secret(id) && j < COUNT_OF(members); j++) {
			const char *value = json_string_value(json_object_get(change, members[j]));

			if (value != NULL)
				json_object_set_new(change, members[j], json_string(setting_shown(id, value)));
		}
	}
}

static int write_history(const struct policy_steps *steps, const struct policy_step *step, const char *changes,
			 struct store_session *session, struct err *err)
{
	struct cursor *cursor = cursor_open(session, &QUERY_POLICY_HISTORY_INSERT);

	cursor_bind_uuid(cursor, "subject", &step->subject);
	cursor_bind_number(cursor, "is_computer", step->is_computer);
	cursor_bind_text(cursor, "name", step->name);
	cursor_bind_number(cursor, "version", (int64_t)step->version + 1);
	cursor_bind_number(cursor, "time", env_wall(steps->front->env));
	cursor_bind_text(cursor, "actor_kind", steps->actor->kind);
	cursor_bind_text(cursor, "actor_name", steps->actor->name);
	cursor_bind_text(cursor, "action", policy_step_name(step->action));
	cursor_bind_text(cursor, "changes", changes);
	return cursor_run(cursor, err);
}

static const char *shown(const json_t *change, const char *member)
{
	const char *value = json_string_value(json_object_get(change, member));

	return value != NULL ? value : "inherited";
}

/* "scan.cpu_limit: 50 (was inherited), link.poll: …" */
static void describe(const json_t *changes, struct buf *out)
{
	for (size_t i = 0; i < json_array_size(changes); i++) {
		const json_t *change = json_array_get(changes, i);

		buf_printf(out, "%s%s: %.200s (was %.200s)", i > 0 ? ", " : "",
			   json_string_value(json_object_get(change, "name")), shown(change, "new"),
			   shown(change, "old"));
	}
}

static bool policy_assigned(const struct policy_step *step)
{
	for (size_t i = 0; i < json_array_size(step->changes); i++) {
		const json_t *change = json_array_get(step->changes, i);

		if (strcmp(json_string_value(json_object_get(change, "name")), "policy") == 0)
			return true;
	}
	return false;
}

static int write_computer_events(const struct policy_steps *steps, const struct policy_step *step, const char *text,
				 struct store_session *session, struct err *err)
{
	const struct front_field assigned[] = { { "name", step->name },
						{ "policy", step->parent_name },
						{ "user", steps->actor->name } };
	const struct front_field changed[] = { { "name", step->name },
					       { "user", steps->actor->name },
					       { "change", text } };
	int rc = 0;

	if (policy_assigned(step))
		rc = front_event(steps->front, session, EVENT_POLICY_ASSIGNED, &step->subject, assigned,
				 COUNT_OF(assigned), err);
	if (rc == 0 && json_array_size(step->changes) > (policy_assigned(step) ? 1 : 0))
		rc = front_event(steps->front, session, EVENT_COMPUTER_CHANGED, &step->subject, changed,
				 COUNT_OF(changed), err);
	return rc;
}

static int write_event(const struct policy_steps *steps, const struct policy_step *step, const json_t *changes,
		       struct store_session *session, struct err *err)
{
	char version[24];
	struct buf text;
	int rc;

	buf_init(&text, 4096);
	describe(changes, &text);
	snprintf(version, sizeof(version), "%" PRIu64, step->reverts);
	if (step->is_computer) {
		rc = write_computer_events(steps, step, buf_text(&text), session, err);
	} else {
		const struct front_field fields[] = { { "policy", step->name },
						      { "user", steps->actor->name },
						      { step->action == STEP_REVERT ? "version" : "change",
							step->action == STEP_REVERT ? version : buf_text(&text) } };
		bool more = step->action == STEP_CHANGE || step->action == STEP_REVERT;

		rc = front_event(steps->front, session, actions[step->action].event, NULL, fields, more ? 3 : 2, err);
	}
	buf_done(&text);
	return rc;
}

static int write_traces(const struct policy_steps *steps, const struct policy_step *step, struct store_session *session,
			struct err *err)
{
	char id[UUID_TEXT_BYTES];
	char *changes = json_dumps(step->changes, JSON_COMPACT);
	json_t *public = json_deep_copy(step->changes), *detail;
	char *detail_text;
	int rc;

	/* The history is what is reverted to, and holds hashes; nobody is shown them. */
	front_policy_changes_hide(public);
	detail =
	    json_pack("{ss, sI, sO*}", "name", step->name, "version", (json_int_t)step->version + 1, "changes", public);
	detail_text = detail != NULL ? json_dumps(detail, JSON_COMPACT) : NULL;
	rc = changes != NULL && public != NULL && detail_text != NULL ? 0 : err_set(err, ERR_MEMORY, "no memory");

	uuid_format(&step->subject, id);
	if (rc == 0)
		rc = write_history(steps, step, changes, session, err);
	if (rc == 0)
		rc = front_audit(steps->front, session, steps->actor,
				 step->is_computer ? "computer.change" : actions[step->action].audit, id, detail_text,
				 "done", err);
	if (rc == 0)
		rc = write_event(steps, step, public, session, err);
	free(changes);
	free(detail_text);
	json_decref(detail);
	json_decref(public);
	return rc;
}

int policy_steps_write(struct store_session *session, void *argument, struct err *err)
{
	const struct policy_steps *steps = argument;
	struct cursor *cursor = cursor_open(session, &QUERY_POLICY_COUNTER_SET);
	int rc;

	cursor_bind_number(cursor, "value", (int64_t)steps->revision);
	rc = cursor_run(cursor, err);
	for (size_t i = 0; rc == 0 && i < steps->count; i++) {
		const struct policy_step *step = &steps->steps[i];

		if (json_array_size(step->changes) == 0)
			continue;
		rc = write_subject(steps, step, session, err);
		if (rc == 0)
			rc = write_traces(steps, step, session, err);
	}
	return rc;
}
