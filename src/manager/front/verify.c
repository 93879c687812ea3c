/* Verifying connections. Ids come from people and are looked up; all else is our own. */
#include "manager/front/verify.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "manager/front/front_state.h"
#include "manager/queries.h"

#define RUNNING_MAX    4
#define ASK_STEP       500              /* questions a tick */
#define ANSWER_SPAN_US (20 * SECOND_US) /* an agent that is there answers within this */
#define RESULTS_STEP   2000             /* rows a write */

struct item {
	struct uuid computer;
	time_us asked;  /* monotonic */
	bool over_poll; /* there was a held poll to ask over */
};

/* items: first those asked, then those still to be asked. */
struct verification {
	struct verification *next;
	struct uuid id;
	struct item *items;
	size_t asked, count;
};

struct verifier {
	pthread_mutex_t lock; /* of the list; a verification in it belongs to the tick */
	struct verification *running;
	unsigned count;
};

enum outcome { OUTCOME_ANSWERED, OUTCOME_SILENT, OUTCOME_AWAY };
static const char *const outcome_names[] = { "answered", "silent", "away" };

struct result {
	struct uuid computer;
	enum outcome outcome;
	span_us elapsed;
	span_us silence; /* -1: never heard */
	char cause[160];
};

int verifier_new(struct verifier **ret_verifier, struct err *err)
{
	struct verifier *verifier = calloc(1, sizeof(*verifier));

	if (verifier == NULL)
		return err_set(err, ERR_MEMORY, "verifying: no memory");
	pthread_mutex_init(&verifier->lock, NULL);
	*ret_verifier = verifier;
	return 0;
}

static void verification_free(struct verification *verification)
{
	if (verification == NULL)
		return;
	free(verification->items);
	free(verification);
}

void verifier_free(struct verifier *verifier)
{
	if (verifier == NULL)
		return;
	while (verifier->running != NULL) {
		struct verification *verification = verifier->running;

		verifier->running = verification->next;
		verification_free(verification);
	}
	pthread_mutex_destroy(&verifier->lock);
	free(verifier);
}

/* --- rows --- */

static int write_ended(struct store_session *session, void *argument, struct err *err)
{
	const struct front *front = argument;
	struct cursor *cursor = cursor_open(session, &QUERY_VERIFICATION_END_ALL);

	cursor_bind_number(cursor, "ended", env_wall(front->env));
	return cursor_run(cursor, err);
}

int verify_load(struct front *front, struct err *err)
{
	int rc = store_write_wait(front->store, write_ended, front, err);

	return rc == 0 ? 0 : err_add(err, rc, "verifications");
}

struct results {
	struct front *front;
	const struct uuid *verification;
	struct result *items;
	size_t count;
	bool last; /* then it has ended */
};

static int write_result(const struct results *results, const struct result *result, struct store_session *session,
			struct err *err)
{
	struct cursor *cursor = cursor_open(session, &QUERY_VERIFICATION_RESULT_INSERT);

	cursor_bind_uuid(cursor, "verification", results->verification);
	cursor_bind_uuid(cursor, "computer", &result->computer);
	cursor_bind_text(cursor, "outcome", outcome_names[result->outcome]);
	if (result->outcome == OUTCOME_ANSWERED)
		cursor_bind_number(cursor, "elapsed_us", result->elapsed);
	else
		cursor_bind_null(cursor, "elapsed_us");
	if (result->outcome == OUTCOME_ANSWERED || result->silence < 0)
		cursor_bind_null(cursor, "silent_us");
	else
		cursor_bind_number(cursor, "silent_us", result->silence);
	cursor_bind_text(cursor, "cause", result->cause);
	return cursor_run(cursor, err);
}

static int write_results(struct store_session *session, void *argument, struct err *err)
{
	const struct results *results = argument;
	struct cursor *cursor;
	int rc = 0;

	for (size_t i = 0; i < results->count && rc == 0; i++)
		rc = write_result(results, &results->items[i], session, err);
	if (rc != 0 || !results->last)
		return rc;
	cursor = cursor_open(session, &QUERY_VERIFICATION_END);
	cursor_bind_uuid(cursor, "id", results->verification);
	cursor_bind_number(cursor, "ended", env_wall(results->front->env));
	return cursor_run(cursor, err);
}

/* --- asking, and looking for the answer --- */

static void ask(struct front *front, struct item *item)
{
	struct shard *shard = shards_of(front->shards, &item->computer);

	pthread_mutex_lock(&shard->lock);
	item->asked = env_monotonic(front->env);
	if (fleet_ask(shard->fleet, &item->computer, &item->over_poll, NULL) != 0)
		item->over_poll = false;
	if (!item->over_poll) /* of one that listens: it is dialled */
		(void)fleet_dial_now(shard->fleet, &item->computer, NULL);
	pthread_mutex_unlock(&shard->lock);
}

