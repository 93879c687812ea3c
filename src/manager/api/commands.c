/* /commands and /computers/{id}/commands. Paths arrive escaped and go on as bytes. */
#include "manager/api/commands.h"

#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/text.h"
#include "manager/api/deployment_line.h"
#include "manager/api/handlers.h"
#include "manager/api/rows.h"
#include "manager/api/shape.h"
#include "manager/queries.h"
#include "trust/fingerprint.h"
#include "trust/token.h"

static const struct row_field fields[] = {
	{ "id", "id", row_id },
	{ "kind", "kind", row_text },
	{ "computer", "computer", row_id },
	{ "computer_name", "computer_name", row_text },
	{ "issued_by", "issued_by", row_text },
	{ "issued", "issued", row_time },
	{ "changed", "changed", row_time },
	{ "timeout", "timeout_us", row_seconds },
	{ "arguments", "arguments", row_object },
	{ "state", "state", row_text },
	{ "progress", "progress", row_object },
	{ "result", "result", row_object },
};

/* Progress between changes of state is in memory alone. */
static void put_live_progress(struct api_call *call, struct cursor *cursor, json_t *command)
{
	struct uuid computer, id;
	json_t *progress;
	char *text;

	cursor_uuid(cursor, "computer", &computer);
	cursor_uuid(cursor, "id", &id);
	text = front_command_progress(api_call_front(call), &computer, &id);
	progress = text != NULL ? json_loads(text, 0, NULL) : NULL;
	if (progress != NULL)
		json_object_set_new(command, "progress", progress);
	free(text);
}

static json_t *command_json(struct api_call *call, struct cursor *cursor)
{
	json_t *json = row_json(cursor, fields, COUNT_OF(fields));

	if (json != NULL && strcmp(cursor_text(cursor, "state"), "running") == 0)
		put_live_progress(call, cursor, json);
	return json;
}

static const struct list_filter filters[] = {
	{ "computer", LIST_ID, " AND command.computer = :computer" },
	{ "state", LIST_TEXT, " AND command.state = :state" },
	{ "kind", LIST_TEXT, " AND command.kind = :kind" },
	{ "since", LIST_NUMBER, " AND command.issued >= :since" },
};
static const struct list list = {
	.tag = 'k',
	.select = "SELECT command.*, computer.name AS computer_name FROM command"
		  " JOIN computer ON computer.id = command.computer WHERE 1",
	.filters = filters,
	.filter_count = COUNT_OF(filters),
	.key = "command.issued",
	.key_column = "issued",
	.id = "command.id",
	.row = command_json,
};

int command_list(struct api_call *call, struct err *err)
{
	return list_reply(call, &list, err);
}

int command_reply(struct api_call *call, const struct uuid *id, int status, struct err *err)
{
	json_t *json = NULL;
	int rc = row_get(call, &QUERY_COMMAND_BY_ID, id, "command", command_json, &json, err);

	return rc != 0 ? rc : api_reply_json(call, status, json);
}

int command_show(struct api_call *call, struct err *err)
{
	return command_reply(call, api_path_id(call), 200, err);
}

int command_issue_and_reply(struct api_call *call, const struct front_command *command, int status, struct err *err)
{
	struct uuid id;
	int rc = front_command_issue(api_call_front(call), command, api_call_actor(call), &id, err);

	return rc != 0 ? rc : command_reply(call, &id, status, err);
}

/* --- making one --- */

/* A list of paths as bytes: `all` holds them behind one another, `items` points into it. */
struct paths {
	struct buf all;
	struct bytes *items;
	size_t count;
};

static void paths_done(struct paths *paths)
{
	buf_done(&paths->all);
	free(paths->items);
}

/* The shape has been checked: each is text that unescapes. */
static int paths_take(struct paths *paths, const json_t *list_json, struct err *err)
{
	size_t count = json_array_size(list_json);

	buf_init(&paths->all, 8 * MIB);
	paths->items = calloc(count + 1, sizeof(*paths->items));
	if (paths->items == NULL)
		return err_set(err, ERR_MEMORY, "no memory");
	for (size_t i = 0; i < count; i++) {
		size_t before = paths->all.size;

		text_unescape(json_string_value(json_array_get(list_json, i)), &paths->all);
		paths->items[i].size = paths->all.size - before;
	}
	if (paths->all.status != 0)
		return err_set(err, paths->all.status, "the paths could not be taken");
	for (size_t i = 0, at = 0; i < count; at += paths->items[i].size, i++)
		paths->items[i].data = paths->all.data + at;
	paths->count = count;
	return 0;
}

/* Which members belong to which kind: anything else would be ignored silently. */
static const struct {
	const char *kind;
	const char *target; /* needed */
	const char *may[3];
} kinds[] = {
	{ "scan", NULL, { "paths", "exclude" } }, { "pause", "command", { NULL } },
	{ "resume", "command", { NULL } },        { "cancel", "command", { NULL } },
	{ "heartbeat", NULL, { NULL } },          { "restore", "item", { "overwrite" } },
	{ "delete", "item", { NULL } },           { "move", NULL, { "manager", "token", "ca_fingerprint" } },
};

