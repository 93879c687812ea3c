/* Activation from the manager (manager/front/front_activation.h). All on one worker thread, with a loop of its own.
 *
 *   connect     who is it? a computer of ours, another manager's, or nobody's yet
 *   prove       POST /manager/v1/activation: our ManagerProof for this connection; it answers with an EnrolRequest
 *   enrol       as any other (manager/front/enrolment.h); committed before it is told
 *   hand over   POST /manager/v1/identity: the EnrolReply; it answers once it is on its disk
 *
 * What answers is anybody until its request is enrolled, and untrusted for ever. */
#include "manager/front/activation.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "manager/front/dialler_parts.h"
#include "manager/front/enrolment.h"
#include "manager/front/server_keys.h"
#include "manager/queries.h"
#include "net/client.h"
#include "net/tls_channel.h"

#define PROVE_PATH     "/manager/v1/activation"
#define HAND_OVER_PATH "/manager/v1/identity"
#define PROTOBUF       "Content-Type: application/x-protobuf\r\n"
#define ANSWER_WAIT_US (30 * SECOND_US)
#define PEM_MAX_BYTES  ((size_t)64 * 1024)
#define REFUSED_TITLE  "Not activated" /* of a prepared agent, whatever it was asked (agent/prepared_server.c) */

struct activations {
	pthread_mutex_t lock;
	unsigned count;
	struct uuid attempts[ACTIVATIONS_MAX]; /* of those that are being enrolled; zeroes: none */
};

struct activation {
	struct front *front;
	const struct front_activation *wish;
	const struct front_actor *actor;
	uint16_t port;
	struct loop *loop;
	struct tls_client *tls;
	struct http_client *client;
	bool handing; /* proven and enrolled: the identity goes over the same connection, or not now */
	bool already, elsewhere;
	bool unable; /* the cause is here, not there */
	struct buf reply;
	struct uuid attempt, computer;
	char name[WIRE_LABEL_MAX_BYTES + 16];
	int rc;
	struct err err;
};

/* --- those under way --- */

int activations_new(struct activations **ret_activations, struct err *err)
{
	struct activations *activations = calloc(1, sizeof(*activations));

	if (activations == NULL)
		return err_set(err, ERR_MEMORY, "no memory for activations");
	pthread_mutex_init(&activations->lock, NULL);
	*ret_activations = activations;
	return 0;
}

void activations_free(struct activations *activations)
{
	if (activations == NULL)
		return;
	pthread_mutex_destroy(&activations->lock);
	free(activations);
}

static bool enter(struct activations *activations)
{
	bool room;

	pthread_mutex_lock(&activations->lock);
	room = activations->count < ACTIVATIONS_MAX;
	activations->count += room;
	pthread_mutex_unlock(&activations->lock);
	return room;
}

/* Two calls for one agent would give it two certificates, of which the second ends the first. */
static bool claim(struct activations *activations, const struct uuid *attempt)
{
	struct uuid *room = NULL;
	bool taken = false;

	pthread_mutex_lock(&activations->lock);
	for (size_t i = 0; i < ACTIVATIONS_MAX; i++) {
		taken |= uuid_equal(&activations->attempts[i], attempt);
		if (uuid_is_zero(&activations->attempts[i]))
			room = &activations->attempts[i];
	}
	if (!taken && room != NULL)
		*room = *attempt;
	pthread_mutex_unlock(&activations->lock);
	return !taken && room != NULL;
}

static void leave(struct activations *activations, const struct uuid *attempt)
{
	pthread_mutex_lock(&activations->lock);
	for (size_t i = 0; i < ACTIVATIONS_MAX; i++) {
		if (!uuid_is_zero(attempt) && uuid_equal(&activations->attempts[i], attempt))
			activations->attempts[i] = (struct uuid){ { 0 } };
	}
	activations->count--;
	pthread_mutex_unlock(&activations->lock);
}

/* --- who is it? --- */

