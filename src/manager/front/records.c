/* Rows of an exchange or a tick, made ready and written. */
#include "manager/front/records.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "manager/front/front_state.h"
#include "manager/front/records_json.h"
#include "manager/queries.h"

struct record_event {
	struct uuid id;
	uint64_t number; /* 0: made by the manager */
	uint64_t mark;
	time_us time;
	uint32_t type;
	char *fields;
	bool says; /* about an alert: */
	struct alert_fact fact;
};

struct record_command {
	struct uuid id;
	enum command_state state;
	time_us time;
	char *progress; /* NULL: unchanged */
	char *result;   /* NULL: unchanged */
};

struct record_item {
	struct uuid id;
	void *path;
	size_t path_size;
	uint8_t sha256[SHA256_BYTES];
	uint64_t size;
	char *detection;
	time_us quarantined;
	const char *state;
};

struct record_host {
	char *name, *os, *kernel, *architecture, *agent_version, *addresses;
	uint32_t listen_port, direction;
	struct uuid machine; /* zeroes: none */
};

struct records {
	const struct env *env;
	struct uuid computer;
	time_us received;
	uint64_t previous, last;
	size_t repeated_count, fresh_count; /* of events, in this order; those of the manager follow */
	struct record_event *events;
	size_t event_count;
	struct record_command *commands;
	size_t command_count;
	struct record_item *items;
	size_t item_count;
	bool has_computer, has_host;
	struct fleet_computer row;
	struct record_host host;
	Muster__Wire__Component *const *components; /* lives as long as the exchange; read while writing */
	size_t component_count;
	bool components_full;
	char *configuration_error; /* NULL: unchanged */
	char *link_error;          /* the same */

	struct uuid wanted[RECORDS_WANTED_MAX];
	size_t wanted_count;
	struct front_news *news;
	size_t news_count;
	uint64_t stored, repeated;
};

static const char *const item_states[] = {
	[MUSTER__WIRE__QUARANTINE_ITEM__STATE__HELD] = "held",
	[MUSTER__WIRE__QUARANTINE_ITEM__STATE__RESTORED] = "restored",
	[MUSTER__WIRE__QUARANTINE_ITEM__STATE__DELETED] = "deleted",
	[MUSTER__WIRE__QUARANTINE_ITEM__STATE__TOO_LARGE] = "too_large",
};

/* --- making --- */

static int make_fact(struct record_event *event, const struct fleet_event_row *row, const struct uuid *computer,
		     time_us received)
{
	struct event_field fields[WIRE_FIELDS_MAX];
	size_t count = row->field_count < COUNT_OF(fields) ? row->field_count : COUNT_OF(fields);

	for (size_t i = 0; i < count; i++)
		fields[i] = (struct event_field){ row->fields[i]->name,
						  { row->fields[i]->value.data, row->fields[i]->value.len } };
	/* The agent's clock may say anything: an alert is raised when we learn of it. */
	return alert_fact_of_event(row->type, computer, fields, count, received, &event->says, &event->fact, NULL);
}

static int make_event(struct record_event *event, const struct fleet_event_row *row, const struct records *records)
{
	event->id = env_uuid(records->env);
	event->number = row->number;
	event->mark = row->mark;
	event->time = row->time;
	event->type = row->type;
	event->fields = json_of_fields(row->fields, row->field_count);
	return event->fields != NULL ? make_fact(event, row, &records->computer, records->received) : ERR_MEMORY;
}

static int make_events(struct records *records, const struct fleet_rows *rows)
{
	const struct {
		const struct fleet_event_row *rows;
		size_t count;
	} parts[] = { { rows->events.repeated, rows->events.repeated_count },
		      { rows->events.rows, rows->events.count },
		      { rows->manager_events, rows->manager_event_count } };
	size_t total = 0;
	int rc = 0;

	for (size_t i = 0; i < COUNT_OF(parts); i++)
		total += parts[i].count;
	if (total == 0)
		return 0;
	records->events = calloc(total, sizeof(*records->events));
	if (records->events == NULL)
		return ERR_MEMORY;
	records->repeated_count = rows->events.repeated_count;
	records->fresh_count = rows->events.count;
	for (size_t i = 0; i < COUNT_OF(parts); i++) {
		for (size_t at = 0; at < parts[i].count && rc == 0; at++)
			rc = make_event(&records->events[records->event_count++], &parts[i].rows[at], records);
	}
	return rc;
}

