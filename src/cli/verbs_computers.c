/* Computers and the commands that they are given. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "cli/cli.h"
#include "trust/fingerprint.h"
#include "trust/token.h"

static const struct column computer_columns[] = {
	{ "NAME", "name", COLUMN_TEXT },
	{ "STATUS", "status", COLUMN_TEXT },
	{ "CAUSE", "status_cause", COLUMN_TEXT },
	{ "GROUP", "group", COLUMN_TEXT },
	{ "POLICY", "policy", COLUMN_TEXT },
	{ "APPLIANCE", "appliance", COLUMN_MARK },
	{ "LAST HEARD", "last_heard", COLUMN_TIME },
	{ "ID", "id", COLUMN_ID },
	{ NULL, "status_since", COLUMN_TIME },
	{ NULL, "direction", COLUMN_TEXT },
	{ NULL, "clock_offset_s", COLUMN_NUMBER },
	{ NULL, "agent_version", COLUMN_TEXT },
	{ NULL, "config_state", COLUMN_TEXT },
	{ NULL, "certificate_match", COLUMN_TEXT },
	{ NULL, "patterns", COLUMN_TEXT },
	{ NULL, "open_alerts", COLUMN_NUMBER },
};

int verb_computer_list(struct cli *cli, struct err *err)
{
	static const struct list_parameter parameters[] = {
		{ "state", LIST_PLAIN },
		{ "name", LIST_PLAIN },
		{ "group", LIST_PLAIN },
		{ "policy", LIST_PLAIN },
	};
	static const struct list list = { "/computers",
					  parameters,
					  COUNT_OF(parameters),
					  computer_columns,
					  COUNT_OF(computer_columns),
					  "No computers. `muster token create --enrolment` makes a token to activate "
					  "agents with." };

	return list_run(cli, &list, err);
}

/* "/computers/ID" and rest, of the computer in the first argument. */
static int computer_path(struct cli *cli, const char *rest, struct buf *path, struct err *err)
{
	char id[UUID_TEXT_BYTES];
	int rc;

	buf_init(path, 256);
	rc = find_computer(cli, cli->arguments.words[0], id, err);
	if (rc == 0)
		buf_printf(path, "/computers/%s%s", id, rest);
	return rc;
}

int verb_computer_show(struct cli *cli, struct err *err)
{
	json_t *json = NULL;
	struct buf path;
	int rc = computer_path(cli, "", &path, err);

	if (rc == 0)
		rc = cli_request(cli, "GET", buf_text(&path), NULL, &json, err);
	buf_done(&path);
	return rc == 0 ? cli_show(cli, json, err) : rc;
}

/* Paths are bytes; in JSON they travel in the escaped form. */
static int add_path(json_t *paths, const char *path, struct err *err)
{
	struct buf text;
	int rc = 0;

	buf_init(&text, 64 * 1024);
	text_escape(&text, path, strlen(path));
	if (path[0] != '/')
		rc = err_set(err, ERR_USAGE, "%.200s: a path on the computer begins with /", buf_text(&text));
	else if (text.status != 0 || json_array_append_new(paths, json_string(buf_text(&text))) != 0)
		rc = err_set(err, ERR_LIMIT, "a path is too long");
	buf_done(&text);
	return rc;
}

static int make_scan(struct cli *cli, json_t *body, struct err *err)
{
	json_t *paths = json_array(), *exclude = json_array();
	int rc = 0;

	for (size_t i = 1; rc == 0 && i < cli->arguments.count; i++)
		rc = add_path(paths, cli->arguments.words[i], err);
	for (size_t i = 0; rc == 0 && i < cli->arguments.given_count; i++) {
		if (strcmp(cli->arguments.given[i].option->name, "exclude") == 0)
			rc = add_path(exclude, cli->arguments.given[i].value, err);
	}
	json_object_set_new(body, "kind", json_string("scan"));
	json_object_set_new(body, "paths", paths);
	json_object_set_new(body, "exclude", exclude);
	if (cli_option(cli, "timeout") != NULL)
		json_object_set_new(body, "timeout", json_string(cli_option(cli, "timeout")));
	return rc;
}

