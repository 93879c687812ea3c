/* TLS contexts: profile, certificates, and what went wrong in words.
 *
 * PEM text comes from our own files or from the operator; peers' certificates
 * come from the network and are judged by OpenSSL alone.
 */
#include "net/tls.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/sha.h>
#include <openssl/x509v3.h>
#include <string.h>

#include "net/tls_context.h"
#include "net/tls_session.h"

int tls_library_error(struct err *err, int code, const char *what)
{
	const char *reason = ERR_reason_error_string(ERR_peek_last_error());

	ERR_clear_error();
	return err_set(err, code, "%s: %s", what, reason != NULL ? reason : "no cause given by the TLS library");
}

SSL_CTX *tls_context_new(OSSL_LIB_CTX *library, const SSL_METHOD *method, tls_profile_set profiles, struct err *err)
{
	SSL_CTX *context = SSL_CTX_new_ex(library, NULL, method);

	if (context == NULL) {
		tls_library_error(err, ERR_TLS, "no TLS context");
		return NULL;
	}
	if (tls_profiles_apply(profiles, context, err) != 0) {
		SSL_CTX_free(context);
		return NULL;
	}
	SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
				      SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE);
	SSL_CTX_set_read_ahead(context, 0);
	return context;
}

int tls_each_certificate(OSSL_LIB_CTX *library, const char *pem, const char *what,
			 int (*each)(void *argument, X509 *certificate), void *argument, struct err *err)
{
	BIO *bio = BIO_new_mem_buf(pem, -1);
	unsigned count = 0;
	int r = bio != NULL ? 0 : err_set(err, ERR_MEMORY, "no memory for a certificate");

	while (r == 0) {
		X509 *certificate = X509_new_ex(library, NULL);

		if (PEM_read_bio_X509(bio, &certificate, NULL, NULL) == NULL) {
			X509_free(certificate);
			break;
		}
		count++;
		if (each(argument, certificate) != 1)
			r = tls_library_error(err, ERR_TLS, what);
		X509_free(certificate);
	}
	BIO_free(bio);
	if (r == 0 && count == 0)
		r = err_set(err, ERR_FORMAT, "%s: no certificate in the PEM text", what);
	ERR_clear_error();
	return r;
}

static int add_root(void *argument, X509 *certificate)
{
	return X509_STORE_add_cert(argument, certificate);
}

int tls_context_roots(SSL_CTX *context, OSSL_LIB_CTX *library, const char *pem, struct err *err)
{
	return tls_each_certificate(library, pem, "the CA certificate", add_root, SSL_CTX_get_cert_store(context), err);
}

static int keep_first(void *argument, X509 *certificate)
{
	X509 **first = argument;

	if (*first == NULL && X509_up_ref(certificate) == 1)
		*first = certificate;
	return *first != NULL;
}

int tls_context_other_certificate(const SSL_CTX *context, OSSL_LIB_CTX *library, const char *pem,
				  X509 **ret_certificate, struct err *err)
{
	const EVP_PKEY *key = SSL_CTX_get0_privatekey(context);
	X509 *first = NULL;
	int r = tls_each_certificate(library, pem, "the own certificate", keep_first, &first, err);

	if (r == 0 && (key == NULL || X509_check_private_key(first, key) != 1))
		r = tls_library_error(err, ERR_UNTRUSTED, "the private key does not belong to the certificate");
	if (r == 0)
		*ret_certificate = first;
	else
		X509_free(first);
	return r;
}

struct identity {
	X509 *leaf;
	STACK_OF(X509) * chain;
};

static int add_to_chain(void *argument, X509 *certificate)
{
	struct identity *identity = argument;

	if (X509_up_ref(certificate) != 1)
		return 0;
	if (identity->leaf == NULL) {
		identity->leaf = certificate;
		return 1;
	}
	if (sk_X509_push(identity->chain, certificate) > 0)
		return 1;
	X509_free(certificate);
	return 0;
}

static EVP_PKEY *read_key(OSSL_LIB_CTX *library, const char *key_pem, struct err *err)
{
	BIO *bio = BIO_new_mem_buf(key_pem, -1);
	EVP_PKEY *key = NULL;

	/* "" as password: an encrypted key fails instead of asking the terminal. */
	if (bio != NULL)
		key = PEM_read_bio_PrivateKey_ex(bio, NULL, NULL, (void *)(uintptr_t) "", library, NULL);
	if (key == NULL)
		tls_library_error(err, ERR_FORMAT, "the private key cannot be read");
	BIO_free(bio);
	return key;
}

int tls_context_key(SSL_CTX *context, OSSL_LIB_CTX *library, const char *key_pem, struct err *err)
{
	EVP_PKEY *key = read_key(library, key_pem, err);
	int r = key != NULL ? 0 : ERR_FORMAT;

	if (r == 0 && SSL_CTX_use_PrivateKey(context, key) != 1)
		r = tls_library_error(err, ERR_UNTRUSTED, "the private key does not belong to the certificate");
	EVP_PKEY_free(key);
	return r;
}

/* All of it or nothing: connections may be made from the context while it changes hands. */
int tls_context_identity(SSL_CTX *context, OSSL_LIB_CTX *library, const char *chain_pem, const char *key_pem,
			 struct err *err)
{
	struct identity identity = { .chain = sk_X509_new_null() };
	EVP_PKEY *key = NULL;
	int r = identity.chain != NULL ? 0 : err_set(err, ERR_MEMORY, "no memory for a certificate");

