/* The life of commands on the agent: taken, begun, ended, each on disk first.
 *
 * What arrives here was signed for this computer (wire/envelope.h); it may
 * still be old, repeated, or about something that is gone. The kinds are rows
 * of a table; the moves are those of fleet/commands.h.
 */
#include <stdlib.h>
#include <string.h>

#include "endpoint/parts.h"

static void traced(struct endpoint *endpoint, const struct uuid *id, enum command_state from, enum command_state to)
{
	if (endpoint->options.actor.trace != NULL)
		endpoint->options.actor.trace(endpoint->options.actor.context, id, command_state_name(from),
					      command_state_name(to));
}

/* The one place where a command's state changes. */
static int move(struct endpoint *endpoint, struct journal_entry *entry, enum command_state state, const char *code,
		const char *text, const struct event_field *result, size_t count, struct err *err)
{
	enum command_state from = entry->state;
	int rc;

	if (command_ended(from) || !command_may_move(from, state))
		return err_set(err, ERR_WRONG_STATE, "the command is %s, it cannot become %s", command_state_name(from),
			       command_state_name(state));
	if (state == COMMAND_RUNNING)
		rc = journal_begin(&endpoint->journal, entry, err);
	else
		rc = journal_end(&endpoint->journal, entry, state, code, text, result, count, err);
	if (rc == 0)
		traced(endpoint, &entry->id, from, state);
	return rc;
}

#define WRITE_RETRY_US (10 * SECOND_US)

/* An end that cannot be written now is written by a later tick. */
static int end_surely(struct endpoint *endpoint, struct journal_entry *entry, enum command_state state,
		      const char *code, const char *text, const struct event_field *result, size_t count,
		      struct err *err)
{
	int rc = move(endpoint, entry, state, code, text, result, count, err);

	if (rc != 0 && entry->wanted_end != COMMAND_PENDING)
		entry->deadline = endpoint_now(endpoint) + WRITE_RETRY_US;
	return rc;
}

/* An end of our own making. */
static void end_with(struct endpoint *endpoint, struct journal_entry *entry, enum command_state state,
		     const struct err *why)
{
	end_surely(endpoint, entry, state, why->code != 0 ? err_name(why->code) : "", why->text, NULL, 0, NULL);
}

static void end_wanted(struct endpoint *endpoint, struct journal_entry *entry)
{
	enum command_state from = entry->state;

	if (journal_end_wanted(&endpoint->journal, entry, NULL) == 0)
		traced(endpoint, &entry->id, from, entry->state);
	else
		entry->deadline = endpoint_now(endpoint) + WRITE_RETRY_US;
}

/* --- kinds: work that the actor does --- */

static void call_start(struct endpoint *endpoint, struct journal_entry *entry, const Muster__Wire__Command *content,
		       bool again)
{
	const struct endpoint_actor *actor = &endpoint->options.actor;
	const struct endpoint_command command = { entry->id, (enum command_kind)entry->kind, content, again };
	struct err why = { 0 };
	int rc = actor->start(actor->context, &command, &why);

	if (rc == 0)
		return;
	if (again && rc == ERR_NOT_FOUND)
		err_set(&why, ERR_CLOSED, "the agent stopped while it ran, and nothing of it was left to go on with");
	else if (why.code == 0)
		err_set(&why, rc, "it could not be started");
	end_with(endpoint, entry, COMMAND_FAILED, &why);
}

/* One whose beginning cannot be written now is begun by a later tick: the manager knows that we have
 * it, and sends it no more. */
static void work(struct endpoint *endpoint, struct journal_entry *entry, const Muster__Wire__Command *content)
{
	if (move(endpoint, entry, COMMAND_RUNNING, "", "", NULL, 0, NULL) == 0)
		call_start(endpoint, entry, content, false);
	else
		entry->begin_again = endpoint_now(endpoint) + WRITE_RETRY_US;
}

/* --- kinds: about another command --- */

static void target_of(const Muster__Wire__Command *content, struct uuid *id)
{
	const Muster__Wire__Target *target = content->pause; /* one of the same type in the oneof */

	memcpy(id->bytes, target->id.data, UUID_BYTES);
}

