/* Signing in and out, tokens, users, settings, the manager itself. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/authority_fetch.h"
#include "cli/cli.h"
#include "cli/help.h"
#include "cli/session_file.h"

static int ask_name(struct buf *name, struct err *err)
{
	char line[256] = "";

	if (!isatty(STDIN_FILENO))
		return err_set(err, ERR_USAGE, "who signs in? Give --user NAME");
	fputs("user: ", stderr);
	if (fgets(line, sizeof(line), stdin) == NULL)
		return err_set(err, ERR_CANCELLED, "not signed in");
	line[strcspn(line, "\n")] = '\0';
	return buf_append_text(name, line);
}

static int copy(char out[SESSION_TEXT_BYTES], const char *text, const char *what, struct err *err)
{
	if (text == NULL || strlen(text) >= SESSION_TEXT_BYTES)
		return err_set(err, ERR_LIMIT, "%s is missing or too long", what);
	memcpy(out, text, strlen(text) + 1);
	return 0;
}

/* The server and CA that cli_connect() took, so that they need not be given again. */
static int remember(struct cli *cli, const char *user, const json_t *answer, struct err *err)
{
	const char *server = cli_option(cli, "server"), *ca = cli->ca != NULL ? cli->ca : cli_option(cli, "ca");
	struct session_file session = { 0 }, before = { 0 };
	char *whole = NULL;
	int rc;

	server = server != NULL ? server : getenv("MUSTER_SERVER");
	ca = ca != NULL ? ca : getenv("MUSTER_CA");
	if ((server == NULL || ca == NULL) && session_file_read(&before, NULL) == 0) {
		if (ca == NULL && before.ca[0] != '\0' && (server == NULL || strcmp(server, before.server) == 0))
			ca = before.ca;
		server = server != NULL ? server : before.server;
	}
	if (ca != NULL && ca[0] != '\0')
		whole = realpath(ca, NULL);
	rc = copy(session.server, server, "the server", err);
	if (rc == 0)
		rc = copy(session.ca, whole != NULL ? whole : "", "the CA file's path", err);
	if (rc == 0)
		rc = copy(session.user, user, "the user's name", err);
	if (rc == 0)
		rc = copy(session.token, json_string_value(json_object_get(answer, "token")), "the session's token",
			  err);
	if (rc == 0)
		rc = session_file_write(&session, err);
	session_file_wipe(&session);
	session_file_wipe(&before);
	free(whole);
	return rc;
}

static int sign_in(struct cli *cli, const char *user, const char *password, struct err *err)
{
	json_t *body = json_pack("{ss, ss}", "user", user, "password", password), *answer = NULL;
	int rc;

	if (body == NULL)
		return err_set(err, ERR_USAGE, "name and password must be UTF-8");
	rc = cli_request(cli, "POST", "/sessions", body, &answer, err);
	json_decref(body);
	if (rc == ERR_DENIED) /* to whoever is just signing in it is no help to be told to */
		return err_set(err, rc, "the name or the password is wrong");
	if (rc != 0)
		return rc;
	rc = remember(cli, user, answer, err);
	if (rc == 0)
		rc = cli_say(cli,
			     json_pack("{ss, sO*, sO*}", "user", user, "role", json_object_get(answer, "role"),
				       "expires", json_object_get(answer, "expires")),
			     err, "signed in as %s", user);
	json_decref(answer);
	return rc;
}

/* With --ca-fingerprint: the manager's authority, fetched and compared, becomes the one to believe. */
static int believe_fingerprint(struct cli *cli, char *ca, size_t size, struct err *err)
{
	const char *fingerprint = cli_option(cli, "ca-fingerprint");
	char server[SESSION_TEXT_BYTES];
	struct buf pem;
	int rc;

	if (fingerprint == NULL)
		return 0;
	if (cli_option(cli, "ca") != NULL)
		return err_set(err, ERR_USAGE, "give --ca or --ca-fingerprint, not both");
	buf_init(&pem, AUTHORITY_MAX_BYTES);
	rc = cli_server(cli, server, sizeof(server), err);
	if (rc == 0)
		rc = authority_fetch(server, fingerprint, &pem, err);
	if (rc == 0)
		rc = session_file_write_ca(pem.data, pem.size, ca, size, err);
	if (rc == 0)
		cli->ca = ca;
	buf_done(&pem);
	return rc;
}