/* Shows a command just issued, or follows it with --watch. Takes it over. */
static int after_issue(struct cli *cli, json_t *command, struct err *err)
{
	const char *id = json_string_value(json_object_get(command, "id"));
	const char *kind = json_string_value(json_object_get(command, "kind"));
	struct uuid uuid;
	int rc;

	if (id == NULL || kind == NULL || uuid_parse(id, &uuid, NULL) != 0) {
		json_decref(command);
		return err_set(err, ERR_FORMAT, "the answer is not a command");
	}
	if (cli_flag(cli, "watch")) {
		rc = watch_command(cli, id, err);
		json_decref(command);
		return rc;
	}
	/* The texts belong to the JSON, which cli_say() lets go of. */
	json_incref(command);
	rc = cli_say(cli, command, err, "%s issued: command %s", kind, id);
	json_decref(command);
	return rc;
}

/* What body asks for, of the computers in the first argument. Takes body over. */
static int issue(struct cli *cli, json_t *body, struct err *err)
{
	json_t *command = NULL;
	struct buf path = { 0 };
	int rc;

	if (order_is_for_many(cli->arguments.words[0])) {
		rc = order_many(cli, cli->arguments.words[0], body, err);
	} else {
		rc = computer_path(cli, "/commands", &path, err);
		if (rc == 0)
			rc = cli_request(cli, "POST", buf_text(&path), body, &command, err);
		buf_done(&path);
		if (rc == 0)
			rc = after_issue(cli, command, err);
	}
	json_decref(body);
	return rc;
}

int verb_computer_scan(struct cli *cli, struct err *err)
{
	json_t *body = json_object();
	int rc = make_scan(cli, body, err);

	if (rc == 0)
		return issue(cli, body, err);
	json_decref(body);
	return rc;
}

int verb_computer_heartbeat(struct cli *cli, struct err *err)
{
	return issue(cli, json_pack("{ss}", "kind", "heartbeat"), err);
}

int verb_computer_delete(struct cli *cli, struct err *err)
{
	const char *given = cli->arguments.words[0];
	struct buf path;
	int rc = computer_path(cli, "", &path, err);

	if (rc == 0)
		rc = cli_confirm(cli, err, "Delete computer %s and revoke its certificate?", given);
	if (rc == 0)
		rc = cli_request(cli, "DELETE", buf_text(&path), NULL, NULL, err);
	buf_done(&path);
	return rc == 0 ? cli_say(cli, NULL, err, "deleted: %s", given) : rc;
}

int verb_computer_add(struct cli *cli, struct err *err)
{
	static const struct {
		const char *option, *member;
	} options[] = { { "policy", "policy" }, { "group", "group" }, { "address", "dial_address" } };
	json_t *body = json_pack("{ss}", "name", cli->arguments.words[0]), *json = NULL;
	int rc;

	for (size_t i = 0; i < COUNT_OF(options); i++) {
		if (cli_option(cli, options[i].option) != NULL)
			json_object_set_new(body, options[i].member, json_string(cli_option(cli, options[i].option)));
	}
	rc = cli_request(cli, "POST", "/computers", body, &json, err);
	json_decref(body);
	return rc == 0 ? cli_say(cli, json, err, "added: %s", cli->arguments.words[0]) : rc;
}

int verb_computer_address(struct cli *cli, struct err *err)
{
	const char *given = cli->arguments.words[0], *host = cli->arguments.count > 1 ? cli->arguments.words[1] : NULL;
	json_t *body = json_pack("{ss?}", "dial_address", host), *json = NULL;
	struct buf path;
	int rc = computer_path(cli, "/dial-address", &path, err);

	if (rc == 0)
		rc = cli_request(cli, "PUT", buf_text(&path), body, &json, err);
	buf_done(&path);
	json_decref(body);
	return rc == 0 ? cli_say(cli, json, err, "%s is at %s", given, host != NULL ? host : "where its agent says")
		       : rc;
}

