/* Event loops over libevent: posts from other threads, timers, watches.
 *
 * Another thread reaches a loop only through its list of posts (under a mutex)
 * and its eventfd; libevent itself runs without locks.
 */
#include "net/loop.h"

#include <errno.h>
#include <event2/event.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct post {
	struct post *next;
	void (*function)(void *argument);
	void *argument;
};

struct loop {
	struct event_base *base;
	struct event *wake;
	int wake_fd;
	atomic_bool stop;
	pthread_mutex_t lock; /* of posts */
	struct post *first, **last;
};

struct loop_timer {
	struct event *event;
	void (*function)(void *argument);
	void *argument;
};

struct loop_watch {
	struct event *event;
	void (*function)(void *argument);
	void *argument;
};

static struct post *take_posts(struct loop *loop)
{
	struct post *first;

	pthread_mutex_lock(&loop->lock);
	first = loop->first;
	loop->first = NULL;
	loop->last = &loop->first;
	pthread_mutex_unlock(&loop->lock);
	return first;
}

static void free_posts(struct post *post)
{
	while (post != NULL) {
		struct post *next = post->next;

		free(post);
		post = next;
	}
}

static void on_wake(evutil_socket_t fd, short what, void *argument)
{
	struct loop *loop = argument;
	uint64_t count;
	struct post *post;

	(void)what;
	if (read(fd, &count, sizeof(count)) < 0 && errno != EAGAIN && errno != EINTR)
		return;
	post = take_posts(loop);
	while (post != NULL) {
		struct post *next = post->next;

		post->function(post->argument);
		free(post);
		post = next;
	}
	if (atomic_load(&loop->stop))
		event_base_loopbreak(loop->base);
}

static void wake(struct loop *loop)
{
	const uint64_t one = 1;
	ssize_t written;

	do
		written = write(loop->wake_fd, &one, sizeof(one));
	while (written < 0 && errno == EINTR); /* EAGAIN: already awake */
}

/* A peer that closes must be an error of write(), not the end of the process. */
static void ignore_sigpipe(void)
{
	struct sigaction present;

	if (sigaction(SIGPIPE, NULL, &present) == 0 && present.sa_handler == SIG_DFL)
		signal(SIGPIPE, SIG_IGN);
}

static struct event_base *new_base(void)
{
	struct event_config *config = event_config_new();
	struct event_base *base = NULL;

	if (config != NULL && event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK) == 0 &&
	    event_config_set_flag(config, EVENT_BASE_FLAG_IGNORE_ENV) == 0)
		base = event_base_new_with_config(config);
	if (config != NULL)
		event_config_free(config);
	return base;
}

struct loop *loop_new(struct err *err)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct loop *loop = calloc(1, sizeof(*loop));

	if (loop == NULL) {
		err_set(err, ERR_MEMORY, "no memory for an event loop");
		return NULL;
	}
	pthread_once(&once, ignore_sigpipe);
	pthread_mutex_init(&loop->lock, NULL);
	loop->last = &loop->first;
	loop->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (loop->wake_fd < 0) {
		err_errno(err, errno, "eventfd");
		goto fail;
	}
	loop->base = new_base();
	if (loop->base != NULL)
		loop->wake = event_new(loop->base, loop->wake_fd, EV_READ | EV_PERSIST, on_wake, loop);
	if (loop->wake == NULL || event_add(loop->wake, NULL) != 0) {
		err_set(err, ERR_MEMORY, "libevent cannot make an event loop");
		goto fail;
	}
	return loop;
fail:
	loop_free(loop);
	return NULL;
}

void loop_free(struct loop *loop)
{
	if (loop == NULL)
		return;
	if (loop->wake != NULL)
		event_free(loop->wake);
	if (loop->base != NULL) {
		/* Freed streams whose deferred callbacks have not run yet end only there. */
		event_base_loop(loop->base, EVLOOP_NONBLOCK);
		event_base_free(loop->base);
	}
	if (loop->wake_fd >= 0)
		close(loop->wake_fd);
	free_posts(take_posts(loop));
	pthread_mutex_destroy(&loop->lock);
	free(loop);
}

void loop_run(struct loop *loop)
{
	if (!atomic_load(&loop->stop))
		event_base_loop(loop->base, EVLOOP_NO_EXIT_ON_EMPTY);
	atomic_store(&loop->stop, false);
}

void loop_stop(struct loop *loop)
{
	int saved = errno;

	atomic_store(&loop->stop, true);
	wake(loop);
	errno = saved;
}

int loop_post(struct loop *loop, void (*function)(void *argument), void *argument)
{
	struct post *post = malloc(sizeof(*post));
	bool first;

	if (post == NULL)
		return ERR_MEMORY;
	*post = (struct post){ .function = function, .argument = argument };
	pthread_mutex_lock(&loop->lock);
	first = loop->first == NULL;
	*loop->last = post;
	loop->last = &post->next;
	pthread_mutex_unlock(&loop->lock);
	if (first)
		wake(loop);
	return 0;
}

struct event_base *loop_base(struct loop *loop)
{
	return loop->base;
}

/* --- timers --- */

static void on_timer(evutil_socket_t fd, short what, void *argument)
{
	struct loop_timer *timer = argument;

	(void)fd;
	(void)what;
	timer->function(timer->argument);
}

struct loop_timer *loop_timer_new(struct loop *loop, void (*function)(void *argument), void *argument)
{
	struct loop_timer *timer = malloc(sizeof(*timer));

	if (timer == NULL)
		return NULL;
	*timer = (struct loop_timer){ .function = function, .argument = argument };
	timer->event = event_new(loop->base, -1, 0, on_timer, timer);
	if (timer->event == NULL) {
		free(timer);
		return NULL;
	}
	return timer;
}

void loop_timer_set(struct loop_timer *timer, span_us after)
{
	const struct timeval interval = { .tv_sec = after / SECOND_US, .tv_usec = after % SECOND_US };

	event_add(timer->event, &interval);
}

void loop_timer_clear(struct loop_timer *timer)
{
	event_del(timer->event);
}

void loop_timer_free(struct loop_timer *timer)
{
	if (timer == NULL)
		return;
	event_free(timer->event);
	free(timer);
}

/* --- watches --- */

static void on_watch(evutil_socket_t fd, short what, void *argument)
{
	struct loop_watch *watch = argument;

	(void)fd;
	(void)what;
	watch->function(watch->argument);
}

static struct loop_watch *watch_new(struct loop *loop, int fd, short events, void (*function)(void *argument),
				    void *argument)
{
	struct loop_watch *watch = fd >= 0 ? malloc(sizeof(*watch)) : NULL;

	if (watch == NULL)
		return NULL;
	*watch = (struct loop_watch){ .function = function, .argument = argument };
	watch->event = event_new(loop->base, fd, (short)(events | EV_PERSIST), on_watch, watch);
	if (watch->event == NULL || event_add(watch->event, NULL) != 0) {
		loop_watch_free(watch);
		return NULL;
	}
	return watch;
}

struct loop_watch *loop_watch_new(struct loop *loop, int fd, void (*function)(void *argument), void *argument)
{
	return watch_new(loop, fd, EV_READ, function, argument);
}

struct loop_watch *loop_watch_write_new(struct loop *loop, int fd, void (*function)(void *argument), void *argument)
{
	return watch_new(loop, fd, EV_WRITE, function, argument);
}

void loop_watch_free(struct loop_watch *watch)
{
	if (watch == NULL)
		return;
	if (watch->event != NULL)
		event_free(watch->event);
	free(watch);
}
