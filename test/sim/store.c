/* A manager's database: a write is applied whole or not at all. What is here
 * is committed; what waits for its commit lives in manager.c and dies with it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "world.h"

void store_init(struct sim_manager *manager, size_t computers)
{
	struct sim_store *store = &manager->store;
	struct sim *sim = manager->sim;

	store->computer_capacity = computers;
	store->computers = calloc(computers, sizeof(*store->computers));
	store->computer_index = map_new(sim_random(sim));
	store->command_index = map_new(sim_random(sim));
	if (store->computers == NULL || store->computer_index == NULL || store->command_index == NULL)
		abort();
}

struct sim_stored_computer *store_computer(const struct sim_manager *manager, const struct uuid *id)
{
	uintptr_t place = (uintptr_t)map_get(manager->store.computer_index, id->bytes, UUID_BYTES);

	return place != 0 ? &manager->store.computers[place - 1] : NULL;
}

bool store_has_agent(const struct sim_manager *manager, const struct sim_stored_computer *computer)
{
	const struct sim_machine *machine = &manager->sim->machines[computer->machine];

	return machine->manager == manager && uuid_equal(&machine->computer, &computer->record.id);
}

struct sim_stored_computer *store_machine(const struct sim_machine *machine)
{
	return store_computer(machine->manager, &machine->computer);
}

struct sim_stored_command *store_command(const struct sim_manager *manager, const struct uuid *id)
{
	uintptr_t place = (uintptr_t)map_get(manager->store.command_index, id->bytes, UUID_BYTES);

	return place != 0 ? &manager->store.commands[place - 1] : NULL;
}

struct sim_stored_computer *store_add_computer(const struct sim_machine *machine, const struct sim_identity *identity)
{
	struct sim *sim = machine->sim;
	struct sim_store *store = &identity->manager->store;
	struct sim_stored_computer *computer;

	if (store->computer_count == store->computer_capacity)
		abort();
	computer = &store->computers[store->computer_count++];
	*computer = (struct sim_stored_computer){ .record = { .id = identity->computer } };
	if (map_set(store->computer_index, identity->computer.bytes, UUID_BYTES,
		    (void *)(uintptr_t)store->computer_count) != 0)
		abort();
	computer->machine = machine->index;
	computer->certificate = identity->certificate;
	memcpy(computer->name, identity->name, SIM_NAME_BYTES);
	computer->holders = 1;
	computer->own_interval_us = (span_us)machine->heartbeat_s * SECOND_US;
	computer->record.interval_us = (span_us)machine->heartbeat_s * SECOND_US;
	computer->record.missed = (uint32_t)sim_below(sim, 3);
	computer->record.clock_limit_us = (span_us)sim_below(sim, 3) * 5 * MINUTE_US;
	life_init(identity->manager, computer, computer->record.interval_us, computer->record.missed);
	return computer;
}

static void *grown(void *rows, size_t count, size_t *capacity, size_t size)
{
	if (count < *capacity)
		return rows;
	*capacity = *capacity * 2 + 32;
	rows = reallocarray(rows, *capacity, size);
	if (rows == NULL)
		abort();
	return rows;
}

struct sim_stored_command *store_add_command(struct sim_manager *manager, const struct sim_stored_command *given)
{
	struct sim_store *store = &manager->store;
	struct sim_stored_command *command;

	store->commands =
	    grown(store->commands, store->command_count, &store->command_capacity, sizeof(*store->commands));
	store->open = grown(store->open, store->open_count, &store->open_capacity, sizeof(*store->open));
	command = &store->commands[store->command_count];
	*command = *given;
	command->open_at = store->open_count;
	store->open[store->open_count++] = store->command_count++;
	if (map_set(store->command_index, command->id.bytes, UUID_BYTES, (void *)(uintptr_t)store->command_count) != 0)
		abort();
	return command;
}

static void no_longer_open(struct sim_store *store, struct sim_stored_command *command)
{
	size_t last = store->open[--store->open_count];

	store->open[command->open_at] = last;
	store->commands[last].open_at = command->open_at;
	free(command->envelope);
	command->envelope = NULL;
}

void store_cut_commands(struct sim_manager *manager, const struct uuid *computer, bool fulfils_move)
{
	struct sim_store *store = &manager->store;

	for (size_t i = store->open_count; i-- > 0;) {
		struct sim_stored_command *command = &store->commands[store->open[i]];

		if (!uuid_equal(&command->computer, computer))
			continue;
		command->state = fulfils_move && command->kind == COMMAND_MOVE ? COMMAND_SUCCEEDED : COMMAND_CANCELLED;
		command->cut_off = true;
		no_longer_open(store, command);
	}
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

/* Each payload is stored once, and at the computer whose machine made it; of a copy's, at either. */
/* What link had taken and guard still held when a copy was made, the copy has from link alone. If a bad sector then
 * takes it from the original's link, guard gives it once more, and it is recorded there under another number and mark:
 * nobody can tell it from one that happened twice (decision 0013: a notice has no mark before link has recorded it). */
