/* TLS of the listeners: contexts for each loop and each set of profiles, the
 * listener's certificate (front/tls.*), and beside it one with an RSA key
 * (front/tls-rsa.*) when a profile needs it or manager.ini wants it.
 *
 * Made before the role gives up its rights. The RSA certificate takes keys to
 * sign, so that the first time it is there a moment after the start, and clients
 * that take no other are refused until then. It has the names of the first one.
 */
#ifndef MUSTER_MANAGER_FRONT_TLS_LISTENERS_H
#define MUSTER_MANAGER_FRONT_TLS_LISTENERS_H

#include "base/env.h"
#include "manager/listening.h"
#include "net/tls.h"

struct front;
struct tls_listeners;

/* Of the settings, front/tls.* and, if there, front/tls-rsa.*; front->loop_count contexts each. Blocks. */
int tls_listeners_new(struct front *front, struct tls_listeners **ret_listeners, struct err *err);
void tls_listeners_free(struct tls_listeners *listeners); /* after the loops have stopped; NULL */
/* What listens; any thread. */
const struct listening *tls_listeners_plan(const struct tls_listeners *listeners);
/* As many as there are loops, for plan->items[index]. */
struct tls_server *const *tls_listeners_of(const struct tls_listeners *listeners, size_t index);
/* Until when the RSA certificate is good that is served now, wall clock; 0: none is. Any thread. */
time_us tls_listeners_rsa_ends(const struct tls_listeners *listeners);

/* Periodic, on a worker thread; argument: the front. Has the RSA certificate made when it is wanted and
 * missing, and anew before it ends; connections from then on get it. Blocks for keys. */
void tls_listeners_renew(void *argument);

#endif
