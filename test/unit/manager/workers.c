/* The worker pool: bound, order, periodic work that never overlaps, an end that finishes what is queued. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "manager/front/workers.h"
#include "os/env.h"

struct gate {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	int arrived;
	bool open;
};

static void wait_at(void *argument)
{
	struct gate *gate = argument;

	pthread_mutex_lock(&gate->lock);
	gate->arrived++;
	pthread_cond_broadcast(&gate->changed);
	while (!gate->open)
		pthread_cond_wait(&gate->changed, &gate->lock);
	pthread_mutex_unlock(&gate->lock);
}

static void await(struct gate *gate, int arrived)
{
	pthread_mutex_lock(&gate->lock);
	while (gate->arrived < arrived)
		pthread_cond_wait(&gate->changed, &gate->lock);
	pthread_mutex_unlock(&gate->lock);
}

static void open_gate(struct gate *gate)
{
	pthread_mutex_lock(&gate->lock);
	gate->open = true;
	pthread_cond_broadcast(&gate->changed);
	pthread_mutex_unlock(&gate->lock);
}

static void count(void *argument)
{
	++*(_Atomic int *)argument;
}

static void a_full_queue_says_so_and_the_end_finishes_it(void **state)
{
	struct gate gate = { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, false };
	struct workers *workers;
	_Atomic int done = 0;

	(void)state;
	assert_int_equal(workers_new(1, 3, env_system(), &workers, NULL), 0);
	assert_int_equal(workers_add(workers, wait_at, &gate), 0);
	await(&gate, 1);
	for (int i = 0; i < 3; i++)
		assert_int_equal(workers_add(workers, count, &done), 0);
	assert_int_equal(workers_add(workers, count, &done), ERR_BUSY);
	assert_int_equal(workers_queued(workers), 3);
	open_gate(&gate);
	workers_stop(workers);
	assert_int_equal(done, 3);
	assert_int_equal(workers_add(workers, count, &done), ERR_CLOSED);
	workers_free(workers);
}

static _Atomic int inside, rounds;
static _Atomic bool overlapped;

static void periodic(void *argument)
{
	struct gate *gate = argument;

	if (++inside != 1)
		overlapped = true;
	rounds++;
	pthread_mutex_lock(&gate->lock);
	gate->arrived++;
	pthread_cond_broadcast(&gate->changed);
	pthread_mutex_unlock(&gate->lock);
	--inside;
}

static void periodic_work_comes_round_and_never_twice_at_once(void **state)
{
	struct gate gate = { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, false };
	struct workers *workers;

	(void)state;
	assert_int_equal(workers_new(4, 8, env_system(), &workers, NULL), 0);
	assert_int_equal(workers_every(workers, 1, periodic, &gate), 0);
	await(&gate, 200);
	workers_free(workers);
	assert_false(overlapped);
	assert_true(rounds >= 200);
}

/* As after the machine slept for a day: env_monotonic() goes on meanwhile, the clock of condition variables does not.
 */
static time_us slept(void *context)
{
	(void)context;
	return env_monotonic(env_system()) + DAY_US;
}

static void periodic_work_comes_round_after_the_machine_slept(void **state)
{
	struct gate gate = { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, false };
	struct env env = *env_system();
	struct workers *workers;

	(void)state;
	env.monotonic = slept;
	assert_int_equal(workers_new(1, 8, &env, &workers, NULL), 0);
	assert_int_equal(workers_every(workers, MILLISECOND_US, periodic, &gate), 0);
	await(&gate, 3);
	workers_free(workers);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_full_queue_says_so_and_the_end_finishes_it),
		cmocka_unit_test(periodic_work_comes_round_and_never_twice_at_once),
		cmocka_unit_test(periodic_work_comes_round_after_the_machine_slept),
	};

	return cmocka_run_group_tests_name("unit/manager/workers", tests, NULL, NULL);
}
