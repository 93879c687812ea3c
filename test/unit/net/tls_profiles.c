/* Each row of the table of TLS profiles, tried: with a client that offers one
 * suite and one version, over memory, every suite of the table is accepted by
 * the rows that have it and refused by all others. */
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/units.h"
#include "net/tls_profiles.h"

static const int versions[] = { TLS1_VERSION, TLS1_1_VERSION, TLS1_2_VERSION, TLS1_3_VERSION };

/* The specification's own table, written a second time: 80-ports-tls.md. TLS 1.3 has suites of its own. */
static const struct {
	const char *profile, *versions, *suites;
} specified[] = {
	{ "modern", "1.2 1.3",
	  "ECDHE_ECDSA_AES256_GCM_SHA384 ECDHE_ECDSA_AES128_GCM_SHA256 ECDHE_ECDSA_CHACHA20_POLY1305_SHA256 "
	  "ECDHE_RSA_AES256_GCM_SHA384 ECDHE_RSA_AES128_GCM_SHA256 ECDHE_RSA_CHACHA20_POLY1305_SHA256" },
	{ "strong-12", "1.2",
	  "ECDHE_RSA_AES256_GCM_SHA384 ECDHE_RSA_AES128_GCM_SHA256 ECDHE_RSA_AES256_CBC_SHA384 "
	  "ECDHE_RSA_AES128_CBC_SHA256" },
	{ "fips-12", "1.2",
	  "ECDHE_RSA_AES256_CBC_SHA384 ECDHE_RSA_AES128_CBC_SHA256 RSA_AES256_CBC_SHA256 RSA_AES128_CBC_SHA256" },
	{ "compat-10.0", "1.2",
	  "RSA_AES256_CBC_SHA256 RSA_AES128_CBC_SHA256 ECDHE_RSA_AES256_GCM_SHA384 ECDHE_RSA_AES128_GCM_SHA256 "
	  "ECDHE_RSA_AES256_CBC_SHA384 ECDHE_RSA_AES128_CBC_SHA256" },
	{ "legacy-9.6", "1.0 1.2",
	  "RSA_AES256_CBC_SHA256 RSA_AES128_GCM_SHA256 RSA_AES128_CBC_SHA256 RSA_AES256_CBC_SHA RSA_AES128_CBC_SHA" },
	{ "legacy-9.6-3des", "1.0", "RSA_AES256_CBC_SHA RSA_3DES_EDE_CBC_SHA RSA_AES128_CBC_SHA" },
	{ "legacy-9.5", "1.0", "RSA_AES256_CBC_SHA RSA_AES128_CBC_SHA" },
};

static const char *const all_suites[] = {
	"ECDHE_ECDSA_AES256_GCM_SHA384",
	"ECDHE_ECDSA_AES128_GCM_SHA256",
	"ECDHE_ECDSA_CHACHA20_POLY1305_SHA256",
	"ECDHE_RSA_AES256_GCM_SHA384",
	"ECDHE_RSA_AES128_GCM_SHA256",
	"ECDHE_RSA_CHACHA20_POLY1305_SHA256",
	"ECDHE_RSA_AES256_CBC_SHA384",
	"ECDHE_RSA_AES128_CBC_SHA256",
	"RSA_AES256_CBC_SHA256",
	"RSA_AES128_CBC_SHA256",
	"RSA_AES128_GCM_SHA256",
	"RSA_AES256_CBC_SHA",
	"RSA_AES128_CBC_SHA",
	"RSA_3DES_EDE_CBC_SHA",
};

/* --- a server with a certificate of each kind --- */

static void add_certificate(SSL_CTX *context, EVP_PKEY *key)
{
	X509 *certificate = X509_new();
	X509_NAME *name = X509_get_subject_name(certificate);

	assert_non_null(key);
	X509_set_version(certificate, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
	X509_gmtime_adj(X509_getm_notBefore(certificate), -3600);
	X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
	X509_set_pubkey(certificate, key);
	X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const uint8_t *)"test", -1, -1, 0);
	X509_set_issuer_name(certificate, name);
	assert_true(X509_sign(certificate, key, EVP_sha256()) > 0);
	assert_int_equal(SSL_CTX_use_certificate(context, certificate), 1);
	assert_int_equal(SSL_CTX_use_PrivateKey(context, key), 1);
	X509_free(certificate);
	EVP_PKEY_free(key);
}

static SSL_CTX *server_with(tls_profile_set set)
{
	SSL_CTX *context = SSL_CTX_new(TLS_server_method());
	struct err err = { 0 };

	assert_non_null(context);
	assert_int_equal(tls_profiles_apply(set, context, &err), 0);
	add_certificate(context, EVP_EC_gen("P-256"));
	add_certificate(context, EVP_RSA_gen(2048));
	return context;
}

/* --- clients --- */

/* False: not even OpenSSL's client can offer that. */
static bool offer(SSL_CTX *context, int version, const struct tls_suite *suite)
{
	SSL_CTX_set_security_level(context, 0);
	return SSL_CTX_set_min_proto_version(context, version) == 1 &&
	       SSL_CTX_set_max_proto_version(context, version) == 1 &&
	       (version == TLS1_3_VERSION || SSL_CTX_set_cipher_list(context, suite->openssl_name) == 1);
}

