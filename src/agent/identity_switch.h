/* One identity takes another's place, as a whole: DIR/link/candidate beside DIR/identity.
 *
 *   link/candidate/  an identity under way (agent/identity_files.h); once its
 *                    computer.json is there it is decided: from the next start on
 *                    it is the agent's, whatever happens in between
 *   identity/        exchanged with it in one step (renameat2)
 *   link/former/     the one before, as long as its manager was not told
 *
 * A kill at any moment leaves exactly one identity in identity/, a whole one.
 * Who writes the candidate is the running agent (link/link_candidate.h); the
 * exchange is made by link before it gives up the rights it was started with.
 * Calls block on the disk.
 */
#ifndef MUSTER_AGENT_IDENTITY_SWITCH_H
#define MUSTER_AGENT_IDENTITY_SWITCH_H

#include <stdbool.h>

#include "agent/identity_files.h"

#define IDENTITY_CANDIDATE "candidate" /* in link/ */
#define IDENTITY_FORMER    "former"

struct identity_switched {
	bool done;            /* at this start, or at one before that did not come to its end */
	bool first;           /* it had none before: it was prepared (agent/prepared_file.h), and is activated now */
	uint16_t listen_port; /* as the manager told it, for agent.ini; 0: none */
	char manager[IDENTITY_URL_BYTES];
};

/* The candidate is whole: its fate is decided. directory: of the candidate, open. */
int identity_switch_decide(int directory, const struct agent_identity *identity, struct err *err);
/* At a start: exchanges identity/ for a whole candidate, and ends what an earlier start began. data: DIR, open.
 * finished() is called with what agent.ini has to say from now on, before it is forgotten that it was to be said. */
int identity_switch_recover(int data, struct identity_switched *ret_switched,
			    int (*finished)(void *argument, const struct identity_switched *switched, struct err *err),
			    void *argument, struct err *err);
/* Removes link/candidate or link/former with all that is in it. store: DIR/link, open. */
int identity_switch_drop(int store, const char *name, struct err *err);

#endif
