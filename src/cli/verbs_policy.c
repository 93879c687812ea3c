/* Policies, what they and computers override, and what that comes to. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "cli/cli.h"

#define FILE_MAX_BYTES (1024 * 1024)
#define CHANGE_TRIES   5

/* --- showing --- */

/* For people an inherited value says so. */
static void mark_inherited(const struct cli *cli, json_t *settings)
{
	for (size_t i = 0; cli->output == OUTPUT_TABLE && i < json_array_size(settings); i++) {
		json_t *setting = json_array_get(settings, i);
		const char *value = json_string_value(json_object_get(setting, "value"));

		if (value != NULL && !json_is_true(json_object_get(setting, "own")))
			json_object_set_new(setting, "value", json_sprintf("Inherited (%s)", value));
	}
}

static const struct column setting_columns[] = {
	{ "SETTING", "name", COLUMN_TEXT },   { "VALUE", "value", COLUMN_TEXT },  { "ORIGIN", "origin", COLUMN_TEXT },
	{ NULL, "origin_kind", COLUMN_TEXT }, { NULL, "inherited", COLUMN_TEXT }, { NULL, "own", COLUMN_TEXT },
};

/* A policy: what it is on one line for people, then its settings. Takes json over. */
static int show_policy(struct cli *cli, json_t *json, struct err *err)
{
	json_t *settings = json_object_get(json, "settings");
	char line[512];
	int rc;

	if (cli->output == OUTPUT_JSON)
		return cli_show(cli, json, err);
	if (cli->output == OUTPUT_TABLE) {
		const char *parent = json_string_value(json_object_get(json, "parent"));
		const char *name = json_string_value(json_object_get(json, "name"));

		snprintf(line, sizeof(line),
			 "%.200s%s%.200s, version %" JSON_INTEGER_FORMAT ", %" JSON_INTEGER_FORMAT
			 " computers (%" JSON_INTEGER_FORMAT " applied, %" JSON_INTEGER_FORMAT
			 " sent, %" JSON_INTEGER_FORMAT " pending, %" JSON_INTEGER_FORMAT " failed)\n",
			 name != NULL ? name : "", parent != NULL ? " below " : "", parent != NULL ? parent : "",
			 json_integer_value(json_object_get(json, "version")),
			 json_integer_value(json_object_get(json, "computers")),
			 json_integer_value(json_object_get(json, "applied")),
			 json_integer_value(json_object_get(json, "sent")),
			 json_integer_value(json_object_get(json, "pending")),
			 json_integer_value(json_object_get(json, "failed")));
		rc = cli_print(line, strlen(line), err);
		if (rc != 0) {
			json_decref(json);
			return rc;
		}
	}
	mark_inherited(cli, settings);
	settings = json_pack("{sO}", "items", settings != NULL ? settings : json_null());
	json_decref(json);
	return list_show(cli, settings, setting_columns, COUNT_OF(setting_columns), "No settings.", err);
}

/* --- which one --- */

/* The first item of this name, in any case. ERR_NOT_FOUND. */
static int find_named(const json_t *items, const char *given, char id[UUID_TEXT_BYTES])
{
	struct uuid uuid;

	for (size_t i = 0; i < json_array_size(items); i++) {
		const char *name = json_string_value(json_object_get(json_array_get(items, i), "name"));
		const char *text = json_string_value(json_object_get(json_array_get(items, i), "id"));

		if (name == NULL || text == NULL || strcasecmp(name, given) != 0 || uuid_parse(text, &uuid, NULL) != 0)
			continue;
		uuid_format(&uuid, id);
		return 0;
	}
	return ERR_NOT_FOUND;
}

static int policy_id(struct cli *cli, const char *given, char id[UUID_TEXT_BYTES], struct err *err)
{
	json_t *json = NULL;
	struct uuid uuid;
	int rc;

	if (uuid_parse(given, &uuid, NULL) == 0) {
		uuid_format(&uuid, id);
		return 0;
	}
	rc = cli_request(cli, "GET", "/policies", NULL, &json, err);
	if (rc != 0)
		return rc;
	rc = find_named(json_object_get(json, "items"), given, id);
	json_decref(json);
	return rc == 0 ? 0 : err_set(err, rc, "there is no policy '%.100s'; `muster policy tree` shows them", given);
}

