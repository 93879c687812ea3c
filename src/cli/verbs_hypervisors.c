/* Who is asked which virtual machines run. */
#include <string.h>

#include "cli/cli.h"
#include "cli/verbs.h"

int verb_hypervisor_list(struct cli *cli, struct err *err)
{
	static const struct column columns[] = {
		{ "NAME", "name", COLUMN_TEXT },
		{ "URI", "uri", COLUMN_TEXT },
		{ "STATE", "state", COLUMN_TEXT },
		{ "SINCE", "since", COLUMN_TIME },
		{ "MACHINES", "machines", COLUMN_NUMBER },
		{ "FAILURE", "failure", COLUMN_TEXT },
		{ "ID", "id", COLUMN_ID },
		{ NULL, "listed", COLUMN_TIME },
		{ NULL, "enabled", COLUMN_TEXT },
	};
	static const struct list list = { "/hypervisors",
					  NULL,
					  0,
					  columns,
					  COUNT_OF(columns),
					  "No hypervisors. `muster hypervisor add --help` says how to add one." };

	return list_run(cli, &list, err);
}

/* A request about the hypervisor that was named first. */
static int request(struct cli *cli, const char *method, const char *rest, const json_t *body, json_t **ret_json,
		   struct err *err)
{
	return find_request(cli, "/hypervisors", find_hypervisor, method, rest, body, ret_json, err);
}

int verb_hypervisor_show(struct cli *cli, struct err *err)
{
	json_t *json = NULL;
	int rc = request(cli, "GET", "", NULL, &json, err);

	return rc == 0 ? cli_show(cli, json, err) : rc;
}

int verb_hypervisor_add(struct cli *cli, struct err *err)
{
	json_t *body = json_object(), *json = NULL;
	int rc = 0;

	if (json_object_set_new(body, "name", json_string(cli->arguments.words[0])) != 0 ||
	    json_object_set_new(body, "uri", json_string(cli->arguments.words[1])) != 0)
		rc = err_set(err, ERR_USAGE, "name and URI must be UTF-8");
	if (rc == 0)
		rc = cli_request(cli, "POST", "/hypervisors", body, &json, err);
	json_decref(body);
	return rc == 0 ? cli_show(cli, json, err) : rc;
}

static int add_text(struct cli *cli, json_t *body, const char *option, struct err *err)
{
	const char *given = cli_option(cli, option);

	if (given != NULL && json_object_set_new(body, option, json_string(given)) != 0)
		return err_set(err, ERR_USAGE, "--%s must be UTF-8", option);
	return 0;
}

int verb_hypervisor_set(struct cli *cli, struct err *err)
{
	json_t *body = json_object(), *json = NULL;
	bool enable = cli_flag(cli, "enable"), disable = cli_flag(cli, "disable");
	int rc = add_text(cli, body, "name", err);

	if (rc == 0)
		rc = add_text(cli, body, "uri", err);
	if (rc == 0 && enable && disable)
		rc = err_set(err, ERR_USAGE, "--enable or --disable, not both");
	if (enable || disable)
		json_object_set_new(body, "enabled", json_boolean(enable));
	if (rc == 0 && json_object_size(body) == 0)
		rc = err_set(err, ERR_USAGE, "nothing to change was given; see `muster hypervisor set --help`");
	if (rc == 0)
		rc = request(cli, "PATCH", "", body, &json, err);
	json_decref(body);
	return rc == 0 ? cli_show(cli, json, err) : rc;
}

int verb_hypervisor_remove(struct cli *cli, struct err *err)
{
	int rc = cli_confirm(cli, err, "Remove hypervisor %s?", cli->arguments.words[0]);

	if (rc == 0)
		rc = request(cli, "DELETE", "", NULL, NULL, err);
	return rc == 0 ? cli_say(cli, NULL, err, "removed: %s", cli->arguments.words[0]) : rc;
}

/* For tables: the names of a machine's computers in one column. */
static void join_names(json_t *json)
{
	json_t *machine, *computer;
	size_t i, j;

	json_array_foreach(json_object_get(json, "items"), i, machine)
	{
		struct buf names;

		buf_init(&names, 64 * 1024);
		json_array_foreach(json_object_get(machine, "computers"), j, computer)
		{
			const char *name = json_string_value(json_object_get(computer, "name"));

			buf_printf(&names, "%s%s", j > 0 ? ", " : "", name != NULL ? name : "");
		}
		json_object_set_new(machine, "computer", json_string(buf_text(&names)));
		buf_done(&names);
	}
}

int verb_hypervisor_machines(struct cli *cli, struct err *err)
{
	static const struct column columns[] = {
		{ "NAME", "name", COLUMN_TEXT },   { "STATE", "state", COLUMN_TEXT },
		{ "SINCE", "since", COLUMN_TIME }, { "COMPUTER", "computer", COLUMN_TEXT },
		{ "ID", "id", COLUMN_ID },
	};
	json_t *json = NULL;
	int rc = request(cli, "GET", cli_flag(cli, "unmatched") ? "/machines?unmatched=true" : "/machines", NULL, &json,
			 err);

	if (rc != 0)
		return rc;
	if (cli->output != OUTPUT_JSON)
		join_names(json);
	return list_show(cli, json, columns, COUNT_OF(columns), "No machines.", err);
}

int verb_hypervisor_test(struct cli *cli, struct err *err)
{
	json_t *json = NULL;
	const char *failure;
	int rc = request(cli, "POST", "/test", NULL, &json, err);

	if (rc != 0)
		return rc;
	failure = json_string_value(json_object_get(json, "failure"));
	if (json_is_true(json_object_get(json, "connected")))
		return cli_say(cli, json, err, "%s tells %lld machines", cli->arguments.words[0],
			       (long long)json_integer_value(json_object_get(json, "machines")));
	rc = err_set(err, ERR_REFUSED, "%s: %s", cli->arguments.words[0], failure != NULL ? failure : "not connected");
	json_decref(json);
	return rc;
}
