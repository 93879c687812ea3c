/* JSON items as a table for people or as CSV for programs. Pure.
 *
 * The manager escapes what came from outside; here everything that a terminal
 * could take for more than text is escaped once more.
 */
#ifndef MUSTER_CLI_TABLE_H
#define MUSTER_CLI_TABLE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

enum column_kind {
	COLUMN_TEXT,   /* may be cut to fit */
	COLUMN_ID,     /* never cut: it is there to be copied */
	COLUMN_TIME,   /* RFC 3339 in JSON; shown without fraction, UTC */
	COLUMN_NUMBER, /* right-aligned */
	COLUMN_SIZE,   /* bytes; shown as 1.2 MB */
	COLUMN_MARK,   /* true is "yes", false nothing */
	COLUMN_FIELDS, /* an object, shown as a=b c=d; may be cut */
	COLUMN_PROSE,  /* sentences: goes on below itself instead of being cut */
};

struct column {
	const char *title; /* NULL: in CSV only */
	const char *field; /* "progress.files_done": members of members */
	enum column_kind kind;
};

#define TABLE_COLUMNS_MAX 32
#define TABLE_BYTES_MAX   (64 * 1024 * 1024) /* of one page shown */

struct table {
	const struct column *columns;
	size_t count;
	size_t width; /* of the terminal; 0: no limit */
	bool begun;   /* the header is written, the widths are settled */
	size_t widths[TABLE_COLUMNS_MAX];
};

void table_init(struct table *table, const struct column *columns, size_t count, size_t width);
/* Appends the rows of a page (a JSON array), with the header before the first. */
void table_page(struct table *table, const json_t *items, struct buf *out);
/* The same as CSV (RFC 4180): header of field names, values as in JSON. */
void table_csv(struct table *table, const json_t *items, struct buf *out);
/* One object, a line a member, for `show`. */
void table_object(const json_t *object, struct buf *out);

/* Shrinks widths until they, two spaces between, fit width; only those that may
 * be cut, the widest first, none under its least. */
void table_fit(size_t *widths, const size_t *least, const bool *may_cut, size_t count, size_t width);
/* What a terminal shows of text: control characters, invalid UTF-8 and
 * bidirectional overrides as \xNN; backslashes stay. */
void table_clean(const char *text, struct buf *out);
/* Cells that a terminal needs for UTF-8 text (wide characters count two). */
size_t table_cells(const char *text);
/* "1.2 MB" of bytes, in powers of 1024. */
void table_size(int64_t bytes, struct buf *out);

#endif
