/* GET /metrics: counters in Prometheus' text format (version 0.0.4). One table of simple ones. */
#include <inttypes.h>
#include <stddef.h>

#include "fleet/commands.h"
#include "manager/api/call_state.h"
#include "manager/api/handlers.h"
#include "manager/queries.h"

#define METRICS_MAX_BYTES (1024 * 1024)

struct figures {
	struct front_counts front;
	struct http_server_counters http;
	struct store_counters store;
};

/* clang-format off */
#define FIGURE(member) offsetof(struct figures, member)
static const struct {
	const char *name;
	const char *type;
	const char *help;
	size_t offset; /* of a uint64_t in struct figures */
} simple[] = {
	{ "muster_computers", "gauge", "Computers known.", FIGURE(front.computers) },
	{ "muster_held_polls", "gauge", "Agents' requests held open.", FIGURE(front.held_polls) },
	{ "muster_exchanges_total", "counter", "Exchanges with agents.", FIGURE(front.exchanges) },
	{ "muster_exchanges_refused_total", "counter", "Exchanges refused.", FIGURE(front.exchanges_refused) },
	{ "muster_events_stored_total", "counter", "Events stored.", FIGURE(front.events_stored) },
	{ "muster_events_repeated_total", "counter", "Events that were stored already.", FIGURE(front.events_repeated) },
	{ "muster_events_beside_total", "counter", "Events of copies, and of agents that were set back, with a number that was used.", FIGURE(front.events_beside) },
	{ "muster_enrolments_total", "counter", "Computers activated.", FIGURE(front.enrolments) },
	{ "muster_enrolments_refused_total", "counter", "Activations refused.", FIGURE(front.enrolments_refused) },
	{ "muster_dials_total", "counter", "Agents dialled.", FIGURE(front.dialled) },
	{ "muster_dials_failed_total", "counter", "Dials that failed.", FIGURE(front.dials_failed) },
	{ "muster_dials_resumed_total", "counter", "Agents dialled whose TLS session was resumed.", FIGURE(front.dials_resumed) },
	{ "muster_dial_sessions", "gauge", "TLS sessions kept of agents that were dialled.", FIGURE(front.dial_sessions) },
	{ "muster_dials", "gauge", "Dials under way.", FIGURE(front.dials_under_way) },
	{ "muster_dials_highest", "gauge", "Most dials under way at once since the start.", FIGURE(front.dials_highest) },
	{ "muster_dials_max", "gauge", "Dials under way at most.", FIGURE(front.dials_bound) },
	{ "muster_commands_open", "gauge", "Commands that have not ended.", FIGURE(front.commands_open) },
	{ "muster_quarantine_bytes", "gauge", "Bytes of quarantined files.", FIGURE(front.quarantine_bytes) },
	{ "muster_quarantine_capacity_bytes", "gauge", "Room for quarantined files.", FIGURE(front.quarantine_capacity_bytes) },
	{ "muster_work_queued", "gauge", "API calls waiting for a worker.", FIGURE(front.work_queued) },
	{ "muster_feed_dropped_total", "counter", "News that slow followers missed.", FIGURE(front.feed_dropped) },
	{ "muster_open_files_limit", "gauge", "Descriptors the system lets the manager have.", FIGURE(front.open_files_limit) },
	{ "muster_connections", "gauge", "Connections open.", FIGURE(http.connections) },
	{ "muster_connections_waiting", "gauge", "Agents' connections that wait for others' handshakes.", FIGURE(http.waiting) },
	{ "muster_connections_max", "gauge", "Connections taken at most.", FIGURE(front.connections_max) },
	{ "muster_connections_accepted_total", "counter", "Connections accepted.", FIGURE(http.accepted) },
	{ "muster_connections_refused_total", "counter", "Connections refused: too many.", FIGURE(http.refused) },
	{ "muster_connections_evicted_total", "counter", "Waiting connections closed to make room for others.", FIGURE(http.evicted) },
	{ "muster_accept_pauses_total", "counter", "Times that accepting paused: no descriptors or memory.", FIGURE(http.accept_paused) },
	{ "muster_tls_handshakes_failed_total", "counter", "TLS handshakes that failed.", FIGURE(http.handshakes_failed) },
	{ "muster_tls_resumed_total", "counter", "TLS sessions resumed.", FIGURE(http.resumed) },
	{ "muster_http_requests_total", "counter", "HTTP requests.", FIGURE(http.requests) },
	{ "muster_http_bad_requests_total", "counter", "Malformed HTTP requests.", FIGURE(http.bad_requests) },
	{ "muster_http_timeouts_total", "counter", "Connections closed for silence.", FIGURE(http.timeouts) },
	{ "muster_store_writes_total", "counter", "Writes to the database.", FIGURE(store.writes) },
	{ "muster_store_commits_total", "counter", "Commits; each takes one or more writes.", FIGURE(store.commits) },
	{ "muster_store_failures_total", "counter", "Writes that failed.", FIGURE(store.failures) },
	{ "muster_store_queued", "gauge", "Writes waiting.", FIGURE(store.queued) },
	{ "muster_store_bytes", "gauge", "Size of the database.", FIGURE(store.bytes) },
};
/* clang-format on */

