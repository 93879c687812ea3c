/* The link role (agent/link/link.h): made of its parts, confined, run. */
#include "agent/link/link.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "agent/guard/guard.h"
#include "agent/identity_switch.h"
#include "agent/link/link_actor.h"
#include "agent/link/link_candidate.h"
#include "agent/link/link_components.h"
#include "agent/link/link_configuration.h"
#include "agent/link/link_exchange.h"
#include "agent/link/link_farewell.h"
#include "agent/link/link_history.h"
#include "agent/link/link_items.h"
#include "agent/link/link_jobs.h"
#include "agent/link/link_listen.h"
#include "agent/link/link_local.h"
#include "agent/link/link_notices.h"
#include "agent/link/link_opened.h"
#include "agent/link/link_prepared.h"
#include "agent/link/link_renewal.h"
#include "agent/link/link_tls.h"
#include "agent/link/link_unload.h"
#include "agent/link/link_upload.h"
#include "agent/link/link_watch.h"
#include "base/log.h"
#include "os/env.h"
#include "os/role.h"
#include "trust/fingerprint.h"
#include "trust/signing_key.h"

#define STOP_WAIT_US (2 * SECOND_US) /* for the last report */

static struct loop *signalled_loop;
static volatile sig_atomic_t signalled;

static void on_signal(int number)
{
	signalled = number;
	loop_stop(signalled_loop);
}

/* --- small services for the parts --- */

void link_wake(struct link *link)
{
	loop_timer_set(link->timer, 0);
}

struct event_field link_field(const char *name, const char *text)
{
	return (struct event_field){ .name = name, .value = { .data = (const uint8_t *)text, .size = strlen(text) } };
}

void link_event(struct link *link, uint32_t type, const struct event_field *fields, size_t count)
{
	time_us now = env_wall(link->env);
	struct err err;

	if (endpoint_event(link->endpoint, 0, type, now, fields, count, &err))
		LOG(LOG_ERROR, "link.event_not_kept", log_number("type", type), log_err(&err));
	link_history_add(link->history, type, now, fields, count);
	link_wake(link);
}

/* Guard answers, then ends us. */
static void on_stop_answered(void *argument, const struct message_answer *answer, int fd)
{
	(void)argument;
	(void)answer;
	(void)fd;
}

static void say_stop(struct link *link)
{
	struct err err;

	if (link_guard_ask(link->guard, MESSAGE_STOP, NULL, -1, on_stop_answered, NULL, &err))
		LOG(LOG_ERROR, "link.stop_not_sent", log_err(&err));
}

static void stop_now(void *argument)
{
	say_stop(argument);
}

void link_stop(struct link *link, const char *cause)
{
	struct event_field field = link_field("cause", cause);
	struct err err;

	if (link->stopping)
		return;
	link->stopping = true;
	link_event(link, EVENT_AGENT_STOPPED, &field, 1);
	if (endpoint_flush(link->endpoint, &err))
		LOG(LOG_ERROR, "link.spool_not_synced", log_err(&err));
	LOG(LOG_INFO, "agent.stopping", log_text("cause", cause));
	link->stop_timer = loop_timer_new(link->loop, stop_now, link);
	if (link->stop_timer)
		loop_timer_set(link->stop_timer, STOP_WAIT_US);
	else
		say_stop(link);
}

/* The last report is out: no reason to wait any longer. */
static void stop_early(struct link *link)
{
	struct endpoint_status status;

	endpoint_status(link->endpoint, &status);
	if (link->stopping && link->stop_timer && (status.events_waiting == 0 || !status.connected))
		loop_timer_set(link->stop_timer, 0);
}

/* --- what is due --- */

static time_us earliest(struct link *link)
{
	time_us due = endpoint_due(link->endpoint);
	time_us others[] = { link_exchange_due(link->exchange),   link_jobs_due(link->jobs),
			     link_local_due(link->local),         link_listen_due(link->listen),
			     link_candidate_due(link->candidate), link_renewal_due(link->renewal) };

	for (size_t i = 0; i < COUNT_OF(others); i++) {
		if (others[i] < due)
			due = others[i];
	}
	return due;
}

