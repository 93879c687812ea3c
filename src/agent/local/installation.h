/* What the installation script put on this computer for the running program: its
 * directory of versions, the link to it, the service, and whoever would install it again.
 *
 *   PREFIX/versions/NAME/bin/muster-agent   the program, PREFIX/current -> versions/NAME
 *   PREFIX/installation                     "NAME VALUE" a line: data, bin, unit
 *   BIN/muster-agent -> PREFIX/current/bin/muster-agent
 *   the unit of systemd; /etc/cron.d/muster-agent, where people put it
 *
 * A program that runs from elsewhere (a build, another package) has none of this, and nothing is touched. Only what is
 * recognised is removed; each call may be repeated after it was cut short. Blocks.
 */
#ifndef MUSTER_AGENT_LOCAL_INSTALLATION_H
#define MUSTER_AGENT_LOCAL_INSTALLATION_H

#include <stdbool.h>

#include "base/err.h"

#define INSTALLATION_PATH_BYTES 4096

struct installation {
	bool there; /* else nothing below counts */
	int lock;   /* PREFIX/.lock, held: no other installation goes on meanwhile */
	char prefix[INSTALLATION_PATH_BYTES];
	char version[256]; /* name of ours in PREFIX/versions */
	char data[INSTALLATION_PATH_BYTES], bin[INSTALLATION_PATH_BYTES], unit[INSTALLATION_PATH_BYTES];
};

/* By the path of the running program. ERR_BUSY: an installation or an update is under way. */
int installation_find(struct installation *installation, struct err *err);
void installation_done(struct installation *installation);
/* Stops the service for good and removes it, if it is the one of this data directory; and the cron file that names the
 * manager ("" or NULL: none). */
int installation_remove_service(const struct installation *installation, const char *manager, struct err *err);
/* All versions, the link, and last the running program itself. */
int installation_remove_programs(const struct installation *installation, struct err *err);

#endif
