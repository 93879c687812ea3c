/* Commands issued. Arguments come from people; paths may hold any bytes but NUL. */
#include "manager/front/command_issue.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "fleet/event_types.h"
#include "manager/front/command_parts.h"
#include "manager/front/records_json.h"
#include "manager/front/ticking.h"
#include "manager/queries.h"
#include "trust/token.h"
#include "wire/limits.h"

#define CONTROL_TIMEOUT_US HOUR_US

static const struct command_row kinds[] = {
	{ FRONT_COMMAND_SCAN, COMMAND_SCAN, TARGET_NONE, 0 },
	{ FRONT_COMMAND_PAUSE, COMMAND_PAUSE, TARGET_SCAN, CONTROL_TIMEOUT_US },
	{ FRONT_COMMAND_RESUME, COMMAND_RESUME, TARGET_SCAN, CONTROL_TIMEOUT_US },
	{ FRONT_COMMAND_CANCEL, COMMAND_CANCEL, TARGET_COMMAND, CONTROL_TIMEOUT_US },
	{ FRONT_COMMAND_HEARTBEAT, COMMAND_HEARTBEAT, TARGET_NONE, CONTROL_TIMEOUT_US },
	{ FRONT_COMMAND_RESTORE, COMMAND_RESTORE, TARGET_ITEM, 0 },
	{ FRONT_COMMAND_DELETE, COMMAND_DELETE_ITEM, TARGET_ITEM, 0 },
	{ FRONT_COMMAND_MOVE, COMMAND_MOVE, TARGET_NONE, CONTROL_TIMEOUT_US },
};

const struct command_row *command_row_find(enum front_command_kind kind)
{
	for (size_t i = 0; i < COUNT_OF(kinds); i++) {
		if (kinds[i].kind == kind)
			return &kinds[i];
	}
	return NULL;
}

const char *front_command_kind_name(enum front_command_kind kind)
{
	const struct command_row *row = command_row_find(kind);

	return row != NULL ? command_kind_name((unsigned)row->wire) : NULL;
}

int front_command_kind_parse(const char *name, enum front_command_kind *ret_kind)
{
	unsigned wire = command_kind_parse(name);

	for (size_t i = 0; i < COUNT_OF(kinds); i++) {
		if (wire != 0 && (unsigned)kinds[i].wire == wire) {
			*ret_kind = kinds[i].kind;
			return 0;
		}
	}
	return ERR_UNKNOWN;
}

/* --- checks --- */

static int check_paths(const char *what, const struct bytes *paths, size_t count, struct err *err)
{
	if (count > WIRE_SCAN_PATHS_MAX)
		return err_set(err, ERR_RANGE, "%zu %s: at most %d", count, what, WIRE_SCAN_PATHS_MAX);
	for (size_t i = 0; i < count; i++) {
		if (paths[i].size == 0 || paths[i].data[0] != '/' || memchr(paths[i].data, 0, paths[i].size) != NULL)
			return err_set(err, ERR_RANGE, "%s: each must be an absolute path", what);
		if (paths[i].size > WIRE_PATH_MAX_BYTES)
			return err_set(err, ERR_RANGE, "%s: a path of %zu bytes, at most %d", what, paths[i].size,
				       WIRE_PATH_MAX_BYTES);
	}
	return 0;
}

static int check_move(const struct front_command *asked, struct err *err)
{
	struct err cause = { 0 };

	if (asked->manager == NULL || strncmp(asked->manager, "https://", 8) != 0 ||
	    strlen(asked->manager) > WIRE_LABEL_MAX_BYTES)
		return err_set(err, ERR_RANGE, "manager: https://HOST:PORT of the other manager is expected");
	if (asked->token != NULL && token_check(asked->token, TOKEN_ENROLMENT, &cause) != 0)
		return err_set(err, ERR_RANGE,
			       "token: %.100s; an enrolment token of the other manager is expected, or none where its "
			       "setting enrolment.without_token lets the computer in",
			       cause.text);
	return 0;
}

int issue_check(const struct issue *issue, struct err *err)
{
	const struct front_command *asked = issue->asked;
	int rc;

	if (issue->row == NULL)
		return err_set(err, ERR_UNKNOWN, "no such kind of command");
	if (asked->timeout < 0 || asked->timeout > 90 * DAY_US)
		return err_set(err, ERR_RANGE, "timeout: at most 90 days");
	if (issue->row->target != TARGET_NONE && uuid_is_zero(&asked->target))
		return err_set(err, ERR_RANGE, "%s needs a target", front_command_kind_name(asked->kind));
	rc = asked->kind == FRONT_COMMAND_MOVE ? check_move(asked, err) : 0;
	if (rc != 0)
		return rc;
	rc = check_paths("paths", asked->paths, asked->path_count, err);
	return rc == 0 ? check_paths("exclude", asked->exclude, asked->exclude_count, err) : rc;
}

