/* Layout of tables; JSON from the manager is untrusted. */
#include "cli/table.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include "base/text.h"
#include "base/units.h"

#define CELL_BYTES  (1024 * 1024)
#define DEPTH_MAX   8 /* of members of members; deeper ones are not told apart */
#define GAP         2
#define LEAST_CELLS 8 /* a cut column keeps this many */

void table_clean(const char *text, struct buf *out)
{
	while (*text != '\0') {
		size_t size = strcspn(text, "\\");

		text_escape(out, text, size);
		text += size;
		if (*text == '\\') {
			buf_append_byte(out, '\\');
			text++;
		}
	}
}

/* Decodes one character of valid UTF-8 (table_clean() made it so). */
static size_t character(const char *text, wchar_t *ret_code)
{
	unsigned char first = (unsigned char)text[0];
	size_t length = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
	unsigned code = length == 1 ? first : first & (0xffu >> (length + 1));

	for (size_t i = 1; i < length; i++) {
		if (((unsigned char)text[i] & 0xc0) != 0x80) {
			*ret_code = L'?';
			return i;
		}
		code = code << 6 | ((unsigned char)text[i] & 0x3fu);
	}
	*ret_code = (wchar_t)code;
	return length;
}

size_t table_cells(const char *text)
{
	size_t cells = 0;

	while (*text != '\0') {
		wchar_t code;
		int width;

		text += character(text, &code);
		width = wcwidth(code);
		cells += width < 0 ? 1 : (size_t)width;
	}
	return cells;
}

/* At most `cells` of text, an ellipsis for what is left out, padding to `cells`. */
static void append_cut(struct buf *out, const char *text, size_t cells, bool right, bool pad)
{
	size_t whole = table_cells(text), used = 0;

	if (whole <= cells) {
		if (right)
			buf_printf(out, "%*s", (int)(cells - whole), "");
		buf_append_text(out, text);
		if (!right && pad)
			buf_printf(out, "%*s", (int)(cells - whole), "");
		return;
	}
	while (*text != '\0') {
		wchar_t code;
		size_t length = character(text, &code);
		int width = wcwidth(code);

		if (used + (width < 0 ? 1 : (size_t)width) + 1 > cells)
			break;
		used += width < 0 ? 1 : (size_t)width;
		buf_append(out, text, length);
		text += length;
	}
	buf_append_text(out, "…");
	if (pad)
		buf_printf(out, "%*s", (int)(cells - used - 1), "");
}

void table_size(int64_t bytes, struct buf *out)
{
	static const char *const units[] = { "B", "KB", "MB", "GB", "TB", "PB" };
	double value = (double)bytes;
	size_t unit = 0;

	while (value >= 1023.95 && unit + 1 < COUNT_OF(units)) {
		value /= 1024;
		unit++;
	}
	buf_printf(out, unit == 0 ? "%.0f %s" : "%.1f %s", value, units[unit]);
}

/* The member of members that a field such as "progress.files_done" names. */
static const json_t *member(const json_t *item, const char *field)
{
	while (item != NULL && *field != '\0') {
		char name[64];
		size_t size = strcspn(field, ".");

		if (size >= sizeof(name))
			return NULL;
		memcpy(name, field, size);
		name[size] = '\0';
		item = json_object_get(item, name);
		field += size + (field[size] == '.');
	}
	return item;
}