static int of_ours(struct activation *activation, enum roster_standing standing, struct err *err)
{
	const char *host = activation->wish->host;

	switch (standing) {
	case ROSTER_ACTIVE:
		activation->already = true;
		return err_set(err, ERR_EXISTS, "the agent at %s is activated with this manager already", host);
	case ROSTER_DEACTIVATED:
	case ROSTER_WAITING:
	case ROSTER_MOVED:
		return err_set(
		    err, ERR_WRONG_STATE,
		    "the agent at %s belongs to a computer of this manager that is deactivated or moved away; "
		    "let it in again with: muster computer reactivate NAME",
		    host);
	default:
		return err_set(err, ERR_WRONG_STATE,
			       "the agent at %s has a certificate of this manager that is not accepted any more; on "
			       "that computer: muster-agent reset, then muster-agent prepare",
			       host);
	}
}

static int look_at_peer(struct activation *activation, struct ssl_st *ssl, struct err *err)
{
	struct certificate_facts facts = { .has_computer = false };
	enum roster_standing standing;
	struct buf pem;
	int rc;

	buf_init(&pem, PEM_MAX_BYTES);
	rc = tls_channel_peer(ssl, &pem, err);
	if (rc == 0 && certificate_read(pem.data, pem.size, &facts, NULL) != 0)
		facts.has_computer = false; /* something that is no agent of anybody's */
	buf_done(&pem);
	if (rc != 0 || !facts.has_computer)
		return rc;
	standing = roster_find(activation->front->roster, facts.fingerprint, &activation->computer);
	if (standing != ROSTER_UNKNOWN)
		return of_ours(activation, standing, err);
	activation->elsewhere = true;
	return err_set(err, ERR_CONFLICT,
		       "the agent at %s is activated with another manager; move it (muster-agent move), or remove that "
		       "identity there (muster-agent reset) and prepare it for this manager",
		       activation->wish->host);
}

/* --- proving --- */

/* Nothing has been sent yet: what is sent proves the key over this connection, and no other. */
static int on_secure(void *argument, struct err *err)
{
	struct activation *activation = argument;
	struct ssl_st *ssl = http_client_tls(activation->client);
	uint8_t channel[PROOF_CHANNEL_BYTES];
	struct http_body body = { .fd = -1 };
	struct buf proof;
	int rc;

	if (activation->handing)
		return err_set(err, ERR_CLOSED, "the agent closed the connection");
	rc = look_at_peer(activation, ssl, err);
	if (rc == 0)
		rc = tls_channel_export(ssl, PROOF_CHANNEL_LABEL, channel, sizeof(channel), err);
	if (rc != 0)
		return rc;
	buf_init(&proof, WIRE_MANAGER_PROOF_MAX_BYTES);
	rc = server_keys_prove(activation->front, PROOF_MANAGER_DIALLED, channel, &proof, err);
	activation->unable = rc != 0;
	body.bytes = proof.data;
	body.size = proof.size;
	if (rc == 0)
		rc = http_client_instead(activation->client, "POST", PROVE_PATH, PROTOBUF, &body, err);
	buf_done(&proof);
	return rc;
}

static void end(struct activation *activation, int rc)
{
	activation->rc = rc;
	loop_stop(activation->loop);
}

static int no_agent(struct activation *activation, const char *why)
{
	return err_set(&activation->err, ERR_REFUSED,
		       "what answers at %s port %u is not a Muster agent that waits to be activated (%s); on that "
		       "computer: muster-agent prepare --trust FILE, then muster-agent run",
		       activation->wish->host, (unsigned)activation->port, why);
}

/* A connection that fails has its causes; some of them say what is there. */
static int not_reached(struct activation *activation, const struct http_answer *answer)
{
	char cause[300];

	if (activation->already || activation->elsewhere || activation->unable ||
	    answer->err->code == ERR_WRONG_STATE) {
		activation->err = *answer->err;
		return activation->err.code;
	}
	snprintf(cause, sizeof(cause), "%.290s", answer->err->text);
	switch (answer->err->code) {
	case ERR_RESOLVE:
	case ERR_CONNECT:
	case ERR_TIMEOUT:
		return err_set(&activation->err, answer->err->code,
			       "nobody answers at %.100s port %u (%s); check the address, that the agent runs there, "
			       "its port (muster-agent ports), and firewalls between",
			       activation->wish->host, (unsigned)activation->port, cause);
	default:
		return no_agent(activation, cause);
	}
}

