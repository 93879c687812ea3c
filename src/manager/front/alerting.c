/* Facts about alerts applied to the database. Only the writer's thread changes
 * settings and alerts; API threads read the settings. */
#include "manager/front/alerting.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "manager/front/alerting_parts.h"
#include "manager/front/front_state.h"
#include "manager/queries.h"

struct alert_settings alerting_settings(struct front *front)
{
	struct alert_settings settings;

	pthread_mutex_lock(&front->alerting->lock);
	settings = front->alerting->settings;
	pthread_mutex_unlock(&front->alerting->lock);
	return settings;
}

/* --- settings --- */

static int read_settings(struct store_session *session, void *argument, struct err *err)
{
	struct alert_settings *settings = argument;
	struct cursor *cursor = cursor_open(session, &QUERY_ALERT_SETTING_ALL);

	while (cursor_next(cursor)) {
		enum alert_kind kind = alert_kind_parse(cursor_text(cursor, "type"));
		enum alert_severity severity = alert_severity_parse(cursor_text(cursor, "severity"));

		if (kind == ALERT_KINDS || severity == ALERT_SEVERITIES)
			continue;
		settings->enabled[kind] = cursor_number(cursor, "enabled") != 0;
		settings->severity[kind] = severity;
	}
	return cursor_end(cursor, err);
}

int alerting_open(struct store *store, struct alerting **ret_alerting, struct err *err)
{
	struct alerting *alerting = calloc(1, sizeof(*alerting));
	int rc;

	if (alerting == NULL)
		return err_set(err, ERR_MEMORY, "alerts: no memory");
	pthread_mutex_init(&alerting->lock, NULL);
	alert_settings_default(&alerting->settings);
	rc = store_read(store, read_settings, &alerting->settings, err);
	if (rc == 0)
		*ret_alerting = alerting;
	else
		alerting_free(alerting);
	return rc;
}

void alerting_free(struct alerting *alerting)
{
	if (alerting == NULL)
		return;
	pthread_mutex_destroy(&alerting->lock);
	free(alerting);
}

/* --- changes --- */

struct news {
	struct front *front;
	struct front_news news;
};

static void publish(void *argument, bool committed)
{
	struct news *news = argument;

	if (committed)
		feed_publish(news->front->feed, &news->news, 1);
	free(news);
}

static int publish_after(struct front *front, struct store_session *session, const struct uuid *alert,
			 const struct uuid *computer)
{
	struct news *news = malloc(sizeof(*news));
	int rc;

	if (news == NULL)
		return ERR_MEMORY;
	*news = (struct news){ front, { .topic = FRONT_TOPIC_ALERT, .id = *alert, .computer = *computer } };
	rc = store_after(session, publish, news);
	if (rc != 0)
		free(news);
	return rc;
}

/* The row, the event and the news of one change. */
static int note(struct front *front, struct store_session *session, const struct alert_change_row *change,
		struct err *err)
{
	const struct uuid *computer = uuid_is_zero(&change->computer) ? NULL : &change->computer;
	char alert[UUID_TEXT_BYTES];
	const struct front_field fields[] = {
		{ "alert", alert_definitions[change->kind].title[ALERT_ENGLISH] },
		{ "change", change->change },
		{ "user", change->by },
		{ "type", alert_definitions[change->kind].name },
		{ "subject", change->subject },
		{ "id", alert },
	};
	struct uuid id = env_uuid(front->env);
	struct cursor *cursor = cursor_open(session, &QUERY_ALERT_CHANGE_INSERT);
	int rc;

	uuid_format(&change->alert, alert);
	cursor_bind_uuid(cursor, "id", &id);
	cursor_bind_number(cursor, "alert", change->number);
	cursor_bind_text(cursor, "change", change->change);
	cursor_bind_number(cursor, "time", env_wall(front->env));
	cursor_bind_text(cursor, "changed_by", change->by);
	cursor_bind_text(cursor, "reason", change->reason);
	rc = cursor_run(cursor, err);
	if (rc == 0)
		rc = front_event(front, session, EVENT_ALERT_CHANGED, computer, fields, COUNT_OF(fields), err);
	if (rc == 0 && publish_after(front, session, &change->alert, &change->computer) != 0)
		rc = err_set(err, ERR_MEMORY, "alert: no memory");
	return rc;
}

static int raise(struct front *front, struct store_session *session, const struct alert_fact *fact,
		 enum alert_severity severity, struct err *err)
{
	struct uuid id = env_uuid(front->env);
	struct alert_change_row change = {
		0, id, fact->kind, fact->computer, fact->subject, "raised", ALERTING_BY_ITSELF, ""
	};
	struct cursor *cursor = cursor_open(session, &QUERY_ALERT_RAISE);
	int rc;

