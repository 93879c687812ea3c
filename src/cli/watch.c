/* Following a command to its end: a bar on a terminal, plain lines elsewhere. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/progress.h"

#define ASK_EVERY  (500 * MILLISECOND_US)
#define TRIES      20 /* times in a row that the manager may be out of reach */
#define CLEAR_LINE "\r\x1b[K"
#define STEP       10 /* percent between plain lines */

struct watch {
	struct cli *cli;
	const char *path; /* of the command */
	char state[32];
	int percent;
	bool counting;
	unsigned failures;
};

static const char *text_of(const json_t *json, const char *name)
{
	const char *text = json_string_value(json_object_get(json, name));

	return text != NULL ? text : "";
}

static bool has_ended(const char *state)
{
	static const char *const ends[] = { "succeeded", "failed", "cancelled", "timed_out" };

	for (size_t i = 0; i < COUNT_OF(ends); i++) {
		if (strcmp(state, ends[i]) == 0)
			return true;
	}
	return false;
}

static void draw_bar(struct watch *watch, const struct progress *progress)
{
	struct buf line;

	buf_init(&line, 64 * 1024);
	progress_line(progress, watch->cli->error_width - 1, &line);
	fprintf(stderr, CLEAR_LINE "%s", buf_text(&line));
	fflush(stderr);
	buf_done(&line);
}

/* A line when the state changes, when counting is over, and each STEP percent. */
static void say_plain(struct watch *watch, const char *state, const struct progress *progress)
{
	int percent = progress_percent(progress);
	bool changed = strcmp(state, watch->state) != 0;
	bool counted = watch->counting && !progress->counting;
	struct buf line;

	if (!changed && !counted && percent / STEP <= watch->percent / STEP)
		return;
	buf_init(&line, 64 * 1024);
	table_clean(state, &line);
	if (progress->files_total > 0) {
		buf_append_text(&line, "  ");
		progress_plain(progress, &line);
	}
	fprintf(stderr, "%s\n", buf_text(&line));
	buf_done(&line);
	watch->percent = percent > 0 ? percent : 0;
	watch->counting = progress->counting;
}

static void draw_state(const char *state)
{
	fputs(CLEAR_LINE, stderr);
	cli_warn("%s...", state);
}

static void report(struct watch *watch, const json_t *command)
{
	const char *state = text_of(command, "state");
	struct progress progress;

	progress_read(json_object_get(command, "progress"), &progress);
	if (watch->cli->error_width == 0)
		say_plain(watch, state, &progress);
	else if (strcmp(state, "running") == 0 && (progress.counting || progress.files_total > 0))
		draw_bar(watch, &progress);
	else if (strcmp(state, watch->state) != 0 && !has_ended(state))
		draw_state(state);
	snprintf(watch->state, sizeof(watch->state), "%s", state);
}

static bool is_passing(int rc)
{
	return rc == ERR_CONNECT || rc == ERR_CLOSED || rc == ERR_TIMEOUT || rc == ERR_BUSY || rc == ERR_RESOLVE;
}

/* The command once it has ended. A manager that restarts meanwhile is waited for. */
static int wait_for_end(struct watch *watch, json_t **ret_command, struct err *err)
{
	for (;;) {
		json_t *command = NULL;
		int rc = cli_request(watch->cli, "GET", watch->path, NULL, &command, err);

		if (rc != 0 && (!is_passing(rc) || ++watch->failures == TRIES))
			return rc;
		if (rc == 0) {
			watch->failures = 0;
			report(watch, command);
			if (has_ended(watch->state)) {
				*ret_command = command;
				return 0;
			}
			json_decref(command);
		}
		cli_wait(ASK_EVERY);
		if (cli_interrupted())
			return err_set(err, ERR_CANCELLED,
				       "the watch was interrupted, the command goes on; see `muster command watch %s`",
				       strrchr(watch->path, '/') + 1);
	}
}

/* "/srv/a: No such file or directory" */
static void describe_cause(const json_t *result, const char *before, struct buf *out)
{
	if (text_of(result, "text")[0] == '\0')
		return;
	buf_append_text(out, before);
	table_clean(text_of(result, "path"), out);
	if (text_of(result, "path")[0] != '\0')
		buf_append_text(out, ": ");
	table_clean(text_of(result, "text"), out);
}

