/* Rows of an exchange or a tick, written in one transaction with the alerts that follow (manager/front/records.h). */
#include "manager/front/records_parts.h"

#include <stdlib.h>
#include <string.h>

#include "manager/front/front_state.h"
#include "manager/front/records_json.h"
#include "manager/queries.h"

static void add_news(struct records *records, enum front_topic topic, const struct uuid *id, uint32_t type)
{
	records->news[records->news_count++] =
	    (struct front_news){ .topic = topic, .id = *id, .computer = records->computer, .event_type = type };
}

/* Above the floor nothing may be stored: it would be stored again as new. */
static int check_floor(const struct records *records, struct store_session *session, struct err *err)
{
	struct cursor *cursor;
	bool reached;
	int rc;

	cursor = cursor_open(session, &QUERY_EXCHANGE_FLOOR_REACHED);
	cursor_bind_uuid(cursor, "id", &records->computer);
	cursor_bind_number(cursor, "number", records->repeated_count > 0 ? (int64_t)records->last : 0);
	reached = cursor_next(cursor);
	rc = cursor_end(cursor, err);
	if (rc == 0 && !reached && records->repeated_count == 0)
		rc = err_set(err, ERR_NOT_FOUND, "the computer is not managed any more");
	else if (rc == 0 && !reached)
		rc = err_set(err, ERR_CONFLICT, "events up to %llu: they are not stored yet",
			     (unsigned long long)records->last);
	return rc;
}

static int write_floor(struct records *records, struct store_session *session, struct err *err)
{
	struct cursor *cursor;
	int rc;

	if (records->fresh_count == 0)
		return check_floor(records, session, err);
	cursor = cursor_open(session, &QUERY_EXCHANGE_FLOOR);
	cursor_bind_uuid(cursor, "id", &records->computer);
	cursor_bind_number(cursor, "previous", (int64_t)records->previous);
	cursor_bind_number(cursor, "last", (int64_t)records->last);
	rc = cursor_run(cursor, err);
	if (rc == 0 && store_changes(session) != 1)
		rc = err_set(err, ERR_CONFLICT, "events after %llu: others were stored meanwhile",
			     (unsigned long long)records->previous);
	return rc;
}

static int insert_row(const struct records *records, const struct record_event *event, enum event_severity severity,
		      const struct store_statement *query, struct store_session *session, struct err *err)
{
	struct cursor *cursor = cursor_open(session, query);

	cursor_bind_uuid(cursor, "id", &event->id);
	cursor_bind_uuid(cursor, "computer", &records->computer);
	if (event->number != 0) {
		cursor_bind_number(cursor, "number", (int64_t)event->number);
		cursor_bind_number(cursor, "mark", (int64_t)event->mark);
	}
	cursor_bind_number(cursor, "time", event->time);
	cursor_bind_number(cursor, "received", records->received);
	cursor_bind_number(cursor, "type", event->type);
	cursor_bind_text(cursor, "severity", event_severity_name(severity));
	cursor_bind_text(cursor, "fields", event->fields);
	return cursor_run(cursor, err);
}

/* Its number is taken: by itself? */
static int is_stored(const struct records *records, const struct record_event *event, struct store_session *session,
		     bool *ret_stored, struct err *err)
{
	struct cursor *cursor = cursor_open(session, &QUERY_EVENT_OF_NUMBER);
	bool stored = false;

	cursor_bind_number(cursor, "mark", (int64_t)event->mark);
	cursor_bind_number(cursor, "time", event->time);
	cursor_bind_number(cursor, "type", event->type);
	cursor_bind_uuid(cursor, "computer", &records->computer);
	cursor_bind_number(cursor, "number", (int64_t)event->number);
	while (cursor_next(cursor))
		stored |= cursor_number(cursor, "same") != 0;
	*ret_stored = stored;
	return cursor_end(cursor, err);
}

/* One of the agent's goes under its number, or beside the one that has it. */
static int insert_event(struct records *records, const struct record_event *event, enum event_severity severity,
			struct store_session *session, struct err *err)
{
	bool of_agent = event->number != 0, stored = false;
	int rc = insert_row(records, event, severity, of_agent ? &QUERY_EVENT_INSERT_OF_AGENT : &QUERY_EVENT_INSERT,
			    session, err);