static void ask_some(struct front *front, struct verification *verification)
{
	for (size_t i = 0; i < ASK_STEP && verification->asked < verification->count; i++)
		ask(front, &verification->items[verification->asked++]);
}

static void describe(const struct fleet_computer *shown, const struct item *item, time_us wall, struct result *result)
{
	char interval[TIME_TEXT_BYTES];

	result->silence = shown->last_heard != 0 ? wall - shown->last_heard : -1;
	if (result->silence < 0 && shown->last_heard != 0)
		result->silence = 0; /* our clock was set back */
	result->outcome = item->over_poll ? OUTCOME_SILENT : OUTCOME_AWAY;
	span_format(shown->interval_us, interval);
	if (item->over_poll)
		snprintf(result->cause, sizeof(result->cause), "its held connection was answered, and nothing came");
	else if (shown->status == FLEET_ONLINE)
		snprintf(result->cause, sizeof(result->cause), "no connection is held; it reports every %s by itself",
			 interval);
	else
		snprintf(result->cause, sizeof(result->cause), "%s", shown->cause);
}

/* False: not yet. */
static bool settle(struct front *front, const struct item *item, struct result *result)
{
	struct shard *shard = shards_of(front->shards, &item->computer);
	struct fleet_computer shown;
	int rc;

	pthread_mutex_lock(&shard->lock);
	rc = fleet_show(shard->fleet, &item->computer, &shown, NULL);
	pthread_mutex_unlock(&shard->lock);
	*result = (struct result){ .computer = item->computer };
	if (rc != 0) {
		result->outcome = OUTCOME_AWAY;
		result->silence = -1;
		snprintf(result->cause, sizeof(result->cause), "the computer was deleted");
		return true;
	}
	if (shown.heard > item->asked) {
		result->elapsed = shown.heard - item->asked;
		return true;
	}
	if (env_monotonic(front->env) - item->asked < ANSWER_SPAN_US)
		return false;
	describe(&shown, item, env_wall(front->env), result);
	return true;
}

static void take_out(struct verification *verification, size_t index)
{
	struct item *items = verification->items;

	items[index] = items[--verification->asked];
	items[verification->asked] = items[--verification->count];
}

/* True: it has ended. Nothing is taken out before its row is stored. */
static bool advance(struct front *front, struct verification *verification)
{
	struct results results = { .front = front, .verification = &verification->id };
	struct err err = { 0 };
	size_t *places;

	ask_some(front, verification);
	results.items = calloc(RESULTS_STEP, sizeof(*results.items));
	places = calloc(RESULTS_STEP, sizeof(*places));
	for (size_t i = 0; results.items != NULL && places != NULL && i < verification->asked; i++) {
		if (results.count == RESULTS_STEP)
			break;
		if (settle(front, &verification->items[i], &results.items[results.count]))
			places[results.count++] = i;
	}
	results.last = results.count == verification->count;
	if ((results.count > 0 || results.last) && store_write_wait(front->store, write_results, &results, &err) != 0) {
		LOG(LOG_ERROR, "verify.not_stored", log_err(&err)); /* the next tick tries again */
		results.count = 0;
		results.last = false;
	}
	for (size_t i = results.count; places != NULL && i > 0; i--)
		take_out(verification, places[i - 1]);
	free(places);
	free(results.items);
	return results.last;
}

static void unlink_ended(struct verifier *verifier, struct verification *ended)
{
	struct verification **at = &verifier->running;

	pthread_mutex_lock(&verifier->lock);
	while (*at != ended)
		at = &(*at)->next;
	*at = ended->next;
	verifier->count--;
	pthread_mutex_unlock(&verifier->lock);
	verification_free(ended);
}

void verify_tick(void *argument)
{
	struct front *front = argument;
	struct verification *verification, *next;

	pthread_mutex_lock(&front->verifier->lock);
	verification = front->verifier->running;
	pthread_mutex_unlock(&front->verifier->lock);
	for (; verification != NULL; verification = next) {
		next = verification->next; /* new ones are put in front */
		if (advance(front, verification))
			unlink_ended(front->verifier, verification);
	}
}

/* --- beginning --- */

struct beginning {
	struct front *front;
	const struct front_actor *actor;
	const struct uuid *given; /* NULL: all */
	size_t given_count;
	bool scheduled;
	struct verification *verification;
};

static int read_all(struct store_session *session, void *argument, struct err *err)
{
	struct verification *verification = argument;
	struct cursor *cursor = cursor_open(session, &QUERY_VERIFICATION_COMPUTERS);
	size_t capacity = 0;
	int rc = 0, done;

	while (rc == 0 && cursor_next(cursor)) {
		if (verification->count == capacity) {
			struct item *items;

			capacity = capacity * 2 + 256;
			items = reallocarray(verification->items, capacity, sizeof(*items));
			if (items == NULL) {
				rc = err_set(err, ERR_MEMORY, "no memory");
				break;
			}
			verification->items = items;
		}
		verification->items[verification->count] = (struct item){ 0 };
		cursor_uuid(cursor, "id", &verification->items[verification->count++].computer);
	}
	done = cursor_end(cursor, rc == 0 ? err : NULL);
	return rc != 0 ? rc : done;
}