	cursor_bind_uuid(cursor, "id", &id);
	cursor_bind_text(cursor, "type", alert_definitions[fact->kind].name);
	cursor_bind_uuid(cursor, "computer", uuid_is_zero(&fact->computer) ? NULL : &fact->computer);
	cursor_bind_text(cursor, "subject", fact->subject);
	cursor_bind_text(cursor, "detail", fact->detail);
	cursor_bind_text(cursor, "severity", alert_severity_name(severity));
	cursor_bind_number(cursor, "raised", fact->time);
	rc = cursor_run(cursor, err);
	change.number = store_inserted(session);
	return rc == 0 ? note(front, session, &change, err) : rc;
}

static int amend(struct store_session *session, int64_t number, const char *detail, enum alert_severity severity,
		 struct err *err)
{
	struct cursor *cursor = cursor_open(session, &QUERY_ALERT_AMEND);

	cursor_bind_number(cursor, "number", number);
	cursor_bind_text(cursor, "detail", detail);
	cursor_bind_text(cursor, "severity", alert_severity_name(severity));
	return cursor_run(cursor, err);
}

int alerting_end(struct front *front, struct store_session *session, const struct alert_change_row *change,
		 enum alert_state state, struct err *err)
{
	struct cursor *cursor = cursor_open(session, &QUERY_ALERT_END);
	int rc;

	cursor_bind_number(cursor, "number", change->number);
	cursor_bind_text(cursor, "state", alert_state_name(state));
	cursor_bind_number(cursor, "ended", env_wall(front->env));
	cursor_bind_text(cursor, "dismissed_by", state == ALERT_DISMISSED ? change->by : "");
	rc = cursor_run(cursor, err);
	if (rc == 0 && store_changes(session) != 1)
		rc = err_set(err, ERR_WRONG_STATE, "the alert has ended already");
	return rc == 0 ? note(front, session, change, err) : rc;
}

struct open_alert {
	int64_t number;
	struct uuid id;
	char detail[ALERT_DETAIL_MAX_BYTES + 1];
	enum alert_severity severity;
	bool there;
};

static int find(struct store_session *session, const struct alert_fact *fact, struct open_alert *open, struct err *err)
{
	struct cursor *cursor = cursor_open(session, &QUERY_ALERT_FIND);

	cursor_bind_text(cursor, "type", alert_definitions[fact->kind].name);
	cursor_bind_uuid(cursor, "computer", uuid_is_zero(&fact->computer) ? NULL : &fact->computer);
	cursor_bind_text(cursor, "subject", fact->subject);
	open->there = cursor_next(cursor);
	if (open->there) {
		open->number = cursor_number(cursor, "number");
		cursor_uuid(cursor, "id", &open->id);
		snprintf(open->detail, sizeof(open->detail), "%s", cursor_text(cursor, "detail"));
		open->severity = alert_severity_parse(cursor_text(cursor, "severity"));
	}
	return cursor_end(cursor, err);
}

int alerting_tell(struct front *front, struct store_session *session, const struct alert_fact *fact, struct err *err)
{
	struct alert_settings settings = alerting_settings(front);
	struct open_alert open = { .there = false };
	struct alert_change_row change = { 0,          { { 0 } },          fact->kind, fact->computer, fact->subject,
					   "resolved", ALERTING_BY_ITSELF, "" };
	int rc = find(session, fact, &open, err);

	if (rc != 0)
		return rc;
	switch (alert_decide(&settings, fact, open.there ? open.detail : NULL, open.severity)) {
	case ALERT_RAISE:
		return raise(front, session, fact, alert_severity_of(&settings, fact), err);
	case ALERT_AMEND:
		return amend(session, open.number, fact->detail, alert_severity_of(&settings, fact), err);
	case ALERT_RESOLVE:
		change.number = open.number;
		change.alert = open.id;
		return alerting_end(front, session, &change, ALERT_RESOLVED, err);
	case ALERT_UNCHANGED:
		break;
	}
	return 0;
}

int alerting_tell_state(struct front *front, struct store_session *session, enum alert_kind kind, bool holds,
			const char *subject, const char *detail, struct err *err)
{
	struct alert_fact fact;
	int rc = alert_fact_make(kind, holds, NULL, subject, detail, env_wall(front->env), &fact, err);

	if (rc != 0)
		return rc;
	rc = alerting_tell(front, session, &fact, err);
	alert_fact_done(&fact);
	return rc;
}

int alerting_is_open(struct store_session *session, enum alert_kind kind, const char *subject, bool *ret_open,
		     struct err *err)
{
	struct cursor *cursor = cursor_open(session, &QUERY_ALERT_FIND);

	cursor_bind_text(cursor, "type", alert_definitions[kind].name);
	cursor_bind_null(cursor, "computer");
	cursor_bind_text(cursor, "subject", subject);
	*ret_open = cursor_next(cursor);
	return cursor_end(cursor, err);
}

