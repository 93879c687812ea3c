/* Text forms of moments, spans, numbers and sizes. Input is untrusted. */
#include "base/units.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* Days since 1970-01-01 of a civil date (Howard Hinnant's days_from_civil). */
static int64_t days_from_civil(int64_t year, unsigned month, unsigned day)
{
	year -= month <= 2;
	int64_t era = (year >= 0 ? year : year - 399) / 400;
	unsigned year_of_era = (unsigned)(year - era * 400);
	unsigned day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
	unsigned day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;

	return era * 146097 + (int64_t)day_of_era - 719468;
}

void time_format(time_us t, char *text)
{
	time_t seconds = (time_t)(t / SECOND_US);
	int64_t rest_us = t % SECOND_US;
	struct tm tm;

	if (rest_us < 0) {
		rest_us += SECOND_US;
		seconds--;
	}
	if (gmtime_r(&seconds, &tm) == NULL || tm.tm_year + 1900 > 9999 || tm.tm_year + 1900 < 0) {
		snprintf(text, TIME_TEXT_BYTES, "9999-12-31T23:59:59.999Z");
		return;
	}
	size_t n = strftime(text, TIME_TEXT_BYTES, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(text + n, TIME_TEXT_BYTES - n, ".%03dZ", (int)(rest_us / MILLISECOND_US));
}

static const char *digits(const char *s, unsigned count, unsigned *ret)
{
	unsigned value = 0;

	for (unsigned i = 0; i < count; i++, s++) {
		if (*s < '0' || *s > '9')
			return NULL;
		value = value * 10 + (unsigned)(*s - '0');
	}
	*ret = value;
	return s;
}

static const char *literal(const char *s, char c)
{
	return s != NULL && *s == c ? s + 1 : NULL;
}

static const char *fraction(const char *s, int64_t *ret_us)
{
	int64_t unit = SECOND_US / 10;

	*ret_us = 0;
	if (*s != '.')
		return s;
	s++;
	if (*s < '0' || *s > '9')
		return NULL;
	for (; *s >= '0' && *s <= '9'; s++, unit /= 10)
		*ret_us += (*s - '0') * unit;
	return s;
}

static const char *zone(const char *s, int64_t *ret_offset_us)
{
	unsigned hours, minutes;
	bool behind;

	*ret_offset_us = 0;
	if (*s == 'Z' || *s == 'z')
		return s + 1;
	if (*s != '+' && *s != '-')
		return NULL;
	behind = *s == '-';
	s = digits(s + 1, 2, &hours);
	s = literal(s, ':');
	s = s != NULL ? digits(s, 2, &minutes) : NULL;
	if (s == NULL || hours > 23 || minutes > 59)
		return NULL;
	*ret_offset_us = (int64_t)hours * HOUR_US + (int64_t)minutes * MINUTE_US;
	if (behind)
		*ret_offset_us = -*ret_offset_us;
	return s;
}

int time_parse(const char *text, time_us *ret_time, struct err *err)
{
	unsigned part[6];
	const char separators[] = "--T::";
	const char *s = text;
	int64_t fraction_us, offset_us;

	for (unsigned i = 0; i < 6; i++) {
		s = digits(s, i == 0 ? 4 : 2, &part[i]);
		if (s == NULL || (i < 5 && *s != separators[i]))
			goto malformed;
		s += i < 5;
	}
	s = fraction(s, &fraction_us);
	s = s != NULL ? zone(s, &offset_us) : NULL;
	if (s == NULL || *s != '\0')
		goto malformed;
	if (part[1] < 1 || part[1] > 12 || part[2] < 1 || part[2] > 31 || part[3] > 23 || part[4] > 59 || part[5] > 60)
		goto malformed;
	*ret_time = days_from_civil((int64_t)part[0], part[1], part[2]) * DAY_US + (int64_t)part[3] * HOUR_US +
		    (int64_t)part[4] * MINUTE_US + (int64_t)part[5] * SECOND_US + fraction_us - offset_us;
	return 0;
malformed:
	return err_set(err, ERR_FORMAT, "'%.64s' is not a time like 2026-01-31T12:00:00Z", text);
}

struct suffix {
	const char *text;
	int64_t factor;
};

/* Largest first: formatting takes the first that divides. */
static const struct suffix span_suffixes[] = {
	{ "d", DAY_US },    { "h", HOUR_US },         { "m", MINUTE_US },
	{ "s", SECOND_US }, { "ms", MILLISECOND_US }, { "us", 1 },
};

static const struct suffix size_suffixes[] = {
	{ "B", 1 },
	{ "KB", (int64_t)KIB },
	{ "MB", (int64_t)MIB },
	{ "GB", (int64_t)GIB },
	{ "K", (int64_t)KIB },
	{ "M", (int64_t)MIB },
	{ "G", (int64_t)GIB },
};

static int scaled_parse(const char *text, const struct suffix *suffixes, size_t count, int64_t bare_factor,
			const char *example, int64_t *ret, struct err *err)
{
	const char *s = text;
	int64_t value = 0, factor = 0;

	for (; *s >= '0' && *s <= '9'; s++) {
		if (__builtin_mul_overflow(value, 10, &value) || __builtin_add_overflow(value, *s - '0', &value))
			return err_set(err, ERR_RANGE, "'%.64s' is too large", text);
	}
	if (s == text)
		return err_set(err, ERR_FORMAT, "'%.64s' is not of the form %s", text, example);
	if (*s == '\0')
		factor = bare_factor;
	for (size_t i = 0; i < count && factor == 0; i++) {
		if (strcmp(s, suffixes[i].text) == 0)
			factor = suffixes[i].factor;
	}
	if (factor == 0)
		return err_set(err, ERR_FORMAT, "'%.64s' is not of the form %s", text, example);
	if (__builtin_mul_overflow(value, factor, &value))
		return err_set(err, ERR_RANGE, "'%.64s' is too large", text);
	*ret = value;
	return 0;
}

int span_parse(const char *text, span_us *ret_span, struct err *err)
{
	return scaled_parse(text, span_suffixes, COUNT_OF(span_suffixes), SECOND_US, "10s, 10m, 24h or 7d", ret_span,
			    err);
}

void span_format(span_us span, char *text)
{
	size_t i = 0;

	while (i + 1 < COUNT_OF(span_suffixes) && (span == 0 || span % span_suffixes[i].factor != 0)) {
		if (span == 0 && span_suffixes[i].factor == SECOND_US)
			break;
		i++;
	}
	snprintf(text, TIME_TEXT_BYTES, "%lld%s", (long long)(span / span_suffixes[i].factor), span_suffixes[i].text);
}

int size_parse(const char *text, uint64_t *ret_bytes, struct err *err)
{
	int64_t value;
	int rc = scaled_parse(text, size_suffixes, COUNT_OF(size_suffixes), 1, "10240, 5MB or 2GB", &value, err);

	if (rc == 0)
		*ret_bytes = (uint64_t)value;
	return rc;
}

int number_parse(const char *text, uint64_t min, uint64_t max, uint64_t *ret_number, struct err *err)
{
	const char *s = text;
	uint64_t value = 0;

	for (; *s >= '0' && *s <= '9'; s++) {
		if (__builtin_mul_overflow(value, 10u, &value) ||
		    __builtin_add_overflow(value, (unsigned)(*s - '0'), &value))
			return err_set(err, ERR_RANGE, "%.64s is too large", text);
	}
	if (s == text || *s != '\0')
		return err_set(err, ERR_FORMAT, "'%.64s' is not a whole number", text);
	if (value < min || value > max)
		return err_set(err, ERR_RANGE, "%.64s is not between %llu and %llu", text, (unsigned long long)min,
			       (unsigned long long)max);
	*ret_number = value;
	return 0;
}
