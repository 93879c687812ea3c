/* A TLS stream: libevent's bufferevent over a connected socket.
 *
 * Callbacks are deferred, so that none of ours runs inside libevent's TLS code
 * and a stream may be freed in any of them. The stream owns socket and SSL:
 * both end with stream_free(), not when libevent gets round to it, because the
 * library context of the SSL may be freed right after.
 */
#ifndef MUSTER_NET_STREAM_H
#define MUSTER_NET_STREAM_H

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <event2/event.h>
#include <openssl/ssl.h>
#include <stdbool.h>

#include "net/loop.h"

/* Takes fd and ssl, on failure too. ssl in accept or connect state says who
 * begins the handshake. NULL: no memory. */
struct bufferevent *stream_new(struct loop *loop, int fd, SSL *ssl);
/* say_close: tell the peer that no more comes (close_notify); only after an
 * established connection without error. Accepts NULL. */
void stream_free(struct bufferevent *stream, bool say_close);
/* The same, but gives the socket back, open. */
int stream_end(struct bufferevent *stream, bool say_close);

#endif
