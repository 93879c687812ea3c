/* muster tls and muster ports: how connections are encrypted, and which there are. */
#include <string.h>

#include "cli/cli.h"
#include "cli/verbs.h"

int verb_tls_profiles(struct cli *cli, struct err *err)
{
	static const struct column columns[] = {
		{ "PROFILE", "name", COLUMN_TEXT },   { "VERSIONS", "versions", COLUMN_TEXT },
		{ "SUITES", "suites", COLUMN_PROSE }, { "ENABLED", "enabled", COLUMN_TEXT },
		{ "SERVED", "served", COLUMN_TEXT },  { "BECAUSE", "cause", COLUMN_PROSE },
		{ "FOR", "agents", COLUMN_PROSE },    { NULL, "legacy", COLUMN_TEXT },
		{ NULL, "fips", COLUMN_TEXT },        { NULL, "listeners", COLUMN_TEXT },
	};
	json_t *json = NULL;
	int rc = cli_request(cli, "GET", "/tls-profiles", NULL, &json, err);

	return rc == 0 ? list_show(cli, json, columns, COUNT_OF(columns), "No profiles.", err) : rc;
}

static bool any_fails(const json_t *items)
{
	const json_t *row;
	size_t i;

	json_array_foreach(items, i, row)
	{
		const char *state = json_string_value(json_object_get(row, "state"));

		if (state != NULL && (strcmp(state, "unreachable") == 0 || strcmp(state, "not listening") == 0))
			return true;
	}
	return false;
}

int verb_ports(struct cli *cli, struct err *err)
{
	static const struct column columns[] = {
		{ "FROM", "from", COLUMN_TEXT },       { "TO", "to", COLUMN_TEXT },
		{ "NAME", "name", COLUMN_TEXT },       { "PROTOCOL", "protocol", COLUMN_TEXT },
		{ "ADDRESS", "address", COLUMN_TEXT }, { "PORT", "port", COLUMN_NUMBER },
		{ "STATE", "state", COLUMN_TEXT },     { "PURPOSE", "purpose", COLUMN_PROSE },
		{ "SETTING", "setting", COLUMN_TEXT }, { "DETAIL", "detail", COLUMN_PROSE },
	};
	bool check = cli_flag(cli, "check"), fails;
	json_t *json = NULL;
	int rc = check ? cli_request(cli, "POST", "/ports/check", NULL, &json, err)
		       : cli_request(cli, "GET", "/ports", NULL, &json, err);

	if (rc != 0)
		return rc;
	fails = any_fails(json_object_get(json, "items"));
	rc = list_show(cli, json, columns, COUNT_OF(columns), "No ports.", err);
	return rc == 0 && check && fails ? err_set(err, ERR_REFUSED, "not all of them could be reached") : rc;
}
