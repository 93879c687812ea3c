/* When the manager's authority is followed by another. Pure. */
#include "trust/authority_turn.h"

#define SPREAD_STEPS 4096
#define SLOWER       10

enum authority_step authority_step(const struct authority_state *state, time_us now)
{
	if (!state->has_next)
		return renewal_due(&state->issuing, 0) <= now ? AUTHORITY_PREPARES : AUTHORITY_STAYS;
	return state->without == 0 || authority_turns_by(state) <= now ? AUTHORITY_TURNS : AUTHORITY_STAYS;
}

time_us authority_turns_by(const struct authority_state *state)
{
	time_us patient = state->told_by + AUTHORITY_PATIENCE_US;
	time_us last = state->issuing.not_after - AUTHORITY_LAST_PERIOD_US;

	return patient < last ? patient : last;
}

span_us authority_spread(size_t computers, int64_t pace)
{
	return (span_us)computers * SLOWER * SECOND_US / (pace > 0 ? pace : 1);
}

time_us authority_told_at(time_us since, span_us spread, uint64_t seed)
{
	return since + spread / SPREAD_STEPS * (span_us)(seed % SPREAD_STEPS);
}