/* "/policies/ID" or "/computers/ID" and rest, of the first argument. */
static int subject_path(struct cli *cli, bool computer, const char *rest, struct buf *path, struct err *err)
{
	char id[UUID_TEXT_BYTES];
	int rc;

	buf_init(path, 256);
	rc = computer ? find_computer(cli, cli->arguments.words[0], id, err)
		      : policy_id(cli, cli->arguments.words[0], id, err);
	if (rc == 0)
		buf_printf(path, "/%s/%s%s", computer ? "computers" : "policies", id, rest);
	return rc;
}

static int ask_subject(struct cli *cli, bool computer, const char *method, const char *rest, const json_t *body,
		       json_t **ret_json, struct err *err)
{
	struct buf path;
	int rc = subject_path(cli, computer, rest, &path, err);

	if (rc == 0)
		rc = cli_request(cli, method, buf_text(&path), body, ret_json, err);
	buf_done(&path);
	return rc;
}

/* --- changing what nobody else changed meanwhile --- */

/* What a change starts from: the version, and what the policy or computer itself says of the settings that change. */
struct before {
	uint64_t version;
	json_t *values; /* name to value, null: inherited */
};

static int read_before(struct cli *cli, const char *path, const json_t *settings, struct before *ret_before,
		       struct err *err)
{
	json_t *json = NULL, *shown;
	int rc = cli_request(cli, "GET", path, NULL, &json, err);

	if (rc != 0)
		return rc;
	ret_before->version = (uint64_t)json_integer_value(json_object_get(json, "version"));
	ret_before->values = json_object();
	shown = json_object_get(json, "settings");
	for (size_t i = 0; i < json_array_size(shown); i++) {
		const json_t *setting = json_array_get(shown, i);
		const char *name = json_string_value(json_object_get(setting, "name"));
		bool own = json_is_true(json_object_get(setting, "own"));

		if (name != NULL && json_object_get(settings, name) != NULL)
			json_object_set(ret_before->values, name,
					own ? json_object_get(setting, "value") : json_null());
	}
	json_decref(json);
	return 0;
}

/* Asks once more if somebody else changed something that this does not touch; *ret_again. A change of a name, a parent
 * or a policy is not made over another's. */
static int look_again(struct cli *cli, const char *path, const json_t *settings, struct before *before, bool *ret_again,
		      struct err *err)
{
	struct before now = { 0 };
	struct err unread = { 0 };
	int rc = read_before(cli, path, settings, &now, &unread);

	*ret_again =
	    rc == 0 && settings != NULL && now.version != before->version && json_equal(now.values, before->values);
	if (rc == 0 && now.version != before->version && !*ret_again)
		err_set(err, ERR_CONFLICT,
			"somebody else changed it just now (version %" PRIu64 ", was %" PRIu64
			"): nothing was changed; look at its history and try again",
			now.version, before->version);
	before->version = now.version;
	json_decref(now.values);
	return rc;
}

/* Sends the change for the version that is there; body's settings, if it has any, decide whether it may be repeated. */
static int change_subject(struct cli *cli, bool computer, const char *method, const char *rest, const json_t *body,
			  json_t **ret_json, struct err *err)
{
	const json_t *settings = json_object_get(body, "settings");
	struct before before = { 0 };
	struct buf path, shown;
	bool again = true;
	int rc = subject_path(cli, computer, "", &path, err);

	buf_init(&shown, 256);
	buf_printf(&shown, "%s%s", buf_text(&path), computer ? "/settings" : "");
	buf_append_text(&path, rest);
	if (rc == 0)
		rc = read_before(cli, buf_text(&shown), settings, &before, err);
	for (unsigned tries = 0; rc == 0 && again && tries < CHANGE_TRIES; tries++) {
		again = false;
		rc = client_request_if(cli->client, method, buf_text(&path), before.version, body, ret_json, err);
		if (rc == ERR_CONFLICT && look_again(cli, buf_text(&shown), settings, &before, &again, err) == 0 &&
		    again)
			rc = 0;
	}
	if (rc == 0 && again)
		rc = err_set(err, ERR_CONFLICT, "others change it all the time: nothing was changed; try again");
	json_decref(before.values);
	buf_done(&path);
	buf_done(&shown);
	return rc;
}

static int show_effective(struct cli *cli, json_t *json, struct err *err)
{
	return list_show(cli, json, setting_columns, COUNT_OF(setting_columns), "No settings.", err);
}