static int make_command(struct record_command *command, const struct fleet_command_row *row)
{
	const Muster__Wire__CommandState *reported = row->reported;

	command->id = row->id;
	command->state = row->state;
	command->time = row->time;
	if (reported != NULL && reported->progress != NULL) {
		command->progress = json_of_progress(reported->progress);
		if (command->progress == NULL)
			return ERR_MEMORY;
	}
	if (!command_ended(row->state))
		return 0;
	command->result = json_of_result(reported, row->code, row->text);
	return command->result != NULL ? 0 : ERR_MEMORY;
}

static int make_commands(struct records *records, const struct fleet_rows *rows)
{
	int rc = 0;

	if (rows->command_count == 0)
		return 0;
	records->commands = calloc(rows->command_count, sizeof(*records->commands));
	if (records->commands == NULL)
		return ERR_MEMORY;
	for (size_t i = 0; i < rows->command_count && rc == 0; i++) {
		rc = make_command(&records->commands[i], &rows->commands[i]);
		records->command_count++;
	}
	return rc;
}

static int make_item(struct record_item *item, const Muster__Wire__QuarantineItem *reported)
{
	item->id = exchange_uuid(&reported->id);
	if (reported->sha256.len == SHA256_BYTES)
		memcpy(item->sha256, reported->sha256.data, SHA256_BYTES);
	item->size = reported->size;
	item->quarantined = reported->quarantined_us;
	item->state = (size_t)reported->state < COUNT_OF(item_states) ? item_states[reported->state] : "held";
	item->path_size = reported->path.len;
	item->path = malloc(reported->path.len + 1);
	item->detection = strdup(reported->detection);
	if (item->path == NULL || item->detection == NULL)
		return ERR_MEMORY;
	memcpy(item->path, reported->path.data, reported->path.len);
	return 0;
}

static int make_items(struct records *records, const struct fleet_rows *rows)
{
	int rc = 0;

	if (rows->quarantine_count == 0)
		return 0;
	records->items = calloc(rows->quarantine_count, sizeof(*records->items));
	if (records->items == NULL)
		return ERR_MEMORY;
	for (size_t i = 0; i < rows->quarantine_count && rc == 0; i++) {
		rc = make_item(&records->items[i], rows->quarantine[i]);
		records->item_count++;
	}
	return rc;
}

static int make_host(struct records *records, const Muster__Wire__Host *host)
{
	struct record_host *made = &records->host;

	records->has_host = true;
	made->name = strdup(host->name);
	made->os = strdup(host->os);
	made->kernel = strdup(host->kernel);
	made->architecture = strdup(host->architecture);
	made->agent_version = strdup(host->agent_version);
	made->addresses = json_of_addresses(host->addresses, host->n_addresses);
	made->listen_port = host->listen_port;
	if (host->machine.len == UUID_BYTES)
		made->machine = exchange_uuid(&host->machine);
	if (machine_is_none(&made->machine))
		made->machine = (struct uuid){ 0 };
	made->direction = host->direction;
	return made->name != NULL && made->os != NULL && made->kernel != NULL && made->architecture != NULL &&
		       made->agent_version != NULL && made->addresses != NULL
		   ? 0
		   : ERR_MEMORY;
}

static int make_computer(struct records *records, const struct fleet_rows *rows)
{
	int rc = 0;

	if (rows->computer_row != NULL) {
		records->has_computer = true;
		records->row = *rows->computer_row;
	}
	if (rows->host != NULL)
		rc = make_host(records, rows->host);
	records->components = rows->components;
	records->component_count = rows->component_count;
	if (rc == 0 && rows->configuration_error != NULL) {
		records->configuration_error = strdup(rows->configuration_error);
		rc = records->configuration_error != NULL ? 0 : ERR_MEMORY;
	}
	if (rc == 0 && rows->link_error != NULL) {
		records->link_error = strdup(rows->link_error);
		rc = records->link_error != NULL ? 0 : ERR_MEMORY;
	}
	return rc;
}

