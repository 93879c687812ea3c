/* muster-fleet-sim: a fleet of agents in one process, for sizing a manager. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/log.h"
#include "fleetsim/api.h"
#include "fleetsim/crowd.h"
#include "fleetsim/report.h"
#include "os/env.h"
#include "os/files.h"
#include "trust/identity.h"
#include "wire/limits.h"

#define FILES_BESIDE_AGENTS 96
#define RAMP_PATIENCE_US    (30 * SECOND_US) /* without one more agent connected */
#define END_PATIENCE_US     (15 * SECOND_US)
#define FAN_OUT_PATIENCE_US (60 * SECOND_US)
#define CA_MAX_BYTES        (64 * 1024)

struct simulation {
	struct options options;
	struct fleet_plan plan;
	struct identities identities;
	struct buf ca_pem, request;
	char token[TOKEN_TEXT_BYTES];
	struct loop *loop;
	struct loop_timer *timer;
	struct api api;
	struct fan_out *fan_out;
	struct crowd crowds[OPTIONS_THREADS_MAX];
	uint64_t open_files, agents_allowed, resident_bytes;
	time_us began, steady_at, ended_at, ticked_at;
	uint64_t most_connected;
	time_us progressed_at; /* when one more was connected than ever before */
	struct figures now, before, steady, end;
};

static struct loop *signalled_loop;
static struct simulation *the_simulation; /* for fatal() alone */
static pthread_mutex_t fatal_lock = PTHREAD_MUTEX_INITIALIZER;
static struct err fatal_error;

static void on_signal(int number)
{
	(void)number;
	loop_stop(signalled_loop);
}

static void fatal(const struct err *err)
{
	pthread_mutex_lock(&fatal_lock);
	if (fatal_error.code == 0)
		fatal_error = *err;
	pthread_mutex_unlock(&fatal_lock);
	loop_stop(the_simulation->loop);
}

/* --- preparing --- */

static int raise_open_files(struct simulation *simulation, struct err *err)
{
	const struct options *options = &simulation->options;
	/* An agent with something urgent to say has a second connection; one that listens, its port. */
	uint64_t dials = options->events > 0 ? 2 : 1;
	uint64_t each = (link_direction_agent_dials(options->direction) ? dials : 1) +
			(link_direction_agent_listens(options->direction) ? 1 : 0);
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return err_errno(err, errno, "the limit of open files");
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
	(void)getrlimit(RLIMIT_NOFILE, &limit);
	simulation->open_files = limit.rlim_cur;
	simulation->agents_allowed =
	    limit.rlim_cur > FILES_BESIDE_AGENTS ? (limit.rlim_cur - FILES_BESIDE_AGENTS) / each : 0;
	fprintf(stderr, "%llu open files allow %llu agents%s\n", (unsigned long long)simulation->open_files,
		(unsigned long long)simulation->agents_allowed, options->events > 0 ? " that tell events" : "");
	if (options->agents > simulation->agents_allowed)
		return err_set(err, ERR_LIMIT,
			       "%u agents need more open files than this process may have (%llu): raise the limit "
			       "(ulimit -Hn), or run several simulations side by side",
			       options->agents, (unsigned long long)simulation->open_files);
	return 0;
}

static bool is_loopback(const char *host)
{
	return strncmp(host, "127.", 4) == 0 || strcmp(host, "localhost") == 0;
}

static int prepare_plan(struct simulation *simulation, struct err *err)
{
	const struct env *env = env_system();
	struct uuid run = env_uuid(env);
	struct fleet_plan *plan = &simulation->plan;
	char text[UUID_TEXT_BYTES];
	int rc =
	    identities_open(&simulation->identities, simulation->options.identities, simulation->options.agents, err);

	buf_init(&simulation->request, WIRE_REQUEST_MAX_BYTES);
	if (rc == 0)
		rc = identity_request(buf_text(&simulation->identities.key_pem), &simulation->request, err);
	uuid_format(&run, text);
	snprintf(plan->name_prefix, sizeof(plan->name_prefix), "sim-%s-", text + UUID_TEXT_BYTES - 7);
	plan->options = &simulation->options;
	plan->env = env;
	plan->ca_pem = buf_text(&simulation->ca_pem);
	plan->key_pem = buf_text(&simulation->identities.key_pem);
	plan->token = simulation->token;
	plan->request = (struct bytes){ simulation->request.data, simulation->request.size };
	plan->boot_id = run;
	simulation->identities.listen_port = simulation->options.listen_port;
	plan->loopback = is_loopback(simulation->options.server.host);
	plan->identities = &simulation->identities;
	plan->fatal = fatal;
	return rc;
}

static unsigned not_enrolled(const struct simulation *simulation)
{
	unsigned count = 0;

	for (size_t i = 0; i < simulation->options.agents; i++)
		count += simulation->identities.slots[i].certificate_pem == NULL;
	return count;
}

