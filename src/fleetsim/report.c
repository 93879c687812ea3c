/* Figures shown; see report.h. */
#include "fleetsim/report.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static double per_second(const struct figures *now, const struct figures *before, enum figure figure, span_us span)
{
	uint64_t change = figures_get(now, figure) - figures_get(before, figure);

	return span > 0 ? (double)change * (double)SECOND_US / (double)span : 0;
}

static double milliseconds(span_us span)
{
	return (double)span / 1000;
}

static uint64_t failures_in_all(const struct figures *figures)
{
	uint64_t count = 0;

	for (size_t i = 0; i < FIGURES_CODES; i++)
		count += atomic_load(&figures->failures[i].count);
	return count;
}

/* "failures 3 (connect 2, timeout 1)" */
static void print_failures(const struct figures *figures, FILE *out)
{
	const char *between = " (";

	fprintf(out, "failures %llu", (unsigned long long)failures_in_all(figures));
	for (size_t i = 0; i < FIGURES_CODES; i++) {
		uint64_t count = atomic_load(&figures->failures[i].count);

		if (count == 0)
			continue;
		fprintf(out, "%s%s %llu", between, err_name(-(int)i), (unsigned long long)count);
		between = ", ";
	}
	if (failures_in_all(figures) > 0)
		fputc(')', out);
}

void report_line(const struct report *report)
{
	const struct figures *now = report->now;
	const struct histogram *exchanges = &now->latencies[LATENCY_EXCHANGE];
	bool terminal = isatty(STDERR_FILENO);

	fprintf(stderr, "%s%lld s  connected %llu/%u  exchanges %.0f/s  events %.0f/s acknowledged  commands %llu  ",
		terminal ? "\r\033[K" : "", (long long)(report->elapsed / SECOND_US),
		(unsigned long long)figures_get(now, FIGURE_CONNECTED), report->options->agents,
		per_second(now, report->before, FIGURE_EXCHANGES, report->step),
		per_second(now, report->before, FIGURE_EVENTS_ACKNOWLEDGED, report->step),
		(unsigned long long)figures_get(now, FIGURE_COMMANDS));
	print_failures(now, stderr);
	fprintf(stderr, "  p50 %.1f ms  p99 %.1f ms%s", milliseconds(histogram_percentile(exchanges, 50)),
		milliseconds(histogram_percentile(exchanges, 99)), terminal ? "" : "\n");
	fflush(stderr);
}

/* --- the summary as JSON --- */

static json_t *number(uint64_t value)
{
	return json_integer((json_int_t)value);
}

static json_t *json_latency(const struct histogram *histogram)
{
	return json_pack("{s:o, s:f, s:f, s:f}", "count", number(histogram_count(histogram)), "p50",
			 milliseconds(histogram_percentile(histogram, 50)), "p99",
			 milliseconds(histogram_percentile(histogram, 99)), "max",
			 milliseconds(atomic_load(&histogram->max)));
}

static json_t *json_failures(const struct figures *figures)
{
	json_t *all = json_object();

	for (size_t i = 0; i < FIGURES_CODES; i++) {
		uint64_t count = atomic_load(&figures->failures[i].count);

		if (count > 0)
			json_object_set_new(all, err_name(-(int)i),
					    json_pack("{s:o, s:s%}", "count", number(count), "example",
						      figures->failures[i].example,
						      strnlen(figures->failures[i].example, 255)));
	}
	return all;
}

static json_t *json_exchanges(const struct summary *summary)
{
	return json_pack("{s:o, s:f, s:o, s:o, s:o}", "count", number(figures_get(summary->end, FIGURE_EXCHANGES)),
			 "per_s", per_second(summary->end, summary->start, FIGURE_EXCHANGES, summary->steady),
			 "bytes_sent", number(figures_get(summary->end, FIGURE_BYTES_SENT)), "bytes_received",
			 number(figures_get(summary->end, FIGURE_BYTES_RECEIVED)), "latency_ms",
			 json_latency(&summary->end->latencies[LATENCY_EXCHANGE]));
}

static json_t *json_events(const struct summary *summary)
{
	const struct figures *last = summary->last;

	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:f}", "made", number(figures_get(last, FIGURE_EVENTS_MADE)),
			 "acknowledged", number(figures_get(last, FIGURE_EVENTS_ACKNOWLEDGED)), "waiting",
			 number(figures_get(last, FIGURE_EVENTS_WAITING)), "dropped",
			 number(figures_get(last, FIGURE_EVENTS_DROPPED)), "held_back",
			 number(figures_get(last, FIGURE_EVENTS_HELD_BACK)), "acknowledged_per_s",
			 per_second(summary->end, summary->start, FIGURE_EVENTS_ACKNOWLEDGED, summary->steady));
}

