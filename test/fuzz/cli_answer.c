/* What a manager, or whoever sits in its place, answers `muster`: problem
 * documents, lists as tables and CSV, progress of a command, streams of
 * events. The first byte chooses. Nothing that a terminal would obey comes out.
 */
#include <stdlib.h>
#include <string.h>

#include "base/units.h"
#include "cli/problem.h"
#include "cli/progress.h"
#include "cli/sse.h"
#include "cli/table.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_shown(const struct buf *out)
{
	for (size_t i = 0; i < out->size; i++) {
		if ((out->data[i] < ' ' && out->data[i] != '\n') || out->data[i] == 0x7f)
			abort();
	}
}

static void read_problem(const uint8_t *data, size_t size)
{
	static const long statuses[] = { 400, 401, 403, 404, 409, 413, 429, 500, 503, 507 };
	struct err err = { 0 };
	struct buf text;

	if (size == 0)
		return;
	if (problem_error(statuses[data[0] % COUNT_OF(statuses)], data + 1, size - 1, data[0], &err) != err.code ||
	    err.code == 0 || err.text[0] == '\0')
		abort();
	buf_init(&text, ERR_TEXT_BYTES);
	buf_append_text(&text, err.text);
	check_shown(&text);
	buf_done(&text);
}

static void read_table(const uint8_t *data, size_t size)
{
	static const struct column columns[] = {
		{ "ID", "id", COLUMN_ID },          { "NAME", "name", COLUMN_TEXT },
		{ "TIME", "time", COLUMN_TIME },    { "DONE", "progress.files_done", COLUMN_NUMBER },
		{ "SIZE", "size", COLUMN_SIZE },    { "FIELDS", "fields", COLUMN_FIELDS },
		{ NULL, "type_id", COLUMN_NUMBER },
	};
	json_t *json = size > 0 ? json_loadb((const char *)data + 1, size - 1, JSON_REJECT_DUPLICATES, NULL) : NULL;
	struct table table;
	struct buf out;

	buf_init(&out, TABLE_BYTES_MAX);
	if (json_is_array(json)) {
		table_init(&table, columns, COUNT_OF(columns), data[0]);
		table_page(&table, json, &out);
		table_page(&table, json, &out);
		check_shown(&out);
		buf_reset(&out);
		table_init(&table, columns, COUNT_OF(columns), 0);
		table_csv(&table, json, &out);
	} else if (json_is_object(json)) {
		table_object(json, &out);
		check_shown(&out);
	}
	buf_done(&out);
	json_decref(json);
}

static void read_progress(const uint8_t *data, size_t size)
{
	json_t *json = size > 0 ? json_loadb((const char *)data + 1, size - 1, 0, NULL) : NULL;
	struct progress progress;
	struct buf out;

	if (json == NULL)
		return;
	buf_init(&out, 65536);
	progress_read(json, &progress);
	if (progress_percent(&progress) < -1 || progress_percent(&progress) > 100 || progress_left(&progress) < -1)
		abort();
	progress_line(&progress, data[0], &out);
	progress_plain(&progress, &out);
	check_shown(&out);
	buf_done(&out);
	json_decref(json);
}

static int hash_event(void *context, const char *event, const char *data)
{
	struct buf *out = context;

	buf_append(out, event, strlen(event) + 1);
	buf_append(out, data, strlen(data) + 1);
	return 0;
}

static int feed(const uint8_t *data, size_t size, size_t piece, struct buf *out)
{
	struct sse sse;
	int rc = 0;

	sse_init(&sse);
	for (size_t at = 0; at < size && rc == 0; at += piece)
		rc = sse_feed(&sse, data + at, size - at < piece ? size - at : piece, hash_event, out);
	if (strlen(sse.id) >= sizeof(sse.id))
		abort();
	sse_done(&sse);
	return rc;
}

/* However the stream is cut, it is the same events. */
static void read_events(const uint8_t *data, size_t size)
{
	struct buf whole, cut;
	size_t piece = size > 0 ? 1 + data[0] % 32 : 1;

	buf_init(&whole, 4 * size + 64);
	buf_init(&cut, 4 * size + 64);
	if (feed(data, size, size + 1, &whole) != feed(data, size, piece, &cut) || whole.size != cut.size ||
	    (whole.size > 0 && memcmp(whole.data, cut.data, whole.size) != 0))
		abort();
	buf_done(&whole);
	buf_done(&cut);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const readers[])(const uint8_t *data, size_t size) = { read_problem, read_table, read_progress,
									     read_events };

	if (size > 0)
		readers[data[0] % COUNT_OF(readers)](data + 1, size - 1);
	return 0;
}
