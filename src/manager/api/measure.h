/* Counting requests: by route and status class, and how long they took. Any thread, no locks. */
#ifndef MUSTER_MANAGER_API_MEASURE_H
#define MUSTER_MANAGER_API_MEASURE_H

#include <stdatomic.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/units.h"
#include "manager/api/routes.h"

#define MEASURE_BUCKETS 9 /* the last has no upper end */

struct measure_route {
	atomic_uint_fast64_t buckets[MEASURE_BUCKETS];
	atomic_uint_fast64_t sum_us;
	atomic_uint_fast64_t classes[5]; /* 1xx … 5xx */
};
struct measure {
	struct measure_route routes[API_ROUTES_MAX];
};

/* route NULL: nothing is counted. */
void measure_add(struct measure *measure, const struct api_route *route, int status, span_us took);
/* Appends the two families in Prometheus' text format; routes never asked for are left out. */
void measure_write(const struct measure *measure, struct buf *out);

#endif
