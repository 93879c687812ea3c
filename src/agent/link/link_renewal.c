/* The agent's next certificate (agent/link/link_renewal.h). Input: the manager's answer, untrusted until it fits. */
#include "agent/link/link_renewal.h"

#include <stdlib.h>

#include "agent/link/link_exchange.h"
#include "agent/link/link_listen.h"
#include "agent/link/link_tls.h"
#include "agent/problem.h"
#include "base/log.h"
#include "net/client.h"
#include "trust/identity.h"
#include "trust/renewal.h"
#include "trust/roots.h"
#include "wire/exchange.h"

#define ANSWER_WAIT_US   (2 * MINUTE_US)
#define RENEWED_PAUSE_US (5 * SECOND_US) /* a manager that always says it gets no more than that */

struct link_renewal {
	struct link *link;
	int directory;
	struct http_client *client;
	struct buf key_pem; /* of the request under way; a secret */
	bool wanted, under_way;
	unsigned failures;
	time_us not_before; /* monotonic */
};

/* --- what comes of it --- */

static void ended(struct link_renewal *renewal)
{
	renewal->under_way = false;
	buf_wipe(&renewal->key_pem);
	link_wake(renewal->link);
}

static void failed(struct link_renewal *renewal, const struct err *err, span_us retry_after)
{
	const struct env *env = renewal->link->env;

	renewal->failures++;
	renewal->not_before = env_monotonic(env) + retry_after + renewal_retry(env, renewal->failures);
	LOG(LOG_WARNING, "renewal.failed", log_err(err));
	ended(renewal);
}

/* From now on this is who we are: nothing is asked under the certificate before. */
static int use(struct link_renewal *renewal, struct err *err)
{
	struct link *link = renewal->link;
	int rc = link_tls_renew(link, err);

	link_listen_renewed(link->listen);
	link_exchange_renewed(link->exchange);
	return rc;
}

static int take(struct link_renewal *renewal, const Muster__Wire__RenewReply *reply, struct err *err)
{
	struct agent_identity *identity = &renewal->link->identity;
	struct buf certificate, given, authority;
	int rc;

	buf_init(&certificate, WIRE_CERTIFICATE_MAX_BYTES + 1);
	buf_init(&given, WIRE_AUTHORITY_MAX_BYTES + 1);
	buf_init(&authority, WIRE_AUTHORITY_MAX_BYTES + 1);
	buf_append(&certificate, reply->certificate.data, reply->certificate.len);
	buf_append(&given, reply->authority.data, reply->authority.len);
	rc = roots_follow(buf_text(&identity->authority_pem), buf_text(&given), &authority, err);
	if (rc == 0)
		rc = identity_files_renew(renewal->directory, identity, &renewal->key_pem, &certificate, &authority,
					  err);
	buf_done(&certificate);
	buf_done(&given);
	buf_done(&authority);
	return rc == 0 ? use(renewal, err) : err_add(err, rc, "the renewed certificate");
}

static void on_answer(void *argument, const struct http_answer *answer)
{
	struct link_renewal *renewal = argument;
	Muster__Wire__RenewReply *reply;
	struct arena *arena;
	struct err err = { 0 };
	int rc;

	if (answer->status == 0) {
		failed(renewal, answer->err, 0);
		return;
	}
	if (answer->status != 200) {
		problem_error("the manager did not renew the certificate", answer->status, answer->content_type,
			      answer->body, answer->size, &err);
		failed(renewal, &err, answer->retry_after);
		return;
	}
	rc = exchange_renew_reply_decode(answer->body, answer->size, &reply, &arena, &err);
	if (rc == 0) {
		rc = take(renewal, reply, &err);
		arena_free(arena);
	}
	if (rc != 0) {
		failed(renewal, &err, 0);
		return;
	}
	LOG(LOG_INFO, "renewal.done");
	renewal->wanted = false;
	renewal->failures = 0;
	renewal->not_before = env_monotonic(renewal->link->env) + RENEWED_PAUSE_US;
	ended(renewal);
}

/* --- asking --- */

static int make_request(struct link_renewal *renewal, struct buf *out, struct err *err)
{
	Muster__Wire__RenewRequest message = MUSTER__WIRE__RENEW_REQUEST__INIT;
	struct buf request;
	int rc;

	buf_init(&request, WIRE_REQUEST_MAX_BYTES);
	buf_wipe(&renewal->key_pem);
	rc = identity_make(&renewal->key_pem, &request, err);
	message.protocol = WIRE_PROTOCOL;
	message.request = exchange_bytes(request.data, request.size);
	if (rc == 0)
		rc = exchange_renew_request_encode(&message, out, err);
	buf_done(&request);
	return rc;
}

static void ask(struct link_renewal *renewal)
{
	struct err err = { 0 };
	struct buf message;
	int rc;

	buf_init(&message, WIRE_RENEW_REQUEST_MAX_BYTES);
	rc = make_request(renewal, &message, &err);
	if (rc == 0) {
		const struct http_body body = { .bytes = message.data, .fd = -1, .size = message.size };

		rc = http_client_send(renewal->client, "POST", "/agent/v1/renew",
				      "Content-Type: application/x-protobuf\r\n", &body, ANSWER_WAIT_US, on_answer,
				      renewal, &err);
	}
	buf_done(&message);
	renewal->under_way = rc == 0;
	if (rc != 0)
		failed(renewal, &err, 0);
}

static bool may_ask(const struct link_renewal *renewal)
{
	return endpoint_dials(renewal->link->endpoint) || http_client_connected(renewal->client);
}

void link_renewal_want(struct link_renewal *renewal)
{
	if (renewal->wanted)
		return;
	renewal->wanted = true;
	link_wake(renewal->link);
}

void link_renewal_step(struct link_renewal *renewal)
{
	if (link_renewal_due(renewal) <= env_monotonic(renewal->link->env))
		ask(renewal);
}

time_us link_renewal_due(const struct link_renewal *renewal)
{
	if (!renewal->wanted || renewal->under_way || !may_ask(renewal))
		return INT64_MAX;
	return renewal->not_before;
}

bool link_renewal_needs(const struct link_renewal *renewal)
{
	return renewal->wanted && !renewal->under_way && !may_ask(renewal) &&
	       renewal->not_before <= env_monotonic(renewal->link->env);
}

void link_renewal_adopt(struct link_renewal *renewal, struct bufferevent *connection)
{
	http_client_adopt(renewal->client, connection);
	renewal->wanted = true;
	renewal->not_before = 0;
	link_wake(renewal->link);
}

/* --- life --- */

struct link_renewal *link_renewal_new(struct link *link, int directory, struct err *err)
{
	const struct http_client_options options = { .host = link->manager.host,
						     .port = link->manager.port,
						     .tls = link->tls,
						     .reply_max_bytes = WIRE_RENEW_REPLY_MAX_BYTES };
	struct link_renewal *renewal = calloc(1, sizeof(*renewal));

	if (renewal == NULL) {
		err_set(err, ERR_MEMORY, "out of memory");
		return NULL;
	}
	renewal->link = link;
	renewal->directory = directory;
	buf_init(&renewal->key_pem, WIRE_CERTIFICATE_MAX_BYTES);
	renewal->client = http_client_new(link->loop, &options, err);
	if (renewal->client == NULL) {
		free(renewal);
		return NULL;
	}
	return renewal;
}

void link_renewal_free(struct link_renewal *renewal)
{
	if (renewal == NULL)
		return;
	http_client_free(renewal->client);
	buf_wipe(&renewal->key_pem);
	free(renewal);
}
