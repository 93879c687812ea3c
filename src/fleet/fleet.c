/* Life of a shard, who belongs to it, commands in and out, the tick. Trusted. */
#include "fleet/fleet.h"

#include <stdlib.h>
#include <string.h>

#include "fleet/parts.h"

int fleet_new(const struct fleet_options *options, struct fleet **ret_fleet, struct err *err)
{
	struct fleet *fleet = calloc(1, sizeof(*fleet));
	uint64_t seed;

	if (fleet == NULL)
		return err_set(err, ERR_MEMORY, "out of memory");
	options->env->random(options->env->context, &seed, sizeof(seed));
	fleet->options = *options;
	fleet->computers = map_new(seed);
	fleet->groups = map_new(seed);
	if (fleet->computers == NULL || fleet->groups == NULL) {
		map_free(fleet->computers);
		map_free(fleet->groups);
		free(fleet);
		return err_set(err, ERR_MEMORY, "out of memory");
	}
	fleet->started = fleet->last_tick = fleet_now(fleet);
	fleet->clock_zero =
	    uuid_is_zero(&options->boot) ? env_wall(options->env) - fleet->started : options->clock_zero_us;
	fleet->listening_since = fleet->started;
	*ret_fleet = fleet;
	return 0;
}

span_us fleet_return_window(const struct fleet *fleet)
{
	span_us window = (span_us)fleet_count(fleet) * fleet->options.return_spacing_us;

	return window < FLEET_RETURN_WINDOW_MAX_US ? window : FLEET_RETURN_WINDOW_MAX_US;
}

void fleet_listen(struct fleet *fleet)
{
	fleet->listening_since = fleet_now(fleet) + 2 * fleet_return_window(fleet);
}

void fleet_free(struct fleet *fleet)
{
	if (fleet == NULL)
		return;
	while (fleet->heaps[DUE_TICK].count > 0) {
		struct uuid id = fleet->heaps[DUE_TICK].items[0]->id;

		fleet_remove(fleet, &id);
	}
	map_free(fleet->computers);
	map_free(fleet->groups);
	free(fleet->inside);
	for (size_t i = 0; i < DUE_KINDS; i++)
		free(fleet->heaps[i].items);
	free(fleet);
}

time_us computer_due(const struct fleet *fleet, const struct computer *computer)
{
	time_us due = liveness_deadline(fleet, computer), commands = open_commands_due(computer);

	if (commands < due)
		due = commands;
	if (configuration_wake_at(fleet, computer) < due)
		due = configuration_wake_at(fleet, computer);
	if (key_wake_at(fleet, computer) < due)
		due = key_wake_at(fleet, computer);
	if (pace_wake_at(computer) < due)
		due = pace_wake_at(computer);
	if (reply_wake_at(computer) < due)
		due = reply_wake_at(computer);
	if (computer->commands_dirty || computer->row_dirty || liveness_untold(computer) || dialling_untold(computer)) {
		time_us soon = fleet_now(fleet) + SECOND_US;

		due = soon < due ? soon : due;
	}
	return due;
}

int fleet_add(struct fleet *fleet, const struct fleet_computer *record, struct err *err)
{
	struct computer *computer;

	if (computer_find(fleet, &record->id) != NULL)
		return err_set(err, ERR_EXISTS, "the computer is known already");
	computer = calloc(1, sizeof(*computer));
	if (computer == NULL || due_reserve(fleet) != 0 ||
	    map_set(fleet->computers, record->id.bytes, UUID_BYTES, computer) != 0) {
		free(computer);
		return err_set(err, ERR_MEMORY, "out of memory");
	}
	computer->id = record->id;
	computer->reply_wanted = FLEET_NEVER;
	computer->taken = computer->stored = record->events_stored;
	computer->interval_us = record->interval_us > 0 ? record->interval_us : FLEET_INTERVAL_DEFAULT_US;
	computer->missed = record->interval_us > 0 ? record->missed : FLEET_MISSED_DEFAULT;
	computer->inactive_error = record->inactive_error;
	clock_restore(fleet, computer, record);
	computer->error_hash = FLEET_ERROR_UNKNOWN; /* what is stored may be an older one */
	memcpy(computer->configuration, record->configuration, SHA256_BYTES);
	memcpy(computer->wanted_configuration, record->wanted_configuration, SHA256_BYTES);
	memcpy(computer->trusted_key, record->trusted_key, SHA256_BYTES);
	computer->configuration_refused = record->configuration_state == FLEET_CONFIGURATION_FAILED;
	computer->tells_refusal = computer->configuration_refused;
	computer->configuration_next = computer->configuration_refused ? fleet_now(fleet) + FLEET_REFUSED_RETRY_US : 0;
	computer->agent_interval_us = record->agent_interval_us;
	if (group_join(fleet, computer, &record->group, err) != 0) {
		map_remove(fleet->computers, record->id.bytes, UUID_BYTES);
		free(computer);
		return ERR_MEMORY;
	}
	placement_restore(fleet, computer, record);
	liveness_restore(fleet, computer, record);
	due_insert(fleet, computer, computer_due(fleet, computer));
	due_dial_insert(fleet, computer);
	dialling_restore(fleet, computer, record);
	return 0;
}

