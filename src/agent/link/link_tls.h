/* What the agent shows and offers its manager: the identity's certificate, the policy's TLS profiles.
 *
 * Life: link_tls_new() makes link->tls; from then on it is renewed in place, for whoever dials with it next.
 */
#ifndef MUSTER_AGENT_LINK_LINK_TLS_H
#define MUSTER_AGENT_LINK_LINK_TLS_H

#include "agent/link/link.h"

/* The present identity, shown to its own manager; points into the link, where the key stays for the listener and is
 * wiped with the identity. */
struct tls_client_options link_tls_options(const struct link *link);
int link_tls_new(struct link *link, struct err *err);
/* The identity is another one: connections from now on show and trust it. What cannot be used ends link: guard starts
 * it again. */
int link_tls_renew(struct link *link, struct err *err);
/* Connections from now on offer these; 0: modern. What cannot be had was refused by link_configuration_check(). */
void link_tls_use(struct link *link, tls_profile_set profiles);
/* For a manager that is not the present one, and whose listener has a profile of its own: what the policy says and what
 * is usual, whichever fits; with a FIPS profile nothing else. */
tls_profile_set link_tls_elsewhere(const struct link *link);
/* Those of the configuration that was in force when the agent stopped. */
void link_tls_use_kept(struct link *link);

#endif
