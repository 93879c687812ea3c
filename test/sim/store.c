/* The manager's database: a write is applied whole or not at all. What is here
 * is committed; what waits for its commit lives in manager.c and dies with it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "world.h"

struct sim_stored_computer *store_computer(struct sim *sim, const struct uuid *id)
{
	for (size_t i = 0; i < sim->store.computer_count; i++) {
		if (uuid_equal(&sim->store.computers[i].record.id, id))
			return &sim->store.computers[i];
	}
	return NULL;
}

struct sim_stored_command *store_command(struct sim *sim, const struct uuid *id)
{
	for (size_t i = 0; i < sim->store.command_count; i++) {
		if (uuid_equal(&sim->store.commands[i].id, id))
			return &sim->store.commands[i];
	}
	return NULL;
}

struct sim_stored_computer *store_add_computer(struct sim *sim, const struct uuid *id, uint64_t heartbeat_s)
{
	struct sim_stored_computer *computer = &sim->store.computers[sim->store.computer_count++];

	*computer = (struct sim_stored_computer){ .record = { .id = *id } };
	computer->record.interval_us = (span_us)heartbeat_s * SECOND_US;
	computer->record.missed = (uint32_t)sim_below(sim, 3);
	computer->record.clock_limit_us = (span_us)sim_below(sim, 3) * 5 * MINUTE_US;
	return computer;
}

static uint64_t field_number(const struct fleet_event_row *row, const char *name)
{
	for (size_t i = 0; i < row->field_count; i++) {
		const Muster__Wire__Field *field = row->fields[i];
		uint64_t number = 0;

		if (strcmp(field->name, name) != 0)
			continue;
		for (size_t at = 0; at < field->value.len; at++)
			number = number * 10 + (uint64_t)(field->value.data[at] - '0');
		return number;
	}
	return 0;
}

static void insert_event(struct sim *sim, struct sim_stored_computer *computer, const struct fleet_event_row *row)
{
	uint64_t payload = field_number(row, "payload");

	if (row->type == EVENT_EVENTS_DROPPED)
		computer->told_drops += field_number(row, "count");
	for (size_t i = 0; i < computer->event_count; i++) {
		if (computer->events[i].number == row->number)
			sim_fail(sim, "event %llu is stored twice", (unsigned long long)row->number);
		if (payload != 0 && computer->events[i].payload == payload && !sim->cloned)
			sim_fail(sim, "what event %llu says is stored already as %llu", (unsigned long long)row->number,
				 (unsigned long long)computer->events[i].number);
	}
	if (computer->event_count == computer->event_capacity) {
		computer->event_capacity = computer->event_capacity * 2 + 64;
		computer->events = reallocarray(computer->events, computer->event_capacity, sizeof(*computer->events));
		if (computer->events == NULL)
			abort();
	}
	computer->events[computer->event_count++] = (struct sim_stored_event){ row->number, payload, row->type };
}

static void apply_command(struct sim *sim, const struct uuid *computer, const struct fleet_command_row *row)
{
	struct sim_stored_command *command = store_command(sim, &row->id);

	if (command == NULL || !uuid_equal(&command->computer, computer))
		return;
	if (!command_may_move(command->state, row->state))
		return;
	sim_log(sim, "store: %s %s -> %s", command_kind_name(command->kind), command_state_name(command->state),
		command_state_name(row->state));
	command->state = row->state;
	command->reported_end = row->reported != NULL;
}

static void apply_item(struct sim_stored_computer *computer, const Muster__Wire__QuarantineItem *item)
{
	for (unsigned i = 0; i < computer->item_count; i++) {
		if (memcmp(computer->items[i].bytes, item->id.data, UUID_BYTES) == 0) {
			computer->item_states[i] = item->state;
			return;
		}
	}
	memcpy(computer->items[computer->item_count].bytes, item->id.data, UUID_BYTES);
	computer->item_states[computer->item_count++] = item->state;
}

static void apply_manager_event(struct sim *sim, struct sim_stored_computer *computer,
				const struct fleet_event_row *row)
{
	sim_log(sim, "store: computer %zu: event %u", (size_t)(computer - sim->store.computers), row->type);
	computer->offline_events += row->type == EVENT_COMPUTER_OFFLINE;
	computer->online_events += row->type == EVENT_COMPUTER_ONLINE;
	sim->store.clones += row->type == EVENT_CLONE_REKEYED;
}

static void apply_record(struct sim_stored_computer *computer, const struct fleet_computer *row)
{
	uint64_t floor = computer->record.events_stored; /* a column of its own */

	computer->record = *row;
	computer->record.events_stored = floor;
}

int store_apply(struct sim *sim, const struct fleet_rows *rows)
{
	struct sim_stored_computer *computer = store_computer(sim, &rows->computer);

	if (computer == NULL)
		return ERR_NOT_FOUND;
	if (rows->events.count > 0 && computer->record.events_stored != rows->events.previous &&
	    sim->options.broken != BREAK_FLOOR_UNCHECKED)
		return ERR_CONFLICT;
	for (size_t i = 0; i < rows->events.count; i++) {
		insert_event(sim, computer, &rows->events.rows[i]);
		alerts_apply(sim, &rows->computer, &rows->events.rows[i]);
	}
	if (rows->events.count > 0)
		computer->record.events_stored = rows->events.last;
	for (size_t i = 0; i < rows->manager_event_count; i++)
		apply_manager_event(sim, computer, &rows->manager_events[i]);
	for (size_t i = 0; i < rows->manager_event_count; i++)
		alerts_apply(sim, &rows->computer, &rows->manager_events[i]);
	for (size_t i = 0; i < rows->command_count; i++)
		apply_command(sim, &rows->computer, &rows->commands[i]);
	for (size_t i = 0; i < rows->quarantine_count; i++)
		apply_item(computer, rows->quarantine[i]);
	if (rows->configuration_error != NULL)
		snprintf(computer->configuration_error, sizeof(computer->configuration_error), "%s",
			 rows->configuration_error);
	if (rows->computer_row != NULL)
		apply_record(computer, rows->computer_row);
	for (size_t i = 0; i < rows->component_count; i++)
		computer->component_state = (unsigned)strtoul(rows->components[i]->version, NULL, 10);
	return 0;
}

void store_done(struct sim *sim)
{
	for (size_t i = 0; i < sim->store.computer_count; i++)
		free(sim->store.computers[i].events);
	for (size_t i = 0; i < sim->store.command_count; i++)
		free(sim->store.commands[i].envelope);
	free(sim->store.commands);
	alerts_done(sim);
}
