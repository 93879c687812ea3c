/* A server's connection goes on as before once its certificate and session are
 * shed: over memory, one step at a time, for each version of TLS. A failure
 * here with a newer OpenSSL means that it is none to shed with. */
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pair.h"
#include "world.h"

#define HOST "127.0.0.1"

struct fixture {
	struct pki pki;
	struct tls_server *server;
	struct tls_client *client;
};

static int set_up(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));
	struct tls_client_options options = { 0 };
	struct err err = { 0 };

	pki_make(&fixture->pki);
	fixture->server = pem_server(&fixture->pki.server, &fixture->pki.ca);
	options.ca_pem = fixture->pki.ca.certificate;
	options.certificate_pem = fixture->pki.client.certificate;
	options.key_pem = fixture->pki.client.key;
	fixture->client = tls_client_new(&options, &err);
	*state = fixture;
	return fixture->server != NULL && fixture->client != NULL ? 0 : -1;
}

static int tear_down(void **state)
{
	struct fixture *fixture = *state;

	tls_client_free(fixture->client);
	tls_server_free(fixture->server);
	pki_free(&fixture->pki);
	free(fixture);
	return 0;
}

static void expect_fingerprint(const struct fixture *fixture, const struct pair *pair)
{
	uint8_t fingerprint[SHA256_BYTES];

	assert_true(tls_peer_fingerprint(pair->server, fingerprint));
	assert_memory_equal(fingerprint, fixture->pki.client.fingerprint, sizeof(fingerprint));
}

/* Established, the certificate noted, and shed. */
static struct pair shed_pair(const struct fixture *fixture, int version)
{
	struct pair pair = pair_new(fixture->server, fixture->client, HOST, version);

	pair_shake_hands(&pair);
	assert_int_equal(SSL_version(pair.server), version);
	expect_fingerprint(fixture, &pair);
	tls_server_shed(fixture->server, pair.server);
	assert_int_equal(SSL_get_verify_result(pair.server), X509_V_OK);
	return pair;
}

/* What one writes the other reads, and it does not cross in the clear. */
static void expect_passage(SSL *from, SSL *to, BIO *wire, int size)
{
	char *sent = malloc((size_t)size), *came = malloc((size_t)size), *seen;
	int got = 0;

	memset(sent, 'm', (size_t)size);
	assert_int_equal(SSL_write(from, sent, size), size);
	assert_true(BIO_get_mem_data(wire, &seen) > size);
	assert_true(size < 8 || memmem(seen, (size_t)size, "mmmmmmmm", 8) == NULL);
	while (got < size) {
		int more = SSL_read(to, came + got, size - got);

		assert_true(more > 0);
		got += more;
	}
	assert_memory_equal(sent, came, (size_t)size);
	free(sent);
	free(came);
}

static void expect_both_ways(const struct pair *pair, int size)
{
	expect_passage(pair->client, pair->server, pair->to_server, size);
	expect_passage(pair->server, pair->client, pair->to_client, size);
}

static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };

static void test_data_flows_on(void **state)
{
	for (size_t i = 0; i < COUNT_OF(versions); i++) {
		struct pair pair = shed_pair(*state, versions[i]);

		for (int size = 1; size <= 16 * 1024; size *= 8)
			expect_both_ways(&pair, size);
		pair_free(&pair);
	}
}

static void test_nothing_is_kept(void **state)
{
	for (size_t i = 0; i < COUNT_OF(versions); i++) {
		struct pair pair = shed_pair(*state, versions[i]);
		const SSL_SESSION *session = SSL_get0_session(pair.server);

		assert_null(SSL_get0_verified_chain(pair.server));
		if (OPENSSL_version_major() == 3 && OPENSSL_version_minor() == 0) {
			assert_null(SSL_get0_peer_certificate(pair.server));
			assert_null(SSL_get_peer_cert_chain(pair.server));
			assert_int_equal(SSL_SESSION_get_master_key(session, NULL, 0), 0);
		}
		pair_free(&pair);
	}
}

/* Input that came with the end of the handshake waits inside the connection. */
static void test_half_a_record_is_kept(void **state)
{
	for (size_t i = 0; i < COUNT_OF(versions); i++) {
		const struct fixture *fixture = *state;
		struct pair pair = pair_new(fixture->server, fixture->client, HOST, versions[i]);
		uint8_t record[256];
		char text[16];
		int size;

		pair_shake_hands(&pair);
		assert_int_equal(SSL_write(pair.client, "first", 5), 5);
		size = BIO_read(pair.to_server, record, sizeof(record));
		assert_true(size > 10);
		BIO_write(pair.to_server, record, 9);
		assert_true(SSL_read(pair.server, text, sizeof(text)) <= 0);
		tls_server_shed(fixture->server, pair.server);
		BIO_write(pair.to_server, record + 9, size - 9);
		assert_int_equal(SSL_read(pair.server, text, sizeof(text)), 5);
		assert_memory_equal(text, "first", 5);
		pair_free(&pair);
	}
}