/* --- looking --- */

int verb_policy_list(struct cli *cli, struct err *err)
{
	static const struct column columns[] = {
		{ "NAME", "name", COLUMN_TEXT },
		{ "PARENT", "parent", COLUMN_TEXT },
		{ "SETS", "overrides", COLUMN_NUMBER },
		{ "COMPUTERS", "computers", COLUMN_NUMBER },
		{ "APPLIED", "applied", COLUMN_NUMBER },
		{ "SENT", "sent", COLUMN_NUMBER },
		{ "PENDING", "pending", COLUMN_NUMBER },
		{ "FAILED", "failed", COLUMN_NUMBER },
		{ NULL, "id", COLUMN_ID },
		{ NULL, "depth", COLUMN_NUMBER },
	};
	json_t *json = NULL;
	int rc = cli_request(cli, "GET", "/policies", NULL, &json, err);

	return rc == 0 ? list_show(cli, json, columns, COUNT_OF(columns), "No policies.", err) : rc;
}

int verb_policy_tree(struct cli *cli, struct err *err)
{
	static const struct column columns[] = {
		{ "POLICY", "tree", COLUMN_TEXT },
		{ "SETS", "overrides", COLUMN_NUMBER },
		{ "COMPUTERS", "computers", COLUMN_NUMBER },
		{ "NOT APPLIED", "not_applied", COLUMN_NUMBER },
	};
	json_t *json = NULL, *items;
	int rc = cli_request(cli, "GET", "/policies", NULL, &json, err);

	if (rc != 0)
		return rc;
	if (cli->output != OUTPUT_TABLE) {
		json_decref(json);
		return verb_policy_list(cli, err);
	}
	items = json_object_get(json, "items");
	for (size_t i = 0; i < json_array_size(items); i++) {
		json_t *item = json_array_get(items, i);
		const char *name = json_string_value(json_object_get(item, "name"));
		int depth = (int)json_integer_value(json_object_get(item, "depth"));

		json_object_set_new(item, "tree",
				    json_sprintf("%*s%s", depth < 40 ? 2 * depth : 80, "", name != NULL ? name : ""));
		json_object_set_new(item, "not_applied",
				    json_integer(json_integer_value(json_object_get(item, "computers")) -
						 json_integer_value(json_object_get(item, "applied"))));
	}
	return list_show(cli, json, columns, COUNT_OF(columns), "No policies.", err);
}

int verb_policy_show(struct cli *cli, struct err *err)
{
	json_t *json = NULL;
	int rc = ask_subject(cli, false, "GET", "", NULL, &json, err);

	return rc == 0 ? show_policy(cli, json, err) : rc;
}

int verb_policy_settings(struct cli *cli, struct err *err)
{
	static const struct column columns[] = {
		{ "SETTING", "name", COLUMN_TEXT },    { "ALLOWED", "allowed", COLUMN_TEXT },
		{ "DEFAULT", "default", COLUMN_TEXT }, { "MEANING", "help", COLUMN_TEXT },
		{ NULL, "type", COLUMN_TEXT },         { NULL, "applied_by", COLUMN_TEXT },
		{ NULL, "unit", COLUMN_TEXT },
	};
	json_t *json = NULL;
	int rc = cli_request(cli, "GET", "/policy-settings", NULL, &json, err);

	return rc == 0 ? list_show(cli, json, columns, COUNT_OF(columns), "No settings.", err) : rc;
}

int verb_policy_diff(struct cli *cli, struct err *err)
{
	static const struct column columns[] = {
		{ "SETTING", "name", COLUMN_TEXT },  { "FIRST", "a", COLUMN_TEXT },
		{ "FROM", "a_origin", COLUMN_TEXT }, { "SECOND", "b", COLUMN_TEXT },
		{ "FROM", "b_origin", COLUMN_TEXT },
	};
	json_t *json = NULL;
	struct buf path;
	int rc = 0;

	buf_init(&path, 4096);
	buf_append_text(&path, "/policies/difference");
	for (size_t i = 0; rc == 0 && i < 2; i++) {
		char id[UUID_TEXT_BYTES];
		struct err unknown = { 0 };

		/* A policy, else a computer. */
		rc = policy_id(cli, cli->arguments.words[i], id, &unknown);
		if (rc == ERR_NOT_FOUND)
			rc = find_computer(cli, cli->arguments.words[i], id, err);
		else if (rc != 0)
			err_set(err, rc, "%s", unknown.text);
		if (rc == 0)
			query_add(&path, i == 0 ? "a" : "b", id);
	}
	if (rc == 0)
		rc = cli_request(cli, "GET", buf_text(&path), NULL, &json, err);
	buf_done(&path);
	return rc == 0 ? list_show(cli, json, columns, COUNT_OF(columns), "No difference.", err) : rc;
}

