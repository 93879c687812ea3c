/* What two ends of one connection know and nobody else, and requests that depend on their connection. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "net/tls_channel.h"
#include "pair.h"
#include "world.h"

#define LABEL "EXPORTER-test"
#define BYTES 32
#define SAID  (BYTES + 8)

/* Answers what the server's end of the connection exports, and which path was asked for. */
static void on_complete(struct http_request *request)
{
	uint8_t said[SAID] = { 0 };

	assert_int_equal(tls_channel_export(http_tls(request), LABEL, said, BYTES, NULL), 0);
	snprintf((char *)said + BYTES, SAID - BYTES, "%s", http_path(request));
	http_reply(request, 200, NULL, NULL, said, sizeof(said));
}

static uint64_t on_request(void *context, struct http_request *request)
{
	(void)context;
	(void)request;
	return 100;
}

static void on_body(struct http_request *request, const uint8_t *bytes, size_t size)
{
	(void)request;
	(void)bytes;
	(void)size;
}

struct asked {
	struct http_client *client;
	uint8_t exported[BYTES];
	unsigned secured;
	bool refuse;
	struct buf peer;
};

static int on_secure(void *argument, struct err *err)
{
	struct asked *asked = argument;
	struct ssl_st *ssl = http_client_tls(asked->client);

	asked->secured++;
	assert_non_null(ssl);
	assert_int_equal(tls_channel_export(ssl, LABEL, asked->exported, BYTES, err), 0);
	buf_reset(&asked->peer);
	assert_int_equal(tls_channel_peer(ssl, &asked->peer, err), 0);
	if (asked->refuse)
		return err_set(err, ERR_CONFLICT, "not the one");
	return http_client_instead(asked->client, "POST", "/other", NULL, NULL, err);
}

/* One request over a new connection, of a client that believes whoever answers. */
static int ask(struct world *world, struct asked *asked, struct got *got)
{
	const struct tls_client_options tls_options = { .any_peer = true, .any_host_name = true };
	struct tls_client *tls = tls_client_new(&tls_options, NULL);
	const struct http_client_options options = { .host = "127.0.0.1",
						     .port = world->port,
						     .tls = tls,
						     .reply_max_bytes = 1000,
						     .on_secure = on_secure,
						     .peer_argument = asked };

	assert_non_null(tls);
	asked->client = http_client_new(world->loop, &options, NULL);
	assert_null(http_client_tls(asked->client));
	world_ask(world, asked->client, "GET", "/first", NULL, NULL, got);
	http_client_free(asked->client);
	tls_client_free(tls);
	return got->status;
}

static void begin(struct world *world)
{
	world_init(world);
	world->handlers =
	    (struct http_handlers){ .on_request = on_request, .on_body = on_body, .on_complete = on_complete };
	world_start(world);
}

static void both_ends_export_the_same_and_each_connection_another(void **state)
{
	struct asked first = { .secured = 0 }, second = { .secured = 0 };
	struct got got = { 0 };
	struct world world;

	(void)state;
	begin(&world);
	buf_init(&first.peer, 64 * KIB);
	buf_init(&second.peer, 64 * KIB);
	assert_int_equal(ask(&world, &first, &got), 200);
	assert_int_equal(got.body.size, SAID);
	assert_memory_equal(got.body.data, first.exported, BYTES);
	assert_string_equal((const char *)got.body.data + BYTES, "/other");
	assert_int_equal(first.secured, 1);
	assert_non_null(strstr(buf_text(&first.peer), "BEGIN CERTIFICATE"));
	buf_done(&got.body);
	got = (struct got){ 0 };
	assert_int_equal(ask(&world, &second, &got), 200);
	assert_memory_not_equal(first.exported, second.exported, BYTES);
	buf_done(&got.body);
	buf_done(&first.peer);
	buf_done(&second.peer);
	world_end(&world);
}

static void nothing_is_sent_to_one_that_is_not_meant(void **state)
{
	struct asked asked = { .refuse = true };
	struct got got = { 0 };
	struct world world;

	(void)state;
	begin(&world);
	buf_init(&asked.peer, 64 * KIB);
	assert_int_equal(ask(&world, &asked, &got), 0);
	assert_int_equal(got.err.code, ERR_CONFLICT);
	buf_done(&got.body);
	buf_done(&asked.peer);
	world_end(&world);
}

