/* Where events and alerts are sent to. */
#include <fcntl.h>
#include <string.h>

#include "cli/named.h"
#include "cli/verbs.h"
#include "os/files.h"

#define AUTHORITY_MAX_BYTES 8192

int verb_destination_list(struct cli *cli, struct err *err)
{
	static const struct column columns[] = {
		{ "NAME", "name", COLUMN_TEXT },
		{ "URL", "url", COLUMN_TEXT },
		{ "CONTENT", "content", COLUMN_TEXT },
		{ "DELIVERED", "delivered", COLUMN_NUMBER },
		{ "LAST", "last_delivery", COLUMN_TIME },
		{ "FAILING SINCE", "failing_since", COLUMN_TIME },
		{ "FAILURE", "failure", COLUMN_TEXT },
		{ "ID", "id", COLUMN_ID },
		{ NULL, "kind", COLUMN_TEXT },
		{ NULL, "least_severity", COLUMN_TEXT },
		{ NULL, "enabled", COLUMN_TEXT },
	};
	static const struct list list = { "/destinations",
					  NULL,
					  0,
					  columns,
					  COUNT_OF(columns),
					  "No destinations. `muster destination create --help` says how to make one." };

	return list_run(cli, &list, err);
}

static const struct named destination = { "destination", "/destinations", find_destination };

int verb_destination_show(struct cli *cli, struct err *err)
{
	return named_show(cli, &destination, err);
}

/* --- making and changing --- */

/* Options that are members of the body as they are. */
static const struct {
	const char *option, *member;
} plain[] = {
	{ "name", "name" },     { "url", "url" },           { "content", "content" }, { "severity", "least_severity" },
	{ "format", "format" }, { "facility", "facility" }, { "from", "from" },       { "user", "user" },
};

static int add_secret(struct cli *cli, json_t *body, const char *option, const char *member, struct err *err)
{
	struct buf secret = { 0 };
	int rc;

	if (cli_option(cli, option) == NULL)
		return 0;
	rc = secret_read(cli_option(cli, option), member, &secret, err);
	if (rc == 0 && json_object_set_new(body, member, json_string(buf_text(&secret))) != 0)
		rc = err_set(err, ERR_USAGE, "the %s must be UTF-8", member);
	buf_wipe(&secret);
	return rc;
}

static int add_authority(struct cli *cli, json_t *body, struct err *err)
{
	struct buf pem;
	int rc = 0;

	if (cli_option(cli, "authority") == NULL)
		return 0;
	buf_init(&pem, AUTHORITY_MAX_BYTES + 1);
	rc = files_read(AT_FDCWD, cli_option(cli, "authority"), AUTHORITY_MAX_BYTES, &pem, err);
	if (rc == 0 && json_object_set_new(body, "ca", json_string(buf_text(&pem))) != 0)
		rc = err_set(err, ERR_FORMAT, "is not PEM");
	buf_done(&pem);
	return rc == 0 ? 0 : err_add(err, rc, "--authority %s", cli_option(cli, "authority"));
}

static void add_recipients(struct cli *cli, json_t *body)
{
	json_t *list = json_array();

	for (size_t i = 0; i < cli->arguments.given_count; i++) {
		if (strcmp(cli->arguments.given[i].option->name, "to") == 0)
			json_array_append_new(list, json_string(cli->arguments.given[i].value));
	}
	if (json_array_size(list) > 0)
		json_object_set(body, "to", list);
	json_decref(list);
}

static int fill(struct cli *cli, json_t *body, struct err *err)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < COUNT_OF(plain); i++)
		rc = named_option(cli, body, plain[i].option, plain[i].member, err);
	if (rc != 0)
		return rc;
	add_recipients(cli, body);
	rc = add_secret(cli, body, "password-file", "password", err);
	if (rc == 0)
		rc = add_secret(cli, body, "secret-file", "secret", err);
	return rc == 0 ? add_authority(cli, body, err) : rc;
}

int verb_destination_create(struct cli *cli, struct err *err)
{
	json_t *body = json_object();
	int rc = fill(cli, body, err);

	if (rc == 0)
		rc = named_text(body, "name", cli->arguments.words[0], "the name", err);
	if (rc == 0)
		rc = named_text(body, "url", cli->arguments.words[1], "the URL", err);
	return named_make(cli, &destination, body, rc, err);
}

int verb_destination_set(struct cli *cli, struct err *err)
{
	json_t *body = json_object();
	int rc = fill(cli, body, err);

	if (rc == 0)
		rc = named_enabled(cli, body, err);
	return named_change(cli, &destination, body, rc, err);
}

int verb_destination_delete(struct cli *cli, struct err *err)
{
	return named_remove(cli, &destination, err);
}

int verb_destination_test(struct cli *cli, struct err *err)
{
	json_t *json = NULL;
	int rc = named_test(cli, &destination, "delivered", &json, err);

	return rc == 0 ? cli_say(cli, json, err, "delivered to %s", cli->arguments.words[0]) : rc;
}
