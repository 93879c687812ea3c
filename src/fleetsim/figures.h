/* What a simulation counts: one set a thread, added up by whoever shows them.
 *
 * Counters and histograms are atomic: written by one thread, read by another
 * at any time. A histogram has eight steps an octave, so that a percentile is
 * off by an eighth at most.
 */
#ifndef MUSTER_FLEETSIM_FIGURES_H
#define MUSTER_FLEETSIM_FIGURES_H

#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/units.h"

enum figure {
	FIGURE_STARTED,
	FIGURE_ENROLLED,
	FIGURE_CONNECTED, /* whose last exchange worked */
	FIGURE_REQUESTS,  /* reports sent */
	FIGURE_EXCHANGES, /* and answered */
	FIGURE_EVENTS_MADE,
	FIGURE_EVENTS_ACKNOWLEDGED, /* these, and those that agents add themselves: command received, ... */
	FIGURE_EVENTS_WAITING,      /* not acknowledged yet */
	FIGURE_EVENTS_DROPPED,
	FIGURE_EVENTS_HELD_BACK, /* not made, because too many waited */
	FIGURE_COMMANDS,
	FIGURE_SCANS,
	FIGURE_BYTES_SENT, /* of reports and replies, without HTTP and TLS */
	FIGURE_BYTES_RECEIVED,
	FIGURES
};

enum latency {
	LATENCY_ENROLMENT, /* connection included */
	LATENCY_EXCHANGE,  /* of reports that ask for an answer at once */
	LATENCY_COMMAND,   /* from its issue (its id's millisecond) to its arrival */
	LATENCY_FAN_OUT,   /* from the order for all to its arrival */
	LATENCY_DIALS,     /* of one agent: from one dial of the manager to the next */
	LATENCIES
};

#define HISTOGRAM_BUCKETS 320
#define FIGURES_CODES     (1 - ERR_LAST_)

struct histogram {
	atomic_uint_fast64_t buckets[HISTOGRAM_BUCKETS];
	atomic_int_fast64_t max;
};

struct failures {
	atomic_uint_fast64_t count;
	char example[256]; /* under the lock */
};

struct figures {
	atomic_uint_fast64_t counters[FIGURES];
	struct histogram latencies[LATENCIES];
	struct failures failures[FIGURES_CODES];
	atomic_int_fast64_t last_command; /* wall clock, 0: none */
	pthread_mutex_t lock;
};

void figures_init(struct figures *figures);
void figures_add(struct figures *figures, enum figure figure, int64_t change);
uint64_t figures_get(const struct figures *figures, enum figure figure);
/* A negative latency counts as none at all: 0. */
void figures_latency(struct figures *figures, enum latency latency, span_us span);
void figures_command(struct figures *figures, time_us issued, time_us now);
void figures_failed(struct figures *figures, int code, const char *text);
/* Adds all of `from` to `into`, which belongs to the caller alone. */
void figures_merge(struct figures *into, struct figures *from);

uint64_t histogram_count(const struct histogram *histogram);
/* The value that `percent` of all are not above; 0 when there are none. */
span_us histogram_percentile(const struct histogram *histogram, unsigned percent);

#endif
