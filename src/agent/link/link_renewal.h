/* The agent's certificate is followed by another, when the manager says so.
 *
 * A new key is made, its request goes to POST /agent/v1/renew under the present
 * certificate, and what comes back is checked, stored as a whole and shown from
 * then on (agent/identity_files.h "renewed"). Nothing of it goes by this
 * computer's clock, which may be wrong by years. An agent that may not dial
 * asks over a connection that is turned. A failure is tried again after a while.
 *
 * Loop thread only.
 */
#ifndef MUSTER_AGENT_LINK_LINK_RENEWAL_H
#define MUSTER_AGENT_LINK_LINK_RENEWAL_H

#include "agent/link/link.h"

struct link_renewal;
struct bufferevent;

/* directory: identity/, open; stays the caller's. */
struct link_renewal *link_renewal_new(struct link *link, int directory, struct err *err);
void link_renewal_free(struct link_renewal *renewal); /* accepts NULL */
/* The manager says that it is time, or that the certificate has ended. Cheap; may be said again and again. */
void link_renewal_want(struct link_renewal *renewal);
void link_renewal_step(struct link_renewal *renewal);
time_us link_renewal_due(const struct link_renewal *renewal); /* monotonic; INT64_MAX: nothing */
/* Is a turned connection needed for it? */
bool link_renewal_needs(const struct link_renewal *renewal);
/* Asks over this connection, also when nobody said that it is time: the manager gives such a turn to an agent whose
 * certificate has ended. */
void link_renewal_adopt(struct link_renewal *renewal, struct bufferevent *connection);

#endif
