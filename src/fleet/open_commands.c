/* Commands that have not ended: sent until the agent reports them, timed out,
 * ended. States come from authenticated reports, moves from the one table.
 *
 * `state` is what is known, `saved` what is stored, `ending` an end that is
 * being stored. Only a stored end takes a command out of the list, and only
 * then is it acknowledged to the agent.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fleet/parts.h"

struct open_command *open_command_find(const struct computer *computer, const struct uuid *id)
{
	struct open_command *command = computer->commands;

	while (command != NULL && !uuid_equal(&command->id, id))
		command = command->next;
	return command;
}

void open_command_remove(struct computer *computer, struct open_command *command)
{
	struct open_command **at = &computer->commands;

	while (*at != command) /* NOLINT(clang-analyzer-core.NullDereference): it is in the list */
		at = &(*at)->next;
	*at = command->next;
	computer->command_count--;
	free(command->progress);
	free(command->envelope);
	free(command);
}

static void move(struct fleet *fleet, struct computer *computer, struct open_command *command, enum command_state state)
{
	computer_trace(fleet, &computer->id, command_kind_name(command->kind), command_state_name(command->state),
		       command_state_name(state));
	command->state = state;
	computer->commands_dirty = true;
}

static void keep_progress(struct open_command *command, const Muster__Wire__Progress *progress)
{
	size_t path_size = progress->path.len;
	Muster__Wire__Progress *copy = malloc(sizeof(*copy) + path_size);

	if (copy == NULL)
		return; /* the older one stays; the next report brings another */
	*copy = *progress;
	copy->path = exchange_bytes(copy + 1, path_size);
	if (path_size > 0)
		memcpy(copy + 1, progress->path.data, path_size);
	free(command->progress);
	command->progress = copy;
}

static int finished_event(struct fleet *fleet, struct fleet_exchange *exchange, const struct open_command *command,
			  enum command_state state, const char *code)
{
	char id[UUID_TEXT_BYTES];
	const struct made_field fields[] = {
		{ "command", id },
		{ "kind", command_kind_name(command->kind) },
		{ "state", command_state_name(state) },
		{ "code", code },
	};

	uuid_format(&command->id, id);
	return exchange_manager_event(fleet, exchange, EVENT_COMMAND_FINISHED, fields, COUNT_OF(fields));
}

/* Begins to store an end. reported: NULL if we decided it. */
static int end_command(struct fleet *fleet, struct computer *computer, struct fleet_exchange *exchange,
		       struct open_command *command, enum command_state state,
		       const Muster__Wire__CommandState *reported)
{
	struct fleet_command_row *row = exchange_command(fleet, exchange, &command->id, state);

	if (row == NULL)
		return ERR_MEMORY;
	row->reported = reported;
	if (reported != NULL) {
		row->code = reported->code;
		row->text = reported->text;
	}
	computer_trace(fleet, &computer->id, command_kind_name(command->kind), command_state_name(command->state),
		       command_state_name(state));
	command->ending = state;
	exchange->must_answer = true;
	return finished_event(fleet, exchange, command, state, row->code);
}

int open_command_cancel(struct fleet *fleet, struct fleet_exchange *exchange, struct open_command *command)
{
	struct fleet_command_row *row = exchange_command(fleet, exchange, &command->id, COMMAND_CANCELLED);

	if (row == NULL)
		return ERR_MEMORY;
	row->code = err_name(ERR_CANCELLED);
	row->text = "cancelled before it was sent";
	command->ending = COMMAND_CANCELLED;
	return finished_event(fleet, exchange, command, COMMAND_CANCELLED, row->code);
}

/* An end of a command that is not open: known already, or timed out here and
 * now the truth arrives. The store decides; then it is acknowledged. */
static int late_end(struct fleet *fleet, struct fleet_exchange *exchange, const struct uuid *id,
		    const Muster__Wire__CommandState *reported)
{
	struct fleet_command_row *row;

	exchange->confirms = true;
	if (!command_ended((enum command_state)reported->state))
		return 0;
	row = exchange_command(fleet, exchange, id, (enum command_state)reported->state);
	if (row == NULL)
		return ERR_MEMORY;
	row->reported = reported;
	row->code = reported->code;
	row->text = reported->text;
	exchange->must_answer = true;
	return 0;
}