int verb_login(struct cli *cli, struct err *err)
{
	struct buf user, password = { 0 };
	char ca[SESSION_TEXT_BYTES];
	int rc;

	buf_init(&user, 1024);
	rc = believe_fingerprint(cli, ca, sizeof(ca), err);
	if (rc == 0)
		rc = cli_connect(cli, err);
	if (rc == 0)
		rc = cli_option(cli, "user") != NULL ? buf_append_text(&user, cli_option(cli, "user"))
						     : ask_name(&user, err);
	if (rc == 0)
		rc = secret_read(cli_option(cli, "password-file"), "password", &password, err);
	if (rc == 0)
		rc = sign_in(cli, buf_text(&user), buf_text(&password), err);
	buf_wipe(&password);
	buf_done(&user);
	cli->ca = NULL;
	return rc;
}

int verb_logout(struct cli *cli, struct err *err)
{
	struct session_file session;
	struct err told = { 0 };
	int rc = session_file_read(&session, err);

	if (rc == ERR_NOT_FOUND)
		return cli_say(cli, NULL, err, "nobody was signed in");
	session_file_wipe(&session);
	/* A manager out of reach, or a session that ended, does not keep one signed in here. */
	if (rc == 0 && cli_request(cli, "DELETE", "/sessions/current", NULL, NULL, &told) != 0)
		fprintf(stderr, "muster: the manager could not be told: %s\n", told.text);
	rc = session_file_remove(err);
	return rc == 0 ? cli_say(cli, NULL, err, "signed out") : rc;
}

static const char *token_collection(struct cli *cli)
{
	return cli_flag(cli, "enrolment") ? "/enrolment-tokens" : "/tokens";
}

static void set_text(struct cli *cli, json_t *body, const char *option)
{
	const char *given = cli_option(cli, option);

	if (given != NULL)
		json_object_set_new(body, option, json_string(given));
}

static int token_body(struct cli *cli, json_t *body, struct err *err)
{
	static const char *const of_enrolment[] = { "policy", "group", "uses" };
	const char *uses = cli_option(cli, "uses");
	bool enrolment = cli_flag(cli, "enrolment");
	uint64_t number;

	for (size_t i = 0; !enrolment && i < COUNT_OF(of_enrolment); i++) {
		if (cli_option(cli, of_enrolment[i]) != NULL)
			return err_set(err, ERR_USAGE, "--%s is for enrolment tokens: give --enrolment too",
				       of_enrolment[i]);
	}
	if (!enrolment && cli_flag(cli, "appliance"))
		return err_set(err, ERR_USAGE, "--appliance is for enrolment tokens: give --enrolment too");
	if (enrolment && cli_option(cli, "role") != NULL)
		return err_set(err, ERR_USAGE, "--role is for API tokens; agents have none");
	if (!enrolment && cli_option(cli, "role") == NULL)
		return err_set(err, ERR_USAGE, "--role is needed: viewer, operator, administrator or auditor");
	set_text(cli, body, "name");
	if (!enrolment && cli_option(cli, "name") == NULL)
		json_object_set_new(body, "name", json_string("muster token create"));
	set_text(cli, body, "role");
	set_text(cli, body, "policy");
	set_text(cli, body, "group");
	set_text(cli, body, "expires");
	if (cli_flag(cli, "appliance"))
		json_object_set_new(body, "appliance", json_true());
	if (uses != NULL && number_parse(uses, 1, 1000000, &number, NULL) != 0)
		return err_set(err, ERR_USAGE, "--uses '%.40s' is not a whole number from 1 to 1000000", uses);
	if (uses != NULL)
		json_object_set_new(body, "uses", json_integer((json_int_t)number));
	return 0;
}

int verb_token_create(struct cli *cli, struct err *err)
{
	json_t *body = json_object(), *token = NULL;
	int rc = token_body(cli, body, err);

	if (rc == 0)
		rc = cli_request(cli, "POST", token_collection(cli), body, &token, err);
	json_decref(body);
	return rc == 0 ? cli_show(cli, token, err) : rc;
}

int verb_token_list(struct cli *cli, struct err *err)
{
	static const struct column columns[] = {
		{ "NAME", "name", COLUMN_TEXT },
		{ "ROLE", "role", COLUMN_TEXT },
		{ "CREATED", "created", COLUMN_TIME },
		{ "EXPIRES", "expires", COLUMN_TIME },
		{ "REVOKED", "revoked", COLUMN_TIME },
		{ "LAST USED", "last_used", COLUMN_TIME },
		{ "ID", "id", COLUMN_ID },
		{ NULL, "created_by", COLUMN_TEXT },
	};
	static const struct column enrolment_columns[] = {
		{ "NAME", "name", COLUMN_TEXT },
		{ "POLICY", "policy", COLUMN_TEXT },
		{ "GROUP", "group", COLUMN_TEXT },
		{ NULL, "appliance", COLUMN_TEXT },
		{ "USES LEFT", "uses_left", COLUMN_NUMBER },
		{ "EXPIRES", "expires", COLUMN_TIME },
		{ "REVOKED", "revoked", COLUMN_TIME },
		{ "LAST USED", "last_used", COLUMN_TIME },
		{ "ID", "id", COLUMN_ID },
		{ NULL, "created", COLUMN_TIME },
		{ NULL, "created_by", COLUMN_TEXT },
	};
	static const struct list list = { "/tokens",
					  NULL,
					  0,
					  columns,
					  COUNT_OF(columns),
					  "No API tokens; --enrolment shows those that agents activate with." };
	static const struct list enrolment_list = {
		"/enrolment-tokens", NULL, 0, enrolment_columns, COUNT_OF(enrolment_columns), "No enrolment tokens.",
	};

	return list_run(cli, cli_flag(cli, "enrolment") ? &enrolment_list : &list, err);
}