/* What is under way stays pending in the journal: after a restart the actor is asked once more. */
static void ask_actor(struct endpoint *endpoint, struct journal_entry *entry, const struct uuid *target,
		      int (*ask)(void *context, const struct uuid *command, const struct uuid *by, struct err *err))
{
	struct err why = { 0 };
	int rc = ask(endpoint->options.actor.context, target, &entry->id, &why);

	entry->asked = rc == ENDPOINT_UNDER_WAY;
	if (entry->asked)
		return;
	if (rc != 0 && why.code == 0)
		err_set(&why, rc, "it could not be done");
	end_with(endpoint, entry, rc == 0 ? COMMAND_SUCCEEDED : COMMAND_FAILED, &why);
}

static void pause_or_resume(struct endpoint *endpoint, struct journal_entry *entry,
			    const Muster__Wire__Command *content)
{
	const struct endpoint_actor *actor = &endpoint->options.actor;
	const struct journal_entry *target;
	struct err why = { 0 };
	struct uuid id;

	target_of(content, &id);
	target = journal_find(&endpoint->journal, &id);
	if (target != NULL && target->state == COMMAND_RUNNING) {
		ask_actor(endpoint, entry, &id, entry->kind == COMMAND_PAUSE ? actor->pause : actor->resume);
		return;
	}
	if (target == NULL)
		err_set(&why, ERR_NOT_FOUND, "the command is not known here");
	else
		err_set(&why, ERR_WRONG_STATE, "the command is %s", command_state_name(target->state));
	end_with(endpoint, entry, COMMAND_FAILED, &why);
}

/* One that may still arrive is remembered as cancelled, and never begun. */
static int cancel_unknown(struct endpoint *endpoint, const struct uuid *id, const struct journal_entry *cancel,
			  struct err *err)
{
	struct journal_entry given = { .id = *id, .issued = cancel->issued, .expires = cancel->expires + 7 * DAY_US };
	struct journal_entry *entry;
	int rc = journal_receive(&endpoint->journal, &given, &entry, err);

	if (rc != 0)
		return rc;
	return move(endpoint, entry, COMMAND_CANCELLED, err_name(ERR_CANCELLED), "cancelled before it arrived", NULL, 0,
		    err);
}

static void cancel(struct endpoint *endpoint, struct journal_entry *entry, const Muster__Wire__Command *content)
{
	struct journal_entry *target;
	struct err why = { 0 };
	struct uuid id;
	int rc = 0;

	target_of(content, &id);
	target = journal_find(&endpoint->journal, &id);
	if (target != NULL && target->state == COMMAND_RUNNING) {
		ask_actor(endpoint, entry, &id, endpoint->options.actor.cancel);
		return;
	}
	if (target == NULL)
		rc = cancel_unknown(endpoint, &id, entry, &why);
	else if (target->asked)
		rc = err_set(&why, ERR_WRONG_STATE, "the command is being done");
	else if (target->state == COMMAND_PENDING)
		rc = move(endpoint, target, COMMAND_CANCELLED, err_name(ERR_CANCELLED), "cancelled before it began",
			  NULL, 0, &why);
	else
		rc = err_set(&why, ERR_WRONG_STATE, "the command has ended already: %s",
			     command_state_name(target->state));
	end_with(endpoint, entry, rc == 0 ? COMMAND_SUCCEEDED : COMMAND_FAILED, &why);
}

static void heartbeat(struct endpoint *endpoint, struct journal_entry *entry, const Muster__Wire__Command *content)
{
	const struct err none = { 0 };

	(void)content;
	end_with(endpoint, entry, COMMAND_SUCCEEDED, &none); /* telling so is the heartbeat */
}

static const struct kind {
	Muster__Wire__Command__KindCase kind;
	void (*begin)(struct endpoint *endpoint, struct journal_entry *entry, const Muster__Wire__Command *content);
} kinds[] = {
	{ MUSTER__WIRE__COMMAND__KIND_SCAN, work },
	{ MUSTER__WIRE__COMMAND__KIND_PAUSE, pause_or_resume },
	{ MUSTER__WIRE__COMMAND__KIND_RESUME, pause_or_resume },
	{ MUSTER__WIRE__COMMAND__KIND_CANCEL, cancel },
	{ MUSTER__WIRE__COMMAND__KIND_HEARTBEAT, heartbeat },
	{ MUSTER__WIRE__COMMAND__KIND_RESTORE, work },
	{ MUSTER__WIRE__COMMAND__KIND_DELETE_ITEM, work },
	{ MUSTER__WIRE__COMMAND__KIND_MOVE, work },
};

