/* What a pure core gets from the world: clocks and chance.
 *
 * The daemons bind it to the system (os/env.h), tests and test/sim to a clock
 * of their own and a seeded generator. Calls never block and never fail.
 */
#ifndef MUSTER_BASE_ENV_H
#define MUSTER_BASE_ENV_H

#include <stddef.h>

#include "base/hex.h"
#include "base/units.h"

struct env {
	void *context;
	time_us (*wall)(void *context);                        /* since 1970 UTC; may jump either way */
	time_us (*monotonic)(void *context);                   /* never goes back while the process lives */
	void (*random)(void *context, void *out, size_t size); /* fit for keys */
};

static inline time_us env_wall(const struct env *env)
{
	return env->wall(env->context);
}

static inline time_us env_monotonic(const struct env *env)
{
	return env->monotonic(env->context);
}

static inline struct uuid env_uuid(const struct env *env)
{
	uint8_t random[10];

	env->random(env->context, random, sizeof(random));
	return uuid_make(env_wall(env), random);
}

/* Uniform in [0, bound), 0 when bound is 0: full jitter. */
static inline uint64_t env_below(const struct env *env, uint64_t bound)
{
	uint64_t value = 0;

	if (bound == 0)
		return 0;
	env->random(env->context, &value, sizeof(value));
	return value % bound;
}

#endif
