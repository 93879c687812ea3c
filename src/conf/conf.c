/* A table of rows bound to a struct: defaults, and reading INI over them.
 *
 * inih splits lines; this file counts them, notices what inih would pass over
 * (a line that is no setting, one that is too long, a name given twice), and
 * gathers every problem before anything is applied.
 */
#include "conf/conf.h"

#include <errno.h>
#include <fcntl.h>
#include <ini.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"
#include "conf/nearest.h"

#define STRING_(text) #text
#define STRING(text)  STRING_(text)

int conf_init(const struct conf_table *table, void *target, struct err *err)
{
	memset(target, 0, table->size);
	for (size_t i = 0; i < table->count; i++) {
		const struct conf_row *row = &table->rows[i];
		union conf_value value = { 0 };
		bool nothing = row->initial == NULL && (row->flags & CONF_REQUIRED) != 0;
		int rc = nothing ? 0 : conf_value_parse(row, row->initial != NULL ? row->initial : "", &value, err);

		if (rc != 0) {
			conf_done(table, target);
			err_set(err, ERR_INTERNAL, "[%s] %s: the default '%s' is not allowed", row->section, row->key,
				row->initial != NULL ? row->initial : "");
			return ERR_INTERNAL;
		}
		conf_value_store(row, target, &value);
	}
	return 0;
}

void conf_done(const struct conf_table *table, void *target)
{
	for (size_t i = 0; i < table->count; i++) {
		union conf_value value;

		conf_value_load(&table->rows[i], target, &value);
		conf_value_done(&table->rows[i], &value);
	}
	memset(target, 0, table->size);
}

/* An alias may also be "Section.Name", for names from another section. */
static bool row_is(const struct conf_row *row, const char *section, const char *key)
{
	char both[128];
	int length;

	if (strcasecmp(row->section, section) == 0 && conf_row_is(row, key))
		return true;
	if (row->aliases == NULL)
		return false;
	length = snprintf(both, sizeof(both), "%s.%s", section, key);
	return length > 0 && (size_t)length < sizeof(both) && conf_row_is(row, both);
}

const struct conf_row *conf_find(const struct conf_table *table, const char *section, const char *key)
{
	for (size_t i = 0; i < table->count; i++) {
		if (row_is(&table->rows[i], section, key))
			return &table->rows[i];
	}
	return NULL;
}

#define NAME_BYTES 64 /* of a section or a key of ours, with its NUL */

/* Where a row was set, and by which of its names. */
struct setting {
	unsigned line; /* 0: it was not */
	char section[NAME_BYTES], key[NAME_BYTES];
};

struct reading {
	const struct conf_table *table;
	const char *file_name;
	const char *at, *end;
	unsigned line;
	bool expected; /* the line must be a setting, and has not been one yet */
	size_t count;  /* problems */
	struct buf *problems;
	union conf_value *values; /* one a row */
	struct setting *set;      /* one a row */
};

/* "FILE:LINE: [section] key = value: " and then what the caller appends, and a newline. */
static void begin_problem(struct reading *reading)
{
	reading->count++;
	text_escape(reading->problems, reading->file_name, strlen(reading->file_name));
	buf_printf(reading->problems, ":%u: ", reading->line);
}

static void problem_of(struct reading *reading, const char *section, const char *key, const char *value,
		       const char *what)
{
	begin_problem(reading);
	buf_append_text(reading->problems, "[");
	text_escape(reading->problems, section, strlen(section));
	buf_append_text(reading->problems, "] ");
	text_escape(reading->problems, key, strlen(key));
	if (value != NULL) {
		buf_append_text(reading->problems, " = ");
		text_escape(reading->problems, value, strnlen(value, 80));
	}
	buf_printf(reading->problems, ": %s\n", what);
}

static void problem_of_line(struct reading *reading, const char *what)
{
	begin_problem(reading);
	buf_printf(reading->problems, "%s\n", what);
}

/* Names another section in one of its aliases? */
static bool alias_in(const struct conf_row *row, const char *section)
{
	size_t size = strlen(section);

	for (const char *at = row->aliases; at != NULL && *at != '\0'; at += strcspn(at, " ")) {
		at += strspn(at, " ");
		if (strncasecmp(at, section, size) == 0 && at[size] == '.')
			return true;
	}
	return false;
}