static bool lay_between(const struct sim_machine *machine, uint64_t number)
{
	return machine->damaged && number > machine->between_from && number <= machine->between_to;
}

static void note_payload(const struct sim_manager *manager, const struct sim_stored_computer *computer,
			 const struct fleet_event_row *row, uint64_t payload)
{
	struct sim *sim = manager->sim;
	uint64_t index = payload / SIM_PAYLOADS - 1, number = payload % SIM_PAYLOADS;
	struct sim_machine *machine;
	uint8_t bit = (uint8_t)(1u << (number % 8));

	if (index >= sim->machine_count || number == 0 || number > sim->machines[index].made) {
		sim_fail(sim, "event %llu tells what nobody made", (unsigned long long)row->number);
		return;
	}
	machine = &sim->machines[index];
	if (!machine->has_clone && computer->machine != machine->index)
		sim_fail(sim, "event %llu of machine %u is stored as another's", (unsigned long long)row->number,
			 machine->index);
	if (row->mark != 0 && moves_has_another(manager, row->mark))
		sim->counts.events_at_both++;
	if ((machine->stored[number / 8] & bit) != 0 && !moves_told_before(machine, computer, row->mark) &&
	    !lay_between(machine, number))
		sim_fail(sim, "what event %llu says is stored already (%llu of machine %u)",
			 (unsigned long long)row->number, (unsigned long long)number, machine->index);
	machine->stored[number / 8] |= bit;
}

static void insert_event(struct sim_manager *manager, struct sim_stored_computer *computer,
			 const struct fleet_event_row *row)
{
	struct sim *sim = manager->sim;
	uint64_t payload = field_number(row, "payload");

	if (row->type == EVENT_EVENTS_DROPPED)
		sim->machines[computer->machine].told_drops += field_number(row, "count");
	events_keep(&computer->events, row->number, row->mark);
	computer->event_count++;
	manager->store.event_count++;
	if (payload != 0)
		note_payload(manager, computer, row, payload);
}

static void apply_event(struct sim_manager *manager, struct sim_stored_computer *computer,
			const struct fleet_event_row *row)
{
	insert_event(manager, computer, row);
	alerts_apply(manager, computer, row);
}

/* Floor, and what is new by number; what is not is looked up by its mark. */
static int apply_events(struct sim_manager *manager, struct sim_stored_computer *computer,
			const struct fleet_rows *rows)
{
	const bool unchecked = manager->sim->options.broken == BREAK_FLOOR_UNCHECKED;
	uint64_t floor = computer->record.events_stored;

	if (rows->events.count > 0 && floor != rows->events.previous && !unchecked)
		return ERR_CONFLICT;
	if (rows->events.repeated_count > 0 && !unchecked &&
	    floor < rows->events.repeated[rows->events.repeated_count - 1].number)
		return ERR_CONFLICT;
	for (size_t i = 0; i < rows->events.repeated_count; i++) {
		const struct fleet_event_row *row = &rows->events.repeated[i];

		if (!events_known(&computer->events, row->number, row->mark) &&
		    manager->sim->options.broken != BREAK_NUMBER_TRUSTED)
			apply_event(manager, computer, row);
	}
	for (size_t i = 0; i < rows->events.count; i++) {
		const struct fleet_event_row *row = &rows->events.rows[i];

		if (events_number_taken(&computer->events, row->number))
			sim_fail(manager->sim, "event %llu is to be stored as new, and one of its number is stored",
				 (unsigned long long)row->number);
		apply_event(manager, computer, row);
	}
	if (rows->events.count > 0)
		computer->record.events_stored = rows->events.last;
	return 0;
}

static void apply_command(struct sim_manager *manager, const struct uuid *computer, const struct fleet_command_row *row)
{
	struct sim_stored_command *command = store_command(manager, &row->id);

	if (command == NULL || !uuid_equal(&command->computer, computer))
		return;
	if (!command_may_move(command->state, row->state))
		return;
	sim_log(manager->sim, "store: %s %s -> %s", command_kind_name(command->kind),
		command_state_name(command->state), command_state_name(row->state));
	if (command_ended(row->state) && !command_ended(command->state)) {
		check_overdue(manager, command);
		no_longer_open(&manager->store, command);
	}
	command->state = row->state;
}