/* "HOST", "HOST:PORT", an IPv6 address as it is or, before a port, in brackets. */
static int split_address(const char *given, json_t *body, struct err *err)
{
	bool brackets = given[0] == '[';
	const char *host = given + brackets, *end = brackets ? strchr(given, ']') : strchr(given, ':');
	const char *colon = brackets && end != NULL ? (end[1] == ':' ? end + 1 : NULL) : end;
	uint64_t port;

	if (brackets && (end == NULL || (end[1] != '\0' && end[1] != ':')))
		return err_set(err, ERR_USAGE, "'%.100s' is no HOST[:PORT]", given);
	if (!brackets && end != NULL && strchr(end + 1, ':') != NULL) /* IPv6 without a port */
		end = colon = NULL;
	if (colon != NULL) {
		if (number_parse(colon + 1, 1, UINT16_MAX, &port, NULL) != 0)
			return err_set(err, ERR_USAGE, "'%.100s': the port is a number between 1 and 65535", given);
		json_object_set_new(body, "port", json_integer((json_int_t)port));
	}
	json_object_set_new(body, "host", json_stringn(host, end != NULL ? (size_t)(end - host) : strlen(host)));
	return 0;
}

int verb_computer_activate(struct cli *cli, struct err *err)
{
	static const char *const options[] = { "name", "policy", "group", "url" };
	json_t *body = json_object(), *json = NULL;
	int rc = split_address(cli->arguments.words[0], body, err);

	for (size_t i = 0; i < COUNT_OF(options); i++) {
		if (cli_option(cli, options[i]) != NULL)
			json_object_set_new(body, options[i], json_string(cli_option(cli, options[i])));
	}
	if (rc == 0)
		rc = cli_request(cli, "POST", "/computers/activations", body, &json, err);
	json_decref(body);
	if (rc == 0)
		json_incref(json); /* the text belongs to it */
	if (rc == 0)
		rc = cli_say(cli, json, err, "activated: %s", json_string_value(json_object_get(json, "name")));
	json_decref(json);
	return rc;
}

/* "HOST:PORT" as people say it, or the whole address. */
static void add_manager(json_t *body, const char *given)
{
	bool whole = strncmp(given, "https://", 8) == 0;

	json_object_set_new(body, "manager", json_sprintf("%s%s", whole ? "" : "https://", given));
}

static int order_one(struct cli *cli, const char *given, const json_t *body, struct err *err)
{
	char id[UUID_TEXT_BYTES];
	json_t *command = NULL;
	struct buf path;
	int rc = find_computer(cli, given, id, err);

	if (rc != 0)
		return rc;
	buf_init(&path, 256);
	buf_printf(&path, "/computers/%s/commands", id);
	rc = cli_request(cli, "POST", buf_text(&path), body, &command, err);
	buf_done(&path);
	if (rc != 0 || !cli_flag(cli, "watch"))
		return rc == 0 ? cli_say(cli, command, err,
					 "%s is told to move; `muster command list --kind move` shows what comes of it",
					 given)
			       : rc;
	snprintf(id, sizeof(id), "%s", cli_text(command, "id"));
	json_decref(command);
	return watch_command(cli, id, err);
}

/* Where to, looked at before anybody is asked: each agent would find out for itself, and fail. */
static int check_move(const struct cli *cli, struct err *err)
{
	const char *token = cli_option(cli, "enrolment-token"), *fingerprint = cli_option(cli, "ca-fingerprint");
	uint8_t authority[SHA256_BYTES];
	struct err cause = { 0 };

	if (cli->arguments.count == 0 && cli_option(cli, "group") == NULL)
		return err_set(err, ERR_USAGE, "COMPUTER or --group says who is to move");
	if (cli_option(cli, "manager") == NULL || fingerprint == NULL)
		return err_set(err, ERR_USAGE, "--manager and --ca-fingerprint say where to");
	if (fingerprint_parse(fingerprint, authority, &cause) != 0)
		return err_set(err, ERR_USAGE, "--ca-fingerprint: %.200s", cause.text);
	if (token != NULL && token_check(token, TOKEN_ENROLMENT, &cause) != 0)
		return err_set(err, ERR_USAGE, "--enrolment-token: %.200s", cause.text);
	return 0;
}

