/* Enrolment of a simulated agent, over a connection of its own, as activation does it.
 * Input: the manager's answers, decoded under limits. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/problem.h"
#include "fleetsim/agent.h"
#include "wire/exchange.h"

#define ENROL_TIMEOUT_US (60 * SECOND_US)
#define RETRY_FIRST_US   SECOND_US
#define RETRY_MAX_US     (30 * SECOND_US)

struct enrolment {
	struct agent *agent;
	struct tls_client *tls;
	struct http_client *client;
	time_us began;
};

static void enrolment_free(struct enrolment *enrolment)
{
	http_client_free(enrolment->client);
	tls_client_free(enrolment->tls);
	free(enrolment);
}

/* The ramp goes on when a first attempt has ended, well or not. */
static void attempt_ended(struct agent *agent)
{
	if (agent->enrolling)
		agent->crowd->enrolling--;
	agent->enrolling = false;
}

static void try_again(struct agent *agent, int code, const char *text, span_us after)
{
	const struct env *env = agent->crowd->plan->env;
	span_us window = RETRY_FIRST_US << (agent->tries < 5 ? agent->tries : 5);

	if (window > RETRY_MAX_US)
		window = RETRY_MAX_US;
	attempt_ended(agent);
	agent_failed(agent, code, text);
	agent->tries++;
	loop_timer_set(agent->timer, after + MILLISECOND_US + (span_us)env_below(env, (uint64_t)window));
}

static int take_reply(struct agent *agent, const void *bytes, size_t size, struct err *err)
{
	struct identity *identity = &agent->crowd->plan->identities->slots[agent->number];
	Muster__Wire__EnrolReply *reply;
	struct arena *arena;
	int rc = exchange_enrol_reply_decode(bytes, size, &reply, &arena, err);

	if (rc != 0)
		return rc;
	if (agent->crowd->plan->options->listen_port == 0)
		agent->crowd->plan->identities->listen_port = reply->listen_port;
	identity->computer = exchange_uuid(&reply->computer);
	identity->certificate_pem = strndup((const char *)reply->certificate.data, reply->certificate.len);
	if (identity->certificate_pem == NULL)
		rc = err_set(err, ERR_MEMORY, "no memory for a certificate");
	else if (reply->server_authentication.len != ENVELOPE_KEY_BYTES)
		rc = err_set(err, ERR_FORMAT, "the manager's server authentication key is not of 32 bytes");
	else
		memcpy(identity->manager_key, reply->server_authentication.data, ENVELOPE_KEY_BYTES);
	arena_free(arena);
	return rc;
}

static void refused(struct agent *agent, const struct http_answer *answer)
{
	const struct fleet_plan *plan = agent->crowd->plan;
	struct err err = { 0 };
	int rc = problem_error("enrolment was refused", answer->status, answer->content_type, answer->body,
			       answer->size, &err);

	if (rc == ERR_DENIED)
		plan->fatal(&err);
	try_again(agent, rc, err.text, answer->retry_after);
}

static void on_answer(void *argument, const struct http_answer *answer)
{
	struct enrolment *enrolment = argument;
	struct agent *agent = enrolment->agent;
	struct crowd *crowd = agent->crowd;
	struct err err = { 0 };

	agent->enrolment = NULL;
	if (answer->status == 0) {
		try_again(agent, answer->err->code, answer->err->text, 0);
	} else if (answer->status != 200) {
		refused(agent, answer);
	} else if (take_reply(agent, answer->body, answer->size, &err) != 0) {
		try_again(agent, err.code, err.text, 0);
	} else {
		figures_latency(&crowd->figures, LATENCY_ENROLMENT, env_monotonic(crowd->plan->env) - enrolment->began);
		attempt_ended(agent);
		agent->tries = 0;
		agent_enrolled(agent);
	}
	enrolment_free(enrolment);
}

static int encode(const struct agent *agent, struct buf *out, struct err *err)
{
	const struct fleet_plan *plan = agent->crowd->plan;
	Muster__Wire__EnrolRequest request = MUSTER__WIRE__ENROL_REQUEST__INIT;
	Muster__Wire__Host host;
	struct agent_host facts;

	agent_describe(agent, &facts, &host);
	request.protocol = WIRE_PROTOCOL;
	request.token = (char *)(uintptr_t)plan->token;
	request.attempt = exchange_bytes(agent->attempt.bytes, UUID_BYTES);
	request.request = exchange_bytes(plan->request.data, plan->request.size);
	request.name = host.name;
	request.host = &host;
	return exchange_enrol_request_encode(&request, out, err);
}

static int send(struct enrolment *enrolment, struct err *err)
{
	struct agent *agent = enrolment->agent;
	struct buf request;
	struct http_body body = { .fd = -1 };
	int rc;

	enrolment->tls = tls_client_beside(agent->crowd->tls, NULL, err);
	if (enrolment->tls == NULL)
		return err->code;
	enrolment->client = agent_client(agent, enrolment->tls);
	if (enrolment->client == NULL)
		return err_set(err, ERR_MEMORY, "no memory for an agent");
	buf_init(&request, WIRE_ENROL_REQUEST_MAX_BYTES);
	rc = encode(agent, &request, err);
	body.bytes = request.data;
	body.size = request.size;
	if (rc == 0)
		rc = http_client_send(enrolment->client, "POST", "/agent/v1/enrol",
				      "Content-Type: application/x-protobuf\r\n", &body, ENROL_TIMEOUT_US, on_answer,
				      enrolment, err);
	buf_wipe(&request);
	return rc;
}

void enrol_start(struct agent *agent)
{
	struct enrolment *enrolment = calloc(1, sizeof(*enrolment));
	struct err err = { 0 };

	if (enrolment == NULL) {
		try_again(agent, ERR_MEMORY, "no memory for an agent", 0);
		return;
	}
	enrolment->agent = agent;
	enrolment->began = env_monotonic(agent->crowd->plan->env);
	if (send(enrolment, &err) != 0) {
		try_again(agent, err.code, err.text, 0);
		enrolment_free(enrolment);
		return;
	}
	agent->enrolment = enrolment;
}

void enrol_stop(struct agent *agent)
{
	if (agent->enrolment != NULL)
		enrolment_free(agent->enrolment);
	agent->enrolment = NULL;
}
