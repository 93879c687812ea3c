/* A simulated agent's connections and reports; see agent.h. Input: the manager's
 * answers, which the endpoint checks. */
#include "fleetsim/agent.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/listener.h"
#include "agent/problem.h"
#include "fleetsim/memory.h"
#include "policy/effective.h"
#include "trust/fingerprint.h"
#include "trust/signing_key.h"

#define ANSWER_MARGIN_US (30 * SECOND_US)
#define SPOOL_EVENTS     20000
#define FIRST_ADDRESS    ((127u << 24) + (16u << 16)) /* 127.16.0.0, up to 127.31.255.255 */

/* --- who it is --- */

static void source_address(const struct agent *agent, char text[16])
{
	uint32_t address = FIRST_ADDRESS + 1 + agent->number;

	snprintf(text, 16, "%u.%u.%u.%u", address >> 24, address >> 16 & 255, address >> 8 & 255, address & 255);
}

void agent_describe(const struct agent *agent, struct agent_host *facts, Muster__Wire__Host *ret_host)
{
	static char os[] = "simulated by muster-fleet-sim", kernel[] = "Linux", architecture[] = "x86_64",
		    version[] = MUSTER_VERSION;
	Muster__Wire__Host host = MUSTER__WIRE__HOST__INIT;

	snprintf(facts->name, sizeof(facts->name), "%s%06u", agent->crowd->plan->name_prefix, agent->number + 1);
	facts->address[0] = '\0';
	facts->addresses[0] = facts->address;
	if (agent->crowd->plan->loopback)
		source_address(agent, facts->address);
	host.name = facts->name;
	host.os = os;
	host.kernel = kernel;
	host.architecture = architecture;
	host.agent_version = version;
	host.n_addresses = facts->address[0] != '\0';
	host.addresses = facts->addresses;
	host.direction = agent->crowd->plan->options->direction;
	host.listen_port = agent->listener != NULL ? agent->crowd->plan->identities->listen_port : 0;
	*ret_host = host;
}

struct http_client *agent_client(struct agent *agent, struct tls_client *tls)
{
	const struct fleet_plan *plan = agent->crowd->plan;
	char address[16];
	struct http_client_options options = { .host = plan->options->server.host,
					       .port = plan->options->server.port,
					       .tls = tls,
					       .reply_max_bytes = WIRE_REPLY_MAX_BYTES };

	if (plan->loopback) {
		source_address(agent, address);
		options.source_address = address;
	}
	return http_client_new(agent->crowd->loop, &options, NULL);
}

/* --- figures --- */

void agent_failed(struct agent *agent, int code, const char *text)
{
	figures_failed(&agent->crowd->figures, code, text);
}

static void set_connected(struct agent *agent, bool connected)
{
	if (agent->connected != connected)
		figures_add(&agent->crowd->figures, FIGURE_CONNECTED, connected ? 1 : -1);
	agent->connected = connected;
}

/* Counts what the endpoint knows into the figures. */
static void count_known(struct agent *agent)
{
	struct figures *figures = &agent->crowd->figures;
	struct endpoint_status status;

	endpoint_status(agent->endpoint, &status);
	set_connected(agent, status.connected);
	if (status.events_waiting != agent->waiting)
		figures_add(figures, FIGURE_EVENTS_WAITING, (int64_t)(status.events_waiting - agent->waiting));
	if (status.events_dropped != agent->dropped)
		figures_add(figures, FIGURE_EVENTS_DROPPED, (int64_t)(status.events_dropped - agent->dropped));
	figures_add(figures, FIGURE_EXCHANGES, (int64_t)(status.dialled - agent->talks));
	agent->waiting = status.events_waiting;
	agent->dropped = status.events_dropped;
	agent->talks = status.dialled;
}

/* --- configurations: heartbeat and poll are gone by unless they were given by hand, the rest counts as applied --- */

int agent_check(void *context, const Muster__Wire__Configuration *configuration, struct endpoint_connection *connection,
		struct buf *why)
{
	const struct options *options = ((const struct agent *)context)->crowd->plan->options;
	struct effective values;
	struct buf problems;
	struct err err = { 0 };
	int rc = effective_init(&values, &err);

