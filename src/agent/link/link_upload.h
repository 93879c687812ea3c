/* Quarantined files to the manager: the items it asked for, one after another.
 *
 * Guard opens the sealed file and gives its key; metadata is posted, then the
 * sealed bytes in pieces from the descriptor, going on where the manager says
 * it stands. What fails is tried again with growing, jittered pauses; event
 * 2023 says so once an item and cause. The upload rate of agent.ini is kept by
 * pauses between pieces. Loop thread only.
 */
#ifndef MUSTER_AGENT_LINK_LINK_UPLOAD_H
#define MUSTER_AGENT_LINK_LINK_UPLOAD_H

#include "agent/link/link.h"

#define LINK_UPLOADS_MAX       10000
#define LINK_UPLOAD_CHUNK      (MIB)
#define LINK_UPLOAD_FIRST_WAIT (10 * SECOND_US)
#define LINK_UPLOAD_LAST_WAIT  (HOUR_US)

struct bufferevent;
struct link_uploads *link_uploads_new(struct link *link, struct err *err);
void link_uploads_free(struct link_uploads *uploads);
/* The manager wants this item; one that waits already is tried again soon. */
void link_uploads_want(struct link_uploads *uploads, const struct uuid *item);
/* Waits there something now that needs a connection of the manager's making? */
bool link_uploads_need(const struct link_uploads *uploads);
/* Such a connection is there; taken. */
void link_uploads_adopt(struct link_uploads *uploads, struct bufferevent *connection);
/* The agent may dial by itself again, perhaps. */
void link_uploads_again(struct link_uploads *uploads);
size_t link_uploads_waiting(const struct link_uploads *uploads);

#endif