void fleet_remove(struct fleet *fleet, const struct uuid *id)
{
	struct computer *computer = computer_find(fleet, id);

	if (computer == NULL)
		return;
	while (computer->parked != NULL)
		fleet_wake(fleet, computer, NULL);
	while (computer->commands != NULL)
		open_command_remove(computer, computer->commands);
	fleet->with_status[computer->status]--;
	due_remove(fleet, computer);
	due_dial_remove(fleet, computer);
	map_remove(fleet->computers, id->bytes, UUID_BYTES);
	placement_done(fleet, computer);
	group_leave(fleet, computer);
	free(computer->link_error);
	free(computer);
}

int fleet_set_heartbeat(struct fleet *fleet, const struct uuid *id, span_us interval_us, uint32_t missed,
			struct err *err)
{
	struct computer *computer = computer_find(fleet, id);

	if (computer == NULL)
		return err_set(err, ERR_NOT_FOUND, "no such computer");
	if (interval_us < 10 * SECOND_US || interval_us > DAY_US)
		return err_set(err, ERR_RANGE, "a heartbeat interval is 10 s to 24 h");
	if (missed > 100 && missed != FLEET_UNLIMITED)
		return err_set(err, ERR_RANGE, "0 to 100 heartbeats may be missed, or unlimited");
	computer->interval_us = interval_us;
	computer->missed = missed;
	liveness_allowed(fleet, computer);
	due_by(fleet, computer, computer_due(fleet, computer));
	return 0;
}

int fleet_set_clock_limit(struct fleet *fleet, const struct uuid *id, span_us limit_us, struct err *err)
{
	struct computer *computer = computer_find(fleet, id);

	if (computer == NULL)
		return err_set(err, ERR_NOT_FOUND, "no such computer");
	if (limit_us != 0 && (limit_us < SECOND_US || limit_us > DAY_US))
		return err_set(err, ERR_RANGE, "a clock may change by 1 s to 24 h, or without limit");
	computer->clock_limit_us = limit_us;
	return 0;
}

int fleet_set_inactive_error(struct fleet *fleet, const struct uuid *id, bool error, struct err *err)
{
	struct computer *computer = computer_find(fleet, id);

	if (computer == NULL)
		return err_set(err, ERR_NOT_FOUND, "no such computer");
	if (computer->inactive_error == error)
		return 0;
	liveness_inactive_error(computer, error);
	due_by(fleet, computer, computer_due(fleet, computer));
	return 0;
}

int fleet_set_machine(struct fleet *fleet, const struct uuid *id, enum machine_state state, struct err *err)
{
	struct computer *computer = computer_find(fleet, id);

	if (computer == NULL)
		return err_set(err, ERR_NOT_FOUND, "no such computer");
	if (computer->machine == (uint8_t)state)
		return 0;
	liveness_machine(fleet, computer, state);
	due_by(fleet, computer, computer_due(fleet, computer));
	return 0;
}

int fleet_want_configuration(struct fleet *fleet, const struct uuid *id, const uint8_t *fingerprint, span_us delay_us,
			     struct err *err)
{
	struct computer *computer = computer_find(fleet, id);

	if (computer == NULL)
		return err_set(err, ERR_NOT_FOUND, "no such computer");
	if (fingerprint != NULL)
		memcpy(computer->wanted_configuration, fingerprint, SHA256_BYTES);
	else
		memset(computer->wanted_configuration, 0, SHA256_BYTES);
	computer->configuration_next = delay_us > 0 ? fleet_now(fleet) + delay_us : 0;
	computer->configuration_sent_count = 0;
	computer->configuration_refused = false;
	group_count(computer);
	if (delay_us > 0)
		due_by(fleet, computer, configuration_wake_at(fleet, computer));
	else if (configuration_differs(computer) || configuration_refusal_is_over(computer))
		fleet_wake(fleet, computer, &computer->session);
	if (computer->status == FLEET_OFFLINE) /* its agent's own interval counts now */
		liveness_allowed(fleet, computer);
	due_by(fleet, computer, liveness_deadline(fleet, computer));
	dialling_update(fleet, computer);
	return 0;
}

/* --- commands --- */

static struct open_command *open_command_new(const struct fleet *fleet, const struct fleet_command *given)
{
	struct open_command *command = calloc(1, sizeof(*command));
	time_us now = fleet_now(fleet);
	span_us left = given->issued + given->timeout_us - env_wall(fleet->options.env);

