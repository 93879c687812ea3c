/* muster cert list and renew: the manager's certificates. */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/verbs.h"

#define PATH_MAX_BYTES 512

/* Nothing else than a name goes into a path. */
static int name_path(const char *name, struct buf *path, struct err *err)
{
	if (name[0] == '\0' || strspn(name, "abcdefghijklmnopqrstuvwxyz-") != strlen(name))
		return err_set(err, ERR_USAGE, "'%.64s' is not the name of a certificate; muster cert list has them",
			       name);
	return buf_printf(path, "/certificates/%s/renew", name);
}

int verb_cert_renew(struct cli *cli, struct err *err)
{
	const char *name = cli->arguments.count > 0 ? cli->arguments.words[0] : "server";
	json_t *answer = NULL;
	struct buf path;
	int rc;

	buf_init(&path, PATH_MAX_BYTES);
	rc = name_path(name, &path, err);
	if (rc == 0)
		rc = cli_request(cli, "POST", buf_text(&path), NULL, &answer, err);
	buf_done(&path);
	if (rc != 0)
		return rc;
	rc = cli_say(cli, json_incref(answer), err, "Certificate %s: %s, good until %s.", name,
		     cli_text(answer, "fingerprint"), cli_text(answer, "not_after"));
	json_decref(answer);
	return rc;
}

/* Beside the table, where it is not overlooked. */
static void warn(const json_t *json)
{
	const json_t *items = json_object_get(json, "items");

	for (size_t i = 0; i < json_array_size(items); i++) {
		const json_t *item = json_array_get(items, i);
		const char *problem = json_string_value(json_object_get(item, "problem"));
		const json_t *waits_for = json_object_get(item, "waits_for");

		if (json_is_integer(waits_for))
			cli_warn(
			    "Certificate authority-next: its turn waits for %lld connected agents that have not got it "
			    "yet, until %s at the latest.\n",
			    (long long)json_integer_value(waits_for), cli_text(item, "turns_by"));
		if (problem == NULL)
			continue;
		cli_warn("Certificate %s: %s\n", cli_text(item, "name"), problem);
		if (strcmp(cli_text(item, "name"), "authority") == 0)
			fputs("NO CERTIFICATE CAN BE ISSUED OR RENEWED: put keys/ca.key back into the manager's data "
			      "directory, or restore it: muster cert restore FILE\n",
			      stderr);
	}
}

void key_files_warn(struct cli *cli)
{
	json_t *json = NULL;
	const json_t *items, *item;
	size_t i;

	if (cli->output == OUTPUT_JSON || cli_request(cli, "GET", "/key-files", NULL, &json, NULL) != 0)
		return;
	items = json_object_get(json, "items");
	json_array_foreach(items, i, item)
	{
		const char *problem = json_string_value(json_object_get(item, "problem"));

		if (problem != NULL)
			fprintf(stderr,
				"THE FILE OF A KEY IS LOST: %s. The manager has the key in its memory alone, until its "
				"next "
				"start: make a backup now (muster cert backup FILE), then have the file written anew "
				"(muster cert rewrite).\n",
				problem);
	}
	json_decref(json);
}

int verb_cert_rewrite(struct cli *cli, struct err *err)
{
	json_t *body = json_pack("{sb}", "force", cli_flag(cli, "force")), *answer = NULL;
	int rc = cli_request(cli, "POST", "/key-files/rewrite", body, &answer, err);

	json_decref(body);
	if (rc != 0)
		return rc;
	return cli_say(cli, answer, err, "The files of the keys hold what the manager works with.");
}

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
		{ NULL, "key", COLUMN_TEXT },
		{ NULL, "file", COLUMN_TEXT },
		{ NULL, "problem", COLUMN_TEXT },
		{ NULL, "waits_for", COLUMN_NUMBER },
		{ NULL, "turns_by", COLUMN_TIME },
	};
	json_t *json = NULL;
	int rc = cli_request(cli, "GET", "/certificates", NULL, &json, err);

	if (rc != 0)
		return rc;
	if (cli->output != OUTPUT_JSON)
		warn(json);
	key_files_warn(cli);
	return list_show(cli, json, columns, COUNT_OF(columns), "No certificates.", err);
}
