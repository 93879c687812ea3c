/* The life of a certificate: when it is renewed, and when somebody is told that
 * it was not. Pure: dates in, answers out.
 */
#ifndef MUSTER_TRUST_CERTIFICATE_LIFE_H
#define MUSTER_TRUST_CERTIFICATE_LIFE_H

#include <stdbool.h>

#include "base/units.h"

struct certificate_life {
	time_us not_before, not_after;
	bool renews; /* by itself */
};

/* A third of its life before its end, and 30 days at least, but not in the first half of its life: one that lives
 * for less than two months would be renewed all the time. */
#define CERTIFICATE_RENEW_LEAST_US (30 * DAY_US)
time_us certificate_renew_at(const struct certificate_life *life);

enum certificate_stage { CERTIFICATE_WELL, CERTIFICATE_SOON, CERTIFICATE_CRITICAL, CERTIFICATE_ENDED };
struct certificate_bounds {
	span_us soon, critical; /* before the end */
};
/* Which stage it has reached. One that renews itself is well until half of the time has passed in which it should have
 * been renewed, however short its life is. */
enum certificate_stage certificate_stage(const struct certificate_life *life, const struct certificate_bounds *bounds,
					 time_us now);
const char *certificate_stage_name(enum certificate_stage stage); /* "well", "soon", "critical", "ended" */

/* Whole days until then; negative: since then. */
int64_t certificate_days_left(time_us not_after, time_us now);

#endif
