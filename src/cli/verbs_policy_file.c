/* Policies as a file has them: written down as they are, and the form in which a password stands in one. What the
 * manager answers is not trusted further than that it is JSON of the expected form. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "trust/password.h"

static int print_json(const json_t *json, struct err *err)
{
	char *text = json_dumps(json, JSON_INDENT(2));
	int rc = text != NULL ? cli_print(text, strlen(text), err) : err_set(err, ERR_MEMORY, "out of memory");

	free(text);
	return rc == 0 ? cli_print("\n", 1, err) : rc;
}

/* What the policy sets itself goes under its name. */
static int add_overrides(void *context, json_t *items, struct err *err)
{
	json_t *by_name = context, *item;
	size_t i;

	(void)err;
	json_array_foreach(items, i, item)
	{
		const char *name = json_string_value(json_object_get(item, "name"));
		const char *setting = json_string_value(json_object_get(item, "setting"));
		json_t *policy = name != NULL ? json_object_get(by_name, name) : NULL;

		if (policy != NULL && setting != NULL)
			json_object_set(json_object_get(policy, "settings"), setting, json_object_get(item, "value"));
	}
	return 0;
}

/* Each policy as `apply` takes it, those above first; by_name holds the same. What is no policy is not left out: the
 * file would not say so. */
static int describe_all(const json_t *items, json_t *policies, json_t *by_name, struct err *err)
{
	json_t *item;
	size_t i;

	json_array_foreach(items, i, item)
	{
		const json_t *name = json_object_get(item, "name"), *parent = json_object_get(item, "parent");
		json_t *policy = json_pack("{sO, s{}}", "name", name, "settings");

		if (policy == NULL || !json_is_string(name)) {
			json_decref(policy);
			return err_set(err, ERR_FORMAT, "the answer is not a list of policies");
		}
		if (json_is_string(parent))
			json_object_set(policy, "parent", (json_t *)(uintptr_t)parent);
		json_array_append(policies, policy);
		json_object_set_new(by_name, json_string_value(name), policy);
	}
	return json_is_array(items) ? 0 : err_set(err, ERR_FORMAT, "the answer is not a list of policies");
}

int verb_policy_export(struct cli *cli, struct err *err)
{
	json_t *tree = NULL, *policies = json_array(), *by_name = json_object(), *out;
	int rc = cli_request(cli, "GET", "/policies", NULL, &tree, err);

	if (rc == 0)
		rc = describe_all(json_object_get(tree, "items"), policies, by_name, err);
	if (rc == 0)
		rc = list_pages(cli, "/policies/overrides?kind=policy", 0, add_overrides, by_name, err);
	out = json_pack("{so}", "policies", policies);
	if (rc == 0)
		rc = print_json(out, err);
	json_decref(out);
	json_decref(by_name);
	json_decref(tree);
	return rc;
}

int verb_policy_hash_password(struct cli *cli, struct err *err)
{
	char hash[PASSWORD_ENCODED_BYTES];
	struct buf password;
	int rc = secret_ask_new(cli_option(cli, "password-file"), &password, err);

	if (rc == 0)
		rc = password_hash(buf_text(&password), hash, err);
	buf_wipe(&password);
	buf_done(&password);
	if (rc == ERR_RANGE)
		err->code = ERR_USAGE;
	if (rc != 0)
		return err->code;
	if (cli->output != OUTPUT_TABLE)
		return cli_show(cli, json_pack("{ss}", "hash", hash), err);
	rc = cli_print(hash, strlen(hash), err);
	return rc == 0 ? cli_print("\n", 1, err) : rc;
}
