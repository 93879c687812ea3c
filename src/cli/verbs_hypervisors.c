/* Who is asked which virtual machines run. */
#include "cli/named.h"
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

static const struct named hypervisor = { "hypervisor", "/hypervisors", find_hypervisor };

int verb_hypervisor_show(struct cli *cli, struct err *err)
{
	return named_show(cli, &hypervisor, err);
}

int verb_hypervisor_add(struct cli *cli, struct err *err)
{
	json_t *body = json_object();
	int rc = named_text(body, "name", cli->arguments.words[0], "the name", err);

	if (rc == 0)
		rc = named_text(body, "uri", cli->arguments.words[1], "the URI", err);
	return named_make(cli, &hypervisor, body, rc, err);
}

int verb_hypervisor_set(struct cli *cli, struct err *err)
{
	json_t *body = json_object();
	int rc = named_option(cli, body, "name", "name", err);

	if (rc == 0)
		rc = named_option(cli, body, "uri", "uri", err);
	if (rc == 0)
		rc = named_enabled(cli, body, err);
	return named_change(cli, &hypervisor, body, rc, err);
}

int verb_hypervisor_remove(struct cli *cli, struct err *err)
{
	return named_remove(cli, &hypervisor, err);
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
	int rc = named_request(cli, &hypervisor, "GET",
			       cli_flag(cli, "unmatched") ? "/machines?unmatched=true" : "/machines", NULL, &json, err);

	if (rc != 0)
		return rc;
	if (cli->output != OUTPUT_JSON)
		join_names(json);
	return list_show(cli, json, columns, COUNT_OF(columns), "No machines.", err);
}

int verb_hypervisor_test(struct cli *cli, struct err *err)
{
	json_t *json = NULL;
	int rc = named_test(cli, &hypervisor, "connected", &json, err);

	if (rc != 0)
		return rc;
	return cli_say(cli, json, err, "%s tells %lld machines", cli->arguments.words[0],
		       (long long)json_integer_value(json_object_get(json, "machines")));
}
