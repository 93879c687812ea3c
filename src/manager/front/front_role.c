/* The front role from start to end. Messages from the supervisor are untrusted
 * in form; what they order is obeyed. */
#include "manager/front/front_role.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/log.h"
#include "manager/front/activation.h"
#include "manager/front/agent_http.h"
#include "manager/front/authorities.h"
#include "manager/front/certificate_watch.h"
#include "manager/front/certificates.h"
#include "manager/front/command_issue.h"
#include "manager/front/dialler.h"
#include "manager/front/enrolment.h"
#include "manager/front/exchange.h"
#include "manager/front/front_load.h"
#include "manager/front/hypervisors.h"
#include "manager/front/key_files.h"
#include "manager/front/maintenance.h"
#include "manager/front/networks.h"
#include "manager/front/own_clock.h"
#include "manager/front/policies.h"
#include "manager/front/self_watch.h"
#include "manager/front/server_keys.h"
#include "manager/front/tls_listeners.h"
#include "manager/front/uploads.h"
#include "manager/front/verify.h"
#include "manager/layout.h"
#include "manager/messages.h"
#include "manager/queries.h"
#include "manager/role_start.h"
#include "os/env.h"
#include "trust/secret_file.h"

#define FILES_BESIDE_CONNECTIONS 128 /* database, log, channels, loops, files being served */
#define WORK_QUEUE               1024
#define CONNECTIONS_OF_AGENT     32 /* it needs five at most; more are left of networks that went away without a word */

/* --- limits --- */

static void raise_open_files(struct front *front)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
	(void)getrlimit(RLIMIT_NOFILE, &limit);
	front->open_files = limit.rlim_cur;
	front->connections_max = (uint64_t)front->settings.connections;
	if (front->open_files < front->connections_max + FILES_BESIDE_CONNECTIONS)
		front->connections_max = front->open_files > 2 * FILES_BESIDE_CONNECTIONS
					     ? front->open_files - FILES_BESIDE_CONNECTIONS
					     : FILES_BESIDE_CONNECTIONS;
	LOG(LOG_INFO, "front.limits", log_number("open_files", (int64_t)front->open_files),
	    log_number("connections", (int64_t)front->connections_max));
}

/* --- the server --- */

static uint64_t on_request(void *context, struct http_request *request)
{
	struct front *front = context;

	if (agent_http_is(request))
		return agent_http_on_request(front, request);
	return api_on_request(front->api, request);
}

static void on_body(struct http_request *request, const uint8_t *bytes, size_t size)
{
	if (agent_http_is(request))
		agent_http_on_body(request, bytes, size);
	else
		api_on_body(request, bytes, size);
}

static void on_complete(struct http_request *request)
{
	if (agent_http_is(request))
		agent_http_on_complete(request);
	else
		api_on_complete(request);
}

static void on_gone(struct http_request *request)
{
	if (agent_http_is(request))
		agent_http_on_gone(request);
	else
		api_on_gone(request);
}

/* The computer, whichever of its certificates it shows; one that is out is nobody. */
static bool on_client(void *context, const uint8_t fingerprint[SHA256_BYTES], uint8_t client[HTTP_CLIENT_BYTES])
{
	struct front *front = context;
	struct uuid computer;

	if (roster_find(front->roster, fingerprint, &computer) != ROSTER_ACTIVE)
		return false;
	memcpy(client, computer.bytes, HTTP_CLIENT_BYTES);
	return true;
}

static int make_loops(struct front *front, struct err *err)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);

	front->loop_count = (unsigned)(front->settings.loops > 0 ? front->settings.loops : cores > 0 ? cores : 1);
	front->loops = calloc(front->loop_count, sizeof(struct loop *));
	front->threads = calloc(front->loop_count, sizeof(*front->threads));
	if (front->loops == NULL || front->threads == NULL)
		return err_set(err, ERR_MEMORY, "no memory for the loops");
	for (unsigned i = 0; i < front->loop_count; i++) {
		front->loops[i] = loop_new(err);
		if (front->loops[i] == NULL)
			return err->code;
	}
	return 0;
}

static int listen_on(struct front *front, size_t index, struct err *err)
{
	const struct listening *plan = tls_listeners_plan(front->listeners);
	const struct conf_address *address = plan->items[index].address;
	char text[CONF_ADDRESS_BYTES + 16];
	bool bracket = strchr(address->host, ':') != NULL, held = tls_listeners_held(front->listeners, index);
	uint16_t port;
	int rc;

	snprintf(text, sizeof(text), "%s%s%s:%u", bracket ? "[" : "", address->host, bracket ? "]" : "",
		 (unsigned)address->port);
	rc = http_server_listen_with(front->server, text, tls_listeners_of(front->listeners, index), held, &port, err);
	if (rc == 0)
		LOG(LOG_INFO, held ? "front.listener_waits" : "front.listening", log_text("address", text),
		    log_number("port", port), log_text("family", bracket ? "IPv6 only" : "IPv4 only"));
	else
		err_add(err, rc, "port %u for console, API%s (setting [network] %s in %s)", (unsigned)address->port,
			plan->items[index].console ? "" : " and agents",
			plan->items[index].console ? "console_listen" : "listen", LAYOUT_SETTINGS);
	return rc;
}

