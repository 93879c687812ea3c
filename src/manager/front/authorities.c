/* The manager's authorities in front. What keys says is checked: it may have been taken over. */
#include "manager/front/authorities.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "fleet/event_types.h"
#include "manager/front/authority_loss.h"
#include "manager/front/authority_news.h"
#include "manager/front/certificates.h"
#include "manager/front/dialler.h"
#include "manager/front/tls_listeners.h"
#include "manager/layout.h"
#include "manager/queries.h"
#include "trust/authorities.h"
#include "trust/certificate.h"
#include "trust/identity.h"
#include "trust/roots.h"

#define TOLD_LATE_US  MINUTE_US              /* a moment so long ago has passed */
#define TOLD_AFTER_US (100 * MILLISECOND_US) /* two clocks: by both it is the moment then */

static const struct front_actor itself = { .kind = "system", .name = "manager", .peer = "" };

/* --- snapshots --- */

const struct front_authorities *authorities_now(const struct front *front)
{
	return front->authorities;
}

static void snapshot_free(struct front_authorities *made)
{
	if (made == NULL)
		return;
	free(made->pem);
	free(made->roots);
	free(made->issuing);
	free(made->chain);
	free(made->problem);
	free(made);
}

void front_authorities_free(struct front *front)
{
	struct front_authorities *next;

	for (struct front_authorities *made = front->authorities; made != NULL; made = next) {
		next = made->former;
		snapshot_free(made);
	}
	front->authorities = NULL;
}

/* The issuing one comes first; the newest is the last that was made. */
static int look_at_root(void *argument, const struct certificate_about *about)
{
	struct front_authorities *made = argument;

	if (made->life.not_after == 0) {
		made->life = (struct renewal_life){ about->not_before, about->not_after };
		memcpy(made->identity.ca_fingerprint, about->fingerprint, SHA256_BYTES);
		made->newest = about->not_before + AUTHORITY_BACKDATE_US;
		return 0;
	}
	if (made->first_end == INT64_MAX)
		memcpy(made->second, about->fingerprint, SHA256_BYTES);
	if (about->not_before + AUTHORITY_BACKDATE_US > made->newest)
		made->newest = about->not_before + AUTHORITY_BACKDATE_US;
	if (about->not_after < made->first_end)
		made->first_end = about->not_after;
	return 0;
}

static char *joined(const char *first, const char *second)
{
	char *text;

	return asprintf(&text, "%s%s", first, second) >= 0 ? text : NULL;
}

static int fill(struct front_authorities *made, const char *pem, struct err *err)
{
	struct buf roots, links, issuing;
	int rc;

	buf_init(&roots, AUTHORITIES_MAX_BYTES);
	buf_init(&links, AUTHORITIES_MAX_BYTES);
	buf_init(&issuing, AUTHORITIES_MAX_BYTES);
	rc = roots_split(pem, &issuing, &roots, &links, err);
	if (rc == 0)
		rc = certificate_each(roots.data, roots.size, look_at_root, made, err);
	if (rc == 0) {
		made->pem = strdup(pem);
		made->roots = strdup(buf_text(&roots));
		made->issuing = strdup(buf_text(&issuing));
		made->chain = joined(buf_text(&links), buf_text(&roots));
		if (made->pem == NULL || made->roots == NULL || made->issuing == NULL || made->chain == NULL)
			rc = err_set(err, ERR_MEMORY, "no memory for the authorities");
	}
	if (strcmp(buf_text(&roots), buf_text(&issuing)) == 0) /* there is but one */
		made->newest = 0;
	buf_done(&roots);
	buf_done(&links);
	buf_done(&issuing);
	return rc;
}

/* problem: NULL for none. known: keys has said so. */
static int take(struct front *front, const char *pem, bool has_next, const char *problem, bool known, struct err *err)
{
	struct front_authorities *made = calloc(1, sizeof(*made));
	int rc;

	if (made == NULL)
		return err_set(err, ERR_MEMORY, "no memory for the authorities");
	*made = (struct front_authorities){
		.former = front->authorities, .identity = front->identity, .has_next = has_next, .first_end = INT64_MAX
	};
	rc = fill(made, pem, err);
	if (rc == 0 && problem != NULL && (made->problem = strdup(problem)) == NULL)
		rc = err_set(err, ERR_MEMORY, "no memory for the authorities");
	if (rc != 0) {
		snapshot_free(made);
		return rc;
	}
	made->identity.ca_pem = made->pem;
	made->known = known;
	front->authorities = made;
	return 0;
}