static bool section_known(const struct conf_table *table, const char *section)
{
	for (size_t i = 0; i < table->count; i++) {
		if (strcasecmp(table->rows[i].section, section) == 0 || alias_in(&table->rows[i], section))
			return true;
	}
	return false;
}

static bool same_value(const struct conf_row *row, const union conf_value *a, const union conf_value *b)
{
	struct buf first, second;
	bool same;

	buf_init(&first, 4 * CONF_VALUE_BYTES);
	buf_init(&second, 4 * CONF_VALUE_BYTES);
	conf_value_format(row, a, &first);
	conf_value_format(row, b, &second);
	same = strcmp(buf_text(&first), buf_text(&second)) == 0;
	buf_done(&first);
	buf_done(&second);
	return same;
}

static bool by_same_name(const struct setting *set, const char *section, const char *key)
{
	return set->line != 0 && strcasecmp(set->section, section) == 0 && strcasecmp(set->key, key) == 0;
}

/* The row was set before by another of its names: no harm, as long as both say the same. Takes value. */
static void on_second(struct reading *reading, const struct conf_row *row, const char *section, const char *key,
		      const char *text, union conf_value *value)
{
	size_t place = (size_t)(row - reading->table->rows);
	const struct setting *before = &reading->set[place];
	char what[3 * NAME_BYTES + 128];

	if (!same_value(row, value, &reading->values[place])) {
		snprintf(what, sizeof(what),
			 "contradicts [%s] %s in line %u, which is the same setting by another name; take out one of "
			 "the two lines",
			 before->section, before->key, before->line);
		problem_of(reading, section, key, row->flags & CONF_SECRET ? NULL : text, what);
	}
	conf_value_done(row, value);
}

static void note(struct reading *reading, size_t place, const char *section, const char *key)
{
	struct setting *set = &reading->set[place];

	set->line = reading->line;
	snprintf(set->section, sizeof(set->section), "%s", section);
	snprintf(set->key, sizeof(set->key), "%s", key);
}

static void problem_of_name(struct reading *reading, const char *section, const char *key)
{
	char near[NEAREST_BYTES], what[NEAREST_BYTES + 64];
	bool is_near = conf_nearest(reading->table, section, key, near);

	(void)snprintf(what, sizeof(what), "%s%s%s%s",
		       section_known(reading->table, section) ? "no such setting in this section" : "no such section",
		       is_near ? "; is " : "", is_near ? near : "", is_near ? " meant?" : "");
	problem_of(reading, section, key, NULL, what);
}

static int on_setting(void *argument, const char *section, const char *key, const char *text)
{
	struct reading *reading = argument;
	const struct conf_row *row = conf_find(reading->table, section, key);
	union conf_value value = { 0 };
	struct err err = { 0 };
	size_t place;

	reading->expected = false;
	if (row == NULL) {
		problem_of_name(reading, section, key);
		return 1;
	}
	place = (size_t)(row - reading->table->rows);
	if (by_same_name(&reading->set[place], section, key)) {
		problem_of(reading, section, key, NULL, "given twice");
		return 1;
	}
	if (conf_value_parse(row, text, &value, &err) != 0) {
		problem_of(reading, section, key, row->flags & CONF_SECRET ? NULL : text, err.text);
		return 1;
	}
	if (reading->set[place].line != 0) {
		on_second(reading, row, section, key, text, &value);
		return 1;
	}
	reading->values[place] = value;
	note(reading, place, section, key);
	return 1;
}

static void close_line(struct reading *reading)
{
	if (reading->expected)
		problem_of_line(reading, "neither [section] nor name = value");
	reading->expected = false;
}

/* inih's fgets(): the next line, without the spaces in front that would make
 * it the continuation of another. */