int records_make(const struct fleet_rows *rows, bool full, const struct env *env, struct records **ret_records,
		 struct err *err)
{
	struct records *records = calloc(1, sizeof(*records));
	int rc = records == NULL ? ERR_MEMORY : 0;

	if (rc == 0) {
		records->env = env;
		records->computer = rows->computer;
		records->received = env_wall(env);
		records->previous = rows->events.previous;
		records->last = rows->events.last;
		records->components_full = full;
		rc = make_events(records, rows);
	}
	if (rc == 0)
		rc = make_commands(records, rows);
	if (rc == 0)
		rc = make_items(records, rows);
	if (rc == 0)
		rc = make_computer(records, rows);
	if (rc == 0) {
		size_t most = records->event_count + records->command_count + records->item_count + 1;

		records->news = calloc(most, sizeof(*records->news));
		rc = records->news != NULL ? 0 : ERR_MEMORY;
	}
	if (rc != 0) {
		records_free(records);
		return err_set(err, rc, "no memory for what the report changes");
	}
	*ret_records = records;
	return 0;
}

void records_free(struct records *records)
{
	if (records == NULL)
		return;
	for (size_t i = 0; i < records->event_count; i++) {
		free(records->events[i].fields);
		alert_fact_done(&records->events[i].fact);
	}
	for (size_t i = 0; i < records->command_count; i++) {
		free(records->commands[i].progress);
		free(records->commands[i].result);
	}
	for (size_t i = 0; i < records->item_count; i++) {
		free(records->items[i].path);
		free(records->items[i].detection);
	}
	free(records->events);
	free(records->commands);
	free(records->items);
	free(records->host.name);
	free(records->host.os);
	free(records->host.kernel);
	free(records->host.architecture);
	free(records->host.agent_version);
	free(records->host.addresses);
	free(records->configuration_error);
	free(records->link_error);
	free(records->news);
	free(records);
}

/* --- writing --- */

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

	if (records->repeated_count == 0)
		return 0;
	cursor = cursor_open(session, &QUERY_EXCHANGE_FLOOR_REACHED);
	cursor_bind_uuid(cursor, "id", &records->computer);
	cursor_bind_number(cursor, "number", (int64_t)records->last);
	reached = cursor_next(cursor);
	rc = cursor_end(cursor, err);
	if (rc == 0 && !reached)
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
	}
	if (rc != 0)
		return rc;
	if (stored) {
		records->repeated++;
	} else {
		records->stored++;
		add_news(records, FRONT_TOPIC_EVENT, &event->id, event->type);
	}
	return 0;
}

/* One that is stored already says nothing new; one of a type that is not recorded still does. */
static int write_event(struct records *records, struct front *front, const struct record_event *event,
		       struct store_session *session, struct err *err)
{
	struct front_event_type wanted = event_switch_of(front->switches, event->type);
	uint64_t repeated = records->repeated;
	int rc = wanted.record ? insert_event(records, event, wanted.severity, session, err) : 0;

	if (rc != 0 || !event->says || records->repeated != repeated)
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
	cursor_bind_number(cursor, "last_heard", row->last_heard);
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
	records->stored = records->repeated = 0;
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

const struct front_news *records_news(const struct records *records, size_t *ret_count)
{
	*ret_count = records->news_count;
	return records->news;
}

const struct uuid *records_wanted(const struct records *records, size_t *ret_count)
{
	*ret_count = records->wanted_count;
	return records->wanted;
}

void records_count(const struct records *records, uint64_t *ret_stored, uint64_t *ret_repeated)
{
	*ret_stored = records->stored;
	*ret_repeated = records->repeated;
}

const struct uuid *records_machine(const struct records *records, const struct uuid **ret_computer)
{
	*ret_computer = &records->computer;
	return records->has_host && !uuid_is_zero(&records->host.machine) ? &records->host.machine : NULL;
}
