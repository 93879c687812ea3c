/* Alerts, their types, and what is done with events of each type. */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"

int verb_alert_list(struct cli *cli, struct err *err)
{
	static const struct list_parameter parameters[] = {
		{ "state", LIST_PLAIN },       { "type", LIST_PLAIN },   { "severity", LIST_PLAIN },
		{ "computer", LIST_COMPUTER }, { "since", LIST_MOMENT },
	};
	static const struct column columns[] = {
		{ "RAISED", "raised", COLUMN_TIME },
		{ "SEVERITY", "severity", COLUMN_TEXT },
		{ "STATE", "state", COLUMN_TEXT },
		{ "ALERT", "text", COLUMN_TEXT },
		{ "ID", "id", COLUMN_ID },
		{ NULL, "type", COLUMN_TEXT },
		{ NULL, "computer", COLUMN_ID },
		{ NULL, "computer_name", COLUMN_TEXT },
		{ NULL, "subject", COLUMN_TEXT },
		{ NULL, "detail", COLUMN_TEXT },
		{ NULL, "dismissible", COLUMN_TEXT },
		{ NULL, "resolved", COLUMN_TIME },
		{ NULL, "dismissed_by", COLUMN_TEXT },
	};
	static const struct list list = { "/alerts", parameters,        COUNT_OF(parameters),
					  columns,   COUNT_OF(columns), "No alerts." };

	return list_run(cli, &list, err);
}

int verb_alert_show(struct cli *cli, struct err *err)
{
	json_t *json = NULL;
	struct buf path;
	int rc;

	buf_init(&path, 256);
	rc = cli_id_path("/alerts", cli->arguments.words[0], "", &path, err);
	if (rc == 0)
		rc = cli_request(cli, "GET", buf_text(&path), NULL, &json, err);
	buf_done(&path);
	return rc == 0 ? cli_show(cli, json, err) : rc;
}

int verb_alert_dismiss(struct cli *cli, struct err *err)
{
	json_t *json = NULL;
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < cli->arguments.count; i++) {
		struct buf path;

		buf_init(&path, 256);
		rc = cli_id_path("/alerts", cli->arguments.words[i], "/dismiss", &path, err);
		if (rc == 0)
			rc = cli_request(cli, "POST", buf_text(&path), NULL, &json, err);
		buf_done(&path);
		if (rc == 0)
			rc = cli_say(cli, json, err, "dismissed: %s", cli->arguments.words[i]);
	}
	return rc;
}

int verb_alert_summary(struct cli *cli, struct err *err)
{
	static const struct column columns[] = {
		{ "SINCE", "raised", COLUMN_TIME },    { "SEVERITY", "severity", COLUMN_TEXT },
		{ "ALERTS", "alerts", COLUMN_NUMBER }, { "WHAT", "text", COLUMN_TEXT },
		{ NULL, "type", COLUMN_TEXT },
	};
	json_t *json = NULL;
	int rc = cli_request(cli, "GET", "/alerts/summary", NULL, &json, err);

	return rc == 0 ? list_show(cli, json, columns, COUNT_OF(columns), "No open alerts.", err) : rc;
}

static const struct column type_columns[] = {
	{ "TYPE", "type", COLUMN_TEXT },
	{ "SEVERITY", "severity", COLUMN_TEXT },
	{ "ENABLED", "enabled", COLUMN_TEXT },
	{ "DISMISSIBLE", "dismissible", COLUMN_TEXT },
	{ "ENDS BY ITSELF", "resolves", COLUMN_TEXT },
	{ "MEANING", "title", COLUMN_TEXT },
	{ NULL, "default_severity", COLUMN_TEXT },
	{ NULL, "is_default", COLUMN_TEXT },
};

int verb_alert_types(struct cli *cli, struct err *err)
{
	json_t *json = NULL;
	int rc = cli_request(cli, "GET", "/alert-types", NULL, &json, err);

	return rc == 0 ? list_show(cli, json, type_columns, COUNT_OF(type_columns), "No types.", err) : rc;
}

