/* Quarantined files as link sees them: their state to the endpoint, restore
 * and delete from the manager or from local users. Guard does the work. When
 * an item is to be restored whose local copy is lost, the sealed copy is
 * fetched from the manager first. Loop thread only.
 */
#ifndef MUSTER_AGENT_LINK_LINK_ITEMS_H
#define MUSTER_AGENT_LINK_LINK_ITEMS_H

#include <jansson.h>

#include "agent/link/link.h"

struct link_fetch;

/* directory: open descriptor of DIR/link, kept by the caller. */
struct link_items *link_items_new(struct link *link, int directory, struct err *err);
void link_items_free(struct link_items *items);

/* Asks guard for all items, so that the endpoint knows their states; then calls settled(link). */
int link_items_begin(struct link_items *items, void (*settled)(struct link *link), struct err *err);
/* The largest file that is sent has changed: the states of all items once more. */
void link_items_again(struct link_items *items);
/* An item's new state, from a notice. */
int link_items_changed(struct link_items *items, const struct message_item *item, struct err *err);

/* The fetching of the manager's copies (agent/link/link_fetch.h). */
struct link_fetch *link_items_fetch(const struct link_items *items);

/* The endpoint's actor: restore and delete. */
int link_items_command(struct link_items *items, const struct endpoint_command *command, struct err *err);
/* From the control socket: list, restore, delete. The client gets its lines and the end. */
int link_items_local(struct link_items *items, const struct control_request *request, struct control_client *client,
		     struct err *err);
void link_items_unwatch(struct link_items *items, const struct control_client *client);

#endif