	if (rc == 0 && of_agent && store_changes(session) == 0) {
		rc = is_stored(records, event, session, &stored, err);
		if (rc == 0 && !stored)
			rc = insert_row(records, event, severity, &QUERY_EVENT_INSERT_OTHER, session, err);
		records->count.beside += rc == 0 && !stored;
	}
	if (rc != 0)
		return rc;
	if (stored) {
		records->count.repeated++;
	} else {
		records->count.stored++;
		add_news(records, FRONT_TOPIC_EVENT, &event->id, event->type);
	}
	return 0;
}

/* One that is stored already says nothing new; one of a type that is not recorded still does. */
static int write_event(struct records *records, struct front *front, const struct record_event *event,
		       struct store_session *session, struct err *err)
{
	struct front_event_type wanted = event_switch_of(front->switches, event->type);
	uint64_t repeated = records->count.repeated;
	int rc = wanted.record ? insert_event(records, event, wanted.severity, session, err) : 0;

	if (rc != 0 || !event->says || records->count.repeated != repeated)
		return rc;
	return alerting_tell(front, session, &event->fact, err);
}

/* The state the command has in the database decides whether it may move. */
static int may_move(struct store_session *session, const struct record_command *command, bool *ret_may, struct err *err)
{
	struct cursor *cursor = cursor_open(session, &QUERY_COMMAND_BY_ID);
	bool may = false;

	cursor_bind_uuid(cursor, "id", &command->id);
	if (cursor_next(cursor)) {
		const char *from = cursor_text(cursor, "state");

		for (unsigned state = 0; state < COMMAND_STATES; state++) {
			if (strcmp(command_state_name(state), from) != 0)
				continue;
			may = state == (unsigned)command->state ? !command_ended(command->state)
								: command_may_move(state, command->state);
		}
	}
	*ret_may = may;
	return cursor_end(cursor, err);
}

static int write_command(struct records *records, const struct record_command *command, struct store_session *session,
			 struct err *err)
{
	struct cursor *cursor;
	bool may;
	int rc = may_move(session, command, &may, err);

	if (rc != 0 || !may)
		return rc;
	cursor = cursor_open(session, &QUERY_EXCHANGE_COMMAND);
	cursor_bind_uuid(cursor, "id", &command->id);
	cursor_bind_uuid(cursor, "computer", &records->computer);
	cursor_bind_text(cursor, "state", command_state_name(command->state));
	cursor_bind_number(cursor, "changed", command->time);
	cursor_bind_text(cursor, "progress", command->progress);
	cursor_bind_text(cursor, "result", command->result);
	rc = cursor_run(cursor, err);
	if (rc == 0)
		add_news(records, FRONT_TOPIC_COMMAND, &command->id, 0);
	return rc;
}

static int want_item(struct records *records, const struct record_item *item, uint64_t largest,
		     struct store_session *session, struct err *err)
{
	struct cursor *cursor;

	if (records->wanted_count == RECORDS_WANTED_MAX || largest == 0)
		return 0;
	cursor = cursor_open(session, &QUERY_EXCHANGE_QUARANTINE_WANTED);
	cursor_bind_uuid(cursor, "id", &item->id);
	cursor_bind_uuid(cursor, "computer", &records->computer);
	cursor_bind_number(cursor, "largest", (int64_t)(largest > INT64_MAX ? INT64_MAX : largest));
	if (cursor_next(cursor))
		records->wanted[records->wanted_count++] = item->id;
	return cursor_end(cursor, err);
}

static int write_item(struct records *records, const struct record_item *item, uint64_t largest,
		      struct store_session *session, struct err *err)
{
	struct cursor *cursor = cursor_open(session, &QUERY_QUARANTINE_INSERT);
	int rc;

	cursor_bind_uuid(cursor, "id", &item->id);
	cursor_bind_uuid(cursor, "computer", &records->computer);
	cursor_bind_bytes(cursor, "path", item->path, item->path_size);
	cursor_bind_bytes(cursor, "sha256", item->sha256, SHA256_BYTES);
	cursor_bind_number(cursor, "size", (int64_t)(item->size > INT64_MAX ? INT64_MAX : item->size));
	cursor_bind_text(cursor, "detection", item->detection);
	cursor_bind_number(cursor, "quarantined", item->quarantined);
	cursor_bind_text(cursor, "state", item->state);
	rc = cursor_run(cursor, err);
	if (rc != 0)
		return rc;
	add_news(records, FRONT_TOPIC_QUARANTINE, &item->id, 0);
	return want_item(records, item, largest, session, err);
}