int verb_policy_overrides(struct cli *cli, struct err *err)
{
	static const struct list_parameter parameters[] = { { "setting", LIST_PLAIN }, { "kind", LIST_PLAIN } };
	static const struct column columns[] = {
		{ "SETTING", "setting", COLUMN_TEXT }, { "OF", "kind", COLUMN_TEXT }, { "NAME", "name", COLUMN_TEXT },
		{ "VALUE", "value", COLUMN_TEXT },     { "ID", "id", COLUMN_ID },
	};
	static const struct list list = { "/policies/overrides", parameters,     COUNT_OF(parameters), columns,
					  COUNT_OF(columns),     "No overrides." };

	return list_run(cli, &list, err);
}

/* "scan.cpu_limit: 50 (was inherited); …" */
static void describe_changes(const json_t *changes, struct buf *out)
{
	for (size_t i = 0; i < json_array_size(changes); i++) {
		const json_t *change = json_array_get(changes, i);
		const char *name = json_string_value(json_object_get(change, "name"));
		const char *old = json_string_value(json_object_get(change, "old"));
		const char *new = json_string_value(json_object_get(change, "new"));

		buf_append_text(out, i > 0 ? "; " : "");
		table_clean(name != NULL ? name : "", out);
		buf_append_text(out, ": ");
		table_clean(new != NULL ? new : "inherited", out);
		/* Settings are inherited where they are not set; a name is not. */
		if (old == NULL && name != NULL && strchr(name, '.') == NULL)
			continue;
		buf_append_text(out, " (was ");
		table_clean(old != NULL ? old : "inherited", out);
		buf_append_text(out, ")");
	}
}

static int show_history(struct cli *cli, bool computer, struct err *err)
{
	static const struct column columns[] = {
		{ "VERSION", "version", COLUMN_NUMBER }, { "TIME", "time", COLUMN_TIME },
		{ "BY", "actor", COLUMN_TEXT },          { "ACTION", "action", COLUMN_TEXT },
		{ "WHAT", "what", COLUMN_TEXT },
	};
	json_t *json = NULL, *items;
	int rc = ask_subject(cli, computer, "GET", "/history", NULL, &json, err);

	if (rc != 0)
		return rc;
	items = json_object_get(json, "items");
	for (size_t i = 0; cli->output != OUTPUT_JSON && i < json_array_size(items); i++) {
		json_t *item = json_array_get(items, i);
		struct buf text;

		buf_init(&text, 64 * 1024);
		describe_changes(json_object_get(item, "changes"), &text);
		json_object_set_new(item, "what", json_string(buf_text(&text)));
		buf_done(&text);
	}
	return list_show(cli, json, columns, COUNT_OF(columns), "Never changed.", err);
}

int verb_policy_history(struct cli *cli, struct err *err)
{
	return show_history(cli, false, err);
}

int verb_computer_history(struct cli *cli, struct err *err)
{
	return show_history(cli, true, err);
}

int verb_computer_effective(struct cli *cli, struct err *err)
{
	json_t *json = NULL;
	int rc = ask_subject(cli, true, "GET", "/settings", NULL, &json, err);

	return rc == 0 ? show_effective(cli, json, err) : rc;
}

/* --- changing --- */

/* NAME alone: its value is a password, which does not stand where others see it. */
static int read_password(struct cli *cli, const char *name, bool first, json_t **ret_value, struct err *err)
{
	struct buf password;
	int rc = first ? secret_ask_new(cli_option(cli, "password-file"), &password, err)
		       : err_set(err, ERR_USAGE, "'%.64s': expected NAME=VALUE", name);

	if (!first)
		return rc;
	if (rc == 0)
		*ret_value = json_string(buf_text(&password));
	buf_wipe(&password);
	return rc;
}