static void step(void *argument)
{
	struct link *link = argument;
	time_us now = env_monotonic(link->env), due;
	struct err err = { 0 };

	if (endpoint_tick(link->endpoint, &err))
		LOG(LOG_ERROR, "endpoint.tick_failed", log_err(&err));
	link_jobs_step(link->jobs);
	link_listen_step(link->listen);
	link_renewal_step(link->renewal);
	link_exchange_step(link->exchange);
	link_local_step(link->local);
	link_candidate_step(link->candidate);
	(void)link_tell_switch(link, NULL); /* again, while the disk fails */
	stop_early(link);
	due = earliest(link);
	if (due != INT64_MAX)
		loop_timer_set(link->timer, due > now ? due - now : MILLISECOND_US);
}

/* --- making --- */

static void digest(const void *data, size_t size, uint8_t out[SHA256_BYTES])
{
	fingerprint_of(data, size, out);
}

static int make_endpoint(struct link *link, const struct link_opened *opened, struct err *err)
{
	struct endpoint_connection own = link_configuration_own(link->configuration);
	struct envelope_key key;
	struct endpoint_options options = { .env = link->env,
					    .storage = link_storage_table(link->storage),
					    .actor = link_actor(link),
					    .computer = link->identity.computer,
					    .keys = &key,
					    .key_count = 1,
					    .verify = signing_key_verify,
					    .digest = digest,
					    .heartbeat_us = own.heartbeat_us,
					    .poll_us = own.poll_us,
					    .direction = link_listen_proven(link, opened->store),
					    .spool_bytes = (uint64_t)link->settings.spool_bytes };

	memcpy(key.public_key, link->identity.manager_key, sizeof(key.public_key));
	signing_key_fingerprint(key.public_key, key.fingerprint);
	options.machine = link->host.machine;
	memcpy(options.boot_id, link->host.boot_id, sizeof(options.boot_id));
	return endpoint_new(&options, &link->endpoint, err);
}

#define MAKE(part, call)                                                                                               \
	do {                                                                                                           \
		link->part = (call);                                                                                   \
		if (link->part == NULL)                                                                                \
			return err->code;                                                                              \
	} while (0)

/* Parts that the endpoint may call from endpoint_new() on come before it. */
static int make_parts(struct link *link, const struct link_opened *opened, struct err *err)
{
	const struct link_guard_handlers handlers = link_notices(link);
	int rc;

	link->store = opened->store;
	link->identity_directory = opened->identity;
	MAKE(loop, loop_new(err));
	err_set(err, ERR_MEMORY, "out of memory");
	MAKE(timer, loop_timer_new(link->loop, step, link));
	rc = link_tls_new(link, err);
	if (rc == 0)
		rc = link_storage_new(opened->store, opened->identity, &link->storage, err);
	if (rc)
		return rc;
	MAKE(history, link_history_new(opened->store, err));
	MAKE(guard, link_guard_new(link->loop, ROLE_CHANNEL_FD, &handlers, err));
	MAKE(jobs, link_jobs_new(link, err));
	MAKE(items, link_items_new(link, opened->store, err));
	MAKE(uploads, link_uploads_new(link, err));
	MAKE(configuration, link_configuration_new(link, err));
	MAKE(candidate, link_candidate_new(link, opened->store, err));
	rc = make_endpoint(link, opened, err);
	if (rc)
		return rc;
	link_tls_use_kept(link);
	MAKE(components, link_components_new(link->endpoint, err));
	MAKE(exchange, link_exchange_new(link, err));
	MAKE(renewal, link_renewal_new(link, opened->identity, err));
	MAKE(listen, link_listen_new(link, opened->store, err));
	MAKE(local, link_local_new(link, GUARD_CONTROL_FD, opened->owner, err));
	MAKE(watch, link_watch_new(link, opened->store, opened->shown, err));
	return 0;
}

void link_tell_self(struct link *link)
{
	const char *problem = link_listen_problem(link->listen);
	const char *unknown = link_configuration_unknown(link->configuration);
	struct message_component self = { .name = "link",
					  .state = problem[0] != '\0' ? COMPONENT_DEGRADED : COMPONENT_WORKING };
	Muster__Wire__Host message;
	char *addresses[HOST_ADDRESSES_MAX];
	struct err err;

	host_message(&link->host, addresses, &message);
	message.listen_port = link_listen_port(link->listen);
	message.direction = endpoint_direction(link->endpoint);
	if (endpoint_host(link->endpoint, &message, &err))
		LOG(LOG_ERROR, "link.host_not_taken", log_err(&err));
	self.version = link_field("version", MUSTER_VERSION).value;
	self.detail = link_field("detail", problem).value;
	if (link->missing[0] != '\0')
		message_fields_add(&self.facts, "limits", link->missing, strlen(link->missing));
	if (unknown[0] != '\0')
		message_fields_add(&self.facts, "settings_not_known", unknown, strlen(unknown));
	link_notices_component(link, &self);
}

