/* The worker pool. */
#include "manager/front/workers.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>

#include "os/env.h"

struct work {
	void (*function)(void *argument);
	void *argument;
};

struct periodic {
	struct work work;
	span_us every;
	time_us due;
	bool running;
};

struct workers {
	const struct env *env;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct work *ring;
	size_t capacity, first, count;
	struct periodic periodic[WORKERS_PERIODIC_MAX];
	size_t periodic_count;
	bool stopping;
	pthread_t *threads;
	unsigned thread_count;
};

/* --- choosing, under the lock --- */

static struct periodic *due_periodic(struct workers *workers, time_us now, time_us *ret_next)
{
	struct periodic *chosen = NULL;

	*ret_next = now + HOUR_US;
	for (size_t i = 0; i < workers->periodic_count && !workers->stopping; i++) {
		struct periodic *one = &workers->periodic[i];

		if (one->running)
			continue;
		if (one->due <= now && (chosen == NULL || one->due < chosen->due))
			chosen = one;
		else if (one->due < *ret_next)
			*ret_next = one->due;
	}
	return chosen;
}

static struct work take_first(struct workers *workers)
{
	struct work work = workers->ring[workers->first];

	workers->first = (workers->first + 1) % workers->capacity;
	workers->count--;
	return work;
}

static void run_unlocked(struct workers *workers, struct work work)
{
	pthread_mutex_unlock(&workers->lock);
	work.function(work.argument);
	pthread_mutex_lock(&workers->lock);
}

static void run_periodic(struct workers *workers, struct periodic *one, time_us now)
{
	one->running = true;
	one->due = now + one->every;
	run_unlocked(workers, one->work);
	one->running = false;
	pthread_cond_signal(&workers->changed);
}

static void wait_for(struct workers *workers, span_us span)
{
	const struct timespec moment = env_system_after(span);

	pthread_cond_timedwait(&workers->changed, &workers->lock, &moment);
}

static void *thread_main(void *argument)
{
	struct workers *workers = argument;

	pthread_mutex_lock(&workers->lock);
	while (!workers->stopping || workers->count > 0) {
		time_us now = env_monotonic(workers->env), next;
		struct periodic *one = due_periodic(workers, now, &next);

		if (one != NULL)
			run_periodic(workers, one, now);
		else if (workers->count > 0)
			run_unlocked(workers, take_first(workers));
		else
			wait_for(workers, next - now);
	}
	pthread_mutex_unlock(&workers->lock);
	return NULL;
}

/* --- life --- */

static int start_threads(struct workers *workers, unsigned threads, struct err *err)
{
	for (; workers->thread_count < threads; workers->thread_count++) {
		int rc = pthread_create(&workers->threads[workers->thread_count], NULL, thread_main, workers);

		if (rc != 0)
			return err_errno(err, rc, "start a worker thread");
	}
	return 0;
}

int workers_new(unsigned threads, size_t queue_max, const struct env *env, struct workers **ret_workers,
		struct err *err)
{
	struct workers *workers = calloc(1, sizeof(*workers));
	pthread_condattr_t monotonic;
	int rc;

	if (workers == NULL)
		return err_set(err, ERR_MEMORY, "workers: no memory");
	pthread_mutex_init(&workers->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&workers->changed, &monotonic);
	pthread_condattr_destroy(&monotonic);
	workers->env = env;
	workers->capacity = queue_max;
	workers->ring = calloc(queue_max, sizeof(*workers->ring));
	workers->threads = calloc(threads, sizeof(*workers->threads));
	if (workers->ring == NULL || workers->threads == NULL)
		rc = err_set(err, ERR_MEMORY, "workers: no memory");
	else
		rc = start_threads(workers, threads, err);
	if (rc != 0) {
		workers_free(workers);
		return rc;
	}
	*ret_workers = workers;
	return 0;
}

int workers_add(struct workers *workers, void (*function)(void *argument), void *argument)
{
	int rc = 0;

	pthread_mutex_lock(&workers->lock);
	if (workers->stopping) {
		rc = ERR_CLOSED;
	} else if (workers->count == workers->capacity) {
		rc = ERR_BUSY;
	} else {
		workers->ring[(workers->first + workers->count++) % workers->capacity] =
		    (struct work){ function, argument };
		pthread_cond_signal(&workers->changed);
	}
	pthread_mutex_unlock(&workers->lock);
	return rc;
}

int workers_every(struct workers *workers, span_us every, void (*function)(void *argument), void *argument)
{
	int rc = 0;

	pthread_mutex_lock(&workers->lock);
	if (workers->periodic_count == WORKERS_PERIODIC_MAX)
		rc = ERR_LIMIT;
	else
		workers->periodic[workers->periodic_count++] = (struct periodic){
			.work = { function, argument }, .every = every, .due = env_monotonic(workers->env) + every
		};
	pthread_cond_signal(&workers->changed);
	pthread_mutex_unlock(&workers->lock);
	return rc;
}

size_t workers_queued(struct workers *workers)
{
	size_t count;

	pthread_mutex_lock(&workers->lock);
	count = workers->count;
	pthread_mutex_unlock(&workers->lock);
	return count;
}

void workers_stop(struct workers *workers)
{
	pthread_mutex_lock(&workers->lock);
	workers->stopping = true;
	pthread_cond_broadcast(&workers->changed);
	pthread_mutex_unlock(&workers->lock);
	while (workers->thread_count > 0)
		pthread_join(workers->threads[--workers->thread_count], NULL);
}

void workers_free(struct workers *workers)
{
	if (workers == NULL)
		return;
	workers_stop(workers);
	pthread_cond_destroy(&workers->changed);
	pthread_mutex_destroy(&workers->lock);
	free(workers->threads);
	free(workers->ring);
	free(workers);
}