/* An agent that waits refuses all alike: it does not know its manager's key in ours. */
static int refused(struct activation *activation, const struct http_answer *answer)
{
	json_t *problem = json_loadb((const char *)answer->body, answer->size, 0, NULL);
	const char *title = json_string_value(json_object_get(problem, "title"));
	char why[64];
	bool waits = answer->status == 403 && title != NULL && strcmp(title, REFUSED_TITLE) == 0;

	json_decref(problem);
	if (waits && !activation->handing)
		return err_set(&activation->err, ERR_UNTRUSTED,
			       "the agent at %s waits for a manager with another server authentication key; on that "
			       "computer: muster-agent prepare --trust FILE with the file that `muster cert export "
			       "FILE` writes here",
			       activation->wish->host);
	snprintf(why, sizeof(why), "HTTP status %d", answer->status);
	return no_agent(activation, why);
}

/* --- enrolling --- */

static int enrol(struct activation *activation, Muster__Wire__EnrolRequest *request)
{
	const struct front_activation *wish = activation->wish;
	const char *url = wish->url[0] != '\0' ? wish->url : activation->front->identity.url;
	struct enrolment work = { .front = activation->front,
				  .request = request,
				  .address = wish->host,
				  .dialled_by = activation->actor,
				  .dialled_at = wish->host };
	int rc;

	request->token = (char *)(uintptr_t) "";
	request->name = (char *)(uintptr_t)wish->name;
	request->policy = (char *)(uintptr_t)wish->policy;
	request->group = (char *)(uintptr_t)wish->group;
	rc = enrolment_run(&work, url, &activation->reply, &activation->err);
	if (rc != 0)
		return rc;
	activation->computer = work.computer;
	snprintf(activation->name, sizeof(activation->name), "%s", work.name);
	LOG(LOG_INFO, "activation.enrolled", log_uuid("computer", &work.computer), log_text("name", work.name));
	return 0;
}

static void on_handed_over(void *argument, const struct http_answer *answer);

static int hand_over(struct activation *activation)
{
	const struct http_body body = { .bytes = activation->reply.data, .fd = -1, .size = activation->reply.size };

	activation->handing = true;
	return http_client_send(activation->client, "POST", HAND_OVER_PATH, PROTOBUF, &body, ANSWER_WAIT_US,
				on_handed_over, activation, &activation->err);
}

static void on_request(void *argument, const struct http_answer *answer)
{
	struct activation *activation = argument;
	Muster__Wire__EnrolRequest *request;
	struct arena *arena;
	struct err why = { 0 };
	int rc;

	if (answer->status != 200) {
		end(activation, answer->status == 0 ? not_reached(activation, answer) : refused(activation, answer));
		return;
	}
	if (exchange_enrol_request_decode(answer->body, answer->size, &request, &arena, &why) != 0) {
		end(activation, no_agent(activation, why.text));
		return;
	}
	activation->attempt = exchange_uuid(&request->attempt);
	if (!claim(activation->front->activations, &activation->attempt)) {
		activation->attempt = (struct uuid){ { 0 } };
		rc = err_set(&activation->err, ERR_BUSY, "this agent is being activated already");
	} else {
		rc = enrol(activation, request);
	}
	arena_free(arena);
	if (rc == 0)
		rc = hand_over(activation);
	if (rc != 0)
		end(activation, rc);
}

static void on_handed_over(void *argument, const struct http_answer *answer)
{
	struct activation *activation = argument;
	char why[300];

	if (answer->status == 204) {
		end(activation, 0);
		return;
	}
	if (answer->status == 0)
		snprintf(why, sizeof(why), "%.290s", answer->err->text);
	else
		snprintf(why, sizeof(why), "HTTP status %d", answer->status);
	end(activation, err_set(&activation->err, ERR_CLOSED,
				"%.200s is known here now, but its agent did not say that it has its identity (%s); do "
				"the same again: it stays the same computer",
				activation->name, why));
}

/* --- the whole --- */

