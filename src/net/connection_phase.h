/* What a connection is waited for, and for how long.
 *
 * The phase is computed from the state, never stored by hand; a deadline is of its phase. Loop thread only.
 */
#ifndef MUSTER_NET_CONNECTION_PHASE_H
#define MUSTER_NET_CONNECTION_PHASE_H

#include "net/connection.h"

enum phase connection_phase_now(const struct connection *connection);
/* That of connection->phase, from now on; none for one whose end is set already. */
void connection_deadline_set(struct connection *connection);
/* The deadline has come, and enough has moved since it was set: it is not late. */
bool connection_progressed(const struct connection *connection);

#endif
