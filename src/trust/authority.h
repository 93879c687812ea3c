/* The manager's certificate authority: one ECDSA P-256 key and its root.
 *
 * Issues agents' and servers' certificates from PKCS#10 requests, which come
 * from outside: only the public key is taken from a request, after its
 * self-signature verified; names and purposes are the caller's. Every validity
 * begins a day early for machines with slow clocks. Time is given as `now`.
 */
#ifndef MUSTER_TRUST_AUTHORITY_H
#define MUSTER_TRUST_AUTHORITY_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/hex.h"
#include "base/units.h"

struct authority;

#define AUTHORITY_BACKDATE_US      DAY_US
#define AUTHORITY_VALIDITY_DAYS    3650
#define CERTIFICATE_VALIDITY_DAYS  365
#define AUTHORITY_SERVER_NAMES_MAX 32

/* name: common name of the root, at most 64 bytes of UTF-8 (ERR_LIMIT, ERR_FORMAT). */
int authority_generate(const char *name, time_us now, struct authority **ret_authority, struct err *err);
/* The one that follows: the same name, a new key. Appended to link, as PEM: a certificate for that key by the old
 * one, by which whoever trusts that one trusts the next (trust/roots.h). */
int authority_succeed(const struct authority *old, time_us now, struct authority **ret_next, struct buf *link,
		      struct err *err);
/* When its root ends; nothing that it issues ends later. */
time_us authority_end(const struct authority *authority);
/* Key 0600 and certificate 0644, both PEM, each written beside and renamed after fsync. */
int authority_store(const struct authority *authority, const char *key_path, const char *certificate_path,
		    struct err *err);
/* ERR_NOT_FOUND, ERR_FORMAT, ERR_UNTRUSTED (key and certificate do not belong together, or no CA). */
int authority_load(const char *key_path, const char *certificate_path, struct authority **ret_authority,
		   struct err *err);
void authority_free(struct authority *authority);

/* For src/trust: of a key and its root, which it takes over, also on failure (ERR_UNTRUSTED: they do not belong
 * together); and the root, which stays its own. */
struct evp_pkey_st;
struct x509_st;
int authority_of(struct evp_pkey_st *key, struct x509_st *root, struct authority **ret_authority, struct err *err);
struct x509_st *authority_root(const struct authority *authority);

/* Appends its private key as PKCS#8 PEM: for a backup. */
int authority_key_pem(const struct authority *authority, struct buf *out, struct err *err);
/* Appends the root's PEM. */
int authority_pem(const struct authority *authority, struct buf *out, struct err *err);
/* SHA-256 of the root's DER: what an installer line carries. */
void authority_fingerprint(const struct authority *authority, uint8_t fingerprint[SHA256_BYTES]);

/* An agent's certificate, PEM appended to out: subject CN is the computer's
 * UUID, SAN urn:uuid:…, clientAuth. request: PKCS#10 DER; ERR_LIMIT,
 * ERR_FORMAT (not a request), ERR_UNTRUSTED (not signed by its own key),
 * ERR_RANGE (neither P-256 nor Ed25519). fingerprint may be NULL. */
int authority_certify_agent(const struct authority *authority, const void *request, size_t size,
			    const struct uuid *computer, time_us now, struct buf *out,
			    uint8_t fingerprint[SHA256_BYTES], struct err *err);

/* A server's certificate for host names and numeric addresses (told apart by
 * their form); the first is the subject. serverAuth and clientAuth (the manager
 * dials agents with it). Errors as above; a name that is neither is ERR_FORMAT. */
int authority_certify_server(const struct authority *authority, const void *request, size_t size,
			     const char *const *names, size_t name_count, time_us now, struct buf *out,
			     struct err *err);

/* One more certificate for a server that this authority has certified before: with the names of
 * certificate_pem (its dates are not looked at), so that who asks cannot choose them, and for the
 * request's key, which may be RSA of 2048 bits and more too. roots_pem: this authority and those
 * before it, any of which may have certified it. ERR_UNTRUSTED: certificate_pem is none of theirs
 * or not a server's; else as above. */
int authority_certify_server_again(const struct authority *authority, const void *request, size_t size,
				   const char *certificate_pem, const char *roots_pem, time_us now, struct buf *out,
				   struct err *err);

/* The certificate with which the manager dials agents: clientAuth and the name below, which no
 * computer's certificate has. Errors as above. */
#define AUTHORITY_MANAGER_URI "urn:muster:manager"
int authority_certify_manager(const struct authority *authority, const void *request, size_t size, time_us now,
			      struct buf *out, struct err *err);

#endif
