/* Event loops: one libevent base a thread.
 *
 * A loop is made, run by one thread, and told to stop from anywhere. All
 * callbacks of a loop run on its thread and must not block. loop_post() is the
 * only call that other threads may make besides loop_stop(). The first loop
 * makes the process ignore SIGPIPE if it would have been killed by it.
 */
#ifndef MUSTER_NET_LOOP_H
#define MUSTER_NET_LOOP_H

#include "base/units.h"

struct loop;
struct loop_timer;
struct event_base;

struct loop *loop_new(struct err *err);
void loop_free(struct loop *loop); /* accepts NULL; frees posts that never ran */
/* Runs until loop_stop(). Blocks. */
void loop_run(struct loop *loop);
/* From any thread or signal handler. */
void loop_stop(struct loop *loop);
/* Runs function(argument) on the loop's thread, in order of posting. Any thread. 0 or ERR_MEMORY. */
int loop_post(struct loop *loop, void (*function)(void *argument), void *argument);

/* Calls function once after `after`, unless freed or re-armed before. Loop thread only. */
struct loop_timer *loop_timer_new(struct loop *loop, void (*function)(void *argument), void *argument);
void loop_timer_set(struct loop_timer *timer, span_us after);
void loop_timer_clear(struct loop_timer *timer);
void loop_timer_free(struct loop_timer *timer);

/* Watches a descriptor for reading (or writing) until freed; NULL: no memory, or
 * not a descriptor that can be waited for. Loop thread only. */
struct loop_watch;
struct loop_watch *loop_watch_new(struct loop *loop, int fd, void (*function)(void *argument), void *argument);
struct loop_watch *loop_watch_write_new(struct loop *loop, int fd, void (*function)(void *argument), void *argument);
void loop_watch_free(struct loop_watch *watch);

struct event_base *loop_base(struct loop *loop);

#endif
