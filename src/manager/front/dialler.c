/* The dialler's loop: takes from each shard who is due, as long as there is room. */
#include "manager/front/dialler.h"

#include <stdlib.h>

#include "base/log.h"
#include "manager/front/agent_http.h"
#include "manager/front/dialler_parts.h"

#define DIALLER_TURNED_MAX   256
#define DIALLER_SESSIONS_MAX 100000
#define TURNED_IDLE_US       (15 * SECOND_US) /* the agent asks one thing after another, or is done */
#define IDENTITY_AGAIN_US    (30 * SECOND_US)
#define SESSIONS_LOOK_US     (12 * HOUR_US)

/* --- who is due --- */

/* False: nobody of this shard; *next is lowered to when somebody is. */
static bool dial_one(struct dialler *dialler, struct shard *shard, time_us *next)
{
	struct uuid computer;
	uint16_t port;
	time_us then;
	bool due;

	pthread_mutex_lock(&shard->lock);
	due = fleet_dial_due(shard->fleet, &computer, &port, &then);
	pthread_mutex_unlock(&shard->lock);
	if (!due) {
		*next = then < *next ? then : *next;
		return false;
	}
	dialler->active++;
	if (++dialler->under_way > dialler->highest)
		dialler->highest = dialler->under_way;
	dial_talk_begin(dialler, shard, &computer, port);
	return true;
}

static void step(void *argument)
{
	struct dialler *dialler = argument;
	time_us now = env_monotonic(dialler->front->env), next = INT64_MAX;
	size_t empty = 0;

	dialler->poked = false;
	while (!dialler->stopping && dialler->tls != NULL && empty < SHARD_COUNT && dialler->active < dialler->most) {
		struct shard *shard = shards_at(dialler->front->shards, dialler->first_shard++ % SHARD_COUNT);

		empty = dial_one(dialler, shard, &next) ? 0 : empty + 1;
	}
	if (next != INT64_MAX && dialler->active < dialler->most)
		loop_timer_set(dialler->timer, next > now ? next - now : MILLISECOND_US);
}

void dialler_poke(void *context)
{
	struct dialler *dialler = ((struct front *)context)->dialler;

	if (dialler == NULL || atomic_exchange(&dialler->poked, true))
		return;
	if (loop_post(dialler->loop, step, dialler) != 0)
		dialler->poked = false;
}

static void end_if_done(struct dialler *dialler)
{
	if (dialler->stopping && dialler->active == 0)
		loop_stop(dialler->loop);
}

void dial_talk_ended(struct dialler *dialler)
{
	dialler->active--;
	dialler->under_way--;
	loop_timer_set(dialler->timer, 0);
	end_if_done(dialler);
}

/* --- turned connections: requests of agents, as on the manager's own port --- */

static uint64_t on_request(void *context, struct http_request *http)
{
	if (agent_http_is(http))
		return agent_http_on_request(context, http);
	http_problem(http, 404, "Not found", "An agent that was dialled is served /agent/ alone.");
	return 0;
}

static void on_body(struct http_request *http, const uint8_t *bytes, size_t size)
{
	if (http_data(http) != NULL)
		agent_http_on_body(http, bytes, size);
}

static void on_complete(struct http_request *http)
{
	if (http_data(http) != NULL)
		agent_http_on_complete(http);
}

static void on_gone(struct http_request *http)
{
	if (http_data(http) != NULL)
		agent_http_on_gone(http);
}

static int make_turned(struct dialler *dialler, struct err *err)
{
	const struct http_handlers handlers = { on_request, on_body, on_complete, on_gone, dialler->front };
	struct http_limits limits = http_limits_default;
	struct tls_server *none = NULL; /* nobody connects to it */

	limits.connections = DIALLER_TURNED_MAX;
	limits.idle = TURNED_IDLE_US;
	dialler->turned = http_server_new(&dialler->loop, &none, 1, &limits, &handlers, err);
	return dialler->turned != NULL ? 0 : err->code;
}

