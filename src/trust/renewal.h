/* When agents' certificates are renewed. Those of the manager: certificate_life.h.
 *
 * Pure: dates in, moments out. A certificate is renewed when two thirds of its
 * life are over, each at a moment of its own within the next twelfth, so that a
 * fleet that was enrolled in one day does not come back in one hour. What fails
 * is tried again after a wait that doubles, with full jitter. Whoever issues
 * certificates decides by his own clock; clocks of those who have them do not count.
 */
#ifndef MUSTER_TRUST_RENEWAL_H
#define MUSTER_TRUST_RENEWAL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/env.h"
#include "base/units.h"

struct renewal_life {
	time_us not_before, not_after;
};

/* When to renew; seed: any number of the certificate's own, its fingerprint's first bytes. */
time_us renewal_due(const struct renewal_life *life, uint64_t seed);

#define RENEWAL_RETRY_FIRST_US MINUTE_US
#define RENEWAL_RETRY_LAST_US  (6 * HOUR_US)
/* How long to wait after the n-th failure in a row, 1 being the first. */
span_us renewal_retry(const struct env *env, unsigned failures);

/* May one who shows a certificate that has ended still have another for it? grace: how long after
 * its end, INT64_MAX for ever. */
bool renewal_in_grace(time_us not_after, time_us now, span_us grace);

#endif
