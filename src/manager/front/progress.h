/* Progress of running commands, as reports bring it, into the database for
 * whoever watches. Nothing depends on it: what the writer has no room for is
 * left out, the next report brings newer numbers. */
#ifndef MUSTER_MANAGER_FRONT_PROGRESS_H
#define MUSTER_MANAGER_FRONT_PROGRESS_H

#include "manager/front/front_state.h"
#include "wire/exchange.h"

/* Queues the writes; any thread; never blocks. The report is authenticated as the computer's. */
void progress_note(struct front *front, const struct uuid *computer, const Muster__Wire__Report *report);

#endif