	if (r == 0)
		r = tls_each_certificate(library, chain_pem, "the own certificate", add_to_chain, &identity, err);
	if (r == 0 && (key = read_key(library, key_pem, err)) == NULL)
		r = ERR_FORMAT;
	if (r == 0 && X509_check_private_key(identity.leaf, key) != 1)
		r = tls_library_error(err, ERR_UNTRUSTED, "the private key does not belong to the certificate");
	if (r == 0 && SSL_CTX_use_cert_and_key(context, identity.leaf, key, identity.chain, 1) != 1)
		r = tls_library_error(err, ERR_TLS, "the own certificate");
	EVP_PKEY_free(key);
	X509_free(identity.leaf);
	sk_X509_pop_free(identity.chain, X509_free);
	return r;
}

bool tls_certificate_fingerprint(const X509 *certificate, uint8_t fingerprint[SHA256_BYTES])
{
	unsigned char *der = NULL;
	int size = i2d_X509(certificate, &der);

	if (size <= 0)
		return false;
	SHA256(der, (size_t)size, fingerprint);
	OPENSSL_free(der);
	return true;
}

bool tls_resumed(struct ssl_st *ssl)
{
	return SSL_session_reused(ssl) == 1;
}

/* --- failures --- */

static const struct {
	int reason;
	int code;
	const char *text;
} alerts[] = {
	{ SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED, ERR_CLOCK,
	  "the peer says that our certificate is not valid now: compare both clocks, then renew it" },
	{ SSL_R_SSLV3_ALERT_BAD_CERTIFICATE, ERR_UNTRUSTED, "the peer refused our certificate" },
	{ SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE, ERR_UNTRUSTED, "the peer refused our certificate's kind" },
	{ SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED, ERR_UNTRUSTED, "the peer says that our certificate is revoked" },
	{ SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN, ERR_UNTRUSTED, "the peer refused our certificate" },
	{ SSL_R_TLSV1_ALERT_UNKNOWN_CA, ERR_UNTRUSTED, "the peer does not know the CA of our certificate" },
	{ SSL_R_TLSV1_ALERT_ACCESS_DENIED, ERR_UNTRUSTED, "the peer denied access to our certificate" },
	{ SSL_R_TLSV1_ALERT_DECRYPT_ERROR, ERR_UNTRUSTED, "the peer could not verify our signature" },
	{ SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED, ERR_UNTRUSTED, "the peer demands a certificate and we have none" },
	{ SSL_R_TLSV1_ALERT_PROTOCOL_VERSION, ERR_TLS, "the peer speaks no TLS version that we accept (1.2, 1.3)" },
	{ SSL_R_UNSUPPORTED_PROTOCOL, ERR_TLS, "the peer speaks no TLS version that we accept (1.2, 1.3)" },
	{ SSL_R_WRONG_VERSION_NUMBER, ERR_TLS, "what answered does not speak TLS" },
	{ SSL_R_UNEXPECTED_EOF_WHILE_READING, ERR_CLOSED, "the peer ended the connection without a word" },
	{ SSL_R_HTTP_REQUEST, ERR_TLS, "plain HTTP came to a TLS port" },
	{ SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE, ERR_TLS, "the peer shares no TLS suite with us" },
	{ SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE, ERR_UNTRUSTED, "the peer showed no certificate" },
	{ SSL_R_NO_SHARED_CIPHER, ERR_TLS, "the peer shares no TLS suite with us" },
};

static int verify_failure(long verdict, struct err *err)
{
	const char *words = X509_verify_cert_error_string(verdict);

	switch (verdict) {
	case X509_V_ERR_CERT_NOT_YET_VALID:
	case X509_V_ERR_CERT_HAS_EXPIRED:
		return err_set(err, ERR_CLOCK, "the peer's %s: compare both clocks", words);
	case X509_V_ERR_APPLICATION_VERIFICATION:
		return err_set(err, ERR_UNTRUSTED,
			       "the peer's chain holds no root certificate with the given "
			       "fingerprint");
	case X509_V_ERR_CERT_REJECTED:
		return err_set(err, ERR_UNTRUSTED,
			       "the peer's certificate is not the manager's: it is a computer's or another service's");
	case X509_V_ERR_HOSTNAME_MISMATCH:
	case X509_V_ERR_IP_ADDRESS_MISMATCH:
		return err_set(err, ERR_UNTRUSTED, "the peer's certificate is for another name: %s", words);
	case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
	case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
	case X509_V_ERR_CERT_SIGNATURE_FAILURE: /* of an authority with the same name and another key */
		return err_set(err, ERR_UNTRUSTED,
			       "the peer's certificate is of an authority that is not trusted here (%s)", words);
	default:
		return err_set(err, ERR_UNTRUSTED, "the peer's certificate: %s", words);
	}
}

int tls_failure(struct ssl_st *ssl, unsigned long error, struct err *err)
{
	long verdict = SSL_get_verify_result(ssl);
	const char *words;

	ERR_clear_error();
	if (verdict != X509_V_OK)
		return verify_failure(verdict, err);
	if (error != 0 && ERR_GET_LIB(error) == ERR_LIB_SSL)
		for (size_t i = 0; i < sizeof(alerts) / sizeof(alerts[0]); i++)
			if (alerts[i].reason == ERR_GET_REASON(error))
				return err_set(err, alerts[i].code, "TLS: %s", alerts[i].text);
	if (ERR_SYSTEM_ERROR(error))
		return err_set(err, ERR_CLOSED, "connection lost: %s", strerror(ERR_GET_REASON(error)));
	words = error != 0 ? ERR_reason_error_string(error) : NULL;
	return err_set(err, ERR_TLS, "TLS: %s", words != NULL ? words : "the connection failed");
}
