/* Checking passwords. Names and passwords come from anybody who reaches the port. */
#include "manager/api/sign_in.h"

#include <openssl/crypto.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "fleet/event_types.h"
#include "manager/api/limiter.h"
#include "manager/front/cooldown.h"
#include "manager/queries.h"
#include "trust/password.h"

#define REMEMBERED 4096
#define KEY_BYTES  128
#define AT_ONCE    4 /* passwords that are looked at: each takes a worker, memory and time that others need */

static const struct limiter_rule by_name = { 5, 15 * MINUTE_US, 15 * MINUTE_US };
static const struct limiter_rule by_source = { 20, 5 * MINUTE_US, 15 * MINUTE_US };

struct sign_ins {
	pthread_mutex_t mutex;
	struct limiter *limiter;
	const struct attempt *under_way[AT_ONCE]; /* NULL: free */
};

struct sign_ins *sign_ins_new(uint64_t seed)
{
	struct sign_ins *sign_ins = calloc(1, sizeof(*sign_ins));

	if (sign_ins == NULL)
		return NULL;
	sign_ins->limiter = limiter_new(REMEMBERED, seed);
	if (sign_ins->limiter == NULL) {
		free(sign_ins);
		return NULL;
	}
	pthread_mutex_init(&sign_ins->mutex, NULL);
	return sign_ins;
}

void sign_ins_free(struct sign_ins *sign_ins)
{
	if (sign_ins == NULL)
		return;
	limiter_free(sign_ins->limiter);
	pthread_mutex_destroy(&sign_ins->mutex);
	free(sign_ins);
}

/* One attempt on its way. */
struct attempt {
	struct api_call *call;
	struct sign_ins *sign_ins;
	const char *name;
	char name_key[KEY_BYTES];
	char source_key[KEY_BYTES];
	/* the user's row */
	bool there;
	struct signed_in found;
	char role[32];
	char password_hash[PASSWORD_ENCODED_BYTES];
	time_us locked_until; /* wall; 0: not */
};

static int read_user(struct store_session *session, void *argument, struct err *err)
{
	struct attempt *attempt = argument;
	struct cursor *cursor = cursor_open(session, &QUERY_USER_BY_NAME);

	cursor_bind_text(cursor, "name", attempt->name);
	if (cursor_next(cursor)) {
		attempt->there = true;
		cursor_uuid(cursor, "id", &attempt->found.user);
		snprintf(attempt->found.name, sizeof(attempt->found.name), "%s", cursor_text(cursor, "name"));
		snprintf(attempt->role, sizeof(attempt->role), "%s", cursor_text(cursor, "role"));
		snprintf(attempt->password_hash, sizeof(attempt->password_hash), "%s",
			 cursor_text(cursor, "password_hash"));
		if (!cursor_is_null(cursor, "locked_until"))
			attempt->locked_until = cursor_number(cursor, "locked_until");
	}
	return cursor_end(cursor, err);
}

/* Under the mutex. */
static span_us locked_for(const struct attempt *attempt, time_us now)
{
	span_us stored = attempt->locked_until - env_wall(api_call_env(attempt->call));
	span_us name = limiter_locked(attempt->sign_ins->limiter, attempt->name_key, now);
	span_us source = limiter_locked(attempt->sign_ins->limiter, attempt->source_key, now);

	if (attempt->locked_until != 0 && stored > name)
		name = stored;
	return name > source ? name : source;
}

/* Those that are looked at count as refused until it is known, or many at once would all come before the lock. */
static bool is_one_too_many(const struct attempt *attempt, time_us now)
{
	const struct sign_ins *sign_ins = attempt->sign_ins;
	unsigned name = limiter_failures(sign_ins->limiter, attempt->name_key, &by_name, now);
	unsigned source = limiter_failures(sign_ins->limiter, attempt->source_key, &by_source, now);

	for (size_t i = 0; i < AT_ONCE; i++) {
		const struct attempt *other = sign_ins->under_way[i];

		name += other != NULL && strcmp(other->name_key, attempt->name_key) == 0;
		source += other != NULL && strcmp(other->source_key, attempt->source_key) == 0;
	}
	return name >= by_name.failures || source >= by_source.failures;
}

static int begin(const struct attempt *attempt, span_us *ret_wait, struct err *err)
{
	time_us now = env_monotonic(api_call_env(attempt->call));
	struct sign_ins *sign_ins = attempt->sign_ins;
	size_t place = 0;
	int rc = 0;

	pthread_mutex_lock(&sign_ins->mutex);
	while (place < AT_ONCE && sign_ins->under_way[place] != NULL)
		place++;
	*ret_wait = locked_for(attempt, now);
	if (*ret_wait > 0)
		rc = err_set(err, ERR_BUSY, "locked out");
	else if (place == AT_ONCE || is_one_too_many(attempt, now))
		rc = err_set(err, ERR_LIMIT, "others are being signed in");
	else
		sign_ins->under_way[place] = attempt;
	pthread_mutex_unlock(&sign_ins->mutex);
	return rc;
}

