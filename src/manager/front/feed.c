/* The feed of what happens. */
#include "manager/front/feed.h"

#include <pthread.h>
#include <stdlib.h>

struct front_subscription {
	struct feed *feed;
	struct front_subscription *next;
	struct loop *loop;
	unsigned topics;
	void (*on_news)(void *argument, const struct front_news *news, size_t count, uint64_t missed);
	void *argument;
	bool posted; /* deliver() is on its way */
	bool closed;
	uint64_t missed;
	size_t first, count;
	struct front_news ring[FEED_BACKLOG];
};

struct feed {
	pthread_mutex_t lock;
	uint64_t sequence;
	uint64_t dropped;
	size_t subscribers;
	struct front_subscription *list;
};

struct feed *feed_new(struct err *err)
{
	struct feed *feed = calloc(1, sizeof(*feed));

	if (feed == NULL)
		err_set(err, ERR_MEMORY, "feed: no memory");
	else
		pthread_mutex_init(&feed->lock, NULL);
	return feed;
}

/* Under the lock. */
static void take_out(struct front_subscription *subscription)
{
	struct front_subscription **place = &subscription->feed->list;

	while (*place != subscription)
		place = &(*place)->next;
	*place = subscription->next;
	subscription->feed->subscribers--;
}

void feed_free(struct feed *feed)
{
	if (feed == NULL)
		return;
	while (feed->list != NULL) {
		struct front_subscription *subscription = feed->list;

		take_out(subscription);
		free(subscription);
	}
	pthread_mutex_destroy(&feed->lock);
	free(feed);
}

/* On the subscriber's loop. */
static void deliver(void *argument)
{
	struct front_subscription *subscription = argument;
	struct feed *feed = subscription->feed;
	struct front_news batch[64];
	size_t count = 0;
	uint64_t missed;
	bool again;

	pthread_mutex_lock(&feed->lock);
	if (subscription->closed) {
		take_out(subscription);
		pthread_mutex_unlock(&feed->lock);
		free(subscription);
		return;
	}
	for (; count < COUNT_OF(batch) && subscription->count > 0; subscription->count--) {
		batch[count++] = subscription->ring[subscription->first];
		subscription->first = (subscription->first + 1) % FEED_BACKLOG;
	}
	missed = subscription->missed;
	subscription->missed = 0;
	again = subscription->count > 0;
	if (again && loop_post(subscription->loop, deliver, subscription) != 0)
		again = false;
	subscription->posted = again;
	pthread_mutex_unlock(&feed->lock);
	if (count > 0)
		subscription->on_news(subscription->argument, batch, count, missed);
}

/* Under the lock. */
static void offer(struct front_subscription *subscription, const struct front_news *news)
{
	if (subscription->closed || (subscription->topics & news->topic) == 0)
		return;
	if (subscription->count == FEED_BACKLOG) {
		subscription->first = (subscription->first + 1) % FEED_BACKLOG;
		subscription->count--;
		subscription->missed++;
		subscription->feed->dropped++;
	}
	subscription->ring[(subscription->first + subscription->count++) % FEED_BACKLOG] = *news;
	if (!subscription->posted)
		subscription->posted = loop_post(subscription->loop, deliver, subscription) == 0;
}

void feed_publish(struct feed *feed, const struct front_news *news, size_t count)
{
	pthread_mutex_lock(&feed->lock);
	for (size_t i = 0; i < count; i++) {
		struct front_news one = news[i];

		one.sequence = ++feed->sequence;
		for (struct front_subscription *to = feed->list; to != NULL; to = to->next)
			offer(to, &one);
	}
	pthread_mutex_unlock(&feed->lock);
}

uint64_t feed_dropped(struct feed *feed)
{
	uint64_t dropped;

	pthread_mutex_lock(&feed->lock);
	dropped = feed->dropped;
	pthread_mutex_unlock(&feed->lock);
	return dropped;
}

struct front_subscription *feed_subscribe(struct feed *feed, struct loop *loop, unsigned topics,
					  void (*on_news)(void *argument, const struct front_news *news, size_t count,
							  uint64_t missed),
					  void *argument)
{
	struct front_subscription *subscription = calloc(1, sizeof(*subscription));

	if (subscription == NULL)
		return NULL;
	subscription->feed = feed;
	subscription->loop = loop;
	subscription->topics = topics;
	subscription->on_news = on_news;
	subscription->argument = argument;
	pthread_mutex_lock(&feed->lock);
	if (feed->subscribers == FEED_SUBSCRIBERS_MAX) {
		free(subscription);
		subscription = NULL;
	} else {
		subscription->next = feed->list;
		feed->list = subscription;
		feed->subscribers++;
	}
	pthread_mutex_unlock(&feed->lock);
	return subscription;
}

void front_unsubscribe(struct front_subscription *subscription)
{
	struct feed *feed;
	bool now;

	if (subscription == NULL)
		return;
	feed = subscription->feed;
	pthread_mutex_lock(&feed->lock);
	subscription->closed = true;
	now = !subscription->posted; /* else deliver() frees it */
	if (now)
		take_out(subscription);
	pthread_mutex_unlock(&feed->lock);
	if (now)
		free(subscription);
}