static void test_keys_are_renewed(void **state)
{
	struct pair pair = shed_pair(*state, TLS1_3_VERSION);

	for (int i = 0; i < 3; i++) {
		assert_int_equal(SSL_key_update(pair.client, SSL_KEY_UPDATE_REQUESTED), 1);
		expect_both_ways(&pair, 100);
		assert_int_equal(SSL_key_update(pair.server, SSL_KEY_UPDATE_REQUESTED), 1);
		expect_both_ways(&pair, 100);
		expect_both_ways(&pair, 100);
	}
	pair_free(&pair);
}

/* Refused as before, and the connection goes on. */
static void test_renegotiation_is_refused(void **state)
{
	struct pair pair = shed_pair(*state, TLS1_2_VERSION);
	char text[16];

	SSL_clear_options(pair.client, SSL_OP_NO_RENEGOTIATION);
	assert_int_equal(SSL_renegotiate(pair.client), 1);
	assert_true(SSL_do_handshake(pair.client) <= 0);
	assert_true(SSL_read(pair.server, text, sizeof(text)) <= 0);
	assert_int_equal(SSL_get_error(pair.server, -1), SSL_ERROR_WANT_READ);
	ERR_clear_error();
	assert_true(SSL_do_handshake(pair.client) <= 0);
	assert_int_equal(ERR_GET_REASON(ERR_peek_error()), SSL_R_NO_RENEGOTIATION);
	pair_free(&pair);
}

static void test_close_is_said(void **state)
{
	for (size_t i = 0; i < COUNT_OF(versions); i++) {
		struct pair pair = shed_pair(*state, versions[i]);
		char text[16];

		assert_int_equal(SSL_shutdown(pair.server), 0);
		assert_int_equal(SSL_read(pair.client, text, sizeof(text)), 0);
		assert_int_equal(SSL_get_error(pair.client, 0), SSL_ERROR_ZERO_RETURN);
		assert_int_equal(SSL_shutdown(pair.client), 1);
		assert_int_equal(SSL_shutdown(pair.server), 1);
		pair_free(&pair);
	}
}

/* A forged record ends the connection with an alert, as it always did. */
static void test_forgery_is_noticed(void **state)
{
	for (size_t i = 0; i < COUNT_OF(versions); i++) {
		struct pair pair = shed_pair(*state, versions[i]);
		uint8_t record[256];
		char text[16];
		int size;

		assert_int_equal(SSL_write(pair.client, "forged", 6), 6);
		size = BIO_read(pair.to_server, record, sizeof(record));
		record[size - 1] ^= 1;
		BIO_write(pair.to_server, record, size);
		assert_true(SSL_read(pair.server, text, sizeof(text)) <= 0);
		assert_int_equal(ERR_GET_REASON(ERR_peek_last_error()), SSL_R_DECRYPTION_FAILED_OR_BAD_RECORD_MAC);
		ERR_clear_error();
		assert_true(SSL_read(pair.client, text, sizeof(text)) <= 0);
		assert_int_equal(ERR_GET_REASON(ERR_peek_last_error()), SSL_R_SSLV3_ALERT_BAD_RECORD_MAC);
		pair_free(&pair);
	}
}

/* The tickets were written before, so that the next connection is resumed, certificate and all; and shed itself. */
static void test_later_connections_resume(void **state)
{
	for (size_t i = 0; i < COUNT_OF(versions); i++) {
		for (int round = 0; round < 3; round++) {
			struct pair pair = shed_pair(*state, versions[i]);

			assert_int_equal(tls_resumed(pair.server), round > 0);
			expect_both_ways(&pair, 1000);
			pair_free(&pair);
		}
		tear_down(state);
		assert_int_equal(set_up(state), 0);
	}
}

/* Who asked for small records gets them still. */
static void test_small_records_stay_small(void **state)
{
	const struct fixture *fixture = *state;
	struct pair pair = pair_new(fixture->server, fixture->client, HOST, TLS1_3_VERSION);
	char text[4096] = { 0 };
	uint8_t *wire;

	SSL_set_tlsext_max_fragment_length(pair.client, TLSEXT_max_fragment_length_512);
	pair_shake_hands(&pair);
	tls_server_shed(fixture->server, pair.server);
	assert_true(SSL_read(pair.client, text, sizeof(text)) <= 0); /* the tickets */
	assert_true(SSL_write(pair.server, text, sizeof(text)) > 0);
	assert_true(BIO_get_mem_data(pair.to_client, &wire) > 5);
	assert_true(((wire[3] << 8) | wire[4]) <= 512 + 256);
	pair_free(&pair);
}

