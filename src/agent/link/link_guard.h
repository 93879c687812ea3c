/* Link's end of the channel to guard: asks with answers, notices, progress.
 *
 * Loop thread only. Messages wait in a bounded queue when guard does not read.
 * What guard says is decoded under the limits of agent/messages.h; a message
 * that breaks them, or guard's end of the channel closing, is `gone`: link then
 * ends, since it lives for guard alone.
 */
#ifndef MUSTER_AGENT_LINK_LINK_GUARD_H
#define MUSTER_AGENT_LINK_LINK_GUARD_H

#include "agent/messages.h"
#include "net/loop.h"

struct link_guard;

struct link_guard_handlers {
	void *context;
	/* 0 when it is kept; an error leaves it to guard to send again. NULL: all stay with guard, for whoever is
	 * link next. */
	int (*notice)(void *context, const struct message_notice *notice, struct err *err);
	/* All notices so far must be durable when this returns 0; then guard may forget them. */
	int (*flush)(void *context, struct err *err);
	void (*progress)(void *context, const struct message_progress *progress);
	void (*component)(void *context, const struct message_component *component);
	void (*gone)(void *context, const char *why);
};

/* Called once for each ask; fd: -1 or now the receiver's. */
typedef void (*link_guard_answer)(void *argument, const struct message_answer *answer, int fd);
typedef void (*link_guard_item)(void *argument, const struct message_item *item);

/* fd: the channel's descriptor, now the guard's. handlers are copied. */
struct link_guard *link_guard_new(struct loop *loop, int fd, const struct link_guard_handlers *handlers,
				  struct err *err);
void link_guard_free(struct link_guard *guard); /* open asks are not answered */

/* payload is copied; fd: -1, or duplicated. ERR_LIMIT when too much waits already. */
int link_guard_ask(struct link_guard *guard, enum message_type type, const struct buf *payload, int fd,
		   link_guard_answer answer, void *argument, struct err *err);
/* ITEM_LIST: item() for each, then answer(). */
int link_guard_list(struct link_guard *guard, link_guard_item item, link_guard_answer answer, void *argument,
		    struct err *err);
/* A target message (job or item) as an ask. */
int link_guard_target(struct link_guard *guard, enum message_type type, const struct uuid *id, bool overwrite,
		      link_guard_answer answer, void *argument, struct err *err);

/* Tells guard that this link ends in good order and is to be started again: no event is made of that. */
void link_guard_starts_anew(struct link_guard *guard);

#endif