int authorities_begin(struct front *front, const char *pem, struct err *err)
{
	return take(front, pem, false, NULL, false, err);
}

int authorities_ready(const struct front *front, struct err *err)
{
	return authorities_now(front)->problem == NULL
		   ? 0
		   : err_set(err, ERR_BUSY,
			     "this manager can issue no certificates now: the key of its authority has to be put back "
			     "or restored first");
}

/* --- agents without the newest root --- */

struct counting {
	time_us newest;
	int64_t connected, computers;
};

static int count(struct store_session *session, void *argument, struct err *err)
{
	struct counting *counting = argument;
	struct cursor *cursor = cursor_open(session, &QUERY_RENEWAL_WITHOUT);
	int rc;

	cursor_bind_number(cursor, "newest", counting->newest);
	if (cursor_next(cursor))
		counting->connected = cursor_number(cursor, "connected");
	rc = cursor_end(cursor, err);
	if (rc != 0)
		return rc;
	cursor = cursor_open(session, &QUERY_RENEWAL_COMPUTERS);
	if (cursor_next(cursor))
		counting->computers = cursor_number(cursor, "computers");
	return cursor_end(cursor, err);
}

/* Also over how long they are told. */
static int count_agents(struct front *front, struct counting *counting, struct err *err)
{
	int rc = store_read(front->store, count, counting, err);

	if (rc == 0)
		front->authorities_spread = authority_spread((size_t)counting->computers,
							     stored_setting_number(front->stored, STORED_ROLLOUT_RATE));
	return rc;
}

struct telling {
	struct front *front;
	time_us newest, wall, monotonic;
};

/* Those whose moment has long passed were told then, or are with their next report: they do not come all at once. */
static void tell_one(const struct telling *telling, const struct uuid *computer, const uint8_t *fingerprint)
{
	struct shard *shard = shards_of(telling->front->shards, computer);
	uint64_t seed;
	span_us wait;

	memcpy(&seed, fingerprint, sizeof(seed));
	wait = authority_told_at(telling->newest, telling->front->authorities_spread, seed) - telling->wall;
	if (wait < -TOLD_LATE_US)
		return;
	pthread_mutex_lock(&shard->lock);
	(void)fleet_want_reply(shard->fleet, computer, telling->monotonic + (wait > 0 ? wait : 0) + TOLD_AFTER_US,
			       NULL);
	pthread_mutex_unlock(&shard->lock);
}

static int tell_each(struct store_session *session, void *argument, struct err *err)
{
	const struct telling *telling = argument;
	struct cursor *cursor = cursor_open(session, &QUERY_RENEWAL_UNTOLD);

	cursor_bind_number(cursor, "newest", telling->newest);
	while (cursor_next(cursor)) {
		struct bytes fingerprint = cursor_bytes(cursor, "certificate_fingerprint");
		struct uuid computer;

		cursor_uuid(cursor, "id", &computer);
		if (fingerprint.size == SHA256_BYTES)
			tell_one(telling, &computer, fingerprint.data);
	}
	return cursor_end(cursor, err);
}

/* What cannot be done here is done by the next report of each. */
static void tell_agents(struct front *front)
{
	const struct telling telling = { front, authorities_now(front)->newest, env_wall(front->env),
					 env_monotonic(front->env) };
	struct counting counting = { .newest = telling.newest };
	struct err err = { 0 };
	int rc = count_agents(front, &counting, &err);

	if (rc == 0 && telling.newest != 0)
		rc = store_read(front->store, tell_each, (void *)(uintptr_t)&telling, &err);
	if (rc != 0)
		LOG(LOG_WARNING, "authorities.agents_not_told", log_err(&err));
}

/* --- what keys has --- */

int front_authority_ready(const struct front *front, struct err *err)
{
	const char *problem = authorities_now(front)->problem;

	return problem == NULL ? 0
			       : err_set(err, ERR_WRONG_STATE,
					 "No certificate can be issued: %.250s. Put " LAYOUT_KEYS_CA
					 " back into the manager's data directory, or restore it from a backup: muster "
					 "cert restore FILE",
					 problem);
}

