/* Keys come from outside: bounded, printable, looked up together with their owner. */
#include "manager/api/idempotency.h"

#include <openssl/evp.h>
#include <string.h>

#include "base/log.h"
#include "manager/queries.h"

#define KEPT_US DAY_US

struct reservation {
	struct api_call *call;
	uint8_t owner[UUID_BYTES];
	uint8_t request[SHA256_BYTES]; /* of method, pattern, id, body */
	time_us now;
	/* found */
	bool there, same;
	int status; /* 0: not answered yet */
};

static void hash_request(const struct api_call *call, uint8_t hash[SHA256_BYTES])
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	const char *parts[] = { call->route->method, call->route->pattern, call->id_text };
	unsigned size = 0;

	memset(hash, 0, SHA256_BYTES);
	if (context == NULL)
		return;
	EVP_DigestInit_ex(context, EVP_sha256(), NULL);
	for (size_t i = 0; i < COUNT_OF(parts); i++)
		EVP_DigestUpdate(context, parts[i], strlen(parts[i]) + 1);
	EVP_DigestUpdate(context, call->body_bytes.data, call->body_bytes.size);
	EVP_DigestFinal_ex(context, hash, &size);
	EVP_MD_CTX_free(context);
}

static void reservation_init(struct reservation *reservation, struct api_call *call)
{
	const struct api_principal *principal = &call->principal;

	*reservation = (struct reservation){ .call = call, .now = env_wall(api_call_env(call)) };
	memcpy(reservation->owner, uuid_is_zero(&principal->user) ? principal->token.bytes : principal->user.bytes,
	       UUID_BYTES);
	hash_request(call, reservation->request);
}

static void bind_key(struct cursor *cursor, const struct reservation *reservation)
{
	cursor_bind_bytes(cursor, "owner", reservation->owner, UUID_BYTES);
	cursor_bind_text(cursor, "key", reservation->call->idempotency_key);
}

static int look_up(struct store_session *session, struct reservation *reservation, struct err *err)
{
	struct cursor *cursor = cursor_open(session, &QUERY_IDEMPOTENCY_BY_KEY);
	struct api_call *call = reservation->call;

	bind_key(cursor, reservation);
	if (cursor_next(cursor)) {
		struct bytes request = cursor_bytes(cursor, "request");
		struct bytes answer = cursor_bytes(cursor, "answer");

		reservation->there = true;
		reservation->same =
		    request.size == SHA256_BYTES && memcmp(request.data, reservation->request, SHA256_BYTES) == 0;
		reservation->status = (int)cursor_number(cursor, "status");
		if (reservation->same && reservation->status != 0) {
			snprintf(call->content_type, sizeof(call->content_type), "%s",
				 cursor_text(cursor, "content_type"));
			buf_append(&call->answer, answer.data, answer.size);
		}
	}
	return cursor_end(cursor, err);
}

static int reserve(struct store_session *session, void *argument, struct err *err)
{
	struct reservation *reservation = argument;
	struct cursor *cursor = cursor_open(session, &QUERY_IDEMPOTENCY_EXPIRE);
	int rc;

	cursor_bind_number(cursor, "before", reservation->now - KEPT_US);
	rc = cursor_run(cursor, err);
	if (rc == 0)
		rc = look_up(session, reservation, err);
	if (rc != 0 || reservation->there)
		return rc;
	cursor = cursor_open(session, &QUERY_IDEMPOTENCY_RESERVE);
	bind_key(cursor, reservation);
	cursor_bind_bytes(cursor, "request", reservation->request, SHA256_BYTES);
	cursor_bind_number(cursor, "created", reservation->now);
	return cursor_run(cursor, err);
}

bool idempotency_begin(struct api_call *call)
{
	struct reservation reservation;
	struct err err = { 0 };
	int rc;

	if (call->idempotency_key[0] == '\0')
		return true;
	reservation_init(&reservation, call);
	rc = store_write_wait(api_call_store(call), reserve, &reservation, &err);
	if (rc != 0)
		call_fail(call, rc, &err);
	else if (!reservation.there)
		return true;
	else if (!reservation.same)
		api_problem(call, 422, "Key used before", "This Idempotency-Key was used for another request.");
	else if (reservation.status == 0)
		api_problem(
		    call, 409, "Under way",
		    "The first request with this Idempotency-Key has no answer yet. If it stays so, the manager "
		    "was stopped meanwhile: look whether it was done before you ask with a new key.");
	else {
		call->answered = true;
		call->status = reservation.status;
		api_header(call, "Idempotency-Replayed", "true");
	}
	call->idempotency_key[0] = '\0'; /* nothing to keep */
	return false;
}

static int keep(struct store_session *session, void *argument, struct err *err)
{
	struct reservation *reservation = argument;
	const struct api_call *call = reservation->call;
	bool again = call->status >= 500;
	struct cursor *cursor = cursor_open(session, again ? &QUERY_IDEMPOTENCY_RELEASE : &QUERY_IDEMPOTENCY_ANSWER);

	bind_key(cursor, reservation);
	if (!again) {
		cursor_bind_number(cursor, "status", call->status);
		cursor_bind_text(cursor, "content_type", call->content_type);
		cursor_bind_bytes(cursor, "answer", call->answer.data, call->answer.size);
	}
	return cursor_run(cursor, err);
}

void idempotency_end(struct api_call *call)
{
	struct reservation reservation;
	struct err err = { 0 };

	if (call->idempotency_key[0] == '\0')
		return;
	reservation_init(&reservation, call);
	if (store_write_wait(api_call_store(call), keep, &reservation, &err) != 0)
		LOG(LOG_WARNING, "api.idempotency_not_kept", log_err(&err));
}
