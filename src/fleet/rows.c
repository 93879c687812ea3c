/* What an exchange asks to be stored. Rows made here are the manager's own
 * words; those that point into a report hold untrusted text. */
#include <stdlib.h>
#include <string.h>

#include "fleet/parts.h"

#define EXCHANGE_MEMORY_MAX_BYTES (4 * MIB)
#define MANAGER_EVENTS_MAX        (FLEET_COMMANDS_MAX + 4)

bool fleet_rows_empty(const struct fleet_rows *rows)
{
	return rows->events.count == 0 && rows->events.repeated_count == 0 && rows->manager_event_count == 0 &&
	       rows->command_count == 0 && rows->quarantine_count == 0 && rows->computer_row == NULL &&
	       rows->host == NULL && rows->component_count == 0 && rows->configuration_error == NULL;
}

const struct fleet_rows *fleet_exchange_rows(const struct fleet_exchange *exchange)
{
	return &exchange->rows;
}

struct fleet_exchange *exchange_new(const struct uuid *computer)
{
	struct fleet_exchange *exchange = calloc(1, sizeof(*exchange));

	if (exchange != NULL) {
		exchange->computer = *computer;
		exchange->rows.computer = *computer;
	}
	return exchange;
}

void *exchange_memory(struct fleet_exchange *exchange, size_t size)
{
	void *memory;

	if (exchange->arena == NULL)
		exchange->arena = arena_new(EXCHANGE_MEMORY_MAX_BYTES);
	memory = exchange->arena != NULL ? arena_take(exchange->arena, size) : NULL;
	if (memory != NULL)
		memset(memory, 0, size);
	return memory;
}

/* Nothing of the rows is needed any more: a parked request should weigh little. */
void exchange_drop_memory(struct fleet_exchange *exchange)
{
	arena_free(exchange->arena);
	exchange->arena = NULL;
	exchange->rows = (struct fleet_rows){ .computer = exchange->computer };
	exchange->report = NULL;
	exchange->manager_events = NULL;
	exchange->commands = NULL;
	exchange->command_capacity = 0;
	exchange->command_acks = NULL;
	exchange->item_acks = NULL;
	exchange->command_ack_count = exchange->item_ack_count = 0;
}

static Muster__Wire__Field *make_field(struct fleet_exchange *exchange, const struct made_field *made)
{
	size_t size = strlen(made->text);
	Muster__Wire__Field *field = exchange_memory(exchange, sizeof(*field));
	char *text = exchange_memory(exchange, size + 1);

	if (field == NULL || text == NULL)
		return NULL;
	memcpy(text, made->text, size);
	muster__wire__field__init(field);
	field->name = (char *)(uintptr_t)made->name;
	field->value = exchange_bytes(text, size);
	return field;
}

int exchange_manager_event(const struct fleet *fleet, struct fleet_exchange *exchange, uint32_t type,
			   const struct made_field *fields, size_t count)
{
	Muster__Wire__Field **made = exchange_memory(exchange, (count + 1) * sizeof(struct Muster__Wire__Field *));

	if (exchange->manager_events == NULL) {
		exchange->manager_events =
		    exchange_memory(exchange, MANAGER_EVENTS_MAX * sizeof(struct fleet_event_row));
		exchange->rows.manager_events = exchange->manager_events;
	}
	if (made == NULL || exchange->manager_events == NULL)
		return ERR_MEMORY;
	if (exchange->rows.manager_event_count == MANAGER_EVENTS_MAX)
		return ERR_LIMIT;
	for (size_t i = 0; i < count; i++) {
		made[i] = make_field(exchange, &fields[i]);
		if (made[i] == NULL)
			return ERR_MEMORY;
	}
	exchange->manager_events[exchange->rows.manager_event_count++] = (struct fleet_event_row){
		.time = env_wall(fleet->options.env),
		.type = type,
		.fields = made,
		.field_count = count,
	};
	return 0;
}

/* A row for the state; NULL without memory. At most what a report may carry, or all open ones. */
struct fleet_command_row *exchange_command(const struct fleet *fleet, struct fleet_exchange *exchange,
					   const struct uuid *id, enum command_state state)
{
	struct fleet_command_row *row;

	if (exchange->commands == NULL) {
		exchange->command_capacity = WIRE_REPORT_COMMANDS_MAX + FLEET_COMMANDS_MAX;
		exchange->commands =
		    exchange_memory(exchange, exchange->command_capacity * sizeof(struct fleet_command_row));
		exchange->rows.commands = exchange->commands;
	}
	if (exchange->commands == NULL || exchange->rows.command_count == exchange->command_capacity)
		return NULL;
	row = &exchange->commands[exchange->rows.command_count++];
	*row = (struct fleet_command_row){
		.id = *id, .state = state, .time = env_wall(fleet->options.env), .code = "", .text = ""
	};
	return row;
}

/* The row's status and the event that tells it are stored together, or a crash
 * between them would lose or repeat the event: while such an event is being
 * stored by another exchange, the row waits. So it does without memory. */
void exchange_computer_row(const struct fleet *fleet, struct fleet_exchange *exchange, struct computer *computer)
{
	bool waits = computer->status_writing && !exchange->tells_status;
	struct fleet_computer *row = waits ? NULL : exchange_memory(exchange, sizeof(*row));

	if (row == NULL) {
		computer->row_dirty = true;
		return;
	}
	computer_facts(fleet, computer, row);
	row->offline_error = exchange->tells_status ? exchange->tells_offline : computer->offline_told;
	computer->row_dirty = false;
	computer->row_heard = computer->last_heard;
	exchange->rows.computer_row = row;
}
