/* A server that serves one named peer alone, as agents that are dialled do. */
#include <openssl/err.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pair.h"
#include "world.h"

#define HOST    "127.0.0.1"
#define MANAGER "urn:muster:manager"

struct fixture {
	struct pki pki;
	struct pem manager, longer, elsewhere, other_ca;
	struct tls_server *server;
};

static int set_up(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	pki_make(&fixture->pki);
	fixture->manager = pem_make(MANAGER, &fixture->pki.ca, -3600, 3600);
	fixture->longer = pem_make(MANAGER "s", &fixture->pki.ca, -3600, 3600);
	fixture->other_ca = pem_make("Test CA", NULL, -3600, 3600);
	fixture->elsewhere = pem_make(MANAGER, &fixture->other_ca, -3600, 3600);
	fixture->server = pem_server(&fixture->pki.server, &fixture->pki.ca);
	*state = fixture;
	return fixture->server != NULL ? 0 : -1;
}

static int tear_down(void **state)
{
	struct fixture *fixture = *state;

	tls_server_free(fixture->server);
	pem_free(&fixture->manager);
	pem_free(&fixture->longer);
	pem_free(&fixture->elsewhere);
	pem_free(&fixture->other_ca);
	pki_free(&fixture->pki);
	free(fixture);
	return 0;
}

static struct tls_client *client_of(const struct fixture *fixture, const struct pem *shown)
{
	const struct tls_client_options options = { .ca_pem = fixture->pki.ca.certificate,
						    .certificate_pem = shown != NULL ? shown->certificate : NULL,
						    .key_pem = shown != NULL ? shown->key : NULL };
	struct tls_client *client = tls_client_new(&options, NULL);

	assert_non_null(client);
	return client;
}

/* What the server says of whoever shows this. */
static int verdict_on(const struct fixture *fixture, const struct pem *shown, int version, struct err *err)
{
	struct tls_client *client = client_of(fixture, shown);
	struct pair pair = pair_new(fixture->server, client, HOST, version);
	bool met = pair_meets(&pair);
	int code = met ? 0 : tls_failure(pair.server, ERR_peek_last_error(), err);

	pair_free(&pair);
	tls_client_free(client);
	return code;
}

static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };

static void test_the_named_one_is_served(void **state)
{
	const struct fixture *fixture = *state;
	struct err err = { 0 };

	tls_server_require(fixture->server, MANAGER, 0);
	for (size_t i = 0; i < COUNT_OF(versions); i++)
		assert_int_equal(verdict_on(fixture, &fixture->manager, versions[i], &err), 0);
}

static void test_others_of_the_fleet_are_refused(void **state)
{
	const struct fixture *fixture = *state;

	tls_server_require(fixture->server, MANAGER, 0);
	for (size_t i = 0; i < COUNT_OF(versions); i++) {
		struct err err = { 0 };

		assert_int_equal(verdict_on(fixture, &fixture->pki.client, versions[i], &err), ERR_UNTRUSTED);
		assert_non_null(strstr(err.text, "not the manager's"));
		/* A name that begins with the right one is another. */
		assert_int_equal(verdict_on(fixture, &fixture->longer, versions[i], &err), ERR_UNTRUSTED);
	}
}

static void test_a_name_signed_elsewhere_is_refused(void **state)
{
	const struct fixture *fixture = *state;

	tls_server_require(fixture->server, MANAGER, 0);
	for (size_t i = 0; i < COUNT_OF(versions); i++) {
		struct err err = { 0 };

		assert_int_equal(verdict_on(fixture, &fixture->elsewhere, versions[i], &err), ERR_UNTRUSTED);
	}
}

static void test_whoever_shows_nothing_is_refused(void **state)
{
	const struct fixture *fixture = *state;

	for (size_t i = 0; i < COUNT_OF(versions); i++) {
		struct err err = { 0 };

		assert_int_equal(verdict_on(fixture, NULL, versions[i], &err), 0); /* until then */
	}
	tls_server_require(fixture->server, MANAGER, 0);
	for (size_t i = 0; i < COUNT_OF(versions); i++) {
		struct err err = { 0 };

		assert_int_equal(verdict_on(fixture, NULL, versions[i], &err), ERR_UNTRUSTED);
		assert_non_null(strstr(err.text, "showed no certificate"));
	}
}

/* A ticket serves whoever it was given to, and brings its certificate along. */
static void test_the_named_one_resumes(void **state)
{
	const struct fixture *fixture = *state;
	struct tls_client *client = client_of(fixture, &fixture->manager);

	tls_server_require(fixture->server, MANAGER, 0);
	for (int round = 0; round < 3; round++) {
		struct pair pair = pair_new(fixture->server, client, HOST, TLS1_3_VERSION);
		uint8_t fingerprint[SHA256_BYTES];
		char text[8];

		pair_shake_hands(&pair);
		assert_int_equal(tls_resumed(pair.server), round > 0);
		assert_true(tls_peer_fingerprint(pair.server, fingerprint));
		assert_memory_equal(fingerprint, fixture->manager.fingerprint, sizeof(fingerprint));
		assert_true(SSL_read(pair.client, text, sizeof(text)) <= 0); /* the ticket */
		pair_free(&pair);
	}
	tls_client_free(client);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_the_named_one_is_served, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_others_of_the_fleet_are_refused, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_a_name_signed_elsewhere_is_refused, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_whoever_shows_nothing_is_refused, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_the_named_one_resumes, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