/* --- a request that is made again --- */

/* The same for the same request and computer; zero for what has a target. */
static struct uuid id_once(const struct front_once *once, const struct uuid *computer)
{
	uint8_t about[sizeof(once->seed) + UUID_BYTES], hash[SHA256_BYTES] = { 0 };

	memcpy(about, once->seed, sizeof(once->seed));
	memcpy(about + sizeof(once->seed), computer->bytes, UUID_BYTES);
	EVP_Digest(about, sizeof(about), hash, NULL, EVP_sha256(), NULL);
	return uuid_make(once->when, hash);
}

struct uuid issue_new_id(const struct issue *issue)
{
	static const struct uuid none;

	if (issue->actor->once == NULL)
		return env_uuid(issue->front->env);
	return id_once(issue->actor->once, issue->row->target == TARGET_NONE ? &issue->order.computer : &none);
}

struct uuid issue_order_id(const struct issue *issue)
{
	static const struct uuid none;

	return issue->actor->once != NULL ? id_once(issue->actor->once, &none) : env_uuid(issue->front->env);
}

int issue_read_before(struct store_session *session, void *argument, struct err *err)
{
	struct issue *issue = argument;
	struct cursor *cursor;

	if (issue->actor->once == NULL || !issue->actor->once->again)
		return 0;
	cursor = cursor_open(session, &QUERY_COMMAND_BY_ID);
	cursor_bind_uuid(cursor, "id", &issue->order.id);
	issue->done_before = cursor_next(cursor);
	return cursor_end(cursor, err);
}

/* --- the target, and the computer it belongs to --- */

/* Cancelling ended the target at once, and the manager before it could say so. */
static bool cancelled_before(const struct issue *issue, const char *state)
{
	return issue->row->kind == FRONT_COMMAND_CANCEL && issue->actor->once != NULL && issue->actor->once->again &&
	       strcmp(state, "cancelled") == 0;
}

static int read_target_command(struct issue *issue, struct store_session *session, struct err *err)
{
	struct cursor *cursor = cursor_open(session, &QUERY_COMMAND_BY_ID);
	int rc = 0, end;

	cursor_bind_uuid(cursor, "id", &issue->asked->target);
	if (!cursor_next(cursor)) {
		rc = ERR_NOT_FOUND;
	} else {
		cursor_uuid(cursor, "computer", &issue->order.computer);
		if (cancelled_before(issue, cursor_text(cursor, "state")))
			issue->done_before = true;
		else if (issue->row->target == TARGET_SCAN && strcmp(cursor_text(cursor, "kind"), "scan") != 0)
			rc = err_set(err, ERR_WRONG_STATE, "only a scan can be paused and resumed");
		else if (strcmp(cursor_text(cursor, "state"), "pending") != 0 &&
			 strcmp(cursor_text(cursor, "state"), "sent") != 0 &&
			 strcmp(cursor_text(cursor, "state"), "running") != 0)
			rc = err_set(err, ERR_WRONG_STATE, "the command has ended: %s", cursor_text(cursor, "state"));
	}
	end = cursor_end(cursor, NULL);
	if (rc == ERR_NOT_FOUND && end == 0)
		return err_set(err, rc, "there is no such command");
	return rc != 0 ? rc : end != 0 ? err_set(err, end, "the command could not be read") : 0;
}

static int read_target_item(struct issue *issue, struct store_session *session, struct err *err)
{
	struct cursor *cursor = cursor_open(session, &QUERY_QUARANTINE_BY_ID);
	int rc = ERR_NOT_FOUND, end;

	cursor_bind_uuid(cursor, "id", &issue->asked->target);
	if (cursor_next(cursor)) {
		const char *state = cursor_text(cursor, "state");

		rc = 0;
		cursor_uuid(cursor, "computer", &issue->order.computer);
		/* Deleting again is harmless; a file that was restored may have been changed or removed since. */
		if (issue->asked->kind == FRONT_COMMAND_RESTORE && strcmp(state, "held") != 0)
			rc = err_set(err, ERR_WRONG_STATE, "this item is not in quarantine any more: it was %s before",
				     state);
	}
	end = cursor_end(cursor, NULL);
	if (rc == ERR_NOT_FOUND && end == 0)
		return err_set(err, rc, "there is no such item in quarantine");
	return rc != 0 ? rc : end != 0 ? err_set(err, end, "the item could not be read") : 0;
}