static bool is_known(const struct front_authorities *before, const struct message_authorities *state)
{
	return before->known && before->problem == NULL && strcmp(before->pem, state->pem) == 0 &&
	       before->has_next == state->has_next;
}

/* keys cannot use what it has: those of before go on counting, and nobody issues. */
static int use_none(struct front *front, const char *why, struct err *err)
{
	const struct front_authorities *before = authorities_now(front);

	if (before->problem != NULL && strcmp(before->problem, why) == 0)
		return 0;
	return take(front, before->pem, before->has_next, why, false, err);
}

/* Under the turn. Nothing is done when it is what is known already. */
static int use(struct front *front, const struct message_authorities *state, struct err *err)
{
	const struct front_authorities *before = authorities_now(front);
	bool back = before->problem != NULL;
	int rc;

	if (state->why[0] != '\0')
		return use_none(front, state->why, err);
	if (is_known(before, state))
		return 0;
	rc = take(front, state->pem, state->has_next, NULL, true, err);
	if (rc != 0)
		return rc;
	if (strcmp(before->pem, state->pem) != 0) {
		tls_listeners_certified(front->listeners);
		dialler_certified(front->dialler);
	}
	if (back)
		certificates_retry(front);
	tell_agents(front);
	return 0;
}

static int ask(struct front *front, uint16_t type, struct err *err)
{
	span_us grace = stored_setting_number(front->stored, STORED_RENEWAL_GRACE);
	time_us now = env_wall(front->env), ended = grace < now ? now - grace : 0;
	struct message_authorities *state = malloc(sizeof(*state));
	int rc;

	if (state == NULL)
		return err_set(err, ERR_MEMORY, "no memory for the authorities");
	rc = signer_authorities(front->signer, type, ended, state, err);
	if (rc == 0)
		rc = use(front, state, err);
	free(state);
	return rc;
}

static void ask_keys(void *argument)
{
	struct front *front = argument;
	struct err err = { 0 };

	pthread_mutex_lock(&front->authorities_turn);
	if (ask(front, MESSAGE_AUTHORITIES, &err) != 0 || authority_news_tell(front, &itself, &err) != 0)
		LOG(LOG_ERROR, "authorities.not_known", log_err(&err));
	else
		front->authorities_again = 0; /* what failed with the keys of before is not for these to wait for */
	authority_loss_tell(front);
	pthread_mutex_unlock(&front->authorities_turn);
}

void authorities_attached(struct front *front)
{
	if (front_work(front, ask_keys, front) != 0)
		LOG(LOG_ERROR, "authorities.not_asked", log_text("error", "too much to do"));
}

/* --- one follows another --- */

/* The messages by which there come to be others. */
static const uint16_t messages[] = {
	[AUTHORITY_STAYS] = 0,
	[AUTHORITY_PREPARES] = MESSAGE_PREPARE_AUTHORITY,
	[AUTHORITY_TURNS] = MESSAGE_TURN_AUTHORITY,
};

/* keys has it on its disk before it is told here: what a crash in between leaves untold is told when keys says what it
 * has. So it has to have been heard before. */
static int change(struct front *front, enum authority_step step, const struct front_actor *actor, struct err *err)
{
	int rc = authorities_now(front)->known ? 0 : ask(front, MESSAGE_AUTHORITIES, err);

	if (rc == 0)
		rc = authority_news_tell(front, &itself, err);
	if (rc == 0)
		rc = ask(front, messages[step], err);
	if (rc != 0)
		return rc;
	front->authorities_waited = -1;
	LOG(LOG_INFO, step == AUTHORITY_TURNS ? "authority.turn" : "authority.prepare");
	return authority_news_tell(front, actor, err);
}

int front_authority_renew(struct front *front, const struct front_actor *actor, struct err *err)
{
	int rc;

	pthread_mutex_lock(&front->authorities_turn);
	rc = change(front, AUTHORITY_PREPARES, actor, err);
	pthread_mutex_unlock(&front->authorities_turn);
	return rc;
}

struct noting {
	struct front *front;
	const struct front_actor *actor;
};

