/* When a certificate is renewed, and when its end is told. Pure. */
#include "trust/certificate_life.h"

static span_us lesser(span_us a, span_us b)
{
	return a < b ? a : b;
}

time_us certificate_renew_at(const struct certificate_life *life)
{
	span_us whole = life->not_after - life->not_before, before = whole / 3;

	if (whole <= 0)
		return life->not_before;
	if (before < CERTIFICATE_RENEW_LEAST_US)
		before = lesser(CERTIFICATE_RENEW_LEAST_US, whole / 2);
	return life->not_after - before;
}

enum certificate_stage certificate_stage(const struct certificate_life *life, const struct certificate_bounds *bounds,
					 time_us now)
{
	span_us left = life->not_after - now;
	span_us most = life->renews ? (life->not_after - certificate_renew_at(life)) / 2 : INT64_MAX;

	if (left <= 0)
		return CERTIFICATE_ENDED;
	if (left <= lesser(bounds->critical, most))
		return CERTIFICATE_CRITICAL;
	return left <= lesser(bounds->soon, most) ? CERTIFICATE_SOON : CERTIFICATE_WELL;
}

const char *certificate_stage_name(enum certificate_stage stage)
{
	static const char *const names[] = { "well", "soon", "critical", "ended" };

	return names[stage];
}

int64_t certificate_days_left(time_us not_after, time_us now)
{
	span_us left = not_after - now;

	return left >= 0 ? left / DAY_US : -((-left + DAY_US - 1) / DAY_US);
}
