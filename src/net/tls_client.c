/* The client's side of TLS: whom it trusts, what it shows, and the last session. */
#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

#include "net/tls.h"
#include "net/tls_context.h"
#include "net/tls_session.h"

struct tls_client {
	OSSL_LIB_CTX *library; /* NULL: the process's own */
	OSSL_LIB_CTX *fips;    /* NULL: not used so far. Stays: connections of before may need it */
	SSL_CTX *context;
	X509 *certificate; /* instead of the context's; NULL: none of its own */
	bool any_host_name;
	struct tls_judge judge;
	bool pinned;
	uint8_t pin[SHA256_BYTES];
	SSL_SESSION *session; /* the last ticket, for session_host only: its name is not verified again */
	char *session_host;
};

/* Where a connection's host is kept, so that its tickets go with it. */
static int host_index(void)
{
	static int index = -1;

	if (index < 0) /* two threads asking first get two indices, both of use */
		index = SSL_get_ex_new_index(0, NULL, NULL, NULL, NULL);
	return index;
}

static X509 *find_pinned_root(const struct tls_client *tls, const STACK_OF(X509) * chain)
{
	for (int i = 0; i < sk_X509_num(chain); i++) {
		X509 *certificate = sk_X509_value(chain, i);
		uint8_t fingerprint[SHA256_BYTES];

		if (X509_check_ca(certificate) == 1 && X509_self_signed(certificate, 1) == 1 &&
		    tls_certificate_fingerprint(certificate, fingerprint) &&
		    CRYPTO_memcmp(fingerprint, tls->pin, sizeof(fingerprint)) == 0)
			return certificate;
	}
	return NULL;
}

/* Enrolment: the chain brings its root along; only the root with the pinned
 * fingerprint is trusted, and the chain must lead to it. */
static int verify_pinned(X509_STORE_CTX *context, void *argument)
{
	const struct tls_client *tls = argument;
	X509 *root = find_pinned_root(tls, X509_STORE_CTX_get0_untrusted(context));
	STACK_OF(X509) * trusted;
	int r;

	if (root == NULL) {
		X509_STORE_CTX_set_error(context, X509_V_ERR_APPLICATION_VERIFICATION);
		return 0;
	}
	trusted = sk_X509_new_null();
	if (trusted == NULL || sk_X509_push(trusted, root) <= 0) {
		sk_X509_free(trusted);
		X509_STORE_CTX_set_error(context, X509_V_ERR_OUT_OF_MEM);
		return 0;
	}
	X509_STORE_CTX_set0_trusted_stack(context, trusted);
	r = X509_verify_cert(context);
	sk_X509_free(trusted);
	return r;
}

/* OpenSSL gives a reference; 1 keeps it. */
static int keep_session(SSL *ssl, SSL_SESSION *session)
{
	struct tls_client *tls = SSL_get_app_data(ssl);
	const char *host = SSL_get_ex_data(ssl, host_index());
	/* One of a context that was replaced speaks for who this was before. */
	bool present = tls != NULL && SSL_get_SSL_CTX(ssl) == tls->context;
	char *copy;

	if (tls_session_offered(ssl, session))
		return 0;
	copy = present && host != NULL ? strdup(host) : NULL;

	if (copy == NULL)
		return 0;
	SSL_SESSION_free(tls->session);
	free(tls->session_host);
	tls->session = session;
	tls->session_host = copy;
	return 1;
}

/* The peer has the key of what it shows; whose it is, is not asked. */
static int take_any(X509_STORE_CTX *context, void *argument)
{
	(void)argument;
	X509_STORE_CTX_set_error(context, X509_V_OK);
	return 1;
}

static int set_trust(struct tls_client *tls, OSSL_LIB_CTX *library, const struct tls_client_options *options,
		     struct err *err)
{
	tls->judge.proven_s = options->proven / SECOND_US;
	if (options->by_proof)
		tls_judge_use(tls->context, &tls->judge, SSL_VERIFY_PEER);
	else
		SSL_CTX_set_verify(tls->context, SSL_VERIFY_PEER, NULL);
	if (options->any_peer) {
		SSL_CTX_set_cert_verify_callback(tls->context, take_any, NULL);
		return 0;
	}
	if (options->ca_fingerprint != NULL) {
		tls->pinned = true;
		memcpy(tls->pin, options->ca_fingerprint, sizeof(tls->pin));
		SSL_CTX_set_cert_verify_callback(tls->context, verify_pinned, tls);
		return 0;
	}
	if (options->ca_pem == NULL)
		return err_set(err, ERR_USAGE, "a TLS client needs a CA certificate or a CA fingerprint");
	return tls_context_roots(tls->context, library, options->ca_pem, err);
}

static const uint8_t agent_protocols[] = "\x0e" TLS_AGENT_PROTOCOL;
_Static_assert(sizeof(TLS_AGENT_PROTOCOL) - 1 == 0x0e, "the length stands before the name");

/* The library context in which the profiles are served. */
static int find_library(struct tls_client *tls, const struct tls_client_options *options, tls_profile_set profiles,
			OSSL_LIB_CTX **ret_library, struct err *err)
{
	bool fips = tls_profiles_fips(profiles);
	OSSL_LIB_CTX **library = fips ? &tls->fips : &tls->library;
	int r = 0;

	if (*library == NULL && (fips || options->own_library))
		r = tls_profiles_library(profiles, library, err);
	*ret_library = *library;
	return r;
}

