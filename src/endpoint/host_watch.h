/* What an agent notices of its computer by itself: that the clock was set, that
 * room on the disk runs out and that there is enough again.
 *
 * Pure: who looks, and when, is the shell's (agent/link/link_watch.h).
 */
#ifndef MUSTER_ENDPOINT_HOST_WATCH_H
#define MUSTER_ENDPOINT_HOST_WATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/units.h"

/* The wall clock less the monotonic one stays the same unless the former is set. */
struct clock_watch {
	span_us base;
	bool begun;
};
/* Whether the clock was set by more than `limit` (0: none is too much) since it was last told, or since the first
 * look; *ret_change by how much then, which counts as told. Small steps add up. Times of one moment. */
bool clock_watch_look(struct clock_watch *watch, time_us wall, time_us monotonic, span_us limit, span_us *ret_change);

enum disk_news { DISK_UNCHANGED, DISK_LOW, DISK_ENOUGH };
/* What to tell, given what was told last: low is less than `least` bytes, enough a tenth more, so that nothing flickers
 * at the bound. least 0: never low. */
enum disk_news disk_watch_look(bool told_low, uint64_t free_bytes, uint64_t least);

#endif
