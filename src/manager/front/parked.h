/* The held polls of this process, so that an orderly stop can answer them all.
 * A list under a lock of its own, held for a few instructions. */
#ifndef MUSTER_MANAGER_FRONT_PARKED_H
#define MUSTER_MANAGER_FRONT_PARKED_H

#include <pthread.h>
#include <stdatomic.h>

struct parked {
	struct parked *next, *previous;
};

struct parked_list {
	pthread_mutex_t lock;
	struct parked head; /* of a ring */
	_Atomic uint64_t count;
};

static inline void parked_list_init(struct parked_list *list)
{
	pthread_mutex_init(&list->lock, NULL);
	list->head.next = list->head.previous = &list->head;
	list->count = 0;
}

static inline void parked_add(struct parked_list *list, struct parked *one)
{
	pthread_mutex_lock(&list->lock);
	one->previous = &list->head;
	one->next = list->head.next;
	one->next->previous = one;
	list->head.next = one;
	list->count++;
	pthread_mutex_unlock(&list->lock);
}

static inline void parked_remove(struct parked_list *list, struct parked *one)
{
	pthread_mutex_lock(&list->lock);
	one->next->previous = one->previous;
	one->previous->next = one->next;
	one->next = one->previous = NULL;
	list->count--;
	pthread_mutex_unlock(&list->lock);
}

#endif
