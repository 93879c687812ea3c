/* The timer that tells of a set clock. A test may not set the machine's clock: what the kernel answers then is given
 * in place of read() and timerfd_settime(); all else is the real timer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "os/clock_alarm.h"

static bool cancelled;     /* the next read() says so */
static bool set_meanwhile; /* the next timerfd_settime() says so */
static struct itimerspec armed;
static int armed_flags;

ssize_t __real_read(int fd, void *out, size_t size);
ssize_t __wrap_read(int fd, void *out, size_t size);
int __real_timerfd_settime(int fd, int flags, const struct itimerspec *new, struct itimerspec *old);
int __wrap_timerfd_settime(int fd, int flags, const struct itimerspec *new, struct itimerspec *old);

ssize_t __wrap_read(int fd, void *out, size_t size)
{
	if (!cancelled)
		return __real_read(fd, out, size);
	cancelled = false;
	errno = ECANCELED;
	return -1;
}

int __wrap_timerfd_settime(int fd, int flags, const struct itimerspec *new, struct itimerspec *old)
{
	int rc = __real_timerfd_settime(fd, flags, new, old);

	armed = *new;
	armed_flags = flags;
	if (!set_meanwhile)
		return rc;
	set_meanwhile = false;
	errno = ECANCELED;
	return -1;
}

static void it_is_silent_while_nobody_sets_the_clock(void **state)
{
	struct pollfd wait = { .events = POLLIN };
	struct itimerspec left;

	(void)state;
	assert_int_equal(clock_alarm_open(&wait.fd, NULL), 0);
	assert_int_equal(armed_flags, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET);
	assert_int_equal(poll(&wait, 1, 0), 0);
	assert_false(clock_alarm_heard(wait.fd));
	assert_int_equal(timerfd_gettime(wait.fd, &left), 0);
	assert_true(left.it_value.tv_sec > (time_t)100 * 365 * 86400); /* the real kernel took the far moment */
	close(wait.fd);
}

static void a_set_clock_is_heard_once_and_again(void **state)
{
	int fd;

	(void)state;
	assert_int_equal(clock_alarm_open(&fd, NULL), 0);
	for (unsigned i = 0; i < 2; i++) {
		armed = (struct itimerspec){ .it_value = { 0 } };
		cancelled = true;
		assert_true(clock_alarm_heard(fd));
		assert_true(armed.it_value.tv_sec > 0);
		assert_false(clock_alarm_heard(fd));
	}
	set_meanwhile = true; /* between the answer and the arming */
	assert_true(clock_alarm_heard(fd));
	assert_false(clock_alarm_heard(fd));
	close(fd);
	set_meanwhile = true;
	assert_int_equal(clock_alarm_open(&fd, NULL), 0);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_is_silent_while_nobody_sets_the_clock),
		cmocka_unit_test(a_set_clock_is_heard_once_and_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
