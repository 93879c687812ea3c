/* The real clocks and the kernel's randomness, as struct env. */
#ifndef MUSTER_OS_ENV_H
#define MUSTER_OS_ENV_H

#include "base/env.h"

/* One for the process; thread-safe; never fails (no randomness ends the process). */
const struct env *env_system(void);
/* The wall clock alone, for log_setup(). */
time_us env_system_wall(void);

#endif