static int write_restored(struct store_session *session, void *argument, struct err *err)
{
	const struct noting *noting = argument;
	char fingerprint[SHA256_TEXT_BYTES];

	hex_format(authorities_now(noting->front)->identity.ca_fingerprint, SHA256_BYTES, fingerprint);
	return front_audit(noting->front, session, noting->actor, "authority.restore", fingerprint, "", "done", err);
}

int front_authority_restored(struct front *front, const struct front_actor *actor, struct err *err)
{
	struct noting noting = { front, actor };
	int rc;

	pthread_mutex_lock(&front->authorities_turn);
	rc = ask(front, MESSAGE_AUTHORITIES, err);
	if (rc == 0)
		rc = store_write_wait(front->store, write_restored, &noting, err);
	if (rc == 0)
		rc = authority_news_tell(front, actor, err);
	authority_loss_tell(front);
	pthread_mutex_unlock(&front->authorities_turn);
	return rc;
}

/* --- when --- */

static int review(struct front *front, struct err *err)
{
	const struct front_authorities *now = authorities_now(front);
	struct authority_state state = { .issuing = now->life, .has_next = now->has_next };
	struct counting counting = { .newest = now->newest };
	time_us moment = env_wall(front->env);
	span_us grace = stored_setting_number(front->stored, STORED_RENEWAL_GRACE);
	enum authority_step step;
	int rc = now->newest != 0 ? count_agents(front, &counting, err) : 0;

	if (rc != 0)
		return rc;
	state.without = (size_t)counting.connected;
	state.told_by = now->newest + front->authorities_spread;
	front->authorities_turns_by = authority_turns_by(&state);
	front->authorities_waited = counting.connected;
	step = authority_step(&state, moment);
	if (step != AUTHORITY_STAYS)
		return change(front, step, &itself, err);
	if (now->first_end != INT64_MAX && !renewal_in_grace(now->first_end, moment, grace))
		return ask(front, MESSAGE_DROP_AUTHORITIES, err);
	return 0;
}

bool authorities_waiting(const struct front *front, int64_t *ret_agents, time_us *ret_until)
{
	*ret_agents = front->authorities_waited;
	*ret_until = front->authorities_turns_by;
	return authorities_now(front)->has_next;
}

/* Of the one that issues now; an administrator's is none of ours. */
static int is_ours(void *argument, const struct certified_key *pair, struct err *err)
{
	const struct front_authorities *now = argument;

	(void)err;
	return certificate_signed_by(buf_text(&pair->chain), now->issuing, NULL) != 0 &&
		       certificate_signed_by(buf_text(&pair->chain), now->roots, NULL) == 0
		   ? ERR_EXPIRED
		   : 0;
}

/* The manager's own certificates are of the authority that issues: whoever is given it alone trusts them. */
static int certify_anew(struct front *front, struct err *err)
{
	const struct front_authorities *now = authorities_now(front);
	int rc = 0;

	for (int use = 0; rc == 0 && use < CERTIFICATE_USES; use++) {
		if (certificates_lend(front->certificates, (enum certificate_use)use, is_ours, (void *)(uintptr_t)now,
				      NULL) == ERR_EXPIRED)
			rc = certificates_renew(front, (enum certificate_use)use, &itself, err);
	}
	return rc == ERR_WRONG_STATE ? 0 : rc;
}

/* After a failure not before a while: nothing of it is urgent. */
void authorities_review(void *argument)
{
	struct front *front = argument;
	struct err err = { 0 };
	int rc = 0;

	pthread_mutex_lock(&front->authorities_turn);
	authority_loss_tell(front);
	if (authorities_now(front)->known && env_monotonic(front->env) >= front->authorities_again) {
		rc = authority_news_tell(front, &itself, &err);
		if (rc == 0)
			rc = review(front, &err);
		if (rc == 0 && authorities_now(front)->newest != 0)
			rc = certify_anew(front, &err);
	}
	if (rc != 0) {
		front->authorities_again = env_monotonic(front->env) + 10 * MINUTE_US;
		LOG(LOG_ERROR, "authorities.not_reviewed", log_err(&err));
	}
	pthread_mutex_unlock(&front->authorities_turn);
}

bool authorities_to_tell(const struct front *front, time_us roots, uint64_t seed)
{
	const struct front_authorities *now = authorities_now(front);

	return now->newest > roots &&
	       authority_told_at(now->newest, front->authorities_spread, seed) <= env_wall(front->env);
}