static int command_heard(struct fleet *fleet, struct computer *computer, struct fleet_exchange *exchange,
			 const Muster__Wire__CommandState *reported)
{
	struct uuid id = exchange_uuid(&reported->id);
	struct open_command *command = open_command_find(computer, &id);
	enum command_state state = (enum command_state)reported->state;

	if (command == NULL)
		return late_end(fleet, exchange, &id, reported);
	if (command->ending != COMMAND_PENDING)
		return 0; /* being stored; the agent says it again until acknowledged */
	exchange->confirms = true;
	if (reported->progress != NULL)
		keep_progress(command, reported->progress);
	if (!command_may_move(command->state, state) || state < COMMAND_RUNNING)
		return 0;
	if (command_ended(state))
		return end_command(fleet, computer, exchange, command, state, reported);
	move(fleet, computer, command, state);
	return 0;
}

static bool is_reported(const Muster__Wire__Report *report, const struct uuid *id)
{
	for (size_t i = 0; i < report->n_commands; i++) {
		if (memcmp(report->commands[i]->id.data, id->bytes, UUID_BYTES) == 0)
			return true;
	}
	return false;
}

/* A full report names every command the agent knows. One that ran and is not
 * there is lost with the agent's journal: it must not stay "running" for ever. */
static int lost_commands(struct fleet *fleet, struct computer *computer, struct fleet_exchange *exchange)
{
	const Muster__Wire__Report *report = exchange->report;

	for (struct open_command *command = computer->commands; command != NULL; command = command->next) {
		struct fleet_command_row *row;
		int rc;

		if (command->state != COMMAND_RUNNING || command->ending != COMMAND_PENDING ||
		    is_reported(report, &command->id))
			continue;
		rc = end_command(fleet, computer, exchange, command, COMMAND_FAILED, NULL);
		if (rc != 0)
			return rc;
		row = &exchange->commands[exchange->rows.command_count - 1];
		row->code = err_name(ERR_NOT_FOUND);
		row->text = "the agent no longer knows this command; its records were lost";
	}
	return 0;
}

/* States that changed and are not stored yet travel with whatever is stored next. */
static int unsaved_states(struct fleet *fleet, struct computer *computer, struct fleet_exchange *exchange)
{
	if (!computer->commands_dirty)
		return 0;
	for (struct open_command *command = computer->commands; command != NULL; command = command->next) {
		if (command->state == command->saved || command->ending != COMMAND_PENDING)
			continue;
		if (exchange_command(fleet, exchange, &command->id, command->state) == NULL)
			return ERR_MEMORY;
		command->saved = command->state;
	}
	computer->commands_dirty = false;
	return 0;
}

int open_commands_heard(struct fleet *fleet, struct computer *computer, struct fleet_exchange *exchange, bool stale)
{
	const Muster__Wire__Report *report = exchange->report;
	int rc = 0;

	for (size_t i = 0; i < report->n_commands && rc == 0; i++)
		rc = command_heard(fleet, computer, exchange, report->commands[i]);
	if (rc == 0 && report->full && !stale)
		rc = lost_commands(fleet, computer, exchange);
	return rc == 0 ? unsaved_states(fleet, computer, exchange) : rc;
}

static int time_out(struct fleet *fleet, struct computer *computer, struct fleet_exchange *exchange,
		    struct open_command *command)
{
	char id[UUID_TEXT_BYTES], timeout[24];
	const struct made_field fields[] = {
		{ "command", id },
		{ "kind", command_kind_name(command->kind) },
		{ "state", command_state_name(command->state) },
		{ "timeout_s", timeout },
	};
	struct fleet_command_row *row = exchange_command(fleet, exchange, &command->id, COMMAND_TIMED_OUT);