/* One word; unset: inherited again. */
static int add_setting(struct cli *cli, const char *word, bool unset, bool *password_read, json_t *settings,
		       struct err *err)
{
	size_t size = unset ? strlen(word) : strcspn(word, "=");
	json_t *value = json_null();
	char name[128];
	int rc = 0;

	if (size == 0 || size >= sizeof(name))
		return err_set(err, ERR_USAGE, "'%.64s': expected NAME=VALUE", word);
	memcpy(name, word, size);
	name[size] = '\0';
	if (json_object_get(settings, name) != NULL)
		return err_set(err, ERR_USAGE, "'%.64s' is given twice", name);
	if (!unset && word[size] == '=') {
		value = json_string(word + size + 1);
	} else if (!unset) {
		rc = read_password(cli, name, !*password_read, &value, err);
		*password_read = true;
	}
	if (rc == 0 && json_object_set_new(settings, name, value) != 0)
		rc = err_set(err, ERR_USAGE, "'%.64s' is not UTF-8", name);
	return rc;
}

/* {"settings": {...}} of NAME=VALUE words, or of NAME words to be inherited again. */
static int settings_body(struct cli *cli, bool unset, json_t **ret_body, struct err *err)
{
	json_t *settings = json_object();
	bool password_read = false;
	int rc = 0;

	for (size_t i = 1; rc == 0 && i < cli->arguments.count; i++)
		rc = add_setting(cli, cli->arguments.words[i], unset, &password_read, settings, err);
	if (rc == 0 && !unset && !password_read && cli_option(cli, "password-file") != NULL)
		rc = err_set(err, ERR_USAGE, "--password-file is for a setting that is given as NAME alone");
	if (rc != 0)
		json_decref(settings);
	else
		*ret_body = json_pack("{so}", "settings", settings);
	return rc;
}

static int change_settings(struct cli *cli, bool computer, bool unset, struct err *err)
{
	json_t *body = NULL, *json = NULL;
	int rc = settings_body(cli, unset, &body, err);

	if (rc == 0)
		rc = change_subject(cli, computer, "PATCH", "", body, &json, err);
	json_decref(body);
	if (rc != 0)
		return rc;
	return computer ? show_effective(cli, json, err) : show_policy(cli, json, err);
}

int verb_policy_set(struct cli *cli, struct err *err)
{
	return change_settings(cli, false, false, err);
}

int verb_policy_unset(struct cli *cli, struct err *err)
{
	return change_settings(cli, false, true, err);
}

int verb_computer_set(struct cli *cli, struct err *err)
{
	return change_settings(cli, true, false, err);
}

int verb_computer_unset(struct cli *cli, struct err *err)
{
	return change_settings(cli, true, true, err);
}

int verb_policy_create(struct cli *cli, struct err *err)
{
	json_t *body = json_pack("{ss}", "name", cli->arguments.words[0]), *json = NULL;
	int rc;

	if (body == NULL)
		return err_set(err, ERR_USAGE, "the name must be UTF-8");
	if (cli_option(cli, "parent") != NULL)
		json_object_set_new(body, "parent", json_string(cli_option(cli, "parent")));
	rc = cli_request(cli, "POST", "/policies", body, &json, err);
	json_decref(body);
	if (rc != 0)
		return rc;
	rc = cli->output == OUTPUT_TABLE ? cli_say(cli, NULL, err, "policy %s created", cli->arguments.words[0])
					 : cli_show(cli, json_incref(json), err);
	json_decref(json);
	return rc;
}

int verb_policy_delete(struct cli *cli, struct err *err)
{
	int rc = cli_confirm(cli, err, "Delete the policy %s?", cli->arguments.words[0]);

	if (rc == 0)
		rc = change_subject(cli, false, "DELETE", "", NULL, NULL, err);
	return rc == 0 ? cli_say(cli, NULL, err, "policy %s deleted", cli->arguments.words[0]) : rc;
}

/* PATCH with one member, the second argument. */
static int change_member(struct cli *cli, bool computer, const char *member, struct err *err)
{
	json_t *body = json_pack("{ss}", member, cli->arguments.words[1]), *json = NULL;
	int rc;

	if (body == NULL)
		return err_set(err, ERR_USAGE, "the name must be UTF-8");
	rc = change_subject(cli, computer, "PATCH", "", body, &json, err);
	json_decref(body);
	if (rc != 0)
		return rc;
	return computer ? show_effective(cli, json, err) : show_policy(cli, json, err);
}

