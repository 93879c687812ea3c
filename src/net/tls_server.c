/* The server's side of TLS: certificate, client certificates, tickets. */
#include <openssl/err.h>
#include <openssl/sha.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

#include "net/tls.h"
#include "net/tls_context.h"

#define TICKET_LIFE_S (24 * 3600)
#define VERSIONS_MAX  3 /* of TLS, those of all profiles */

struct tls_server {
	OSSL_LIB_CTX *library; /* NULL: of the one it stands beside */
	SSL_CTX *context;
	tls_profile_set profiles;
	SSL_CTX *bare[VERSIONS_MAX]; /* without certificates; made when first needed */
	SSL_SESSION *blank;
	struct tls_server *base; /* whose context it is; NULL: its own */
	X509 *certificate;       /* instead of the context's; NULL: none of its own */
	struct tls_judge judge;  /* of clients */
};

static int add_ca_name(void *argument, X509 *certificate)
{
	return SSL_CTX_add_client_CA(argument, certificate);
}

/* OpenSSL's own verdict. The chain it was found by is not kept with the connection: nobody asks for it. */
static int verify_client(X509_STORE_CTX *store, void *argument)
{
	int verdict = X509_verify_cert(store);

	(void)argument;
	X509_STORE_CTX_set0_verified_chain(store, NULL);
	return verdict > 0 ? 1 : 0;
}

/* The session id context names who may be a client: tickets from before
 * another CA was set are not taken. */
static int name_clients(struct tls_server *tls, const char *client_ca_pem, struct err *err)
{
	uint8_t digest[SHA256_BYTES];
	const char *text = client_ca_pem != NULL ? client_ca_pem : "";
	int r;

	SHA256((const uint8_t *)text, strlen(text), digest);
	if (SSL_CTX_set_session_id_context(tls->context, digest, sizeof(digest)) != 1)
		return tls_library_error(err, ERR_TLS, "session id context");
	if (client_ca_pem == NULL)
		return 0;
	r = tls_context_roots(tls->context, tls->library, client_ca_pem, err);
	if (r == 0)
		r = tls_each_certificate(tls->library, client_ca_pem, "the clients' CA", add_ca_name, tls->context,
					 err);
	return r;
}

/* A client whose certificate has ended is told so by whoever answers it: it may have another. */
static int ask_for_clients(struct tls_server *tls, const char *client_ca_pem, struct err *err)
{
	int r = name_clients(tls, client_ca_pem, err);

	if (r != 0 || client_ca_pem == NULL)
		return r;
	tls_judge_use(tls->context, &tls->judge, SSL_VERIFY_PEER);
	SSL_CTX_set_cert_verify_callback(tls->context, verify_client, NULL);
	return 0;
}