int dialler_serve(struct dialler *dialler, struct bufferevent *connection, const char *peer, struct err *err)
{
	return http_server_adopt(dialler->turned, connection, peer, err);
}

/* --- whoever is not to be talked with any more --- */

struct forgotten {
	struct dialler *dialler;
	struct uuid computer;
};

static void forget(void *argument)
{
	struct forgotten *forgotten = argument;
	struct talk *next;

	for (struct talk *talk = forgotten->dialler->talks; talk != NULL; talk = next) {
		next = dial_talk_next(talk);
		if (uuid_equal(dial_talk_computer(talk), &forgotten->computer))
			dial_talk_cut(talk);
	}
	tls_session_free(dial_sessions_take(forgotten->dialler->sessions, &forgotten->computer));
	free(forgotten);
}

void dialler_forget(struct dialler *dialler, const struct uuid *computer)
{
	struct forgotten *forgotten = dialler != NULL ? malloc(sizeof(*forgotten)) : NULL;

	if (forgotten == NULL)
		return; /* what it still says is refused: it is in no shard */
	*forgotten = (struct forgotten){ dialler, *computer };
	if (loop_post(dialler->loop, forget, forgotten) != 0)
		free(forgotten);
}

void dialler_drop(struct dialler *dialler, const uint8_t fingerprint[SHA256_BYTES])
{
	if (dialler != NULL)
		(void)http_server_drop(dialler->turned, fingerprint, NULL);
}

/* --- the certificate --- */

static bool is_used(const struct dialler *dialler, const struct tls_client *tls)
{
	struct http_server_counters counters;

	for (const struct talk *talk = dialler->talks; talk != NULL; talk = dial_talk_next(talk)) {
		if (dial_talk_uses(talk, tls))
			return true;
	}
	http_server_counters(dialler->turned, &counters);
	return counters.connections > 0;
}

static void let_go_of_retired(struct dialler *dialler)
{
	if (dialler->retired == NULL || is_used(dialler, dialler->retired))
		return;
	tls_client_free(dialler->retired);
	dialler->retired = NULL;
}

/* Connections under way end with the certificate that they began with; who dials a large fleet is never without any.
 * False: with two in use, a third is taken a little later. */
static bool take_made(struct dialler *dialler)
{
	bool taken = true;

	let_go_of_retired(dialler);
	if (dialler->made != NULL && dialler->retired == NULL) {
		dialler->retired = dialler->tls;
		dialler->tls = dialler->made;
		dialler->made = NULL;
		dial_sessions_clear(dialler->sessions);
		let_go_of_retired(dialler);
	} else {
		taken = false;
	}
	tls_client_free(dialler->made);
	dialler->made = NULL;
	return taken;
}

static void took_identity(void *argument)
{
	struct dialler *dialler = argument;
	bool taken = take_made(dialler);

	dialler->active--;
	dialler->making = false;
	if (dialler->wanted && taken)
		loop_timer_set(dialler->identity, 0);
	else
		loop_timer_set(dialler->identity, taken ? SESSIONS_LOOK_US : IDENTITY_AGAIN_US);
	dialler->wanted |= !taken;
	step(dialler);
	end_if_done(dialler);
}

static void make_identity(void *argument)
{
	struct dialler *dialler = argument;
	struct err err = { 0 };

	if (dial_identity(dialler->front, false, &dialler->made, &err) != 0)
		LOG(LOG_ERROR, "dial.no_certificate", log_err(&err));
	if (loop_post(dialler->loop, took_identity, dialler) != 0)
		LOG(LOG_ERROR, "dial.lost", log_text("error", "no memory"));
}

static void want_identity(void *argument)
{
	struct dialler *dialler = argument;

	dialler->wanted = true;
	if (dialler->stopping || dialler->making)
		return;
	dialler->making = front_work(dialler->front, make_identity, dialler) == 0;
	dialler->wanted = !dialler->making;
	if (dialler->making)
		dialler->active++; /* as long as a worker holds it */
	else
		loop_timer_set(dialler->identity, IDENTITY_AGAIN_US);
}

