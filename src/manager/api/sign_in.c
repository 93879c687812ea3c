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

#define REMEMBERED    4096
#define KEY_BYTES     128
#define FAMILIAR_US   (30 * DAY_US) /* so long, and so many of a user's, are remembered from where it signed in well */
#define FAMILIAR_MOST 32
#define AT_ONCE       4 /* passwords that are looked at: each takes a worker, memory and time that others need */

/* A name from one address: 20 an hour at most, so that three addresses at least are needed to shut the name out for
 * others, which by_name does; it asks nothing of those from where the user signed in well of late. */
static const struct limiter_rule by_pair = { 5, 15 * MINUTE_US, 15 * MINUTE_US };
static const struct limiter_rule by_name = { 50, HOUR_US, HOUR_US };
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
	char pair_key[2 * KEY_BYTES];
	/* the user's row */
	bool there;
	struct signed_in found;
	char role[32];
	char password_hash[PASSWORD_ENCODED_BYTES];
	time_us locked_until; /* wall, for those from elsewhere; 0: not */
	bool familiar;        /* the user signed in well from there, of late */
};

static int read_familiar(struct store_session *session, struct attempt *attempt, struct err *err)
{
	struct cursor *cursor = cursor_open(session, &QUERY_SIGN_IN_SOURCE_KNOWN);

	cursor_bind_uuid(cursor, "user_id", &attempt->found.user);
	cursor_bind_text(cursor, "source", attempt->source_key);
	cursor_bind_number(cursor, "since", env_wall(api_call_env(attempt->call)) - FAMILIAR_US);
	attempt->familiar = cursor_next(cursor);
	return cursor_end(cursor, err);
}

static int read_user(struct store_session *session, void *argument, struct err *err)
{
	struct attempt *attempt = argument;
	struct cursor *cursor = cursor_open(session, &QUERY_USER_BY_NAME);
	int rc;

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
	rc = cursor_end(cursor, err);
	return rc == 0 && attempt->there ? read_familiar(session, attempt, err) : rc;
}

static span_us longer(span_us one, span_us other)
{
	return one > other ? one : other;
}

/* Under the mutex. */
static span_us locked_for(const struct attempt *attempt, time_us now)
{
	const struct limiter *limiter = attempt->sign_ins->limiter;
	span_us left =
	    longer(limiter_locked(limiter, attempt->pair_key, now), limiter_locked(limiter, attempt->source_key, now));

	if (attempt->familiar)
		return left;
	left = longer(left, limiter_locked(limiter, attempt->name_key, now));
	if (attempt->locked_until != 0)
		left = longer(left, attempt->locked_until - env_wall(api_call_env(attempt->call)));
	return left;
}

/* Those that are looked at count as refused until it is known, or many at once would all come before the lock. */
static bool is_one_too_many(const struct attempt *attempt, time_us now)
{
	const struct sign_ins *sign_ins = attempt->sign_ins;
	unsigned pair = limiter_failures(sign_ins->limiter, attempt->pair_key, &by_pair, now);
	unsigned name = limiter_failures(sign_ins->limiter, attempt->name_key, &by_name, now);
	unsigned source = limiter_failures(sign_ins->limiter, attempt->source_key, &by_source, now);

	for (size_t i = 0; i < AT_ONCE; i++) {
		const struct attempt *other = sign_ins->under_way[i];

		pair += other != NULL && strcmp(other->pair_key, attempt->pair_key) == 0;
		name += other != NULL && strcmp(other->name_key, attempt->name_key) == 0;
		source += other != NULL && strcmp(other->source_key, attempt->source_key) == 0;
	}
	return pair >= by_pair.failures || source >= by_source.failures ||
	       (!attempt->familiar && name >= by_name.failures);
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

/* The trace of a refusal: audit entry, event 664, and 603 when it was one of so many that they lock the name out. */
static void report(const struct attempt *attempt, const char *cause, unsigned locked)
{
	struct front *front = api_call_front(attempt->call);
	const char *source = api_call_source(attempt->call);
	const struct front_actor actor = {
		.kind = "user", .name = attempt->name, .id = attempt->found.user, .peer = source
	};
	const struct front_field refused[] = { { "user", attempt->name }, { "address", source }, { "cause", cause } };
	char count[12];
	const struct front_field lock[] = { { "user", attempt->name }, { "count", count }, { "address", source } };
	struct err err = { 0 };

	snprintf(count, sizeof(count), "%u", locked);

	if (front_audit_now(front, &actor, "session.create", attempt->name, "", "denied", &err) != 0)
		LOG(LOG_WARNING, "api.audit_failed", log_err(&err));
	front_event_later(front, EVENT_SIGN_IN_REFUSED, NULL, refused, COUNT_OF(refused));
	if (locked > 0)
		front_event_later(front, EVENT_USER_LOCKED_OUT, NULL, lock, COUNT_OF(lock));
}

static void refused(struct attempt *attempt)
{
	const struct env *env = api_call_env(attempt->call);
	struct limiter *limiter = attempt->sign_ins->limiter;
	time_us now = env_monotonic(env);
	struct err err = { 0 };
	bool here, everywhere;

	pthread_mutex_lock(&attempt->sign_ins->mutex);
	here = limiter_failed(limiter, attempt->pair_key, &by_pair, now);
	everywhere = limiter_failed(limiter, attempt->name_key, &by_name, now);
	limiter_failed(limiter, attempt->source_key, &by_source, now);
	end(attempt);
	pthread_mutex_unlock(&attempt->sign_ins->mutex);
	if (everywhere)
		attempt->locked_until = env_wall(env) + by_name.lock;
	if (attempt->there && store_write_wait(api_call_store(attempt->call), store_refusal, attempt, &err) != 0)
		LOG(LOG_WARNING, "api.refusal_not_stored", log_err(&err));
	report(attempt, attempt->there ? "wrong password" : "no such user",
	       everywhere ? by_name.failures
	       : here     ? by_pair.failures
			  : 0);
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
	if (rc == 0) /* what others guess at the name goes on to count */
		limiter_succeeded(attempt->sign_ins->limiter, attempt->pair_key);
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
	snprintf(attempt.pair_key, sizeof(attempt.pair_key), "%s %s", attempt.source_key, name);
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

int sign_in_note(struct api_call *call, struct store_session *session, const struct uuid *user, time_us now,
		 struct err *err)
{
	char source[KEY_BYTES];
	struct cursor *cursor = cursor_open(session, &QUERY_SIGN_IN_SOURCE_NOTE);
	int rc;

	name_source(api_call_source(call), source, sizeof(source));
	cursor_bind_uuid(cursor, "user_id", user);
	cursor_bind_text(cursor, "source", source);
	cursor_bind_number(cursor, "last", now);
	rc = cursor_run(cursor, err);
	if (rc != 0)
		return rc;
	cursor = cursor_open(session, &QUERY_SIGN_IN_SOURCE_FORGET);
	cursor_bind_uuid(cursor, "user_id", user);
	cursor_bind_number(cursor, "since", now - FAMILIAR_US);
	cursor_bind_number(cursor, "most", FAMILIAR_MOST);
	return cursor_run(cursor, err);
}

int sign_in_busy(struct api_call *call)
{
	api_header(call, "Retry-After", "1");
	return api_problem(call, 429, "Busy", "Others are being signed in. Try again in a second.");
}
