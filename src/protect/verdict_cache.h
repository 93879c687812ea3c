/* Which files were found clean, so that an unchanged one is not scanned again.
 *
 * A mapped file of 128-bit tags in buckets of eight. A tag is a keyed digest
 * over (device, inode, size, mtime, ctime, signature version), so that nobody
 * can make a file that looks like a clean one, and a torn or stale page only
 * costs a scan. Only clean verdicts are kept. A full bucket loses one at random.
 *
 * Racily clean (git's rule): a file changed at about the time it was scanned
 * could change again within one tick of its clock and look the same; such a
 * verdict is not kept.
 */
#ifndef MUSTER_PROTECT_VERDICT_CACHE_H
#define MUSTER_PROTECT_VERDICT_CACHE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/env.h"
#include "base/err.h"

#define VERDICT_CACHE_FILES   (1024 * 1024) /* 16 MiB; only pages in use take memory */
#define VERDICT_VERSION_BYTES 16
#define VERDICT_RACE_US       (2 * SECOND_US) /* the coarsest clock of a file system (FAT) */

struct verdict_file {
	uint64_t device, inode, size;
	int64_t modified_ns, changed_ns;
};

struct verdict_cache;

/* fd: the cache's file, open for reading and writing; not kept. A file that is
 * empty, damaged or of another layout becomes an empty cache. Blocks on disk. */
int verdict_cache_open(int fd, const struct env *env, struct verdict_cache **ret_cache, struct err *err);
void verdict_cache_close(struct verdict_cache *cache); /* accepts NULL */

bool verdict_cache_clean(const struct verdict_cache *cache, const struct verdict_file *file,
			 const uint8_t version[VERDICT_VERSION_BYTES]);
/* scanned_at: wall clock when the file was opened for the scan. */
void verdict_cache_keep(struct verdict_cache *cache, const struct verdict_file *file,
			const uint8_t version[VERDICT_VERSION_BYTES], time_us scanned_at);

/* True when a verdict given at scanned_at may be kept. */
bool verdict_cache_settled(const struct verdict_file *file, time_us scanned_at);

#endif