static void report_switch(struct link *link)
{
	char computer[UUID_TEXT_BYTES];
	struct event_field fields[2];

	if (link->switch_reported || link->first_identity) /* the first one is no change */
		return;
	uuid_format(&link->identity.computer, computer);
	fields[0] = link_field("computer", computer);
	fields[1] = link_field("manager", link->identity.manager);
	link_event(link, EVENT_IDENTITY_CHANGED, fields, COUNT_OF(fields));
	link->switch_reported = true;
}

/* The order to switch is forgotten once the event is durable: killed before, the next start tells it. */
int link_tell_switch(struct link *link, struct err *err)
{
	int rc;

	if (!link->switched)
		return 0;
	if (link->endpoint == NULL)
		return err_set(err, ERR_BUSY, "this agent is still starting");
	report_switch(link);
	rc = endpoint_flush(link->endpoint, err);
	if (rc == 0)
		rc = identity_switch_told(link->identity_directory, err);
	link->switched = rc != 0;
	return rc;
}

static void report_self(struct link *link)
{
	struct event_field field = link_field("version", MUSTER_VERSION);
	struct err err = { 0 };

	link_tell_self(link);
	link_event(link, EVENT_AGENT_STARTED, &field, 1);
	link_unload_tell(link);
	if (link_tell_switch(link, &err) != 0)
		LOG(LOG_ERROR, "link.switch_not_told", log_err(&err));
	link_farewell_begin(link->farewell);
	link_listen_begin(link->listen);
}

static void on_settled(struct link *link)
{
	link_jobs_settled(link->jobs);
	link_wake(link);
}

static void set_signals(struct link *link)
{
	struct sigaction action = { .sa_handler = on_signal };
	struct sigaction ignore = { .sa_handler = SIG_IGN };

	signalled_loop = link->loop;
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGPIPE, &ignore, NULL);
}

static void free_parts(struct link *link)
{
	link_watch_free(link->watch);
	link_local_free(link->local);
	link_candidate_free(link->candidate);
	link_farewell_free(link->farewell);
	link_exchange_free(link->exchange);
	link_renewal_free(link->renewal);
	link_uploads_free(link->uploads);
	link_items_free(link->items);
	link_listen_free(link->listen); /* last: its TLS carries connections that the others took over */
	link_jobs_free(link->jobs);
	link_components_free(link->components);
	link_guard_free(link->guard);
	endpoint_free(link->endpoint);
	link_configuration_free(link->configuration);
	link_history_free(link->history);
	link_storage_free(link->storage);
	tls_client_free(link->tls);
	loop_timer_free(link->stop_timer);
	loop_timer_free(link->timer);
	loop_free(link->loop);
	agent_identity_done(&link->identity);
	settings_done(&link->settings);
}

static int run(struct link *link, const struct link_opened *opened, struct err *err)
{
	int rc = make_parts(link, opened, err);

	if (rc == 0)
		rc = link_items_begin(link->items, on_settled, err);
	if (rc)
		return rc;
	set_signals(link);
	report_self(link);
	link_wake(link);
	loop_run(link->loop);
	if (signalled && !link->stopping) {
		struct event_field field = link_field("cause", "ended by a signal");

		link_event(link, EVENT_AGENT_STOPPED, &field, 1);
	}
	return endpoint_flush(link->endpoint, err);
}

/* Until its manager has dialled: then link ends, and is started again as an agent of that manager. */
static int run_prepared(struct link *link, const struct link_opened *opened, struct err *err)
{
	MAKE(loop, loop_new(err));
	set_signals(link);
	return link_prepared_run(link, opened->store, opened->owner, err);
}

int link_main(const char *data_directory)
{
	struct link link = { .env = env_system(), .store = -1 };
	struct link_opened opened = { .shown = data_directory, .identity = -1, .store = -1 };
	struct err err = { 0 };
	int rc;

	log_setup("muster-agent", "link", STDERR_FILENO, LOG_INFO, env_system_wall);
	agent_identity_init(&link.identity);
	rc = link_opened_prepare(&link, data_directory, &opened, &err);
	if (rc == 0)
		rc = link.prepared ? run_prepared(&link, &opened, &err) : run(&link, &opened, &err);
	if (rc)
		LOG(LOG_ERROR, "link.failed", log_err(&err));
	free_parts(&link);
	link_opened_close(&opened);
	return rc ? 1 : link.exit_status;
}