	if (row == NULL)
		return ERR_MEMORY;
	row->code = err_name(ERR_TIMEOUT);
	row->text = command->state == COMMAND_RUNNING ? "the agent did not finish it in time"
						      : "the agent did not take it in time";
	uuid_format(&command->id, id);
	snprintf(timeout, sizeof(timeout), "%lld", (long long)(command->timeout_us / SECOND_US));
	computer_trace(fleet, &computer->id, command_kind_name(command->kind), command_state_name(command->state),
		       command_state_name(COMMAND_TIMED_OUT));
	command->ending = COMMAND_TIMED_OUT;
	return exchange_manager_event(fleet, exchange, EVENT_COMMAND_TIMED_OUT, fields, COUNT_OF(fields));
}

int open_commands_tick(struct fleet *fleet, struct computer *computer, struct fleet_exchange *exchange, time_us now)
{
	int rc = 0;

	for (struct open_command *command = computer->commands; command != NULL && rc == 0; command = command->next) {
		if (now >= command->deadline && command->ending == COMMAND_PENDING)
			rc = time_out(fleet, computer, exchange, command);
	}
	return rc == 0 ? unsaved_states(fleet, computer, exchange) : rc;
}

static void command_stored(struct fleet *fleet, struct computer *computer, struct open_command *command,
			   enum command_state state, int rc)
{
	if (rc == 0 && command_ended(state)) {
		open_command_remove(computer, command);
		return;
	}
	if (rc == 0)
		return;
	if (command_ended(state)) {
		command->ending = COMMAND_PENDING;
		if (state == COMMAND_TIMED_OUT)
			command->deadline = fleet_now(fleet) + FLEET_RETRY_US;
	} else {
		command->saved = COMMAND_PENDING;
		computer->commands_dirty = true;
	}
}

void open_commands_stored(struct fleet *fleet, struct computer *computer, struct fleet_exchange *exchange, int rc)
{
	for (size_t i = 0; i < exchange->rows.command_count; i++) {
		const struct fleet_command_row *row = &exchange->rows.commands[i];
		struct open_command *command = open_command_find(computer, &row->id);

		if (command != NULL)
			command_stored(fleet, computer, command, row->state, rc);
		if (rc == 0 && command_ended(row->state) && exchange->command_acks != NULL && row->reported != NULL)
			exchange->command_acks[exchange->command_ack_count++] = row->id;
	}
}

time_us open_commands_due(const struct computer *computer)
{
	time_us due = FLEET_NEVER;

	for (const struct open_command *command = computer->commands; command != NULL; command = command->next) {
		if (command->ending == COMMAND_PENDING && command->deadline < due)
			due = command->deadline;
	}
	return due;
}

bool open_command_unconfirmed(const struct open_command *command)
{
	return command->ending == COMMAND_PENDING && command->state < COMMAND_RUNNING;
}

bool open_command_sendable(const struct open_command *command, time_us now)
{
	return open_command_unconfirmed(command) && command->next_send <= now;
}

bool open_commands_waiting(const struct computer *computer, time_us now, time_us *ret_next)
{
	*ret_next = FLEET_NEVER;
	for (const struct open_command *command = computer->commands; command != NULL; command = command->next) {
		if (open_command_sendable(command, now))
			return true;
		if (command->ending == COMMAND_PENDING && command->state < COMMAND_RUNNING &&
		    command->next_send < *ret_next)
			*ret_next = command->next_send;
	}
	return false;
}

void open_command_sent(struct fleet *fleet, struct computer *computer, struct open_command *command, time_us now)
{
	span_us wait = FLEET_RESEND_MIN_US << (command->sent_count < 6 ? command->sent_count : 6);

	command->sent_count++;
	command->maybe_sent = true;
	command->next_send = now + (wait < FLEET_RESEND_MAX_US ? wait : FLEET_RESEND_MAX_US);
	if (command->state == COMMAND_PENDING) {
		move(fleet, computer, command, COMMAND_SENT);
		due_by(fleet, computer, now + SECOND_US);
	}
}
