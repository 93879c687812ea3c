/* How far a scan is, as a line for a terminal or for a log. Pure. */
#ifndef MUSTER_CLI_PROGRESS_H
#define MUSTER_CLI_PROGRESS_H

#include <jansson.h>
#include <stdbool.h>

#include "base/buf.h"
#include "base/units.h"

struct progress {
	bool counting, paused;
	int64_t files_total, files_done, bytes_total, bytes_done;
	int64_t detections, not_fully_scanned, errors;
	int64_t elapsed_ms;
	const char *path; /* belongs to the JSON that it was read from */
};

/* From a command's `progress`; members that are missing or odd are 0. */
void progress_read(const json_t *json, struct progress *ret_progress);
/* 0 to 100, never 100 before everything is done; -1 while it is not known. */
int progress_percent(const struct progress *progress);
/* Microseconds left at the average pace so far; -1 while that says nothing. */
span_us progress_left(const struct progress *progress);
/* One line, at most `width` cells, without a newline: bar, counts, rate, time left, path. */
void progress_line(const struct progress *progress, size_t width, struct buf *out);
/* A sentence for output that is not a terminal. */
void progress_plain(const struct progress *progress, struct buf *out);
/* "0:07", "12:34", "1:02:03". */
void progress_clock(span_us span, struct buf *out);

#endif
