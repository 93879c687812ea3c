/* When certificates are renewed. Pure. */
#include "trust/renewal.h"

#define SPREAD_STEPS 4096

time_us renewal_due(const struct renewal_life *life, uint64_t seed)
{
	span_us whole = life->not_after - life->not_before;

	if (whole <= 0)
		return life->not_before;
	return life->not_before + whole / 3 * 2 + whole / 12 / SPREAD_STEPS * (span_us)(seed % SPREAD_STEPS);
}

span_us renewal_retry(const struct env *env, unsigned failures)
{
	span_us most = RENEWAL_RETRY_FIRST_US;

	for (unsigned i = 1; i < failures && most < RENEWAL_RETRY_LAST_US; i++)
		most *= 2;
	if (most > RENEWAL_RETRY_LAST_US)
		most = RENEWAL_RETRY_LAST_US;
	return SECOND_US + (span_us)env_below(env, (uint64_t)most);
}

bool renewal_in_grace(time_us not_after, time_us now, span_us grace)
{
	return now <= not_after || now - not_after <= grace;
}