static bool connects(SSL_CTX *server_context, int version, const struct tls_suite *suite)
{
	SSL_CTX *client_context = SSL_CTX_new(TLS_client_method());
	SSL *server = SSL_new(server_context), *client;
	BIO *to_server = BIO_new(BIO_s_mem()), *to_client = BIO_new(BIO_s_mem());
	int done = 0;

	assert_true(offer(client_context, version, suite));
	client = SSL_new(client_context);
	BIO_up_ref(to_server);
	BIO_up_ref(to_client);
	SSL_set_bio(server, to_server, to_client);
	SSL_set_bio(client, to_client, to_server);
	SSL_set_accept_state(server);
	SSL_set_connect_state(client);
	for (int i = 0; i < 6 && done != 2; i++)
		done = (SSL_do_handshake(client) == 1) + (SSL_do_handshake(server) == 1);
	if (done == 2 && version != TLS1_3_VERSION)
		assert_string_equal(SSL_get_cipher(client), suite->openssl_name);
	SSL_free(server);
	SSL_free(client);
	SSL_CTX_free(client_context);
	ERR_clear_error();
	return done == 2;
}

static bool has_word(const char *words, const char *word)
{
	size_t size = strlen(word);

	for (const char *at = strstr(words, word); at != NULL; at = strstr(at + 1, word)) {
		if ((at == words || at[-1] == ' ') && (at[size] == ' ' || at[size] == '\0'))
			return true;
	}
	return false;
}

/* Suites with other hashes than SHA-1 came with TLS 1.2. */
static bool suite_fits(const char *suite, int version)
{
	return version == TLS1_2_VERSION || strcmp(suite + strlen(suite) - 4, "_SHA") == 0;
}

static void each_suite_is_accepted_by_the_rows_that_have_it_alone(void **state)
{
	(void)state;
	assert_int_equal(tls_profile_count(), COUNT_OF(specified));
	for (size_t row = 0; row < COUNT_OF(specified); row++) {
		tls_profile_set set;
		SSL_CTX *server;

		assert_int_equal(tls_profiles_parse(specified[row].profile, &set, NULL), 0);
		server = server_with(set);
		for (size_t i = 0; i < COUNT_OF(all_suites) * COUNT_OF(versions); i++) {
			int version = versions[i % COUNT_OF(versions)];
			const struct tls_suite *suite = tls_suite_find(all_suites[i / COUNT_OF(versions)]);
			bool wanted = has_word(specified[row].versions, tls_version_name(version) + 4);

			assert_non_null(suite);
			if (!tls_suite_served(suite)) /* no client here can try it either */
				continue;
			if (version != TLS1_3_VERSION)
				wanted = wanted && has_word(specified[row].suites, suite->name) &&
					 suite_fits(suite->name, version);
			if (connects(server, version, suite) != wanted)
				fail_msg("%s with %s and %s: should be %s", specified[row].profile,
					 tls_version_name(version), suite->name, wanted ? "accepted" : "refused");
		}
		SSL_CTX_free(server);
	}
}

static void several_profiles_accept_what_each_does(void **state)
{
	tls_profile_set set;
	SSL_CTX *server;

	(void)state;
	assert_int_equal(tls_profiles_parse("modern, legacy-9.5", &set, NULL), 0);
	server = server_with(set);
	assert_true(connects(server, TLS1_VERSION, tls_suite_find("RSA_AES128_CBC_SHA")));
	assert_true(connects(server, TLS1_3_VERSION, tls_suite_find("RSA_AES128_CBC_SHA")));
	assert_true(connects(server, TLS1_2_VERSION, tls_suite_find("ECDHE_ECDSA_AES128_GCM_SHA256")));
	assert_false(connects(server, TLS1_2_VERSION, tls_suite_find("RSA_AES128_CBC_SHA256")));
	SSL_CTX_free(server);
}

static void names_are_read(void **state)
{
	struct err err = { 0 };
	tls_profile_set set = 0;

	(void)state;
	assert_int_equal(tls_profiles_parse(" modern ,strong-12", &set, &err), 0);
	assert_int_equal(set, 3);
	assert_int_equal(tls_profiles_parse("", &set, &err), ERR_RANGE);
	assert_int_equal(tls_profiles_parse(" , ", &set, &err), ERR_RANGE);
	assert_int_equal(tls_profiles_parse("modern moderner", &set, &err), ERR_RANGE);
	assert_non_null(strstr(err.text, "\"moderner\""));
	assert_int_equal(tls_profiles_parse("moder", &set, &err), ERR_RANGE);
	assert_int_equal(set, 3);
}

static void what_openssl_lacks_is_said(void **state)
{
	(void)state;
	for (size_t i = 0; i < tls_profile_count(); i++) {
		const struct tls_profile *profile = tls_profile_at(i);
		struct err err = { 0 };
		bool whole = true;

		for (const char *const *name = profile->suites; *name != NULL; name++)
			whole = whole && tls_suite_served(tls_suite_find(*name));
		if (tls_profile_served(profile, &err) == 0) {
			assert_true(whole);
			continue;
		}
		assert_int_equal(err.code, ERR_VERSION);
		assert_true(!whole || profile->fips);
		assert_non_null(strstr(err.text, "OpenSSL"));
	}
	assert_int_equal(tls_profile_served(tls_profile_at(0), NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_suite_is_accepted_by_the_rows_that_have_it_alone),
		cmocka_unit_test(several_profiles_accept_what_each_does),
		cmocka_unit_test(names_are_read),
		cmocka_unit_test(what_openssl_lacks_is_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
