/* How a computer's membership ends and begins again: deactivated, revoked, deleted, reactivated.
 *
 * Each is one transaction (the row with its status, what was under way, events
 * and the audit entry), and then its agent is out within a second: the roster
 * refuses its certificate, a held poll is answered with the cause, uploads and
 * dialled connections are cut. A computer that is not managed keeps its row, its
 * policy and its history; its status says which of specification 10-links it is.
 *
 * Which step leads from where to where is in manager/front/membership_rules.h.
 * The calls for API handlers are in manager/front/front.h.
 */
#ifndef MUSTER_MANAGER_FRONT_MEMBERSHIP_H
#define MUSTER_MANAGER_FRONT_MEMBERSHIP_H

#include "manager/front/front_state.h"
#include "manager/front/membership_rules.h"

/* What the roster says of a certificate of a computer's row. */
enum roster_standing standing_of_row(struct cursor *row);

/* A computer was given another agent: the one before is out, the new one is let in. Blocks. */
int membership_taken(struct front *front, const struct uuid *computer, const uint8_t replaced[SHA256_BYTES],
		     const uint8_t fingerprint[SHA256_BYTES], struct err *err);
/* Its agent says that another manager has taken it, or that it is being uninstalled: then its certificate is good for
 * nothing any more. Blocks. */
struct leaving {
	const char *manager;  /* NULL: uninstalled */
	const uint8_t *shown; /* the certificate's fingerprint */
};
int membership_left(struct front *front, const struct uuid *computer, const struct leaving *leaving, struct err *err);
/* A clone of the computer was refused, or an agent that was set back: it is shown as a computer that has to be
 * activated. Any thread; never blocks. */
void membership_clone_waits(struct front *front, const struct uuid *computer);
/* The agent of a computer that was deactivated spoke to us: that is shown. Any thread; never blocks. */
void membership_knocked(struct front *front, const struct uuid *computer);

#endif
