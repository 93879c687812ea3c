/* One identity takes another's place, as a whole: DIR/link/candidate beside DIR/identity.
 *
 *   link/candidate/  an identity under way (agent/identity_files.h); once its
 *                    computer.json is there it is decided: from the next start on
 *                    it is the agent's, whatever happens in between
 *   identity/        exchanged with it in one step (renameat2)
 *   link/former/     the one before, as long as its manager was not told that it was left; link/former.1/ and so
 *                    on when others were left meanwhile
 *
 * A kill at any moment leaves exactly one identity in identity/, a whole one, and no manager untold that was left.
 * What is next is decided by endpoint/move.h.
 * Who writes the candidate is the running agent (link/link_candidate.h); the
 * exchange is made by link before it gives up the rights it was started with.
 * Calls block on the disk.
 */
#ifndef MUSTER_AGENT_IDENTITY_SWITCH_H
#define MUSTER_AGENT_IDENTITY_SWITCH_H

#include <stdbool.h>

#include "agent/identity_files.h"

#define IDENTITY_CANDIDATE    "candidate" /* in link/ */
#define IDENTITY_FORMER       "former"
#define IDENTITY_FORMERS_MAX  8
#define IDENTITY_FORMER_BYTES 16

struct identity_switched {
	bool done;            /* at this start, or at one before that did not come to its end */
	bool first;           /* it had none before: it was prepared (agent/prepared_file.h), and is activated now */
	uint16_t listen_port; /* as the manager told it, for agent.ini; 0: none */
	char manager[IDENTITY_URL_BYTES];
};

/* The candidate is whole: its fate is decided. directory: of the candidate, open. leaves: the manager of the present
 * identity is to be told that it is left; else that identity is forgotten. */
int identity_switch_decide(int directory, const struct agent_identity *identity, bool leaves, struct err *err);
/* At a start: exchanges identity/ for a whole candidate, and ends what an earlier start began. data: DIR, open.
 * finished() is called with what agent.ini has to say from now on. */
int identity_switch_recover(int data, struct identity_switched *ret_switched,
			    int (*finished)(void *argument, const struct identity_switched *switched, struct err *err),
			    void *argument, struct err *err);
/* *ret_switched was done, and that it was is told, and durable: until then each start does and says it again, and
 * there must be no other candidate. identity: DIR/identity, open. */
int identity_switch_told(int identity, struct err *err);
/* The names of former identities, from place 0 on; and the first that is there at this place or behind, or else before
 * it. store: DIR/link, open. */
void identity_switch_former(unsigned place, char name[IDENTITY_FORMER_BYTES]);
bool identity_switch_find_former(int store, unsigned from, unsigned *ret_place, char name[IDENTITY_FORMER_BYTES]);
/* Removes link/candidate or a former one with all that is in it. store: DIR/link, open. */
int identity_switch_drop(int store, const char *name, struct err *err);

#endif