static char *next_line(char *out, int capacity, void *argument)
{
	struct reading *reading = argument;
	const char *line, *end;
	size_t size;

	close_line(reading);
	if (reading->at >= reading->end)
		return NULL;
	line = reading->at;
	end = memchr(line, '\n', (size_t)(reading->end - line));
	if (end == NULL)
		end = reading->end;
	reading->at = end < reading->end ? end + 1 : end;
	reading->line++;
	while (line < end && (*line == ' ' || *line == '\t' || *line == '\r'))
		line++;
	size = (size_t)(end - line);
	out[0] = '\0';
	if (size > CONF_LINE_BYTES || size + 2 > (size_t)capacity) {
		problem_of_line(reading, "the line is longer than " STRING(CONF_LINE_BYTES) " bytes");
	} else if (memchr(line, '\0', size) != NULL) {
		problem_of_line(reading, "the line holds a NUL byte; is this a text file?");
	} else {
		memcpy(out, line, size);
		out[size] = '\0';
		/* inih says nothing of a section; it ends at its bracket. */
		reading->expected = strchr(";#[", out[0]) == NULL || (out[0] == '[' && strchr(out, ']') == NULL);
	}
	return out;
}

static void check_required(struct reading *reading)
{
	for (size_t i = 0; i < reading->table->count; i++) {
		const struct conf_row *row = &reading->table->rows[i];

		if ((row->flags & CONF_REQUIRED) && row->initial == NULL && reading->set[i].line == 0)
			problem_of(reading, row->section, row->key, NULL, "must be given");
	}
}

static int finish(struct reading *reading, void *target, struct err *err)
{
	const struct conf_table *table = reading->table;

	if (reading->count > 0)
		return err_set(err, ERR_FORMAT, "%s: %zu problem%s", reading->file_name, reading->count,
			       reading->count == 1 ? "" : "s");
	for (size_t i = 0; i < table->count; i++) {
		if (reading->set[i].line != 0)
			conf_value_store(&table->rows[i], target, &reading->values[i]);
	}
	return 0;
}

int conf_read_text(const struct conf_table *table, const char *file_name, const void *text, size_t size, void *target,
		   struct buf *problems, struct err *err)
{
	struct reading reading = { .table = table, .file_name = file_name, .at = text, .problems = problems };
	int rc;

	if (size > CONF_FILE_BYTES)
		return err_set(err, ERR_LIMIT, "%s: larger than %d KB", file_name, CONF_FILE_BYTES / 1024);
	if (size >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
		reading.at += 3;
	reading.end = (const char *)text + size;
	reading.values = calloc(table->count + 1, sizeof(*reading.values));
	reading.set = calloc(table->count + 1, sizeof(*reading.set));
	if (reading.values == NULL || reading.set == NULL) {
		rc = err_set(err, ERR_MEMORY, "%s: out of memory", file_name);
	} else {
		/* Values are taken as they stand: a comment has a line of its own. */
		ini_allow_inline_comments = false;
		ini_max_line = CONF_LINE_BYTES + 8;
		ini_parse_stream(next_line, &reading, on_setting, &reading);
		check_required(&reading);
		rc = finish(&reading, target, err);
	}
	for (size_t i = 0; reading.values != NULL && i < table->count; i++)
		conf_value_done(&table->rows[i], &reading.values[i]);
	free(reading.values);
	free(reading.set);
	return rc;
}

int conf_read(const struct conf_table *table, const char *path, void *target, struct buf *problems, struct err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;
	struct buf text;
	int rc = 0;

	if (fd < 0)
		return err_errno(err, errno, "%s", path);
	buf_init(&text, CONF_FILE_BYTES + 1);
	if (fstat(fd, &st) != 0)
		rc = err_errno(err, errno, "%s", path);
	else if (!S_ISREG(st.st_mode))
		rc = err_set(err, ERR_FORMAT, "%s: not a regular file", path);
	while (rc == 0) {
		uint8_t piece[4096];
		ssize_t n = read(fd, piece, sizeof(piece));

		if (n == 0)
			break;
		if (n < 0)
			rc = err_errno(err, errno, "%s", path);
		else if (buf_append(&text, piece, (size_t)n) != 0)
			rc = err_set(err, text.status, "%s: larger than %d KB", path, CONF_FILE_BYTES / 1024);
	}
	close(fd);
	if (rc == 0)
		rc = conf_read_text(table, path, buf_text(&text), text.size, target, problems, err);
	buf_wipe(&text);
	return rc;
}
