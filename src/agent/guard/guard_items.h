/* What link asks for items of the vault that takes its time: restore, delete,
 * take back a copy. One after the other, in the order of asking, a slice at a
 * time, so that the rest of guard goes on meanwhile; each is answered when it is
 * done, unless the link that asked is gone. Used by guard*.c alone.
 */
#ifndef MUSTER_AGENT_GUARD_GUARD_ITEMS_H
#define MUSTER_AGENT_GUARD_GUARD_ITEMS_H

#include "agent/guard/guard_link.h"

#define GUARD_ITEMS_MAX 1024 /* that wait */

struct guard_items *guard_items_new(void); /* NULL: no memory */
/* What is under way is undone. Accepts NULL. */
void guard_items_free(struct guard_items *items);

/* MESSAGE_ITEM_RESTORE, MESSAGE_ITEM_DELETE. ERR_BUSY: too many wait. */
int guard_items_end(struct guard *guard, const struct channel_message *message, const struct message_target *target,
		    struct err *err);
/* Takes a duplicate of the message's descriptor. */
int guard_items_put(struct guard *guard, const struct channel_message *message, const struct message_put *put,
		    struct err *err);
/* A slice. True: there is more to do. */
bool guard_items_step(struct guard *guard);

/* Tells how an item ended, once, and settles it; what cannot be told now is tried again by the loop. */
void guard_items_ended(struct guard *guard, const struct vault_item *item);

#endif
