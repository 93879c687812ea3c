/* Has the manager been told this? One counter per thing that is reported.
 *
 * `now` grows with each change; a report on a lane carries it, and only the
 * reply on that lane makes it told. Lost reports and replies change nothing.
 */
#ifndef MUSTER_ENDPOINT_REVISION_H
#define MUSTER_ENDPOINT_REVISION_H

#include <stdbool.h>
#include <stdint.h>

#define REVISION_LANES 3

struct revision {
	uint32_t now, told;
	uint32_t carried[REVISION_LANES]; /* by the report under way, 0: not in it */
};

static inline void revision_change(struct revision *revision)
{
	revision->now++;
}

static inline bool revision_under_way(const struct revision *revision)
{
	for (unsigned lane = 0; lane < REVISION_LANES; lane++) {
		if (revision->carried[lane] == revision->now)
			return true;
	}
	return false;
}

/* Is there something to tell that no report under way tells? */
static inline bool revision_waits(const struct revision *revision)
{
	return revision->now > revision->told && !revision_under_way(revision);
}

static inline void revision_carry(struct revision *revision, unsigned lane)
{
	revision->carried[lane] = revision->now;
}

static inline void revision_end(struct revision *revision, unsigned lane, bool told)
{
	if (told && revision->carried[lane] > revision->told)
		revision->told = revision->carried[lane];
	revision->carried[lane] = 0;
}

#endif
