/* Keys come from outside: bounded, printable, looked up together with their owner. */
#include "manager/api/idempotency.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <string.h>

#include "base/log.h"
#include "base/map.h"
#include "manager/front/request_key.h"
#include "manager/queries.h"

#define KEPT_US DAY_US

struct reservation {
	struct api_call *call;
	uint8_t owner[UUID_BYTES];
	uint8_t request[SHA256_BYTES]; /* keyed, of method, pattern, id, body */
	time_us now;
	/* found */
	bool there, same;
	time_us created;
	int status; /* 0: not answered yet */
};

/* HMAC under the manager's own key: a plain hash of a body that holds a password would be a way to guess it. */
static int hash_request(const struct api_call *call, uint8_t hash[SHA256_BYTES])
{
	const uint8_t *key = front_request_key(call->api->front);
	EVP_MAC *hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
	EVP_MAC_CTX *context = hmac != NULL ? EVP_MAC_CTX_new(hmac) : NULL;
	const OSSL_PARAM parameters[] = { OSSL_PARAM_construct_utf8_string("digest", (char[]){ "SHA256" }, 0),
					  OSSL_PARAM_construct_end() };
	const char *parts[] = { call->route->method, call->route->pattern, call->id_text };
	size_t size = 0;
	bool done = context != NULL && EVP_MAC_init(context, key, REQUEST_KEY_BYTES, parameters) == 1;

	for (size_t i = 0; i < COUNT_OF(parts); i++)
		done = done && EVP_MAC_update(context, (const uint8_t *)parts[i], strlen(parts[i]) + 1) == 1;
	done = done && EVP_MAC_update(context, call->body_bytes.data, call->body_bytes.size) == 1 &&
	       EVP_MAC_final(context, hash, &size, SHA256_BYTES) == 1 && size == SHA256_BYTES;
	EVP_MAC_CTX_free(context);
	EVP_MAC_free(hmac);
	return done ? 0 : ERR_MEMORY;
}

static int reservation_init(struct reservation *reservation, struct api_call *call, struct err *err)
{
	const struct api_principal *principal = &call->principal;

	*reservation = (struct reservation){ .call = call, .now = env_wall(api_call_env(call)) };
	memcpy(reservation->owner, uuid_is_zero(&principal->user) ? principal->token.bytes : principal->user.bytes,
	       UUID_BYTES);
	return hash_request(call, reservation->request) == 0 ? 0 : err_set(err, ERR_MEMORY, "no memory for the key");
}

static void bind_key(struct cursor *cursor, const struct reservation *reservation)
{
	cursor_bind_bytes(cursor, "owner", reservation->owner, UUID_BYTES);
	cursor_bind_text(cursor, "key", reservation->call->idempotency_key);
}

/* --- keys that are under way in this process --- */

#define HELD_KEY_BYTES (UUID_BYTES + API_KEY_MAX_BYTES)

static size_t held_key(const struct reservation *reservation, uint8_t out[HELD_KEY_BYTES])
{
	size_t size = strlen(reservation->call->idempotency_key);

	memcpy(out, reservation->owner, UUID_BYTES);
	memcpy(out + UUID_BYTES, reservation->call->idempotency_key, size);
	return UUID_BYTES + size;
}

/* ERR_BUSY: another call holds it. Twice is harmless: the store may run a write again. */
static int hold_key(struct reservation *reservation)
{
	struct api_call *call = reservation->call;
	uint8_t key[HELD_KEY_BYTES];
	size_t size = held_key(reservation, key);
	const void *holder;
	int rc = 0;

	pthread_mutex_lock(&call->api->keys_lock);
	holder = map_get(call->api->keys, key, size);
	if (holder == NULL)
		rc = map_set(call->api->keys, key, size, call);
	else if (holder != call)
		rc = ERR_BUSY;
	pthread_mutex_unlock(&call->api->keys_lock);
	call->key_held = rc == 0;
	return rc;
}

static void let_key_go(const struct reservation *reservation)
{
	struct api_call *call = reservation->call;
	uint8_t key[HELD_KEY_BYTES];
	size_t size = held_key(reservation, key);

	if (!call->key_held)
		return;
	call->key_held = false;
	pthread_mutex_lock(&call->api->keys_lock);
	map_remove(call->api->keys, key, size);
	pthread_mutex_unlock(&call->api->keys_lock);
}

/* --- rows --- */

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
		reservation->created = cursor_number(cursor, "created");
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
	if (rc != 0 || (reservation->there && (!reservation->same || reservation->status != 0)))
		return rc;
	rc = hold_key(reservation);
	if (rc == ERR_BUSY) /* by the first request: it is being answered */
		return 0;
	if (rc != 0)
		return err_set(err, rc, "no memory for the key");
	if (reservation->there)
		return 0;
	reservation->created = reservation->now;
	cursor = cursor_open(session, &QUERY_IDEMPOTENCY_RESERVE);
	bind_key(cursor, reservation);
	cursor_bind_bytes(cursor, "request", reservation->request, SHA256_BYTES);
	cursor_bind_number(cursor, "created", reservation->now);
	return cursor_run(cursor, err);
}

/* From what is in the row: the same for each time of asking, another for the key's next use. */
static void seed_once(const struct reservation *reservation)
{
	struct api_call *call = reservation->call;
	uint8_t about[HELD_KEY_BYTES + SHA256_BYTES + sizeof(time_us)];
	size_t size = held_key(reservation, about);

	memcpy(about + size, reservation->request, SHA256_BYTES);
	size += SHA256_BYTES;
	memcpy(about + size, &reservation->created, sizeof(reservation->created));
	size += sizeof(reservation->created);
	call->once.when = reservation->created;
	call->once.again = reservation->there;
	EVP_Digest(about, size, call->once.seed, NULL, EVP_sha256(), NULL);
	call->actor.once = &call->once;
}

bool idempotency_begin(struct api_call *call)
{
	struct reservation reservation;
	struct err err = { 0 };
	int rc;

	if (call->idempotency_key[0] == '\0')
		return true;
	rc = reservation_init(&reservation, call, &err);
	if (rc == 0)
		rc = store_write_wait(api_call_store(call), reserve, &reservation, &err);
	if (rc == 0 && call->key_held) {
		seed_once(&reservation);
		return true;
	}
	let_key_go(&reservation);
	if (rc != 0)
		call_fail(call, rc, &err);
	else if (!reservation.same)
		api_problem(call, 422, "Key used before", "This Idempotency-Key was used for another request.");
	else if (reservation.status == 0)
		api_problem(call, 409, "Under way",
			    "The first request with this Idempotency-Key is being answered. Ask again in a moment.");
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
	struct cursor *cursor = cursor_open(session, &QUERY_IDEMPOTENCY_ANSWER);

	bind_key(cursor, reservation);
	cursor_bind_number(cursor, "status", call->status);
	cursor_bind_text(cursor, "content_type", call->content_type);
	cursor_bind_bytes(cursor, "answer", call->answer.data, call->answer.size);
	return cursor_run(cursor, err);
}

void idempotency_end(struct api_call *call)
{
	struct reservation reservation;
	struct err err = { 0 };

	if (!call->key_held)
		return;
	if (reservation_init(&reservation, call, &err) != 0)
		LOG(LOG_WARNING, "api.idempotency_not_kept", log_err(&err));
	else if (call->status < 500 && store_write_wait(api_call_store(call), keep, &reservation, &err) != 0)
		LOG(LOG_WARNING, "api.idempotency_not_kept", log_err(&err));
	let_key_go(&reservation);
}
