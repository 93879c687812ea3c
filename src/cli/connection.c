/* Which manager, by which CA, with which token: options, then environment, then the session. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "cli/cli.h"
#include "cli/session_file.h"

const char *cli_option(const struct cli *cli, const char *name)
{
	return arguments_option(&cli->arguments, name);
}

static const char *given(const struct cli *cli, const char *option, const char *variable)
{
	const char *value = cli_option(cli, option);

	if (value == NULL)
		value = getenv(variable);
	return value != NULL && value[0] != '\0' ? value : NULL;
}

static bool same_server(const char *a, const char *b)
{
	size_t a_length = strlen(a), b_length = strlen(b);

	a_length -= a_length > 0 && a[a_length - 1] == '/';
	b_length -= b_length > 0 && b[b_length - 1] == '/';
	return a_length == b_length && strncmp(a, b, a_length) == 0;
}

static int unknown_server(struct err *err)
{
	return err_set(err, ERR_USAGE,
		       "which manager? Give --server https://HOST:PORT (or MUSTER_SERVER), or `muster login`");
}

int cli_server(const struct cli *cli, char *server, size_t size, struct err *err)
{
	const char *text = given(cli, "server", "MUSTER_SERVER");
	struct session_file session = { 0 };

	if (text == NULL && session_file_read(&session, NULL) == 0 && session.server[0] != '\0')
		text = session.server;
	snprintf(server, size, "%s", text != NULL ? text : "");
	session_file_wipe(&session);
	return server[0] != '\0' ? arguments_check_server(server, err) : unknown_server(err);
}

static int connect_with(struct cli *cli, const struct client_options *options, struct err *err)
{
	int rc;

	if (options->server == NULL)
		return unknown_server(err);
	rc = arguments_check_server(options->server, err);
	return rc == 0 ? client_new(options, &cli->client, err) : rc;
}

int cli_connect(struct cli *cli, struct err *err)
{
	struct client_options options = {
		.server = given(cli, "server", "MUSTER_SERVER"),
		.ca = cli->ca != NULL ? cli->ca : given(cli, "ca", "MUSTER_CA"),
		.token = given(cli, "token", "MUSTER_TOKEN"),
		.cancelled = cli_interrupted,
	};
	struct session_file session = { 0 };
	int rc = 0;

	if (cli->client != NULL)
		return 0;
	if (options.server == NULL || options.token == NULL) {
		rc = session_file_read(&session, err);
		if (rc == ERR_NOT_FOUND)
			rc = 0;
	}
	if (rc == 0 && session.server[0] != '\0') {
		if (options.server == NULL)
			options.server = session.server;
		/* A token is for the manager that gave it, and goes to no other. */
		if (same_server(options.server, session.server)) {
			if (options.token == NULL)
				options.token = session.token;
			if (options.ca == NULL && session.ca[0] != '\0')
				options.ca = session.ca;
		}
	}
	if (rc == 0)
		rc = connect_with(cli, &options, err);
	session_file_wipe(&session);
	return rc;
}

int cli_request(struct cli *cli, const char *method, const char *path, const json_t *body, json_t **ret_json,
		struct err *err)
{
	int rc = cli_connect(cli, err);

	return rc == 0 ? client_request(cli->client, method, path, body, ret_json, err) : rc;
}

int cli_id_path(const char *collection, const char *id, const char *rest, struct buf *path, struct err *err)
{
	struct uuid uuid;

	if (uuid_parse(id, &uuid, NULL) != 0)
		return err_set(err, ERR_USAGE, "'%.64s' is not an id such as 019a1b2c-3d4e-7f50-8a6b-7c8d9e0f1a2b", id);
	buf_printf(path, "%s/%s%s", collection, id, rest);
	return path->status;
}
