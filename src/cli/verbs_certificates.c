/* muster cert list: the manager's certificates. */
#include "cli/cli.h"
#include "cli/verbs.h"

int verb_cert_list(struct cli *cli, struct err *err)
{
	static const struct column columns[] = {
		{ "CERTIFICATE", "name", COLUMN_TEXT },
		{ "UNTIL", "not_after", COLUMN_TIME },
		{ "DAYS LEFT", "days_left", COLUMN_NUMBER },
		{ "RENEWS ITSELF", "renews_itself", COLUMN_MARK },
		{ "SUBJECT", "subject", COLUMN_TEXT },
		{ "ISSUER", "issuer", COLUMN_TEXT },
		{ "FOR", "purpose", COLUMN_TEXT },
		{ "FINGERPRINT", "fingerprint", COLUMN_ID },
		{ NULL, "not_before", COLUMN_TIME },
		{ NULL, "renews_at", COLUMN_TIME },
		{ NULL, "own", COLUMN_MARK },
		{ NULL, "file", COLUMN_TEXT },
	};
	json_t *json = NULL;
	int rc = cli_request(cli, "GET", "/certificates", NULL, &json, err);

	return rc == 0 ? list_show(cli, json, columns, COUNT_OF(columns), "No certificates.", err) : rc;
}