	if (command == NULL)
		return NULL;
	command->envelope = malloc(given->envelope_size > 0 ? given->envelope_size : 1);
	if (command->envelope == NULL) {
		free(command);
		return NULL;
	}
	memcpy(command->envelope, given->envelope, given->envelope_size);
	command->envelope_size = given->envelope_size;
	key_of_envelope(command->envelope, command->envelope_size, command->key);
	command->session = given->session;
	command->id = given->id;
	command->target = given->target;
	command->kind = given->kind;
	command->state = command->saved = given->state;
	command->maybe_sent = given->restored || given->state != COMMAND_PENDING;
	command->timeout_us = given->timeout_us;
	/* A wall clock set meanwhile must neither end it at once nor keep it for ever. */
	if (left > given->timeout_us)
		left = given->timeout_us;
	command->deadline = given->timeout_us > 0 ? now + (left > 0 ? left : 0) + FLEET_TIMEOUT_GRACE_US : FLEET_NEVER;
	return command;
}

int fleet_issue(struct fleet *fleet, const struct fleet_command *given, struct err *err)
{
	struct computer *computer = computer_find(fleet, &given->computer);
	struct open_command *command, **at;

	if (computer == NULL)
		return err_set(err, ERR_NOT_FOUND, "no such computer");
	if (open_command_find(computer, &given->id) != NULL)
		return err_set(err, ERR_EXISTS, "the command is known already");
	if (computer->command_count >= FLEET_COMMANDS_MAX)
		return err_set(err, ERR_LIMIT, "%u commands are open for this computer; wait until some have ended",
			       computer->command_count);
	command = open_command_new(fleet, given);
	if (command == NULL)
		return err_set(err, ERR_MEMORY, "out of memory");
	for (at = &computer->commands; *at != NULL; at = &(*at)->next)
		continue; /* in the order of issue */
	*at = command;
	computer->command_count++;
	due_by(fleet, computer, command->deadline);
	if (key_obeys(fleet, computer) && open_command_sendable(command, fleet_now(fleet)))
		fleet_wake(fleet, computer, &computer->session);
	computer->dial_follow = 0;
	dialling_update(fleet, computer);
	return 0;
}

int fleet_cancel(struct fleet *fleet, const struct uuid *id, const struct uuid *command_id,
		 struct fleet_exchange **ret_exchange, struct err *err)
{
	struct computer *computer = computer_find(fleet, id);
	struct open_command *command = computer != NULL ? open_command_find(computer, command_id) : NULL;
	struct fleet_exchange *exchange;

	if (command == NULL || command->ending != COMMAND_PENDING)
		return err_set(err, ERR_NOT_FOUND, "the command has ended");
	*ret_exchange = NULL;
	if (command->maybe_sent)
		return 0;
	exchange = exchange_new(id);
	if (exchange == NULL || open_command_cancel(fleet, exchange, command) != 0) {
		command->ending = COMMAND_PENDING;
		fleet_exchange_free(fleet, exchange);
		return err_set(err, ERR_MEMORY, "out of memory");
	}
	exchange->writing = true;
	*ret_exchange = exchange;
	return 0;
}

const Muster__Wire__Progress *fleet_progress(const struct fleet *fleet, const struct uuid *id,
					     const struct uuid *command_id)
{
	const struct computer *computer = computer_find(fleet, id);
	const struct open_command *command = computer != NULL ? open_command_find(computer, command_id) : NULL;

	return command != NULL ? command->progress : NULL;
}

/* --- time --- */

static void tick_computer(struct fleet *fleet, struct computer *computer, time_us now,
			  void (*store)(void *argument, struct fleet_exchange *exchange), void *argument)
{
	struct fleet_exchange *exchange = exchange_new(&computer->id);
	bool done;

	liveness_tick(fleet, computer, now);
	if (configuration_wake_at(fleet, computer) <= now || pace_wake_at(computer) <= now ||
	    key_wake_at(fleet, computer) <= now || reply_wake_at(computer) <= now)
		fleet_wake(fleet, computer, &computer->session);
	done = exchange != NULL && liveness_tell(fleet, computer, exchange) == 0 &&
	       dialling_tell(fleet, computer, exchange) == 0 && open_commands_tick(fleet, computer, exchange, now) == 0;
	if (exchange != NULL && computer->row_dirty)
		exchange_computer_row(fleet, exchange, computer);
	due_insert(fleet, computer, done ? computer_due(fleet, computer) : now + FLEET_RETRY_US);
	if (exchange == NULL)
		return;
	exchange->writing = true;
	if (fleet_rows_empty(&exchange->rows))
		fleet_exchange_free(fleet, exchange);
	else
		store(argument, exchange);
}

void fleet_tick(struct fleet *fleet, void (*store)(void *argument, struct fleet_exchange *exchange), void *argument)
{
	time_us now = fleet_now(fleet);
	struct computer *computer;

	if (now - fleet->last_tick > FLEET_TICK_LATE_US) {
		fleet->deaf_us = now - fleet->last_tick;
		fleet->deaf_until = now;
		if (now > fleet->listening_since)
			fleet->listening_since = now;
	}
	fleet->last_tick = now;
	while ((computer = due_take(fleet, now)) != NULL)
		tick_computer(fleet, computer, now, store, argument);
}
