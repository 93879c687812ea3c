/* Which side dials, and the agent's listener. Loop thread only.
 *
 * The endpoint says which direction is in force (endpoint/configuration.h);
 * this opens and closes the port for it. agent.ini's own direction is tried
 * before it is kept, if the agent does not dial in it: until the manager's
 * first dial the agent goes on dialling by itself, and when none comes within
 * LINK_LISTEN_TRIAL_US it goes back and says why (event 4021). What was proven is written to
 * link/direction, so that a restart does not begin anew. A port that cannot be
 * had is told once (event 4013) and tried again; the agent goes on in the
 * other ways it has.
 */
#ifndef MUSTER_AGENT_LINK_LINK_LISTEN_H
#define MUSTER_AGENT_LINK_LINK_LISTEN_H

#include <jansson.h>

#include "agent/link/link.h"

#define LINK_LISTEN_TRIAL_US (3 * MINUTE_US)
#define LINK_LISTEN_RETRY_US (30 * SECOND_US)

struct link_listen;

/* The direction proven last, for endpoint_options. directory: link/, stays the caller's. */
enum link_direction link_listen_proven(const struct link *link, int directory);
/* Another identity from now on: nobody has dialled that one yet, and the agent dials until somebody has. */
int link_listen_forget(int directory, struct err *err);
/* After the endpoint was made. Reads [link] direction, listen_port and listen_address. */
struct link_listen *link_listen_new(struct link *link, int directory, struct err *err);
void link_listen_free(struct link_listen *listen);
/* Tries agent.ini's direction; one of a configuration goes before it, and is tried by the endpoint. */
void link_listen_begin(struct link_listen *listen);
/* The identity is another one: connections from now on show and trust it. */
void link_listen_renewed(struct link_listen *listen);
void link_listen_step(struct link_listen *listen);
time_us link_listen_due(const struct link_listen *listen); /* monotonic; INT64_MAX: nothing */
/* The port it listens on, 0: it does not; and why not, "" if it does or need not. */
uint16_t link_listen_port(const struct link_listen *listen);
const char *link_listen_problem(const struct link_listen *listen);
/* direction, port, problem, counters; the caller's. */
json_t *link_listen_status(const struct link_listen *listen);

/* Has link requests of its own for which it may not dial? endpoint_actor's wants_turn. */
bool link_listen_wants_turn(const struct link *link);

#endif
