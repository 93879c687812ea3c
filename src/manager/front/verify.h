/* Verifying connections (specification 10-links): are these computers there now?
 *
 * Each computer that holds a poll is asked by answering the poll: its agent
 * reports at once, authenticated, or is silent. Only a sign of life after the
 * question counts. Questions are paced, so that verifying a whole fleet is no
 * herd. What came of each is a row: the log of verifications. People begin one
 * by front_verify(); the setting computers.verify_interval does it by the clock.
 */
#ifndef MUSTER_MANAGER_FRONT_VERIFY_H
#define MUSTER_MANAGER_FRONT_VERIFY_H

#include "manager/front/front.h"

struct verifier;

int verifier_new(struct verifier **ret_verifier, struct err *err);
void verifier_free(struct verifier *verifier); /* accepts NULL */
/* At start: those that the last run of the manager did not finish have ended. Blocks. */
int verify_load(struct front *front, struct err *err);
/* Periodic, on a worker thread; argument: the front. */
void verify_tick(void *argument);     /* several times a second */
void verify_schedule(void *argument); /* about once a minute */

#endif
