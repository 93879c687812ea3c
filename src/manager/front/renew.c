/* POST /agent/v1/renew: from the request to the answer (manager/front/renewal.h). The caller is a computer by its
 * certificate, which may have ended; its request is untrusted. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "manager/front/agent_http.h"
#include "manager/front/authorities.h"
#include "manager/front/renewal.h"
#include "manager/queries.h"
#include "trust/identity.h"

#define RETRY_BUSY_S 5

struct renew {
	struct agent_request *request;
	struct uuid computer;
	char name[WIRE_LABEL_MAX_BYTES + 1];
	char certificate[MESSAGE_CERTIFICATE_MAX_BYTES];
	struct certificate_facts facts;
	const struct front_authorities *authorities; /* that it is given with it */
	uint8_t before[SHA256_BYTES];                /* one that was given before and not used */
	bool had_next;
	struct buf reply;
	struct err err;
	int rc;
};

static void renew_free(struct renew *renew)
{
	buf_done(&renew->reply);
	agent_request_free(renew->request);
	free(renew);
}

/* --- on the loop's thread --- */

static void answered(void *argument)
{
	struct renew *renew = argument;

	if (renew->rc == 0)
		agent_reply(renew->request, 200, AGENT_PROTOBUF, renew->reply.data, renew->reply.size);
	else
		agent_refuse(renew->request, "Renewal refused", &renew->err);
	renew_free(renew);
}

/* --- the write --- */

static int read_computer(struct renew *renew, struct store_session *session, struct err *err)
{
	struct cursor *cursor = cursor_open(session, &QUERY_RENEWAL_FIND);
	bool found = false;
	int rc;

	cursor_bind_uuid(cursor, "id", &renew->computer);
	if (cursor_next(cursor)) {
		struct bytes next = cursor_bytes(cursor, "next_fingerprint");

		found = true;
		renew->had_next = next.size == SHA256_BYTES;
		if (renew->had_next)
			memcpy(renew->before, next.data, SHA256_BYTES);
		snprintf(renew->name, sizeof(renew->name), "%s", cursor_text(cursor, "name"));
	}
	rc = cursor_end(cursor, err);
	return rc == 0 && !found ? err_set(err, ERR_UNTRUSTED, "the computer is not managed here any more") : rc;
}

/* Before the commit, so that an end of the membership that comes after it finds this one too. Its agent has it only
 * after the commit. */
static int count_it(const struct renew *renew, struct err *err)
{
	struct roster *roster = renew->request->front->roster;
	int rc = roster_put(roster, renew->facts.fingerprint, &renew->computer, ROSTER_ACTIVE, err);

	if (rc != 0)
		return rc;
	roster_next(roster, renew->facts.fingerprint);
	roster_describe(roster, renew->facts.fingerprint, renew->facts.not_after, renew->authorities->newest);
	return 0;
}

static int write_next(struct store_session *session, void *argument, struct err *err)
{
	struct renew *renew = argument;
	char expires[TIME_TEXT_BYTES];
	const struct front_field fields[] = { { "what", renew->name }, { "expires", expires } };
	struct cursor *cursor;
	int rc = read_computer(renew, session, err);

	if (rc != 0)
		return rc;
	time_format(renew->facts.not_after, expires);
	cursor = cursor_open(session, &QUERY_RENEWAL_KEEP_UNUSED);
	cursor_bind_uuid(cursor, "id", &renew->computer);
	rc = cursor_run(cursor, err);
	if (rc != 0)
		return rc;
	cursor = cursor_open(session, &QUERY_RENEWAL_NEXT);
	cursor_bind_uuid(cursor, "id", &renew->computer);
	cursor_bind_bytes(cursor, "next_fingerprint", renew->facts.fingerprint, SHA256_BYTES);
	cursor_bind_number(cursor, "next_not_after", renew->facts.not_after);
	cursor_bind_text(cursor, "next_pem", renew->certificate);
	cursor_bind_number(cursor, "next_roots", renew->authorities->newest);
	rc = cursor_run(cursor, err);
	if (rc == 0)
		rc = front_event(renew->request->front, session, EVENT_CERTIFICATE_RENEWED, &renew->computer, fields,
				 COUNT_OF(fields), err);
	return rc == 0 ? count_it(renew, err) : rc;
}

