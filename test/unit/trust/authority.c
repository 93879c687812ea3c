/* The certificate authority and the identities it certifies; certificates are
 * judged by OpenSSL's own verification, as a TLS peer would. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>
#include <openssl/ec.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

#include "folder.h"
#include "trust/authority.h"
#include "trust/identity.h"
#include "trust/openssl.h"
#include "wire/limits.h"

#define NOW ((time_us)INT64_C(1795294800) * SECOND_US)

static const struct uuid computer = { { 1, 0x9a, 3, 4, 5, 6, 0x77, 8, 0x89, 10, 11, 12, 13, 14, 15, 16 } };
#define COMPUTER_TEXT "019a0304-0506-7708-890a-0b0c0d0e0f10"

static struct authority *authority;
static struct buf key_pem, request, certificate;

static int setup(void **state)
{
	buf_init(&key_pem, 65536);
	buf_init(&request, 65536);
	buf_init(&certificate, 65536);
	return folder_setup(state) == 0 && authority_generate("Muster test", NOW, &authority, NULL) == 0 &&
		       identity_make(&key_pem, &request, NULL) == 0
		   ? 0
		   : -1;
}

static int teardown(void **state)
{
	authority_free(authority);
	buf_wipe(&key_pem);
	buf_done(&request);
	buf_done(&certificate);
	return folder_teardown(state);
}

/* X509_V_OK or OpenSSL's reason for the certificate at a moment and for a purpose. */
static int judge(time_us moment, int purpose, const char *host, const char *address)
{
	X509_STORE *store = X509_STORE_new();
	X509_STORE_CTX *context = X509_STORE_CTX_new();
	X509 *leaf = openssl_certificate_parse(certificate.data, certificate.size, NULL);
	X509_VERIFY_PARAM *parameters;
	X509 *root;
	struct buf pem;
	int result;

	buf_init(&pem, 65536);
	assert_int_equal(authority_pem(authority, &pem, NULL), 0);
	root = openssl_certificate_parse(pem.data, pem.size, NULL);
	assert_non_null(leaf);
	assert_int_equal(X509_STORE_add_cert(store, root), 1);
	assert_int_equal(X509_STORE_CTX_init(context, store, leaf, NULL), 1);
	parameters = X509_STORE_CTX_get0_param(context);
	X509_VERIFY_PARAM_set_time(parameters, (time_t)(moment / SECOND_US));
	X509_VERIFY_PARAM_set_flags(parameters, X509_V_FLAG_X509_STRICT);
	X509_VERIFY_PARAM_set_purpose(parameters, purpose);
	if (host != NULL)
		X509_VERIFY_PARAM_set1_host(parameters, host, 0);
	if (address != NULL)
		X509_VERIFY_PARAM_set1_ip_asc(parameters, address);
	result = X509_verify_cert(context) == 1 ? X509_V_OK : X509_STORE_CTX_get_error(context);
	X509_free(root);
	X509_free(leaf);
	X509_STORE_CTX_free(context);
	X509_STORE_free(store);
	buf_done(&pem);
	return result;
}