static json_t *json_fan_out(const struct summary *summary)
{
	const struct fan_out_state *state = summary->fan_out;
	const struct histogram *arrivals = &summary->last->latencies[LATENCY_FAN_OUT];
	time_us last = atomic_load(&summary->last->last_command);

	if (state == NULL)
		return json_null();
	return json_pack("{s:o, s:f, s:f, s:f}", "issued", number(state->issued), "ordered_ms",
			 milliseconds(state->ordered), "median_arrival_ms",
			 milliseconds(histogram_percentile(arrivals, 50)), "last_arrival_ms",
			 last > 0 ? milliseconds(last - state->began) : 0);
}

static void print_json(const struct summary *summary)
{
	const struct figures *last = summary->last;
	json_t *json = json_pack(
	    "{s:i, s:o, s:o, s:f, s:f, s:o, s:o, s:o, s:{s:o, s:o, s:o}, s:o, s:o, s:o, s:{s:o, s:o}, s:o}", "agents",
	    (int)summary->options->agents, "enrolled", number(figures_get(last, FIGURE_ENROLLED)), "connected",
	    number(summary->connected), "ramp_s", (double)summary->ramp / (double)SECOND_US, "duration_s",
	    (double)summary->steady / (double)SECOND_US, "enrolment_ms",
	    json_latency(&last->latencies[LATENCY_ENROLMENT]), "exchanges", json_exchanges(summary), "events",
	    json_events(summary), "commands", "received", number(figures_get(last, FIGURE_COMMANDS)), "scans",
	    number(figures_get(last, FIGURE_SCANS)), "latency_ms", json_latency(&last->latencies[LATENCY_COMMAND]),
	    "fan_out", json_fan_out(summary), "between_dials_ms", json_latency(&last->latencies[LATENCY_DIALS]),
	    "failures", json_failures(last), "open_files", "limit", number(summary->open_files), "agents_allowed",
	    number(summary->agents_allowed), "resident_bytes", number(summary->resident_bytes));

	if (json != NULL)
		json_dumpf(json, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(6));
	putchar('\n');
	json_decref(json);
}

/* --- and as text --- */

static void print_latency(const char *name, const struct histogram *histogram)
{
	if (histogram_count(histogram) > 0)
		printf("%-12s %llu, p50 %.1f ms, p99 %.1f ms, longest %.1f ms\n", name,
		       (unsigned long long)histogram_count(histogram),
		       milliseconds(histogram_percentile(histogram, 50)),
		       milliseconds(histogram_percentile(histogram, 99)), milliseconds(atomic_load(&histogram->max)));
}

static void print_text(const struct summary *summary)
{
	const struct figures *last = summary->last;

	printf("agents       %llu of %u connected after %.1f s, then observed for %.1f s\n",
	       (unsigned long long)summary->connected, summary->options->agents, milliseconds(summary->ramp) / 1000,
	       milliseconds(summary->steady) / 1000);
	print_latency("enrolments", &last->latencies[LATENCY_ENROLMENT]);
	printf("exchanges    %.1f/s\n", per_second(summary->end, summary->start, FIGURE_EXCHANGES, summary->steady));
	print_latency("  at once", &last->latencies[LATENCY_EXCHANGE]);
	printf("events       %llu made, %llu acknowledged with the agents' own, %llu waiting, %llu dropped, %.1f/s\n",
	       (unsigned long long)figures_get(last, FIGURE_EVENTS_MADE),
	       (unsigned long long)figures_get(last, FIGURE_EVENTS_ACKNOWLEDGED),
	       (unsigned long long)figures_get(last, FIGURE_EVENTS_WAITING),
	       (unsigned long long)figures_get(last, FIGURE_EVENTS_DROPPED),
	       per_second(summary->end, summary->start, FIGURE_EVENTS_ACKNOWLEDGED, summary->steady));
	print_latency("between dials", &last->latencies[LATENCY_DIALS]);
	print_latency("commands", &last->latencies[LATENCY_COMMAND]);
	if (summary->fan_out != NULL)
		printf("fan-out      %llu issued in %.0f ms, last arrival after %.0f ms\n",
		       (unsigned long long)summary->fan_out->issued, milliseconds(summary->fan_out->ordered),
		       milliseconds(atomic_load(&last->last_command) - summary->fan_out->began));
	print_failures(last, stdout);
	putchar('\n');
	for (size_t i = 0; i < FIGURES_CODES; i++) {
		if (atomic_load(&last->failures[i].count) > 0)
			printf("  %s: %s\n", err_name(-(int)i), last->failures[i].example);
	}
	printf("memory       %.1f KB an agent (%.0f MB)\n",
	       (double)summary->resident_bytes / 1024 / summary->options->agents,
	       (double)summary->resident_bytes / 1048576);
}

void report_summary(const struct summary *summary)
{
	if (summary->options->json)
		print_json(summary);
	else
		print_text(summary);
	fflush(stdout);
}
