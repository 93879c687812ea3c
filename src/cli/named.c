/* Making, changing and removing what has a name. */
#include "cli/named.h"

#include <stdio.h>

int named_request(struct cli *cli, const struct named *named, const char *method, const char *rest, const json_t *body,
		  json_t **ret_json, struct err *err)
{
	return find_request(cli, named->collection, named->find, method, rest, body, ret_json, err);
}

int named_show(struct cli *cli, const struct named *named, struct err *err)
{
	json_t *json = NULL;
	int rc = named_request(cli, named, "GET", "", NULL, &json, err);

	return rc == 0 ? cli_show(cli, json, err) : rc;
}

int named_make(struct cli *cli, const struct named *named, json_t *body, int rc, struct err *err)
{
	json_t *json = NULL;

	if (rc == 0)
		rc = cli_request(cli, "POST", named->collection, body, &json, err);
	json_decref(body);
	return rc == 0 ? cli_show(cli, json, err) : rc;
}

int named_change(struct cli *cli, const struct named *named, json_t *body, int rc, struct err *err)
{
	json_t *json = NULL;

	if (rc == 0 && json_object_size(body) == 0)
		rc = err_set(err, ERR_USAGE, "nothing to change was given; see `muster %s set --help`", named->what);
	if (rc == 0)
		rc = named_request(cli, named, "PATCH", "", body, &json, err);
	json_decref(body);
	return rc == 0 ? cli_show(cli, json, err) : rc;
}

int named_remove(struct cli *cli, const struct named *named, struct err *err)
{
	int rc = cli_confirm(cli, err, "Remove %s %s?", named->what, cli->arguments.words[0]);

	if (rc == 0)
		rc = named_request(cli, named, "DELETE", "", NULL, NULL, err);
	return rc == 0 ? cli_say(cli, NULL, err, "removed: %s", cli->arguments.words[0]) : rc;
}

int named_test(struct cli *cli, const struct named *named, const char *succeeded, json_t **ret_json, struct err *err)
{
	json_t *json = NULL;
	const char *failure;
	int rc = named_request(cli, named, "POST", "/test", NULL, &json, err);

	if (rc != 0)
		return rc;
	if (json_is_true(json_object_get(json, succeeded))) {
		*ret_json = json;
		return 0;
	}
	failure = json_string_value(json_object_get(json, "failure"));
	if (failure != NULL)
		rc = err_set(err, ERR_REFUSED, "%s: %s", cli->arguments.words[0], failure);
	else
		rc = err_set(err, ERR_REFUSED, "%s: not %s", cli->arguments.words[0], succeeded);
	json_decref(json);
	return rc;
}

/* --- bodies --- */

int named_text(json_t *body, const char *member, const char *text, const char *what, struct err *err)
{
	if (text == NULL || json_object_set_new(body, member, json_string(text)) == 0)
		return 0;
	return err_set(err, ERR_USAGE, "%s must be UTF-8", what);
}

int named_option(const struct cli *cli, json_t *body, const char *option, const char *member, struct err *err)
{
	char what[64];

	snprintf(what, sizeof(what), "--%s", option);
	return named_text(body, member, cli_option(cli, option), what, err);
}

int named_enabled(const struct cli *cli, json_t *body, struct err *err)
{
	bool enable = cli_flag(cli, "enable"), disable = cli_flag(cli, "disable");

	if (enable && disable)
		return err_set(err, ERR_USAGE, "--enable or --disable, not both");
	if (enable || disable)
		json_object_set_new(body, "enabled", json_boolean(enable));
	return 0;
}