static void test_agent(void **state)
{
	uint8_t fingerprint[SHA256_BYTES];
	struct certificate_facts facts;

	(void)state;
	assert_int_equal(authority_certify_agent(authority, request.data, request.size, &computer, NOW, &certificate,
						 fingerprint, NULL),
			 0);
	assert_int_equal(certificate_read(certificate.data, certificate.size, &facts, NULL), 0);
	assert_memory_equal(facts.fingerprint, fingerprint, sizeof(fingerprint));
	assert_true(facts.has_computer);
	assert_true(uuid_equal(&facts.computer, &computer));
	assert_true(facts.not_before == NOW - DAY_US);
	assert_true(facts.not_after == NOW + 365 * DAY_US);
	assert_int_equal(certificate_matches_key(buf_text(&certificate), buf_text(&key_pem), NULL), 0);
	assert_int_equal(certificate_answers(buf_text(&certificate), request.data, request.size, NULL), 0);
	assert_int_equal(certificate_answers(buf_text(&certificate), request.data, request.size - 1, NULL), ERR_FORMAT);
	assert_int_equal(judge(NOW, X509_PURPOSE_SSL_CLIENT, NULL, NULL), X509_V_OK);
	assert_int_equal(judge(NOW - DAY_US, X509_PURPOSE_SSL_CLIENT, NULL, NULL), X509_V_OK);
	assert_int_equal(judge(NOW - DAY_US - SECOND_US, X509_PURPOSE_SSL_CLIENT, NULL, NULL),
			 X509_V_ERR_CERT_NOT_YET_VALID);
	assert_int_equal(judge(NOW + 366 * DAY_US, X509_PURPOSE_SSL_CLIENT, NULL, NULL), X509_V_ERR_CERT_HAS_EXPIRED);
	/* An agent's certificate does not make a server. */
	assert_int_equal(judge(NOW, X509_PURPOSE_SSL_SERVER, NULL, NULL), X509_V_ERR_INVALID_PURPOSE);
}

static void test_subject_and_serial(void **state)
{
	X509 *first;
	X509 *second;
	char name[64];

	(void)state;
	assert_int_equal(
	    authority_certify_agent(authority, request.data, request.size, &computer, NOW, &certificate, NULL, NULL),
	    0);
	first = openssl_certificate_parse(certificate.data, certificate.size, NULL);
	buf_reset(&certificate);
	assert_int_equal(
	    authority_certify_agent(authority, request.data, request.size, &computer, NOW, &certificate, NULL, NULL),
	    0);
	second = openssl_certificate_parse(certificate.data, certificate.size, NULL);
	assert_true(X509_NAME_get_text_by_NID(X509_get_subject_name(first), NID_commonName, name, sizeof(name)) > 0);
	assert_string_equal(name, COMPUTER_TEXT);
	assert_int_equal(ASN1_STRING_length(X509_get0_serialNumber(first)), 16);
	assert_int_not_equal(ASN1_INTEGER_cmp(X509_get0_serialNumber(first), X509_get0_serialNumber(second)), 0);
	X509_free(first);
	X509_free(second);
}

static void test_server(void **state)
{
	const char *const names[] = { "manager.example.org", "localhost", "127.0.0.1", "::1" };
	struct certificate_facts facts;

	(void)state;
	assert_int_equal(
	    authority_certify_server(authority, request.data, request.size, names, 4, NOW, &certificate, NULL), 0);
	assert_int_equal(judge(NOW, X509_PURPOSE_SSL_SERVER, "manager.example.org", NULL), X509_V_OK);
	assert_int_equal(judge(NOW, X509_PURPOSE_SSL_SERVER, "localhost", NULL), X509_V_OK);
	assert_int_equal(judge(NOW, X509_PURPOSE_SSL_SERVER, NULL, "127.0.0.1"), X509_V_OK);
	assert_int_equal(judge(NOW, X509_PURPOSE_SSL_SERVER, NULL, "::1"), X509_V_OK);
	assert_int_equal(judge(NOW, X509_PURPOSE_SSL_CLIENT, NULL, NULL), X509_V_OK);
	assert_int_equal(judge(NOW, X509_PURPOSE_SSL_SERVER, "other.example.org", NULL), X509_V_ERR_HOSTNAME_MISMATCH);
	assert_int_equal(certificate_read(certificate.data, certificate.size, &facts, NULL), 0);
	assert_false(facts.has_computer);
}

static void test_server_names_refused(void **state)
{
	static const char *const bad[] = { "",    "a,DNS:b",   "-a",    "a-",       "a..b",
					   "a b", "1.2.3.4/8", "*.org", "\xc3\xa9", "a." };
	char label[64];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(bad); i++)
		assert_int_equal(authority_certify_server(authority, request.data, request.size, &bad[i], 1, NOW,
							  &certificate, NULL),
				 ERR_FORMAT);
	assert_int_equal(
	    authority_certify_server(authority, request.data, request.size, bad, 0, NOW, &certificate, NULL),
	    ERR_LIMIT);
	memset(label, 'a', sizeof(label));
	label[63] = '\0';
	assert_int_equal(authority_certify_server(authority, request.data, request.size, (const char *const[]){ label },
						  1, NOW, &certificate, NULL),
			 0);
	assert_int_equal(certificate.status, 0);
}