/* Tickets alone carry sessions: nothing is kept per client. */
static int set_tickets(struct tls_server *tls, const uint8_t ticket_key[TLS_TICKET_KEY_BYTES], struct err *err)
{
	uint8_t key[TLS_TICKET_KEY_BYTES];
	long r;

	memcpy(key, ticket_key, sizeof(key));
	r = SSL_CTX_set_tlsext_ticket_keys(tls->context, key, sizeof(key));
	OPENSSL_cleanse(key, sizeof(key));
	SSL_CTX_set_session_cache_mode(tls->context, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_timeout(tls->context, TICKET_LIFE_S);
	if (r != 1 || SSL_CTX_set_num_tickets(tls->context, 1) != 1)
		return tls_library_error(err, ERR_TLS, "session tickets");
	return 0;
}

static int make_context(struct tls_server *tls, struct err *err)
{
	tls->context = tls_context_new(tls->library, TLS_server_method(), tls->profiles, err);
	if (tls->context == NULL)
		return ERR_TLS;
	/* A request says itself how long it is: the end of a connection without TLS's own word cuts nothing short. */
	SSL_CTX_set_options(tls->context, SSL_OP_IGNORE_UNEXPECTED_EOF);
	return 0;
}

static int set_up(struct tls_server *tls, tls_profile_set profiles, struct err *err)
{
	int r = tls_profiles_library(profiles, &tls->library, err);

	if (r != 0)
		return r;
	tls->blank = SSL_SESSION_new();
	if (tls->blank == NULL)
		return err_set(err, ERR_MEMORY, "no memory for TLS");
	tls->profiles = profiles;
	return make_context(tls, err);
}

struct tls_server *tls_server_with(tls_profile_set profiles, const char *chain_pem, const char *key_pem,
				   const char *client_ca_pem, const uint8_t ticket_key[TLS_TICKET_KEY_BYTES],
				   struct err *err)
{
	struct tls_server *tls = calloc(1, sizeof(*tls));
	int r = tls != NULL ? set_up(tls, profiles, err) : err_set(err, ERR_MEMORY, "no memory for TLS");

	if (r == 0)
		r = tls_server_certify(tls, chain_pem, key_pem, err);
	if (r == 0)
		r = ask_for_clients(tls, client_ca_pem, err);
	if (r == 0)
		r = set_tickets(tls, ticket_key, err);
	if (r == 0)
		return tls;
	tls_server_free(tls);
	return NULL;
}

struct tls_server *tls_server_new(const char *chain_pem, const char *key_pem, const char *client_ca_pem,
				  const uint8_t ticket_key[TLS_TICKET_KEY_BYTES], struct err *err)
{
	return tls_server_with(TLS_PROFILE_MODERN, chain_pem, key_pem, client_ca_pem, ticket_key, err);
}

int tls_server_certify(struct tls_server *tls, const char *chain_pem, const char *key_pem, struct err *err)
{
	return tls_context_identity(tls->context, tls->library, chain_pem, key_pem, err);
}

static int fill_context(struct tls_server *tls, const char *chain_pem, const char *key_pem,
			const uint8_t ticket_key[TLS_TICKET_KEY_BYTES], struct err *err)
{
	int r = make_context(tls, err);

	if (r == 0)
		r = tls_server_certify(tls, chain_pem, key_pem, err);
	if (r == 0)
		r = name_clients(tls, NULL, err);
	return r == 0 ? set_tickets(tls, ticket_key, err) : r;
}

/* A context never forgets a certificate: another one takes its place. Connections keep theirs. */
int tls_server_show(struct tls_server *tls, const char *chain_pem, const char *key_pem, struct err *err)
{
	uint8_t ticket_key[TLS_TICKET_KEY_BYTES];
	SSL_CTX *before = tls->context;
	int r;

	if (SSL_CTX_get_verify_mode(before) != SSL_VERIFY_NONE)
		return err_set(err, ERR_WRONG_STATE, "this listener asks for certificates");
	if (SSL_CTX_get_tlsext_ticket_keys(before, ticket_key, sizeof(ticket_key)) != 1)
		return tls_library_error(err, ERR_TLS, "session tickets");
	r = fill_context(tls, chain_pem, key_pem, ticket_key, err);
	OPENSSL_cleanse(ticket_key, sizeof(ticket_key));
	if (r == 0) {
		SSL_CTX_free(before);
		return 0;
	}
	SSL_CTX_free(tls->context);
	tls->context = before;
	return r;
}

int tls_server_forget(struct tls_server *tls, const uint8_t ticket_key[TLS_TICKET_KEY_BYTES], struct err *err)
{
	return set_tickets(tls, ticket_key, err);
}

void tls_server_require(struct tls_server *tls, const char *uri, time_us proven)
{
	tls->judge = (struct tls_judge){ .proven_s = proven / SECOND_US, .uri = uri };
	tls_judge_use(tls->context, &tls->judge, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT);
}

/* Whoever stood in the list before is not in it any more. */
int tls_server_trust(struct tls_server *tls, const char *client_ca_pem, struct err *err)
{
	X509_STORE *roots = X509_STORE_new(), *before = SSL_CTX_get_cert_store(tls->context);
	STACK_OF(X509_NAME) *names = SSL_dup_CA_list(SSL_CTX_get_client_CA_list(tls->context));
	int r;

	if (roots == NULL || names == NULL || X509_STORE_up_ref(before) != 1) {
		X509_STORE_free(roots);
		sk_X509_NAME_pop_free(names, X509_NAME_free);
		return err_set(err, ERR_MEMORY, "no memory for TLS");
	}
	SSL_CTX_set_cert_store(tls->context, roots);
	SSL_CTX_set_client_CA_list(tls->context, sk_X509_NAME_new_null());
	r = name_clients(tls, client_ca_pem, err);
	if (r != 0) {
		SSL_CTX_set_cert_store(tls->context, before);
		SSL_CTX_set_client_CA_list(tls->context, names);
	} else {
		X509_STORE_free(before);
		sk_X509_NAME_pop_free(names, X509_NAME_free);
	}
	return r;
}

struct tls_server *tls_server_beside(struct tls_server *base, const char *certificate_pem, struct err *err)
{
	struct tls_server *tls = calloc(1, sizeof(*tls));

	if (tls == NULL || SSL_CTX_up_ref(base->context) != 1) {
		free(tls);
		err_set(err, ERR_MEMORY, "no memory for TLS");
		return NULL;
	}
	tls->context = base->context;
	tls->base = base;
	if (tls_context_other_certificate(tls->context, base->library, certificate_pem, &tls->certificate, err) == 0)
		return tls;
	tls_server_free(tls);
	return NULL;
}

void tls_server_free(struct tls_server *tls)
{
	if (tls == NULL)
		return;
	SSL_SESSION_free(tls->blank);
	for (size_t i = 0; i < VERSIONS_MAX; i++)
		SSL_CTX_free(tls->bare[i]);
	X509_free(tls->certificate);
	SSL_CTX_free(tls->context);
	OSSL_LIB_CTX_free(tls->library);
	free(tls);
}

struct ssl_st *tls_server_connection(struct tls_server *tls)
{
	SSL *ssl = SSL_new(tls->context);

	if (ssl == NULL)
		return NULL;
	if (tls->certificate != NULL && SSL_use_certificate(ssl, tls->certificate) != 1) {
		SSL_free(ssl);
		return NULL;
	}
	SSL_set_accept_state(ssl);
	return ssl;
}

/* --- after the handshake --- */

/* What follows leans on how 3.0 keeps a session beside a connection's keys; a
 * version goes in here once test/unit/net/tls.c was run with it. */
static bool shedding_is_tried(void)
{
	return OPENSSL_version_major() == 3 && OPENSSL_version_minor() == 0;
}

/* A context whose method is the connection's own, which is that of the version agreed upon: with
 * any other SSL_set_session() would begin the connection anew. */
static SSL_CTX *bare_context(struct tls_server *tls, const SSL_METHOD *method)
{
	for (size_t i = 0; i < VERSIONS_MAX; i++) {
		if (tls->bare[i] == NULL)
			tls->bare[i] = SSL_CTX_new_ex(tls->library, NULL, method);
		if (tls->bare[i] == NULL || SSL_CTX_get_ssl_method(tls->bare[i]) == method)
			return tls->bare[i];
	}
	return NULL;
}

/* The largest record that this client takes is written in the session alone. */
static bool wants_small_records(const SSL *ssl)
{
	uint8_t mode = SSL_SESSION_get_max_fragment_length(SSL_get0_session(ssl));

	return mode >= TLSEXT_max_fragment_length_512 && mode <= TLSEXT_max_fragment_length_4096;
}

/* TLS 1.2 makes exported values of the session's secret: whoever shows no certificate may ask for one
 * (net/tls_channel.h), and has none to be let go of. */
static bool may_be_exported(const SSL *ssl)
{
	return SSL_version(ssl) == TLS1_2_VERSION && SSL_get0_peer_certificate(ssl) == NULL;
}

void tls_server_shed(struct tls_server *tls, struct ssl_st *ssl)
{
	long verdict = SSL_get_verify_result(ssl);
	SSL_CTX *bare;

	if (tls->base != NULL)
		tls = tls->base;
	if (!shedding_is_tried() || !SSL_is_init_finished(ssl) || SSL_get0_session(ssl) == NULL ||
	    wants_small_records(ssl) || may_be_exported(ssl))
		return;
	bare = bare_context(tls, SSL_get_ssl_method(ssl));
	/* Not NULL as session: TLS 1.2 takes a connection without one for one without keys. */
	if (bare != NULL && SSL_set_SSL_CTX(ssl, bare) == bare && SSL_set_session(ssl, tls->blank) == 1)
		SSL_set_verify_result(ssl, verdict);
	ERR_clear_error();
}
