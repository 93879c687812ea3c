/* Sessions that a client keeps of many peers: what is resumed, as whom, how long, and tickets that come late. */
#include <openssl/err.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "clock_ahead.h"
#include "net/tls_session.h"
#include "pair.h"
#include "world.h"

#define HOST "agent.example"

struct fixture {
	struct pki pki;
	struct pem second;
	struct tls_server *server, *other; /* two agents */
	struct tls_client *client;
	struct tls_session *session;
};

static struct tls_server *server_of(const struct fixture *fixture, const struct pem *shown)
{
	return pem_server(shown, &fixture->pki.ca);
}

static int set_up(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));
	struct tls_client_options options = { .any_host_name = true, .own_library = true };

	ahead_s = 0;
	pki_make(&fixture->pki);
	fixture->second = pem_make("second", &fixture->pki.ca, -3600, 3600);
	fixture->server = server_of(fixture, &fixture->pki.server);
	fixture->other = server_of(fixture, &fixture->second);
	options.ca_pem = fixture->pki.ca.certificate;
	options.certificate_pem = fixture->pki.client.certificate;
	options.key_pem = fixture->pki.client.key;
	fixture->client = tls_client_new(&options, NULL);
	*state = fixture;
	return fixture->server != NULL && fixture->other != NULL && fixture->client != NULL ? 0 : -1;
}

static int tear_down(void **state)
{
	struct fixture *fixture = *state;

	tls_session_free(fixture->session);
	tls_client_free(fixture->client);
	tls_server_free(fixture->server);
	tls_server_free(fixture->other);
	pem_free(&fixture->second);
	pki_free(&fixture->pki);
	free(fixture);
	return 0;
}

static struct pair begin(struct fixture *fixture, struct tls_server *server, int version)
{
	struct pair pair = pair_new(server, fixture->client, HOST, version);

	tls_session_use(pair.client, &fixture->session);
	return pair;
}

/* One connection from beginning to end, its ticket received; was it resumed, and by both sides' word whose is it? */
static bool talk(struct fixture *fixture, struct tls_server *server, const struct pem *peer, int version)
{
	struct pair pair = begin(fixture, server, version);
	uint8_t fingerprint[SHA256_BYTES];
	char text[8];
	bool resumed;

	pair_shake_hands(&pair);
	resumed = tls_resumed(pair.client);
	assert_int_equal(resumed, tls_resumed(pair.server));
	assert_true(tls_peer_fingerprint(pair.client, fingerprint));
	assert_memory_equal(fingerprint, peer->fingerprint, sizeof(fingerprint));
	assert_true(tls_peer_fingerprint(pair.server, fingerprint));
	assert_memory_equal(fingerprint, fixture->pki.client.fingerprint, sizeof(fingerprint));
	assert_int_equal(SSL_write(pair.server, "said", 4), 4);
	assert_int_equal(SSL_read(pair.client, text, sizeof(text)), 4);
	pair_free(&pair);
	return resumed;
}

static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };

static void test_what_is_kept_resumes(void **state)
{
	struct fixture *fixture = *state;

	for (size_t i = 0; i < COUNT_OF(versions); i++) {
		for (int round = 0; round < 4; round++) {
			assert_int_equal(talk(fixture, fixture->server, &fixture->pki.server, versions[i]), round > 0);
			assert_non_null(fixture->session);
			assert_memory_equal(tls_session_peer(fixture->session), fixture->pki.server.fingerprint,
					    SHA256_BYTES);
		}
		tls_session_free(fixture->session);
		fixture->session = NULL;
	}
}

/* The point of it: a session as OpenSSL keeps it takes 6 to 11 KB. */
static void test_it_is_small(void **state)
{
	struct fixture *fixture = *state;

	talk(fixture, fixture->server, &fixture->pki.server, TLS1_3_VERSION);
	assert_true(tls_session_bytes(fixture->session) < 1024);
}

/* One who has the address of another now knows nothing of its tickets. */
static void test_another_peer_is_met_anew(void **state)
{
	struct fixture *fixture = *state;

	talk(fixture, fixture->server, &fixture->pki.server, TLS1_3_VERSION);
	assert_false(talk(fixture, fixture->other, &fixture->second, TLS1_3_VERSION));
	assert_memory_equal(tls_session_peer(fixture->session), fixture->second.fingerprint, SHA256_BYTES);
	assert_true(talk(fixture, fixture->other, &fixture->second, TLS1_3_VERSION));
}

/* The agent was started again: its key of tickets is another. */
static void test_a_peer_that_forgot_is_met_anew(void **state)
{
	struct fixture *fixture = *state;

	talk(fixture, fixture->server, &fixture->pki.server, TLS1_3_VERSION);
	tls_server_free(fixture->server);
	fixture->server = server_of(fixture, &fixture->pki.server);
	assert_false(talk(fixture, fixture->server, &fixture->pki.server, TLS1_3_VERSION));
	assert_true(talk(fixture, fixture->server, &fixture->pki.server, TLS1_3_VERSION));
}

