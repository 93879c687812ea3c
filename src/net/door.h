/* The door of a server: who waits for a handshake while others are under way.
 * Inner header of connection.c and door.c.
 *
 * A handshake with a client's certificate takes milliseconds of a processor, a
 * fleet that comes back thousands of them, and a person who asks something
 * meanwhile would wait behind them all. So agents say in the clear part of their
 * first message who they are (ALPN, TLS_AGENT_PROTOCOL); they are let in so many
 * at a time on each loop, in the order they came, and everybody else at once.
 * The word is a hint and trusted for nothing: who leaves it out competes with
 * the few that are inside, who lies with it waits.
 */
#ifndef MUSTER_NET_DOOR_H
#define MUSTER_NET_DOOR_H

#include <stdbool.h>

struct connection;

/* A connection just accepted waits here for its first bytes; then connection_enter(). False: no memory; fd is the
 * caller's still if connection->bare is NULL. */
bool door_wait(struct connection *connection, int fd);
/* Its handshake has ended, one way or the other, or it never came to one: the next may come in. */
void door_leave(struct connection *connection);

#endif