	if (rc != 0)
		return rc;
	buf_init(&problems, EFFECTIVE_PROBLEMS_BYTES);
	rc = effective_read(configuration, &values, &problems, &err);
	if (rc == 0) {
		connection->heartbeat_us = options->heartbeat_given ? options->heartbeat : values.heartbeat_interval_us;
		connection->poll_us = options->poll != 0                  ? options->poll
				      : values.poll == LINK_POLL_PERIODIC ? values.poll_interval_us
									  : 0;
	} else {
		buf_append_text(why, err.text);
	}
	effective_done(&values);
	buf_done(&problems);
	return rc;
}

void agent_redial(void *context, const struct endpoint_connection *connection)
{
	struct agent *agent = context;

	(void)connection;
	for (int i = 0; i < ENDPOINT_LANES; i++) {
		if (agent->lanes[i].client == NULL || !http_client_busy(agent->lanes[i].client))
			continue;
		http_client_free(agent->lanes[i].client);
		agent->lanes[i].client = NULL;
	}
}

/* Its own events count as made, so that what is acknowledged adds up. Commands are counted where they are taken. */
void agent_noted(void *context, uint32_t type, time_us time, const struct event_field *fields, size_t count)
{
	struct agent *agent = context;

	(void)time;
	(void)fields;
	(void)count;
	agent->noted += type == EVENT_CONFIGURATION_APPLIED || type == EVENT_CONFIGURATION_REFUSED;
}

/* --- exchanges --- */

static void failed(struct agent_lane *lane, int code, const char *text, span_us retry_after)
{
	agent_failed(lane->agent, code, text);
	endpoint_failed(lane->agent->endpoint, lane->which, code, text, retry_after);
}

static uint64_t events_waiting(const struct agent *agent)
{
	struct endpoint_status status;

	endpoint_status(agent->endpoint, &status);
	return status.events_waiting;
}

static void take_bytes(struct agent_lane *lane)
{
	struct agent *agent = lane->agent;
	struct figures *figures = &agent->crowd->figures;
	uint64_t before = events_waiting(agent), after, noted = agent->noted;
	struct err err = { 0 };

	agent->received_wall = lane->received_wall;
	if (endpoint_reply(agent->endpoint, lane->which, lane->reply.data, lane->reply.size, &err) != 0) {
		agent_failed(agent, err.code, err.text);
		return;
	}
	after = events_waiting(agent);
	before += agent->noted - noted;
	figures_add(figures, FIGURE_EVENTS_ACKNOWLEDGED, before > after ? (int64_t)(before - after) : 0);
	figures_add(figures, FIGURE_EXCHANGES, 1);
	figures_add(figures, FIGURE_BYTES_RECEIVED, (int64_t)lane->reply.size);
	if (lane->at_once)
		figures_latency(figures, LATENCY_EXCHANGE, lane->received_at - lane->sent_at);
}

void agent_take_reply(struct agent_lane *lane)
{
	take_bytes(lane);
	buf_done(&lane->reply);
	count_known(lane->agent);
	agent_wake(lane->agent);
}

/* Replies of many agents may be there at once: all are received, and their
 * times taken, before the first is verified and acted upon. */
static int receive(struct agent_lane *lane, const struct http_answer *answer)
{
	const struct env *env = lane->agent->crowd->plan->env;

	lane->received_at = env_monotonic(env);
	lane->received_wall = env_wall(env);
	buf_init(&lane->reply, WIRE_REPLY_MAX_BYTES);
	if (buf_append(&lane->reply, answer->body, answer->size) != 0)
		return lane->reply.status;
	crowd_inbox(lane->agent->crowd, lane);
	return 0;
}

