/* When the manager's authority is followed by another. Pure. */
#include "trust/authority_turn.h"

#define SPREAD_STEPS 4096
#define SLOWER       10

enum authority_step authority_step(const struct authority_state *state, time_us now)
{
	if (!state->has_next)
		return renewal_due(&state->issuing, 0) <= now ? AUTHORITY_PREPARES : AUTHORITY_STAYS;
	if (state->without == 0 || state->issuing.not_after - now <= AUTHORITY_LAST_PERIOD_US)
		return AUTHORITY_TURNS;
	return AUTHORITY_STAYS;
}

span_us authority_spread(size_t computers, int64_t pace)
{
	return (span_us)computers * SLOWER * SECOND_US / (pace > 0 ? pace : 1);
}

time_us authority_told_at(time_us since, span_us spread, uint64_t seed)
{
	return since + spread / SPREAD_STEPS * (span_us)(seed % SPREAD_STEPS);
}
