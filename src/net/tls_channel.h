/* What both ends of one TLS connection know and nobody else: to sign something
 * for this very connection (channel binding, RFC 9266).
 *
 * Of TLS 1.3, and of TLS 1.2 where both ends have extended master secret (RFC
 * 7627): there the value depends on the whole handshake. It stays available after
 * tls_server_shed(), which keeps what TLS 1.2 needs for it where nobody has shown
 * a certificate; with one it is refused from then on.
 */
#ifndef MUSTER_NET_TLS_CHANNEL_H
#define MUSTER_NET_TLS_CHANNEL_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

struct ssl_st;

/* label: "EXPORTER-…". ERR_VERSION: the connection's version has no such value, and what is needed; ERR_TLS. */
int tls_channel_export(struct ssl_st *ssl, const char *label, uint8_t *out, size_t size, struct err *err);
/* Appends the certificate that the peer showed, as PEM, whether it was verified or not. ERR_NOT_FOUND: none. */
int tls_channel_peer(struct ssl_st *ssl, struct buf *out, struct err *err);

#endif
