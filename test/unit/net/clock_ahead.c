/* time() of tests that set it forward. */
#include "clock_ahead.h"

#include <stddef.h>
#include <time.h>

int64_t ahead_s;

time_t time(time_t *out)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	now.tv_sec += ahead_s;
	if (out != NULL)
		*out = now.tv_sec;
	return now.tv_sec;
}
