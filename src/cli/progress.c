/* Numbers come from an agent through the manager: any value must be survived. */
#include "cli/progress.h"

#include <inttypes.h>
#include <string.h>

#include "cli/table.h"

#define BAR_CELLS 20

static int64_t count_of(const json_t *json, const char *name)
{
	json_int_t value = json_integer_value(json_object_get(json, name));

	return value > 0 ? (int64_t)value : 0;
}

void progress_read(const json_t *json, struct progress *ret_progress)
{
	const char *path = json_string_value(json_object_get(json, "path"));
	int64_t elapsed = count_of(json, "elapsed_ms");

	*ret_progress = (struct progress){
		.counting = json_is_true(json_object_get(json, "counting")),
		.paused = json_is_true(json_object_get(json, "paused")),
		.files_total = count_of(json, "files_total"),
		.files_done = count_of(json, "files_done"),
		.bytes_total = count_of(json, "bytes_total"),
		.bytes_done = count_of(json, "bytes_done"),
		.detections = count_of(json, "detections"),
		.not_fully_scanned = count_of(json, "not_fully_scanned"),
		.errors = count_of(json, "errors"),
		.elapsed_ms = elapsed < INT64_MAX / MILLISECOND_US ? elapsed : INT64_MAX / MILLISECOND_US,
		.path = path != NULL ? path : "",
	};
}

/* Bytes say more than files, unless all files are empty. */
static double share_done(const struct progress *progress)
{
	double share;

	if (progress->counting || progress->files_total == 0)
		return -1;
	if (progress->files_done >= progress->files_total)
		return 1;
	share = progress->bytes_total > 0 ? (double)progress->bytes_done / (double)progress->bytes_total
					  : (double)progress->files_done / (double)progress->files_total;
	return share < 0.99 ? share : 0.99;
}

int progress_percent(const struct progress *progress)
{
	double share = share_done(progress);

	return share < 0 ? -1 : (int)(share * 100);
}

span_us progress_left(const struct progress *progress)
{
	double share = share_done(progress), left;

	if (share <= 0 || progress->elapsed_ms < 1000 || progress->paused)
		return -1;
	left = (double)progress->elapsed_ms * (1 - share) / share;
	return left < 1e12 ? (span_us)left * MILLISECOND_US : -1;
}

void progress_clock(span_us span, struct buf *out)
{
	int64_t seconds = span / SECOND_US;

	if (seconds >= 3600)
		buf_printf(out, "%" PRId64 ":%02" PRId64 ":%02" PRId64, seconds / 3600, seconds / 60 % 60,
			   seconds % 60);
	else
		buf_printf(out, "%" PRId64 ":%02" PRId64, seconds / 60, seconds % 60);
}

static void append_counts(const struct progress *progress, struct buf *out)
{
	buf_printf(out, "%" PRId64 "/%" PRId64 " files  ", progress->files_done, progress->files_total);
	table_size(progress->bytes_done, out);
	buf_append_text(out, "/");
	table_size(progress->bytes_total, out);
	if (progress->elapsed_ms >= 1000) {
		buf_append_text(out, "  ");
		table_size((int64_t)((double)progress->bytes_done * 1000 / (double)progress->elapsed_ms), out);
		buf_append_text(out, "/s");
	}
	if (progress->paused) {
		buf_append_text(out, "  paused");
	} else if (progress_left(progress) >= 0) {
		buf_append_text(out, "  ");
		progress_clock(progress_left(progress), out);
		buf_append_text(out, " left");
	}
}

static void append_findings(const struct progress *progress, struct buf *out)
{
	if (progress->detections > 0)
		buf_printf(out, "  %" PRId64 " detection%s", progress->detections,
			   progress->detections == 1 ? "" : "s");
	if (progress->not_fully_scanned > 0)
		buf_printf(out, "  %" PRId64 " not fully scanned", progress->not_fully_scanned);
	if (progress->errors > 0)
		buf_printf(out, "  %" PRId64 " unreadable", progress->errors);
}

static void append_body(const struct progress *progress, struct buf *out)
{
	if (progress->counting) {
		buf_printf(out, "counting: %" PRId64 " files  ", progress->files_total);
		table_size(progress->bytes_total, out);
		if (progress->paused)
			buf_append_text(out, "  paused");
	} else {
		append_counts(progress, out);
	}
	append_findings(progress, out);
}

static void append_bar(const struct progress *progress, struct buf *out)
{
	double share = share_done(progress);
	int full = share < 0 ? 0 : (int)(share * BAR_CELLS);

	buf_append_text(out, "[");
	for (int i = 0; i < BAR_CELLS; i++)
		buf_append_text(out, i < full ? "#" : ".");
	buf_printf(out, "] %3d%%  ", progress_percent(progress));
}

/* The end of a path says more than its beginning. */
static void append_tail(const char *path, size_t cells, struct buf *out)
{
	struct buf clean;
	const char *text;

	buf_init(&clean, 64 * 1024);
	table_clean(path, &clean);
	text = buf_text(&clean);
	if (table_cells(text) > cells) {
		while (*text != '\0' && table_cells(text) + 1 > cells) {
			text++;
			while (((unsigned char)*text & 0xc0) == 0x80)
				text++;
		}
		buf_append_text(out, "…");
	}
	buf_append_text(out, text);
	buf_done(&clean);
}

void progress_line(const struct progress *progress, size_t width, struct buf *out)
{
	struct buf line, path;

	buf_init(&line, 1024);
	buf_init(&path, 64 * 1024);
	if (!progress->counting && progress->files_total > 0)
		append_bar(progress, &line);
	append_body(progress, &line);
	if (table_cells(buf_text(&line)) > width) {
		buf_reset(&line);
		append_body(progress, &line);
	}
	if (progress->path[0] != '\0' && table_cells(buf_text(&line)) + 12 <= width) {
		append_tail(progress->path, width - table_cells(buf_text(&line)) - 2, &path);
		buf_printf(&line, "  %s", buf_text(&path));
	}
	/* Everything but the path is ASCII: bytes are cells. */
	if (table_cells(buf_text(&line)) <= width)
		buf_append_text(out, buf_text(&line));
	else
		buf_append(out, buf_text(&line), width);
	buf_done(&line);
	buf_done(&path);
}

void progress_plain(const struct progress *progress, struct buf *out)
{
	if (progress_percent(progress) >= 0)
		buf_printf(out, "%d%%: ", progress_percent(progress));
	append_body(progress, out);
}