/* "scan of web1 succeeded: 1234 files, 1.2 GB in 0:12, 2 detections" */
static void describe(const json_t *command, struct buf *out)
{
	struct progress progress;
	const json_t *result = json_object_get(command, "result");
	bool good = strcmp(text_of(command, "state"), "succeeded") == 0;

	progress_read(json_object_get(command, "progress"), &progress);
	table_clean(text_of(command, "kind"), out);
	buf_append_text(out, " on ");
	table_clean(text_of(command, "computer_name"), out);
	buf_append_text(out, " ");
	table_clean(strcmp(text_of(command, "state"), "timed_out") == 0 ? "timed out" : text_of(command, "state"), out);
	if (!good || strcmp(text_of(command, "kind"), "scan") != 0)
		describe_cause(result, ": ", out);
	/* Of a scan that the agent never took there is nothing to count. */
	if (strcmp(text_of(command, "kind"), "scan") != 0 || progress.elapsed_ms == 0)
		return;
	buf_printf(out, ": %" PRId64 " files, ", progress.files_done);
	table_size(progress.bytes_done, out);
	buf_append_text(out, " in ");
	progress_clock(progress.elapsed_ms * MILLISECOND_US, out);
	buf_printf(out, ", %" PRId64 " detection%s", progress.detections, progress.detections == 1 ? "" : "s");
	if (progress.not_fully_scanned > 0)
		buf_printf(out, ", %" PRId64 " not fully scanned", progress.not_fully_scanned);
	if (progress.errors > 0)
		buf_printf(out, ", %" PRId64 " unreadable", progress.errors);
	if (good)
		describe_cause(result, progress.errors > 1 ? ", the first: " : ": ", out);
}

struct found {
	struct cli *cli;
	struct table table;
};

static int print_found(void *context, json_t *items, struct err *err)
{
	struct found *found = context;
	struct buf out;
	int rc;

	if (json_array_size(items) == 0)
		return 0;
	buf_init(&out, TABLE_BYTES_MAX);
	table_page(&found->table, items, &out);
	rc = cli_print(buf_text(&out), out.size, err);
	buf_done(&out);
	return rc;
}

/* What went into quarantine since the scan was issued. */
static int show_found(struct cli *cli, const json_t *command, struct err *err)
{
	static const struct column columns[] = {
		{ "FILE", "path", COLUMN_TEXT },
		{ "DETECTION", "detection", COLUMN_TEXT },
		{ "STATE", "state", COLUMN_TEXT },
		{ "QUARANTINE ITEM", "id", COLUMN_ID },
	};
	struct found found = { .cli = cli };
	struct buf path;
	int rc;

	table_init(&found.table, columns, COUNT_OF(columns), cli->width);
	buf_init(&path, 64 * 1024);
	buf_append_text(&path, "/quarantine");
	query_add(&path, "computer", text_of(command, "computer"));
	query_add(&path, "since", text_of(command, "issued"));
	rc = list_pages(cli, buf_text(&path), 0, print_found, &found, err);
	buf_done(&path);
	return rc;
}

static int show_end(struct cli *cli, json_t *command, struct err *err)
{
	bool good = strcmp(text_of(command, "state"), "succeeded") == 0;
	bool found = json_integer_value(json_object_get(json_object_get(command, "progress"), "detections")) > 0;
	struct buf text;
	int rc = 0;

	buf_init(&text, 64 * 1024);
	describe(command, &text);
	if (cli->output != OUTPUT_TABLE)
		rc = cli_show(cli, json_incref(command), err);
	else if (good)
		rc = cli_say(cli, NULL, err, "%s", buf_text(&text));
	if (rc == 0 && cli->output == OUTPUT_TABLE && found)
		rc = show_found(cli, command, err);
	if (rc == 0 && !good)
		rc = err_set(err, ERR_REFUSED, "%s", buf_text(&text));
	buf_done(&text);
	return rc;
}

int watch_command(struct cli *cli, const char *id, struct err *err)
{
	struct watch watch = { .cli = cli };
	json_t *command = NULL;
	struct buf path;
	int rc;

	buf_init(&path, 256);
	rc = cli_id_path("/commands", id, "", &path, err);
	if (rc == 0) {
		watch.path = buf_text(&path);
		rc = wait_for_end(&watch, &command, err);
		if (cli->error_width > 0)
			fputs(CLEAR_LINE, stderr);
	}
	if (rc == 0)
		rc = show_end(cli, command, err);
	json_decref(command);
	buf_done(&path);
	return rc;
}