static int set_up(struct tls_client *tls, const struct tls_client_options *options, struct err *err)
{
	tls_profile_set profiles = options->profiles != 0 ? options->profiles : TLS_PROFILE_MODERN;
	OSSL_LIB_CTX *library;
	int r = find_library(tls, options, profiles, &library, err);

	tls->any_host_name = options->any_host_name;
	if (r != 0)
		return r;
	tls->context = tls_context_new(library, TLS_client_method(), profiles, err);
	if (tls->context == NULL)
		return ERR_TLS;
	SSL_CTX_set_session_cache_mode(tls->context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(tls->context, keep_session);
	if (options->agent && SSL_CTX_set_alpn_protos(tls->context, agent_protocols, sizeof(agent_protocols) - 1) != 0)
		return tls_library_error(err, ERR_TLS, "the application protocol");
	/* An agent's certificate must never serve as a server's: whoever dials agents says so. */
	if (options->dials_clients && SSL_CTX_set_purpose(tls->context, X509_PURPOSE_SSL_CLIENT) != 1)
		return tls_library_error(err, ERR_TLS, "purpose of the peer's certificate");
	r = set_trust(tls, library, options, err);
	if (r == 0 && options->key_pem != NULL)
		r = options->certificate_pem != NULL
			? tls_context_identity(tls->context, library, options->certificate_pem, options->key_pem, err)
			: tls_context_key(tls->context, library, options->key_pem, err);
	return r;
}

struct tls_client *tls_client_new(const struct tls_client_options *options, struct err *err)
{
	struct tls_client *tls = calloc(1, sizeof(*tls));

	if (tls == NULL) {
		err_set(err, ERR_MEMORY, "no memory for TLS");
		return NULL;
	}
	if (set_up(tls, options, err) != 0) {
		tls_client_free(tls);
		return NULL;
	}
	return tls;
}

static void forget_session(struct tls_client *tls)
{
	SSL_SESSION_free(tls->session);
	free(tls->session_host);
	tls->session = NULL;
	tls->session_host = NULL;
}

int tls_client_renew(struct tls_client *tls, const struct tls_client_options *options, struct err *err)
{
	struct tls_client before = *tls;
	int r;

	tls->context = NULL;
	r = set_up(tls, options, err);
	if (r != 0) {
		before.library = tls->library;
		before.fips = tls->fips;
		SSL_CTX_free(tls->context);
		*tls = before;
		return r;
	}
	SSL_CTX_free(before.context);
	forget_session(tls);
	return 0;
}

struct tls_client *tls_client_beside(struct tls_client *base, const char *certificate_pem, struct err *err)
{
	struct tls_client *tls = calloc(1, sizeof(*tls));

	if (tls == NULL || SSL_CTX_up_ref(base->context) != 1) {
		free(tls);
		err_set(err, ERR_MEMORY, "no memory for TLS");
		return NULL;
	}
	tls->context = base->context;
	tls->any_host_name = base->any_host_name;
	if (certificate_pem == NULL)
		return tls;
	if (tls_context_other_certificate(tls->context, base->library, certificate_pem, &tls->certificate, err) == 0)
		return tls;
	tls_client_free(tls);
	return NULL;
}

void tls_client_hand_over(struct tls_client *tls)
{
	if (tls->library != NULL)
		OPENSSL_thread_stop_ex(tls->library);
}

void tls_client_free(struct tls_client *tls)
{
	if (tls == NULL)
		return;
	X509_free(tls->certificate);
	forget_session(tls);
	SSL_CTX_free(tls->context);
	OSSL_LIB_CTX_free(tls->library);
	OSSL_LIB_CTX_free(tls->fips);
	free(tls);
}

static bool is_numeric(const char *host)
{
	uint8_t address[sizeof(struct in6_addr)];

	return inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1;
}

static bool name_peer(const struct tls_client *tls, SSL *ssl, const char *host)
{
	bool numeric = is_numeric(host);

	if (!numeric && SSL_set_tlsext_host_name(ssl, host) != 1)
		return false;
	if (tls->any_host_name)
		return true;
	if (numeric)
		return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host) == 1;
	SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	return SSL_set1_host(ssl, host) == 1;
}

struct ssl_st *tls_client_connection(struct tls_client *tls, const char *host)
{
	SSL *ssl = SSL_new(tls->context);

	if (ssl == NULL)
		return NULL;
	if (!name_peer(tls, ssl, host) ||
	    (tls->certificate != NULL && SSL_use_certificate(ssl, tls->certificate) != 1)) {
		SSL_free(ssl);
		return NULL;
	}
	SSL_set_app_data(ssl, tls);
	/* The connection's owner keeps `host` as long as the connection. */
	SSL_set_ex_data(ssl, host_index(), (void *)(uintptr_t)host);
	if (tls->session != NULL && strcmp(tls->session_host, host) == 0)
		SSL_set_session(ssl, tls->session);
	SSL_set_connect_state(ssl);
	return ssl;
}

void tls_client_leave(struct ssl_st *ssl)
{
	SSL_set_app_data(ssl, NULL);
	SSL_set_ex_data(ssl, host_index(), NULL);
	tls_session_leave(ssl);
}