static int prepare_token(struct simulation *simulation, struct err *err)
{
	const struct options *options = &simulation->options;
	unsigned uses = not_enrolled(simulation);
	int rc;

	if (!options->api_token) {
		snprintf(simulation->token, sizeof(simulation->token), "%s", options->token);
		return 0;
	}
	rc = api_init(&simulation->api, simulation->loop, options, simulation->plan.ca_pem, err);
	if (rc == 0 && uses > 0)
		rc = api_enrolment_token(&simulation->api, uses, simulation->token, err);
	return rc;
}

/* --- the main thread's second --- */

static void add_up(struct simulation *simulation, struct figures *figures)
{
	figures_init(figures);
	for (unsigned i = 0; i < simulation->options.threads; i++)
		figures_merge(figures, &simulation->crowds[i].figures);
}

static void begin_steady(struct simulation *simulation, time_us now)
{
	struct err err = { 0 };

	simulation->steady_at = now;
	atomic_store(&simulation->plan.observed, now);
	add_up(simulation, &simulation->steady);
	if (!simulation->options.fan_out)
		return;
	atomic_store(&simulation->plan.ordered, env_wall(simulation->plan.env));
	simulation->fan_out = fan_out_start(&simulation->api, simulation->plan.env, &simulation->identities, &err);
	if (simulation->fan_out == NULL)
		fatal(&err);
}

static bool ramp_is_over(struct simulation *simulation, time_us now)
{
	uint64_t connected = figures_get(&simulation->now, FIGURE_CONNECTED);

	if (connected > simulation->most_connected || simulation->progressed_at == 0) {
		simulation->most_connected = connected;
		simulation->progressed_at = now;
	}
	return connected == simulation->options.agents || now - simulation->progressed_at > RAMP_PATIENCE_US;
}

/* What the ramp began is done: in the last second nothing was answered, all polls are held. An order for all waits for
 * this, but not for ever. */
static bool is_quiet(const struct simulation *simulation, time_us now)
{
	if (!simulation->options.fan_out || now - simulation->progressed_at > RAMP_PATIENCE_US)
		return true;
	return figures_get(&simulation->now, FIGURE_EXCHANGES) == figures_get(&simulation->before, FIGURE_EXCHANGES);
}

static bool fan_out_is_over(const struct simulation *simulation, time_us now)
{
	struct fan_out_state state;

	if (simulation->fan_out == NULL)
		return true;
	fan_out_state(simulation->fan_out, &state);
	return (state.ended && figures_get(&simulation->now, FIGURE_COMMANDS) >= state.issued) ||
	       now - simulation->steady_at > FAN_OUT_PATIENCE_US;
}

static bool is_over(const struct simulation *simulation, time_us now)
{
	return simulation->options.duration > 0 && simulation->steady_at != 0 &&
	       now - simulation->steady_at >= simulation->options.duration && fan_out_is_over(simulation, now);
}

static void tick(void *argument)
{
	struct simulation *simulation = argument;
	time_us now = env_monotonic(simulation->plan.env);
	struct report report = { .options = &simulation->options,
				 .now = &simulation->now,
				 .before = &simulation->before,
				 .elapsed = now - simulation->began,
				 .step = now - simulation->ticked_at };

	loop_timer_set(simulation->timer, SECOND_US);
	simulation->before = simulation->now;
	add_up(simulation, &simulation->now);
	report_line(&report);
	simulation->ticked_at = now;
	if (simulation->steady_at == 0 && ramp_is_over(simulation, now) && is_quiet(simulation, now))
		begin_steady(simulation, now);
	if (is_over(simulation, now))
		loop_stop(simulation->loop);
}

/* --- from start to end --- */