static const struct kind *find_kind(unsigned kind)
{
	for (size_t i = 0; i < COUNT_OF(kinds); i++) {
		if ((unsigned)kinds[i].kind == kind)
			return &kinds[i];
	}
	return NULL;
}

/* --- taking one --- */

/* Our wall clock when its time began: its issue, unless one of the clocks is plainly wrong. */
static time_us counts_from(const struct endpoint *endpoint, const Muster__Wire__Signed *content)
{
	time_us now = env_wall(endpoint->options.env);
	span_us age = now - content->issued_us;

	return age < 0 || age > content->command->timeout_us ? now : content->issued_us;
}

static void set_deadline(struct endpoint *endpoint, struct journal_entry *entry)
{
	span_us left;

	if (entry->timeout_us <= 0)
		return;
	left = entry->issued + entry->timeout_us - env_wall(endpoint->options.env);
	if (left > entry->timeout_us)
		left = entry->timeout_us;
	entry->deadline = endpoint_now(endpoint) + (left > 0 ? left : 0);
}

static void begin(struct endpoint *endpoint, struct journal_entry *entry, const Muster__Wire__Command *content)
{
	const struct kind *kind = find_kind(entry->kind);
	struct err why = { 0 };

	if (entry->serial <= endpoint->journal.floor)
		err_set(&why, ERR_REPLAYED, "its serial %llu is older than what this agent remembers",
			(unsigned long long)entry->serial);
	else if (kind == NULL)
		err_set(&why, ERR_VERSION, "this agent does not know this kind of command");
	if (kind == NULL || why.code != 0) {
		end_with(endpoint, entry, COMMAND_FAILED, &why);
		return;
	}
	set_deadline(endpoint, entry);
	kind->begin(endpoint, entry, content);
}

static void note_received(struct endpoint *endpoint, const struct journal_entry *entry)
{
	const char *name = command_kind_name(entry->kind);
	char id[UUID_TEXT_BYTES];
	const struct text_field fields[] = { { "command", id }, { "kind", name != NULL ? name : "unknown" } };

	uuid_format(&entry->id, id);
	endpoint_note(endpoint, EVENT_COMMAND_RECEIVED, fields, COUNT_OF(fields));
}

bool command_accept(struct endpoint *endpoint, const Muster__Wire__Signed *content)
{
	const Muster__Wire__Command *command = content->command;
	struct journal_entry given = {
		.id = exchange_uuid(&command->id),
		.serial = content->serial,
		.kind = (uint8_t)command->kind_case,
		.issued = counts_from(endpoint, content),
		.expires = content->expires_us,
		.timeout_us = command->timeout_us,
	};
	struct journal_entry *entry;
	int rc;

	if (journal_find(&endpoint->journal, &given.id) != NULL)
		return true; /* sent again; its state is told anyway */
	if (journal_active(&endpoint->journal) >= JOURNAL_ACTIVE_MAX)
		return false; /* the manager sends it again */
	given.content_size = muster__wire__command__get_packed_size(command);
	given.content = malloc(given.content_size + 1);
	if (given.content == NULL)
		return false;
	muster__wire__command__pack(command, given.content);
	rc = journal_receive(&endpoint->journal, &given, &entry, NULL);
	free(given.content);
	if (rc != 0)
		return false; /* not on disk, not begun; the manager sends it again */
	note_received(endpoint, entry);
	begin(endpoint, entry, command);
	return true;
}

/* --- after a restart --- */

static void resume_entry(struct endpoint *endpoint, struct journal_entry *entry)
{
	Muster__Wire__Command *content = muster__wire__command__unpack(NULL, entry->content_size, entry->content);
	const struct err why = { ERR_FORMAT, "its content could not be read back" };

	if (content == NULL) {
		end_with(endpoint, entry, COMMAND_FAILED, &why);
		return;
	}
	if (entry->state == COMMAND_RUNNING) {
		set_deadline(endpoint, entry);
		call_start(endpoint, entry, content, true);
	} else {
		begin(endpoint, entry, content);
	}
	muster__wire__command__free_unpacked(content, NULL);
}

void commands_resume(struct endpoint *endpoint)
{
	for (struct journal_entry *entry = endpoint->journal.entries; entry != NULL; entry = entry->next) {
		if (!command_ended(entry->state))
			resume_entry(endpoint, entry);
	}
}

