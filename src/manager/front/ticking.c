/* What time alone changes, and what people do that is no report (manager/front/ticking.h). */
#include "manager/front/ticking.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "manager/front/exchange.h"
#include "manager/front/records.h"

struct ticked {
	struct front *front;
	struct shard *shard;
	struct fleet_exchange *fleet;
	struct records *records;
	struct ticked *next;
};

struct tick {
	struct front *front;
	struct shard *shard; /* whose turn it is */
	struct ticked *list; /* of all shards, the last first */
	size_t count;
};

/* Inside fleet_tick(), under the shard's lock. */
static void collect(void *argument, struct fleet_exchange *fleet)
{
	struct tick *tick = argument;
	struct ticked *one = calloc(1, sizeof(*one));

	if (one == NULL) {
		LOG(LOG_ERROR, "tick.lost", log_text("error", "no memory"));
		return; /* the exchange is lost with it; the fleet says it again after a restart */
	}
	*one = (struct ticked){ tick->front, tick->shard, fleet, NULL, tick->list };
	tick->list = one;
	tick->count++;
}

static void tick_done(struct ticked *one, int rc)
{
	pthread_mutex_lock(&one->shard->lock);
	fleet_stored(one->shard->fleet, one->fleet, rc);
	fleet_exchange_free(one->shard->fleet, one->fleet);
	pthread_mutex_unlock(&one->shard->lock);
	records_free(one->records);
	free(one);
}

static int write_ticked(struct store_session *session, void *argument, struct err *err)
{
	const struct ticked *one = argument;

	return records_write(one->records, one->front, session, 0, err);
}

static void written_ticked(void *argument, int rc, const struct err *err)
{
	struct ticked *one = argument;

	if (rc == 0)
		exchange_publish(one->front, one->records);
	else
		LOG(LOG_ERROR, "tick.not_stored", log_err(err));
	tick_done(one, rc);
}

static void store_ticked(struct ticked *one)
{
	struct err err = { 0 };
	int rc = records_make(fleet_exchange_rows(one->fleet), false, one->front->env, &one->records, &err);

	if (rc == 0)
		rc = store_write_of(one->front->store, &fleet_exchange_rows(one->fleet)->computer, write_ticked,
				    written_ticked, one);
	if (rc != 0)
		tick_done(one, rc);
}

struct store_now {
	struct front *front;
	struct records *records;
	store_function also;
	void *argument;
};

static int write_now(struct store_session *session, void *argument, struct err *err)
{
	const struct store_now *now = argument;
	int rc = records_write(now->records, now->front, session, 0, err);

	return rc == 0 ? now->also(session, now->argument, err) : rc;
}

int ticking_store_now(struct front *front, struct shard *shard, struct fleet_exchange *fleet, store_function also,
		      void *argument, struct err *err)
{
	struct store_now now = { front, NULL, also, argument };
	int rc = records_make(fleet_exchange_rows(fleet), false, front->env, &now.records, err);

	if (rc == 0)
		rc = store_write_wait(front->store, write_now, &now, err);
	if (rc == 0)
		exchange_publish(front, now.records);
	pthread_mutex_lock(&shard->lock);
	fleet_stored(shard->fleet, fleet, rc);
	fleet_exchange_free(shard->fleet, fleet);
	pthread_mutex_unlock(&shard->lock);
	records_free(now.records);
	return rc;
}

static int by_computer(const void *a, const void *b)
{
	const struct ticked *const *first = a, *const *second = b;

	return memcmp(fleet_exchange_rows((*first)->fleet)->computer.bytes,
		      fleet_exchange_rows((*second)->fleet)->computer.bytes, UUID_BYTES);
}

/* When many computers fall silent at once, neighbours in the database are written
 * together: their rows and index entries share pages. */
static void store_all(struct tick *tick)
{
	struct ticked **all = calloc(tick->count > 0 ? tick->count : 1, sizeof(struct ticked *)), *next;
	size_t count = 0;

	for (struct ticked *one = tick->list; one != NULL; one = next) {
		next = one->next;
		if (all != NULL)
			all[count++] = one;
		else
			store_ticked(one); /* in the order in which they came, then */
	}
	if (all != NULL)
		qsort(all, count, sizeof(struct ticked *), by_computer);
	for (size_t i = 0; i < count; i++)
		store_ticked(all[i]);
	free(all);
}

void ticking_run(void *argument)
{
	struct front *front = argument;
	struct tick tick = { .front = front };

	for (size_t i = 0; i < SHARD_COUNT; i++) {
		tick.shard = shards_at(front->shards, i);
		pthread_mutex_lock(&tick.shard->lock);
		fleet_tick(tick.shard->fleet, collect, &tick);
		pthread_mutex_unlock(&tick.shard->lock);
	}
	store_all(&tick);
}
