/* The computer's clock and disk, watched: events 5004, 6012 and 6013.
 *
 * The kernel says at once when the clock is set; room on the disk is looked at
 * every minute, and the clock with it, should the kernel have said nothing.
 * That a disk was told to be low is marked in link/low_disk, so that the end is
 * told after a restart too.
 */
#ifndef MUSTER_AGENT_LINK_LINK_WATCH_H
#define MUSTER_AGENT_LINK_LINK_WATCH_H

#include "agent/link/link.h"

/* store: the directory link/, kept by the caller; path: what people call the place. NULL: no memory. */
struct link_watch *link_watch_new(struct link *link, int store, const char *path, struct err *err);
void link_watch_free(struct link_watch *watch); /* accepts NULL */

#endif
