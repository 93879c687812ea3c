/* Events, quarantined files, the audit log. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/kept_file.h"
#include "cli/sse.h"

#define CELLS_OF_A_LINE 4096
#define RECONNECT_EVERY (2 * SECOND_US)

static const struct column event_columns[] = {
	{ "TIME", "happened", COLUMN_TIME },
	{ "COMPUTER", "computer_name", COLUMN_TEXT },
	{ "TYPE", "type_id", COLUMN_NUMBER },
	{ "SEVERITY", "severity", COLUMN_TEXT },
	{ "EVENT", "text", COLUMN_TEXT },
	{ NULL, "fields", COLUMN_FIELDS }, /* the sentence says what matters; `event show` says all */
	{ NULL, "id", COLUMN_ID },
	{ NULL, "computer", COLUMN_ID },
	{ NULL, "received", COLUMN_TIME },
	{ NULL, "type", COLUMN_TEXT },
};

int verb_event_list(struct cli *cli, struct err *err)
{
	static const struct list_parameter parameters[] = {
		{ "computer", LIST_COMPUTER }, { "type", LIST_PLAIN },   { "severity", LIST_PLAIN },
		{ "since", LIST_MOMENT },      { "until", LIST_MOMENT },
	};
	static const struct list list = {
		"/events", parameters, COUNT_OF(parameters), event_columns, COUNT_OF(event_columns), "No events."
	};

	return list_run(cli, &list, err);
}

static int show(struct cli *cli, const char *collection, struct err *err)
{
	json_t *json = NULL;
	struct buf path;
	int rc;

	buf_init(&path, 256);
	rc = cli_id_path(collection, cli->arguments.words[0], "", &path, err);
	if (rc == 0)
		rc = cli_request(cli, "GET", buf_text(&path), NULL, &json, err);
	buf_done(&path);
	return rc == 0 ? cli_show(cli, json, err) : rc;
}

int verb_event_show(struct cli *cli, struct err *err)
{
	return show(cli, "/events", err);
}

int verb_quarantine_show(struct cli *cli, struct err *err)
{
	return show(cli, "/quarantine", err);
}

struct tail {
	struct cli *cli;
	struct sse sse;
	struct table table;
	uint64_t count, limit;
	struct err *err;
};

/* Columns of a stream cannot be fitted to what is still to come: these are given. */
static void settle_tail(struct table *table, size_t width)
{
	static const size_t widths[] = { 19, 16, 4, 8, 80 };
	size_t fixed = 19 + 16 + 4 + 8 + 4 * 2;

	table_init(table, event_columns, COUNT_OF(event_columns), width);
	memcpy(table->widths, widths, sizeof(widths));
	if (width > 0)
		table->widths[4] = width > fixed + 20 ? width - fixed : 20;
	else
		table->widths[4] = CELLS_OF_A_LINE; /* not a terminal: nothing is cut */
	table->begun = true;
}

static int print_event(struct tail *tail, json_t *event)
{
	json_t *items = json_pack("[O]", event);
	struct buf out;
	int rc;

	buf_init(&out, TABLE_BYTES_MAX);
	if (tail->cli->output == OUTPUT_JSON) {
		char *text = json_dumps(event, JSON_COMPACT);

		buf_printf(&out, "%s\n", text != NULL ? text : "{}");
		free(text);
	} else if (tail->cli->output == OUTPUT_CSV) {
		tail->table.begun = tail->count > 0;
		table_csv(&tail->table, items, &out);
	} else {
		table_page(&tail->table, items, &out);
	}
	rc = cli_print(buf_text(&out), out.size, tail->err);
	buf_done(&out);
	json_decref(items);
	return rc;
}

static int on_event(void *context, const char *event, const char *data)
{
	struct tail *tail = context;
	json_t *json = json_loads(data, 0, NULL);
	int rc = 0;

	(void)event;
	/* Other news than events (a notice of some missed, say) has no type. */
	if (json_is_integer(json_object_get(json, "type_id"))) {
		rc = print_event(tail, json);
		tail->count++;
	}
	json_decref(json);
	/* ERR_NONE cannot end a stream: the limit ends it as if interrupted. */
	return rc == 0 && tail->limit > 0 && tail->count >= tail->limit ? ERR_CANCELLED : rc;
}

static int on_bytes(void *context, const void *bytes, size_t size)
{
	struct tail *tail = context;

	return sse_feed(&tail->sse, bytes, size, on_event, tail);
}

static bool is_passing(int rc)
{
	return rc == 0 || rc == ERR_CLOSED || rc == ERR_CONNECT || rc == ERR_BUSY || rc == ERR_TIMEOUT;
}

/* Again and again: after a break it goes on behind the last event that came. */
static int follow(struct cli *cli, struct tail *tail, const char *path, struct err *err)
{
	int rc = cli_connect(cli, err);
	bool once = false;

	while (rc == 0) {
		rc = client_stream(cli->client, path, tail->sse.id, on_bytes, tail, err);
		once = once || rc == 0 || tail->sse.id[0] != '\0';
		if (cli_interrupted() || (tail->limit > 0 && tail->count >= tail->limit))
			return 0;
		if (!once || !is_passing(rc))
			return rc;
		buf_reset(&tail->sse.line);
		buf_reset(&tail->sse.data);
		cli_wait(RECONNECT_EVERY);
		rc = 0;
	}
	return rc;
}

