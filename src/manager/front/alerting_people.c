/* What people change of alerts (manager/front/front.h). Names and ids come from them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "manager/front/alerting_parts.h"
#include "manager/front/front_state.h"
#include "manager/queries.h"

struct dismissal {
	struct front *front;
	const struct uuid *alert;
	const struct front_actor *actor;
};

static int read_change(struct store_session *session, const struct uuid *alert, struct alert_change_row *change,
		       char **subject, enum alert_state *ret_state, struct err *err)
{
	struct cursor *cursor = cursor_open(session, &QUERY_ALERT_BY_ID);
	bool there = false;
	int rc;

	cursor_bind_uuid(cursor, "id", alert);
	if (cursor_next(cursor)) {
		const char *state = cursor_text(cursor, "state");

		there = true;
		change->number = cursor_number(cursor, "number");
		change->alert = *alert;
		change->kind = alert_kind_parse(cursor_text(cursor, "type"));
		if (!cursor_is_null(cursor, "computer"))
			cursor_uuid(cursor, "computer", &change->computer);
		*subject = strdup(cursor_text(cursor, "subject"));
		for (*ret_state = ALERT_OPEN; *ret_state < ALERT_DISMISSED; ++*ret_state) {
			if (strcmp(alert_state_name(*ret_state), state) == 0)
				break;
		}
	}
	rc = cursor_end(cursor, err);
	if (rc == 0 && (!there || change->kind == ALERT_KINDS))
		rc = err_set(err, ERR_NOT_FOUND, "There is no alert with this id.");
	if (rc == 0 && *subject == NULL)
		rc = err_set(err, ERR_MEMORY, "no memory");
	return rc;
}

static int write_dismissal(struct store_session *session, void *argument, struct err *err)
{
	const struct dismissal *dismissal = argument;
	struct alert_change_row change = { .change = "dismissed", .by = dismissal->actor->name, .reason = "" };
	enum alert_state state = ALERT_OPEN;
	char id[UUID_TEXT_BYTES], *subject = NULL;
	int rc = read_change(session, dismissal->alert, &change, &subject, &state, err);

	uuid_format(dismissal->alert, id);
	change.subject = subject;
	if (rc == 0)
		rc = alert_may_dismiss(change.kind, state, err);
	if (rc == 0)
		rc = alerting_end(dismissal->front, session, &change, ALERT_DISMISSED, err);
	if (rc == 0)
		rc = front_audit(dismissal->front, session, dismissal->actor, "alert.dismiss", id, "", "done", err);
	free(subject);
	return rc;
}

int front_alert_dismiss(struct front *front, const struct uuid *alert, const struct front_actor *actor, struct err *err)
{
	struct dismissal dismissal = { front, alert, actor };

	return store_write_wait(front->store, write_dismissal, &dismissal, err);
}

void front_alert_type(struct front *front, size_t kind, struct front_alert_type *ret_type)
{
	const struct alert_definition *definition = &alert_definitions[kind];
	struct alert_settings settings = alerting_settings(front);

	*ret_type = (struct front_alert_type){
		.definition = definition,
		.enabled = settings.enabled[kind],
		.severity = settings.severity[kind],
		.is_default = settings.enabled[kind] && settings.severity[kind] == definition->severity,
	};
}

struct type_change {
	struct front *front;
	enum alert_kind kind;
	int enabled, severity;
	const struct front_actor *actor;
	struct alert_settings before;
};

static void undo(void *argument, bool committed)
{
	struct type_change *change = argument;
	struct alerting *alerting = change->front->alerting;

	if (committed)
		return;
	pthread_mutex_lock(&alerting->lock);
	alerting->settings.enabled[change->kind] = change->before.enabled[change->kind];
	alerting->settings.severity[change->kind] = change->before.severity[change->kind];
	pthread_mutex_unlock(&alerting->lock);
}

static int put_setting(const struct type_change *change, const struct alert_settings *settings,
		       struct store_session *session, struct err *err)
{
	const char *name = alert_definitions[change->kind].name;
	const char *severity = alert_severity_name(settings->severity[change->kind]);
	struct cursor *cursor = cursor_open(session, &QUERY_ALERT_SETTING_PUT);
	char detail[64];
	int rc;

	cursor_bind_text(cursor, "type", name);
	cursor_bind_number(cursor, "enabled", settings->enabled[change->kind]);
	cursor_bind_text(cursor, "severity", severity);
	rc = cursor_run(cursor, err);
	if (rc != 0)
		return rc;
	cursor = cursor_open(session, &QUERY_ALERT_SET_SEVERITY);
	cursor_bind_text(cursor, "type", name);
	cursor_bind_text(cursor, "severity", severity);
	rc = cursor_run(cursor, err);
	snprintf(detail, sizeof(detail), "{\"enabled\":%s,\"severity\":\"%s\"}",
		 settings->enabled[change->kind] ? "true" : "false", severity);
	if (rc == 0)
		rc = front_audit(change->front, session, change->actor, "alert_type.set", name, detail, "done", err);
	return rc;
}

/* In force at once: writes that follow in the same transaction go by it. */
static int write_type(struct store_session *session, void *argument, struct err *err)
{
	struct type_change *change = argument;
	struct front *front = change->front;
	struct alert_settings settings;
	int rc;

	change->before = settings = alerting_settings(front);
	if (change->enabled >= 0)
		settings.enabled[change->kind] = change->enabled > 0;
	if (change->severity >= 0)
		settings.severity[change->kind] = (enum alert_severity)change->severity;
	rc = store_after(session, undo, change);
	if (rc != 0)
		return err_set(err, rc, "alerts: no memory");
	pthread_mutex_lock(&front->alerting->lock);
	front->alerting->settings = settings;
	pthread_mutex_unlock(&front->alerting->lock);
	rc = put_setting(change, &settings, session, err);
	if (rc == 0 && !settings.enabled[change->kind])
		rc = alerting_end_type(front, session, change->kind, err);
	else if (rc == 0 && !change->before.enabled[change->kind])
		rc = alerting_review(front, session, change->kind, err);
	return rc;
}

int front_alert_type_set(struct front *front, const char *name, int enabled, int severity,
			 const struct front_actor *actor, struct err *err)
{
	struct type_change change = {
		.front = front, .kind = alert_kind_parse(name), .enabled = enabled, .severity = severity, .actor = actor
	};

	if (change.kind == ALERT_KINDS)
		return err_set(err, ERR_NOT_FOUND, "There is no type of alerts '%.64s'.", name);
	return store_write_wait(front->store, write_type, &change, err);
}
