/* A timerfd whose moment never comes. */
#include "os/clock_alarm.h"

#include <errno.h>
#include <stdint.h>
#include <sys/timerfd.h>
#include <unistd.h>

/* False: the clock was set since it was last armed; it is armed all the same. */
static bool arm(int fd)
{
	/* The kernel brings it down to what it can count: some 290 years. */
	static const struct itimerspec never = { .it_value = { .tv_sec = INT64_MAX } };

	return timerfd_settime(fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &never, NULL) == 0;
}

int clock_alarm_open(int *ret_fd, struct err *err)
{
	int fd = timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK | TFD_CLOEXEC);

	if (fd < 0)
		return err_errno(err, errno, "a timer that tells when the clock is set");
	if (!arm(fd) && errno != ECANCELED) {
		int error = errno;

		close(fd);
		return err_errno(err, error, "a timer that tells when the clock is set");
	}
	*ret_fd = fd;
	return 0;
}

bool clock_alarm_heard(int fd)
{
	uint64_t expired;
	bool set = read(fd, &expired, sizeof(expired)) < 0 && errno == ECANCELED;

	return !arm(fd) || set;
}
