/* At the door: with as many agents' handshakes under way as there may be, one
 * more waits its turn, and everybody else is served at once. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "world.h"

#define INSIDE 32

static uint64_t on_request(void *context, struct http_request *request)
{
	(void)context;
	(void)request;
	return 0;
}

static void on_complete(struct http_request *request)
{
	http_reply(request, 200, NULL, NULL, "here", 4);
}

static void begin(struct world *world)
{
	world_init(world);
	world->count = 1;
	world->handlers = (struct http_handlers){ .on_request = on_request, .on_complete = on_complete };
	world_start(world);
}

static int connected(const struct world *world)
{
	const struct sockaddr_in address = { .sin_family = AF_INET,
					     .sin_port = htons(world->port),
					     .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

/* The first message of an agent, which then says no more: its handshake stays under way. */
static int stalled_agent(const struct world *world)
{
	static const uint8_t protocols[] = "\x0e" TLS_AGENT_PROTOCOL;
	SSL_CTX *context = SSL_CTX_new(TLS_client_method());
	SSL *ssl = SSL_new(context);
	BIO *out = BIO_new(BIO_s_mem());
	int fd = connected(world);
	char *hello;
	long size;

	SSL_set_alpn_protos(ssl, protocols, sizeof(protocols) - 1);
	SSL_set_bio(ssl, BIO_new(BIO_s_mem()), out);
	SSL_set_connect_state(ssl);
	assert_true(SSL_do_handshake(ssl) < 0);
	size = BIO_get_mem_data(out, &hello);
	assert_true(size > 100);
	assert_int_equal(send(fd, hello, (size_t)size, MSG_NOSIGNAL), size);
	SSL_free(ssl);
	SSL_CTX_free(context);
	return fd;
}

static struct http_server_counters counters(void *argument)
{
	struct http_server_counters now;

	http_server_counters(((struct world *)argument)->server, &now);
	return now;
}

static bool all_came(void *argument)
{
	return counters(argument).connections == INSIDE;
}

static bool one_waits(void *argument)
{
	return counters(argument).waiting == 1;
}

static bool nobody_waits(void *argument)
{
	return counters(argument).waiting == 0;
}

static bool nobody_is_there(void *argument)
{
	return counters(argument).connections == 0;
}

static void read_first(int fd)
{
	char byte;

	assert_int_equal(recv(fd, &byte, 1, 0), 1); /* the server's part of the handshake */
}

static void fill(struct world *world, int inside[INSIDE])
{
	for (int i = 0; i < INSIDE; i++) {
		inside[i] = stalled_agent(world);
		read_first(inside[i]);
	}
	wait_until(all_came, world);
}

static void agents_wait_their_turn_and_nobody_else_does(void **state)
{
	struct world world;
	struct got got = { 0 };
	struct tls_client *tls;
	struct http_client *client;
	int inside[INSIDE], late;

	(void)state;
	begin(&world);
	fill(&world, inside);
	late = stalled_agent(&world);
	wait_until(one_waits, &world);
	tls = world_tls(&world, true);
	client = world_client(&world, tls);
	world_ask(&world, client, "GET", "/", NULL, NULL, &got);
	assert_int_equal(got.status, 200);
	assert_true(one_waits(&world));
	close(inside[0]);
	read_first(late);
	assert_true(nobody_waits(&world));
	for (int i = 1; i < INSIDE; i++)
		close(inside[i]);
	close(late);
	http_client_free(client);
	tls_client_free(tls);
	wait_until(nobody_is_there, &world);
	buf_done(&got.body);
	world_end(&world);
}

static void who_has_given_up_is_not_let_in(void **state)
{
	struct world world;
	int inside[INSIDE], impatient, late;

	(void)state;
	begin(&world);
	fill(&world, inside);
	impatient = stalled_agent(&world);
	wait_until(one_waits, &world);
	close(impatient);
	close(inside[0]);
	wait_until(nobody_waits, &world);
	late = stalled_agent(&world); /* the place is free */
	read_first(late);
	for (int i = 1; i < INSIDE; i++)
		close(inside[i]);
	close(late);
	wait_until(nobody_is_there, &world);
	world_end(&world);
}

static void stopped(void *argument)
{
	(void)argument;
}

static void a_waiting_one_ends_with_the_server(void **state)
{
	struct world world;
	int inside[INSIDE], late;
	char byte;

	(void)state;
	begin(&world);
	fill(&world, inside);
	late = stalled_agent(&world);
	wait_until(one_waits, &world);
	http_server_stop(world.server, SECOND_US, stopped, NULL);
	while (recv(late, &byte, 1, 0) > 0)
		;
	wait_until(nobody_is_there, &world);
	for (int i = 0; i < INSIDE; i++)
		close(inside[i]);
	close(late);
	world_end(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(agents_wait_their_turn_and_nobody_else_does),
		cmocka_unit_test(who_has_given_up_is_not_let_in),
		cmocka_unit_test(a_waiting_one_ends_with_the_server),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
