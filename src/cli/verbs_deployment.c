/* muster deployment: lines that install agents on new computers. */
#include <stdio.h>
#include <string.h>

#include "base/units.h"
#include "cli/cli.h"
#include "cli/deployment.h"

static void set_text(const struct cli *cli, json_t *body, const char *option)
{
	const char *given = cli_option(cli, option);

	if (given != NULL)
		json_object_set_new(body, option, json_string(given));
}

int deployment_request(struct cli *cli, const char *form, uint64_t uses, json_t **ret_deployment, struct err *err)
{
	static const char *const texts[] = { "policy", "group", "expires", "platform", "url", "name" };
	json_t *body = json_object();
	int rc;

	for (size_t i = 0; i < COUNT_OF(texts); i++)
		set_text(cli, body, texts[i]);
	if (uses != 0)
		json_object_set_new(body, "uses", json_integer((json_int_t)uses));
	json_object_set_new(body, "form", json_string(form));
	rc = cli_request(cli, "POST", "/deployments", body, ret_deployment, err);
	json_decref(body);
	return rc;
}

static int choose_form(const struct cli *cli, const char **ret_form, struct err *err)
{
	if (cli_flag(cli, "login") && cli_flag(cli, "cron"))
		return err_set(err, ERR_USAGE, "give --login or --cron, not both");
	*ret_form = cli_flag(cli, "login") ? "login" : cli_flag(cli, "cron") ? "cron" : "once";
	return 0;
}

/* Said beside the script, which alone goes to standard output: it may be on its way into a file. */
static void explain(const json_t *deployment, const char *form)
{
	static const struct {
		const char *form, *where;
	} rows[] = {
		{ "once", "Paste this into a root shell on each new computer" },
		{ "login", "Put this into a script that root runs at each boot or login" },
		{ "cron", "Save this as /etc/cron.d/muster-agent, owned by root, mode 0600" },
	};
	const char *expires = cli_text(deployment, "expires");

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		if (strcmp(rows[i].form, form) == 0)
			cli_warn("%s. It holds a token: good for %lld computer(s) until %.19sZ; revoke it with\n"
				 "muster token revoke --enrolment %s\n\n",
				 rows[i].where, (long long)json_integer_value(json_object_get(deployment, "uses_left")),
				 expires, cli_text(deployment, "id"));
	}
}

/* Lines of plain text: it is read before it is pasted. */
static bool is_script(const char *text)
{
	for (; text != NULL && *text != '\0'; text++) {
		if ((unsigned char)*text >= 0x7f || ((unsigned char)*text < ' ' && *text != '\n' && *text != '\t'))
			return false;
	}
	return text != NULL;
}

int verb_deployment_script(struct cli *cli, struct err *err)
{
	const char *uses_text = cli_option(cli, "uses"), *form = NULL, *script;
	json_t *deployment = NULL;
	uint64_t uses = 0;
	int rc = choose_form(cli, &form, err);

	if (rc == 0 && uses_text != NULL && number_parse(uses_text, 1, 1000000, &uses, NULL) != 0)
		rc = err_set(err, ERR_USAGE, "--uses '%.40s' is not a whole number from 1 to 1000000", uses_text);
	if (rc == 0)
		rc = deployment_request(cli, form, uses, &deployment, err);
	if (rc != 0)
		return rc;
	if (cli->output != OUTPUT_TABLE)
		return cli_show(cli, deployment, err);
	script = json_string_value(json_object_get(deployment, "script"));
	if (!is_script(script))
		rc = err_set(err, ERR_FORMAT, "the manager's answer holds no script");
	if (rc == 0) {
		explain(deployment, form);
		rc = cli_print(script, strlen(script), err);
	}
	json_decref(deployment);
	return rc;
}
