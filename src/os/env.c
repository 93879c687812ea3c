/* struct env over clock_gettime() and getrandom(). */
#include "os/env.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "os/files.h"

static time_us clock_us(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (time_us)now.tv_sec * SECOND_US + now.tv_nsec / 1000;
}

static time_us wall(void *context)
{
	(void)context;
	return clock_us(CLOCK_REALTIME);
}

/* CLOCK_BOOTTIME: goes on while the machine sleeps, so spans stay honest. */
static time_us monotonic(void *context)
{
	(void)context;
	return clock_us(CLOCK_BOOTTIME);
}

static void fill_random(void *context, void *out, size_t size)
{
	uint8_t *at = out;

	(void)context;
	while (size > 0) {
		ssize_t got = getrandom(at, size, 0);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			abort(); /* keys from anything less than this would be worse */
		at += got;
		size -= (size_t)got;
	}
}

const struct env *env_system(void)
{
	static const struct env env = { .wall = wall, .monotonic = monotonic, .random = fill_random };

	return &env;
}

time_us env_system_wall(void)
{
	return clock_us(CLOCK_REALTIME);
}

struct timespec env_system_after(span_us span)
{
	time_us now = clock_us(CLOCK_MONOTONIC), until;

	if (span < 0)
		span = 0;
	until = span < INT64_MAX - now ? now + span : INT64_MAX;
	return (struct timespec){ .tv_sec = (time_t)(until / SECOND_US), .tv_nsec = (long)(until % SECOND_US) * 1000 };
}

void env_system_boot(struct uuid *ret_boot)
{
	char line[UUID_TEXT_BYTES] = "";
	struct buf text;

	memset(ret_boot, 0, sizeof(*ret_boot));
	buf_init(&text, 256);
	if (files_read(AT_FDCWD, "/proc/sys/kernel/random/boot_id", 128, &text, NULL) == 0) {
		snprintf(line, sizeof(line), "%.36s", buf_text(&text));
		if (uuid_parse(line, ret_boot, NULL) != 0)
			memset(ret_boot, 0, sizeof(*ret_boot));
	}
	buf_done(&text);
}
