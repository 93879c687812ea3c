/* Policies: looking at them, making, deleting and describing them. */
#include <stdio.h>
#include <string.h>

#include "cli/subject.h"

#define FILE_MAX_BYTES (1024 * 1024)

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
		uint64_t depth = (uint64_t)json_integer_value(json_object_get(item, "depth"));
		uint64_t computers = (uint64_t)json_integer_value(json_object_get(item, "computers")),
			 applied = (uint64_t)json_integer_value(json_object_get(item, "applied"));

		json_object_set_new(
		    item, "tree",
		    json_sprintf("%*s%s", depth < 40 ? 2 * (int)depth : 80, "", name != NULL ? name : ""));
		json_object_set_new(item, "not_applied", json_integer((json_int_t)(computers - applied)));
	}
	return list_show(cli, json, columns, COUNT_OF(columns), "No policies.", err);
}

int verb_policy_show(struct cli *cli, struct err *err)
{
	json_t *json = NULL;
	int rc = subject_ask(cli, false, "GET", "", NULL, &json, err);

	return rc == 0 ? subject_show(cli, false, json, err) : rc;
}

int verb_policy_settings(struct cli *cli, struct err *err)
{
	static const struct column columns[] = {
		{ "SETTING", "name", COLUMN_TEXT },    { "ALLOWED", "allowed", COLUMN_PROSE },
		{ "DEFAULT", "default", COLUMN_TEXT }, { "MEANING", "help", COLUMN_PROSE },
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
		rc = subject_policy(cli, cli->arguments.words[i], id, &unknown);
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
/* --- making and deleting --- */

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
		rc = subject_change(cli, false, "DELETE", "", NULL, NULL, err);
	return rc == 0 ? cli_say(cli, NULL, err, "policy %s deleted", cli->arguments.words[0]) : rc;
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
	bool there;
	int rc = subject_id(cli, "/policies/deleted", given, id, &there, err);

	if (rc == 0 && !there)
		rc = err_set(err, ERR_NOT_FOUND,
			     "no policy '%.100s' was deleted; `muster policy deleted` shows those that were", given);
	return rc;
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
	return rc == 0 ? subject_show(cli, false, json, err) : rc;
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
		subject_describe(json_object_get(policy, "changes"), &out);
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