struct ends {
	struct pki pki;
	struct tls_server *server;
	struct tls_client *client;
	struct pair pair;
};

/* A connection of this version; known: the client shows a certificate. */
static void ends_meet(struct ends *ends, int version, uint64_t options, bool known)
{
	struct tls_client_options tls = { .any_host_name = true };

	pki_make(&ends->pki);
	ends->server = pem_server(&ends->pki.server, &ends->pki.ca);
	tls.ca_pem = ends->pki.ca.certificate;
	if (known) {
		tls.certificate_pem = ends->pki.client.certificate;
		tls.key_pem = ends->pki.client.key;
	}
	ends->client = tls_client_new(&tls, NULL);
	assert_non_null(ends->client);
	ends->pair = pair_new(ends->server, ends->client, "127.0.0.1", version);
	SSL_set_options(ends->pair.client, options);
	pair_shake_hands(&ends->pair);
	assert_int_equal(SSL_version(ends->pair.client), version);
}

static void ends_part(struct ends *ends)
{
	pair_free(&ends->pair);
	tls_client_free(ends->client);
	tls_server_free(ends->server);
	pki_free(&ends->pki);
}

static void tls_12_exports_with_extended_master_secret_and_after_shedding(void **state)
{
	uint8_t client[BYTES], server[BYTES], after[BYTES];
	struct ends ends;
	struct err err = { 0 };

	(void)state;
	ends_meet(&ends, TLS1_2_VERSION, 0, false);
	assert_int_equal(tls_channel_export(ends.pair.client, LABEL, client, BYTES, &err), 0);
	assert_int_equal(tls_channel_export(ends.pair.server, LABEL, server, BYTES, &err), 0);
	assert_memory_equal(client, server, BYTES);
	tls_server_shed(ends.server, ends.pair.server);
	assert_int_equal(tls_channel_export(ends.pair.server, LABEL, after, BYTES, &err), 0);
	assert_memory_equal(client, after, BYTES);
	ends_part(&ends);
}

static void tls_12_without_it_is_refused_at_both_ends(void **state)
{
	uint8_t out[BYTES];
	struct ends ends;

	(void)state;
	ends_meet(&ends, TLS1_2_VERSION, SSL_OP_NO_EXTENDED_MASTER_SECRET, false);
	for (int i = 0; i < 2; i++) {
		SSL *ssl = i == 0 ? ends.pair.client : ends.pair.server;
		struct err err = { 0 };

		assert_int_equal(tls_channel_export(ssl, LABEL, out, BYTES, &err), ERR_VERSION);
		assert_non_null(strstr(err.text, "extended master secret"));
	}
	ends_part(&ends);
}

/* What is left there is no secret: never a value made of it. */
static void what_was_shed_exports_nothing(void **state)
{
	uint8_t client[BYTES], server[BYTES];
	struct ends ends;
	struct err err = { 0 };

	(void)state;
	ends_meet(&ends, TLS1_2_VERSION, 0, true);
	tls_server_shed(ends.server, ends.pair.server);
	assert_int_equal(tls_channel_export(ends.pair.client, LABEL, client, BYTES, &err), 0);
	if (tls_channel_export(ends.pair.server, LABEL, server, BYTES, &err) == 0) /* an OpenSSL that sheds nothing */
		assert_memory_equal(client, server, BYTES);
	else
		assert_int_equal(err.code, ERR_VERSION);
	ends_part(&ends);
	ends_meet(&ends, TLS1_3_VERSION, 0, true);
	tls_server_shed(ends.server, ends.pair.server);
	assert_int_equal(tls_channel_export(ends.pair.client, LABEL, client, BYTES, &err), 0);
	assert_int_equal(tls_channel_export(ends.pair.server, LABEL, server, BYTES, &err), 0);
	assert_memory_equal(client, server, BYTES);
	ends_part(&ends);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_ends_export_the_same_and_each_connection_another),
		cmocka_unit_test(tls_12_exports_with_extended_master_secret_and_after_shedding),
		cmocka_unit_test(tls_12_without_it_is_refused_at_both_ends),
		cmocka_unit_test(what_was_shed_exports_nothing),
		cmocka_unit_test(nothing_is_sent_to_one_that_is_not_meant),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
