/* When a scheduled scan runs: "daily 12:30", "weekly sun 03:00",
 * "weekly mon,wed,fri 22:15", "off". Times are the computer's local time.
 *
 * Pure but for the time zone, which the C library knows. The text comes from
 * agent.ini or from the manager's configuration and is untrusted.
 */
#ifndef MUSTER_AGENT_SCHEDULE_H
#define MUSTER_AGENT_SCHEDULE_H

#include <stdint.h>

#include "base/err.h"
#include "base/units.h"

struct schedule {
	uint8_t days; /* bit 0 Sunday ... bit 6 Saturday; 0: never */
	uint8_t hour;
	uint8_t minute;
};

/* "" and "off" give a schedule that never runs. ERR_FORMAT says what is wrong. */
int schedule_parse(const char *text, struct schedule *ret_schedule, struct err *err);

/* The first moment after `now` (wall clock) at which it runs; 0 when never.
 * A time that summer time skips that day runs an hour later, one that comes
 * twice runs at one of the two. */
time_us schedule_next(const struct schedule *schedule, time_us now);

#endif
