/* What both ends of one TLS connection know and nobody else: to sign something
 * for this very connection (channel binding, RFC 9266).
 *
 * Of TLS 1.3 alone: there the value depends on the whole handshake, and stays
 * available once a server has shed the session (net/tls.h).
 */
#ifndef MUSTER_NET_TLS_CHANNEL_H
#define MUSTER_NET_TLS_CHANNEL_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

struct ssl_st;

/* label: "EXPORTER-…". ERR_VERSION: the connection is not of TLS 1.3; ERR_TLS. */
int tls_channel_export(struct ssl_st *ssl, const char *label, uint8_t *out, size_t size, struct err *err);
/* Appends the certificate that the peer showed, as PEM, whether it was verified or not. ERR_NOT_FOUND: none. */
int tls_channel_peer(struct ssl_st *ssl, struct buf *out, struct err *err);

#endif