/* All zeroes: there is none. */
static void bind_fingerprint(struct cursor *cursor, const char *name, const uint8_t fingerprint[SHA256_BYTES])
{
	static const uint8_t none[SHA256_BYTES];

	if (memcmp(fingerprint, none, SHA256_BYTES) == 0)
		cursor_bind_null(cursor, name);
	else
		cursor_bind_bytes(cursor, name, fingerprint, SHA256_BYTES);
}

static int write_computer(struct records *records, struct store_session *session, struct err *err)
{
	const struct fleet_computer *row = &records->row;
	struct cursor *cursor = cursor_open(session, &QUERY_EXCHANGE_COMPUTER);
	char seen_from[ADDRESS_TEXT_BYTES];
	int rc;

	address_format(&row->seen_from, seen_from);
	cursor_bind_uuid(cursor, "id", &records->computer);
	if (row->last_heard != 0)
		cursor_bind_number(cursor, "last_heard", row->last_heard);
	else /* never: it was declared offline all the same */
		cursor_bind_null(cursor, "last_heard");
	cursor_bind_number(cursor, "clock_offset_us", row->clock_offset_us);
	cursor_bind_number(cursor, "clock_base_us", row->clock_base_us);
	cursor_bind_uuid(cursor, "clock_boot", uuid_is_zero(&row->clock_boot) ? NULL : &row->clock_boot);
	cursor_bind_number(cursor, "agent_interval_us", row->agent_interval_us);
	cursor_bind_text(cursor, "status", fleet_status_name(row->status));
	cursor_bind_text(cursor, "status_cause", row->cause);
	cursor_bind_number(cursor, "status_since", row->status_since);
	cursor_bind_number(cursor, "offline_error", row->offline_error ? 1 : 0);
	bind_fingerprint(cursor, "config_fingerprint", row->configuration);
	cursor_bind_text(cursor, "config_state", fleet_configuration_state_name(row->configuration_state));
	bind_fingerprint(cursor, "trusted_key", row->trusted_key);
	cursor_bind_text(cursor, "seen_from", seen_from);
	rc = cursor_run(cursor, err);
	if (rc == 0)
		add_news(records, FRONT_TOPIC_COMPUTER, &records->computer, 0);
	return rc;
}

static int write_host(struct records *records, struct store_session *session, struct err *err)
{
	const struct record_host *host = &records->host;
	struct cursor *cursor = cursor_open(session, &QUERY_COMPUTER_HOST);

	cursor_bind_uuid(cursor, "id", &records->computer);
	cursor_bind_text(cursor, "host_name", host->name);
	cursor_bind_text(cursor, "os", host->os);
	cursor_bind_text(cursor, "kernel", host->kernel);
	cursor_bind_text(cursor, "architecture", host->architecture);
	cursor_bind_text(cursor, "agent_version", host->agent_version);
	cursor_bind_text(cursor, "addresses", host->addresses);
	cursor_bind_number(cursor, "listen_port", host->listen_port);
	if (uuid_is_zero(&host->machine))
		cursor_bind_null(cursor, "machine");
	else
		cursor_bind_uuid(cursor, "machine", &host->machine);
	cursor_bind_text(cursor, "direction", link_direction_name((enum link_direction)host->direction));
	return cursor_run(cursor, err);
}

static int stored_components(struct records *records, struct store_session *session, char **ret_merged, struct err *err)
{
	struct cursor *cursor = cursor_open(session, &QUERY_EXCHANGE_COMPONENTS_OF);
	char *merged = NULL;
	int rc;

	cursor_bind_uuid(cursor, "id", &records->computer);
	if (cursor_next(cursor))
		merged = json_of_components(cursor_text(cursor, "components"), records->components,
					    records->component_count, records->components_full);
	rc = cursor_end(cursor, err);
	if (rc == 0 && merged == NULL)
		rc = err_set(err, ERR_MEMORY, "no memory for components");
	if (rc == 0)
		*ret_merged = merged;
	else
		free(merged);
	return rc;
}

