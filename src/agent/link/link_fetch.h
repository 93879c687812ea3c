/* The manager's sealed copy of an item whose own copy is lost: fetched into a
 * file without a name on the disk of DIR/link, for guard to check and keep. One
 * at a time; more wait. Loop thread only; blocks on the disk.
 */
#ifndef MUSTER_AGENT_LINK_LINK_FETCH_H
#define MUSTER_AGENT_LINK_LINK_FETCH_H

#include "agent/link/link.h"

#define LINK_FETCH_MAX_BYTES (16 * GIB) /* of a sealed file; its room is given back when guard has it */

struct link_fetch;
struct bufferevent;

/* fd: open for reading, closed after the call; -1 with err when it failed. */
typedef void (*link_fetch_done)(void *argument, int fd, const struct message_put *put, const struct err *err);

/* directory: open descriptor of DIR/link, kept by the caller. */
struct link_fetch *link_fetch_new(struct link *link, int directory, struct err *err);
void link_fetch_free(struct link_fetch *fetch);
/* Does a file wait for a connection of the manager's making? And when there is one; taken. */
bool link_fetch_needs(const struct link_fetch *fetch);
void link_fetch_adopt(struct link_fetch *fetch, struct bufferevent *connection);
/* The agent may dial by itself again, perhaps. */
void link_fetch_again(struct link_fetch *fetch);
/* done() exactly once, unless this is freed before. ERR_BUSY when too many wait. */
int link_fetch_start(struct link_fetch *fetch, const struct uuid *item, link_fetch_done done, void *argument,
		     struct err *err);

#endif
