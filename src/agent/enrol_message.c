/* Enrolment's messages (agent/enrol_message.h). The answer is outside bytes. */
#include "agent/enrol_message.h"

#include <stdio.h>
#include <string.h>

#include "trust/identity.h"
#include "trust/roots.h"
#include "wire/exchange.h"

int enrol_message_encode(const struct enrol_wish *wish, const struct enrol_attempt *attempt, struct buf *out,
			 struct err *err)
{
	Muster__Wire__EnrolRequest message = MUSTER__WIRE__ENROL_REQUEST__INIT;
	Muster__Wire__Host facts;
	char *addresses[HOST_ADDRESSES_MAX];
	struct buf request;
	int rc;

	host_message(wish->host, addresses, &facts);
	facts.listen_port = wish->listen_port;
	buf_init(&request, WIRE_REQUEST_MAX_BYTES);
	rc = identity_request(buf_text(&attempt->key_pem), &request, err);
	if (rc == 0) {
		message.protocol = WIRE_PROTOCOL;
		message.token = (char *)(uintptr_t)wish->token;
		message.session = wish->session;
		message.attempt = exchange_bytes(attempt->id.bytes, UUID_BYTES);
		message.request = exchange_bytes(request.data, request.size);
		message.name = (char *)(uintptr_t)(wish->name != NULL ? wish->name : wish->host->name);
		message.policy = (char *)(uintptr_t)(wish->policy != NULL ? wish->policy : "");
		message.group = (char *)(uintptr_t)(wish->group != NULL ? wish->group : "");
		message.host = &facts;
		rc = exchange_enrol_request_encode(&message, out, err);
	}
	buf_done(&request);
	return rc;
}

/* The pinned root, and those that follow it. */
static int take_pinned(const char *given, const uint8_t pin[SHA256_BYTES], struct buf *out, struct err *err)
{
	struct buf pinned;
	int rc;

	buf_init(&pinned, WIRE_AUTHORITY_MAX_BYTES + 1);
	rc = roots_find(given, pin, &pinned, err);
	if (rc == ERR_UNTRUSTED)
		err_set(err, rc, "the authority it sent is not the one with the given fingerprint");
	if (rc == 0)
		rc = roots_follow(buf_text(&pinned), given, out, err);
	buf_done(&pinned);
	return rc;
}

static int take_roots(const ProtobufCBinaryData *given, const struct enrol_trust *trust, struct buf *out,
		      struct err *err)
{
	struct buf text;
	int rc;

	buf_init(&text, WIRE_AUTHORITY_MAX_BYTES + 1);
	rc = buf_append(&text, given->data, given->len);
	if (rc == 0)
		rc = trust->roots != NULL ? roots_follow(trust->roots, buf_text(&text), out, err)
					  : take_pinned(buf_text(&text), trust->pin, out, err);
	buf_done(&text);
	return rc;
}

int enrol_message_take(const void *bytes, size_t size, const struct enrol_trust *trust, struct agent_identity *identity,
		       struct err *err)
{
	Muster__Wire__EnrolReply *reply;
	struct arena *arena;
	int rc = exchange_enrol_reply_decode(bytes, size, &reply, &arena, err);

	if (rc)
		return err_add(err, rc, "the manager's answer");
	identity->computer = exchange_uuid(&reply->computer);
	snprintf(identity->name, sizeof(identity->name), "%s", reply->name);
	snprintf(identity->manager, sizeof(identity->manager), "%s", reply->manager);
	identity->listen_port = (uint16_t)reply->listen_port;
	buf_append(&identity->certificate_pem, reply->certificate.data, reply->certificate.len);
	if (reply->server_authentication.len != ENVELOPE_KEY_BYTES)
		rc = err_set(err, ERR_FORMAT, "the manager's server authentication key is not of 32 bytes");
	else
		memcpy(identity->manager_key, reply->server_authentication.data, ENVELOPE_KEY_BYTES);
	if (rc == 0)
		rc = take_roots(&reply->authority, trust, &identity->authority_pem, err);
	arena_free(arena);
	return rc;
}
