/* The feed of what happens (manager/front/front.h): any thread publishes, each
 * subscriber gets it on its own loop. A subscriber that falls behind by more
 * than FEED_BACKLOG news loses the oldest and is told how many.
 */
#ifndef MUSTER_MANAGER_FRONT_FEED_H
#define MUSTER_MANAGER_FRONT_FEED_H

#include "manager/front/front.h"

#define FEED_BACKLOG         1024
#define FEED_SUBSCRIBERS_MAX 256

struct feed;

struct feed *feed_new(struct err *err);
void feed_free(struct feed *feed); /* after the loops have stopped; frees subscriptions left */
/* Numbers the news and hands them on; sequence is filled in here. Any thread; cheap without subscribers. */
void feed_publish(struct feed *feed, const struct front_news *news, size_t count);
uint64_t feed_dropped(struct feed *feed);
/* As front_subscribe(); NULL: no memory, or too many. */
struct front_subscription *feed_subscribe(struct feed *feed, struct loop *loop, unsigned topics,
					  void (*on_news)(void *argument, const struct front_news *news, size_t count,
							  uint64_t missed),
					  void *argument);

#endif
