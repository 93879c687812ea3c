/* POST /agent/v1/enrol: from the request to the answer (doc/protocol.md). The
 * caller is nobody yet: everything in the request is untrusted. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

#include "base/log.h"
#include "manager/front/agent_http.h"
#include "manager/front/authorities.h"
#include "manager/front/enrolment.h"
#include "manager/front/front_server_key.h"
#include "manager/front/membership.h"
#include "manager/front/policies.h"

#define RETRY_BUSY_S       5
#define KEPT_LEAST_US      DAY_US /* of a certificate that is given again */
#define SAME_ATTEMPT_TRIES 3

struct enrol {
	struct agent_request *request;
	char source[80];
	struct enrolment work;
	struct buf reply;
	struct err err;
	int rc;
};

static void enrol_free(struct enrol *enrol)
{
	buf_done(&enrol->reply);
	agent_request_free(enrol->request);
	free(enrol);
}

/* --- on the loop's thread --- */

static void answered(void *argument)
{
	struct enrol *enrol = argument;

	if (enrol->rc == 0)
		agent_reply(enrol->request, 200, AGENT_PROTOBUF, enrol->reply.data, enrol->reply.size);
	else
		agent_refuse(enrol->request, "Enrolment refused", &enrol->err);
	enrol_free(enrol);
}

/* --- on a worker --- */

static int certify(struct enrolment *work, struct err *err)
{
	int rc = signer_certify(work->front->signer, &work->computer, work->request->request.data,
				work->request->request.len, work->certificate, err);

	if (rc != 0)
		return rc == ERR_FORMAT || rc == ERR_UNTRUSTED ? err_set(err, ERR_RANGE, "%s", err->text) : rc;
	work->authorities = authorities_now(work->front);
	return certificate_read(work->certificate, strlen(work->certificate), &work->facts_made, err);
}

/* Which answer of an attempt arrives nobody knows: while the certificate that it was given is good it is given again,
 * or the last answer would take back what the one before gave. */
static bool keeps_certificate(struct enrolment *work)
{
	const Muster__Wire__EnrolRequest *request = work->request;

	if (!work->again || work->certificate[0] == '\0')
		return false;
	work->authorities = authorities_now(work->front);
	return certificate_answers(work->certificate, request->request.data, request->request.len, NULL) == 0 &&
	       certificate_signed_by(work->certificate, work->authorities->identity.ca_pem, NULL) == 0 &&
	       certificate_read(work->certificate, strlen(work->certificate), &work->facts_made, NULL) == 0 &&
	       work->facts_made.not_after > env_wall(work->front->env) + KEPT_LEAST_US;
}

/* Who has the present certificate of the computer that this agent was stays that computer, even if it was found to be
 * the second one of the two. */
static void let_alone(const struct enrolment *work)
{
	struct shard *shard = shards_of(work->front->shards, &work->origin);

	pthread_mutex_lock(&shard->lock);
	fleet_copy_left(shard->fleet, &work->origin);
	pthread_mutex_unlock(&shard->lock);
}

/* The new computer becomes known to those who hear it. */
static int admit(struct enrolment *work, struct err *err)
{
	struct shard *shard = shards_of(work->front->shards, &work->computer);
	const Muster__Wire__Host *host = work->request->host;
	struct fleet_computer computer = {
		.id = work->computer,
		.missed = 2,
		.direction_wanted = LINK_DIRECTIONS,
		.direction = host != NULL ? (enum link_direction)host->direction : LINK_BIDIRECTIONAL,
		.listen_port = (uint16_t)(host != NULL ? host->listen_port : 0),
	};
	int rc = 0;

	if (work->facts.standing == ROSTER_REPLACED)
		let_alone(work);
	if (work->keeps) /* the same answer is under way once more, maybe, or was before our last start */
		return roster_put(work->front->roster, work->facts_made.fingerprint, &work->computer, ROSTER_ACTIVE,
				  err);
	if (work->way == ENROLMENT_TAKES && !work->again) {
		rc = membership_taken(work->front, &work->computer, work->replaced, work->facts_made.fingerprint, err);
		roster_describe(work->front->roster, work->facts_made.fingerprint, work->facts_made.not_after,
				work->authorities->newest);
		return rc;
	}
	if (!work->again) {
		policies_fill(work->front, &work->computer, &computer);
		pthread_mutex_lock(&shard->lock);
		rc = fleet_add(shard->fleet, &computer, err);
		pthread_mutex_unlock(&shard->lock);
	} else {
		struct uuid computer_before;

		if (roster_find(work->front->roster, work->replaced, &computer_before) == ROSTER_ACTIVE)
			rc = roster_put(work->front->roster, work->replaced, &work->computer, ROSTER_REVOKED, err);
	}
	if (rc == 0 || rc == ERR_EXISTS)
		rc = roster_put(work->front->roster, work->facts_made.fingerprint, &work->computer, ROSTER_ACTIVE, err);
	roster_describe(work->front->roster, work->facts_made.fingerprint, work->facts_made.not_after,
			work->authorities->newest);
	return rc;
}

