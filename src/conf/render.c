/* What people read of a table: a fresh INI file, --check-config, the reference. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"
#include "conf/conf.h"

#define COLUMNS 78

/* Words of text in lines that begin with "# ". */
static void append_comment(struct buf *out, const char *text)
{
	size_t column = 0;

	while (*text != '\0') {
		size_t size = strcspn(text, " ");

		if (column == 0 || column + 1 + size > COLUMNS) {
			buf_append_text(out, column == 0 ? "#" : "\n#");
			column = 1;
		}
		buf_append_text(out, " ");
		buf_append(out, text, size);
		column += 1 + size;
		text += size;
		text += strspn(text, " ");
	}
	buf_append_text(out, "\n");
}

static bool is_default(const struct conf_row *row, const char *text)
{
	union conf_value value = { 0 };
	struct buf initial;
	bool same;

	if (conf_value_parse(row, row->initial != NULL ? row->initial : "", &value, NULL) != 0)
		return false;
	buf_init(&initial, CONF_VALUE_BYTES + 1);
	conf_value_format(row, &value, &initial);
	same = strcmp(buf_text(&initial), text) == 0;
	buf_done(&initial);
	conf_value_done(row, &value);
	return same;
}

static void format_of(const struct conf_row *row, const void *target, struct buf *out)
{
	union conf_value value;

	conf_value_load(row, target, &value);
	conf_value_format(row, &value, out);
}

static bool begins_section(const struct conf_table *table, size_t place)
{
	return place == 0 || strcmp(table->rows[place - 1].section, table->rows[place].section) != 0;
}

static void describe(const struct conf_row *row, struct buf *out)
{
	buf_append_text(out, "Allowed: ");
	conf_value_allowed(row, out);
	if ((row->flags & CONF_REQUIRED) && row->initial == NULL)
		buf_append_text(out, ". Must be given.");
	else
		buf_printf(out, ". Default: %s.",
			   row->initial != NULL && row->initial[0] != '\0' ? row->initial : "none");
}

static void write_row(const struct conf_row *row, const void *target, struct buf *out)
{
	struct buf value, text;

	buf_init(&value, CONF_VALUE_BYTES + 1);
	buf_init(&text, CONF_VALUE_BYTES);
	format_of(row, target, &value);
	describe(row, &text);
	append_comment(out, row->help);
	append_comment(out, buf_text(&text));
	buf_printf(out, "%s%s = %s\n\n", is_default(row, buf_text(&value)) ? "#" : "", row->key, buf_text(&value));
	buf_wipe(&value);
	buf_done(&text);
}

void conf_write_text(const struct conf_table *table, const void *target, struct buf *out)
{
	buf_printf(out, "# Settings of the %s. Lines that begin with # are comments and show the default.\n\n",
		   table->program);
	for (size_t i = 0; i < table->count; i++) {
		if (begins_section(table, i))
			buf_printf(out, "[%s]\n", table->rows[i].section);
		write_row(&table->rows[i], target, out);
	}
}

static int write_all(int fd, const struct buf *text)
{
	for (size_t done = 0; done < text->size;) {
		ssize_t n = write(fd, text->data + done, text->size - done);

		if (n < 0 && errno != EINTR)
			return -1;
		done += n > 0 ? (size_t)n : 0;
	}
	return fsync(fd);
}

