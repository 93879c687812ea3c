/* The dialler's loop: takes from each shard who is due, as long as there is room. */
#include "manager/front/dialler.h"

#include <stdlib.h>

#include "base/log.h"
#include "manager/front/dialler_parts.h"

#define IDENTITY_AGAIN_US (30 * SECOND_US)
#define IDENTITY_LOOK_US  (12 * HOUR_US)
#define PAUSE_US          (100 * MILLISECOND_US) /* when nothing could begin */

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
	dialler->under_way++;
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

/* --- the certificate --- */

static void took_identity(void *argument)
{
	struct dialler *dialler = argument;

	dialler->active--;
	if (dialler->made != NULL && dialler->talks == NULL) {
		tls_client_free(dialler->tls);
		dialler->tls = dialler->made;
		dialler->made = NULL;
	}
	/* While talks use the old one, the new one comes from its file a little later. */
	tls_client_free(dialler->made);
	dialler->made = NULL;
	loop_timer_set(dialler->identity, dialler->tls != NULL ? IDENTITY_LOOK_US : IDENTITY_AGAIN_US);
	step(dialler);
	end_if_done(dialler);
}

static void make_identity(void *argument)
{
	struct dialler *dialler = argument;
	struct err err = { 0 };

	if (dial_identity(dialler->front, &dialler->made, &err) != 0)
		LOG(LOG_ERROR, "dial.no_certificate", log_err(&err));
	if (loop_post(dialler->loop, took_identity, dialler) != 0)
		LOG(LOG_ERROR, "dial.lost", log_text("error", "no memory"));
}

static void want_identity(void *argument)
{
	struct dialler *dialler = argument;

	if (dialler->stopping)
		return;
	if (front_work(dialler->front, make_identity, dialler) == 0)
		dialler->active++; /* as long as a worker holds it */
	else
		loop_timer_set(dialler->identity, IDENTITY_AGAIN_US);
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
	dialler->timer = loop_timer_new(dialler->loop, step, dialler);
	dialler->identity = loop_timer_new(dialler->loop, want_identity, dialler);
	if (dialler->timer == NULL || dialler->identity == NULL || loop_post(dialler->loop, begin, dialler) != 0)
		rc = err_set(err, ERR_MEMORY, "no memory for the dialler");
	if (rc == 0 && pthread_create(&dialler->thread, NULL, run, dialler) != 0)
		rc = err_set(err, ERR_IO, "cannot start the dialler's thread");
	if (rc != 0) {
		dialler_free(dialler);
		return rc;
	}
	*ret_dialler = dialler;
	return 0;
}

static void end_all(void *argument)
{
	struct dialler *dialler = argument;
	struct talk *next;

	dialler->stopping = true;
	dialler->active++; /* the last to end stops the loop: not within this walk */
	for (struct talk *talk = dialler->talks; talk != NULL; talk = next) {
		next = dial_talk_next(talk);
		dial_talk_abort(talk);
	}
	dialler->active--;
	end_if_done(dialler);
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
	tls_client_free(dialler->tls);
	tls_client_free(dialler->made);
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
	};
}
