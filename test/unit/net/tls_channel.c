/* What two ends of one connection know and nobody else, and requests that depend on their connection. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "net/tls_channel.h"
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_ends_export_the_same_and_each_connection_another),
		cmocka_unit_test(nothing_is_sent_to_one_that_is_not_meant),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
