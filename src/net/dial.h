/* From a host name to a connected socket: resolve, then try each address.
 *
 * Names are resolved by getaddrinfo() on a thread of its own, as the system is
 * configured to (hosts file, DNS, directory); numeric addresses need none. Loop
 * thread only; never blocks.
 */
#ifndef MUSTER_NET_DIAL_H
#define MUSTER_NET_DIAL_H

#include <stdint.h>

#include "base/err.h"
#include "net/loop.h"

struct dial;

/* done() is called once, from the loop: with a non-blocking socket that is the
 * callee's, or with fd -1 and ERR_RESOLVE, ERR_CONNECT, ERR_IO or ERR_MEMORY.
 * source_address: numeric, to bind to, or NULL. NULL: no memory. */
struct dial *dial_new(struct loop *loop, const char *host, uint16_t port, const char *source_address,
		      void (*done)(void *argument, int fd, const struct err *err), void *argument);
/* done() is not called any more. Needed after done() too, and allowed inside it. */
void dial_free(struct dial *dial);

#endif
