/* Who is connected to a loop: known clients, and strangers, the oldest first.
 *
 * A connection is in one of the two lists from its birth to its end. Loop thread only.
 */
#ifndef MUSTER_NET_CONNECTION_LIST_H
#define MUSTER_NET_CONNECTION_LIST_H

#include "net/connection.h"

/* As the youngest stranger. */
void connection_list_join(struct connection *connection);
/* A stranger turned out to be a known client. */
void connection_list_certify(struct connection *connection);
void connection_list_leave(struct connection *connection);
/* Where nearly all places are taken: frees a stranger that waits, or does not get on, so that others are not kept out.
 */
void connection_list_make_room(struct home *home);
/* Where its address has more than its share of those who are not known yet (net/sources.h): frees the oldest other one
 * of that address here, so that who floods takes places from itself alone, and a newcomer behind the same NAT is not
 * kept out. */
void connection_list_make_room_beside(struct connection *connection);

#endif
