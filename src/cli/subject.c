/* A policy or a computer, asked and changed. Answers are the manager's. */
#include "cli/subject.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define CHANGE_TRIES 5

/* --- which one --- */

/* The first item of this name, in any case. */
static bool find_named(const json_t *items, const char *given, char *id)
{
	struct uuid uuid;

	for (size_t i = 0; i < json_array_size(items); i++) {
		const char *name = json_string_value(json_object_get(json_array_get(items, i), "name"));
		const char *text = json_string_value(json_object_get(json_array_get(items, i), "id"));

		if (name == NULL || text == NULL || strcasecmp(name, given) != 0 || uuid_parse(text, &uuid, NULL) != 0)
			continue;
		uuid_format(&uuid, id);
		return true;
	}
	return false;
}

int subject_id(struct cli *cli, const char *list, const char *given, char *id, bool *ret_there, struct err *err)
{
	json_t *json = NULL;
	struct uuid uuid;
	int rc = 0;

	*ret_there = uuid_parse(given, &uuid, NULL) == 0;
	if (*ret_there) {
		uuid_format(&uuid, id);
		return 0;
	}
	rc = cli_request(cli, "GET", list, NULL, &json, err);
	if (rc == 0)
		*ret_there = find_named(json_object_get(json, "items"), given, id);
	json_decref(json);
	return rc;
}

int subject_policy(struct cli *cli, const char *given, char *id, struct err *err)
{
	bool there;
	int rc = subject_id(cli, "/policies", given, id, &there, err);

	if (rc == 0 && !there)
		rc = err_set(err, ERR_NOT_FOUND, "there is no policy '%.100s'; `muster policy tree` shows them", given);
	return rc;
}

/* "/policies/ID" or "/computers/ID" and rest, of the first argument. */
static int subject_path(struct cli *cli, bool computer, const char *rest, struct buf *path, struct err *err)
{
	char id[UUID_TEXT_BYTES];
	int rc;

	buf_init(path, 256);
	rc = computer ? find_computer(cli, cli->arguments.words[0], id, err)
		      : subject_policy(cli, cli->arguments.words[0], id, err);
	if (rc == 0)
		buf_printf(path, "/%s/%s%s", computer ? "computers" : "policies", id, rest);
	return rc;
}

int subject_ask(struct cli *cli, bool computer, const char *method, const char *rest, const json_t *body,
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
int subject_change(struct cli *cli, bool computer, const char *method, const char *rest, const json_t *body,
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
	int rc;

	if (cli->output == OUTPUT_JSON)
		return cli_show(cli, json, err);
	if (cli->output == OUTPUT_TABLE) {
		const char *parent = json_string_value(json_object_get(json, "parent"));

		rc = cli_say(cli, NULL, err,
			     "%.200s%s%.200s, version %" JSON_INTEGER_FORMAT ", %" JSON_INTEGER_FORMAT
			     " computers (%" JSON_INTEGER_FORMAT " applied, %" JSON_INTEGER_FORMAT
			     " sent, %" JSON_INTEGER_FORMAT " pending, %" JSON_INTEGER_FORMAT " failed)",
			     cli_text(json, "name"), parent != NULL ? " below " : "", parent != NULL ? parent : "",
			     json_integer_value(json_object_get(json, "version")),
			     json_integer_value(json_object_get(json, "computers")),
			     json_integer_value(json_object_get(json, "applied")),
			     json_integer_value(json_object_get(json, "sent")),
			     json_integer_value(json_object_get(json, "pending")),
			     json_integer_value(json_object_get(json, "failed")));
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

int subject_show(struct cli *cli, bool computer, json_t *json, struct err *err)
{
	if (!computer)
		return show_policy(cli, json, err);
	return list_show(cli, json, setting_columns, COUNT_OF(setting_columns), "No settings.", err);
}

int subject_change_shown(struct cli *cli, bool computer, const char *method, const char *rest, json_t *body,
			 struct err *err)
{
	json_t *json = NULL;
	int rc = subject_change(cli, computer, method, rest, body, &json, err);

	json_decref(body);
	return rc == 0 ? subject_show(cli, computer, json, err) : rc;
}

void subject_describe(const json_t *changes, struct buf *out)
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