static bool belongs(size_t row, const char *member)
{
	if (strcmp(member, "kind") == 0 || strcmp(member, "timeout") == 0)
		return true;
	if (kinds[row].target != NULL && strcmp(member, kinds[row].target) == 0)
		return true;
	for (size_t i = 0; i < COUNT_OF(kinds[row].may) && kinds[row].may[i] != NULL; i++) {
		if (strcmp(member, kinds[row].may[i]) == 0)
			return true;
	}
	return false;
}

/* Where a move goes to: whatever is wrong with it would be wrong for each agent alike, after it has tried. */
static size_t check_destination(struct api_call *call)
{
	const json_t *body = api_body(call);
	const char *manager = json_string_value(json_object_get(body, "manager")),
		   *token = json_string_value(json_object_get(body, "token")),
		   *fingerprint = json_string_value(json_object_get(body, "ca_fingerprint"));
	uint8_t authority[SHA256_BYTES];
	struct err cause = { 0 };
	size_t faults = 0;

	if (manager == NULL || !deployment_is_url(manager)) {
		api_problem_add(call, "manager", "https://HOST:PORT of the other manager is expected, without a path");
		faults++;
	}
	if (token != NULL && token_check(token, TOKEN_ENROLMENT, &cause) != 0) {
		api_problem_add(call, "token",
				"%.100s; an enrolment token of the other manager is expected, or none where its "
				"setting enrolment.without_token lets the computer in",
				cause.text);
		faults++;
	}
	if (fingerprint == NULL || fingerprint_parse(fingerprint, authority, NULL) != 0) {
		api_problem_add(call, "ca_fingerprint", "the SHA-256 of the other manager's CA is expected");
		faults++;
	}
	return faults;
}

/* Adds what is missing or out of place to the problem; the number of faults. */
static size_t check_members(struct api_call *call, size_t row, const char *besides)
{
	const char *target = kinds[row].target;
	size_t faults = 0;
	const char *member;
	json_t *value;

	if (target != NULL && json_object_get(api_body(call), target) == NULL) {
		api_problem_add(call, target, "is missing: %s needs it", kinds[row].kind);
		faults++;
	}
	json_object_foreach(api_body(call), member, value)
	{
		if (belongs(row, member) || (besides != NULL && strcmp(member, besides) == 0))
			continue;
		api_problem_add(call, member, "does not go with %s", kinds[row].kind);
		faults++;
	}
	if (strcmp(kinds[row].kind, "move") == 0)
		faults += check_destination(call);
	return faults;
}

static size_t kind_row(const char *kind)
{
	size_t row = 0;

	while (row < COUNT_OF(kinds) - 1 && strcmp(kinds[row].kind, kind) != 0)
		row++;
	return row;
}

/* A target must be the computer's own, or the path would lie. */
struct owner {
	const struct store_statement *statement;
	struct uuid id;
	struct uuid computer;
	bool there;
};

static int read_owner(struct store_session *session, void *argument, struct err *err)
{
	struct owner *owner = argument;
	struct cursor *cursor = cursor_open(session, owner->statement);

	cursor_bind_uuid(cursor, "id", &owner->id);
	if (cursor_next(cursor)) {
		owner->there = true;
		cursor_uuid(cursor, "computer", &owner->computer);
	}
	return cursor_end(cursor, err);
}

static int check_target(struct api_call *call, const char *member, const struct uuid *target, struct err *err)
{
	bool command = strcmp(member, "command") == 0;
	struct owner owner = { command ? &QUERY_COMMAND_BY_ID : &QUERY_QUARANTINE_BY_ID, *target, { { 0 } }, false };
	int rc = store_read(api_call_store(call), read_owner, &owner, err);

	if (rc == 0 && (!owner.there || !uuid_equal(&owner.computer, api_path_id(call))))
		rc = err_set(err, ERR_NOT_FOUND, "This computer has no %s with this id.",
			     command ? "command" : "quarantine item");
	return rc;
}

static int issue_one(struct api_call *call, const struct front_command *command, struct err *err)
{
	return command_issue_and_reply(call, command, 201, err);
}

/* Members that only a move has. */
static int take_move(struct api_call *call, struct front_command *command, struct err *err)
{
	const char *fingerprint = json_string_value(json_object_get(api_body(call), "ca_fingerprint"));

	if (!route_allows(ACCESS_ADMINISTER, api_call_principal(call)->role))
		return err_set(err, ERR_DENIED, "Only administrators may move computers to another manager.");
	command->manager = json_string_value(json_object_get(api_body(call), "manager"));
	command->token = json_string_value(json_object_get(api_body(call), "token"));
	return fingerprint_parse(fingerprint, command->authority, err);
}