int verb_computer_move(struct cli *cli, struct err *err)
{
	const char *token = cli_option(cli, "enrolment-token"), *group = cli_option(cli, "group");
	json_t *body;
	int rc = check_move(cli, err);

	if (rc != 0)
		return rc;
	body = json_pack("{ss, ss}", "kind", "move", "ca_fingerprint", cli_option(cli, "ca-fingerprint"));
	if (token != NULL)
		json_object_set_new(body, "token", json_string(token));
	add_manager(body, cli_option(cli, "manager"));
	if (group != NULL)
		rc = order_group(cli, group, body, err);
	for (size_t i = 0; rc == 0 && i < cli->arguments.count; i++)
		rc = order_is_for_many(cli->arguments.words[i]) ? order_many(cli, cli->arguments.words[i], body, err)
								: order_one(cli, cli->arguments.words[i], body, err);
	json_decref(body);
	return rc;
}

/* Of one that was let in again: where its agent can be dialled that is done at once, else it asks after a while. */
static void when_back(const json_t *computer, char *text, size_t capacity)
{
	const json_t *within = json_object_get(computer, "back_within_s");

	text[0] = '\0';
	if (json_is_integer(within))
		snprintf(text, capacity,
			 "; the agent will be back within %" JSON_INTEGER_FORMAT
			 " minutes, at once where it can be dialled",
			 (json_integer_value(within) + 59) / 60);
}

static int steer_one(struct cli *cli, const char *given, const char *id, const char *rest, struct err *err)
{
	json_t *json = NULL;
	struct buf path;
	char back[96];
	int rc;

	buf_init(&path, 256);
	buf_printf(&path, "/computers/%s/%s", id, rest);
	rc = cli_request(cli, "POST", buf_text(&path), NULL, &json, err);
	buf_done(&path);
	if (rc != 0)
		return err_add(err, rc, "%s", given);
	json_incref(json); /* the texts belong to it */
	when_back(json, back, sizeof(back));
	rc = cli_say(cli, json, err, "%s: %s (%s)%s", given, cli_text(json, "status"), cli_text(json, "status_cause"),
		     back);
	json_decref(json);
	return rc;
}

/* Ends or begins memberships of all the computers that were given; says of each what it is now. A name that nobody has
 * is a slip: then nothing is done. One that is refused keeps no other from its turn. */
static int steer_computers(struct cli *cli, const char *rest, struct err *err)
{
	size_t count = cli->arguments.count;
	char(*ids)[UUID_TEXT_BYTES] = calloc(count, sizeof(*ids));
	size_t failed = 0;
	int rc = ids != NULL ? 0 : err_set(err, ERR_MEMORY, "out of memory");

	for (size_t i = 0; rc == 0 && i < count; i++)
		rc = find_computer(cli, cli->arguments.words[i], ids[i], err);
	if (rc != 0 && count > 1)
		rc = err_add(err, rc, "nothing was done");
	if (rc == 0 && count == 1)
		rc = steer_one(cli, cli->arguments.words[0], ids[0], rest, err);
	for (size_t i = 0; rc == 0 && count > 1 && i < count; i++) {
		if (steer_one(cli, cli->arguments.words[i], ids[i], rest, err) == 0)
			continue;
		cli_warn("muster: %s\n", err->text);
		failed++;
	}
	free(ids);
	return failed == 0 ? rc : err_set(err, ERR_REFUSED, "%zu of %zu were refused, see above", failed, count);
}

