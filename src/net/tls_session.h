/* What a client keeps of a TLS session with one peer, apart from any connection: for whoever
 * dials many peers, each now and then, and wants to resume (doc/decisions/0009).
 *
 * A ticket and its secret, 0.8 KB: of the peer's certificate only the SHA-256 and the end of its
 * validity are kept. What the peer sent in it is not trusted with anything but its own resumption.
 * Belongs to one thread at a time; secrets are wiped.
 */
#ifndef MUSTER_NET_TLS_SESSION_H
#define MUSTER_NET_TLS_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/hex.h"

struct tls_session;
struct ssl_st;
struct ssl_session_st;

#define TLS_SESSION_MAX_BYTES (4 * 1024) /* a peer whose tickets are larger is not resumed */

void tls_session_free(struct tls_session *session); /* accepts NULL */
/* Can be resumed no more, by the system's clock: the peer's certificate or the ticket has ended. */
bool tls_session_ended(const struct tls_session *session);
/* SHA-256 of the peer's certificate. */
const uint8_t *tls_session_peer(const struct tls_session *session);
size_t tls_session_bytes(const struct tls_session *session);

/* Of a connection that tls_client_connection() made, before its handshake: offers *slot, unless
 * that is NULL or has ended, and replaces it by each session that the peer offers to resume. The
 * slot's owner frees what is in it. The slot outlives the connection, or tls_client_leave(). For
 * clients that verify no host name; tls_peer_fingerprint() is as in the handshake that was resumed. */
void tls_session_use(struct ssl_st *ssl, struct tls_session **slot);

/* --- for src/net --- */
/* Takes what the peer offers, if this connection has a slot: true then. */
bool tls_session_offered(struct ssl_st *ssl, struct ssl_session_st *offered);
/* The slot is used no more. */
void tls_session_leave(struct ssl_st *ssl);
/* Of a resumed connection; false: not resumed from a slot, or the certificate has ended since. */
bool tls_session_resumed_peer(struct ssl_st *ssl, uint8_t fingerprint[SHA256_BYTES]);

#endif
