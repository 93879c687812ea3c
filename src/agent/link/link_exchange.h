/* Reports and replies: the endpoint's two lanes on two connections.
 *
 * The main lane's exchange may be held by the manager; the urgent lane's is
 * answered at once and its connection closes when idle. Each failure reaches
 * the endpoint with its own code and sentence. Loop thread only.
 */
#ifndef MUSTER_AGENT_LINK_LINK_EXCHANGE_H
#define MUSTER_AGENT_LINK_LINK_EXCHANGE_H

#include "agent/link/link.h"

enum exchange_denial {
	EXCHANGE_NOT_DENIED,
	EXCHANGE_DENIED,
	EXCHANGE_DENIED_DEACTIVATED,   /* a person there may let this computer in again */
	EXCHANGE_DENIED_NOT_ON_RECORD, /* likewise, or all that are unknown there */
};

struct link_exchange *link_exchange_new(struct link *link, struct err *err);
void link_exchange_free(struct link_exchange *exchange);
/* Sends what is due. */
void link_exchange_step(struct link_exchange *exchange);
/* When to step next (monotonic). */
time_us link_exchange_due(const struct link_exchange *exchange);
/* Asks for an exchange now, whatever pause an earlier refusal or failure has set. */
void link_exchange_hurry(struct link_exchange *exchange);
/* The manager has dialled and exchanged a report: if it had refused this computer before, it does so no more. */
void link_exchange_heard(struct link_exchange *exchange);
/* The identity is another one: no request from now on goes over a connection that shows the one before. Has it used
 * soon. */
void link_exchange_renewed(struct link_exchange *exchange);
/* Drops what is under way, for which nobody waits any more, and connections. */
void link_exchange_redial(struct link_exchange *exchange);
/* How many exchanges have worked since the start. */
uint64_t link_exchange_count(const struct link_exchange *exchange);
/* After 401 or 403, until an exchange works again: the manager does not take this computer (any more). */
enum exchange_denial link_exchange_denial(const struct link_exchange *exchange);
/* While a reply is acted on: the manager saw the certificate before the present one when it made it. */
bool link_exchange_answer_is_old(const struct link_exchange *exchange);

#endif