static void on_answer(void *argument, const struct http_answer *answer)
{
	struct agent_lane *lane = argument;
	struct err err = { 0 };

	if (answer->status == 200 && receive(lane, answer) == 0)
		return;
	if (answer->status == 200) {
		failed(lane, ERR_MEMORY, "no memory for a reply", 0);
	} else if (answer->status == 0) {
		failed(lane, answer->err->code, answer->err->text, 0);
	} else {
		problem_error("the report was refused", answer->status, answer->content_type, answer->body,
			      answer->size, &err);
		failed(lane, err.code, err.text, answer->retry_after);
	}
	count_known(lane->agent);
	agent_wake(lane->agent);
}

static int post(struct agent_lane *lane, const struct buf *report, uint32_t hold_s, struct err *err)
{
	const struct http_body body = { .bytes = report->data, .fd = -1, .size = report->size };

	if (lane->client == NULL)
		lane->client = agent_client(lane->agent, lane->agent->tls);
	if (lane->client == NULL)
		return err_set(err, ERR_MEMORY, "no memory for a connection");
	return http_client_send(lane->client, "POST", "/agent/v1/exchange", "Content-Type: application/x-protobuf\r\n",
				&body, (span_us)hold_s * SECOND_US + ANSWER_MARGIN_US, on_answer, lane, err);
}

static void send_report(struct agent_lane *lane)
{
	struct agent *agent = lane->agent;
	struct err err = { 0 };
	struct buf report;
	uint32_t hold_s = 0;

	buf_init(&report, WIRE_REPORT_MAX_BYTES);
	if (endpoint_report(agent->endpoint, lane->which, &report, &hold_s, &err) != 0) {
		agent_failed(agent, err.code, err.text);
	} else {
		lane->at_once = hold_s == 0;
		lane->sent_at = env_monotonic(agent->crowd->plan->env);
		figures_add(&agent->crowd->figures, FIGURE_REQUESTS, 1);
		figures_add(&agent->crowd->figures, FIGURE_BYTES_SENT, (int64_t)report.size);
		if (post(lane, &report, hold_s, &err) != 0)
			failed(lane, err.code, err.text, 0);
	}
	buf_done(&report);
}

/* When this lane wants to send; INT64_MAX while it is busy. */
static time_us lane_due(const struct agent_lane *lane)
{
	if (lane->client != NULL && http_client_busy(lane->client))
		return INT64_MAX;
	return endpoint_next(lane->agent->endpoint, lane->which);
}

static void talk(struct agent *agent)
{
	time_us now = env_monotonic(agent->crowd->plan->env), due;

	endpoint_tick(agent->endpoint, NULL);
	due = scans_step(agent, now);
	for (int i = 0; i < ENDPOINT_LANES; i++) {
		if (lane_due(&agent->lanes[i]) <= now)
			send_report(&agent->lanes[i]);
	}
	for (int i = 0; i < ENDPOINT_LANES; i++) {
		time_us next = lane_due(&agent->lanes[i]);

		due = next < due ? next : due;
	}
	if (endpoint_due(agent->endpoint) < due)
		due = endpoint_due(agent->endpoint);
	if (due != INT64_MAX)
		loop_timer_set(agent->timer, due > now ? due - now : MILLISECOND_US);
}

static void on_timer(void *argument)
{
	struct agent *agent = argument;

	if (agent->endpoint != NULL)
		talk(agent);
	else if (agent->enrolment == NULL)
		enrol_start(agent);
}

void agent_wake(struct agent *agent)
{
	loop_timer_set(agent->timer, 0);
}

/* --- life --- */

static void digest(const void *data, size_t size, uint8_t out[SHA256_BYTES])
{
	fingerprint_of(data, size, out);
}

static int make_endpoint(struct agent *agent, struct err *err)
{
	const struct fleet_plan *plan = agent->crowd->plan;
	const struct identity *identity = &plan->identities->slots[agent->number];
	struct envelope_key key;
	struct endpoint_options options = { .env = plan->env,
					    .storage = memory_storage(),
					    .actor = scans_actor(agent),
					    .computer = identity->computer,
					    .keys = &key,
					    .key_count = 1,
					    .verify = signing_key_verify,
					    .digest = digest,
					    .heartbeat_us = plan->options->heartbeat,
					    .poll_us = plan->options->poll,
					    .spool_events = SPOOL_EVENTS,
					    .direction = plan->options->direction };

	memcpy(key.public_key, identity->manager_key, sizeof(key.public_key));
	signing_key_fingerprint(key.public_key, key.fingerprint);
	memcpy(options.boot_id, plan->boot_id.bytes, sizeof(options.boot_id));
	return endpoint_new(&options, &agent->endpoint, err);
}

