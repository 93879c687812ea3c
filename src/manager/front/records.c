/* Rows of an exchange or a tick, made ready. Values are from outside: they are escaped here. */
#include "manager/front/records_parts.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "manager/front/front_state.h"
#include "manager/front/records_json.h"

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

/* What is yet to come, by the agent's clock, would stay at the top of the list. */
static int make_item(struct record_item *item, const Muster__Wire__QuarantineItem *reported, time_us received)
{
	item->id = exchange_uuid(&reported->id);
	if (reported->sha256.len == SHA256_BYTES)
		memcpy(item->sha256, reported->sha256.data, SHA256_BYTES);
	item->size = reported->size;
	item->quarantined = reported->quarantined_us < received ? reported->quarantined_us : received;
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
		rc = make_item(&records->items[i], rows->quarantine[i], records->received);
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

/* --- after the commit --- */

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

struct records_count records_count(const struct records *records)
{
	return records->count;
}

const struct uuid *records_machine(const struct records *records, const struct uuid **ret_computer)
{
	*ret_computer = &records->computer;
	return records->has_host && !uuid_is_zero(&records->host.machine) ? &records->host.machine : NULL;
}