int alerting_event(struct front *front, struct store_session *session, uint32_t type, const struct uuid *computer,
		   const struct event_field *fields, size_t count, struct err *err)
{
	struct alert_fact fact;
	bool says;
	int rc = alert_fact_of_event(type, computer, fields, count, env_wall(front->env), &says, &fact, err);

	if (rc != 0 || !says)
		return rc;
	rc = alerting_tell(front, session, &fact, err);
	alert_fact_done(&fact);
	return rc;
}

/* --- several at once --- */

struct many {
	struct alert_change_row *items;
	size_t count, capacity;
};

static int many_add(struct many *many, struct cursor *cursor, enum alert_kind kind, const struct uuid *computer,
		    struct err *err)
{
	struct alert_change_row *item;

	if (many->count == many->capacity) {
		size_t capacity = many->capacity * 2 + 16;
		struct alert_change_row *items = reallocarray(many->items, capacity, sizeof(*items));

		if (items == NULL)
			return err_set(err, ERR_MEMORY, "alerts: no memory");
		many->items = items;
		many->capacity = capacity;
	}
	item = &many->items[many->count];
	*item = (struct alert_change_row){ .kind = kind, .change = "resolved", .by = ALERTING_BY_ITSELF };
	item->subject = strdup(cursor_text(cursor, "subject"));
	if (item->subject == NULL)
		return err_set(err, ERR_MEMORY, "alerts: no memory");
	item->number = cursor_number(cursor, "number");
	cursor_uuid(cursor, "id", &item->alert);
	if (computer != NULL)
		item->computer = *computer;
	else if (!cursor_is_null(cursor, "computer"))
		cursor_uuid(cursor, "computer", &item->computer);
	many->count++;
	return 0;
}

static void many_done(struct many *many)
{
	for (size_t i = 0; i < many->count; i++)
		free((char *)(uintptr_t)many->items[i].subject);
	free(many->items);
}

static int end_all(struct front *front, struct store_session *session, struct many *many, const char *reason,
		   struct err *err)
{
	int rc = 0;

	for (size_t i = 0; i < many->count && rc == 0; i++) {
		many->items[i].reason = reason;
		rc = alerting_end(front, session, &many->items[i], ALERT_RESOLVED, err);
	}
	return rc;
}

static bool is_one_of(const char *name, const char *const *names, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (strcmp(names[i], name) == 0)
			return true;
	}
	return false;
}

/* only: of this kind; ALERT_KINDS: all. */
static int open_of_computer(struct store_session *session, const struct uuid *computer, enum alert_kind only,
			    const char *const *but, size_t but_count, struct many *many, struct err *err)
{
	struct cursor *cursor = cursor_open(session, &QUERY_ALERT_OPEN_OF_COMPUTER);
	int rc = 0, done;

	cursor_bind_uuid(cursor, "computer", computer);
	while (rc == 0 && cursor_next(cursor)) {
		enum alert_kind kind = alert_kind_parse(cursor_text(cursor, "type"));

		if (kind != ALERT_KINDS && (only == ALERT_KINDS || only == kind) &&
		    !is_one_of(cursor_text(cursor, "subject"), but, but_count))
			rc = many_add(many, cursor, kind, computer, err);
	}
	done = cursor_end(cursor, rc == 0 ? err : NULL);
	return rc != 0 ? rc : done;
}

int alerting_forget(struct front *front, struct store_session *session, const struct uuid *computer, const char *why,
		    struct err *err)
{
	struct many many = { 0 };
	int rc = open_of_computer(session, computer, ALERT_KINDS, NULL, 0, &many, err);

	if (rc == 0)
		rc = end_all(front, session, &many, why, err);
	many_done(&many);
	return rc;
}

int alerting_other_components(struct front *front, struct store_session *session, const struct uuid *computer,
			      const char *const *names, size_t count, struct err *err)
{
	struct many many = { 0 };
	int rc = open_of_computer(session, computer, ALERT_COMPONENT_FAILED, names, count, &many, err);

	if (rc == 0)
		rc = end_all(front, session, &many, "the component is not there any more", err);
	many_done(&many);
	return rc;
}

int alerting_end_type(struct front *front, struct store_session *session, enum alert_kind kind, struct err *err)
{
	struct cursor *cursor = cursor_open(session, &QUERY_ALERT_OPEN_OF_TYPE);
	struct many many = { 0 };
	int rc = 0, done;

	cursor_bind_text(cursor, "type", alert_definitions[kind].name);
	while (rc == 0 && cursor_next(cursor))
		rc = many_add(&many, cursor, kind, NULL, err);
	done = cursor_end(cursor, rc == 0 ? err : NULL);
	if (rc == 0)
		rc = done;
	if (rc == 0)
		rc = end_all(front, session, &many, "alerts of this type were switched off", err);
	many_done(&many);
	return rc;
}
