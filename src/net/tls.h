/* TLS with OpenSSL 3: contexts for servers and clients.
 *
 * Each server object has a library context of its own, so that loop threads do
 * not contend (measured: 1.59 times on two cores instead of 1.27). Versions and
 * suites are those of profiles (net/tls_profiles.h). Sessions are resumed by
 * tickets; buffers of idle connections are released. Keys and certificates
 * come as PEM bytes. An object belongs to one loop thread.
 */
#ifndef MUSTER_NET_TLS_H
#define MUSTER_NET_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/hex.h"
#include "base/units.h"
#include "net/tls_profiles.h"

struct tls_server;
struct tls_client;
struct ssl_st;

/* chain_pem: leaf first, then the CA. client_ca_pem: who signs client
 * certificates (NULL: none are asked for); a client may show none, a bad one
 * fails the handshake. ticket_key: 80 random bytes shared by the loops of one
 * server; a change of it, or of client_ca_pem, ends all resumption. */
#define TLS_TICKET_KEY_BYTES 80
struct tls_server *tls_server_new(const char *chain_pem, const char *key_pem, const char *client_ca_pem,
				  const uint8_t ticket_key[TLS_TICKET_KEY_BYTES], struct err *err);
/* The same with other profiles than `modern`; ERR_VERSION where this OpenSSL cannot serve them. */
struct tls_server *tls_server_with(tls_profile_set profiles, const char *chain_pem, const char *key_pem,
				   const char *client_ca_pem, const uint8_t ticket_key[TLS_TICKET_KEY_BYTES],
				   struct err *err);
/* One more certificate and key, or new ones instead of those of the same kind of key, for
 * connections from now on; nothing is changed on failure. On the thread of tls. */
int tls_server_certify(struct tls_server *tls, const char *chain_pem, const char *key_pem, struct err *err);
/* This certificate alone, whatever kinds of key those before had, for connections from now on; on failure it is as it
 * was. For a server that asks nobody for a certificate, and has no other beside it. On the thread of tls. */
int tls_server_show(struct tls_server *tls, const char *chain_pem, const char *key_pem, struct err *err);
/* Other roots for clients, for connections from now on; on failure it is as it was. On the thread of tls. */
int tls_server_trust(struct tls_server *tls, const char *client_ca_pem, struct err *err);
/* Takes no ticket of before: who resumed would not see the present certificate. On the thread of tls. */
int tls_server_forget(struct tls_server *tls, const uint8_t ticket_key[TLS_TICKET_KEY_BYTES], struct err *err);
/* Whoever shows no certificate is refused, and whoever shows one without this URI among its names
 * (SAN): before the first connection, since tickets given before would be taken. Nor one that ended before `proven`, a
 * moment that has certainly passed (0: whenever it ended): that may be said again. uri outlives tls. */
void tls_server_require(struct tls_server *tls, const char *uri, time_us proven);
/* One more server with base's key, trust and tickets, and a certificate of its own: for many
 * identities in one process. On the thread of base, which outlives it. */
struct tls_server *tls_server_beside(struct tls_server *base, const char *certificate_pem, struct err *err);
void tls_server_free(struct tls_server *tls);
struct ssl_st *tls_server_connection(struct tls_server *tls); /* SSL_free(); NULL: no memory */
/* After the handshake, when nobody will ask for the peer's certificate again: lets go of it and of
 * the session (doc/decisions/0007). Ciphers, keys, tickets already sent and everything on the wire
 * stay as they are. Does nothing with an OpenSSL that this was not tried with, nor with TLS 1.2 where
 * the peer showed no certificate: its exported values (net/tls_channel.h) are made of the session. */
void tls_server_shed(struct tls_server *tls, struct ssl_st *ssl);

/* The peer's certificate, verified but for its dates (of resumed sessions too), with its SHA-256;
 * ended: by this computer's clock. What is not valid yet was made while the clock of its authority
 * was ahead, and counts as valid. */
enum tls_peer { TLS_PEER_NONE, TLS_PEER_VALID, TLS_PEER_ENDED };
enum tls_peer tls_peer_certificate(struct ssl_st *ssl, uint8_t fingerprint[SHA256_BYTES]);
/* False unless it is valid. */
bool tls_peer_fingerprint(struct ssl_st *ssl, uint8_t fingerprint[SHA256_BYTES]);
bool tls_resumed(struct ssl_st *ssl);

/* What agents offer as application protocol (ALPN), so that a server knows before the handshake's
 * costs that it is one of many. It is not negotiated: a server need not know it. */
#define TLS_AGENT_PROTOCOL "muster-agent/1"

struct tls_client_options {
	const char *ca_pem;            /* trust these roots; or */
	const uint8_t *ca_fingerprint; /* trust the root in the peer's chain with this SHA-256 (enrolment) */
	const char *certificate_pem;   /* own certificate (and chain) and key, or NULL; a key alone is for _beside() */
	const char *key_pem;
	bool any_peer;            /* whoever answers: what it is comes out afterwards (wire/proof.h) */
	bool any_host_name;       /* verify the chain only; the name inside is not compared */
	bool agent;               /* says TLS_AGENT_PROTOCOL */
	bool own_library;         /* a library context of its own (300 KB): one of several loop threads */
	tls_profile_set profiles; /* 0: TLS_PROFILE_MODERN. ERR_VERSION where this OpenSSL cannot serve them */
	bool dials_clients;       /* the peer is a client by its certificate: who dials agents */
	bool by_proof;            /* dates of the peer's chain are not judged by the clock: */
	time_us proven; /* what ended before this moment, which has certainly passed, is refused; 0: nothing is */
};
struct tls_client *tls_client_new(const struct tls_client_options *options, struct err *err);
/* One more client with base's trust and key, and a certificate (NULL: none) and sessions of its
 * own: for many identities in one process, since a context takes a hundred times a certificate's
 * memory. On the thread of base, which outlives it. */
struct tls_client *tls_client_beside(struct tls_client *base, const char *certificate_pem, struct err *err);
/* Shows and trusts something else in connections from now on, and forgets the last session; on failure it is as it
 * was. Connections under way stay as they are. On the thread of tls, which has no other beside it. */
int tls_client_renew(struct tls_client *tls, const struct tls_client_options *options, struct err *err);
/* On the thread that made one with own_library, before another thread has it: OpenSSL keeps nothing for this thread
 * there any more, which it would otherwise look for when the thread ends, and tls may be gone by then. */
void tls_client_hand_over(struct tls_client *tls);
void tls_client_free(struct tls_client *tls);
/* Presents `host` as SNI and verifies it (a name or a numeric address) unless
 * any_host_name; resumes the last session with the same host. host must outlive
 * the connection. SSL_free(), before that SSL_set_shutdown() if its session is to
 * stay resumable; NULL: no memory. */
struct ssl_st *tls_client_connection(struct tls_client *tls, const char *host);
/* It outlives its tls_client and host from now on: no session of it is kept any more. */
void tls_client_leave(struct ssl_st *ssl);

/* After a failed connection: ERR_UNTRUSTED, ERR_CLOCK (not yet valid, expired),
 * ERR_CLOSED or ERR_TLS, with the cause in words. error: what ERR_get_error() gave (libevent
 * takes it off the queue: bufferevent_get_openssl_error()), or 0. */
int tls_failure(struct ssl_st *ssl, unsigned long error, struct err *err);

#endif
