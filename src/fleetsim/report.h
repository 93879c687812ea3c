/* What people and scripts see of a simulation: a line every second, a summary at the end. */
#ifndef MUSTER_FLEETSIM_REPORT_H
#define MUSTER_FLEETSIM_REPORT_H

#include <stdbool.h>

#include "fleetsim/api.h"
#include "fleetsim/figures.h"
#include "fleetsim/options.h"

struct report {
	const struct options *options;
	const struct figures *now, *before; /* before: a second ago */
	span_us elapsed, step;              /* since the start; since `before` */
};
/* On standard error; written over the last one on a terminal. */
void report_line(const struct report *report);

struct summary {
	const struct options *options;
	const struct figures *start, *end; /* of the steady time */
	const struct figures *last;        /* after the last acknowledgements */
	span_us ramp, steady;
	uint64_t connected;                  /* at the end of the steady time */
	const struct fan_out_state *fan_out; /* NULL: none */
	uint64_t open_files, agents_allowed;
	uint64_t resident_bytes;
};
/* On standard output, as text or JSON. */
void report_summary(const struct summary *summary);

#endif