static int read_target(struct store_session *session, void *argument, struct err *err)
{
	struct issue *issue = argument;

	if (issue->row->target == TARGET_ITEM)
		return read_target_item(issue, session, err);
	if (issue->row->target != TARGET_NONE)
		return read_target_command(issue, session, err);
	return 0;
}

/* --- what is written --- */

static int note_issued(const struct issue *issue, struct store_session *session, const char *action,
		       const struct uuid *command, struct err *err)
{
	char id[UUID_TEXT_BYTES];
	const struct front_field fields[] = {
		{ "command", id },
		{ "kind", command_kind_name((unsigned)issue->order.kind) },
		{ "user", issue->actor->name },
	};
	int rc;

	uuid_format(command, id);
	rc = front_event(issue->front, session, EVENT_COMMAND_ISSUED, &issue->order.computer, fields, COUNT_OF(fields),
			 err);
	return rc == 0 ? front_audit(issue->front, session, issue->actor, action, id, issue->arguments, "done", err)
		       : rc;
}

/* Serials in the database never fall behind those that are in force. */
int issue_note_serial(uint64_t serial, struct store_session *session, struct err *err)
{
	struct cursor *cursor = cursor_open(session, &QUERY_COMMAND_SERIAL_TAKEN);

	cursor_bind_number(cursor, "serial", (int64_t)serial);
	return cursor_run(cursor, err);
}

/* Why a computer can be given no commands. */
static int refuse_computer(const struct issue *issue, struct store_session *session, struct err *err)
{
	struct cursor *cursor = cursor_open(session, &QUERY_COMMAND_COMPUTER_ENDED);
	char cause[300] = "";
	bool found;
	int rc;

	cursor_bind_uuid(cursor, "computer", &issue->order.computer);
	found = cursor_next(cursor);
	if (found)
		snprintf(cause, sizeof(cause), "%s", cursor_text(cursor, "status_cause"));
	rc = cursor_end(cursor, err);
	if (rc != 0)
		return rc;
	return found ? err_set(err, ERR_WRONG_STATE, "the computer is not activated: %s", cause)
		     : err_set(err, ERR_NOT_FOUND, "there is no such computer");
}

/* Not in one statement with the insert: that would make SQLite keep a journal for each row, to undo it alone. */
static int check_computer(const struct issue *issue, struct store_session *session, struct err *err)
{
	struct cursor *cursor = cursor_open(session, &QUERY_COMMAND_COMPUTER);
	bool found;
	int rc;

	cursor_bind_uuid(cursor, "computer", &issue->order.computer);
	found = cursor_next(cursor);
	rc = cursor_end(cursor, err);
	return rc == 0 && !found ? refuse_computer(issue, session, err) : rc;
}

int issue_write_row(const struct issue *issue, struct store_session *session, struct err *err)
{
	const struct order *order = &issue->order;
	struct cursor *cursor;
	int rc = check_computer(issue, session, err);

	if (rc != 0)
		return rc;
	cursor = cursor_open(session, &QUERY_COMMAND_INSERT);
	cursor_bind_uuid(cursor, "id", &order->id);
	cursor_bind_uuid(cursor, "computer", &order->computer);
	cursor_bind_text(cursor, "kind", command_kind_name((unsigned)order->kind));
	cursor_bind_text(cursor, "arguments", issue->arguments);
	cursor_bind_text(cursor, "issued_by", issue->actor->name);
	cursor_bind_number(cursor, "issued", order->issued);
	cursor_bind_number(cursor, "timeout_us", order->timeout);
	cursor_bind_number(cursor, "serial", (int64_t)order->serial);
	cursor_bind_bytes(cursor, "envelope", issue->envelope.data, issue->envelope.size);
	return cursor_run(cursor, err);
}

static int write_command(struct store_session *session, void *argument, struct err *err)
{
	const struct issue *issue = argument;
	int rc = issue_write_row(issue, session, err);

	if (rc == 0)
		rc = issue_note_serial(issue->order.serial, session, err);
	return rc == 0 ? note_issued(issue, session, "command.issue", &issue->order.id, err) : rc;
}

struct finish {
	const struct issue *issue;
	const struct uuid *command;
	enum command_state state;
	const char *code, *text;
};

