/* Events on the agent's disk until the manager has stored them.
 *
 * Numbers ascend and are never reused by this spool; a copy of it, or the one
 * that a snapshot brings back, goes on from the same number. So each event has
 * a mark besides, 64 bits drawn when it is recorded, by which the manager tells
 * it from another one of its number. When the file was lost or damaged the
 * numbers already used are not known: events then wait without a number
 * (numbers_known false) for a reply. A manager that tells events by their marks
 * takes them under any number, and a copy of the spool comes to the same ones;
 * for one that does not they are numbered above its highest. Past the bound the lowest class goes first, oldest first,
 * and what went is counted into one event 6009 per class.
 */
#ifndef MUSTER_ENDPOINT_SPOOL_H
#define MUSTER_ENDPOINT_SPOOL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/env.h"
#include "base/units.h"
#include "endpoint/record_log.h"
#include "fleet/event_types.h"

struct spool_entry {
	uint64_t id;     /* of this file, ascending */
	uint64_t number; /* 0: not yet */
	uint64_t mark;   /* 0: recorded by an agent that drew none */
	uint64_t source;
	time_us time;
	uint32_t type;
	uint32_t size;
	uint32_t noted; /* of a 6009: how many drops it tells */
	uint8_t noted_class;
	uint8_t spool_class;
	uint8_t fields[]; /* packed: u16 count, then text name, bytes value */
};

struct spool {
	const struct env *env;
	struct record_log log;
	struct spool_entry **entries;  /* NULL: dropped */
	size_t first, end, capacity;   /* entries[first .. end) */
	uint64_t position;             /* of entries[0], for the hints */
	uint64_t hints[EVENT_CLASSES]; /* no entry of the class is before this position */
	size_t class_counts[EVENT_CLASSES];
	uint32_t drops[EVENT_CLASSES]; /* not told yet */
	bool telling[EVENT_CLASSES];   /* a 6009 of the class is waiting */
	size_t count, max_count;
	uint64_t bytes, max_bytes;
	uint64_t next_id, next_number, source, durable_id, dropped;
	bool numbers_known;
};

/* env: for marks; kept, as storage is. */
int spool_open(struct spool *spool, const struct env *env, const struct endpoint_storage *storage, uint32_t max_count,
	       uint64_t max_bytes, struct record_damage *ret_damage, struct err *err);
void spool_done(struct spool *spool);
/* The event is kept (memory, file) or dropped by class; durable after spool_flush(). */
int spool_add(struct spool *spool, uint64_t source, uint32_t type, time_us time, const struct event_field *fields,
	      size_t count, struct err *err);
/* Makes events 6009 of what was dropped, where none is waiting already. */
int spool_tell_drops(struct spool *spool, time_us now, struct err *err);
int spool_flush(struct spool *spool, struct err *err);
/* The same, and the file holds nothing but what waits. */
int spool_compact(struct spool *spool, struct err *err);
/* The answer to a report. */
struct spool_acknowledgement {
	uint64_t number;  /* everything up to it is stored at the manager, be it ours or another's with our identity */
	uint64_t carried; /* by the report, 0: none: nothing else is acknowledged */
	uint64_t highest; /* number that the manager has of us; 0: none, or it tells events by their numbers alone */
};
int spool_acknowledge(struct spool *spool, const struct spool_acknowledgement *given, struct err *err);
/* The i-th that waits, oldest first; NULL past the end. */
const struct spool_entry *spool_next(const struct spool *spool, size_t *position);
/* The highest id kept; 0: none. */
uint64_t spool_last_id(const struct spool *spool);

#endif
