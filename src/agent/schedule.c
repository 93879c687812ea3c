/* The schedule of scans (agent/schedule.h). Input: untrusted text. */
#include "agent/schedule.h"

#include <string.h>
#include <strings.h>
#include <time.h>

#define EVERY_DAY 0x7f

static const char *const day_names[7] = { "sun", "mon", "tue", "wed", "thu", "fri", "sat" };

static int parse_clock(const char *text, struct schedule *schedule, struct err *err)
{
	char hour[3] = { 0 };
	uint64_t hours, minutes;

	if (strlen(text) != 5 || text[2] != ':')
		return err_set(err, ERR_FORMAT, "'%.32s' is not a time of day like 03:00", text);
	memcpy(hour, text, 2);
	if (number_parse(hour, 0, 23, &hours, NULL) || number_parse(text + 3, 0, 59, &minutes, NULL))
		return err_set(err, ERR_FORMAT, "'%s' is not a time of day between 00:00 and 23:59", text);
	schedule->hour = (uint8_t)hours;
	schedule->minute = (uint8_t)minutes;
	return 0;
}

static uint8_t day_bit(const char *name, size_t length)
{
	for (unsigned day = 0; day < COUNT_OF(day_names); day++) {
		if (length == 3 && strncasecmp(name, day_names[day], 3) == 0)
			return (uint8_t)(1u << day);
	}
	return 0;
}

/* "sun" or "mon,wed", up to a space; *text is moved behind it. */
static int parse_days(const char **text, struct schedule *schedule, struct err *err)
{
	const char *at = *text;

	for (;;) {
		size_t length = strcspn(at, ", ");
		uint8_t bit = day_bit(at, length);

		if (bit == 0)
			return err_set(err, ERR_FORMAT, "'%.*s' is not a day (sun mon tue wed thu fri sat)",
				       (int)(length < 32 ? length : 32), at);
		schedule->days |= bit;
		at += length;
		if (*at != ',')
			break;
		at++;
	}
	if (*at != ' ')
		return err_set(err, ERR_FORMAT, "a time of day must follow the day, as in 'weekly sun 03:00'");
	*text = at + 1;
	return 0;
}

int schedule_parse(const char *text, struct schedule *ret_schedule, struct err *err)
{
	struct schedule schedule = { 0 };
	int rc;

	if (*text == '\0' || strcmp(text, "off") == 0) {
		*ret_schedule = schedule;
		return 0;
	}
	if (strncmp(text, "daily ", 6) == 0) {
		schedule.days = EVERY_DAY;
		text += 6;
	} else if (strncmp(text, "weekly ", 7) == 0) {
		text += 7;
		rc = parse_days(&text, &schedule, err);
		if (rc)
			return rc;
	} else {
		return err_set(err, ERR_FORMAT, "'%.64s' is none of: daily HH:MM, weekly DAY HH:MM, off", text);
	}
	rc = parse_clock(text, &schedule, err);
	if (rc)
		return rc;
	*ret_schedule = schedule;
	return 0;
}

/* The moment the schedule names on the day `ahead` days after `local`; 0 if it does not run then. */
static time_us on_day(const struct schedule *schedule, const struct tm *local, int ahead)
{
	struct tm day = *local;
	time_t moment;

	day.tm_mday += ahead;
	day.tm_hour = schedule->hour;
	day.tm_min = schedule->minute;
	day.tm_sec = 0;
	day.tm_isdst = -1;
	moment = mktime(&day);
	if (moment == (time_t)-1 || !(schedule->days & (1u << day.tm_wday)))
		return 0;
	return (time_us)moment * SECOND_US;
}

time_us schedule_next(const struct schedule *schedule, time_us now)
{
	time_t seconds = (time_t)(now / SECOND_US);
	struct tm local;

	if (schedule->days == 0 || localtime_r(&seconds, &local) == NULL)
		return 0;
	for (int ahead = 0; ahead <= 8; ahead++) {
		time_us moment = on_day(schedule, &local, ahead);

		if (moment > now)
			return moment;
	}
	return 0;
}