static void look_again(void *argument)
{
	struct dialler *dialler = argument;

	dial_sessions_sweep(dialler->sessions);
	if (dialler->wanted)
		want_identity(dialler);
	else
		loop_timer_set(dialler->identity, SESSIONS_LOOK_US);
}

void dialler_certified(struct dialler *dialler)
{
	if (dialler != NULL && loop_post(dialler->loop, want_identity, dialler) != 0)
		LOG(LOG_ERROR, "dial.not_certified", log_text("error", "no memory"));
}

/* --- life --- */

static void *run(void *argument)
{
	struct dialler *dialler = argument;

	loop_run(dialler->loop);
	return NULL;
}

static void begin(void *argument)
{
	want_identity(argument);
}

int dialler_start(struct front *front, struct dialler **ret_dialler, struct err *err)
{
	struct dialler *dialler = calloc(1, sizeof(*dialler));
	int rc = 0;

	if (dialler == NULL)
		return err_set(err, ERR_MEMORY, "no memory for the dialler");
	dialler->front = front;
	dialler->most = (unsigned)front->settings.dial_concurrency;
	dialler->loop = loop_new(err);
	if (dialler->loop == NULL) {
		free(dialler);
		return err->code;
	}
	dialler->sessions = dial_sessions_new(front->env, DIALLER_SESSIONS_MAX);
	dialler->timer = loop_timer_new(dialler->loop, step, dialler);
	dialler->identity = loop_timer_new(dialler->loop, look_again, dialler);
	if (dialler->sessions == NULL || dialler->timer == NULL || dialler->identity == NULL ||
	    loop_post(dialler->loop, begin, dialler) != 0)
		rc = err_set(err, ERR_MEMORY, "no memory for the dialler");
	if (rc == 0)
		rc = make_turned(dialler, err);
	if (rc == 0 && pthread_create(&dialler->thread, NULL, run, dialler) != 0)
		rc = err_set(err, ERR_IO, "cannot start the dialler's thread");
	if (rc != 0) {
		dialler_free(dialler);
		return rc;
	}
	*ret_dialler = dialler;
	return 0;
}

static void turned_ended(void *argument)
{
	struct dialler *dialler = argument;

	dialler->active--;
	end_if_done(dialler);
}

static void end_all(void *argument)
{
	struct dialler *dialler = argument;
	struct talk *next;

	dialler->stopping = true;
	dialler->active++; /* the last to end stops the loop: not within this walk, nor before requests have ended */
	for (struct talk *talk = dialler->talks; talk != NULL; talk = next) {
		next = dial_talk_next(talk);
		dial_talk_abort(talk);
	}
	http_server_stop(dialler->turned, dialler->front->settings.stop_grace, turned_ended, dialler);
}

void dialler_stop(struct dialler *dialler)
{
	if (dialler == NULL)
		return;
	if (loop_post(dialler->loop, end_all, dialler) != 0)
		loop_stop(dialler->loop);
	pthread_join(dialler->thread, NULL);
}

void dialler_free(struct dialler *dialler)
{
	if (dialler == NULL)
		return;
	loop_timer_free(dialler->timer);
	loop_timer_free(dialler->identity);
	http_server_free(dialler->turned);
	tls_client_free(dialler->tls);
	tls_client_free(dialler->made);
	tls_client_free(dialler->retired);
	dial_sessions_free(dialler->sessions);
	loop_free(dialler->loop);
	free(dialler);
}

void dialler_counters(const struct dialler *dialler, struct dialler_counters *out)
{
	*out = (struct dialler_counters){ 0 };
	if (dialler == NULL)
		return;
	*out = (struct dialler_counters){
		.dialled = dialler->dialled,
		.failed = dialler->failed,
		.rounds = dialler->rounds,
		.under_way = dialler->under_way,
		.highest = dialler->highest,
		.bound = dialler->most,
		.resumed = dialler->resumed,
		.sessions = dialler->session_count,
	};
}