static uint64_t resident_bytes(void)
{
	struct buf text;
	const char *second;
	char digits[24] = "";
	uint64_t pages = 0;

	buf_init(&text, 4096);
	if (files_read(AT_FDCWD, "/proc/self/statm", 4000, &text, NULL) == 0) {
		second = strchr(buf_text(&text), ' ');
		if (second != NULL)
			snprintf(digits, sizeof(digits), "%.*s", (int)strcspn(second + 1, " "), second + 1);
		number_parse(digits, 0, INT64_MAX, &pages, NULL);
	}
	buf_done(&text);
	return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static int run(struct simulation *simulation, struct err *err)
{
	int rc = 0;

	simulation->began = simulation->ticked_at = env_monotonic(simulation->plan.env);
	for (unsigned i = 0; rc == 0 && i < simulation->options.threads; i++)
		rc = crowd_start(&simulation->crowds[i], &simulation->plan, i, err);
	if (rc == 0) {
		tick(simulation);
		loop_run(simulation->loop);
	}
	simulation->ended_at = env_monotonic(simulation->plan.env);
	if (simulation->steady_at == 0) {
		simulation->steady_at = simulation->ended_at;
		add_up(simulation, &simulation->steady);
	}
	add_up(simulation, &simulation->end);
	simulation->resident_bytes = resident_bytes();
	for (unsigned i = 0; i < simulation->options.threads; i++)
		crowd_finish(&simulation->crowds[i], rc == 0 ? END_PATIENCE_US : 0);
	for (unsigned i = 0; i < simulation->options.threads; i++)
		crowd_join(&simulation->crowds[i]);
	add_up(simulation, &simulation->now);
	return rc;
}

static int report(struct simulation *simulation, struct err *err)
{
	struct fan_out_state state;
	struct summary summary = { .options = &simulation->options,
				   .start = &simulation->steady,
				   .end = &simulation->end,
				   .last = &simulation->now,
				   .ramp = simulation->steady_at - simulation->began,
				   .steady = simulation->ended_at - simulation->steady_at,
				   .connected = figures_get(&simulation->end, FIGURE_CONNECTED),
				   .open_files = simulation->open_files,
				   .agents_allowed = simulation->agents_allowed,
				   .resident_bytes = simulation->resident_bytes };

	if (simulation->fan_out != NULL) {
		fan_out_state(simulation->fan_out, &state);
		summary.fan_out = &state;
	}
	if (isatty(STDERR_FILENO))
		fputc('\n', stderr);
	report_summary(&summary);
	if (summary.fan_out != NULL && state.err.code != 0)
		return err_set(err, state.err.code, "%s", state.err.text);
	if (fatal_error.code != 0)
		return err_set(err, fatal_error.code, "%s", fatal_error.text);
	if (summary.connected < simulation->options.agents)
		return err_set(err, ERR_TIMEOUT, "%llu of %u agents were not connected at the end",
			       (unsigned long long)(simulation->options.agents - summary.connected),
			       simulation->options.agents);
	if (figures_get(&simulation->now, FIGURE_EVENTS_WAITING) > 0 ||
	    figures_get(&simulation->now, FIGURE_EVENTS_DROPPED) > 0)
		return err_set(err, ERR_TIMEOUT, "%llu events were not acknowledged, %llu dropped",
			       (unsigned long long)figures_get(&simulation->now, FIGURE_EVENTS_WAITING),
			       (unsigned long long)figures_get(&simulation->now, FIGURE_EVENTS_DROPPED));
	return 0;
}

static int simulate(struct simulation *simulation, struct err *err)
{
	int rc;

	buf_init(&simulation->ca_pem, CA_MAX_BYTES);
	rc = raise_open_files(simulation, err);
	if (rc == 0)
		rc = files_read(AT_FDCWD, simulation->options.ca_file, CA_MAX_BYTES - 1, &simulation->ca_pem, err);
	if (rc == 0)
		rc = prepare_plan(simulation, err);
	if (rc == 0 && (simulation->loop = loop_new(err)) == NULL)
		rc = err->code;
	if (rc == 0 && (simulation->timer = loop_timer_new(simulation->loop, tick, simulation)) == NULL)
		rc = err_set(err, ERR_MEMORY, "out of memory");
	if (rc == 0)
		rc = prepare_token(simulation, err);
	if (rc != 0)
		return rc;
	the_simulation = simulation;
	signalled_loop = simulation->loop;
	signal(SIGINT, on_signal);
	signal(SIGTERM, on_signal);
	rc = run(simulation, err);
	if (rc == 0)
		rc = identities_store(&simulation->identities, simulation->options.identities, err);
	return rc == 0 ? report(simulation, err) : rc;
}

static void simulation_free(struct simulation *simulation)
{
	fan_out_free(simulation->fan_out);
	api_done(&simulation->api);
	loop_timer_free(simulation->timer);
	loop_free(simulation->loop);
	identities_done(&simulation->identities);
	buf_done(&simulation->request);
	buf_done(&simulation->ca_pem);
	free(simulation);
}

int main(int argc, char **argv)
{
	struct simulation *simulation = calloc(1, sizeof(*simulation));
	struct err err = { 0 };
	int rc;

	if (simulation == NULL)
		return 1;
	if (options_parse(argc, argv, &simulation->options, &err) != 0) {
		fprintf(stderr, "muster-fleet-sim: %s (muster-fleet-sim --help)\n", err.text);
		free(simulation);
		return 2;
	}
	if (simulation->options.version || simulation->options.help) {
		if (simulation->options.version)
			puts("muster-fleet-sim " MUSTER_VERSION);
		else
			options_help(stdout);
		free(simulation);
		return 0;
	}
	rc = simulate(simulation, &err);
	if (rc != 0)
		fprintf(stderr, "muster-fleet-sim: %s\n", err.text);
	simulation_free(simulation);
	return rc == 0 ? 0 : 1;
}
