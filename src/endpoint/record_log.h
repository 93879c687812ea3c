/* A file of framed records: u32 length, u32 CRC-32C of length and payload, payload.
 *
 * What a crash tore or a disk damaged is left out and counted: a bad payload
 * is skipped by its length, a bad length ends the file. After a failed append
 * or sync the file's end is unknown: `broken` stays set until the owner writes
 * the whole again with record_log_replace(), from what it holds in memory.
 */
#ifndef MUSTER_ENDPOINT_RECORD_LOG_H
#define MUSTER_ENDPOINT_RECORD_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "endpoint/storage.h"

#define RECORD_MAX_BYTES (256 * 1024)

struct record_log {
	const struct endpoint_storage *storage;
	const char *name;
	uint64_t bytes; /* of the file */
	bool dirty;     /* appended since the last sync */
	bool broken;
};

struct record_damage {
	uint64_t bytes;
	uint32_t places;
};

/* Calls each() for every good record in order; its error ends the walk. */
int record_log_load(struct record_log *log, uint64_t max_bytes,
		    int (*each)(void *argument, const uint8_t *payload, size_t size), void *argument,
		    struct record_damage *ret_damage, struct err *err);
int record_log_append(struct record_log *log, const struct buf *payload, struct err *err);
/* Nothing to do when clean. */
int record_log_sync(struct record_log *log, struct err *err);
/* Adds a frame to what will be given to record_log_replace(). */
void record_frame(struct buf *out, const struct buf *payload);
int record_log_replace(struct record_log *log, const struct buf *frames, struct err *err);

#endif
