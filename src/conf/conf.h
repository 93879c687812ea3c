/* Settings files: a table of rows bound to a struct, read from INI.
 *
 * Life: conf_init() fills the struct with the defaults, conf_read() puts a
 * file's values over them or leaves the struct as it was and lists every
 * problem at once, conf_done() frees what the struct owns. Files are trusted
 * no more than any outside bytes: size and line length have limits.
 */
#ifndef MUSTER_CONF_CONF_H
#define MUSTER_CONF_CONF_H

#include "conf/value.h"

#define CONF_FILE_BYTES     (256 * 1024) /* largest settings file */
#define CONF_LINE_BYTES     5120         /* longest line: a value and its name */
#define CONF_PROBLEMS_BYTES (64 * 1024)

struct conf_table {
	const char *program;         /* "manager": shown in the reference and in a fresh file */
	const char *file;            /* "manager.ini" */
	const struct conf_row *rows; /* those of a section stand together */
	size_t count;
	size_t size; /* sizeof of the caller's struct */
};

/* Sets every row's value to its default; target is zeroed first. ERR_INTERNAL
 * names a row whose default does not fit its own type or range. */
int conf_init(const struct conf_table *table, void *target, struct err *err);
void conf_done(const struct conf_table *table, void *target);

/* Reads text (file_name is for messages) over a struct that conf_init() filled.
 * On problems: ERR_FORMAT, target is unchanged, and `problems` holds one line
 * each: "manager.ini:12: [process] workers = 900: allowed: 1 to 64". Not from
 * several threads at once (inih's options are global). */
int conf_read_text(const struct conf_table *table, const char *file_name, const void *text, size_t size, void *target,
		   struct buf *problems, struct err *err);
/* The same from a file. Blocks. ERR_LIMIT, ERR_IO, ERR_NOT_FOUND as well. */
int conf_read(const struct conf_table *table, const char *path, void *target, struct buf *problems, struct err *err);

/* A fresh file with every setting explained: those that equal their default
 * as comments, others set. */
void conf_write_text(const struct conf_table *table, const void *target, struct buf *out);
/* Writes it to PATH by a temporary file, fsync and rename. mode e.g. 0640. Blocks. */
int conf_write(const struct conf_table *table, const void *target, const char *path, unsigned mode, struct err *err);

/* For --check-config: one line a setting, "[section] key = value", with
 * "(default)" behind those that equal it. */
void conf_show(const struct conf_table *table, const void *target, struct buf *out);
/* The section of doc/settings.md about this table, as Markdown. */
void conf_reference(const struct conf_table *table, struct buf *out);

/* The row of a setting by section and key or alias; NULL when there is none. */
const struct conf_row *conf_find(const struct conf_table *table, const char *section, const char *key);

#endif
