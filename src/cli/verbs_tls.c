/* muster tls: how connections are encrypted. */
#include "cli/cli.h"

int verb_tls_profiles(struct cli *cli, struct err *err)
{
	static const struct column columns[] = {
		{ "PROFILE", "name", COLUMN_TEXT },    { "VERSIONS", "versions", COLUMN_TEXT },
		{ "ENABLED", "enabled", COLUMN_TEXT }, { "SERVED", "served", COLUMN_TEXT },
		{ "BECAUSE", "cause", COLUMN_TEXT },   { "FOR", "agents", COLUMN_TEXT },
		{ NULL, "suites", COLUMN_TEXT },       { NULL, "legacy", COLUMN_TEXT },
		{ NULL, "fips", COLUMN_TEXT },         { NULL, "listeners", COLUMN_TEXT },
	};
	json_t *json = NULL;
	int rc = cli_request(cli, "GET", "/tls-profiles", NULL, &json, err);

	return rc == 0 ? list_show(cli, json, columns, COUNT_OF(columns), "No profiles.", err) : rc;
}
