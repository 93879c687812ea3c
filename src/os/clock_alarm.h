/* Being told when somebody sets the system's wall clock: a timer that the kernel
 * cancels then (TFD_TIMER_CANCEL_ON_SET). It needs no right. */
#ifndef MUSTER_OS_CLOCK_ALARM_H
#define MUSTER_OS_CLOCK_ALARM_H

#include <stdbool.h>

#include "base/err.h"

/* A descriptor that becomes readable when the clock is set; the caller's to close(). */
int clock_alarm_open(int *ret_fd, struct err *err);
/* After it became readable: whether the clock was set, and ready for the next time. Look at the clock only after
 * this, so that no step falls between. False as well when it was readable for nothing. Does not block. */
bool clock_alarm_heard(int fd);

#endif
