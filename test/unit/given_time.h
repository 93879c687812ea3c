/* Time as the test gives it, and chance that is the same in each run. */
#ifndef MUSTER_TEST_GIVEN_TIME_H
#define MUSTER_TEST_GIVEN_TIME_H

#include "base/env.h"

#define WALL_START ((time_us)1790000000 * SECOND_US) /* the wall clock at 0 of the other */

extern time_us now; /* of the monotonic clock */
extern const struct env env;

/* The two clocks by themselves, for an env of a test's own. */
time_us given_wall(void *context);
time_us given_monotonic(void *context);
void given_random(void *context, void *out, size_t size);

#endif