/* The ports are taken before the user is changed: some need a privilege. */
static int make_server(struct front *front, struct err *err)
{
	const struct http_handlers handlers = { .on_request = on_request,
						.on_body = on_body,
						.on_complete = on_complete,
						.on_gone = on_gone,
						.context = front,
						.on_client = on_client };
	struct http_limits limits = http_limits_default;
	int rc = make_loops(front, err);

	if (rc == 0)
		rc = certificates_new(front, &front->certificates, err);
	if (rc == 0)
		rc = tls_listeners_new(front, &front->listeners, err);
	if (rc != 0)
		return rc;
	limits.connections = front->connections_max;
	limits.of_client = CONNECTIONS_OF_AGENT;
	front->server = http_server_new(front->loops, tls_listeners_of(front->listeners, 0), front->loop_count, &limits,
					&handlers, err);
	if (front->server == NULL)
		return err->code;
	for (size_t i = 0; i < tls_listeners_plan(front->listeners)->count && rc == 0; i++)
		rc = listen_on(front, i, err);
	return rc;
}

/* --- the rest, after confinement --- */

static int open_store(struct front *front, struct err *err)
{
	const struct settings *settings = &front->settings;
	char path[LAYOUT_PATH_BYTES];
	const struct store_options options = {
		.path = path,
		.migrations = manager_migrations,
		.migration_count = manager_migration_count,
		.readers = (unsigned)settings->readers,
		.group_span = settings->group_span,
		.group_count = (size_t)settings->group_count,
		.queue_count = (size_t)settings->queue_count,
		.existing = true,
	};
	int rc;

	snprintf(path, sizeof(path), "%s/%s", front->data_directory, LAYOUT_DATABASE);
	rc = store_open(&options, &front->store, err);
	return rc == 0 ? 0 : err_add(err, rc, "database");
}

/* Keys answered with what it may not. The supervisor ends it. */
static void keys_broke_rules(void *argument)
{
	struct channel *supervisor = argument;
	struct err err = { 0 };

	LOG(LOG_ERROR, "front.peer_broke_rules", log_text("peer", "keys"));
	channel_send(supervisor, MESSAGE_BROKEN, 0, NULL, 0, -1, &err);
}

static void courier_broke_rules(void *argument)
{
	struct channel *supervisor = argument;
	struct err err = { 0 };

	LOG(LOG_ERROR, "front.peer_broke_rules", log_text("peer", "courier"));
	channel_send(supervisor, MESSAGE_BROKEN_COURIER, 0, NULL, 0, -1, &err);
}

static void hypervisor_broke_rules(void *argument)
{
	struct channel *supervisor = argument;
	struct err err = { 0 };

	LOG(LOG_ERROR, "front.peer_broke_rules", log_text("peer", "hypervisor"));
	channel_send(supervisor, MESSAGE_BROKEN_HYPERVISOR, 0, NULL, 0, -1, &err);
}

/* fleet_options' rekeys: any thread, under a shard's lock. */
static bool rekeys(void *context)
{
	const struct front *front = context;

	return stored_setting_number(front->stored, STORED_REACTIVATE_CLONED) != 0;
}