int verb_policy_rename(struct cli *cli, struct err *err)
{
	return change_member(cli, false, "name", err);
}

int verb_policy_move(struct cli *cli, struct err *err)
{
	return change_member(cli, false, "parent", err);
}

int verb_computer_assign(struct cli *cli, struct err *err)
{
	return change_member(cli, true, "policy", err);
}

int verb_computer_appliance(struct cli *cli, struct err *err)
{
	const char *given = cli->arguments.words[1];
	bool appliance = strcmp(given, "yes") == 0;
	json_t *body, *json = NULL;
	int rc;

	if (!appliance && strcmp(given, "no") != 0)
		return err_set(err, ERR_USAGE, "'%.40s' is neither yes nor no", given);
	body = json_pack("{sb}", "appliance", appliance);
	rc = change_subject(cli, true, "PATCH", "", body, &json, err);
	json_decref(body);
	return rc == 0 ? show_effective(cli, json, err) : rc;
}

static int revert(struct cli *cli, bool computer, struct err *err)
{
	json_t *body, *json = NULL;
	uint64_t version;
	int rc = number_parse(cli->arguments.words[1], 1, INT64_MAX, &version, NULL);

	if (rc != 0)
		return err_set(err, ERR_USAGE, "'%.40s' is not a version; the history lists them",
			       cli->arguments.words[1]);
	body = json_pack("{sI}", "version", (json_int_t)version);
	rc = change_subject(cli, computer, "POST", "/revert", body, &json, err);
	json_decref(body);
	if (rc != 0)
		return rc;
	return computer ? show_effective(cli, json, err) : show_policy(cli, json, err);
}

int verb_policy_revert(struct cli *cli, struct err *err)
{
	return revert(cli, false, err);
}

int verb_computer_revert(struct cli *cli, struct err *err)
{
	return revert(cli, true, err);
}

/* --- deleted ones --- */

int verb_policy_deleted(struct cli *cli, struct err *err)
{
	static const struct column columns[] = {
		{ "NAME", "name", COLUMN_TEXT },        { "PARENT", "parent", COLUMN_TEXT },
		{ "SETS", "overrides", COLUMN_NUMBER }, { "DELETED", "deleted", COLUMN_TIME },
		{ "BY", "deleted_by", COLUMN_TEXT },    { "ID", "id", COLUMN_ID },
		{ NULL, "version", COLUMN_NUMBER },
	};
	json_t *json = NULL;
	int rc = cli_request(cli, "GET", "/policies/deleted", NULL, &json, err);

	return rc == 0 ? list_show(cli, json, columns, COUNT_OF(columns), "No deleted policies.", err) : rc;
}

/* Of several with the name the last one deleted: the manager lists it first. */
static int deleted_id(struct cli *cli, const char *given, char id[UUID_TEXT_BYTES], struct err *err)
{
	json_t *json = NULL;
	struct uuid uuid;
	int rc;

	if (uuid_parse(given, &uuid, NULL) == 0) {
		uuid_format(&uuid, id);
		return 0;
	}
	rc = cli_request(cli, "GET", "/policies/deleted", NULL, &json, err);
	if (rc != 0)
		return rc;
	rc = find_named(json_object_get(json, "items"), given, id);
	json_decref(json);
	return rc == 0
		   ? 0
		   : err_set(err, rc, "no policy '%.100s' was deleted; `muster policy deleted` shows those that were",
			     given);
}

int verb_policy_restore(struct cli *cli, struct err *err)
{
	static const char *const members[] = { "name", "parent" };
	char id[UUID_TEXT_BYTES];
	json_t *body = json_object(), *json = NULL;
	struct buf path;
	int rc = deleted_id(cli, cli->arguments.words[0], id, err);

	for (size_t i = 0; i < COUNT_OF(members); i++) {
		if (cli_option(cli, members[i]) != NULL)
			json_object_set_new(body, members[i], json_string(cli_option(cli, members[i])));
	}
	buf_init(&path, 256);
	buf_printf(&path, "/policies/%s/restore", id);
	if (rc == 0)
		rc = cli_request(cli, "POST", buf_text(&path), body, &json, err);
	buf_done(&path);
	json_decref(body);
	return rc == 0 ? show_policy(cli, json, err) : rc;
}

/* --- as a file describes --- */

