/* Deciding what is news (endpoint/host_watch.h). Clocks may stand anywhere: sums are checked. */
#include "endpoint/host_watch.h"

#include <stddef.h>

bool clock_watch_look(struct clock_watch *watch, time_us wall, time_us monotonic, span_us limit, span_us *ret_change)
{
	span_us now, change;
	bool known;

	if (__builtin_sub_overflow(wall, monotonic, &now))
		return false;
	known = watch->begun && !__builtin_sub_overflow(now, watch->base, &change);
	if (known && limit != 0 && change <= limit && change >= -limit)
		return false;
	watch->base = now;
	watch->begun = true;
	if (!known || limit == 0)
		return false; /* what was before there was a limit is no change */
	*ret_change = change;
	return true;
}

enum disk_news disk_watch_look(bool told_low, uint64_t free_bytes, uint64_t least)
{
	if (!told_low)
		return free_bytes < least ? DISK_LOW : DISK_UNCHANGED;
	return free_bytes >= least && free_bytes - least >= least / 10 ? DISK_ENOUGH : DISK_UNCHANGED;
}
