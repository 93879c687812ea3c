/* Looks at the system's clock and disk; what is news is decided by endpoint/host_watch.h. */
#include "agent/link/link_watch.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "agent/link/link_configuration.h"
#include "base/log.h"
#include "endpoint/host_watch.h"
#include "os/clock_alarm.h"

#define LOOK_US  MINUTE_US
#define LOW_FILE "low_disk"

struct link_watch {
	struct link *link;
	int store;
	char *path;
	struct loop_timer *timer;
	int alarm_fd;
	struct loop_watch *alarm;
	struct clock_watch clock;
	bool low; /* told so, and marked */
};

static span_us clock_limit(const struct link *link)
{
	span_us limit = link_configuration_in_force(link->configuration)->clock_change_us;

	return limit == CONF_UNLIMITED ? 0 : limit;
}

static void look_at_clock(struct link_watch *watch)
{
	struct link *link = watch->link;
	struct event_field field;
	char seconds[40];
	span_us change;

	if (!clock_watch_look(&watch->clock, env_wall(link->env), env_monotonic(link->env), clock_limit(link), &change))
		return;
	snprintf(seconds, sizeof(seconds), "%s%" PRIu64 ".%03" PRIu64, change < 0 ? "-" : "",
		 (uint64_t)llabs(change) / SECOND_US, (uint64_t)llabs(change) / MILLISECOND_US % 1000);
	LOG(LOG_WARNING, "link.clock_was_set", log_text("seconds", seconds));
	field = link_field("seconds", seconds);
	link_event(link, EVENT_CLOCK_CHANGED, &field, 1);
}

static void on_alarm(void *argument)
{
	struct link_watch *watch = argument;

	if (clock_alarm_heard(watch->alarm_fd))
		look_at_clock(watch);
}

/* --- disk --- */

static void mark(struct link_watch *watch, bool low)
{
	int fd = low ? openat(watch->store, LOW_FILE, O_CREAT | O_WRONLY | O_CLOEXEC | O_NOFOLLOW, 0600) : -1;
	bool done = low ? fd >= 0 : unlinkat(watch->store, LOW_FILE, 0) == 0 || errno == ENOENT;

	if (!done)
		LOG(LOG_WARNING, "link.low_disk_not_marked", log_text("cause", strerror(errno)));
	if (fd >= 0)
		close(fd);
	watch->low = low;
}

static void look_at_disk(struct link_watch *watch)
{
	struct event_field fields[] = { link_field("path", watch->path), { .name = "free" } };
	struct link *link = watch->link;
	struct statvfs room;
	char there[24];
	uint64_t bytes;
	enum disk_news news;

	if (fstatvfs(watch->store, &room) != 0)
		return;
	bytes = (uint64_t)room.f_bavail * (uint64_t)room.f_frsize;
	news = disk_watch_look(watch->low, bytes, (uint64_t)link->settings.disk_free_bytes);
	if (news == DISK_UNCHANGED)
		return;
	snprintf(there, sizeof(there), "%" PRIu64, bytes);
	fields[1] = link_field("free", there);
	link_event(link, news == DISK_LOW ? EVENT_LOW_DISK : EVENT_DISK_ENOUGH, fields, COUNT_OF(fields));
	mark(watch, news == DISK_LOW);
}

static void look(void *argument)
{
	struct link_watch *watch = argument;

	look_at_clock(watch);
	look_at_disk(watch);
	loop_timer_set(watch->timer, LOOK_US);
}

struct link_watch *link_watch_new(struct link *link, int store, const char *path, struct err *err)
{
	struct link_watch *watch = calloc(1, sizeof(*watch));
	struct err cause;

	if (watch != NULL) {
		*watch = (struct link_watch){ .link = link, .store = store, .path = strdup(path), .alarm_fd = -1 };
		watch->timer = loop_timer_new(link->loop, look, watch);
	}
	if (watch == NULL || watch->path == NULL || watch->timer == NULL) {
		link_watch_free(watch);
		err_set(err, ERR_MEMORY, "out of memory");
		return NULL;
	}
	watch->low = faccessat(store, LOW_FILE, F_OK, 0) == 0;
	if (clock_alarm_open(&watch->alarm_fd, &cause) == 0)
		watch->alarm = loop_watch_new(link->loop, watch->alarm_fd, on_alarm, watch);
	else
		LOG(LOG_WARNING, "link.clock_watched_by_the_minute", log_err(&cause));
	loop_timer_set(watch->timer, 0);
	return watch;
}

void link_watch_free(struct link_watch *watch)
{
	if (watch == NULL)
		return;
	loop_watch_free(watch->alarm);
	if (watch->alarm_fd >= 0)
		close(watch->alarm_fd);
	loop_timer_free(watch->timer);
	free(watch->path);
	free(watch);
}