/* In the middle of a handshake nothing is let go of. */
/* As a renewal does it, on a listener that serves: a pair that does not fit changes nothing. */
static void test_another_certificate(void **state)
{
	struct fixture *fixture = *state;
	const struct pki *pki = &fixture->pki;
	struct err err = { 0 };
	struct pair pair;

	assert_int_equal(tls_server_certify(fixture->server, pki->server.certificate, pki->client.key, &err),
			 ERR_UNTRUSTED);
	assert_non_null(strstr(err.text, "does not belong"));
	assert_int_equal(tls_server_certify(fixture->server, pki->server.certificate, "", &err), ERR_FORMAT);
	assert_int_equal(tls_server_certify(fixture->server, "", pki->server.key, &err), ERR_FORMAT);
	pair = pair_new(fixture->server, fixture->client, HOST, TLS1_3_VERSION);
	pair_shake_hands(&pair);
	pair_free(&pair);
	assert_int_equal(tls_server_certify(fixture->server, pki->server.certificate, pki->server.key, &err), 0);
	pair = pair_new(fixture->server, fixture->client, HOST, TLS1_2_VERSION);
	pair_shake_hands(&pair);
	pair_free(&pair);
}

/* The one that is shown now, and no other; a failure changes nothing, nor does it what connections have. */
static void test_one_certificate_alone(void **state)
{
	struct fixture *fixture = *state;
	const struct pki *pki = &fixture->pki;
	const uint8_t ticket_key[TLS_TICKET_KEY_BYTES] = { 7 };
	struct err err = { 0 };
	struct tls_server *server = tls_server_new(pki->server.certificate, pki->server.key, NULL, ticket_key, &err);
	struct pair before, after;

	assert_non_null(server);
	before = pair_new(server, fixture->client, HOST, TLS1_3_VERSION);
	pair_shake_hands(&before);
	expect_both_ways(&before, 100);
	assert_int_equal(tls_server_show(server, pki->server.certificate, pki->client.key, &err), ERR_UNTRUSTED);
	assert_int_equal(tls_server_show(server, "", pki->server.key, &err), ERR_FORMAT);
	assert_int_equal(tls_server_show(server, pki->server.certificate, pki->server.key, &err), 0);
	expect_both_ways(&before, 100);
	after = pair_new(server, fixture->client, HOST, TLS1_3_VERSION);
	pair_shake_hands(&after);
	assert_true(tls_resumed(after.server)); /* by a ticket of before */
	expect_both_ways(&after, 100);
	pair_free(&before);
	pair_free(&after);
	tls_server_free(server);
	assert_int_equal(tls_server_show(fixture->server, pki->server.certificate, pki->server.key, &err),
			 ERR_WRONG_STATE);
}

static void test_not_before_the_end(void **state)
{
	for (size_t i = 0; i < COUNT_OF(versions); i++) {
		const struct fixture *fixture = *state;
		struct pair pair = pair_new(fixture->server, fixture->client, HOST, versions[i]);

		assert_true(SSL_do_handshake(pair.client) <= 0);
		assert_true(SSL_do_handshake(pair.server) <= 0);
		tls_server_shed(fixture->server, pair.server);
		pair_shake_hands(&pair);
		expect_fingerprint(fixture, &pair);
		expect_both_ways(&pair, 100);
		pair_free(&pair);
	}
}

/* --- made on one thread, used and freed on another, before the first one ends --- */

struct handing {
	const struct pki *pki;
	struct tls_client *made;
	pthread_barrier_t given, freed;
};

static void *make_and_hand_over(void *argument)
{
	struct handing *handing = argument;
	const struct tls_client_options options = { .ca_pem = handing->pki->ca.certificate, .own_library = true };

	handing->made = tls_client_new(&options, NULL);
	if (handing->made != NULL)
		tls_client_hand_over(handing->made);
	pthread_barrier_wait(&handing->given);
	pthread_barrier_wait(&handing->freed);
	return NULL;
}

static void test_handed_over(void **state)
{
	const struct fixture *fixture = *state;
	struct handing handing = { .pki = &fixture->pki };
	pthread_t thread;

	assert_int_equal(pthread_barrier_init(&handing.given, NULL, 2), 0);
	assert_int_equal(pthread_barrier_init(&handing.freed, NULL, 2), 0);
	assert_int_equal(pthread_create(&thread, NULL, make_and_hand_over, &handing), 0);
	pthread_barrier_wait(&handing.given);
	assert_non_null(handing.made);
	tls_client_free(handing.made);
	pthread_barrier_wait(&handing.freed);
	assert_int_equal(pthread_join(thread, NULL), 0);
	pthread_barrier_destroy(&handing.given);
	pthread_barrier_destroy(&handing.freed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_data_flows_on, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_nothing_is_kept, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_half_a_record_is_kept, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_keys_are_renewed, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_renegotiation_is_refused, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_close_is_said, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_forgery_is_noticed, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_later_connections_resume, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_small_records_stay_small, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_another_certificate, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_one_certificate_alone, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_not_before_the_end, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_handed_over, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
