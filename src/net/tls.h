/* TLS with OpenSSL 3: contexts for servers and clients.
 *
 * Each object has a library context of its own, so that loop threads do not
 * contend (doc/decisions). TLS 1.3 and 1.2, the `modern` profile of spec
 * 80-ports-tls.md. Sessions are resumed by tickets; buffers of idle
 * connections are released. Keys and certificates come as PEM bytes.
 */
#ifndef MUSTER_NET_TLS_H
#define MUSTER_NET_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/hex.h"

struct tls_server;
struct tls_client;
struct ssl_st;

/* chain_pem: leaf first, then the CA. client_ca_pem: who signs client
 * certificates; a client may show none, a bad one fails the handshake.
 * ticket_key: 80 bytes shared by the loops of one server. */
#define TLS_TICKET_KEY_BYTES 80
struct tls_server *tls_server_new(const char *chain_pem, const char *key_pem, const char *client_ca_pem,
				  const uint8_t ticket_key[TLS_TICKET_KEY_BYTES], struct err *err);
void tls_server_free(struct tls_server *tls);
struct ssl_st *tls_server_connection(struct tls_server *tls);

struct tls_client_options {
	const char *ca_pem;            /* trust these roots; or */
	const uint8_t *ca_fingerprint; /* trust the root in the peer's chain with this SHA-256 (enrolment) */
	const char *certificate_pem;   /* own certificate and key, or NULL */
	const char *key_pem;
	bool any_host_name; /* verify the chain only; the name inside is not compared */
};
struct tls_client *tls_client_new(const struct tls_client_options *options, struct err *err);
void tls_client_free(struct tls_client *tls);
/* Presents `host` as SNI and verifies it unless any_host_name. */
struct ssl_st *tls_client_connection(struct tls_client *tls, const char *host);
/* After a failed handshake: ERR_UNTRUSTED, ERR_CLOCK (not yet valid, expired), ERR_TLS, with the cause in words. */
int tls_failure(struct ssl_st *ssl, struct err *err);

#endif