/* Resuming does not outlive the certificate, however often it was resumed before. */
static void test_the_end_of_the_certificate_ends_it(void **state)
{
	struct fixture *fixture = *state;
	struct pair pair;

	talk(fixture, fixture->server, &fixture->pki.server, TLS1_3_VERSION);
	ahead_s = 1800;
	assert_true(talk(fixture, fixture->server, &fixture->pki.server, TLS1_3_VERSION));
	assert_false(tls_session_ended(fixture->session));
	ahead_s = 3601;
	assert_true(tls_session_ended(fixture->session));
	pair = begin(fixture, fixture->server, TLS1_3_VERSION);
	assert_null(fixture->session);
	assert_false(pair_meets(&pair));
	pair_free(&pair);
}

/* Nor may it pass in the midst of a handshake. */
static void test_it_ends_inside_a_connection(void **state)
{
	struct fixture *fixture = *state;
	uint8_t fingerprint[SHA256_BYTES];
	struct pair pair;

	talk(fixture, fixture->server, &fixture->pki.server, TLS1_3_VERSION);
	pair = begin(fixture, fixture->server, TLS1_3_VERSION);
	assert_true(pair_meets(&pair));
	assert_true(tls_resumed(pair.client));
	ahead_s = 3601;
	assert_false(tls_peer_fingerprint(pair.client, fingerprint));
	assert_false(tls_peer_fingerprint(pair.server, fingerprint)); /* our own has ended, too */
	pair_free(&pair);
}

static void test_the_end_of_the_ticket_ends_it(void **state)
{
	struct fixture *fixture = *state;
	struct pem lasting = pem_make("lasting", &fixture->pki.ca, -3600, 30 * 24 * 3600);
	struct tls_server *server = server_of(fixture, &lasting);

	talk(fixture, server, &lasting, TLS1_3_VERSION);
	ahead_s = 23 * 3600;
	assert_false(tls_session_ended(fixture->session));
	ahead_s = 25 * 3600;
	assert_true(tls_session_ended(fixture->session));
	tls_server_free(server);
	pem_free(&lasting);
}

/* A connection that was turned lives on when client, host and slot are gone: its ticket comes then. */
static void late_ticket(struct fixture *fixture, bool in_slot, int version)
{
	struct tls_session **slot = calloc(1, sizeof(struct tls_session *));
	char *host = strdup(HOST), text[8];
	const struct tls_client_options options = { .ca_pem = fixture->pki.ca.certificate, .any_host_name = true };
	struct tls_client *client = tls_client_new(&options, NULL);
	struct pair pair = pair_new(fixture->server, client, host, version);

	if (in_slot)
		tls_session_use(pair.client, slot);
	pair_shake_hands(&pair);
	tls_client_leave(pair.client);
	if (version == TLS1_3_VERSION)
		assert_null(*slot);
	tls_session_free(*slot);
	free(slot);
	free(host);
	tls_client_free(client);
	assert_int_equal(SSL_write(pair.server, "late", 4), 4);
	assert_int_equal(SSL_read(pair.client, text, sizeof(text)), 4);
	pair_free(&pair);
}

static void test_a_late_ticket_finds_nobody(void **state)
{
	for (size_t i = 0; i < COUNT_OF(versions); i++) {
		late_ticket(*state, true, versions[i]);
		late_ticket(*state, false, versions[i]);
	}
}

/* Before tls_client_leave() the same ticket is taken: the test above looks at what it means to. */
static void test_a_ticket_in_time_is_taken(void **state)
{
	struct fixture *fixture = *state;
	struct pair pair = begin(fixture, fixture->server, TLS1_3_VERSION);
	char text[8];

	pair_shake_hands(&pair);
	assert_null(fixture->session);
	assert_true(SSL_read(pair.client, text, sizeof(text)) <= 0);
	assert_non_null(fixture->session);
	pair_free(&pair);
}

/* A turned connection is served by the certificate of the handshake that was resumed. */
static void test_who_left_is_still_known(void **state)
{
	struct fixture *fixture = *state;
	uint8_t fingerprint[SHA256_BYTES];
	struct pair pair;

	talk(fixture, fixture->server, &fixture->pki.server, TLS1_3_VERSION);
	pair = begin(fixture, fixture->server, TLS1_3_VERSION);
	pair_shake_hands(&pair);
	assert_true(tls_resumed(pair.client));
	tls_client_leave(pair.client);
	assert_true(tls_peer_fingerprint(pair.client, fingerprint));
	assert_memory_equal(fingerprint, fixture->pki.server.fingerprint, sizeof(fingerprint));
	pair_free(&pair);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_what_is_kept_resumes, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_it_is_small, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_another_peer_is_met_anew, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_a_peer_that_forgot_is_met_anew, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_the_end_of_the_certificate_ends_it, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_it_ends_inside_a_connection, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_the_end_of_the_ticket_ends_it, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_a_late_ticket_finds_nobody, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_a_ticket_in_time_is_taken, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_who_left_is_still_known, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
