/* Settings in force on this computer: the manager's configuration, and agent.ini
 * until the first of those and for what policies do not know.
 *
 * The endpoint decides which configuration is put in force (endpoint/configuration.h);
 * this is its shell: checks values by the table of policy/settings.h and by the
 * local limits of agent.ini, gives guard its part and brings guard's answer
 * back. Names that the table does not know are passed over and shown
 * (doc/decisions/0008). Loop thread only.
 */
#ifndef MUSTER_AGENT_LINK_LINK_CONFIGURATION_H
#define MUSTER_AGENT_LINK_LINK_CONFIGURATION_H

#include "agent/link/control_server.h"
#include "agent/link/link.h"
#include "policy/effective.h"

struct link_configuration;

/* Of agent.ini: ERR_RANGE when that does not fit the table. Before the endpoint is made. */
struct link_configuration *link_configuration_new(struct link *link, struct err *err);
void link_configuration_free(struct link_configuration *configuration);

/* For the endpoint; their context is the link. */
int link_configuration_check(void *context, const Muster__Wire__Configuration *configuration,
			     struct endpoint_connection *connection, struct buf *why);
int link_configuration_apply(void *context, const Muster__Wire__Configuration *configuration, uint64_t order,
			     struct buf *why);

/* What agent.ini alone says of the connection: the endpoint's options. */
struct endpoint_connection link_configuration_own(const struct link_configuration *configuration);
/* What guard has taken last; agent.ini's before. */
const struct effective *link_configuration_in_force(const struct link_configuration *configuration);
/* The largest file that is sent to the manager, in bytes; without a policy the manager's own limit counts. */
uint64_t link_configuration_upload_max(const struct link_configuration *configuration);
/* Names passed over in it, separated by ", "; "" when there are none. */
const char *link_configuration_unknown(const struct link_configuration *configuration);
/* One line a setting: name, value, origin (policy, agent.ini, default), locked. */
void link_configuration_show(const struct link_configuration *configuration, struct control_client *client);

#endif