static void append_scalar(const json_t *value, struct buf *out)
{
	switch (value != NULL ? json_typeof(value) : JSON_NULL) {
	case JSON_STRING:
		buf_append_text(out, json_string_value(value));
		break;
	case JSON_INTEGER:
		buf_printf(out, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
		break;
	case JSON_REAL:
		buf_printf(out, "%.6g", json_real_value(value));
		break;
	case JSON_TRUE:
		buf_append_text(out, "true");
		break;
	case JSON_FALSE:
		buf_append_text(out, "false");
		break;
	case JSON_NULL:
	case JSON_OBJECT:
	case JSON_ARRAY:
		break;
	}
}

static void append_time(const char *text, struct buf *out)
{
	/* "2026-11-21T20:08:06.123Z" to "2026-11-21 20:08:06"; anything else as it is. */
	if (strlen(text) < 20 || text[10] != 'T') {
		buf_append_text(out, text);
		return;
	}
	buf_append(out, text, 10);
	buf_append_byte(out, ' ');
	buf_append(out, text + 11, 8);
}

static void append_value(const json_t *value, struct buf *out);

static bool is_empty(const json_t *value)
{
	return value == NULL || json_is_null(value) || (json_is_string(value) && json_string_length(value) == 0) ||
	       ((json_is_object(value) || json_is_array(value)) &&
		json_object_size(value) + json_array_size(value) == 0);
}

/* "a=1 b.c=2": what is empty is left out. first: nothing was appended yet. */
static bool append_members(const json_t *object, const char *prefix, bool first, unsigned depth, struct buf *out)
{
	for (void *at = json_object_iter((json_t *)object); at != NULL;
	     at = json_object_iter_next((json_t *)object, at)) {
		const json_t *value = json_object_iter_value(at);
		struct buf name;

		if (is_empty(value))
			continue;
		buf_init(&name, 4096);
		buf_printf(&name, "%s%s%s", prefix, prefix[0] != '\0' ? "." : "", json_object_iter_key(at));
		if (json_is_object(value) && depth < DEPTH_MAX) {
			first = append_members(value, buf_text(&name), first, depth + 1, out);
		} else {
			buf_printf(out, "%s%s=", first ? "" : " ", buf_text(&name));
			append_value(value, out);
			first = false;
		}
		buf_done(&name);
	}
	return first;
}

static void append_value(const json_t *value, struct buf *out)
{
	if (json_is_object(value)) {
		append_members(value, "", true, 0, out);
	} else if (json_is_array(value)) {
		for (size_t i = 0; i < json_array_size(value); i++) {
			buf_append_text(out, i > 0 ? ", " : "");
			append_value(json_array_get(value, i), out);
		}
	} else {
		append_scalar(value, out);
	}
}

/* What the table shows of an item's column, cleaned. */
static void append_cell(const struct column *column, const json_t *item, struct buf *out)
{
	const json_t *value = member(item, column->field);
	struct buf raw;

	buf_init(&raw, CELL_BYTES);
	if (column->kind == COLUMN_TIME && json_is_string(value))
		append_time(json_string_value(value), &raw);
	else if (column->kind == COLUMN_SIZE && json_is_integer(value))
		table_size(json_integer_value(value), &raw);
	else if (column->kind == COLUMN_MARK && json_is_boolean(value))
		buf_append_text(&raw, json_is_true(value) ? "yes" : "");
	else
		append_value(value, &raw);
	table_clean(raw.status == 0 ? buf_text(&raw) : "…", out);
	buf_done(&raw);
}

void table_init(struct table *table, const struct column *columns, size_t count, size_t width)
{
	memset(table, 0, sizeof(*table));
	table->columns = columns;
	table->count = count < TABLE_COLUMNS_MAX ? count : TABLE_COLUMNS_MAX;
	table->width = width;
}

void table_fit(size_t *widths, const size_t *least, const bool *may_cut, size_t count, size_t width)
{
	for (;;) {
		size_t total = 0, widest = count;

		for (size_t i = 0; i < count; i++) {
			total += widths[i] + (i > 0 && widths[i] > 0 ? GAP : 0);
			if (may_cut[i] && widths[i] > least[i] && (widest == count || widths[i] > widths[widest]))
				widest = i;
		}
		if (total <= width || widest == count)
			return;
		widths[widest]--;
	}
}

static bool may_cut(const struct column *column)
{
	return column->kind == COLUMN_TEXT || column->kind == COLUMN_FIELDS || column->kind == COLUMN_PROSE;
}

static void settle_widths(struct table *table, const json_t *items)
{
	size_t least[TABLE_COLUMNS_MAX] = { 0 };
	bool cut[TABLE_COLUMNS_MAX] = { false };

	for (size_t i = 0; i < table->count; i++) {
		const struct column *column = &table->columns[i];

		if (column->title == NULL)
			continue;
		table->widths[i] = table_cells(column->title);
		cut[i] = may_cut(column);
		least[i] = table->widths[i] > LEAST_CELLS ? table->widths[i] : LEAST_CELLS;
		for (size_t k = 0; k < json_array_size(items); k++) {
			struct buf cell;
			size_t cells;

			buf_init(&cell, CELL_BYTES);
			append_cell(column, json_array_get(items, k), &cell);
			cells = table_cells(buf_text(&cell));
			table->widths[i] = cells > table->widths[i] ? cells : table->widths[i];
			buf_done(&cell);
		}
	}
	if (table->width > 0)
		table_fit(table->widths, least, cut, table->count, table->width);
}

static size_t last_shown(const struct table *table)
{
	size_t last = 0;

	for (size_t i = 0; i < table->count; i++) {
		if (table->columns[i].title != NULL)
			last = i;
	}
	return last;
}

/* How many bytes of text go into `cells`: up to a space if there is one, and at least a character. */
static size_t line_of(const char *text, size_t cells)
{
	size_t at = 0, used = 0, space = 0;

	while (text[at] != '\0') {
		wchar_t code;
		size_t length = character(text + at, &code);
		int width = wcwidth(code);

		used += width < 0 ? 1 : (size_t)width;
		if (used > cells && at > 0)
			return space > 0 ? space : at;
		at += length;
		if (text[at] == ' ')
			space = at;
	}
	return at;
}

/* One row of the table while it is written: what prose columns have left for the lines below. */
struct row {
	const struct table *table;
	const json_t *item; /* NULL: the header */
	size_t last;
	struct buf left[TABLE_COLUMNS_MAX];
};

static bool wraps(const struct row *row, size_t i)
{
	return row->table->columns[i].kind == COLUMN_PROSE && row->item != NULL && row->table->width > 0;
}

/* The next line of a prose column; what is left of it stays. */
static void append_prose(struct row *row, size_t i, struct buf *out)
{
	const char *text = buf_text(&row->left[i]);
	size_t size = line_of(text, row->table->widths[i]);
	struct buf line, rest;

	buf_init(&line, CELL_BYTES);
	buf_init(&rest, CELL_BYTES);
	buf_append(&line, text, size);
	text += size;
	buf_append_text(&rest, text + strspn(text, " "));
	append_cut(out, buf_text(&line), row->table->widths[i], false, i < row->last);
	buf_done(&line);
	buf_done(&row->left[i]);
	row->left[i] = rest;
}

static void append_whole(const struct row *row, size_t i, struct buf *out)
{
	const struct column *column = &row->table->columns[i];
	bool right = column->kind == COLUMN_NUMBER || column->kind == COLUMN_SIZE;
	/* Later pages may hold longer values than the first: what may not be cut pushes the rest aside. */
	size_t width = row->table->widths[i];
	struct buf cell;

	buf_init(&cell, CELL_BYTES);
	if (row->item == NULL)
		buf_append_text(&cell, column->title);
	else
		append_cell(column, row->item, &cell);
	if (!may_cut(column) && table_cells(buf_text(&cell)) > width)
		width = table_cells(buf_text(&cell));
	append_cut(out, buf_text(&cell), width, right, i < row->last);
	buf_done(&cell);
}

/* True while a prose column has more to say. */
static bool append_line_of(struct row *row, bool first, struct buf *out)
{
	bool more = false;

	for (size_t i = 0; i <= row->last; i++) {
		if (row->table->columns[i].title == NULL)
			continue;
		if (wraps(row, i))
			append_prose(row, i, out);
		else if (first)
			append_whole(row, i, out);
		else
			buf_printf(out, "%*s", i < row->last ? (int)row->table->widths[i] : 0, "");
		buf_append_text(out, i < row->last ? "  " : "\n");
		more |= wraps(row, i) && row->left[i].size > 0;
	}
	return more;
}

/* item NULL: the header. */
static void append_row(const struct table *table, const json_t *item, struct buf *out)
{
	struct row row = { .table = table, .item = item, .last = last_shown(table) };
	bool first = true;

	for (size_t i = 0; i < table->count; i++) {
		buf_init(&row.left[i], CELL_BYTES);
		if (wraps(&row, i) && table->columns[i].title != NULL)
			append_cell(&table->columns[i], item, &row.left[i]);
	}
	while (append_line_of(&row, first, out))
		first = false;
	for (size_t i = 0; i < table->count; i++)
		buf_done(&row.left[i]);
}

void table_page(struct table *table, const json_t *items, struct buf *out)
{
	if (!table->begun) {
		settle_widths(table, items);
		append_row(table, NULL, out);
		table->begun = true;
	}
	for (size_t i = 0; i < json_array_size(items); i++)
		append_row(table, json_array_get(items, i), out);
}

static void append_quoted(struct buf *out, const char *text)
{
	if (strpbrk(text, ",\"\r\n") == NULL && text[0] != ' ' && (text[0] == '\0' || text[strlen(text) - 1] != ' ')) {
		buf_append_text(out, text);
		return;
	}
	buf_append_byte(out, '"');
	for (; *text != '\0'; text++) {
		if (*text == '"')
			buf_append_byte(out, '"');
		buf_append_byte(out, (uint8_t)*text);
	}
	buf_append_byte(out, '"');
}

/* A spreadsheet takes text that begins like this for a formula, and calculates what a computer is named. */
static bool is_formula(const json_t *value)
{
	const char *text = json_string_value(value);

	return text != NULL && text[0] != '\0' && strchr("=+-@\t\r", text[0]) != NULL;
}

static void append_csv_value(const json_t *value, struct buf *out)
{
	struct buf raw;
	char *text = NULL;

	buf_init(&raw, CELL_BYTES);
	if (is_formula(value))
		buf_append_byte(&raw, '\'');
	if (json_is_object(value) || json_is_array(value))
		text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
	else
		append_scalar(value, &raw);
	append_quoted(out, text != NULL ? text : buf_text(&raw));
	free(text);
	buf_done(&raw);
}

void table_csv(struct table *table, const json_t *items, struct buf *out)
{
	for (size_t i = 0; !table->begun && i < table->count; i++)
		buf_printf(out, "%s%s", table->columns[i].field, i + 1 < table->count ? "," : "\r\n");
	table->begun = true;
	for (size_t k = 0; k < json_array_size(items); k++) {
		for (size_t i = 0; i < table->count; i++) {
			append_csv_value(member(json_array_get(items, k), table->columns[i].field), out);
			buf_append_text(out, i + 1 < table->count ? "," : "\r\n");
		}
	}
}

static void append_line(struct buf *out, const char *name, size_t width, const json_t *value)
{
	struct buf raw, clean;

	buf_init(&raw, CELL_BYTES);
	buf_init(&clean, 4 * CELL_BYTES);
	append_value(value, &raw);
	table_clean(name, out);
	buf_append_text(out, name[0] != '\0' ? ":" : " ");
	table_clean(raw.status == 0 ? buf_text(&raw) : "…", &clean);
	if (clean.size > 0)
		buf_printf(out, "%*s  %s", (int)(width - table_cells(name)), "", buf_text(&clean));
	buf_append_text(out, "\n");
	buf_done(&raw);
	buf_done(&clean);
}

void table_object(const json_t *object, struct buf *out)
{
	size_t width = 0;

	for (void *at = json_object_iter((json_t *)object); at != NULL;
	     at = json_object_iter_next((json_t *)object, at)) {
		size_t cells = table_cells(json_object_iter_key(at));

		width = cells > width ? cells : width;
	}
	for (void *at = json_object_iter((json_t *)object); at != NULL;
	     at = json_object_iter_next((json_t *)object, at)) {
		const json_t *value = json_object_iter_value(at);
		bool rows = json_is_array(value) && json_is_object(json_array_get(value, 0));

		if (!rows)
			append_line(out, json_object_iter_key(at), width, value);
		for (size_t i = 0; rows && i < json_array_size(value); i++)
			append_line(out, i == 0 ? json_object_iter_key(at) : "", width, json_array_get(value, i));
	}
}