static int make_parts(struct front *front, struct channel *supervisor, struct err *err)
{
	struct fleet_options fleet = {
		.env = front->env,
		.wake = exchange_wake,
		.dial = dialler_poke,
		.rekeys = rekeys,
		.clone_settle_us = front->settings.clone_settle,
		.context = front,
		.boot = front->boot,
		.return_spacing_us = SHARD_COUNT * SECOND_US / front->settings.return_rate,
	};
	int rc = workers_new((unsigned)front->settings.workers, WORK_QUEUE, front->env, &front->workers, err);

	parked_list_init(&front->parked);
	if (rc == 0)
		rc = roster_new(front->env, &front->roster, err);
	if (rc == 0)
		rc = downloads_new(front->env, &front->downloads, err);
	if (rc == 0)
		rc = cooldown_new(front->env, &cooldown_default, &front->cooldown, err);
	if (rc == 0)
		rc = cooldown_new(front->env, &cooldown_default, &front->refusals, err);
	if (rc == 0)
		rc = cooldown_new(front->env, &cooldown_default, &front->renewals, err);
	if (rc == 0)
		rc = cooldown_new(front->env, &enrolment_copies, &front->copies, err);
	if (rc == 0)
		rc = intake_new(front->env, &front->intake, err);
	if (rc == 0)
		rc = activations_new(&front->activations, err);
	if (rc == 0)
		rc = uploads_new(front->env, &front->uploads, err);
	if (rc == 0)
		rc = own_clock_open(front, &fleet.clock_zero_us, err);
	if (rc == 0)
		rc = shards_new(&fleet, &front->shards, err);
	if (rc == 0)
		rc = stored_settings_open(front->store, &front->stored, err);
	if (rc == 0)
		rc = event_switches_open(front->store, &front->switches, err);
	if (rc == 0)
		rc = verifier_new(&front->verifier, err);
	if (rc == 0)
		rc = alerting_open(front->store, &front->alerting, err);
	if (rc == 0)
		rc = policies_new(front, &front->policies, err);
	if (rc == 0)
		rc = front_networks_open(front, &front->networks, err);
	if (rc == 0)
		rc = server_keys_open(front, &front->server_keys, err);
	if (rc == 0)
		rc = key_files_new(front, &front->key_files, err);
	if (rc == 0 && (front->feed = feed_new(err)) == NULL)
		rc = err->code;
	if (rc == 0 && (front->signer = signer_new(front->env, keys_broke_rules, supervisor, err)) == NULL)
		rc = err->code;
	return rc;
}

static int load_state(struct front *front, struct channel *supervisor, struct err *err)
{
	int rc = policies_load(front, err);

	if (rc == 0)
		rc = front_load_computers(front, err);
	if (rc == 0)
		rc = hypervisors_new(front, hypervisor_broke_rules, supervisor, &front->hypervisors, err);
	if (rc == 0)
		rc = commands_restore(front, err);
	if (rc == 0)
		rc = alerting_review_all(front, err);
	if (rc == 0)
		rc = verify_load(front, err);
	if (rc == 0)
		rc = front_load_quarantine(front, err);
	if (rc == 0)
		rc = request_key_open(front->data_directory, front->env, front->request_key, err);
	if (rc == 0 && (front->api = api_new(front, err)) == NULL)
		rc = err->code;
	if (rc == 0 && (front->forwarder = forwarder_new(front, courier_broke_rules, supervisor, err)) == NULL)
		rc = err->code;
	if (rc == 0)
		rc = maintenance_begin(front, err);
	if (rc == 0)
		rc = front_work(front, self_watch_first, front);
	if (rc == 0)
		rc = front_work(front, certificate_watch, front);
	if (rc == 0)
		rc = dialler_start(front, &front->dialler, err);
	if (rc == 0) /* it gives the dialler what it makes */
		rc = front_work(front, certificates_look, front);
	return rc;
}

/* --- running --- */

static void *loop_main(void *argument)
{
	loop_run(argument);
	return NULL;
}

static int start_threads(struct front *front, unsigned *ret_started, struct err *err)
{
	for (*ret_started = 0; *ret_started < front->loop_count; ++*ret_started) {
		int rc = pthread_create(&front->threads[*ret_started], NULL, loop_main, front->loops[*ret_started]);

		if (rc != 0)
			return err_errno(err, rc, "start a loop thread");
	}
	return 0;
}

/* Each time: it may have another key than the one before it. */
static void attach_keys(struct front *front, int fd)
{
	signer_attach(front->signer, fd);
	server_keys_attached(front);
	authorities_attached(front);
}

static void obey(struct front *front, struct channel *supervisor)
{
	struct channel_message message;
	struct err err = { 0 };

	while (channel_receive_wait(supervisor, -1, &message, &err) == 0 && message.type != MESSAGE_STOP) {
		if (message.type == MESSAGE_ATTACH_COURIER)
			forwarder_attach(front->forwarder, message.fd);
		else if (message.type == MESSAGE_ATTACH_HYPERVISOR)
			hypervisors_attach(front->hypervisors, message.fd);
		else
			attach_keys(front, message.fd);
	}
}

struct stopped {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool done;
};

static void server_stopped(void *argument)
{
	struct stopped *stopped = argument;

	pthread_mutex_lock(&stopped->lock);
	stopped->done = true;
	pthread_cond_signal(&stopped->changed);
	pthread_mutex_unlock(&stopped->lock);
}

/* Held polls are answered, requests under way finish, then the threads end. */
static void stop(struct front *front, unsigned threads)
{
	struct stopped stopped = { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false };

	LOG(LOG_INFO, "front.stopping", log_number("held_polls", (int64_t)front->parked.count));
	front->stopping = true;
	exchange_release_all(front);
	http_server_stop(front->server, front->settings.stop_grace, server_stopped, &stopped);
	pthread_mutex_lock(&stopped.lock);
	while (!stopped.done)
		pthread_cond_wait(&stopped.changed, &stopped.lock);
	pthread_mutex_unlock(&stopped.lock);
	signer_stop(front->signer);
	dialler_stop(front->dialler);
	workers_stop(front->workers);
	for (unsigned i = 0; i < threads; i++)
		loop_stop(front->loops[i]);
	for (unsigned i = 0; i < threads; i++)
		pthread_join(front->threads[i], NULL);
}