static int talk(struct activation *activation)
{
	const struct http_client_options options = { .host = activation->wish->host,
						     .port = activation->port,
						     .tls = activation->tls,
						     .connect_timeout = activation->front->settings.dial_timeout,
						     .reply_max_bytes = WIRE_ENROL_REQUEST_MAX_BYTES,
						     .on_secure = on_secure,
						     .peer_argument = activation };
	int rc;

	activation->client = http_client_new(activation->loop, &options, &activation->err);
	if (activation->client == NULL)
		return activation->err.code;
	rc = http_client_send(activation->client, "POST", PROVE_PATH, PROTOBUF, NULL, ANSWER_WAIT_US, on_request,
			      activation, &activation->err);
	if (rc != 0)
		return rc;
	loop_run(activation->loop);
	return activation->rc;
}

static int run(struct activation *activation)
{
	int rc = 0;

	buf_init(&activation->reply, WIRE_ENROL_REPLY_MAX_BYTES);
	activation->loop = loop_new(&activation->err);
	if (activation->loop == NULL)
		rc = activation->err.code;
	if (rc == 0)
		rc = dial_identity(activation->front, true, &activation->tls, &activation->err);
	if (rc == 0)
		rc = talk(activation);
	http_client_free(activation->client);
	tls_client_free(activation->tls);
	loop_free(activation->loop);
	buf_done(&activation->reply);
	return rc;
}

/* A computer that waits here for its agent, and that has one of another manager's: a person is told what stands in
 * the way. */
static int write_elsewhere(struct store_session *session, void *argument, struct err *err)
{
	const struct activation *activation = argument;
	const struct front_activation *wish = activation->wish;
	struct cursor *cursor = cursor_open(session, &QUERY_COMPUTER_ELSEWHERE);

	cursor_bind_text(cursor, "cause", "its agent is activated with another manager");
	cursor_bind_text(cursor, "address", wish->host);
	cursor_bind_text(cursor, "name", wish->name[0] != '\0' ? wish->name : wish->host);
	cursor_bind_number(cursor, "now", env_wall(activation->front->env));
	return cursor_run(cursor, err);
}

static void note_failure(struct activation *activation)
{
	struct front *front = activation->front;
	const struct front_field fields[] = { { "name", activation->wish->name },
					      { "address", activation->wish->host },
					      { "cause", activation->err.text } };
	struct err err = { 0 };

	LOG(LOG_WARNING, "activation.failed", log_text("host", activation->wish->host), log_err(&activation->err));
	front_event_later(front, EVENT_ACTIVATION_FAILED, NULL, fields, COUNT_OF(fields));
	if (activation->elsewhere && store_write_wait(front->store, write_elsewhere, activation, &err) != 0)
		LOG(LOG_ERROR, "activation.not_noted", log_err(&err));
}

static void note_success(struct activation *activation)
{
	struct front *front = activation->front;
	const struct front_news news = { .topic = FRONT_TOPIC_COMPUTER,
					 .id = activation->computer,
					 .computer = activation->computer };
	struct shard *shard = shards_of(front->shards, &activation->computer);

	front->numbers.enrolments++;
	feed_publish(front->feed, &news, 1);
	LOG(LOG_INFO, "activation.done", log_uuid("computer", &activation->computer),
	    log_text("name", activation->name), log_text("host", activation->wish->host));
	/* An agent that cannot reach us by itself is met as soon as it is there. */
	pthread_mutex_lock(&shard->lock);
	(void)fleet_dial_now(shard->fleet, &activation->computer, NULL);
	pthread_mutex_unlock(&shard->lock);
}

int front_computer_activate(struct front *front, const struct front_activation *activation,
			    const struct front_actor *actor, struct uuid *ret_id, bool *ret_already, struct err *err)
{
	struct activation work = { .front = front,
				   .wish = activation,
				   .actor = actor,
				   .port = activation->port != 0 ? activation->port : front->identity.agent_port };
	int rc;

	if (!enter(front->activations))
		return err_set(err, ERR_BUSY, "%d activations are under way; try again shortly", ACTIVATIONS_MAX);
	rc = run(&work);
	leave(front->activations, &work.attempt);
	if (work.already)
		rc = 0;
	else if (rc == 0)
		note_success(&work);
	else
		note_failure(&work);
	if (rc != 0)
		return err_set(err, rc, "%s", work.err.text);
	*ret_id = work.computer;
	*ret_already = work.already;
	return 0;
}
