/* `muster-agent scan PATH...`: asks the running agent to scan, shows how far it is and what it finds. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/local/control_ask.h"
#include "agent/local/local.h"
#include "agent/messages.h"
#include "base/text.h"
#include "os/env.h"

#define BAR_WIDTH 30

struct view {
	const char *data;
	bool json;
	bool terminal;
	bool bar; /* a progress line stands on the terminal */
	char job[UUID_TEXT_BYTES];
	bool cancelled;
	json_t *detections;
	json_t *not_fully_scanned;
	time_us shown;
};

static volatile sig_atomic_t interrupted;

static void on_interrupt(int number)
{
	(void)number;
	interrupted = 1;
}

static void clear_bar(struct view *view)
{
	if (view->bar)
		fputs("\r\x1b[K", stderr);
	view->bar = false;
}

static void draw_bar(struct view *view, const json_t *line)
{
	double total = (double)local_number(line, "bytes_total"), done = (double)local_number(line, "bytes_done");
	int filled = total > 0 ? (int)(BAR_WIDTH * done / total) : 0;
	char bar[BAR_WIDTH + 1];

	clear_bar(view);
	view->bar = true;
	if (json_is_true(json_object_get(line, "counting"))) {
		fprintf(stderr, "counting: %lld files", (long long)local_number(line, "files_total"));
		return;
	}
	filled = filled > BAR_WIDTH ? BAR_WIDTH : filled;
	memset(bar, '-', BAR_WIDTH);
	memset(bar, '#', (size_t)filled);
	bar[BAR_WIDTH] = '\0';
	fprintf(stderr, "[%s] %lld/%lld files, %lld detections%s", bar, (long long)local_number(line, "files_done"),
		(long long)local_number(line, "files_total"), (long long)local_number(line, "detections"),
		json_is_true(json_object_get(line, "paused")) ? ", paused" : "");
}

static void take_found(struct view *view, const json_t *line, json_t *list, const char *what)
{
	json_t *copy = json_deep_copy(line);

	json_object_del(copy, "type");
	json_array_append_new(list, copy);
	if (view->json)
		return;
	clear_bar(view);
	printf("%s: %s\n", local_text(line, "file"), what);
	fflush(stdout);
}

/* The first Ctrl-C cancels the scan and waits for its end, the second leaves. */
static int cancel(struct view *view)
{
	struct control_request request = { .kind = CONTROL_CANCEL };
	struct err err = { 0 };

	if (!interrupted)
		return 0;
	interrupted = 0;
	if (view->cancelled || view->job[0] == '\0')
		return ERR_CANCELLED;
	view->cancelled = true;
	if (uuid_parse(view->job, &request.item, &err) || control_ask(view->data, &request, NULL, NULL, NULL, &err))
		return ERR_CANCELLED;
	return 0;
}

static int on_line(void *argument, const json_t *line)
{
	struct view *view = argument;
	const char *type = local_text(line, "type");

	if (line == NULL)
		return cancel(view);
	if (strcmp(type, "started") == 0)
		snprintf(view->job, sizeof(view->job), "%s", local_text(line, "id"));
	else if (strcmp(type, "progress") == 0 && view->terminal)
		draw_bar(view, line);
	else if (strcmp(type, "detection") == 0)
		take_found(view, line, view->detections, local_text(line, "detection"));
	else if (strcmp(type, "not_fully_scanned") == 0)
		take_found(view, line, view->not_fully_scanned, "not fully scanned");
	return cancel(view);
}

static int path_error(const char *given, int error, struct err *err)
{
	struct buf name;
	int rc;

	buf_init(&name, 4 * MESSAGE_PATH_MAX_BYTES);
	text_escape(&name, given, strlen(given));
	rc = err_errno(err, error, "'%.400s'", buf_text(&name));
	buf_done(&name);
	return rc;
}

/* Absolute, and there: a typing error is found here, not after a scan of nothing. */
static int take_path(const char *given, char **ret_path, struct err *err)
{
	struct stat st;
	char *cwd, *path = NULL;

	if (lstat(given, &st) != 0)
		return path_error(given, errno, err);
	if (*given == '/') {
		path = strdup(given);
	} else {
		cwd = getcwd(NULL, 0);
		if (cwd == NULL || asprintf(&path, "%s/%s", cwd, given) < 0)
			path = NULL;
		free(cwd);
	}
	if (path == NULL)
		return err_set(err, ERR_MEMORY, "out of memory");
	*ret_path = path;
	return 0;
}

static int make_request(const struct arguments *arguments, struct control_request *request, struct err *err)
{
	const char *exclude = arguments_value(arguments, "--exclude");
	int rc = 0;

	request->kind = CONTROL_SCAN;
	request->paths = calloc(arguments->operand_count, sizeof(char *));
	request->exclude = calloc(1, sizeof(char *));
	if (request->paths == NULL || request->exclude == NULL)
		return err_set(err, ERR_MEMORY, "out of memory");
	for (size_t i = 0; rc == 0 && i < arguments->operand_count; i++) {
		rc = take_path(arguments->operands[i], &request->paths[i], err);
		request->path_count += rc == 0;
	}
	if (rc == 0 && exclude) {
		rc = take_path(exclude, &request->exclude[0], err);
		request->exclude_count = rc == 0;
	}
	return rc;
}

static int print_result(struct view *view, const json_t *end)
{
	const json_t *result = json_object_get(end, "result");
	long long detections = (long long)local_number(result, "detections");

	clear_bar(view);
	if (view->json)
		local_print(json_pack("{s:s,s:O,s:O,s:O}", "id", view->job, "result", result, "detections",
				      view->detections, "not_fully_scanned", view->not_fully_scanned));
	else
		printf("%lld files scanned (%lld unchanged since last time), %lld detections, %lld not fully scanned, "
		       "%lld could not be read%s%s\n",
		       (long long)local_number(result, "files_done"), (long long)local_number(result, "unchanged"),
		       detections, (long long)local_number(result, "not_fully_scanned"),
		       (long long)local_number(result, "errors"), *local_text(result, "text") ? ", the first: " : "",
		       local_text(result, "text"));
	return detections > 0 ? 1 : 0;
}

static int scan(const struct arguments *arguments, struct view *view, struct control_request *request, struct err *err)
{
	struct sigaction action = { .sa_handler = on_interrupt }; /* without SA_RESTART: recv() must return */
	json_t *end = NULL;
	int rc = make_request(arguments, request, err);

	if (rc)
		return local_failed(err);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	rc = control_ask(view->data, request, on_line, view, &end, err);
	clear_bar(view);
	if (rc == ERR_CANCELLED && err->code == 0)
		err_set(err, rc, "left; the scan may still be running");
	rc = rc ? local_failed(err) : print_result(view, end);
	json_decref(end);
	return rc;
}

int local_scan(const struct arguments *arguments)
{
	struct control_request request = { 0 };
	struct view view = { .terminal = isatty(STDERR_FILENO) };
	struct err err = { 0 };
	char *data = NULL;
	int rc = local_output(arguments, &view.json, &err);

	if (rc == 0)
		data = local_data(arguments, &err);
	if (data == NULL)
		return local_failed(&err);
	view.data = data;
	view.terminal = view.terminal && !view.json;
	view.detections = json_array();
	view.not_fully_scanned = json_array();
	rc = scan(arguments, &view, &request, &err);
	json_decref(view.detections);
	json_decref(view.not_fully_scanned);
	control_request_done(&request);
	free(data);
	return rc;
}