/* --- "TYPE NAME=VALUE..." as the body of a change --- */

static int add_switch(json_t *body, const char *name, const char *value, struct err *err)
{
	bool on = strcmp(value, "on") == 0 || strcmp(value, "true") == 0 || strcmp(value, "yes") == 0;

	if (!on && strcmp(value, "off") != 0 && strcmp(value, "false") != 0 && strcmp(value, "no") != 0)
		return err_set(err, ERR_USAGE, "%s=%.40s: expected on or off", name, value);
	json_object_set_new(body, name, json_boolean(on));
	return 0;
}

static int add_change(json_t *body, const char *word, const char *const *switches, struct err *err)
{
	const char *value = strchr(word, '=');

	for (; value != NULL && *switches != NULL; switches++) {
		size_t size = strlen(*switches);

		if (strncmp(word, *switches, size) == 0 && word[size] == '=')
			return add_switch(body, *switches, value + 1, err);
	}
	if (strncmp(word, "severity=", 9) != 0)
		return err_set(err, ERR_USAGE, "'%.64s' is nothing that can be set; see --help", word);
	json_object_set_new(body, "severity", json_string(value + 1));
	return 0;
}

/* Only letters, digits and _ stand in a type's name: nothing else goes into a path. */
static int type_path(const char *collection, const char *type, struct buf *path, struct err *err)
{
	if (type[0] == '\0' || strspn(type, "abcdefghijklmnopqrstuvwxyz0123456789_") != strlen(type))
		return err_set(err, ERR_USAGE, "'%.64s' is not the name of a type", type);
	return buf_printf(path, "%s/%s", collection, type);
}

static int set_type(struct cli *cli, const char *collection, const char *const *switches, json_t **ret_json,
		    struct err *err)
{
	json_t *body = json_object();
	struct buf path;
	int rc;

	buf_init(&path, 256);
	rc = type_path(collection, cli->arguments.words[0], &path, err);
	for (size_t i = 1; rc == 0 && i < cli->arguments.count; i++)
		rc = add_change(body, cli->arguments.words[i], switches, err);
	if (rc == 0)
		rc = cli_request(cli, "PATCH", buf_text(&path), body, ret_json, err);
	json_decref(body);
	buf_done(&path);
	return rc;
}

int verb_alert_set(struct cli *cli, struct err *err)
{
	static const char *const switches[] = { "enabled", NULL };
	json_t *json = NULL;
	int rc = set_type(cli, "/alert-types", switches, &json, err);

	return rc == 0 ? cli_show(cli, json, err) : rc;
}

int verb_event_types(struct cli *cli, struct err *err)
{
	static const struct column columns[] = {
		{ "NUMBER", "type_id", COLUMN_NUMBER }, { "TYPE", "type", COLUMN_TEXT },
		{ "FROM", "origin", COLUMN_TEXT },      { "SEVERITY", "severity", COLUMN_TEXT },
		{ "RECORD", "record", COLUMN_TEXT },    { "FORWARD", "forward", COLUMN_TEXT },
		{ "SENTENCE", "text", COLUMN_TEXT },    { NULL, "is_default", COLUMN_TEXT },
	};
	json_t *json = NULL;
	int rc = cli_request(cli, "GET", "/event-types", NULL, &json, err);
	json_t *items = json_object_get(json, "items");

	for (size_t i = 0; cli->output == OUTPUT_TABLE && cli_japanese() && i < json_array_size(items); i++) {
		json_t *type = json_array_get(items, i);

		if (json_is_string(json_object_get(type, "text_ja"))) /* an older manager's has none */
			json_object_set(type, "text", json_object_get(type, "text_ja"));
	}
	return rc == 0 ? list_show(cli, json, columns, COUNT_OF(columns), "No types.", err) : rc;
}

int verb_event_set(struct cli *cli, struct err *err)
{
	static const char *const switches[] = { "record", "forward", "reset", NULL };
	json_t *json = NULL;
	int rc = set_type(cli, "/event-types", switches, &json, err);

	return rc == 0 ? cli_show(cli, json, err) : rc;
}