static bool is_known(struct front *front, const struct uuid *computer)
{
	struct shard *shard = shards_of(front->shards, computer);
	struct fleet_computer shown;
	int rc;

	pthread_mutex_lock(&shard->lock);
	rc = fleet_show(shard->fleet, computer, &shown, NULL);
	pthread_mutex_unlock(&shard->lock);
	return rc == 0;
}

static int take_given(const struct beginning *beginning, struct err *err)
{
	struct verification *verification = beginning->verification;

	verification->items = calloc(beginning->given_count + 1, sizeof(*verification->items));
	if (verification->items == NULL)
		return err_set(err, ERR_MEMORY, "no memory");
	for (size_t i = 0; i < beginning->given_count; i++) {
		if (!is_known(beginning->front, &beginning->given[i]))
			return err_set(err, ERR_NOT_FOUND, "One of the computers does not exist.");
		verification->items[verification->count++].computer = beginning->given[i];
	}
	return 0;
}

static int write_begun(struct store_session *session, void *argument, struct err *err)
{
	const struct beginning *beginning = argument;
	struct cursor *cursor = cursor_open(session, &QUERY_VERIFICATION_INSERT);
	char id[UUID_TEXT_BYTES];
	int rc;

	uuid_format(&beginning->verification->id, id);
	cursor_bind_uuid(cursor, "id", &beginning->verification->id);
	cursor_bind_number(cursor, "started", env_wall(beginning->front->env));
	cursor_bind_text(cursor, "started_by", beginning->actor->name);
	cursor_bind_number(cursor, "scheduled", beginning->scheduled);
	cursor_bind_number(cursor, "total", (int64_t)beginning->verification->count);
	rc = cursor_run(cursor, err);
	return rc == 0
		   ? front_audit(beginning->front, session, beginning->actor, "computer.verify", id, "", "done", err)
		   : rc;
}

static int admit(struct verifier *verifier, struct err *err)
{
	int rc = 0;

	pthread_mutex_lock(&verifier->lock);
	if (verifier->count == RUNNING_MAX)
		rc = err_set(err, ERR_BUSY, "%d verifications are under way; wait until one has ended", RUNNING_MAX);
	else
		verifier->count++;
	pthread_mutex_unlock(&verifier->lock);
	return rc;
}

static int begin(struct beginning *beginning, struct uuid *ret_id, struct err *err)
{
	struct front *front = beginning->front;
	struct verification *verification = calloc(1, sizeof(*verification));
	int rc = verification == NULL ? err_set(err, ERR_MEMORY, "no memory") : admit(front->verifier, err);

	if (rc != 0) {
		free(verification);
		return rc;
	}
	beginning->verification = verification;
	verification->id = env_uuid(front->env);
	rc = beginning->given != NULL ? take_given(beginning, err)
				      : store_read(front->store, read_all, verification, err);
	if (rc == 0)
		rc = store_write_wait(front->store, write_begun, beginning, err);
	pthread_mutex_lock(&front->verifier->lock);
	if (rc == 0) {
		*ret_id = verification->id;
		verification->next = front->verifier->running;
		front->verifier->running = verification;
	} else {
		front->verifier->count--;
	}
	pthread_mutex_unlock(&front->verifier->lock);
	if (rc != 0)
		verification_free(verification);
	return rc;
}

int front_verify(struct front *front, const struct uuid *computers, size_t count, const struct front_actor *actor,
		 struct uuid *ret_id, struct err *err)
{
	struct beginning beginning = { .front = front, .actor = actor, .given = computers, .given_count = count };

	return begin(&beginning, ret_id, err);
}

/* --- by the clock --- */

static int read_last(struct store_session *session, void *argument, struct err *err)
{
	struct cursor *cursor = cursor_open(session, &QUERY_VERIFICATION_LAST_SCHEDULED);

	if (cursor_next(cursor) && !cursor_is_null(cursor, "started"))
		*(time_us *)argument = cursor_number(cursor, "started");
	return cursor_end(cursor, err);
}

void verify_schedule(void *argument)
{
	static const struct front_actor actor = { .kind = "system", .name = "schedule", .peer = "" };
	struct front *front = argument;
	struct beginning beginning = { .front = front, .actor = &actor, .scheduled = true };
	int64_t interval = stored_setting_number(front->stored, STORED_VERIFY_INTERVAL);
	time_us last = front->started, now = env_wall(front->env);
	struct err err = { 0 };
	struct uuid id;

	if (interval == CONF_UNLIMITED || store_read(front->store, read_last, &last, &err) != 0)
		return;
	/* A clock that was set back must not put it off for years. */
	if (now - last < interval && last <= now)
		return;
	if (begin(&beginning, &id, &err) != 0)
		LOG(LOG_WARNING, "verify.not_begun", log_err(&err));
}