/* Under the mutex: whatever came of it is counted. */
static void end(const struct attempt *attempt)
{
	for (size_t i = 0; i < AT_ONCE; i++) {
		if (attempt->sign_ins->under_way[i] == attempt)
			attempt->sign_ins->under_way[i] = NULL;
	}
}

static int store_refusal(struct store_session *session, void *argument, struct err *err)
{
	const struct attempt *attempt = argument;
	struct cursor *cursor = cursor_open(session, &QUERY_USER_FAILED);

	cursor_bind_uuid(cursor, "id", &attempt->found.user);
	if (attempt->locked_until != 0)
		cursor_bind_number(cursor, "locked_until", attempt->locked_until);
	else
		cursor_bind_null(cursor, "locked_until");
	return cursor_run(cursor, err);
}

/* The trace of a refusal: audit entry, event 664, and 603 when it locked the name. */
static void report(const struct attempt *attempt, const char *cause, bool locked)
{
	struct front *front = api_call_front(attempt->call);
	const char *source = api_call_source(attempt->call);
	const struct front_actor actor = {
		.kind = "user", .name = attempt->name, .id = attempt->found.user, .peer = source
	};
	const struct front_field refused[] = { { "user", attempt->name }, { "address", source }, { "cause", cause } };
	const struct front_field lock[] = { { "user", attempt->name }, { "count", "5" }, { "address", source } };
	struct err err = { 0 };

	if (front_audit_now(front, &actor, "session.create", attempt->name, "", "denied", &err) != 0)
		LOG(LOG_WARNING, "api.audit_failed", log_err(&err));
	front_event_later(front, EVENT_SIGN_IN_REFUSED, NULL, refused, COUNT_OF(refused));
	if (locked)
		front_event_later(front, EVENT_USER_LOCKED_OUT, NULL, lock, COUNT_OF(lock));
}

static void refused(struct attempt *attempt)
{
	const struct env *env = api_call_env(attempt->call);
	time_us now = env_monotonic(env);
	struct err err = { 0 };
	bool locked;

	pthread_mutex_lock(&attempt->sign_ins->mutex);
	locked = limiter_failed(attempt->sign_ins->limiter, attempt->name_key, &by_name, now);
	limiter_failed(attempt->sign_ins->limiter, attempt->source_key, &by_source, now);
	end(attempt);
	pthread_mutex_unlock(&attempt->sign_ins->mutex);
	attempt->locked_until = locked ? env_wall(env) + by_name.lock : 0;
	if (attempt->there && store_write_wait(api_call_store(attempt->call), store_refusal, attempt, &err) != 0)
		LOG(LOG_WARNING, "api.refusal_not_stored", log_err(&err));
	report(attempt, attempt->there ? "wrong password" : "no such user", locked);
}

static int verify(struct attempt *attempt, const char *password, struct err *err)
{
	struct err cause = { 0 };
	int rc = attempt->there ? password_verify(password, attempt->password_hash, &cause)
				: password_verify_nobody(password, &cause);

	if (rc == ERR_DENIED) {
		refused(attempt);
		return err_set(err, ERR_DENIED, "The name or the password is wrong.");
	}
	pthread_mutex_lock(&attempt->sign_ins->mutex);
	if (rc == 0)
		limiter_succeeded(attempt->sign_ins->limiter, attempt->name_key);
	end(attempt);
	pthread_mutex_unlock(&attempt->sign_ins->mutex);
	return rc == 0 ? account_role_parse(attempt->role, &attempt->found.role, err)
		       : err_set(err, rc, "%s", cause.text);
}

/* Who has an IPv6 address has all of its /64. */
static void name_source(const char *address, char *key, size_t capacity)
{
	char peer[KEY_BYTES], source[KEY_BYTES - 8];

	snprintf(peer, sizeof(peer), strchr(address, ':') != NULL ? "[%.100s]:0" : "%.100s:0", address);
	cooldown_source(peer, source, sizeof(source));
	snprintf(key, capacity, "source:%s", source);
}

int sign_in_check(struct api_call *call, struct sign_ins *sign_ins, const char *name, const char *password,
		  struct signed_in *ret_signed_in, span_us *ret_wait, struct err *err)
{
	struct attempt attempt = { .call = call, .sign_ins = sign_ins, .name = name };
	int rc;

	snprintf(attempt.name_key, sizeof(attempt.name_key), "name:%s", name);
	name_source(api_call_source(call), attempt.source_key, sizeof(attempt.source_key));
	rc = store_read(api_call_store(call), read_user, &attempt, err);
	if (rc == 0)
		rc = begin(&attempt, ret_wait, err);
	if (rc == 0)
		rc = verify(&attempt, password, err);
	if (rc == 0)
		*ret_signed_in = attempt.found;
	OPENSSL_cleanse(attempt.password_hash, sizeof(attempt.password_hash));
	return rc;
}

int sign_in_busy(struct api_call *call)
{
	api_header(call, "Retry-After", "1");
	return api_problem(call, 429, "Busy", "Others are being signed in. Try again in a second.");
}