static int again(const struct buf *bytes, const char *like, struct err *err)
{
	struct buf roots;
	int rc;

	buf_init(&roots, 65536);
	assert_int_equal(authority_pem(authority, &roots, NULL), 0);
	rc = authority_certify_server_again(authority, bytes->data, bytes->size, like, buf_text(&roots), NOW,
					    &certificate, err);
	buf_done(&roots);
	return rc;
}

/* The names come from a certificate of ours that has them, whoever asks. */
static void test_server_again(void **state)
{
	const char *const names[] = { "manager.example.org", "127.0.0.1" };
	struct buf rsa_key, rsa_request, server, agent;
	struct authority *other;
	struct err err = { 0 };

	(void)state;
	buf_init(&rsa_key, 65536);
	buf_init(&rsa_request, 65536);
	buf_init(&server, 65536);
	buf_init(&agent, 65536);
	assert_int_equal(authority_certify_server(authority, request.data, request.size, names, 2, NOW - 400 * DAY_US,
						  &server, NULL),
			 0);
	assert_int_equal(identity_make_rsa(&rsa_key, &rsa_request, NULL), 0);
	assert_int_equal(again(&rsa_request, buf_text(&server), &err), 0);
	assert_int_equal(certificate_matches_key(buf_text(&certificate), buf_text(&rsa_key), NULL), 0);
	assert_int_equal(judge(NOW, X509_PURPOSE_SSL_SERVER, "manager.example.org", NULL), X509_V_OK);
	assert_int_equal(judge(NOW, X509_PURPOSE_SSL_SERVER, NULL, "127.0.0.1"), X509_V_OK);
	assert_int_equal(judge(NOW, X509_PURPOSE_SSL_SERVER, "localhost", NULL), X509_V_ERR_HOSTNAME_MISMATCH);
	buf_reset(&certificate);
	assert_int_equal(again(&request, buf_text(&server), &err), 0);
	assert_int_equal(judge(NOW, X509_PURPOSE_SSL_CLIENT, "manager.example.org", NULL), X509_V_OK);

	assert_int_equal(
	    authority_certify_agent(authority, request.data, request.size, &computer, NOW, &agent, NULL, NULL), 0);
	assert_int_equal(again(&rsa_request, buf_text(&agent), &err), ERR_UNTRUSTED);
	assert_non_null(strstr(err.text, "not a server's"));
	buf_reset(&agent);
	assert_int_equal(authority_certify_manager(authority, request.data, request.size, NOW, &agent, NULL), 0);
	assert_int_equal(again(&rsa_request, buf_text(&agent), &err), ERR_UNTRUSTED);
	assert_int_equal(again(&rsa_request, "", &err), ERR_FORMAT);
	assert_int_equal(authority_generate("Muster test", NOW, &other, NULL), 0);
	buf_reset(&server);
	assert_int_equal(authority_certify_server(other, request.data, request.size, names, 2, NOW, &server, NULL), 0);
	assert_int_equal(again(&rsa_request, buf_text(&server), &err), ERR_UNTRUSTED);
	authority_free(other);
	buf_wipe(&rsa_key);
	buf_done(&rsa_request);
	buf_done(&server);
	buf_done(&agent);
}

static int certify(const struct buf *bytes, struct err *err)
{
	return authority_certify_agent(authority, bytes->data, bytes->size, &computer, NOW, &certificate, NULL, err);
}

/* A flipped bit anywhere in the request: refused, whichever part it hit. */
static void test_altered_request(void **state)
{
	(void)state;
	for (size_t i = 0; i < request.size; i++) {
		request.data[i] ^= 1;
		assert_true(certify(&request, NULL) < 0);
		request.data[i] ^= 1;
	}
	assert_int_equal(certificate.size, 0);
	assert_int_equal(certify(&request, NULL), 0);
}

