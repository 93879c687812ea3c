/* Time and sizes: one type for a moment, one for a span, always microseconds.
 *
 * `time_us` is a point on a clock (the wall's: since 1970-01-01 UTC; or the
 * monotonic one's), `span_us` a distance. Text forms are RFC 3339 in UTC with
 * milliseconds (spec contract.md) and "10s", "10m", "24h", "7d".
 */
#ifndef MUSTER_BASE_UNITS_H
#define MUSTER_BASE_UNITS_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

typedef int64_t time_us;
typedef int64_t span_us;

#define MILLISECOND_US ((span_us)1000)
#define SECOND_US      ((span_us)1000000)
#define MINUTE_US      (60 * SECOND_US)
#define HOUR_US        (60 * MINUTE_US)
#define DAY_US         (24 * HOUR_US)

#define KIB ((uint64_t)1024)
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

#define TIME_TEXT_BYTES 32 /* "2026-11-21T20:08:06.123Z" and NUL */

/* Writes t (wall clock) as RFC 3339; text needs TIME_TEXT_BYTES. */
void time_format(time_us t, char *text);

/* RFC 3339 with "Z" or an offset, fraction optional. ERR_FORMAT otherwise. */
int time_parse(const char *text, time_us *ret_time, struct err *err);

/* "90s", "10m", "24h", "7d", "250ms"; a bare number is seconds. Not negative. */
int span_parse(const char *text, span_us *ret_span, struct err *err);

/* The shortest exact form span_parse() reads back; text needs TIME_TEXT_BYTES. */
void span_format(span_us span, char *text);

/* Decimal digits only, no sign, no space, inside [min, max]; ERR_FORMAT or ERR_RANGE. */
int number_parse(const char *text, uint64_t min, uint64_t max, uint64_t *ret_number, struct err *err);

/* "10240", "5KB", "5MB", "2GB" (powers of 1024) to bytes. */
int size_parse(const char *text, uint64_t *ret_bytes, struct err *err);

#endif
