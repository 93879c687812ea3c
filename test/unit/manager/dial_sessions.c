/* TLS sessions by computer: kept once, taken once, bounded, dropped when they have ended. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "clock_ahead.h"
#include "manager/front/dial_sessions.h"
#include "os/env.h"
#include "pair.h"
#include "world.h"

#define MOST 3

struct fixture {
	struct pki pki;
	struct tls_server *server;
	struct tls_client *client;
	struct dial_sessions *sessions;
};

static int set_up(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));
	struct tls_client_options options = { .any_host_name = true };

	ahead_s = 0;
	pki_make(&fixture->pki);
	options.ca_pem = fixture->pki.ca.certificate;
	fixture->server = pem_server(&fixture->pki.server, NULL);
	fixture->client = tls_client_new(&options, NULL);
	fixture->sessions = dial_sessions_new(env_system(), MOST);
	*state = fixture;
	return fixture->server != NULL && fixture->client != NULL && fixture->sessions != NULL ? 0 : -1;
}

static int tear_down(void **state)
{
	struct fixture *fixture = *state;

	dial_sessions_free(fixture->sessions);
	tls_client_free(fixture->client);
	tls_server_free(fixture->server);
	pki_free(&fixture->pki);
	free(fixture);
	return 0;
}

static struct tls_session *session_new(const struct fixture *fixture)
{
	struct pair pair = pair_new(fixture->server, fixture->client, "agent", TLS1_3_VERSION);
	struct tls_session *session = NULL;
	char text[8];

	tls_session_use(pair.client, &session);
	pair_shake_hands(&pair);
	assert_true(SSL_read(pair.client, text, sizeof(text)) <= 0);
	pair_free(&pair);
	assert_non_null(session);
	return session;
}

static struct uuid computer(uint8_t number)
{
	struct uuid id = { { number } };

	return id;
}

static void test_taken_once(void **state)
{
	struct fixture *fixture = *state;
	struct tls_session *session = session_new(fixture), *taken;
	struct uuid one = computer(1), two = computer(2);

	assert_null(dial_sessions_take(fixture->sessions, &one));
	dial_sessions_keep(fixture->sessions, &one, session);
	dial_sessions_keep(fixture->sessions, &two, NULL);
	assert_int_equal(dial_sessions_count(fixture->sessions), 1);
	assert_null(dial_sessions_take(fixture->sessions, &two));
	taken = dial_sessions_take(fixture->sessions, &one);
	assert_ptr_equal(taken, session);
	assert_null(dial_sessions_take(fixture->sessions, &one));
	assert_int_equal(dial_sessions_count(fixture->sessions), 0);
	tls_session_free(taken);
}

static void test_the_last_one_is_kept(void **state)
{
	struct fixture *fixture = *state;
	struct tls_session *later = session_new(fixture), *taken;
	struct uuid one = computer(1);

	dial_sessions_keep(fixture->sessions, &one, session_new(fixture));
	dial_sessions_keep(fixture->sessions, &one, later);
	assert_int_equal(dial_sessions_count(fixture->sessions), 1);
	taken = dial_sessions_take(fixture->sessions, &one);
	assert_ptr_equal(taken, later);
	tls_session_free(taken);
}

/* Whoever came first stays: with one more than there is room for, not all would push each other out. */
static void test_there_is_a_bound(void **state)
{
	struct fixture *fixture = *state;

	for (uint8_t i = 0; i < MOST + 2; i++) {
		struct uuid id = computer(i);

		dial_sessions_keep(fixture->sessions, &id, session_new(fixture));
	}
	assert_int_equal(dial_sessions_count(fixture->sessions), MOST);
	for (uint8_t i = 0; i < MOST + 2; i++) {
		struct uuid id = computer(i);
		struct tls_session *session = dial_sessions_take(fixture->sessions, &id);

		assert_int_equal(session != NULL, i < MOST);
		tls_session_free(session);
	}
}

static void test_what_ended_is_not_given(void **state)
{
	struct fixture *fixture = *state;
	struct uuid one = computer(1);

	dial_sessions_keep(fixture->sessions, &one, session_new(fixture));
	ahead_s = 3601; /* the certificate's life */
	assert_null(dial_sessions_take(fixture->sessions, &one));
	assert_int_equal(dial_sessions_count(fixture->sessions), 0);
}

static void test_sweeping_leaves_the_rest(void **state)
{
	struct fixture *fixture = *state;
	struct uuid one = computer(1), two = computer(2);
	struct pem lasting = pem_make("lasting", &fixture->pki.ca, -3600, 12 * 3600);

	dial_sessions_keep(fixture->sessions, &one, session_new(fixture));
	tls_server_free(fixture->server);
	fixture->server = pem_server(&lasting, NULL);
	dial_sessions_keep(fixture->sessions, &two, session_new(fixture));
	dial_sessions_sweep(fixture->sessions);
	assert_int_equal(dial_sessions_count(fixture->sessions), 2);
	ahead_s = 3601;
	dial_sessions_sweep(fixture->sessions);
	assert_int_equal(dial_sessions_count(fixture->sessions), 1);
	dial_sessions_clear(fixture->sessions);
	assert_int_equal(dial_sessions_count(fixture->sessions), 0);
	pem_free(&lasting);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_taken_once, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_the_last_one_is_kept, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_there_is_a_bound, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_what_ended_is_not_given, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_sweeping_leaves_the_rest, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
