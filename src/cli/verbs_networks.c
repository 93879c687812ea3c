/* Networks that the manager cannot reach. */
#include <stdio.h>
#include <string.h>

#include "cli/named.h"

#define MINUTES_MAX 129600

int verb_network_list(struct cli *cli, struct err *err)
{
	static const struct column columns[] = {
		{ "NAME", "name", COLUMN_TEXT },
		{ "RANGES", "ranges", COLUMN_TEXT },
		{ "HEARTBEAT", "heartbeat", COLUMN_TEXT },
		{ "EVERY (MIN)", "heartbeat_minutes", COLUMN_NUMBER },
		{ "OFFLINE (MIN)", "offline_minutes", COLUMN_NUMBER },
		{ "POLL (MIN)", "poll_minutes", COLUMN_NUMBER },
		{ "COMPUTERS", "computers", COLUMN_NUMBER },
		{ "ID", "id", COLUMN_ID },
		{ NULL, "version", COLUMN_NUMBER },
	};
	static const struct list list = { "/networks",
					  NULL,
					  0,
					  columns,
					  COUNT_OF(columns),
					  "No networks. `muster network add --help` says what they are for." };

	return list_run(cli, &list, err);
}

static const struct named network = { "network", "/networks", find_network };

int verb_network_show(struct cli *cli, struct err *err)
{
	return named_show(cli, &network, err);
}

/* --- making and changing --- */

/* "60", "60m", "2h": whole minutes. The manager checks them against each other. */
static int minutes(const char *option, const char *text, json_int_t *ret_minutes, struct err *err)
{
	uint64_t number;
	span_us span = 0;

	if (number_parse(text, 1, MINUTES_MAX, &number, NULL) == 0) {
		*ret_minutes = (json_int_t)number;
		return 0;
	}
	if (strspn(text, "0123456789") == strlen(text) || span_parse(text, &span, NULL) != 0 || span % MINUTE_US != 0 ||
	    span < MINUTE_US || span > MINUTES_MAX * MINUTE_US)
		return err_set(err, ERR_USAGE, "--%s %.40s: give 1 to %d minutes, as 60, 60m, 2h or 7d", option, text,
			       MINUTES_MAX);
	*ret_minutes = span / MINUTE_US;
	return 0;
}

static int add_minutes(struct cli *cli, json_t *body, const char *option, const char *member, struct err *err)
{
	json_int_t number = 0;
	int rc;

	if (cli_option(cli, option) == NULL)
		return 0;
	rc = minutes(option, cli_option(cli, option), &number, err);
	if (rc == 0)
		json_object_set_new(body, member, json_integer(number));
	return rc;
}

/* A word that says "not at all", else minutes. */
static int fill_rules(struct cli *cli, json_t *body, struct err *err)
{
	const char *heartbeat = cli_option(cli, "heartbeat"), *poll = cli_option(cli, "poll");
	int rc = add_minutes(cli, body, "offline", "offline_minutes", err);

	if (rc == 0 && heartbeat != NULL) {
		bool word = strcmp(heartbeat, "off") == 0 || strcmp(heartbeat, "on") == 0;

		json_object_set_new(body, "heartbeat", json_boolean(strcmp(heartbeat, "off") != 0));
		rc = word ? 0 : add_minutes(cli, body, "heartbeat", "heartbeat_minutes", err);
	}
	if (rc == 0 && poll != NULL && strcmp(poll, "policy") == 0)
		json_object_set_new(body, "poll_minutes", json_null());
	else if (rc == 0)
		rc = add_minutes(cli, body, "poll", "poll_minutes", err);
	return rc;
}

static int add_ranges(json_t *body, const char *const *words, size_t count, struct err *err)
{
	json_t *ranges = json_array();
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < count; i++) {
		if (json_array_append_new(ranges, json_string(words[i])) != 0)
			rc = err_set(err, ERR_USAGE, "a range must be text such as 192.0.2.0/24");
	}
	json_object_set_new(body, "ranges", ranges);
	return rc;
}

int verb_network_add(struct cli *cli, struct err *err)
{
	json_t *body = json_object();
	int rc = named_text(body, "name", cli->arguments.words[0], "the name", err);

	if (rc == 0)
		rc = add_ranges(body, cli->arguments.words + 1, cli->arguments.count - 1, err);
	if (rc == 0)
		rc = fill_rules(cli, body, err);
	return named_make(cli, &network, body, rc, err);
}

int verb_network_set(struct cli *cli, struct err *err)
{
	json_t *body = json_object();
	int rc = fill_rules(cli, body, err);

	if (rc == 0)
		rc = named_option(cli, body, "name", "name", err);
	if (rc == 0 && cli->arguments.count > 1)
		rc = add_ranges(body, cli->arguments.words + 1, cli->arguments.count - 1, err);
	return named_change(cli, &network, body, rc, err);
}

int verb_network_remove(struct cli *cli, struct err *err)
{
	return named_remove(cli, &network, err);
}