static int delete_at(struct cli *cli, const char *collection, const char *id, const char *done, struct err *err)
{
	struct buf path;
	int rc;

	buf_init(&path, 256);
	rc = cli_id_path(collection, id, "", &path, err);
	if (rc == 0)
		rc = cli_request(cli, "DELETE", buf_text(&path), NULL, NULL, err);
	buf_done(&path);
	return rc == 0 ? cli_say(cli, NULL, err, "%s: %s", done, cli->arguments.words[0]) : rc;
}

int verb_token_revoke(struct cli *cli, struct err *err)
{
	return delete_at(cli, token_collection(cli), cli->arguments.words[0], "revoked", err);
}

int verb_user_list(struct cli *cli, struct err *err)
{
	static const struct column columns[] = {
		{ "NAME", "name", COLUMN_TEXT },
		{ "ROLE", "role", COLUMN_TEXT },
		{ "CREATED", "created", COLUMN_TIME },
		{ "LAST SIGN-IN", "last_sign_in", COLUMN_TIME },
		{ "LOCKED UNTIL", "locked_until", COLUMN_TIME },
		{ "ID", "id", COLUMN_ID },
	};
	static const struct list list = { "/users", NULL, 0, columns, COUNT_OF(columns), "No users." };

	return list_run(cli, &list, err);
}

int verb_user_create(struct cli *cli, struct err *err)
{
	const char *file = cli_option(cli, "password-file");
	struct buf password = { 0 };
	json_t *body = json_object(), *user = NULL;
	int rc = 0;

	if (cli_option(cli, "role") == NULL)
		rc = err_set(err, ERR_USAGE, "--role is needed: viewer, operator, administrator or auditor");
	if (rc == 0 && file != NULL)
		rc = secret_read(file, "password", &password, err);
	json_object_set_new(body, "name", json_string(cli->arguments.words[0]));
	set_text(cli, body, "role");
	if (file != NULL)
		json_object_set_new(body, "password", json_string(buf_text(&password)));
	if (rc == 0)
		rc = cli_request(cli, "POST", "/users", body, &user, err);
	json_decref(body);
	buf_wipe(&password);
	return rc == 0 ? cli_show(cli, user, err) : rc;
}

int verb_user_delete(struct cli *cli, struct err *err)
{
	char id[UUID_TEXT_BYTES];
	int rc = find_user(cli, cli->arguments.words[0], id, err);

	if (rc == 0)
		rc = cli_confirm(cli, err, "Delete user %s?", cli->arguments.words[0]);
	return rc == 0 ? delete_at(cli, "/users", id, "deleted", err) : rc;
}

/* One's own password needs the present one, and no role that may list users: the session tells the id. */
static int is_own(struct cli *cli, bool *ret_own, char id[UUID_TEXT_BYTES], struct err *err)
{
	json_t *json = NULL;
	const char *name, *kind, *own;
	struct uuid uuid;
	int rc = cli_request(cli, "GET", "/sessions/current", NULL, &json, err);

	if (rc != 0)
		return rc;
	name = json_string_value(json_object_get(json, "name"));
	kind = json_string_value(json_object_get(json, "kind"));
	own = json_string_value(json_object_get(json, "id"));
	*ret_own = name != NULL && kind != NULL && own != NULL && strcmp(kind, "user") == 0 &&
		   strcmp(name, cli->arguments.words[0]) == 0 && uuid_parse(own, &uuid, NULL) == 0;
	if (*ret_own)
		uuid_format(&uuid, id);
	json_decref(json);
	return 0;
}