int verb_event_tail(struct cli *cli, struct err *err)
{
	static const struct list_parameter parameters[] = {
		{ "computer", LIST_COMPUTER },
		{ "type", LIST_PLAIN },
		{ "severity", LIST_PLAIN },
	};
	const char *limit = cli_option(cli, "limit");
	struct tail tail = { .cli = cli, .err = err };
	struct buf path;
	int rc = 0;

	if (limit != NULL && number_parse(limit, 1, UINT32_MAX, &tail.limit, err) != 0)
		return err_set(err, ERR_USAGE, "--limit '%.40s' is not a whole number from 1", limit);
	sse_init(&tail.sse);
	settle_tail(&tail.table, cli->width);
	buf_init(&path, 64 * 1024);
	buf_append_text(&path, "/events/stream");
	rc = list_query(cli, parameters, COUNT_OF(parameters), &path, err);
	if (rc == 0)
		rc = follow(cli, &tail, buf_text(&path), err);
	buf_done(&path);
	sse_done(&tail.sse);
	return rc;
}

int verb_quarantine_list(struct cli *cli, struct err *err)
{
	static const struct list_parameter parameters[] = {
		{ "computer", LIST_COMPUTER },
		{ "state", LIST_PLAIN },
		{ "since", LIST_MOMENT },
	};
	static const struct column columns[] = {
		{ "QUARANTINED", "quarantined_at", COLUMN_TIME },
		{ "COMPUTER", "computer_name", COLUMN_TEXT },
		{ "FILE", "path", COLUMN_TEXT },
		{ "SIZE", "size", COLUMN_SIZE },
		{ "DETECTION", "detection", COLUMN_TEXT },
		{ "STATE", "state", COLUMN_TEXT },
		{ "ID", "id", COLUMN_ID },
		{ NULL, "computer", COLUMN_ID },
		{ NULL, "sha256", COLUMN_TEXT },
		{ NULL, "uploaded", COLUMN_TIME },
	};
	static const struct list list = { "/quarantine", parameters,        COUNT_OF(parameters),
					  columns,       COUNT_OF(columns), "Nothing in quarantine." };

	return list_run(cli, &list, err);
}

struct download {
	struct kept_file file;
	uint64_t bytes;
	struct err *err;
};

static int on_file(void *context, const void *bytes, size_t size)
{
	struct download *download = context;

	download->bytes += size;
	return kept_file_write(&download->file, bytes, size, download->err);
}

int verb_quarantine_download(struct cli *cli, struct err *err)
{
	const char *item = cli->arguments.words[0], *name = cli_option(cli, "file");
	struct download download = { .err = err };
	char standard[UUID_TEXT_BYTES + 8];
	struct buf path;
	int rc;

	buf_init(&path, 4096);
	rc = cli_id_path("/quarantine", item, "/file", &path, err);
	if (rc == 0 && cli_option(cli, "password") != NULL)
		query_add(&path, "password", cli_option(cli, "password"));
	snprintf(standard, sizeof(standard), "%.36s.zip", item);
	name = name != NULL ? name : standard;
	if (rc == 0)
		rc = cli_connect(cli, err);
	if (rc == 0)
		rc = kept_file_open(&download.file, name, 0600, cli_flag(cli, "force") ? KEPT_REPLACE : 0, err);
	if (rc == 0) {
		rc = client_stream(cli->client, buf_text(&path), NULL, on_file, &download, err);
		rc = kept_file_close(&download.file, rc, err);
	}
	buf_wipe(&path);
	if (rc != 0 || strcmp(name, "-") == 0)
		return rc;
	return cli_say(cli, json_pack("{ss, sI}", "file", name, "bytes", (json_int_t)download.bytes), err,
		       "%s: %" PRIu64 " bytes; the password is %s. Handle with care: the file inside is live.", name,
		       download.bytes, cli_option(cli, "password") != NULL ? "the one given" : "infected");
}

int verb_audit_list(struct cli *cli, struct err *err)
{
	static const struct list_parameter parameters[] = {
		{ "actor", LIST_PLAIN },
		{ "action", LIST_PLAIN },
		{ "since", LIST_MOMENT },
	};
	static const struct column columns[] = {
		{ "TIME", "time", COLUMN_TIME },     { "WHO", "actor", COLUMN_TEXT },
		{ "FROM", "source", COLUMN_TEXT },   { "ACTION", "action", COLUMN_TEXT },
		{ "OBJECT", "object", COLUMN_TEXT }, { "OUTCOME", "outcome", COLUMN_TEXT },
		{ "DETAIL", "detail", COLUMN_TEXT }, { NULL, "number", COLUMN_NUMBER },
		{ NULL, "actor_kind", COLUMN_TEXT }, { NULL, "actor_id", COLUMN_ID },
		{ NULL, "chain", COLUMN_TEXT },
	};
	static const struct list list = { "/audit", parameters,        COUNT_OF(parameters),
					  columns,  COUNT_OF(columns), "No entries." };

	return list_run(cli, &list, err);
}
