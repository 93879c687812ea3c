/* TLS of the listeners: contexts for each loop and each set of profiles, with the
 * server's certificate and beside it the one with an RSA key, when a profile needs
 * it or manager.ini wants it (front/certificates.h). Listeners of the console show
 * a certificate of their own, and ask nobody for one.
 *
 * Made before the role gives up its rights. The RSA certificate takes keys to
 * sign, so that the first time it is there a moment after the start. A listener
 * that is to show it takes nobody until then: who connects waits, and is not
 * refused. The others are open meanwhile. If it cannot be made, those that serve
 * most clients without it open, too.
 */
#ifndef MUSTER_MANAGER_FRONT_TLS_LISTENERS_H
#define MUSTER_MANAGER_FRONT_TLS_LISTENERS_H

#include "manager/front/certified_key.h"
#include "manager/listening.h"
#include "net/tls.h"

struct front;
struct tls_listeners;

/* Of the settings and the certificates that there are; front->loop_count contexts each. Blocks. */
int tls_listeners_new(struct front *front, struct tls_listeners **ret_listeners, struct err *err);
void tls_listeners_free(struct tls_listeners *listeners); /* after the loops have stopped; NULL */
/* What listens; any thread. */
const struct listening *tls_listeners_plan(const struct tls_listeners *listeners);
/* As many as there are loops, for plan->items[index]. */
struct tls_server *const *tls_listeners_of(const struct tls_listeners *listeners, size_t index);
/* Does it take nobody yet, for want of its certificate? Any thread. */
bool tls_listeners_held(const struct tls_listeners *listeners, size_t index);
/* Could the console's listeners show this one? ERR_FORMAT, ERR_UNTRUSTED, ERR_TLS with the reason. Any thread. */
int tls_listeners_try_console(struct tls_listeners *listeners, const struct certified_key *pair, struct err *err);
/* Another certificate is in use, or there are others to trust: so for connections from now on, those under way stay as
 * they are. Any thread. */
void tls_listeners_certified(struct tls_listeners *listeners);
/* The RSA certificate could not be made: who is served without it waits no longer. Any thread. */
void tls_listeners_not_certified(struct tls_listeners *listeners);

#endif