static int put_password(struct cli *cli, const char *id, bool own, struct err *err)
{
	struct buf current = { 0 }, fresh = { 0 }, path;
	json_t *body = NULL;
	int rc = 0;

	buf_init(&path, 256);
	if (own)
		rc = secret_read(cli_option(cli, "current-file"), "present password", &current, err);
	if (rc == 0)
		rc = secret_ask_new(cli_option(cli, "password-file"), &fresh, err);
	if (rc == 0)
		rc = cli_id_path("/users", id, "/password", &path, err);
	if (rc == 0) {
		body = json_pack("{ss}", "password", buf_text(&fresh));
		if (own && body != NULL)
			json_object_set_new(body, "current", json_string(buf_text(&current)));
		rc = body == NULL ? err_set(err, ERR_USAGE, "the password must be UTF-8")
				  : cli_request(cli, "PUT", buf_text(&path), body, NULL, err);
	}
	json_decref(body);
	buf_wipe(&current);
	buf_wipe(&fresh);
	buf_done(&path);
	return rc;
}

int verb_user_password(struct cli *cli, struct err *err)
{
	char id[UUID_TEXT_BYTES];
	bool own = false;
	int rc = is_own(cli, &own, id, err);

	if (rc == 0 && !own)
		rc = find_user(cli, cli->arguments.words[0], id, err);
	if (rc == 0)
		rc = put_password(cli, id, own, err);
	return rc == 0 ? cli_say(cli, NULL, err, "password set: %s", cli->arguments.words[0]) : rc;
}

static int show_settings(struct cli *cli, json_t *json, struct err *err)
{
	static const struct column columns[] = {
		{ "NAME", "name", COLUMN_TEXT },       { "VALUE", "value", COLUMN_TEXT },
		{ "DEFAULT", "default", COLUMN_TEXT }, { "ALLOWED", "allowed", COLUMN_PROSE },
		{ "MEANING", "help", COLUMN_PROSE },   { NULL, "type", COLUMN_TEXT },
		{ NULL, "is_default", COLUMN_TEXT },
	};

	return list_show(cli, json, columns, COUNT_OF(columns), "No settings.", err);
}

int verb_settings_list(struct cli *cli, struct err *err)
{
	json_t *json = NULL;
	int rc = cli_request(cli, "GET", "/settings", NULL, &json, err);

	return rc == 0 ? show_settings(cli, json, err) : rc;
}

/* Of all settings those that were just changed: the person looks for them. */
static void keep_named(json_t *items, const json_t *named)
{
	for (size_t i = json_array_size(items); i-- > 0;) {
		if (json_object_get(named, cli_text(json_array_get(items, i), "name")) == NULL)
			json_array_remove(items, i);
	}
}

static int patch_settings(struct cli *cli, json_t *body, int rc, struct err *err)
{
	json_t *json = NULL;

	if (rc == 0)
		rc = cli_request(cli, "PATCH", "/settings", body, &json, err);
	if (rc == 0 && cli->output == OUTPUT_TABLE)
		keep_named(json_object_get(json, "items"), body);
	json_decref(body);
	return rc == 0 ? show_settings(cli, json, err) : rc;
}

int verb_settings_set(struct cli *cli, struct err *err)
{
	json_t *body = json_object();
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < cli->arguments.count; i++) {
		const char *word = cli->arguments.words[i], *value = strchr(word, '=');
		char name[128];

		if (value == NULL || value == word || (size_t)(value - word) >= sizeof(name)) {
			rc = err_set(err, ERR_USAGE, "'%.64s': expected NAME=VALUE", word);
			break;
		}
		memcpy(name, word, (size_t)(value - word));
		name[value - word] = '\0';
		if (json_object_set_new(body, name, json_string(value + 1)) != 0)
			rc = err_set(err, ERR_USAGE, "'%.64s' must be UTF-8", name);
	}
	return patch_settings(cli, body, rc, err);
}

int verb_settings_unset(struct cli *cli, struct err *err)
{
	json_t *body = json_object();
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < cli->arguments.count; i++) {
		if (json_object_set_new(body, cli->arguments.words[i], json_null()) != 0)
			rc = err_set(err, ERR_USAGE, "a name must be UTF-8");
	}
	return patch_settings(cli, body, rc, err);
}

int verb_system_show(struct cli *cli, struct err *err)
{
	json_t *json = NULL;
	int rc = cli_request(cli, "GET", "/system", NULL, &json, err);

	return rc == 0 ? cli_show(cli, json, err) : rc;
}

static int print_made(void (*make)(const struct cli_table *table, struct buf *out), struct err *err)
{
	struct buf out;
	int rc;

	buf_init(&out, TABLE_BYTES_MAX);
	make(&cli_table, &out);
	rc = cli_print(buf_text(&out), out.size, err);
	buf_done(&out);
	return rc;
}

int verb_completion(struct cli *cli, struct err *err)
{
	if (strcmp(cli->arguments.words[0], "bash") != 0)
		return err_set(err, ERR_USAGE, "completion is there for bash, not for '%.40s'",
			       cli->arguments.words[0]);
	return print_made(help_completion, err);
}

int verb_manual(struct cli *cli, struct err *err)
{
	(void)cli;
	return print_made(help_manual, err);
}
