/* Lists: read page by page through `next`, printed as they come, so that a
 * million events need the memory of a thousand. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

#define PAGE_ENTRIES 1000

/* A moment as RFC 3339, or a duration back from now. */
static int add_moment(struct cli *cli, const char *name, const char *given, struct buf *path, struct err *err)
{
	char text[TIME_TEXT_BYTES];
	time_us moment;
	span_us span;

	if (time_parse(given, &moment, NULL) != 0) {
		if (span_parse(given, &span, NULL) != 0)
			return err_set(
			    err, ERR_USAGE,
			    "--%s %.64s: expected a moment such as 2026-11-21T08:00:00Z, or a duration such as 2h",
			    name, given);
		moment = env_wall(cli->env) - span;
	}
	time_format(moment, text);
	query_add(path, name, text);
	return 0;
}

static int add_parameter(struct cli *cli, const struct list_parameter *parameter, struct buf *path, struct err *err)
{
	const char *given = cli_option(cli, parameter->option);
	char id[UUID_TEXT_BYTES];
	int rc = 0;

	if (given == NULL)
		return 0;
	switch (parameter->kind) {
	case LIST_PLAIN:
		query_add(path, parameter->option, given);
		break;
	case LIST_COMPUTER:
		rc = find_computer(cli, given, id, err);
		if (rc == 0)
			query_add(path, parameter->option, id);
		break;
	case LIST_MOMENT:
		rc = add_moment(cli, parameter->option, given, path, err);
		break;
	}
	return rc;
}

int list_query(struct cli *cli, const struct list_parameter *parameters, size_t count, struct buf *path,
	       struct err *err)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < count; i++)
		rc = add_parameter(cli, &parameters[i], path, err);
	return rc;
}

static int read_page(struct cli *cli, const char *path, uint64_t entries, const char *cursor, json_t **ret_page,
		     struct err *err)
{
	struct buf full;
	char number[32];
	int rc;

	buf_init(&full, 64 * 1024);
	buf_append_text(&full, path);
	snprintf(number, sizeof(number), "%" PRIu64, entries);
	query_add(&full, "limit", number);
	if (cursor != NULL)
		query_add(&full, "cursor", cursor);
	rc = cli_request(cli, "GET", buf_text(&full), NULL, ret_page, err);
	buf_done(&full);
	if (rc == 0 && !json_is_array(json_object_get(*ret_page, "items"))) {
		json_decref(*ret_page);
		rc = err_set(err, ERR_FORMAT, "the answer is not a list");
	}
	return rc;
}

int list_pages(struct cli *cli, const char *path, uint64_t limit,
	       int (*on_page)(void *context, json_t *items, struct err *err), void *context, struct err *err)
{
	uint64_t left = limit > 0 ? limit : UINT64_MAX;
	char *cursor = NULL;
	int rc = 0;

	do {
		uint64_t entries = left < PAGE_ENTRIES ? left : PAGE_ENTRIES;
		json_t *page = NULL, *items;
		const char *next;

		rc = read_page(cli, path, entries, cursor, &page, err);
		free(cursor);
		cursor = NULL;
		if (rc != 0)
			break;
		items = json_object_get(page, "items");
		left -= json_array_size(items) < left ? json_array_size(items) : left;
		next = json_string_value(json_object_get(page, "next"));
		/* An empty page that promises more would never end. */
		if (next != NULL && left > 0 && json_array_size(items) > 0)
			cursor = strdup(next);
		rc = on_page(context, items, err);
		json_decref(page);
	} while (rc == 0 && cursor != NULL && !cli_interrupted());
	free(cursor);
	return rc == 0 && cli_interrupted() ? err_set(err, ERR_CANCELLED, "interrupted") : rc;
}

struct printing {
	struct cli *cli;
	struct table table;
	uint64_t count;
};

static int append_json(struct printing *printing, json_t *items, struct buf *out)
{
	for (size_t i = 0; i < json_array_size(items); i++) {
		char *text = json_dumps(json_array_get(items, i), JSON_INDENT(2) | JSON_ENCODE_ANY);

		if (text == NULL)
			return ERR_MEMORY;
		buf_append_text(out, printing->count + i > 0 ? ",\n" : "[\n");
		buf_append_text(out, text);
		free(text);
	}
	return 0;
}

static int print_page(void *context, json_t *items, struct err *err)
{
	struct printing *printing = context;
	struct buf out;
	int rc = 0;

	if (json_array_size(items) == 0 && printing->cli->output != OUTPUT_CSV)
		return 0;
	buf_init(&out, TABLE_BYTES_MAX);
	if (printing->cli->output == OUTPUT_JSON)
		rc = append_json(printing, items, &out);
	else if (printing->cli->output == OUTPUT_CSV)
		table_csv(&printing->table, items, &out);
	else
		table_page(&printing->table, items, &out);
	printing->count += json_array_size(items);
	rc = rc != 0 ? rc : out.status;
	rc = rc != 0 ? err_set(err, rc, "the page is too large to print") : cli_print(buf_text(&out), out.size, err);
	buf_done(&out);
	return rc;
}

static int print_end(struct printing *printing, const char *nothing, struct err *err)
{
	if (printing->cli->output == OUTPUT_JSON)
		return printing->count > 0 ? cli_print("\n]\n", 3, err) : cli_print("[]\n", 3, err);
	/* Not on standard output: a program that reads the table finds no rows. */
	if (printing->cli->output == OUTPUT_TABLE && printing->count == 0)
		fprintf(stderr, "%s\n", nothing);
	return 0;
}

int list_run(struct cli *cli, const struct list *list, struct err *err)
{
	struct printing printing = { .cli = cli };
	const char *given = cli_option(cli, "limit");
	uint64_t limit = 0;
	struct buf path;
	int rc = 0;

	if (given != NULL && number_parse(given, 1, UINT32_MAX, &limit, err) != 0)
		return err_add(err, err_set(err, ERR_USAGE, "'%.40s' is not a whole number from 1", given), "--limit");
	buf_init(&path, 64 * 1024);
	buf_append_text(&path, list->path);
	rc = list_query(cli, list->parameters, list->parameter_count, &path, err);
	table_init(&printing.table, list->columns, list->column_count, cli->width);
	if (rc == 0)
		rc = list_pages(cli, buf_text(&path), limit, print_page, &printing, err);
	buf_done(&path);
	return rc == 0 ? print_end(&printing, list->nothing, err) : rc;
}

/* A list that the API gives whole. */
int list_show(struct cli *cli, json_t *json, const struct column *columns, size_t count, const char *nothing,
	      struct err *err)
{
	json_t *items = json_object_get(json, "items");
	struct table table;
	struct buf out;
	int rc;

	if (cli->output == OUTPUT_JSON) {
		rc = cli_show(cli, json_incref(items != NULL ? items : json), err);
		json_decref(json);
		return rc;
	}
	buf_init(&out, TABLE_BYTES_MAX);
	table_init(&table, columns, count, cli->width);
	if (cli->output == OUTPUT_CSV)
		table_csv(&table, items, &out);
	else if (json_array_size(items) > 0)
		table_page(&table, items, &out);
	else
		fprintf(stderr, "%s\n", nothing);
	rc = cli_print(buf_text(&out), out.size, err);
	buf_done(&out);
	json_decref(json);
	return rc;
}