/* The rename itself is durable once the directory is synced. */
static int sync_directory_of(const char *path)
{
	char *copy = strdup(path);
	char *slash = copy != NULL ? strrchr(copy, '/') : NULL;
	int fd, rc;

	if (copy == NULL) {
		errno = ENOMEM;
		return -1;
	}
	if (slash != NULL)
		slash[slash == copy ? 1 : 0] = '\0';
	fd = open(slash != NULL ? copy : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	free(copy);
	if (fd < 0)
		return -1;
	rc = fsync(fd);
	close(fd);
	return rc;
}

static int replace_file(const char *path, const struct buf *text, unsigned mode, struct err *err)
{
	char fresh[4096];
	int length = snprintf(fresh, sizeof(fresh), "%s.new", path);
	int fd, rc = 0;

	if (length < 0 || (size_t)length >= sizeof(fresh))
		return err_set(err, ERR_LIMIT, "%.64s...: path too long", path);
	unlink(fresh);
	fd = open(fresh, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return err_errno(err, errno, "%s", fresh);
	if (fchmod(fd, mode) != 0 || write_all(fd, text) != 0 || rename(fresh, path) != 0)
		rc = err_errno(err, errno, "%s", path);
	close(fd);
	if (rc != 0) {
		unlink(fresh);
		return rc;
	}
	return sync_directory_of(path) == 0 ? 0 : err_errno(err, errno, "directory of %s", path);
}

int conf_write(const struct conf_table *table, const void *target, const char *path, unsigned mode, struct err *err)
{
	struct buf text;
	int rc;

	buf_init(&text, CONF_FILE_BYTES);
	conf_write_text(table, target, &text);
	rc = text.status != 0 ? err_set(err, text.status, "%s: the settings are too large", path)
			      : replace_file(path, &text, mode, err);
	buf_wipe(&text);
	return rc;
}

void conf_show(const struct conf_table *table, const void *target, struct buf *out)
{
	for (size_t i = 0; i < table->count; i++) {
		const struct conf_row *row = &table->rows[i];
		struct buf value;

		buf_init(&value, CONF_VALUE_BYTES + 1);
		format_of(row, target, &value);
		buf_printf(out, "[%s] %s = ", row->section, row->key);
		if (row->flags & CONF_SECRET)
			buf_append_text(out, value.size > 0 ? "(set, not shown)" : "");
		else
			text_escape(out, buf_text(&value), value.size);
		buf_append_text(out, is_default(row, buf_text(&value)) ? "   (default)\n" : "\n");
		buf_wipe(&value);
	}
}

/* A cell of a Markdown table: bars would end it. */
static void append_cell(struct buf *out, const char *text)
{
	buf_append_text(out, " ");
	for (; *text != '\0'; text++)
		buf_append_text(out, *text == '|' ? "\\|" : (const char[]){ *text, '\0' });
	buf_append_text(out, " |");
}

/* "Also `Name`, `[Section] Name`." */
static void append_aliases(struct buf *out, const char *aliases)
{
	const char *before = " Also ";

	for (const char *at = aliases; at != NULL && *at != '\0';) {
		int size = (int)strcspn(at, " ");
		const char *dot = memchr(at, '.', (size_t)size);

		if (dot != NULL)
			buf_printf(out, "%s`[%.*s] %.*s`", before, (int)(dot - at), at, size - (int)(dot - at) - 1,
				   dot + 1);
		else
			buf_printf(out, "%s`%.*s`", before, size, at);
		before = ", ";
		at += size;
		at += strspn(at, " ");
	}
	if (aliases != NULL)
		buf_append_text(out, ".");
}

static void refer_row(const struct conf_row *row, struct buf *out)
{
	struct buf allowed;
	bool needed = (row->flags & CONF_REQUIRED) && row->initial == NULL;

	buf_init(&allowed, CONF_VALUE_BYTES);
	conf_value_allowed(row, &allowed);
	buf_printf(out, "| `%s` |", row->key);
	append_cell(out, buf_text(&allowed));
	append_cell(out, needed                                            ? "must be given"
			 : row->initial == NULL || row->initial[0] == '\0' ? "none"
									   : row->initial);
	append_aliases(out, row->aliases);
	append_cell(out, row->help);
	buf_append_text(out, "\n");
	buf_done(&allowed);
}

void conf_reference(const struct conf_table *table, struct buf *out)
{
	buf_printf(out, "## %s (`%s`)\n", table->program, table->file);
	for (size_t i = 0; i < table->count; i++) {
		if (begins_section(table, i))
			buf_printf(out, "\n### [%s]\n\n| name | allowed | default | meaning |\n|---|---|---|---|\n",
				   table->rows[i].section);
		refer_row(&table->rows[i], out);
	}
	buf_append_text(out, "\n");
}
