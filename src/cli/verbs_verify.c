/* muster computer verify: who is there now. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"

#define LOOK_EVERY_US (250 * MILLISECOND_US)

/* The verifications so far, when nobody is named. */
static int list_verifications(struct cli *cli, struct err *err)
{
	static const struct column columns[] = {
		{ "STARTED", "started", COLUMN_TIME },   { "BY", "started_by", COLUMN_TEXT },
		{ "COMPUTERS", "total", COLUMN_NUMBER }, { "ANSWERED", "answered", COLUMN_NUMBER },
		{ "SILENT", "silent", COLUMN_NUMBER },   { "AWAY", "away", COLUMN_NUMBER },
		{ "ENDED", "ended", COLUMN_TIME },       { "ID", "id", COLUMN_ID },
		{ NULL, "scheduled", COLUMN_TEXT },
	};
	static const struct list list = { "/verifications", NULL, 0, columns, COUNT_OF(columns), "No verifications." };

	return list_run(cli, &list, err);
}

static int make_body(struct cli *cli, json_t *body, struct err *err)
{
	json_t *computers;
	int rc = 0;

	if (cli_flag(cli, "all") && cli->arguments.count > 0)
		return err_set(err, ERR_USAGE, "give computers or --all, not both");
	if (cli_flag(cli, "all")) {
		json_object_set_new(body, "all", json_true());
		return 0;
	}
	computers = json_array();
	json_object_set_new(body, "computers", computers);
	for (size_t i = 0; rc == 0 && i < cli->arguments.count; i++) {
		char id[UUID_TEXT_BYTES];

		rc = find_computer(cli, cli->arguments.words[i], id, err);
		if (rc == 0)
			json_array_append_new(computers, json_string(id));
	}
	return rc;
}

static int64_t number_of(const json_t *json, const char *name)
{
	json_int_t value = json_integer_value(json_object_get(json, name));

	return value < 0 ? 0 : value < INT32_MAX ? (int64_t)value : INT32_MAX;
}

static void show_progress(struct cli *cli, const json_t *json)
{
	if (cli->error_width > 0)
		fprintf(stderr, "\r\033[K%" PRId64 " of %" PRId64 " answered, %" PRId64 " did not",
			number_of(json, "answered"), number_of(json, "total"),
			number_of(json, "silent") + number_of(json, "away"));
}

static int wait_for_end(struct cli *cli, const char *path, json_t **json, struct err *err)
{
	int rc = 0;

	while (rc == 0 && !json_is_string(json_object_get(*json, "ended"))) {
		json_t *next = NULL;

		show_progress(cli, *json);
		cli_wait(LOOK_EVERY_US);
		if (cli_interrupted())
			return err_set(err, ERR_CANCELLED, "interrupted; the verification goes on");
		rc = cli_request(cli, "GET", path, NULL, &next, err);
		if (rc == 0) {
			json_decref(*json);
			*json = next;
		}
	}
	if (cli->error_width > 0)
		fputs("\r\033[K", stderr);
	return rc;
}

static int show_results(struct cli *cli, const char *path, struct err *err)
{
	static const struct list_parameter parameters[] = { { "outcome", LIST_PLAIN } };
	static const struct column columns[] = {
		{ "COMPUTER", "computer_name", COLUMN_TEXT },
		{ "OUTCOME", "outcome", COLUMN_TEXT },
		{ "MS", "elapsed_ms", COLUMN_NUMBER },
		{ "SILENT S", "silent_s", COLUMN_NUMBER },
		{ "CAUSE", "cause", COLUMN_TEXT },
		{ NULL, "computer", COLUMN_ID },
	};
	const struct list list = { path, parameters, COUNT_OF(parameters), columns, COUNT_OF(columns), "No results." };

	return list_run(cli, &list, err);
}

static int verify(struct cli *cli, const json_t *body, struct err *err)
{
	json_t *json = NULL;
	struct buf path, results;
	int64_t missing = 0, total = 0;
	int rc = cli_request(cli, "POST", "/computers/verify", body, &json, err);

	buf_init(&path, 256);
	buf_init(&results, 256);
	if (rc == 0 && json_string_value(json_object_get(json, "id")) == NULL)
		rc = err_set(err, ERR_FORMAT, "the answer is not a verification");
	if (rc == 0)
		rc = cli_id_path("/verifications", json_string_value(json_object_get(json, "id")), "", &path, err);
	if (rc == 0)
		rc = wait_for_end(cli, buf_text(&path), &json, err);
	if (rc == 0) {
		total = number_of(json, "total");
		missing = total - number_of(json, "answered");
		buf_printf(&results, "%s/results", buf_text(&path));
		rc = show_results(cli, buf_text(&results), err);
	}
	json_decref(json);
	buf_done(&path);
	buf_done(&results);
	if (rc == 0 && missing > 0)
		rc = err_set(err, ERR_REFUSED, "%" PRId64 " of %" PRId64 " computers did not answer", missing, total);
	return rc;
}

int verb_computer_verify(struct cli *cli, struct err *err)
{
	json_t *body;
	int rc;

	if (!cli_flag(cli, "all") && cli->arguments.count == 0)
		return list_verifications(cli, err);
	body = json_object();
	rc = make_body(cli, body, err);
	if (rc == 0)
		rc = verify(cli, body, err);
	json_decref(body);
	return rc;
}