static int write_components(struct records *records, struct store_session *session, struct err *err)
{
	struct cursor *cursor;
	char *merged;
	int rc = stored_components(records, session, &merged, err);

	if (rc != 0)
		return rc;
	cursor = cursor_open(session, &QUERY_EXCHANGE_COMPONENTS);
	cursor_bind_uuid(cursor, "id", &records->computer);
	cursor_bind_text(cursor, "components", merged);
	cursor_bind_text(cursor, "patterns", patterns_of_components(records->components, records->component_count));
	rc = cursor_run(cursor, err);
	free(merged);
	return rc;
}

static int write_configuration_error(struct records *records, struct store_session *session, struct err *err)
{
	struct cursor *cursor = cursor_open(session, &QUERY_EXCHANGE_CONFIGURATION_ERROR);

	cursor_bind_uuid(cursor, "id", &records->computer);
	cursor_bind_text(cursor, "config_error", records->configuration_error);
	return cursor_run(cursor, err);
}

/* --- alerts that follow from states --- */

static int tell(const struct records *records, struct front *front, struct store_session *session, enum alert_kind kind,
		bool holds, const char *subject, const char *detail, struct err *err)
{
	struct alert_fact fact;
	int rc = alert_fact_make(kind, holds, &records->computer, subject, detail, records->received, &fact, err);

	if (rc != 0)
		return rc;
	rc = alerting_tell(front, session, &fact, err);
	alert_fact_done(&fact);
	return rc;
}

static int tell_components(const struct records *records, struct front *front, struct store_session *session,
			   struct err *err)
{
	const char *names[WIRE_COMPONENTS_MAX];
	size_t count = 0;
	int rc = 0;

	for (size_t i = 0; i < records->component_count && rc == 0; i++) {
		const Muster__Wire__Component *component = records->components[i];

		if (count < COUNT_OF(names))
			names[count++] = component->name;
		rc = tell(records, front, session, ALERT_COMPONENT_FAILED, strcmp(component->state, "failed") == 0,
			  component->name, component->detail, err);
	}
	if (rc == 0 && records->components_full)
		rc = alerting_other_components(front, session, &records->computer, names, count, err);
	return rc;
}

static int tell_states(const struct records *records, struct front *front, struct store_session *session,
		       struct err *err)
{
	int rc = 0;

	if (records->component_count > 0)
		rc = tell_components(records, front, session, err);
	if (rc == 0 && records->configuration_error != NULL)
		rc = tell(records, front, session, ALERT_CONFIGURATION_FAILED, records->configuration_error[0] != '\0',
			  "", records->configuration_error, err);
	return rc;
}

static int write_link_error(struct records *records, struct store_session *session, struct err *err)
{
	struct cursor *cursor = cursor_open(session, &QUERY_EXCHANGE_LINK_ERROR);

	cursor_bind_uuid(cursor, "id", &records->computer);
	cursor_bind_text(cursor, "link_error", records->link_error);
	return cursor_run(cursor, err);
}

int records_write(struct records *records, struct front *front, struct store_session *session, uint64_t largest,
		  struct err *err)
{
	int rc;

	records->news_count = records->wanted_count = 0;
	records->count = (struct records_count){ 0 };
	rc = write_floor(records, session, err);
	for (size_t i = 0; i < records->event_count && rc == 0; i++)
		rc = write_event(records, front, &records->events[i], session, err);
	for (size_t i = 0; i < records->command_count && rc == 0; i++)
		rc = write_command(records, &records->commands[i], session, err);
	for (size_t i = 0; i < records->item_count && rc == 0; i++)
		rc = write_item(records, &records->items[i], largest, session, err);
	if (rc == 0 && records->has_computer)
		rc = write_computer(records, session, err);
	if (rc == 0 && records->has_host)
		rc = write_host(records, session, err);
	if (rc == 0 && records->component_count > 0)
		rc = write_components(records, session, err);
	if (rc == 0 && records->configuration_error != NULL)
		rc = write_configuration_error(records, session, err);
	if (rc == 0 && records->link_error != NULL)
		rc = write_link_error(records, session, err);
	return rc == 0 ? tell_states(records, front, session, err) : rc;
}