static void test_request_refusals(void **state)
{
	struct err err = { 0 };

	(void)state;
	request.data[request.size - 1] ^= 1;
	assert_int_equal(certify(&request, &err), ERR_UNTRUSTED);
	assert_non_null(strstr(err.text, "not signed by its own key"));
	request.data[request.size - 1] ^= 1;
	request.size--;
	assert_int_equal(certify(&request, &err), ERR_FORMAT);
	request.size++;
	buf_append_byte(&request, 0);
	assert_int_equal(certify(&request, &err), ERR_FORMAT);
	while (request.size <= 4096)
		buf_append_byte(&request, 0);
	assert_int_equal(certify(&request, &err), ERR_LIMIT);
}

static void request_of(EVP_PKEY *key, struct buf *out)
{
	X509_REQ *made = X509_REQ_new();
	unsigned char *der = NULL;
	int size;

	X509_REQ_set_pubkey(made, key);
	assert_true(X509_REQ_sign(made, key, openssl_key_digest(key)) > 0);
	size = i2d_X509_REQ(made, &der);
	assert_true(size > 0);
	buf_reset(out);
	buf_append(out, der, (size_t)size);
	OPENSSL_free(der);
	X509_REQ_free(made);
}

static void test_key_kinds(void **state)
{
	EVP_PKEY *rsa = EVP_RSA_gen(2048);
	EVP_PKEY *p384 = EVP_EC_gen("P-384");
	EVP_PKEY *ed25519 = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	struct err err = { 0 };

	(void)state;
	request_of(rsa, &request);
	assert_int_equal(certify(&request, &err), ERR_RANGE);
	assert_non_null(strstr(err.text, "must be P-256 or Ed25519"));
	request_of(p384, &request);
	assert_int_equal(certify(&request, &err), ERR_RANGE);
	request_of(ed25519, &request);
	assert_int_equal(certify(&request, &err), 0);
	assert_int_equal(judge(NOW, X509_PURPOSE_SSL_CLIENT, NULL, NULL), X509_V_OK);
	EVP_PKEY_free(rsa);
	EVP_PKEY_free(p384);
	EVP_PKEY_free(ed25519);
}