static int describe(struct agent *agent, struct err *err)
{
	static const char *const names[] = { "link", "guard", "scan" };
	static char state[] = "working", version[] = MUSTER_VERSION;
	Muster__Wire__Component component = MUSTER__WIRE__COMPONENT__INIT;
	Muster__Wire__Host host;
	struct agent_host facts;
	int rc;

	agent_describe(agent, &facts, &host);
	rc = endpoint_host(agent->endpoint, &host, err);
	component.state = state;
	component.version = version;
	for (size_t i = 0; rc == 0 && i < COUNT_OF(names); i++) {
		component.name = (char *)(uintptr_t)names[i];
		rc = endpoint_component(agent->endpoint, &component, err);
	}
	return rc;
}

/* --- listening --- */

/* Until all are connected some still dial by themselves, and wait less for a dial. */
static bool is_observed(const struct agent *agent)
{
	time_us observed = atomic_load(&agent->crowd->plan->observed);

	return observed != 0 && agent->dialled_at >= observed;
}

/* Of several messages over one connection the first is the dial. */
static void count_dial(struct agent *agent)
{
	time_us now = env_monotonic(agent->crowd->plan->env);
	struct listener_counters counters;

	listener_counters(agent->listener, &counters);
	if (counters.accepted == agent->accepted)
		return;
	if (is_observed(agent))
		figures_latency(&agent->crowd->figures, LATENCY_DIALS, now - agent->dialled_at);
	agent->accepted = counters.accepted;
	agent->dialled_at = now;
}

void agent_count_silence(struct agent *agent)
{
	struct figures *figures = &agent->crowd->figures;
	time_us now = env_monotonic(agent->crowd->plan->env);
	time_us since = atomic_load(&agent->crowd->plan->observed);

	if (agent->dialled_at == 0 || since == 0)
		return;
	if (agent->dialled_at > since)
		since = agent->dialled_at;
	if (now - since > atomic_load(&figures->latencies[LATENCY_DIALS].max))
		figures_latency(figures, LATENCY_DIALS, now - since);
}

static void on_spoken(void *argument)
{
	struct agent *agent = argument;

	if (agent->listener != NULL)
		count_dial(agent);
	count_known(agent);
	agent_wake(agent);
}

static int make_tls_server(struct agent *agent, const char *certificate_pem, struct err *err)
{
	struct crowd *crowd = agent->crowd;
	uint8_t ticket_key[TLS_TICKET_KEY_BYTES] = { 0 };

	if (crowd->tls_server == NULL) {
		crowd->plan->env->random(crowd->plan->env->context, ticket_key, sizeof(ticket_key));
		crowd->tls_server =
		    tls_server_new(certificate_pem, crowd->plan->key_pem, crowd->plan->ca_pem, ticket_key, err);
		if (crowd->tls_server != NULL)
			tls_server_require(crowd->tls_server, LISTENER_MANAGER_URI, 0);
	}
	if (crowd->tls_server != NULL)
		agent->tls_server = tls_server_beside(crowd->tls_server, certificate_pem, err);
	return agent->tls_server != NULL ? 0 : err->code;
}

static int start_listening(struct agent *agent, const char *certificate_pem, struct err *err)
{
	const struct fleet_plan *plan = agent->crowd->plan;
	struct listener_options options = { .env = plan->env,
					    .loop = agent->crowd->loop,
					    .endpoint = agent->endpoint,
					    .port = (uint16_t)plan->identities->listen_port,
					    .spoken = on_spoken,
					    .argument = agent };
	char address[16];
	int rc;

	if (!link_direction_agent_listens(plan->options->direction))
		return 0;
	if (options.port == 0)
		return err_set(err, ERR_USAGE, "the agents' port is not known: give --listen-port");
	rc = make_tls_server(agent, certificate_pem, err);
	if (rc != 0)
		return rc;
	source_address(agent, address);
	options.address = address;
	options.tls = agent->tls_server;
	agent->listener = listener_new(&options, err);
	return agent->listener != NULL ? 0 : err->code;
}

