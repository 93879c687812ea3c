/* What servers and clients share: inner header of tls_*.c. */
#ifndef MUSTER_NET_TLS_CONTEXT_H
#define MUSTER_NET_TLS_CONTEXT_H

#include <openssl/ssl.h>

#include "net/tls.h"

/* A context with the profiles' versions and suites. NULL after err_set(). library may be NULL (the process's own). */
SSL_CTX *tls_context_new(OSSL_LIB_CTX *library, const SSL_METHOD *method, tls_profile_set profiles, struct err *err);
/* Leaf, chain and key; the key must fit. Beside one of another kind of key, or instead of one of the
 * same kind; on failure the context is as it was. */
int tls_context_identity(SSL_CTX *context, OSSL_LIB_CTX *library, const char *chain_pem, const char *key_pem,
			 struct err *err);
/* The first certificate in pem, another one for the key that the context has; the caller's to X509_free(). */
int tls_context_other_certificate(const SSL_CTX *context, OSSL_LIB_CTX *library, const char *pem,
				  X509 **ret_certificate, struct err *err);
/* The key alone. */
int tls_context_key(SSL_CTX *context, OSSL_LIB_CTX *library, const char *key_pem, struct err *err);
/* All certificates in pem become trusted roots; their number must not be zero. */
int tls_context_roots(SSL_CTX *context, OSSL_LIB_CTX *library, const char *pem, struct err *err);
/* Calls each() with every certificate in pem, which is freed afterwards. what: "the CA". */
int tls_each_certificate(OSSL_LIB_CTX *library, const char *pem, const char *what,
			 int (*each)(void *argument, X509 *certificate), void *argument, struct err *err);
/* How the dates of a peer's certificates are judged, and what name its own must have. Outlives the context. */
struct tls_judge {
	int64_t proven_s; /* it is certainly later than this: what ended before is refused; 0: nothing is */
	const char *uri;  /* the peer's certificate has this among its names; NULL: any */
};
/* From now on peers' chains are judged so, and not by the clock. mode: SSL_VERIFY_PEER and so on. */
void tls_judge_use(SSL_CTX *context, const struct tls_judge *way, int mode);
/* err_set(ERR_TLS or code) with the words of OpenSSL's last error; empties its queue. */
int tls_library_error(struct err *err, int code, const char *what);
/* SHA-256 of the DER form. */
bool tls_certificate_fingerprint(const X509 *certificate, uint8_t fingerprint[SHA256_BYTES]);

#endif