int verb_computer_deactivate(struct cli *cli, struct err *err)
{
	return steer_computers(cli, "deactivate", err);
}

int verb_computer_reactivate(struct cli *cli, struct err *err)
{
	return steer_computers(cli, "reactivate", err);
}

int verb_computer_revoke(struct cli *cli, struct err *err)
{
	int rc = cli_confirm(cli, err, "Revoke the certificate of %zu computer%s for good?", cli->arguments.count,
			     cli->arguments.count == 1 ? "" : "s");

	return rc == 0 ? steer_computers(cli, "revoke", err) : rc;
}

int verb_command_list(struct cli *cli, struct err *err)
{
	static const struct list_parameter parameters[] = {
		{ "computer", LIST_COMPUTER },
		{ "state", LIST_PLAIN },
		{ "kind", LIST_PLAIN },
		{ "since", LIST_MOMENT },
	};
	static const struct column columns[] = {
		{ "ISSUED", "issued", COLUMN_TIME },
		{ "COMPUTER", "computer_name", COLUMN_TEXT },
		{ "KIND", "kind", COLUMN_TEXT },
		{ "STATE", "state", COLUMN_TEXT },
		{ "FILES", "progress.files_done", COLUMN_NUMBER },
		{ "FOUND", "progress.detections", COLUMN_NUMBER },
		{ "BY", "issued_by", COLUMN_TEXT },
		{ "ID", "id", COLUMN_ID },
		{ NULL, "computer", COLUMN_ID },
		{ NULL, "changed", COLUMN_TIME },
		{ NULL, "progress", COLUMN_FIELDS },
		{ NULL, "result", COLUMN_FIELDS },
	};
	static const struct list list = { "/commands", parameters,        COUNT_OF(parameters),
					  columns,     COUNT_OF(columns), "No commands." };

	return list_run(cli, &list, err);
}

int verb_command_show(struct cli *cli, struct err *err)
{
	json_t *json = NULL;
	struct buf path;
	int rc;

	buf_init(&path, 256);
	rc = cli_id_path("/commands", cli->arguments.words[0], "", &path, err);
	if (rc == 0)
		rc = cli_request(cli, "GET", buf_text(&path), NULL, &json, err);
	buf_done(&path);
	return rc == 0 ? cli_show(cli, json, err) : rc;
}

int verb_command_watch(struct cli *cli, struct err *err)
{
	return watch_command(cli, cli->arguments.words[0], err);
}

static int steer(struct cli *cli, const char *collection, const char *rest, const char *method, const json_t *body,
		 struct err *err)
{
	json_t *command = NULL;
	struct buf path;
	int rc;

	buf_init(&path, 256);
	rc = cli_id_path(collection, cli->arguments.words[0], rest, &path, err);
	if (rc == 0)
		rc = cli_request(cli, method, buf_text(&path), body, &command, err);
	buf_done(&path);
	return rc == 0 ? after_issue(cli, command, err) : rc;
}

int verb_command_cancel(struct cli *cli, struct err *err)
{
	return steer(cli, "/commands", "/cancel", "POST", NULL, err);
}

int verb_command_pause(struct cli *cli, struct err *err)
{
	return steer(cli, "/commands", "/pause", "POST", NULL, err);
}

int verb_command_resume(struct cli *cli, struct err *err)
{
	return steer(cli, "/commands", "/resume", "POST", NULL, err);
}

int verb_quarantine_restore(struct cli *cli, struct err *err)
{
	json_t *body = json_pack("{sb}", "overwrite", cli_flag(cli, "overwrite"));
	int rc = steer(cli, "/quarantine", "/restore", "POST", body, err);

	json_decref(body);
	return rc;
}

int verb_quarantine_delete(struct cli *cli, struct err *err)
{
	int rc = cli_confirm(cli, err, "Delete quarantined file %s for good?", cli->arguments.words[0]);

	return rc == 0 ? steer(cli, "/quarantine", "", "DELETE", NULL, err) : rc;
}
