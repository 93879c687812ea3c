/* Request counters. Nothing here comes from outside but the status. */
#include "manager/api/measure.h"

#include <inttypes.h>

static const span_us bounds_us[MEASURE_BUCKETS - 1] = { 1000, 5000, 10000, 50000, 100000, 500000, 1000000, 5000000 };

void measure_add(struct measure *measure, const struct api_route *route, int status, span_us took)
{
	struct measure_route *counters;
	size_t bucket = 0;

	if (route == NULL || status < 100 || status > 599)
		return;
	counters = &measure->routes[route - api_routes];
	while (bucket < MEASURE_BUCKETS - 1 && took > bounds_us[bucket])
		bucket++;
	atomic_fetch_add(&counters->buckets[bucket], 1);
	atomic_fetch_add(&counters->sum_us, (uint_fast64_t)(took > 0 ? took : 0));
	atomic_fetch_add(&counters->classes[status / 100 - 1], 1);
}

static void write_histogram(const struct measure_route *counters, const struct api_route *route, struct buf *out)
{
	uint64_t total = 0;

	for (size_t i = 0; i < MEASURE_BUCKETS; i++) {
		total += atomic_load(&counters->buckets[i]);
		buf_printf(out, "muster_api_request_seconds_bucket{method=\"%s\",route=\"%s\",le=\"", route->method,
			   route->pattern);
		if (i < MEASURE_BUCKETS - 1)
			buf_printf(out, "%g", (double)bounds_us[i] / 1e6);
		else
			buf_append_text(out, "+Inf");
		buf_printf(out, "\"} %" PRIu64 "\n", total);
	}
	buf_printf(out, "muster_api_request_seconds_sum{method=\"%s\",route=\"%s\"} %.6f\n", route->method,
		   route->pattern, (double)atomic_load(&counters->sum_us) / 1e6);
	buf_printf(out, "muster_api_request_seconds_count{method=\"%s\",route=\"%s\"} %" PRIu64 "\n", route->method,
		   route->pattern, total);
}

static bool used(const struct measure_route *counters)
{
	for (size_t i = 0; i < MEASURE_BUCKETS; i++) {
		if (atomic_load(&counters->buckets[i]) > 0)
			return true;
	}
	return false;
}

void measure_write(const struct measure *measure, struct buf *out)
{
	buf_append_text(out, "# HELP muster_api_request_seconds Time from a request's headers to its answer.\n"
			     "# TYPE muster_api_request_seconds histogram\n");
	for (size_t i = 0; i < api_route_count; i++) {
		if (used(&measure->routes[i]))
			write_histogram(&measure->routes[i], &api_routes[i], out);
	}
	buf_append_text(out, "# HELP muster_api_requests_total Requests by class of status.\n"
			     "# TYPE muster_api_requests_total counter\n");
	for (size_t i = 0; i < api_route_count; i++) {
		for (size_t class = 0; class < 5; class ++) {
			uint64_t count = atomic_load(&measure->routes[i].classes[class]);

			if (count > 0)
				buf_printf(out,
					   "muster_api_requests_total{method=\"%s\",route=\"%s\",status=\"%zuxx\"} "
					   "%" PRIu64 "\n",
					   api_routes[i].method, api_routes[i].pattern, class + 1, count);
		}
	}
}
