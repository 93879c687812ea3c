/* What commands ask for, acted out: heartbeats are the endpoint's own, scans
 * take their time if so wished, anything else succeeds at once. */
#include <stdio.h>
#include <string.h>

#include "fleetsim/agent.h"

#define SCAN_US     (10 * SECOND_US)
#define PROGRESS_US (2 * SECOND_US)
#define SCAN_FILES  20000
#define SCAN_BYTES  (SCAN_FILES * (uint64_t)90000)

static time_us now_of(const struct agent *agent)
{
	return env_monotonic(agent->crowd->plan->env);
}

static struct agent_scan *find(struct agent *agent, const struct uuid *id)
{
	for (size_t i = 0; i < AGENT_SCANS_MAX; i++) {
		if (agent->scans[i].began != 0 && uuid_equal(&agent->scans[i].id, id))
			return &agent->scans[i];
	}
	return NULL;
}

/* --- the endpoint's actor --- */

static int start(void *context, const struct endpoint_command *command, struct err *err)
{
	struct agent *agent = context;
	bool slow = command->kind == COMMAND_SCAN && agent->crowd->plan->options->scans;
	time_us now = now_of(agent);

	for (size_t i = 0; i < AGENT_SCANS_MAX; i++) {
		if (agent->scans[i].began != 0)
			continue;
		agent->scans[i] =
		    (struct agent_scan){ .id = command->id, .began = slow ? now : now - SCAN_US, .told = now };
		if (command->kind == COMMAND_SCAN)
			figures_add(&agent->crowd->figures, FIGURE_SCANS, 1);
		agent_wake(agent);
		return 0;
	}
	return err_set(err, ERR_BUSY, "%d scans run already", AGENT_SCANS_MAX);
}

static int steer(void *context, const struct uuid *command, const struct uuid *by, struct err *err)
{
	(void)by;
	(void)command;
	(void)context;
	return err_set(err, ERR_REFUSED, "simulated scans do not pause");
}

static int cancel(void *context, const struct uuid *command, const struct uuid *by, struct err *err)
{
	struct agent *agent = context;
	struct agent_scan *scan = find(agent, command);

	(void)by;
	if (scan == NULL)
		return err_set(err, ERR_NOT_FOUND, "the scan has ended");
	scan->cancelled = true;
	agent_wake(agent);
	return 0;
}

static void upload(void *context, const struct uuid *item)
{
	(void)context;
	(void)item;
}

static void rekey(void *context)
{
	agent_failed(context, ERR_CONFLICT,
		     "the manager hears another live agent with this identity: is a second simulation running with the "
		     "same --identities?");
}

/* The first 48 bits of a UUIDv7 are the millisecond it was made in. */
static time_us issued(const struct uuid *command)
{
	time_us milliseconds = 0;

	for (int i = 0; i < 6; i++)
		milliseconds = milliseconds << 8 | command->bytes[i];
	return milliseconds * MILLISECOND_US;
}

/* A command's first move is its arrival, which is an event of the agent too. */
static void trace(void *context, const struct uuid *command, const char *from, const char *to)
{
	struct agent *agent = context;
	const struct fleet_plan *plan = agent->crowd->plan;

	time_us now = agent->received_wall, ordered = atomic_load(&plan->ordered);

	(void)to;
	if (strcmp(from, command_state_name(COMMAND_PENDING)) != 0)
		return;
	figures_command(&agent->crowd->figures, issued(command), now);
	if (ordered > 0)
		figures_latency(&agent->crowd->figures, LATENCY_FAN_OUT, now - ordered);
	agent->noted++;
}

struct endpoint_actor scans_actor(struct agent *agent)
{
	return (struct endpoint_actor){ .context = agent,
					.start = start,
					.pause = steer,
					.resume = steer,
					.cancel = cancel,
					.upload = upload,
					.rekey = rekey,
					.configurer = { .check = agent_check, .redial = agent_redial },
					.noted = agent_noted,
					.trace = trace };
}

/* --- the scans themselves --- */

static void tell_progress(struct agent *agent, struct agent_scan *scan, time_us now)
{
	Muster__Wire__Progress progress = MUSTER__WIRE__PROGRESS__INIT;
	uint64_t part = (uint64_t)(now - scan->began);
	char path[40];

	progress.files_total = SCAN_FILES;
	progress.bytes_total = SCAN_BYTES;
	progress.files_done = SCAN_FILES * part / SCAN_US;
	progress.bytes_done = SCAN_BYTES / 1000 * part / SCAN_US * 1000;
	progress.elapsed_ms = part / 1000;
	progress.path = exchange_bytes(
	    path, (size_t)snprintf(path, sizeof(path), "/usr/lib/file-%llu", (unsigned long long)progress.files_done));
	endpoint_progress(agent->endpoint, &scan->id, &progress, NULL);
	scan->told = now;
}

static void finish(struct agent *agent, struct agent_scan *scan)
{
	static const char files[] = "20000";
	const struct event_field result = { "files", { (const uint8_t *)files, sizeof(files) - 1 } };
	enum command_state state = scan->cancelled ? COMMAND_CANCELLED : COMMAND_SUCCEEDED;
	struct err err = { 0 };

	if (endpoint_end(agent->endpoint, &scan->id, state, "", "", &result, 1, &err) != 0)
		agent_failed(agent, err.code, err.text);
	scan->began = 0;
}

time_us scans_step(struct agent *agent, time_us now)
{
	time_us due = INT64_MAX;

	for (size_t i = 0; i < AGENT_SCANS_MAX; i++) {
		struct agent_scan *scan = &agent->scans[i];

		if (scan->began == 0)
			continue;
		if (scan->cancelled || now >= scan->began + SCAN_US) {
			finish(agent, scan);
			continue;
		}
		if (now >= scan->told + PROGRESS_US)
			tell_progress(agent, scan, now);
		due = scan->told + PROGRESS_US < due ? scan->told + PROGRESS_US : due;
		due = scan->began + SCAN_US < due ? scan->began + SCAN_US : due;
	}
	return due;
}
