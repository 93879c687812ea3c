/* What link does with the rights of whoever started it, and then gives them up.
 *
 * An identity that was decided before takes its place, the settings and the identity are read, the directories opened
 * that link needs; from then on it reaches those alone.
 */
#ifndef MUSTER_AGENT_LINK_LINK_OPENED_H
#define MUSTER_AGENT_LINK_LINK_OPENED_H

#include <sys/types.h>

#include "agent/link/link.h"

struct link_opened {
	const char *shown; /* the data directory as people name it */
	char data[4200];
	int identity, store; /* DIR/identity, DIR/link; -1: not open */
	uid_t owner;
};

/* opened->shown is given; the rest, link's settings, identity, host and farewell are filled. Whatever happened, the
 * caller's to link_opened_close(). */
int link_opened_prepare(struct link *link, const char *data_directory, struct link_opened *opened, struct err *err);
void link_opened_close(struct link_opened *opened);

#endif