static void apply_item(struct sim *sim, struct sim_stored_computer *computer, const Muster__Wire__QuarantineItem *item)
{
	for (unsigned i = 0; i < computer->item_count; i++) {
		if (memcmp(computer->items[i].bytes, item->id.data, UUID_BYTES) == 0) {
			computer->item_states[i] = item->state;
			return;
		}
	}
	if (computer->item_count == SIM_ITEMS_MAX) {
		sim_fail(sim, "a quarantine item is stored that was never told");
		return;
	}
	memcpy(computer->items[computer->item_count].bytes, item->id.data, UUID_BYTES);
	computer->item_states[computer->item_count++] = item->state;
}

static void apply_manager_event(struct sim_manager *manager, struct sim_stored_computer *computer,
				const struct fleet_event_row *row)
{
	struct sim *sim = manager->sim;

	sim_log(sim, "store: computer %zu: event %u", (size_t)(computer - manager->store.computers), row->type);
	computer->offline_events += row->type == EVENT_COMPUTER_OFFLINE;
	computer->online_events += row->type == EVENT_COMPUTER_ONLINE || row->type == EVENT_COMPUTER_NOT_WATCHED;
	computer->problem_events += row->type == EVENT_COMMUNICATION_PROBLEM;
	computer->resolved_events += row->type == EVENT_COMMUNICATION_RESOLVED;
	if (computer->resolved_events > computer->problem_events)
		sim_fail(sim, "a problem of dialling is resolved that was not told");
	if (computer->problem_events > computer->resolved_events + 1)
		sim_fail(sim, "a problem of dialling is told again");
	if (row->type == EVENT_COMPUTER_OFFLINE || row->type == EVENT_COMPUTER_ONLINE ||
	    row->type == EVENT_COMPUTER_NOT_WATCHED)
		life_stored(manager, computer, row->type);
	if (row->type == EVENT_CLONE_REKEYED && !computer->was_shared)
		sim_fail(sim, "a clone is found where none was made");
}

/* What is a column of its own, or a policy's, is not the row's to say. */
static void apply_record(struct sim_stored_computer *computer, const struct fleet_computer *row)
{
	const struct fleet_computer before = computer->record;

	computer->record = *row;
	computer->record.events_stored = before.events_stored;
	computer->record.direction = before.direction;
	computer->record.listen_port = before.listen_port;
	memcpy(computer->record.link_error, before.link_error, sizeof(before.link_error));
	computer->record.interval_us = before.interval_us;
	computer->record.missed = before.missed;
	computer->record.clock_limit_us = before.clock_limit_us;
	memcpy(computer->record.wanted_configuration, before.wanted_configuration, SHA256_BYTES);
}

static void apply_error(struct sim_stored_computer *computer, const char *text)
{
	free(computer->configuration_error);
	computer->configuration_error = text[0] != '\0' ? strdup(text) : NULL;
}

int store_apply(struct sim_manager *manager, const struct fleet_rows *rows)
{
	struct sim_stored_computer *computer = store_computer(manager, &rows->computer);
	int rc;

	if (computer == NULL || computer->standing != STANDING_MANAGED)
		return ERR_NOT_FOUND;
	rc = apply_events(manager, computer, rows);
	if (rc != 0)
		return rc;
	for (size_t i = 0; i < rows->manager_event_count; i++)
		apply_manager_event(manager, computer, &rows->manager_events[i]);
	for (size_t i = 0; i < rows->manager_event_count; i++)
		alerts_apply(manager, computer, &rows->manager_events[i]);
	for (size_t i = 0; i < rows->command_count; i++)
		apply_command(manager, &rows->computer, &rows->commands[i]);
	for (size_t i = 0; i < rows->quarantine_count; i++)
		apply_item(manager->sim, computer, rows->quarantine[i]);
	if (rows->configuration_error != NULL)
		apply_error(computer, rows->configuration_error);
	if (rows->computer_row != NULL)
		apply_record(computer, rows->computer_row);
	if (rows->link_error != NULL)
		snprintf(computer->record.link_error, sizeof(computer->record.link_error), "%s", rows->link_error);
	if (rows->host != NULL) {
		computer->record.direction = (enum link_direction)rows->host->direction;
		computer->record.listen_port = (uint16_t)rows->host->listen_port;
	}
	for (size_t i = 0; i < rows->component_count; i++)
		computer->component_state = (unsigned)strtoul(rows->components[i]->version, NULL, 10);
	check_touch(manager, computer);
	return 0;
}

void store_done(struct sim_manager *manager)
{
	struct sim_store *store = &manager->store;

	for (size_t i = 0; i < store->computer_count; i++) {
		alerts_done(&store->computers[i]);
		free(store->computers[i].configuration_error);
		free(store->computers[i].events.list);
	}
	for (size_t i = 0; i < store->command_count; i++)
		free(store->commands[i].envelope);
	free(store->computers);
	free(store->commands);
	free(store->open);
	map_free(store->computer_index);
	map_free(store->command_index);
}