/* What the body asks for, given to issue(). besides: a member that belongs to every kind, or NULL. */
static int command_make(struct api_call *call, const char *besides,
			int (*issue)(struct api_call *call, const struct front_command *command, struct err *err),
			struct err *err)
{
	const json_t *body = api_body(call);
	size_t row = kind_row(json_string_value(json_object_get(body, "kind")));
	struct front_command command = { 0 };
	struct paths paths = { 0 }, exclude = { 0 };
	int rc;

	if (check_members(call, row, besides) > 0)
		return api_problem(call, 400, "Not valid", "The command is not complete or not clear: see errors.");
	rc = front_command_kind_parse(kinds[row].kind, &command.kind);
	if (rc != 0)
		return err_set(err, rc, "There is no command %s.", kinds[row].kind);
	if (besides == NULL)
		command.computer = *api_path_id(call);
	if (kinds[row].target != NULL) {
		uuid_parse(json_string_value(json_object_get(body, kinds[row].target)), &command.target, NULL);
		rc = check_target(call, kinds[row].target, &command.target, err);
	}
	if (rc == 0 && command.kind == FRONT_COMMAND_MOVE)
		rc = take_move(call, &command, err);
	if (rc == 0)
		rc = paths_take(&paths, json_object_get(body, "paths"), err);
	if (rc == 0)
		rc = paths_take(&exclude, json_object_get(body, "exclude"), err);
	if (rc == 0) {
		command.paths = paths.items;
		command.path_count = paths.count;
		command.exclude = exclude.items;
		command.exclude_count = exclude.count;
		command.overwrite = json_is_true(json_object_get(body, "overwrite"));
		command.timeout = shape_span(json_object_get(body, "timeout"));
		rc = issue(call, &command, err);
	}
	paths_done(&paths);
	paths_done(&exclude);
	return rc;
}

int command_create(struct api_call *call, struct err *err)
{
	return command_make(call, NULL, issue_one, err);
}

/* --- making many --- */

/* Computers of the request, each once. The shape has been checked. */
int computers_take(const struct env *env, const json_t *list_json, struct uuid **ret_computers, size_t *ret_count)
{
	struct uuid *computers = calloc(json_array_size(list_json) + 1, sizeof(*computers));
	struct map *seen;
	uint64_t seed;
	size_t count = 0;
	int rc;

	env->random(env->context, &seed, sizeof(seed));
	seen = map_new(seed);
	rc = seen != NULL && computers != NULL ? 0 : ERR_MEMORY;
	for (size_t i = 0; rc == 0 && i < json_array_size(list_json); i++) {
		uuid_parse(json_string_value(json_array_get(list_json, i)), &computers[count], NULL);
		if (map_get(seen, computers[count].bytes, UUID_BYTES) != NULL)
			continue;
		rc = map_set(seen, computers[count].bytes, UUID_BYTES, computers);
		count++;
	}
	map_free(seen);
	if (rc != 0) {
		free(computers);
		return rc;
	}
	*ret_computers = computers;
	*ret_count = count;
	return 0;
}

static json_t *issued_json(const struct uuid *computers, const struct uuid *ids, size_t count)
{
	json_t *items = json_array(), *left_out = json_array();

	for (size_t i = 0; i < count; i++) {
		char computer[UUID_TEXT_BYTES], id[UUID_TEXT_BYTES];

		uuid_format(&computers[i], computer);
		uuid_format(&ids[i], id);
		if (uuid_is_zero(&ids[i]))
			json_array_append_new(left_out, json_string(computer));
		else
			json_array_append_new(items, json_pack("{ss, ss}", "id", id, "computer", computer));
	}
	return json_pack("{so, so}", "items", items, "left_out", left_out);
}

static int issue_many(struct api_call *call, const struct front_command *command, struct err *err)
{
	struct uuid *computers, *ids;
	size_t count;
	int rc = computers_take(api_call_env(call), json_object_get(api_body(call), "computers"), &computers, &count);

	if (rc != 0)
		return err_set(err, rc, "no memory");
	ids = calloc(count > 0 ? count : 1, sizeof(*ids));
	if (ids == NULL)
		rc = err_set(err, ERR_MEMORY, "no memory");
	else
		rc = front_command_issue_many(api_call_front(call), command, computers, count, api_call_actor(call),
					      ids, err);
	if (rc == 0)
		rc = api_reply_json(call, 201, issued_json(computers, ids, count));
	free(computers);
	free(ids);
	return rc;
}

int command_create_many(struct api_call *call, struct err *err)
{
	return command_make(call, "computers", issue_many, err);
}

static int aimed(struct api_call *call, enum front_command_kind kind, struct err *err)
{
	struct front_command command = { .kind = kind, .target = *api_path_id(call) };

	return command_issue_and_reply(call, &command, 201, err);
}

int command_cancel(struct api_call *call, struct err *err)
{
	return aimed(call, FRONT_COMMAND_CANCEL, err);
}

int command_pause(struct api_call *call, struct err *err)
{
	return aimed(call, FRONT_COMMAND_PAUSE, err);
}

int command_resume(struct api_call *call, struct err *err)
{
	return aimed(call, FRONT_COMMAND_RESUME, err);
}