void agent_enrolled(struct agent *agent)
{
	const struct identity *identity = &agent->crowd->plan->identities->slots[agent->number];
	struct err err = { 0 };

	agent->tls = tls_client_beside(agent->crowd->tls, identity->certificate_pem, &err);
	if (agent->tls == NULL || make_endpoint(agent, &err) != 0 ||
	    start_listening(agent, identity->certificate_pem, &err) != 0 || describe(agent, &err) != 0) {
		agent_failed(agent, err.code, err.text);
		return;
	}
	figures_add(&agent->crowd->figures, FIGURE_ENROLLED, 1);
	agent_wake(agent);
}

void agent_start(struct agent *agent)
{
	figures_add(&agent->crowd->figures, FIGURE_STARTED, 1);
	if (agent->crowd->plan->identities->slots[agent->number].certificate_pem != NULL) {
		agent_enrolled(agent);
		return;
	}
	agent->enrolling = true;
	agent->crowd->enrolling++;
	enrol_start(agent);
}

struct agent *agent_new(struct crowd *crowd, uint32_t number)
{
	struct agent *agent = calloc(1, sizeof(*agent));

	if (agent == NULL)
		return NULL;
	agent->crowd = crowd;
	agent->number = number;
	agent->attempt = env_uuid(crowd->plan->env);
	for (int i = 0; i < ENDPOINT_LANES; i++)
		agent->lanes[i] = (struct agent_lane){ .agent = agent, .which = (enum endpoint_lane)i };
	agent->timer = loop_timer_new(crowd->loop, on_timer, agent);
	if (agent->timer == NULL) {
		free(agent);
		return NULL;
	}
	return agent;
}

void agent_free(struct agent *agent)
{
	if (agent == NULL)
		return;
	enrol_stop(agent);
	for (int i = 0; i < ENDPOINT_LANES; i++) {
		http_client_free(agent->lanes[i].client);
		buf_done(&agent->lanes[i].reply);
	}
	listener_free(agent->listener);
	tls_server_free(agent->tls_server);
	endpoint_free(agent->endpoint);
	tls_client_free(agent->tls);
	loop_timer_free(agent->timer);
	free(agent);
}

/* --- events --- */

/* "File … was not fully scanned": a middling event of three fields. */
static int make_event(struct agent *agent, struct err *err)
{
	static const char limit[] = "larger than the largest file to scan";
	char file[64];
	time_us now = env_wall(agent->crowd->plan->env);
	int size =
	    snprintf(file, sizeof(file), "/srv/files/%06u/archive-%016llx.tar", agent->number, (unsigned long long)now);
	const struct event_field fields[] = {
		{ "file", { (const uint8_t *)file, (size_t)size } },
		{ "limit", { (const uint8_t *)limit, sizeof(limit) - 1 } },
	};

	return endpoint_event(agent->endpoint, 0, EVENT_NOT_FULLY_SCANNED, now, fields, COUNT_OF(fields), err);
}

unsigned agent_make_events(struct agent *agent, unsigned count)
{
	struct figures *figures = &agent->crowd->figures;
	struct err err = { 0 };
	unsigned made = 0;

	if (agent->endpoint == NULL || !agent->connected)
		return 0;
	while (made < count && agent->waiting + made < AGENT_WAITING_MAX && make_event(agent, &err) == 0)
		made++;
	if (err.code != 0)
		agent_failed(agent, err.code, err.text);
	figures_add(figures, FIGURE_EVENTS_MADE, made);
	if (made > 0) {
		count_known(agent);
		agent_wake(agent);
	}
	return made;
}
