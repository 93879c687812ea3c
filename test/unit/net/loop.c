/* Event loops: posts from other threads, timers, watches. */
#include "net/loop.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#define POSTS 1000

struct state {
	struct loop *loop;
	unsigned next, out_of_order, timers, reads;
	struct loop_timer *timer;
	struct loop_watch *watch;
	int fd;
};

struct numbered {
	struct state *state;
	unsigned number;
};

static void take(void *argument)
{
	struct numbered *post = argument;
	struct state *state = post->state;

	state->out_of_order += post->number != state->next;
	if (++state->next == POSTS)
		loop_stop(state->loop);
}

static void *post_all(void *argument)
{
	struct numbered *posts = argument;

	for (unsigned i = 0; i < POSTS; i++)
		if (loop_post(posts[i].state->loop, take, &posts[i]) != 0)
			abort();
	return NULL;
}

static void test_posts_run_in_order(void **unused)
{
	static struct numbered posts[POSTS];
	struct state state = { .loop = loop_new(NULL) };
	pthread_t thread;

	(void)unused;
	for (unsigned i = 0; i < POSTS; i++)
		posts[i] = (struct numbered){ &state, i };
	assert_int_equal(pthread_create(&thread, NULL, post_all, posts), 0);
	loop_run(state.loop);
	pthread_join(thread, NULL);
	assert_int_equal(state.next, POSTS);
	assert_int_equal(state.out_of_order, 0);
	loop_free(state.loop);
}

static void test_stop_before_run_and_posts_never_run(void **unused)
{
	struct state state = { .loop = loop_new(NULL) };
	struct numbered post = { &state, 0 };

	(void)unused;
	loop_stop(state.loop);
	loop_run(state.loop);
	assert_int_equal(loop_post(state.loop, take, &post), 0);
	loop_free(state.loop);
	assert_int_equal(state.next, 0);
}

static void on_timer(void *argument)
{
	struct state *state = argument;

	if (++state->timers < 3)
		loop_timer_set(state->timer, 1 * MILLISECOND_US);
	else
		loop_stop(state->loop);
}

static void never(void *argument)
{
	(void)argument;
	abort();
}

static void test_timers(void **unused)
{
	struct state state = { .loop = loop_new(NULL) };
	struct loop_timer *cleared = loop_timer_new(state.loop, never, NULL);
	struct loop_timer *moved = loop_timer_new(state.loop, never, NULL);

	(void)unused;
	state.timer = loop_timer_new(state.loop, on_timer, &state);
	loop_timer_set(cleared, 0);
	loop_timer_clear(cleared);
	loop_timer_set(moved, 0);
	loop_timer_set(moved, HOUR_US);
	loop_timer_set(state.timer, 0);
	loop_run(state.loop);
	assert_int_equal(state.timers, 3);
	loop_timer_free(state.timer);
	loop_timer_free(cleared);
	loop_timer_free(moved);
	loop_free(state.loop);
}

static void on_readable(void *argument)
{
	struct state *state = argument;
	char byte;

	assert_int_equal(read(state->fd, &byte, 1), 1);
	if (++state->reads == 2) {
		loop_watch_free(state->watch); /* allowed inside */
		loop_stop(state->loop);
	}
}

static void test_watches(void **unused)
{
	struct state state = { .loop = loop_new(NULL) };
	int ends[2];

	(void)unused;
	assert_int_equal(pipe(ends), 0);
	state.fd = ends[0];
	state.watch = loop_watch_new(state.loop, ends[0], on_readable, &state);
	assert_int_equal(write(ends[1], "abc", 3), 3);
	loop_run(state.loop);
	assert_int_equal(state.reads, 2);
	close(ends[0]);
	close(ends[1]);
	assert_null(loop_watch_new(state.loop, -1, on_readable, &state));
	loop_free(state.loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_posts_run_in_order),
		cmocka_unit_test(test_stop_before_run_and_posts_never_run),
		cmocka_unit_test(test_timers),
		cmocka_unit_test(test_watches),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
