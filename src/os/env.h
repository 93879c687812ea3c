/* The real clocks and the kernel's randomness, as struct env. */
#ifndef MUSTER_OS_ENV_H
#define MUSTER_OS_ENV_H

#include <time.h>

#include "base/env.h"

/* One for the process; thread-safe; never fails (no randomness ends the process). */
const struct env *env_system(void);
/* The wall clock alone, for log_setup(). */
time_us env_system_wall(void);
/* The moment after this span, as a condition variable on CLOCK_MONOTONIC wants it: that clock stands still while the
 * machine sleeps, so that moments of env_monotonic() must not be given to it. */
struct timespec env_system_after(span_us span);

/* Which boot of the machine this is; zeroes when the system does not say. */
void env_system_boot(struct uuid *ret_boot);

#endif
