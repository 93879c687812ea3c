/* Counting; see figures.h. */
#include "fleetsim/figures.h"

#include <stdio.h>
#include <string.h>

#define STEPS 8 /* an octave */

void figures_init(struct figures *figures)
{
	memset(figures, 0, sizeof(*figures));
	pthread_mutex_init(&figures->lock, NULL);
}

void figures_add(struct figures *figures, enum figure figure, int64_t change)
{
	atomic_fetch_add(&figures->counters[figure], (uint_fast64_t)change);
}

uint64_t figures_get(const struct figures *figures, enum figure figure)
{
	return atomic_load(&figures->counters[figure]);
}

/* --- histograms --- */

static size_t bucket_of(uint64_t value)
{
	unsigned octave;
	size_t bucket;

	if (value < STEPS)
		return (size_t)value;
	octave = 63 - (unsigned)__builtin_clzll(value);
	bucket = (size_t)(octave - 2) * STEPS + (size_t)((value >> (octave - 3)) & (STEPS - 1));
	return bucket < HISTOGRAM_BUCKETS ? bucket : HISTOGRAM_BUCKETS - 1;
}

/* The largest value that goes into the bucket. */
static uint64_t bucket_top(size_t bucket)
{
	unsigned octave;

	if (bucket < STEPS)
		return bucket;
	octave = (unsigned)(bucket / STEPS) + 2;
	return ((uint64_t)(STEPS + bucket % STEPS + 1) << (octave - 3)) - 1;
}

void figures_latency(struct figures *figures, enum latency latency, span_us span)
{
	struct histogram *histogram = &figures->latencies[latency];

	if (span < 0)
		span = 0;
	atomic_fetch_add(&histogram->buckets[bucket_of((uint64_t)span)], 1);
	if (span > atomic_load(&histogram->max))
		atomic_store(&histogram->max, span);
}

uint64_t histogram_count(const struct histogram *histogram)
{
	uint64_t count = 0;

	for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++)
		count += atomic_load(&histogram->buckets[i]);
	return count;
}

span_us histogram_percentile(const struct histogram *histogram, unsigned percent)
{
	uint64_t wanted = (histogram_count(histogram) * percent + 99) / 100, seen = 0;
	span_us max = atomic_load(&histogram->max), top;

	for (size_t i = 0; wanted > 0 && i < HISTOGRAM_BUCKETS; i++) {
		seen += atomic_load(&histogram->buckets[i]);
		if (seen >= wanted) {
			top = (span_us)bucket_top(i);
			return top < max ? top : max;
		}
	}
	return 0;
}

/* --- commands, failures --- */

void figures_command(struct figures *figures, time_us issued, time_us now)
{
	figures_add(figures, FIGURE_COMMANDS, 1);
	figures_latency(figures, LATENCY_COMMAND, now - issued);
	atomic_store(&figures->last_command, now);
}

void figures_failed(struct figures *figures, int code, const char *text)
{
	size_t index = code < 0 && code >= ERR_LAST_ ? (size_t)-code : (size_t)-ERR_INTERNAL;
	struct failures *failures = &figures->failures[index];

	if (atomic_fetch_add(&failures->count, 1) > 0)
		return;
	pthread_mutex_lock(&figures->lock);
	snprintf(failures->example, sizeof(failures->example), "%s", text);
	pthread_mutex_unlock(&figures->lock);
}

/* --- adding up --- */

static void merge_histogram(struct histogram *into, const struct histogram *from)
{
	for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++)
		into->buckets[i] += atomic_load(&from->buckets[i]);
	if (atomic_load(&from->max) > into->max)
		into->max = atomic_load(&from->max);
}

void figures_merge(struct figures *into, struct figures *from)
{
	for (size_t i = 0; i < FIGURES; i++)
		into->counters[i] += atomic_load(&from->counters[i]);
	for (size_t i = 0; i < LATENCIES; i++)
		merge_histogram(&into->latencies[i], &from->latencies[i]);
	pthread_mutex_lock(&from->lock);
	for (size_t i = 0; i < FIGURES_CODES; i++) {
		into->failures[i].count += atomic_load(&from->failures[i].count);
		if (into->failures[i].example[0] == '\0')
			memcpy(into->failures[i].example, from->failures[i].example, sizeof(into->failures[i].example));
	}
	pthread_mutex_unlock(&from->lock);
	if (atomic_load(&from->last_command) > into->last_command)
		into->last_command = atomic_load(&from->last_command);
}