static int enrol_once(struct enrolment *work, struct err *err)
{
	uint8_t key[ENVELOPE_KEY_BYTES], fingerprint[SHA256_BYTES];
	bool joined = false;
	int rc;

	if (!front_server_key(work->front, key, fingerprint))
		return err_set(err, ERR_BUSY,
			       "this manager has no server authentication key now; it has to be restored first");
	rc = authorities_ready(work->front, err);
	if (rc == 0)
		rc = enrolment_prepare(work, err);
	work->keeps = rc == 0 && keeps_certificate(work);
	if (work->keeps)
		return 0;
	if (rc == 0)
		rc = certify(work, err);
	if (rc == 0 && !work->again && work->way != ENROLMENT_TAKES) {
		rc = policies_join(work->front, &work->computer, work->policy, work->appliance, err);
		joined = rc == 0;
	}
	if (rc == 0)
		rc = enrolment_commit(work, err);
	if (rc != 0 && joined)
		policies_leave(work->front, &work->computer);
	return rc;
}

static int pack_reply(const struct enrolment *work, const char *manager, struct buf *out, struct err *err)
{
	const struct front_authorities *authorities = work->authorities;
	uint8_t key[ENVELOPE_KEY_BYTES], fingerprint[SHA256_BYTES];
	Muster__Wire__EnrolReply reply = MUSTER__WIRE__ENROL_REPLY__INIT;

	reply.protocol = WIRE_PROTOCOL;
	reply.computer = exchange_bytes(work->computer.bytes, UUID_BYTES);
	reply.certificate = exchange_bytes(work->certificate, strlen(work->certificate));
	reply.authority = exchange_bytes(authorities->identity.ca_pem, strlen(authorities->identity.ca_pem));
	(void)front_server_key(work->front, key, fingerprint);
	reply.server_authentication = exchange_bytes(key, sizeof(key));
	reply.name = (char *)(uintptr_t)work->name;
	reply.listen_port = authorities->identity.agent_port;
	if (manager != NULL)
		reply.manager = (char *)(uintptr_t)manager;
	return exchange_enrol_reply_encode(&reply, out, err);
}

int enrolment_run(struct enrolment *enrolment, const char *manager, struct buf *reply, struct err *err)
{
	int rc = enrol_once(enrolment, err);

	for (int i = 1; rc == ERR_EXISTS && i < SAME_ATTEMPT_TRIES; i++)
		rc = enrol_once(enrolment, err);
	if (rc == 0)
		rc = admit(enrolment, err);
	return rc == 0 ? pack_reply(enrolment, manager, reply, err) : rc;
}

/* Anybody may come here: what is refused is told, but not each of a stream of the same. */
static bool is_told(struct front *front, const char *source)
{
	char key[sizeof("enrol ") + 80];

	snprintf(key, sizeof(key), "enrol %s", source);
	if (cooldown_left(front->refusals, key) != 0)
		return false;
	cooldown_failed(front->refusals, key);
	return true;
}

/* Whoever has a good token may make mistakes. */
static bool is_of_nobody(const struct enrol *enrol)
{
	switch (enrol->rc) {
	case ERR_DENIED:
	case ERR_EXPIRED:
	case ERR_UNTRUSTED:
		return true;
	case ERR_RANGE:
		return enrol->work.facts.without_token;
	default: /* what does not even decode, or is too large */
		return enrol->rc == ERR_FORMAT || enrol->rc == ERR_LIMIT || enrol->rc == ERR_VERSION;
	}
}

