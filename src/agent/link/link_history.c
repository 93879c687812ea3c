/* The local history of events (agent/link/link_history.h). What is read back was written here, and is checked to be
 * JSON. */
#include "agent/link/link_history.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "os/files.h"

#define FILE_NAME "history.log"
#define OLD_NAME  "history.old"

struct link_history {
	int directory;
	int fd;
	bool complained;
};

static int open_file(struct link_history *history)
{
	history->fd =
	    openat(history->directory, FILE_NAME, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
	return history->fd < 0 ? -1 : 0;
}

struct link_history *link_history_new(int directory, struct err *err)
{
	struct link_history *history = calloc(1, sizeof(*history));

	if (history == NULL) {
		err_set(err, ERR_MEMORY, "out of memory");
		return NULL;
	}
	history->directory = directory;
	if (open_file(history)) {
		err_errno(err, errno, "link/%s", FILE_NAME);
		free(history);
		return NULL;
	}
	return history;
}

void link_history_free(struct link_history *history)
{
	if (history == NULL)
		return;
	if (history->fd >= 0)
		close(history->fd);
	free(history);
}

static void turn_over(struct link_history *history)
{
	struct stat st;

	if (history->fd >= 0 && fstat(history->fd, &st) == 0 && (uint64_t)st.st_size < LINK_HISTORY_FILE_BYTES)
		return;
	if (history->fd >= 0)
		close(history->fd);
	renameat(history->directory, FILE_NAME, history->directory, OLD_NAME);
	open_file(history);
}

static json_t *event_object(uint32_t type, time_us time, const struct event_field *fields, size_t count)
{
	const struct event_type *row = event_type_find(type);
	json_t *values = json_object();
	char when[TIME_TEXT_BYTES];
	struct buf text;
	json_t *root;

	buf_init(&text, 64 * KIB);
	if (row)
		event_text(row, fields, count, &text);
	for (size_t i = 0; i < count; i++)
		json_object_set_new(values, fields[i].name, control_name(fields[i].value.data, fields[i].value.size));
	time_format(time, when);
	root = json_pack("{s:s,s:s,s:i,s:s,s:s,s:s,s:o}", "type", "event", "time", when, "type_id", (int)type, "name",
			 row ? row->name : "", "severity", row ? event_severity_name(row->severity) : "", "text",
			 text.status ? "" : buf_text(&text), "fields", values);
	buf_done(&text);
	return root;
}

void link_history_add(struct link_history *history, uint32_t type, time_us time, const struct event_field *fields,
		      size_t count)
{
	json_t *root = event_object(type, time, fields, count);
	char *text = root ? json_dumps(root, JSON_COMPACT) : NULL;
	char *line = NULL;
	struct err err = { 0 };

	turn_over(history);
	if (text != NULL && history->fd >= 0 && asprintf(&line, "%s\n", text) >= 0 &&
	    files_write_all(history->fd, line, strlen(line), &err) && !history->complained) {
		history->complained = true;
		LOG(LOG_WARNING, "history.not_written", log_err(&err));
	}
	free(line);
	free(text);
	json_decref(root);
}

/* Where the last `limit` lines begin; *ret_found is how many there are. */
static size_t last_lines(const struct buf *text, uint32_t limit, uint32_t *ret_found)
{
	size_t at = text->size;
	uint32_t found = 0;

	while (at > 0) {
		if (at < text->size && text->data[at - 1] == '\n' && ++found == limit)
			break;
		at--;
	}
	if (at == 0 && text->size > 0 && found < limit)
		found++;
	*ret_found = found;
	return at;
}

static void show_from(const struct buf *text, size_t at, link_history_line line_to, void *context)
{
	while (at < text->size) {
		const uint8_t *end = memchr(text->data + at, '\n', text->size - at);
		size_t size = end ? (size_t)(end - text->data) - at : text->size - at;
		json_t *line = json_loadb((const char *)text->data + at, size, 0, NULL);

		if (json_is_object(line))
			line_to(context, line);
		else
			json_decref(line); /* cut short by a crash */
		at += size + 1;
	}
}

static void read_file(struct link_history *history, const char *name, struct buf *out)
{
	struct err err;
	int rc = files_read(history->directory, name, 2 * LINK_HISTORY_FILE_BYTES, out, &err);

	if (rc && rc != ERR_NOT_FOUND)
		LOG(LOG_WARNING, "history.not_read", log_err(&err));
}

void link_history_show(struct link_history *history, uint32_t limit, link_history_line line_to, void *context)
{
	uint32_t found, found_old = 0;
	struct buf recent, old;
	size_t at;

	limit = limit ? limit : LINK_HISTORY_DEFAULT;
	buf_init(&recent, 2 * LINK_HISTORY_FILE_BYTES);
	buf_init(&old, 2 * LINK_HISTORY_FILE_BYTES);
	read_file(history, FILE_NAME, &recent);
	at = last_lines(&recent, limit, &found);
	if (found < limit) {
		read_file(history, OLD_NAME, &old);
		show_from(&old, last_lines(&old, limit - found, &found_old), line_to, context);
	}
	show_from(&recent, at, line_to, context);
	buf_done(&recent);
	buf_done(&old);
}