static int serve(struct front *front, struct channel *supervisor, struct err *err)
{
	unsigned threads;
	int rc = start_threads(front, &threads, err);

	if (rc == 0)
		rc = channel_send(supervisor, MESSAGE_READY, 0, NULL, 0, -1, err);
	if (rc == 0) {
		LOG(LOG_INFO, "front.started", log_number("pid", getpid()), log_text("url", front->url),
		    log_number("loops", front->loop_count));
		obey(front, supervisor);
	}
	stop(front, threads);
	LOG(LOG_INFO, "front.stopped", log_number("pid", getpid()));
	return rc;
}

/* In the opposite order of making; every part may be missing. */
static void done(struct front *front)
{
	workers_free(front->workers);
	forwarder_free(front->forwarder);
	hypervisors_free(front->hypervisors);
	dialler_free(front->dialler);
	if (front->server != NULL)
		http_server_free(front->server);
	api_free(front->api);
	store_close(front->store);
	for (unsigned i = 0; front->loops != NULL && i < front->loop_count; i++)
		loop_free(front->loops[i]);
	tls_listeners_free(front->listeners);
	certificates_free(front->certificates);
	feed_free(front->feed);
	shards_free(front->shards);
	front_networks_free(front->networks);
	server_keys_free(front->server_keys);
	key_files_free(front->key_files);
	signer_free(front->signer);
	policies_free(front->policies);
	stored_settings_free(front->stored);
	event_switches_free(front->switches);
	alerting_free(front->alerting);
	verifier_free(front->verifier);
	uploads_free(front->uploads);
	downloads_free(front->downloads);
	cooldown_free(front->cooldown);
	cooldown_free(front->refusals);
	cooldown_free(front->renewals);
	cooldown_free(front->copies);
	intake_free(front->intake);
	activations_free(front->activations);
	roster_free(front->roster);
	if (front->incoming_fd >= 0)
		close(front->incoming_fd);
	if (front->quarantine_fd >= 0)
		close(front->quarantine_fd);
	free(front->loops);
	free(front->threads);
	front_authorities_free(front);
	free(front->url);
	conf_done(&settings_table, &front->settings);
}

static int load_settings(struct front *front, struct err *err)
{
	struct buf problems;
	int rc;

	buf_init(&problems, CONF_PROBLEMS_BYTES);
	rc = settings_load(front->data_directory, &front->settings, &problems, err);
	buf_done(&problems);
	if (rc == 0)
		log_set_level((enum log_level)front->settings.log_level);
	return rc;
}

/* Keys of certificates that were being written when front was killed. */
static void sweep(const struct front *front)
{
	char folder[LAYOUT_PATH_BYTES];
	size_t swept;

	snprintf(folder, sizeof(folder), "%s/%s", front->data_directory, LAYOUT_FRONT);
	swept = secret_file_sweep(folder);
	if (swept > 0)
		LOG(LOG_INFO, "front.swept", log_number("files", (int64_t)swept));
}

int front_main(const char *data_directory)
{
	struct front front = {
		.env = env_system(), .data_directory = data_directory, .quarantine_fd = -1, .incoming_fd = -1
	};
	struct channel supervisor = { .fd = -1 };
	char reached[LAYOUT_PATH_BYTES];
	struct err err = { 0 };
	int rc = role_start(ROLE_NAME_FRONT, data_directory, &supervisor, &err);

	pthread_mutex_init(&front.authorities_turn, NULL);
	front.authorities_waited = -1;
	front.started = env_wall(front.env);
	env_system_boot(&front.boot); /* while its file can be reached */
	if (rc == 0)
		rc = load_settings(&front, &err);
	if (rc == 0) {
		raise_open_files(&front);
		rc = front_load_identity(&front, &err);
	}
	if (rc == 0)
		rc = make_server(&front, &err);
	if (rc == 0)
		rc = role_enclose(ROLE_NAME_FRONT, data_directory, reached, sizeof(reached), &err);
	if (rc == 0) {
		front.data_directory = reached;
		sweep(&front);
		rc = open_store(&front, &err);
	}
	if (rc == 0)
		rc = make_parts(&front, &supervisor, &err);
	if (rc == 0)
		rc = load_state(&front, &supervisor, &err);
	if (rc == 0)
		rc = serve(&front, &supervisor, &err);
	if (rc != 0)
		LOG(LOG_ERROR, "front.failed", log_err(&err));
	done(&front);
	channel_done(&supervisor);
	return rc == 0 ? 0 : 1;
}
