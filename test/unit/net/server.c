/* Server and client together over real TLS: what the contracts promise. */
#include <openssl/ssl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "world.h"

/* Answers with what it saw: "METHOD path?query size certified". */
static void echo_complete(struct http_request *request)
{
	uint8_t fingerprint[SHA256_BYTES];
	struct buf *body = http_data(request);
	struct buf text;

	buf_init(&text, 1 * MIB);
	buf_printf(&text, "%s %s?%s %zu %s", http_method(request), http_path(request), http_query(request),
		   body != NULL ? body->size : 0,
		   http_client_certificate(request, fingerprint) ? "certified" : "anonymous");
	if (body != NULL)
		buf_done(body);
	free(body);
	http_reply(request, 200, "text/plain", "Retry-After: 7\r\n", text.data, text.size);
	buf_done(&text);
}

static uint64_t echo_request(void *context, struct http_request *request)
{
	struct buf *body = calloc(1, sizeof(*body));

	(void)context;
	buf_init(body, 1 * MIB);
	http_set_data(request, body);
	return 1 * MIB;
}

static void echo_body(struct http_request *request, const uint8_t *bytes, size_t size)
{
	buf_append(http_data(request), bytes, size);
}

static void echo_gone(struct http_request *request)
{
	struct buf *body = http_data(request);

	buf_done(body);
	free(body);
}

static const struct http_handlers echo = {
	.on_request = echo_request, .on_body = echo_body, .on_complete = echo_complete, .on_gone = echo_gone
};

static struct http_server_counters counters(struct world *world)
{
	struct http_server_counters out;

	http_server_counters(world->server, &out);
	return out;
}

static void test_keeps_the_connection(void **state)
{
	struct world world;
	struct got got = { 0 };
	struct tls_client *tls;
	struct http_client *client;

	(void)state;
	world_init(&world);
	world.handlers = echo;
	world_start(&world);
	tls = world_tls(&world, true);
	client = world_client(&world, tls);
	world_ask(&world, client, "GET", "/a/b?c=d", NULL, NULL, &got);
	assert_int_equal(got.status, 200);
	assert_string_equal(buf_text(&got.body), "GET /a/b?c=d 0 certified");
	assert_string_equal(got.content_type, "text/plain");
	assert_int_equal(got.retry_after, 7 * SECOND_US);
	world_ask(&world, client, "POST", "/p", "X-Test: 1\r\n", "twelve bytes", &got);
	assert_string_equal(buf_text(&got.body), "POST /p? 12 certified");
	world_ask(&world, client, "HEAD", "/h", NULL, NULL, &got);
	assert_int_equal(got.status, 200);
	assert_int_equal(got.body.size, 0);
	assert_int_equal(counters(&world).accepted, 1);
	assert_int_equal(counters(&world).requests, 3);
	http_client_free(client);
	tls_client_free(tls);
	buf_done(&got.body);
	world_end(&world);
}

static void test_resumes_with_the_certificate(void **state)
{
	struct world world;
	struct got got = { 0 };
	struct tls_client *tls;
	struct http_client *client;

	(void)state;
	world_init(&world);
	world.handlers = echo;
	world.count = 2; /* the ticket of one loop serves at the other */
	world_start(&world);
	tls = world_tls(&world, true);
	for (int i = 0; i < 4; i++) {
		client = world_client(&world, tls);
		world_ask(&world, client, "GET", "/", NULL, NULL, &got);
		assert_string_equal(buf_text(&got.body), "GET /? 0 certified");
		assert_int_equal(got.resumed, i > 0);
		http_client_free(client);
	}
	assert_int_equal(counters(&world).accepted, 4);
	assert_int_equal(counters(&world).resumed, 3);
	tls_client_free(tls);
	buf_done(&got.body);
	world_end(&world);
}

/* One more listener of a world that runs. */
struct second {
	struct world *world;
	uint16_t port;
	atomic_bool done;
};

static void listen_held(void *argument)
{
	struct second *second = argument;
	struct err err = { 0 };

	if (http_server_listen_with(second->world->server, "127.0.0.1:0", second->world->tls, true, &second->port,
				    &err) != 0)
		fail_msg("%s", err.text);
	second->done = true;
}

static void admit(void *argument)
{
	struct second *second = argument;

	http_server_admit(second->world->server, second->world->tls);
}

static bool is_done(void *argument)
{
	struct second *second = argument;

	return second->done;
}

static bool three_were_accepted(void *argument)
{
	return counters(argument).accepted == 3;
}

/* Nobody is refused there, and the other listener is open meanwhile. */
static void test_a_held_listener_lets_wait(void **state)
{
	struct world world;
	struct second second = { .world = &world };
	struct got got = { 0 };
	struct tls_client *tls;
	struct http_client *client;
	struct raw *waiting;
	uint16_t first;

	(void)state;
	world_init(&world);
	world.handlers = echo;
	world_start(&world);
	assert_int_equal(loop_post(world.loops[0], listen_held, &second), 0);
	wait_until(is_done, &second);
	first = world.port;
	world.port = second.port;
	waiting = raw_connect(&world);
	assert_non_null(waiting);
	world.port = first;
	tls = world_tls(&world, true);
	client = world_client(&world, tls);
	world_ask(&world, client, "GET", "/", NULL, NULL, &got);
	assert_int_equal(got.status, 200);
	assert_int_equal(counters(&world).accepted, 1);
	http_client_free(client);
	assert_int_equal(loop_post(world.loops[0], admit, &second), 0);
	world.port = second.port;
	client = world_client(&world, tls);
	world_ask(&world, client, "GET", "/", NULL, NULL, &got);
	assert_int_equal(got.status, 200);
	wait_until(three_were_accepted, &world);
	raw_close(waiting);
	http_client_free(client);
	tls_client_free(tls);
	buf_done(&got.body);
	world_end(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_keeps_the_connection),
		cmocka_unit_test(test_resumes_with_the_certificate),
		cmocka_unit_test(test_a_held_listener_lets_wait),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