static int write_finish(struct store_session *session, void *argument, struct err *err)
{
	const struct finish *finish = argument;
	char *result = json_of_result(NULL, finish->code, finish->text);
	struct cursor *cursor;
	int rc;

	if (result == NULL)
		return err_set(err, ERR_MEMORY, "no memory for the command's result");
	cursor = cursor_open(session, &QUERY_EXCHANGE_COMMAND_FINISH);
	cursor_bind_uuid(cursor, "id", finish->command);
	cursor_bind_text(cursor, "state", command_state_name((unsigned)finish->state));
	cursor_bind_number(cursor, "changed", env_wall(finish->issue->front->env));
	cursor_bind_text(cursor, "result", result);
	rc = cursor_run(cursor, err);
	free(result);
	return rc;
}

static int write_cancelled(struct store_session *session, void *argument, struct err *err)
{
	const struct issue *issue = argument;

	return note_issued(issue, session, "command.cancel", &issue->asked->target, err);
}

static void publish(const struct issue *issue, const struct uuid *command)
{
	const struct front_news news = { .topic = FRONT_TOPIC_COMMAND,
					 .id = *command,
					 .computer = issue->order.computer };

	feed_publish(issue->front->feed, &news, 1);
}

/* --- issuing --- */

/* A command that was never sent ends here and now. */
static int cancel_unsent(struct issue *issue, bool *ret_ended, struct err *err)
{
	struct fleet_exchange *ended = NULL;
	int rc;

	pthread_mutex_lock(&issue->shard->lock);
	rc = fleet_cancel(issue->shard->fleet, &issue->order.computer, &issue->asked->target, &ended, err);
	pthread_mutex_unlock(&issue->shard->lock);
	*ret_ended = ended != NULL;
	if (rc == 0 && ended != NULL)
		rc = ticking_store_now(issue->front, issue->shard, ended, write_cancelled, issue, err);
	return rc;
}

static int sign_stamped(struct issue *issue, struct err *err)
{
	struct buf payload;
	int rc;

	buf_init(&payload, WIRE_SIGNED_MAX_BYTES);
	rc = order_pack(&issue->order, &payload, err);
	if (rc == 0)
		rc = signer_envelope(issue->front->signer, payload.data, payload.size, &issue->envelope, err);
	buf_done(&payload);
	return rc;
}

static int sign(struct issue *issue, struct err *err)
{
	int rc = sign_stamped(issue, err);

	for (int stamps = 1; rc == ERR_CLOCK && stamps < ORDER_STAMPS_MAX; stamps++) {
		issue->order.issued = env_wall(issue->front->env);
		buf_reset(&issue->envelope);
		rc = sign_stamped(issue, err);
	}
	return rc;
}

int issue_hand_over(struct issue *issue, struct err *err)
{
	const struct order *order = &issue->order;
	const struct fleet_command command = {
		.id = order->id,
		.computer = order->computer,
		.kind = order->kind,
		.state = COMMAND_PENDING,
		.target = order->target,
		.issued = order->issued,
		.timeout_us = order->timeout,
		.expires = order_expires(order->issued, order->timeout),
		.session = order->session,
		.envelope = issue->envelope.data,
		.envelope_size = issue->envelope.size,
	};
	int rc;

	pthread_mutex_lock(&issue->shard->lock);
	rc = fleet_issue(issue->shard->fleet, &command, err);
	pthread_mutex_unlock(&issue->shard->lock);
	if (rc != 0) {
		const struct finish finish = { issue, &order->id, COMMAND_FAILED, err_name(rc), err->text };

		store_write_wait(issue->front->store, write_finish, (void *)(uintptr_t)&finish, NULL);
	}
	return rc;
}

uint64_t issue_take_serial(struct front *front)
{
	return ++front->command_serial;
}

void issue_take_session(struct issue *issue)
{
	pthread_mutex_lock(&issue->shard->lock);
	issue->order.session = fleet_session(issue->shard->fleet, &issue->order.computer);
	pthread_mutex_unlock(&issue->shard->lock);
}

/* With `issuing` held: serial numbers reach the shard in order. */
static int issue_in_turn(struct issue *issue, struct err *err)
{
	int rc;

	issue->order.serial = issue_take_serial(issue->front);
	issue_take_session(issue);
	rc = sign(issue, err);
	if (rc == 0)
		rc = store_write_wait(issue->front->store, write_command, issue, err);
	if (rc == 0)
		rc = issue_hand_over(issue, err);
	return rc;
}