/* --- on a worker --- */

static int certify(struct renew *renew, const ProtobufCBinaryData *request, struct err *err)
{
	int rc = authorities_ready(renew->request->front, err);

	if (rc == 0)
		rc = signer_certify(renew->request->front->signer, &renew->computer, request->data, request->len,
				    renew->certificate, err);
	if (rc != 0)
		return rc == ERR_FORMAT || rc == ERR_UNTRUSTED ? err_set(err, ERR_RANGE, "%s", err->text) : rc;
	renew->authorities = authorities_now(renew->request->front);
	return certificate_read(renew->certificate, strlen(renew->certificate), &renew->facts, err);
}

/* Stored and counts before it is given. */
static int admit(struct renew *renew, struct err *err)
{
	struct front *front = renew->request->front;
	int rc = store_write_wait(front->store, write_next, renew, err);

	if (rc != 0)
		roster_forget(front->roster, renew->facts.fingerprint);
	else if (renew->had_next)
		roster_replaced(front->roster, renew->before);
	return rc;
}

static int pack_reply(struct renew *renew, struct err *err)
{
	const char *pem = renew->authorities->identity.ca_pem;
	Muster__Wire__RenewReply reply = MUSTER__WIRE__RENEW_REPLY__INIT;

	reply.protocol = WIRE_PROTOCOL;
	reply.certificate = exchange_bytes(renew->certificate, strlen(renew->certificate));
	reply.authority = exchange_bytes(pem, strlen(pem));
	return exchange_renew_reply_encode(&reply, &renew->reply, err);
}

static int decode_and_renew(struct renew *renew, struct err *err)
{
	const struct buf *body = &renew->request->body;
	Muster__Wire__RenewRequest *message;
	struct arena *arena;
	int rc = exchange_renew_request_decode(body->data, body->size, &message, &arena, err);

	if (rc != 0)
		return rc;
	rc = certify(renew, &message->request, err);
	arena_free(arena);
	if (rc == 0)
		rc = admit(renew, err);
	return rc == 0 ? pack_reply(renew, err) : rc;
}

static void work(void *argument)
{
	struct renew *renew = argument;

	renew->rc = decode_and_renew(renew, &renew->err);
	if (renew->rc == 0)
		LOG(LOG_INFO, "renewal.given", log_uuid("computer", &renew->computer));
	else
		LOG(LOG_WARNING, "renewal.refused", log_uuid("computer", &renew->computer), log_err(&renew->err));
	if (loop_post(renew->request->loop, answered, renew) != 0)
		LOG(LOG_ERROR, "renewal.lost", log_text("error", "no memory"));
}

/* --- the request --- */

/* Each is a signature of the authority, an event and rows. An agent needs a few in an hour where everything fails. */
static bool may_renew(struct agent_request *request)
{
	struct cooldown *renewals = request->front->renewals;
	char id[UUID_TEXT_BYTES];
	span_us left;

	uuid_format(&request->computer, id);
	left = cooldown_left(renewals, id);
	if (left == 0) {
		cooldown_failed(renewals, id);
		return true;
	}
	agent_refuse_status(
	    request, 503, "Renewed too often",
	    "This computer has renewed its certificate several times in a row; it may do so again later.",
	    (unsigned)((left + SECOND_US - 1) / SECOND_US));
	return false;
}

void renew_complete(struct agent_request *request)
{
	struct renew *renew;

	if (!may_renew(request)) {
		agent_request_free(request);
		return;
	}
	renew = calloc(1, sizeof(*renew));
	if (renew != NULL) {
		renew->request = request;
		renew->computer = request->computer;
		buf_init(&renew->reply, WIRE_RENEW_REPLY_MAX_BYTES);
		request->state = renew;
		if (front_work(request->front, work, renew) == 0)
			return;
		free(renew);
	}
	agent_refuse_status(request, 503, "Busy", "Too much to do at once; come back shortly.", RETRY_BUSY_S);
	agent_request_free(request);
}

void renew_gone(struct agent_request *request)
{
	if (request->state == NULL)
		agent_request_free(request);
}