/* --- from the shell --- */

int endpoint_progress(struct endpoint *endpoint, const struct uuid *id, const Muster__Wire__Progress *progress,
		      struct err *err)
{
	struct journal_entry *entry = journal_find(&endpoint->journal, id);
	uint8_t *path;

	if (entry == NULL || entry->state != COMMAND_RUNNING)
		return err_set(err, ERR_NOT_FOUND, "no such command is running");
	if (progress->path.len > WIRE_PATH_MAX_BYTES)
		return err_set(err, ERR_LIMIT, "a path of %zu bytes", progress->path.len);
	path = malloc(progress->path.len + 1);
	if (path == NULL)
		return err_set(err, ERR_MEMORY, "out of memory");
	if (progress->path.len > 0)
		memcpy(path, progress->path.data, progress->path.len);
	free(entry->progress_path);
	entry->progress = *progress;
	entry->progress.path = exchange_bytes(path, progress->path.len);
	entry->progress_path = path;
	entry->progress_new = true;
	return 0;
}

int endpoint_end(struct endpoint *endpoint, const struct uuid *id, enum command_state state, const char *code,
		 const char *text, const struct event_field *result, size_t count, struct err *err)
{
	struct journal_entry *entry = journal_find(&endpoint->journal, id);

	if (entry == NULL)
		return err_set(err, ERR_NOT_FOUND, "no such command");
	if (command_ended(entry->state))
		return 0;
	if (state == COMMAND_CANCELLED && entry->timing_out) {
		state = COMMAND_TIMED_OUT;
		code = err_name(ERR_TIMEOUT);
	}
	return end_surely(endpoint, entry, state, code, text, result, count, err);
}

bool endpoint_commands(const struct endpoint *endpoint, size_t *position, struct uuid *ret_id,
		       enum command_kind *ret_kind, enum command_state *ret_state)
{
	const struct journal_entry *entry = endpoint->journal.entries;

	for (size_t i = 0; i < *position && entry != NULL; i++)
		entry = entry->next;
	if (entry == NULL)
		return false;
	(*position)++;
	*ret_id = entry->id;
	*ret_kind = (enum command_kind)entry->kind;
	*ret_state = entry->state;
	return true;
}

/* --- time --- */

static void time_out(struct endpoint *endpoint, struct journal_entry *entry, time_us now)
{
	const struct err why = { ERR_TIMEOUT, "it did not end in time" };

	if (entry->wanted_end != COMMAND_PENDING) {
		end_wanted(endpoint, entry);
		return;
	}
	if (entry->state == COMMAND_RUNNING && !entry->timing_out) {
		entry->timing_out = true;
		entry->give_up = now + ENDPOINT_STOP_WAIT_US;
		endpoint->options.actor.cancel(endpoint->options.actor.context, &entry->id, NULL, NULL);
		return;
	}
	if (entry->state == COMMAND_PENDING || now >= entry->give_up)
		end_with(endpoint, entry, COMMAND_TIMED_OUT, &why);
}

static time_us entry_due(const struct journal_entry *entry)
{
	if (entry->begin_again != 0 && entry->begin_again < entry->deadline)
		return entry->begin_again;
	return entry->timing_out && entry->wanted_end == COMMAND_PENDING ? entry->give_up : entry->deadline;
}

int commands_tick(struct endpoint *endpoint)
{
	time_us now = endpoint_now(endpoint);

	for (struct journal_entry *entry = endpoint->journal.entries; entry != NULL; entry = entry->next) {
		if (command_ended(entry->state) || now < entry_due(entry))
			continue;
		if (entry->begin_again != 0 && now < entry->deadline) {
			entry->begin_again = 0;
			resume_entry(endpoint, entry);
		} else {
			time_out(endpoint, entry, now);
		}
	}
	return journal_tidy(&endpoint->journal, env_wall(endpoint->options.env), NULL);
}

time_us commands_due(const struct endpoint *endpoint)
{
	time_us due = ENDPOINT_NEVER;

	for (const struct journal_entry *entry = endpoint->journal.entries; entry != NULL; entry = entry->next) {
		if (!command_ended(entry->state) && entry_due(entry) < due)
			due = entry_due(entry);
	}
	return due;
}
