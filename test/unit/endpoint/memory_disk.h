/* A disk in memory for tests: four files, and failures on demand. */
#ifndef MUSTER_TEST_MEMORY_DISK_H
#define MUSTER_TEST_MEMORY_DISK_H

#include <stdbool.h>

#include "endpoint/storage.h"

struct memory_disk {
	struct buf spool, journal, configuration, key;
	unsigned syncs;
	bool fail_append, fail_sync, fail_replace;
	unsigned fail_sync_at; /* this one alone, as syncs counts; 0: none */
};
void memory_disk_init(struct memory_disk *disk);
void memory_disk_done(struct memory_disk *disk);
struct endpoint_storage memory_disk_storage(struct memory_disk *disk);

#endif
