/* Time and chance of tests (given_time.h). */
#include "given_time.h"

time_us now;
static uint64_t chance;

time_us given_wall(void *context)
{
	(void)context;
	return WALL_START + now;
}

time_us given_monotonic(void *context)
{
	(void)context;
	return now;
}

void given_random(void *context, void *out, size_t size)
{
	uint8_t *bytes = out;

	(void)context;
	for (size_t i = 0; i < size; i++)
		bytes[i] = (uint8_t)((chance = chance * 6364136223846793005u + 1442695040888963407u) >> 56);
}

const struct env env = { NULL, given_wall, given_monotonic, given_random };
