/* What is done with events of each type. */
#include "manager/front/event_switches.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "manager/front/front_state.h"
#include "manager/queries.h"

struct event_switches {
	pthread_rwlock_t lock;
	struct front_event_type *items; /* beside the rows of event_types() */
	size_t count;
};

static struct front_event_type by_table(const struct event_type *type)
{
	return (struct front_event_type){ type->record, type->forward, type->severity, true };
}

/* The row's place in the table, or their number. */
static size_t place_of(uint32_t type)
{
	size_t count;
	const struct event_type *rows = event_types(&count), *row = event_type_find(type);

	return row != NULL ? (size_t)(row - rows) : count;
}

static int severity_parse(const char *text)
{
	for (int severity = EVENT_INFO; severity <= EVENT_ERROR; severity++) {
		if (strcmp(event_severity_name((enum event_severity)severity), text) == 0)
			return severity;
	}
	return -1;
}

static int read_all(struct store_session *session, void *argument, struct err *err)
{
	struct event_switches *switches = argument;
	struct cursor *cursor = cursor_open(session, &QUERY_EVENT_SETTING_ALL);

	while (cursor_next(cursor)) {
		size_t place = place_of((uint32_t)cursor_number(cursor, "type"));
		int severity = severity_parse(cursor_text(cursor, "severity"));

		if (place == switches->count || severity < 0)
			continue;
		switches->items[place] = (struct front_event_type){ cursor_number(cursor, "record") != 0,
								    cursor_number(cursor, "forward") != 0,
								    (enum event_severity)severity, false };
	}
	return cursor_end(cursor, err);
}

int event_switches_open(struct store *store, struct event_switches **ret_switches, struct err *err)
{
	struct event_switches *switches = calloc(1, sizeof(*switches));
	size_t count;
	const struct event_type *rows = event_types(&count);
	int rc;

	if (switches != NULL)
		switches->items = calloc(count, sizeof(*switches->items));
	if (switches == NULL || switches->items == NULL) {
		free(switches);
		return err_set(err, ERR_MEMORY, "event types: no memory");
	}
	pthread_rwlock_init(&switches->lock, NULL);
	switches->count = count;
	for (size_t i = 0; i < count; i++)
		switches->items[i] = by_table(&rows[i]);
	rc = store_read(store, read_all, switches, err);
	if (rc == 0)
		*ret_switches = switches;
	else
		event_switches_free(switches);
	return rc;
}

void event_switches_free(struct event_switches *switches)
{
	if (switches == NULL)
		return;
	pthread_rwlock_destroy(&switches->lock);
	free(switches->items);
	free(switches);
}

struct front_event_type event_switch_of(struct event_switches *switches, uint32_t type)
{
	struct front_event_type found = {
		.record = true, .forward = false, .severity = EVENT_INFO, .is_default = true
	};
	size_t place = place_of(type);

	if (place == switches->count)
		return found;
	pthread_rwlock_rdlock(&switches->lock);
	found = switches->items[place];
	pthread_rwlock_unlock(&switches->lock);
	return found;
}

bool front_event_forwarded(struct front *front, uint32_t type)
{
	return event_switch_of(front->switches, type).forward;
}

void front_event_type(struct front *front, uint32_t type, struct front_event_type *ret_type)
{
	*ret_type = event_switch_of(front->switches, type);
}

/* --- changing --- */

struct setting {
	struct front *front;
	const struct event_type *type;
	const struct front_event_type_change *change;
	const struct front_actor *actor;
	struct front_event_type before, now;
};

static void put(struct event_switches *switches, const struct event_type *type, const struct front_event_type *now)
{
	pthread_rwlock_wrlock(&switches->lock);
	switches->items[place_of(type->number)] = *now;
	pthread_rwlock_unlock(&switches->lock);
}

static void undo(void *argument, bool committed)
{
	const struct setting *setting = argument;

	if (!committed)
		put(setting->front->switches, setting->type, &setting->before);
}

static int store_row(const struct setting *setting, struct store_session *session, struct err *err)
{
	struct cursor *cursor =
	    cursor_open(session, setting->now.is_default ? &QUERY_EVENT_SETTING_DROP : &QUERY_EVENT_SETTING_PUT);

	cursor_bind_number(cursor, "type", setting->type->number);
	if (!setting->now.is_default) {
		cursor_bind_number(cursor, "record", setting->now.record);
		cursor_bind_number(cursor, "forward", setting->now.forward);
		cursor_bind_text(cursor, "severity", event_severity_name(setting->now.severity));
	}
	return cursor_run(cursor, err);
}

/* In force at once: events written after it in the same transaction go by it. */
static int write_setting(struct store_session *session, void *argument, struct err *err)
{
	struct setting *setting = argument;
	const struct front_event_type_change *change = setting->change;
	const struct front_event_type table = by_table(setting->type);
	struct front_event_type *now = &setting->now;
	char number[16], detail[96];
	int rc;

	setting->before = *now = event_switch_of(setting->front->switches, setting->type->number);
	if (change->reset)
		*now = table;
	if (change->record >= 0)
		now->record = change->record > 0;
	if (change->forward >= 0)
		now->forward = change->forward > 0;
	if (change->severity >= 0)
		now->severity = (enum event_severity)change->severity;
	now->is_default =
	    now->record == table.record && now->forward == table.forward && now->severity == table.severity;
	if (store_after(session, undo, setting) != 0)
		return err_set(err, ERR_MEMORY, "event types: no memory");
	put(setting->front->switches, setting->type, now);
	rc = store_row(setting, session, err);
	snprintf(number, sizeof(number), "%u", setting->type->number);
	snprintf(detail, sizeof(detail), "{\"record\":%s,\"forward\":%s,\"severity\":\"%s\"}",
		 now->record ? "true" : "false", now->forward ? "true" : "false", event_severity_name(now->severity));
	if (rc == 0)
		rc =
		    front_audit(setting->front, session, setting->actor, "event_type.set", number, detail, "done", err);
	return rc;
}

int front_event_type_set(struct front *front, uint32_t type, const struct front_event_type_change *change,
			 const struct front_actor *actor, struct err *err)
{
	struct setting setting = { .front = front, .type = event_type_find(type), .change = change, .actor = actor };

	if (setting.type == NULL)
		return err_set(err, ERR_NOT_FOUND, "There is no type of events with the number %u.", type);
	return store_write_wait(front->store, write_setting, &setting, err);
}