static void note_failure(struct enrol *enrol)
{
	struct front *front = enrol->request->front;
	const struct front_field fields[] = {
		{ "name", enrol->work.name },
		{ "address", enrol->source },
		{ "cause", enrol->err.text },
	};

	front->numbers.enrolments_refused++;
	if (is_of_nobody(enrol))
		cooldown_failed(front->cooldown, enrol->source);
	LOG(LOG_WARNING, "enrolment.refused", log_text("peer", enrol->request->peer), log_err(&enrol->err));
	if (is_told(front, enrol->source))
		front_event_later(front, EVENT_ACTIVATION_FAILED, NULL, fields, COUNT_OF(fields));
}

static void note_success(struct enrol *enrol)
{
	struct front *front = enrol->request->front;
	const struct front_news news = { .topic = FRONT_TOPIC_COMPUTER,
					 .id = enrol->work.computer,
					 .computer = enrol->work.computer };

	front->numbers.enrolments++;
	cooldown_succeeded(front->cooldown, enrol->source);
	enrolment_count_copy(&enrol->work);
	feed_publish(front->feed, &news, 1);
	LOG(LOG_INFO, "enrolment.done", log_uuid("computer", &enrol->work.computer), log_text("name", enrol->work.name),
	    log_text("peer", enrol->request->peer), log_number("again", enrol->work.again));
}

static int decode_and_enrol(struct enrol *enrol)
{
	const struct buf *body = &enrol->request->body;
	Muster__Wire__EnrolRequest *message;
	struct arena *arena;
	int rc = exchange_enrol_request_decode(body->data, body->size, &message, &arena, &enrol->err);

	if (rc != 0)
		return rc;
	enrol->work.request = message;
	rc = enrolment_run(&enrol->work, NULL, &enrol->reply, &enrol->err);
	enrol->work.request = NULL;
	OPENSSL_cleanse(message->token, strlen(message->token));
	arena_free(arena);
	return rc;
}

static void work(void *argument)
{
	struct enrol *enrol = argument;

	enrol->rc = decode_and_enrol(enrol);
	if (enrol->rc == 0)
		note_success(enrol);
	else
		note_failure(enrol);
	if (loop_post(enrol->request->loop, answered, enrol) != 0)
		LOG(LOG_ERROR, "enrolment.lost", log_text("error", "no memory"));
}

/* --- the request --- */

static bool cool(struct agent_request *request, const char *source)
{
	span_us left = cooldown_left(request->front->cooldown, source);
	unsigned seconds = (unsigned)((left + SECOND_US - 1) / SECOND_US);

	if (left == 0)
		return true;
	agent_refuse_status(request, 429, "Too many wrong tokens",
			    "This address showed too many wrong enrolment tokens; it may try again later.", seconds);
	return false;
}

void enrol_complete(struct agent_request *request)
{
	struct enrol *enrol;
	char source[80];

	cooldown_source(request->peer, source, sizeof(source));
	if (!cool(request, source)) {
		agent_request_free(request);
		return;
	}
	enrol = calloc(1, sizeof(*enrol));
	if (enrol != NULL) {
		enrol->request = request;
		enrol->work.front = request->front;
		enrol->work.address = enrol->source;
		snprintf(enrol->source, sizeof(enrol->source), "%s", source);
		(void)address_parse_peer(request->peer, &enrol->work.from, NULL);
		enrol->work.has_certificate = http_client_certificate(request->http, enrol->work.shown);
		buf_init(&enrol->reply, WIRE_ENROL_REPLY_MAX_BYTES);
		request->state = enrol;
		if (front_work(request->front, work, enrol) == 0)
			return;
		free(enrol);
	}
	agent_refuse_status(request, 503, "Busy", "Too many enrolments at once; come back shortly.", RETRY_BUSY_S);
	agent_request_free(request);
}

void enrol_gone(struct agent_request *request)
{
	if (request->state == NULL)
		agent_request_free(request);
}