static void test_store_and_load(void **state)
{
	const char *key_path = folder_file(state, "ca.key");
	const char *path = folder_file(state, "ca.pem");
	uint8_t before[SHA256_BYTES];
	uint8_t after[SHA256_BYTES];
	struct authority *again;
	struct stat st;

	assert_int_equal(authority_store(authority, key_path, path, NULL), 0);
	assert_int_equal(stat(key_path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0644);
	authority_fingerprint(authority, before);
	assert_int_equal(authority_load(key_path, path, &again, NULL), 0);
	authority_fingerprint(again, after);
	assert_memory_equal(before, after, sizeof(before));
	/* What the loaded one issues is trusted by the root that was stored. */
	assert_int_equal(
	    authority_certify_agent(again, request.data, request.size, &computer, NOW, &certificate, NULL, NULL), 0);
	assert_int_equal(judge(NOW, X509_PURPOSE_SSL_CLIENT, NULL, NULL), X509_V_OK);
	authority_free(again);
	authority_free(NULL);
}

static void test_load_refusals(void **state)
{
	const char *key_path = folder_file(state, "ca.key");
	const char *path = folder_file(state, "ca.pem");
	const char *other_key = folder_file(state, "other.key");
	struct authority *other;
	struct authority *again = NULL;
	struct err err = { 0 };

	assert_int_equal(authority_load(key_path, path, &again, &err), ERR_NOT_FOUND);
	assert_int_equal(authority_generate("Other", NOW, &other, NULL), 0);
	assert_int_equal(authority_store(other, other_key, path, NULL), 0);
	authority_free(other);
	assert_int_equal(authority_store(authority, key_path, path, NULL), 0);
	assert_int_equal(authority_load(other_key, path, &again, &err), ERR_UNTRUSTED);
	assert_non_null(strstr(err.text, "do not belong together"));
	assert_int_equal(authority_load(path, path, &again, &err), ERR_UNTRUSTED); /* 0644 */
	assert_int_equal(authority_load(key_path, key_path, &again, &err), ERR_FORMAT);
	assert_null(again);
}

static void test_names_of_authorities(void **state)
{
	struct authority *made = NULL;

	(void)state;
	assert_int_equal(authority_generate("", NOW, &made, NULL), ERR_FORMAT);
	assert_int_equal(authority_generate("a\nb", NOW, &made, NULL), ERR_FORMAT);
	assert_int_equal(
	    authority_generate("12345678901234567890123456789012345678901234567890123456789012345", NOW, &made, NULL),
	    ERR_LIMIT);
	assert_null(made);
}

static void test_belonging(void **state)
{
	struct buf root, other_root, other_key, other_request;
	struct authority *other;

	(void)state;
	buf_init(&root, 65536);
	buf_init(&other_root, 65536);
	buf_init(&other_key, 65536);
	buf_init(&other_request, 65536);
	assert_int_equal(authority_generate("Muster test", NOW, &other, NULL), 0); /* the same name */
	assert_int_equal(authority_pem(authority, &root, NULL), 0);
	assert_int_equal(authority_pem(other, &other_root, NULL), 0);
	assert_int_equal(identity_make(&other_key, &other_request, NULL), 0);
	assert_int_equal(certify(&request, NULL), 0);
	assert_int_equal(certificate_signed_by(buf_text(&certificate), buf_text(&root), NULL), 0);
	assert_int_equal(certificate_signed_by(buf_text(&certificate), buf_text(&other_root), NULL), ERR_UNTRUSTED);
	assert_int_equal(certificate_signed_by(buf_text(&certificate), "", NULL), ERR_FORMAT);
	assert_int_equal(certificate_matches_key(buf_text(&certificate), buf_text(&other_key), NULL), ERR_UNTRUSTED);
	assert_int_equal(certificate_matches_key(buf_text(&certificate), "", NULL), ERR_FORMAT);
	authority_free(other);
	buf_done(&root);
	buf_done(&other_root);
	buf_wipe(&other_key);
	buf_done(&other_request);
}

static void test_request_again(void **state)
{
	struct buf again;

	(void)state;
	buf_init(&again, 65536);
	assert_int_equal(identity_request(buf_text(&key_pem), &again, NULL), 0);
	assert_int_equal(certify(&again, NULL), 0);
	assert_int_equal(certificate_matches_key(buf_text(&certificate), buf_text(&key_pem), NULL), 0);
	assert_int_equal(identity_request("no key", &again, NULL), ERR_FORMAT);
	buf_done(&again);
}

static void test_certificate_refusals(void **state)
{
	static char large[WIRE_CERTIFICATE_MAX_BYTES + 1];
	struct certificate_facts facts;

	(void)state;
	assert_int_equal(certificate_read("", 0, &facts, NULL), ERR_FORMAT);
	assert_int_equal(certificate_read(key_pem.data, key_pem.size, &facts, NULL), ERR_FORMAT);
	assert_int_equal(certificate_read(large, sizeof(large), &facts, NULL), ERR_LIMIT);
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_FOLDER(test_agent),
		IN_FOLDER(test_subject_and_serial),
		IN_FOLDER(test_server),
		IN_FOLDER(test_server_names_refused),
		IN_FOLDER(test_server_again),
		IN_FOLDER(test_altered_request),
		IN_FOLDER(test_request_refusals),
		IN_FOLDER(test_key_kinds),
		IN_FOLDER(test_store_and_load),
		IN_FOLDER(test_load_refusals),
		IN_FOLDER(test_names_of_authorities),
		IN_FOLDER(test_belonging),
		IN_FOLDER(test_request_again),
		IN_FOLDER(test_certificate_refusals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
