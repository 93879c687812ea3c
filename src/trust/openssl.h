/* The few steps over OpenSSL that keys and certificates of this folder share.
 * Not for other folders. PEM from outside is untrusted; sizes were limited by
 * the caller. */
#ifndef MUSTER_TRUST_OPENSSL_H
#define MUSTER_TRUST_OPENSSL_H

#include <stdbool.h>
#include <stddef.h>

#include <openssl/evp.h>
#include <openssl/x509.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/units.h"

/* Sets "what: OpenSSL's reason" and empties OpenSSL's queue of errors. Returns code. */
int openssl_fail(struct err *err, int code, const char *what);

/* Why it is none, in words for what openssl_fail() says: of a form that OpenSSL's commands can turn into PEM, it is
 * said how. */
const char *openssl_not_pem(const void *bytes, size_t size, bool key);
/* The first private key of a PEM text, never asking for a passphrase. NULL: none; err is set (ERR_FORMAT). */
EVP_PKEY *openssl_key_parse(const void *pem, size_t size, struct err *err);
/* Appends PKCS#8 PEM. */
int openssl_key_pem(const EVP_PKEY *key, struct buf *out, struct err *err);
/* A new P-256 key; NULL: err is set. */
EVP_PKEY *openssl_key_p256(struct err *err);
/* A new RSA key of as many bits; NULL: err is set. Takes a tenth of a second. */
EVP_PKEY *openssl_key_rsa(unsigned bits, struct err *err);
bool openssl_key_is_p256(const EVP_PKEY *key);
bool openssl_key_is_ed25519(const EVP_PKEY *key);
bool openssl_key_is_rsa(const EVP_PKEY *key);
/* The digest that goes with a key's signatures: NULL for Ed25519. */
const EVP_MD *openssl_key_digest(const EVP_PKEY *key);

/* The first certificate of a PEM text. NULL: none; err is set (ERR_FORMAT). */
X509 *openssl_certificate_parse(const void *pem, size_t size, struct err *err);
/* All certificates of a PEM text, in their order; sk_X509_pop_free(). NULL: none, or no memory; err is set. */
STACK_OF(X509) * openssl_certificates_parse(const void *pem, size_t size, struct err *err);
int openssl_certificate_pem(const X509 *certificate, struct buf *out, struct err *err);
/* A date of a certificate. ERR_FORMAT; err is not set. */
int openssl_moment(const ASN1_TIME *asn1, time_us *ret_moment);

/* Appends what a memory BIO holds and frees it. */
int openssl_bio_take(BIO *bio, struct buf *out, struct err *err);

#endif