int issue_fill(struct issue *issue, struct err *err)
{
	struct order *order = &issue->order;
	span_us timeout = issue->asked->timeout;

	if (timeout == 0)
		timeout = issue->row->timeout;
	if (timeout == 0)
		timeout = stored_setting_number(issue->front->stored, STORED_COMMAND_TIMEOUT);
	order->id = issue_new_id(issue);
	order->kind = issue->row->wire;
	if (issue->row->target != TARGET_NONE)
		order->target = issue->asked->target;
	order->issued = env_wall(issue->front->env);
	order->timeout = timeout;
	order->arguments = issue->asked;
	issue->arguments = order_arguments_json(order);
	return issue->arguments != NULL ? 0 : err_set(err, ERR_MEMORY, "no memory for the command");
}

/* The order with its id, unless the same request has made it before: then *ret_id is what it made. */
static int begin(struct issue *issue, struct uuid *ret_id, struct err *err)
{
	int rc;

	issue->order.computer = issue->asked->computer;
	rc = issue_fill(issue, err);
	if (rc == 0)
		rc = store_read(issue->front->store, issue_read_before, issue, err);
	*ret_id = issue->order.id;
	if (rc != 0 || issue->done_before)
		return rc;
	*ret_id = issue->asked->target;
	return store_read(issue->front->store, read_target, issue, err);
}

static int issue_command(struct issue *issue, struct uuid *ret_id, struct err *err)
{
	bool ended = false;
	int rc = begin(issue, ret_id, err);

	if (rc != 0 || issue->done_before)
		return rc;
	issue->shard = shards_of(issue->front->shards, &issue->order.computer);
	if (issue->row->kind == FRONT_COMMAND_CANCEL)
		rc = cancel_unsent(issue, &ended, err);
	if (rc != 0 || ended) {
		*ret_id = issue->asked->target;
		return rc;
	}
	pthread_mutex_lock(&issue->shard->issuing);
	rc = issue_in_turn(issue, err);
	pthread_mutex_unlock(&issue->shard->issuing);
	if (rc == 0)
		*ret_id = issue->order.id;
	publish(issue, &issue->order.id);
	return rc;
}

int front_command_issue(struct front *front, const struct front_command *command, const struct front_actor *actor,
			struct uuid *ret_id, struct err *err)
{
	struct issue issue = {
		.front = front, .asked = command, .actor = actor, .row = command_row_find(command->kind)
	};
	int rc = issue_check(&issue, err);

	if (rc != 0)
		return rc;
	buf_init(&issue.envelope, WIRE_ENVELOPE_MAX_BYTES);
	rc = issue_command(&issue, ret_id, err);
	buf_done(&issue.envelope);
	free(issue.arguments);
	return rc;
}

/* --- at start --- */

static enum command_state state_parse(const char *name)
{
	for (unsigned state = 0; state < COMMAND_STATES; state++) {
		if (strcmp(command_state_name(state), name) == 0)
			return (enum command_state)state;
	}
	return COMMAND_PENDING;
}

static void restore_one(struct front *front, struct cursor *cursor)
{
	struct bytes envelope = cursor_bytes(cursor, "envelope");
	struct fleet_command command = {
		.kind = (enum command_kind)command_kind_parse(cursor_text(cursor, "kind")),
		.state = state_parse(cursor_text(cursor, "state")),
		.target = order_stored_target(cursor_text(cursor, "arguments")),
		.issued = cursor_number(cursor, "issued"),
		.timeout_us = cursor_number(cursor, "timeout_us"),
		.envelope = envelope.data,
		.envelope_size = envelope.size,
		.restored = true,
	};
	struct err err = { 0 };

	cursor_uuid(cursor, "id", &command.id);
	cursor_uuid(cursor, "computer", &command.computer);
	command.expires = order_expires(command.issued, command.timeout_us);
	if (fleet_issue(shards_of(front->shards, &command.computer)->fleet, &command, &err) != 0)
		LOG(LOG_WARNING, "command.not_restored", log_uuid("command", &command.id), log_err(&err));
}

static int restore_all(struct store_session *session, void *argument, struct err *err)
{
	struct cursor *cursor = cursor_open(session, &QUERY_COMMAND_OPEN);

	while (cursor_next(cursor))
		restore_one(argument, cursor);
	return cursor_end(cursor, err);
}

static int read_serial(struct store_session *session, void *argument, struct err *err)
{
	struct front *front = argument;
	struct cursor *cursor = cursor_open(session, &QUERY_COMMAND_SERIAL);

	if (cursor_next(cursor))
		front->command_serial = (uint64_t)cursor_number(cursor, "value");
	return cursor_end(cursor, err);
}

int commands_restore(struct front *front, struct err *err)
{
	int rc = store_read(front->store, read_serial, front, err);

	return rc == 0 ? store_read(front->store, restore_all, front, err) : rc;
}
