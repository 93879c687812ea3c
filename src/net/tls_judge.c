/* How the dates of peers' certificates are judged: not by OpenSSL, which knows but the computer's clock. */
#include <openssl/x509v3.h>
#include <string.h>
#include <time.h>

#include "net/tls_context.h"
#include "net/tls_session.h"

static bool has_uri(X509 *certificate, const char *uri)
{
	GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
	bool found = false;

	for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);

		if (name->type == GEN_URI &&
		    (size_t)ASN1_STRING_length(name->d.uniformResourceIdentifier) == strlen(uri) &&
		    memcmp(ASN1_STRING_get0_data(name->d.uniformResourceIdentifier), uri, strlen(uri)) == 0)
			found = true;
	}
	GENERAL_NAMES_free(names);
	return found;
}

static bool ended_before(const X509 *certificate, int64_t moment_s)
{
	time_t moment = (time_t)moment_s;

	return moment_s != 0 && X509_cmp_time(X509_get0_notAfter(certificate), &moment) <= 0;
}

/* Runs for each certificate of a chain that OpenSSL has verified; what it refused stays refused. */
static int judge(int good, X509_STORE_CTX *store)
{
	const SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
	const struct tls_judge *judge = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
	X509 *certificate = X509_STORE_CTX_get_current_cert(store);

	if (good != 1)
		return 0;
	if (ended_before(certificate, judge->proven_s)) {
		X509_STORE_CTX_set_error(store, X509_V_ERR_CERT_HAS_EXPIRED);
		return 0;
	}
	if (judge->uri == NULL || X509_STORE_CTX_get_error_depth(store) != 0 || has_uri(certificate, judge->uri))
		return 1;
	X509_STORE_CTX_set_error(store, X509_V_ERR_CERT_REJECTED);
	return 0;
}

void tls_judge_use(SSL_CTX *context, const struct tls_judge *way, int mode)
{
	SSL_CTX_set_app_data(context, (void *)(uintptr_t)way);
	X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(context), X509_V_FLAG_NO_CHECK_TIME);
	SSL_CTX_set_verify(context, mode, judge);
}

enum tls_peer tls_peer_certificate(struct ssl_st *ssl, uint8_t fingerprint[SHA256_BYTES])
{
	X509 *certificate = SSL_get0_peer_certificate(ssl);

	if (certificate == NULL && tls_session_resumed_peer(ssl, fingerprint))
		return TLS_PEER_VALID;
	if (certificate == NULL || SSL_get_verify_result(ssl) != X509_V_OK ||
	    !tls_certificate_fingerprint(certificate, fingerprint))
		return TLS_PEER_NONE;
	/* A resumed session brings the old verdict with it: the end of validity is looked at each time. */
	return X509_cmp_current_time(X509_get0_notAfter(certificate)) > 0 ? TLS_PEER_VALID : TLS_PEER_ENDED;
}

bool tls_peer_fingerprint(struct ssl_st *ssl, uint8_t fingerprint[SHA256_BYTES])
{
	return tls_peer_certificate(ssl, fingerprint) == TLS_PEER_VALID;
}
