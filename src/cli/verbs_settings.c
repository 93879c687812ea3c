/* What policies and computers say of settings: it is set, inherited again, and taken back to what it was. */
#include <string.h>

#include "base/units.h"
#include "cli/subject.h"

/* --- looking --- */

int verb_computer_effective(struct cli *cli, struct err *err)
{
	json_t *json = NULL;
	int rc = subject_ask(cli, true, "GET", "/settings", NULL, &json, err);

	return rc == 0 ? subject_show(cli, true, json, err) : rc;
}

static int show_history(struct cli *cli, bool computer, struct err *err)
{
	static const struct column columns[] = {
		{ "VERSION", "version", COLUMN_NUMBER }, { "TIME", "time", COLUMN_TIME },
		{ "BY", "actor", COLUMN_TEXT },          { "ACTION", "action", COLUMN_TEXT },
		{ "WHAT", "what", COLUMN_TEXT },
	};
	json_t *json = NULL, *items;
	int rc = subject_ask(cli, computer, "GET", "/history", NULL, &json, err);

	if (rc != 0)
		return rc;
	items = json_object_get(json, "items");
	for (size_t i = 0; cli->output != OUTPUT_JSON && i < json_array_size(items); i++) {
		json_t *item = json_array_get(items, i);
		struct buf text;

		buf_init(&text, 64 * 1024);
		subject_describe(json_object_get(item, "changes"), &text);
		json_object_set_new(item, "what", json_string(buf_text(&text)));
		buf_done(&text);
	}
	return list_show(cli, json, columns, COUNT_OF(columns), "Never changed.", err);
}

int verb_policy_history(struct cli *cli, struct err *err)
{
	return show_history(cli, false, err);
}

int verb_computer_history(struct cli *cli, struct err *err)
{
	return show_history(cli, true, err);
}

/* --- changing --- */

/* NAME alone: its value is a password, which does not stand where others see it. */
static int read_password(struct cli *cli, const char *name, bool first, json_t **ret_value, struct err *err)
{
	struct buf password;
	int rc = first ? secret_ask_new(cli_option(cli, "password-file"), &password, err)
		       : err_set(err, ERR_USAGE, "'%.64s': expected NAME=VALUE", name);

	if (!first)
		return rc;
	if (rc == 0)
		*ret_value = json_string(buf_text(&password));
	buf_wipe(&password);
	return rc;
}

/* One word; unset: inherited again. */
static int add_setting(struct cli *cli, const char *word, bool unset, bool *password_read, json_t *settings,
		       struct err *err)
{
	size_t size = unset ? strlen(word) : strcspn(word, "=");
	json_t *value = json_null();
	char name[128];
	int rc = 0;

	if (size == 0 || size >= sizeof(name))
		return err_set(err, ERR_USAGE, "'%.64s': expected NAME=VALUE", word);
	memcpy(name, word, size);
	name[size] = '\0';
	if (json_object_get(settings, name) != NULL)
		return err_set(err, ERR_USAGE, "'%.64s' is given twice", name);
	if (!unset && word[size] == '=') {
		value = json_string(word + size + 1);
	} else if (!unset) {
		rc = read_password(cli, name, !*password_read, &value, err);
		*password_read = true;
	}
	if (rc == 0 && json_object_set_new(settings, name, value) != 0)
		rc = err_set(err, ERR_USAGE, "'%.64s' is not UTF-8", name);
	return rc;
}

/* {"settings": {...}} of NAME=VALUE words, or of NAME words to be inherited again. */
static int settings_body(struct cli *cli, bool unset, json_t **ret_body, struct err *err)
{
	json_t *settings = json_object();
	bool password_read = false;
	int rc = 0;

	for (size_t i = 1; rc == 0 && i < cli->arguments.count; i++)
		rc = add_setting(cli, cli->arguments.words[i], unset, &password_read, settings, err);
	if (rc == 0 && !unset && !password_read && cli_option(cli, "password-file") != NULL)
		rc = err_set(err, ERR_USAGE, "--password-file is for a setting that is given as NAME alone");
	if (rc != 0)
		json_decref(settings);
	else
		*ret_body = json_pack("{so}", "settings", settings);
	return rc;
}

static int change_settings(struct cli *cli, bool computer, bool unset, struct err *err)
{
	json_t *body = NULL;
	int rc = settings_body(cli, unset, &body, err);

	return rc == 0 ? subject_change_shown(cli, computer, "PATCH", "", body, err) : rc;
}

int verb_policy_set(struct cli *cli, struct err *err)
{
	return change_settings(cli, false, false, err);
}

int verb_policy_unset(struct cli *cli, struct err *err)
{
	return change_settings(cli, false, true, err);
}

int verb_computer_set(struct cli *cli, struct err *err)
{
	return change_settings(cli, true, false, err);
}

int verb_computer_unset(struct cli *cli, struct err *err)
{
	return change_settings(cli, true, true, err);
}

/* PATCH with one member, the second argument. */
static int change_member(struct cli *cli, bool computer, const char *member, struct err *err)
{
	json_t *body = json_pack("{ss}", member, cli->arguments.words[1]);

	if (body == NULL)
		return err_set(err, ERR_USAGE, "the name must be UTF-8");
	return subject_change_shown(cli, computer, "PATCH", "", body, err);
}

int verb_policy_rename(struct cli *cli, struct err *err)
{
	return change_member(cli, false, "name", err);
}

int verb_policy_move(struct cli *cli, struct err *err)
{
	return change_member(cli, false, "parent", err);
}

int verb_computer_assign(struct cli *cli, struct err *err)
{
	return change_member(cli, true, "policy", err);
}

int verb_computer_appliance(struct cli *cli, struct err *err)
{
	const char *given = cli->arguments.words[1];
	bool appliance = strcmp(given, "yes") == 0;

	if (!appliance && strcmp(given, "no") != 0)
		return err_set(err, ERR_USAGE, "'%.40s' is neither yes nor no", given);
	return subject_change_shown(cli, true, "PATCH", "", json_pack("{sb}", "appliance", appliance), err);
}

static int revert(struct cli *cli, bool computer, struct err *err)
{
	uint64_t version;
	int rc = number_parse(cli->arguments.words[1], 1, INT64_MAX, &version, NULL);

	if (rc != 0)
		return err_set(err, ERR_USAGE, "'%.40s' is not a version; the history lists them",
			       cli->arguments.words[1]);
	return subject_change_shown(cli, computer, "POST", "/revert", json_pack("{sI}", "version", (json_int_t)version),
				    err);
}

int verb_policy_revert(struct cli *cli, struct err *err)
{
	return revert(cli, false, err);
}

int verb_computer_revert(struct cli *cli, struct err *err)
{
	return revert(cli, true, err);
}