static int read_description(const char *file, json_t **ret_policies, struct err *err)
{
	FILE *in = strcmp(file, "-") == 0 ? stdin : fopen(file, "re");
	json_error_t where;
	json_t *json;
	struct buf text;
	uint8_t *room;
	size_t got;
	int rc = 0;

	if (in == NULL)
		return err_set(err, ERR_NOT_FOUND, "%.200s cannot be read", file);
	buf_init(&text, FILE_MAX_BYTES);
	while ((room = buf_room(&text, 4096)) != NULL && (got = fread(room, 1, 4096, in)) > 0)
		buf_grow(&text, got);
	if (in != stdin)
		fclose(in);
	if (text.status != 0)
		rc = err_set(err, ERR_LIMIT, "%.200s is larger than 1 MB", file);
	json = rc == 0 ? json_loadb(buf_text(&text), text.size, JSON_REJECT_DUPLICATES, &where) : NULL;
	if (rc == 0 && json == NULL)
		rc = err_set(err, ERR_USAGE, "%.200s:%d:%d: %s", file, where.line, where.column, where.text);
	if (rc == 0 && json_is_object(json))
		*ret_policies = json_incref(json_object_get(json, "policies"));
	else if (rc == 0)
		*ret_policies = json_incref(json);
	if (rc == 0 && !json_is_array(*ret_policies)) {
		json_decref(*ret_policies);
		rc =
		    err_set(err, ERR_USAGE,
			    "%.200s: expected {\"policies\": [{\"name\": …, \"parent\": …, \"settings\": {…}}]}", file);
	}
	json_decref(json);
	buf_done(&text);
	return rc;
}

static int ask_apply(struct cli *cli, json_t *policies, bool dry_run, json_t **ret_result, struct err *err)
{
	json_t *body = json_pack("{sO, sb}", "policies", policies, "dry_run", dry_run);
	int rc = cli_request(cli, "POST", "/policies/apply", body, ret_result, err);

	json_decref(body);
	return rc;
}

static int show_result(const json_t *result, struct err *err)
{
	const json_t *changed = json_object_get(result, "changes");
	struct buf out;
	int rc;

	buf_init(&out, TABLE_BYTES_MAX);
	for (size_t i = 0; i < json_array_size(changed); i++) {
		const json_t *policy = json_array_get(changed, i);
		const char *name = json_string_value(json_object_get(policy, "name"));
		const char *action = json_string_value(json_object_get(policy, "action"));

		table_clean(name != NULL ? name : "", &out);
		buf_printf(&out, " (%s): ", action != NULL && strcmp(action, "create") == 0 ? "new" : "changed");
		describe_changes(json_object_get(policy, "changes"), &out);
		buf_append_text(&out, "\n");
	}
	buf_printf(&out, "%" JSON_INTEGER_FORMAT " computers affected, %" JSON_INTEGER_FORMAT " agents to be told\n",
		   json_integer_value(json_object_get(result, "affected")),
		   json_integer_value(json_object_get(result, "contacted")));
	rc = cli_print(buf_text(&out), out.size, err);
	buf_done(&out);
	return rc;
}

int verb_policy_apply(struct cli *cli, struct err *err)
{
	const char *file = cli_option(cli, "f");
	json_t *policies = NULL, *result = NULL;
	int rc;

	if (file == NULL)
		return err_set(err, ERR_USAGE, "-f FILE is needed");
	rc = read_description(file, &policies, err);
	if (rc == 0)
		rc = ask_apply(cli, policies, true, &result, err);
	if (rc == 0 && json_array_size(json_object_get(result, "changes")) == 0) {
		json_decref(policies);
		return cli_say(cli, result, err, "Nothing changes.");
	}
	if (rc == 0 && cli->output == OUTPUT_TABLE)
		rc = show_result(result, err);
	if (rc == 0 && cli_flag(cli, "dry-run")) {
		json_decref(policies);
		if (cli->output == OUTPUT_TABLE)
			json_decref(result);
		return cli->output == OUTPUT_TABLE ? 0 : cli_show(cli, result, err);
	}
	json_decref(result);
	result = NULL;
	if (rc == 0)
		rc = cli_confirm(cli, err, "Apply these changes?");
	if (rc == 0)
		rc = ask_apply(cli, policies, false, &result, err);
	json_decref(policies);
	return rc == 0 ? cli_say(cli, result, err, "Applied.") : rc;
}
