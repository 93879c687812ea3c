/* From where those come whose handshake is not over: how many of each address, and what its share is.
 *
 * Whoever is not known yet costs a place and says nothing for itself, so that one
 * address alone must not take the places of all others. As long as less than half
 * of all places are held by such connections everybody may have as many as they
 * like: a whole fleet may stand behind one address (NAT). From there on each
 * address has an equal part of that half. An IPv6 address counts by its /64, which
 * is what one customer has. Who has shown that it speaks TLS counts no more.
 * Any thread.
 */
#ifndef MUSTER_NET_SOURCES_H
#define MUSTER_NET_SOURCES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/err.h"

#define SOURCES_LEAST        8  /* that any address may have in any case */
#define SOURCES_CLIENT_BYTES 16 /* by which a client is known */

struct sources;
struct source;

/* places: of the server, in all. */
struct sources *sources_new(size_t places, struct err *err);
void sources_free(struct sources *sources); /* accepts NULL; nobody is counted any more */
/* One more from there. NULL: it is not counted (no memory). */
struct source *sources_enter(struct sources *sources, const struct sockaddr *address);
/* One more of a client; in a table that holds no addresses. */
struct source *sources_enter_client(struct sources *sources, const uint8_t client[SOURCES_CLIENT_BYTES]);
/* How many there are of it; 0 for NULL. */
size_t sources_count(struct sources *sources, const struct source *source);
/* One less; source NULL: nothing to do. */
void sources_leave(struct sources *sources, struct source *source);
/* Has it more than its share, where places are short? False for NULL. */
bool sources_crowds(struct sources *sources, const struct source *source);

#endif