static void write_simple(const struct figures *figures, struct buf *out)
{
	for (size_t i = 0; i < COUNT_OF(simple); i++) {
		const uint64_t *value = (const uint64_t *)((const char *)figures + simple[i].offset);

		buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n%s %" PRIu64 "\n", simple[i].name, simple[i].help,
			   simple[i].name, simple[i].type, simple[i].name, *value);
	}
	buf_printf(out,
		   "# HELP muster_start_time_seconds When the manager started, since 1970.\n"
		   "# TYPE muster_start_time_seconds gauge\nmuster_start_time_seconds %.3f\n",
		   (double)figures->front.started / 1e6);
	buf_printf(out, "# HELP muster_build_info Its version.\n# TYPE muster_build_info gauge\n"
			"muster_build_info{version=\"" MUSTER_VERSION "\"} 1\n");
}

static void write_status(const struct front_counts *counts, struct buf *out)
{
	buf_printf(out,
		   "# HELP muster_computers_by_status Computers by status.\n"
		   "# TYPE muster_computers_by_status gauge\n"
		   "muster_computers_by_status{status=\"online\"} %" PRIu64 "\n"
		   "muster_computers_by_status{status=\"offline\"} %" PRIu64 "\n"
		   "muster_computers_by_status{status=\"vm_stopped\"} %" PRIu64 "\n"
		   "muster_computers_by_status{status=\"unknown\"} %" PRIu64 "\n",
		   counts->online, counts->offline, counts->vm_stopped, counts->unknown);
}

/* States come from our own table: safe as labels. */
static int write_commands(struct store_session *session, void *argument, struct err *err)
{
	struct cursor *cursor = cursor_open(session, &QUERY_COMMAND_COUNT_BY_STATE);
	struct buf *out = argument;

	buf_append_text(out, "# HELP muster_commands Commands by state.\n# TYPE muster_commands gauge\n");
	while (cursor_next(cursor))
		buf_printf(out, "muster_commands{state=\"%s\"} %" PRId64 "\n", cursor_text(cursor, "state"),
			   cursor_number(cursor, "count"));
	return cursor_end(cursor, err);
}

/* Types and severities come from our own table. */
static int write_alerts(struct store_session *session, void *argument, struct err *err)
{
	struct cursor *cursor = cursor_open(session, &QUERY_ALERT_COUNT_OPEN);
	struct buf *out = argument;

	buf_append_text(out, "# HELP muster_alerts_open Alerts that are open.\n# TYPE muster_alerts_open gauge\n");
	while (cursor_next(cursor))
		buf_printf(out, "muster_alerts_open{type=\"%s\",severity=\"%s\"} %" PRId64 "\n",
			   cursor_text(cursor, "type"), cursor_text(cursor, "severity"),
			   cursor_number(cursor, "count"));
	return cursor_end(cursor, err);
}

int metrics_show(struct api_call *call, struct err *err)
{
	struct front *front = api_call_front(call);
	struct figures figures = { 0 };
	struct buf out;
	int rc;

	front_counts(front, &figures.front);
	front_http_counters(front, &figures.http);
	store_counters(api_call_store(call), &figures.store);
	buf_init(&out, METRICS_MAX_BYTES);
	write_simple(&figures, &out);
	write_status(&figures.front, &out);
	rc = store_read(api_call_store(call), write_commands, &out, err);
	if (rc == 0)
		rc = store_read(api_call_store(call), write_alerts, &out, err);
	measure_write(&call->api->measure, &out);
	if (rc == 0 && out.status != 0)
		rc = err_set(err, out.status, "the counters could not be written");
	if (rc == 0)
		rc = api_reply_text(call, 200, "text/plain; version=0.0.4; charset=utf-8", buf_text(&out));
	buf_done(&out);
	return rc;
}
