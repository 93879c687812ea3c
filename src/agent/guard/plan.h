/* A job's plan: the files to scan, one record each, in a file of its own.
 * Written by appending through a buffer, read from any record's offset on.
 * Guard wrote it; a record that does not decode is damage all the same. */
#ifndef MUSTER_AGENT_GUARD_PLAN_H
#define MUSTER_AGENT_GUARD_PLAN_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"

#define PLAN_PATH_MAX_BYTES 4096

struct plan {
	int fd;
	struct buf buffer; /* writing: not written yet; reading: bytes from buffer_offset on */
	uint64_t buffer_offset;
	uint64_t size; /* bytes appended, buffer included */
};

struct plan_entry {
	uint64_t offset, next_offset;
	uint64_t bytes; /* size of the file when it was planned */
	char path[PLAN_PATH_MAX_BYTES + 1];
};

/* Opens, makes it empty with `empty`. Blocks on disk, as all here. */
int plan_open(int directory, const char *name, bool empty, struct plan *ret_plan, struct err *err);
void plan_close(struct plan *plan);
int plan_append(struct plan *plan, const char *path, uint64_t bytes, struct err *err);
/* Everything appended is on disk. */
int plan_sync(struct plan *plan, struct err *err);
/* The record at offset; ERR_NOT_FOUND at `end`. */
int plan_read(struct plan *plan, uint64_t offset, uint64_t end, struct plan_entry *ret_entry, struct err *err);

#endif
