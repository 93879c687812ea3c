/* The client: each cause of failure, kept connections that went stale, bodies
 * from descriptors, answers in pieces. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "world.h"

static atomic_uint_fast64_t body_bytes;
static atomic_uint begun;
static char large[300000];

static uint64_t on_request(void *context, struct http_request *request)
{
	(void)context;
	atomic_fetch_add(&begun, 1);
	if (strcmp(http_path(request), "/early") == 0)
		http_reply(request, 401, NULL, NULL, "no", 2);
	return 1 * GIB;
}

static void on_body(struct http_request *request, const uint8_t *bytes, size_t size)
{
	(void)request;
	(void)bytes;
	atomic_fetch_add(&body_bytes, size);
}

static void on_complete(struct http_request *request)
{
	uint8_t fingerprint[SHA256_BYTES];
	const char *path = http_path(request);

	if (strcmp(path, "/large") == 0)
		http_reply(request, 200, "text/plain", NULL, large, sizeof(large));
	else if (strcmp(path, "/never") == 0)
		return;
	else if (strcmp(path, "/missing") == 0)
		http_problem(request, 404, "Not found", NULL);
	else if (http_client_certificate(request, fingerprint))
		http_reply(request, 200, NULL, NULL, fingerprint, sizeof(fingerprint));
	else
		http_reply(request, 200, NULL, NULL, "anonymous", 9);
}

static void begin(struct world *world)
{
	body_bytes = 0;
	begun = 0;
	memset(large, 'x', sizeof(large));
	world_init(world);
	world->handlers =
	    (struct http_handlers){ .on_request = on_request, .on_body = on_body, .on_complete = on_complete };
}

/* One GET with these options; the code of the failure, or 0. */
static int ask(struct world *world, const struct tls_client_options *tls_options, const char *host, uint16_t port,
	       struct got *got)
{
	struct err err = { 0 };
	struct tls_client *tls = tls_client_new(tls_options, &err);
	const struct http_client_options options = { .host = host, .port = port, .tls = tls, .reply_max_bytes = 1000 };
	struct http_client *client;

	if (tls == NULL)
		fail_msg("%s", err.text);
	client = http_client_new(world->loop, &options, NULL);
	world_ask(world, client, "GET", "/", NULL, NULL, got);
	http_client_free(client);
	tls_client_free(tls);
	return got->status == 0 ? got->err.code : 0;
}

/* Asks a server that shows this certificate, as a client that trusts the CA and shows `own`. */
static int trust(const struct pem *shown, const struct pem *own, const char *host, struct err *ret_err)
{
	struct world world;
	struct got got = { 0 };
	struct tls_client_options options = { 0 };
	int r;

	begin(&world);
	if (shown != NULL) {
		world.server_certificate = shown->certificate;
		world.server_key = shown->key;
	}
	options.ca_pem = world.pki.ca.certificate;
	if (own != NULL) {
		options.certificate_pem = own->certificate;
		options.key_pem = own->key;
	}
	world_start(&world);
	r = ask(&world, &options, host, world.port, &got);
	*ret_err = got.err;
	buf_done(&got.body);
	world_end(&world);
	return r;
}

static void expect_text(const struct err *err, const char *text)
{
	if (strstr(err->text, text) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", err->text, text);
}

static void test_server_certificates(void **state)
{
	struct pem other_ca = pem_make("Other CA", NULL, -3600, 3600);
	struct pem stranger = pem_make("127.0.0.1", &other_ca, -3600, 3600);
	struct err err;

	(void)state;
	assert_int_equal(trust(NULL, NULL, "127.0.0.1", &err), 0);
	assert_int_equal(trust(&stranger, NULL, "127.0.0.1", &err), ERR_UNTRUSTED);
	assert_int_equal(trust(NULL, NULL, "localhost", &err), ERR_UNTRUSTED);
	expect_text(&err, "another name");
	pem_free(&stranger);
	pem_free(&other_ca);
}

/* The CA of trust() is made inside; clocks are tested with a world by hand. */
static int ask_in_time(long from_s, long until_s, bool client_side, struct err *ret_err)
{
	struct world world;
	struct got got = { 0 };
	struct pem timed;
	struct tls_client_options options = { 0 };
	int r;

	begin(&world);
	timed = pem_make(client_side ? "computer" : "127.0.0.1", &world.pki.ca, from_s, until_s);
	options.ca_pem = world.pki.ca.certificate;
	if (client_side) {
		options.certificate_pem = timed.certificate;
		options.key_pem = timed.key;
	} else {
		world.server_certificate = timed.certificate;
		world.server_key = timed.key;
	}
	world_start(&world);
	r = ask(&world, &options, "127.0.0.1", world.port, &got);
	*ret_err = got.err;
	buf_done(&got.body);
	world_end(&world);
	pem_free(&timed);
	return r;
}

static void test_clocks(void **state)
{
	struct err err;

	(void)state;
	assert_int_equal(ask_in_time(600, 3600, false, &err), ERR_CLOCK);
	expect_text(&err, "not yet valid");
	assert_int_equal(ask_in_time(-3600, -600, false, &err), ERR_CLOCK);
	expect_text(&err, "expired");
	/* A client's that has ended does not end the handshake: whoever answers it says so. */
	assert_int_equal(ask_in_time(-3600, -600, true, &err), 0);
	assert_int_equal(ask_in_time(-3600, 600, true, &err), 0);
}

static void test_client_certificate_of_another_ca(void **state)
{
	struct pem other_ca = pem_make("Other CA", NULL, -3600, 3600);
	struct pem own = pem_make("computer", &other_ca, -3600, 3600);
	struct err err;

	(void)state;
	assert_int_equal(trust(NULL, &own, "127.0.0.1", &err), ERR_UNTRUSTED);
	expect_text(&err, "does not know the CA of our certificate");
	assert_int_equal(begun, 0);
	pem_free(&own);
	pem_free(&other_ca);
}

/* Many identities share one context; each shows its own certificate and resumes its own session. */
static void test_identities_beside_each_other(void **state)
{
	struct world world;
	struct got first = { 0 }, again = { 0 };
	struct tls_client_options options = { 0 };
	struct tls_client *base, *own;
	struct http_client *client;
	struct err err = { 0 };

	(void)state;
	begin(&world);
	options.ca_pem = world.pki.ca.certificate;
	options.key_pem = world.pki.client.key;
	world_start(&world);
	base = tls_client_new(&options, &err);
	assert_non_null(base);
	assert_null(tls_client_beside(base, world.pki.server.certificate, &err));
	assert_int_equal(err.code, ERR_UNTRUSTED);
	own = tls_client_beside(base, world.pki.client.certificate, &err);
	assert_non_null(own);
	client = world_client(&world, own);
	world_ask(&world, client, "GET", "/", NULL, NULL, &first);
	assert_int_equal(first.body.size, SHA256_BYTES);
	assert_memory_equal(first.body.data, world.pki.client.fingerprint, SHA256_BYTES);
	http_client_disconnect(client);
	world_ask(&world, client, "GET", "/", NULL, NULL, &again);
	assert_true(again.resumed);
	assert_memory_equal(again.body.data, world.pki.client.fingerprint, SHA256_BYTES);
	http_client_free(client);
	tls_client_free(own);
	tls_client_free(base);
	buf_done(&first.body);
	buf_done(&again.body);
	world_end(&world);
}

static int ask_pinned(const uint8_t *pin, const char *host, bool any_name, struct err *ret_err)
{
	struct world world;
	struct got got = { 0 };
	struct tls_client_options options = { .any_host_name = any_name, .own_library = true };
	int r;

	begin(&world);
	options.ca_fingerprint = pin != NULL ? pin : world.pki.ca.fingerprint;
	world_start(&world);
	r = ask(&world, &options, host, world.port, &got);
	*ret_err = got.err;
	buf_done(&got.body);
	world_end(&world);
	return r;
}

static void test_pinned_root(void **state)
{
	const uint8_t wrong[SHA256_BYTES] = { 1 };
	struct err err;

	(void)state;
	assert_int_equal(ask_pinned(NULL, "127.0.0.1", false, &err), 0);
	assert_int_equal(ask_pinned(NULL, "localhost", true, &err), 0);
	assert_int_equal(ask_pinned(NULL, "localhost", false, &err), ERR_UNTRUSTED);
	expect_text(&err, "another name");
	assert_int_equal(ask_pinned(wrong, "127.0.0.1", false, &err), ERR_UNTRUSTED);
	expect_text(&err, "no root certificate with the given fingerprint");
}

/* The fingerprint of the leaf, or of a root that did not sign it, is not enough. */
static void test_pinned_root_must_have_signed(void **state)
{
	struct pem other_ca = pem_make("Other CA", NULL, -3600, 3600);
	struct world world;
	struct got got = { 0 };
	struct tls_client_options options = { 0 };
	struct buf chain;

	(void)state;
	begin(&world);
	buf_init(&chain, 64 * KIB);
	buf_append_text(&chain, world.pki.server.certificate);
	buf_append_text(&chain, other_ca.certificate);
	world.server_certificate = buf_text(&chain);
	world_start(&world);
	options.ca_fingerprint = world.pki.server.fingerprint;
	assert_int_equal(ask(&world, &options, "127.0.0.1", world.port, &got), ERR_UNTRUSTED);
	options.ca_fingerprint = other_ca.fingerprint;
	assert_int_equal(ask(&world, &options, "127.0.0.1", world.port, &got), ERR_UNTRUSTED);
	options.ca_fingerprint = world.pki.ca.fingerprint;
	assert_int_equal(ask(&world, &options, "127.0.0.1", world.port, &got), 0);
	world_end(&world);
	buf_done(&got.body);
	buf_done(&chain);
	pem_free(&other_ca);
}

/* --- a peer that is no proper server --- */

struct peer {
	pthread_t thread;
	int fd;
	uint16_t port;
	const char *says; /* then closes; NULL: silent until the client goes */
};

static void *peer_thread(void *argument)
{
	const struct peer *peer = argument;
	char byte[4096];
	int fd = accept(peer->fd, NULL, NULL);

	if (peer->says != NULL) {
		(void)!write(fd, peer->says, strlen(peer->says));
		shutdown(fd, SHUT_WR);
	}
	while (read(fd, byte, sizeof(byte)) > 0)
		;
	close(fd);
	return NULL;
}

static void peer_start(struct peer *peer, const char *says)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof(address);

	peer->says = says;
	peer->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(peer->fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(peer->fd, 8), 0);
	getsockname(peer->fd, (struct sockaddr *)&address, &size);
	peer->port = ntohs(address.sin_port);
}

static int ask_peer(struct world *world, const char *says, span_us patience, struct err *ret_err)
{
	struct tls_client *tls = world_tls(world, false);
	struct peer peer;
	struct got got = { 0 };
	struct http_client_options options = { .host = "127.0.0.1", .tls = tls, .connect_timeout = patience };
	struct http_client *client;

	peer_start(&peer, says);
	assert_int_equal(pthread_create(&peer.thread, NULL, peer_thread, &peer), 0);
	options.port = peer.port;
	client = http_client_new(world->loop, &options, NULL);
	world_ask(world, client, "GET", "/", NULL, NULL, &got);
	http_client_free(client);
	pthread_join(peer.thread, NULL);
	close(peer.fd);
	tls_client_free(tls);
	buf_done(&got.body);
	assert_int_equal(got.status, 0);
	*ret_err = got.err;
	return got.err.code;
}

static void test_peers_that_are_no_servers(void **state)
{
	struct world world;
	struct err err;

	(void)state;
	begin(&world);
	world_start(&world);
	assert_int_equal(ask_peer(&world, "HTTP/1.1 400 Bad Request\r\n\r\n", 0, &err), ERR_TLS);
	expect_text(&err, "does not speak TLS");
	assert_int_equal(ask_peer(&world, "", 0, &err), ERR_CLOSED);
	assert_int_equal(ask_peer(&world, NULL, 50 * MILLISECOND_US, &err), ERR_TIMEOUT);
	expect_text(&err, "handshake");
	world_end(&world);
}

static void test_no_connection(void **state)
{
	struct world world;
	struct got got = { 0 };
	struct tls_client_options options = { 0 };
	struct peer peer;

	(void)state;
	begin(&world);
	world_start(&world);
	options.ca_pem = world.pki.ca.certificate;
	peer_start(&peer, NULL);
	close(peer.fd); /* a port where nobody listens */
	assert_int_equal(ask(&world, &options, "127.0.0.1", peer.port, &got), ERR_CONNECT);
	expect_text(&got.err, "refused");
	assert_int_equal(ask(&world, &options, "no-such-host.invalid", 1, &got), ERR_RESOLVE);
	expect_text(&got.err, "no-such-host.invalid");
	buf_done(&got.body);
	world_end(&world);
}

/* --- exchanges --- */

struct pair {
	struct world world;
	struct tls_client *tls;
	struct http_client *client;
	struct got got;
};

static void pair_start(struct pair *pair)
{
	world_start(&pair->world);
	pair->tls = world_tls(&pair->world, true);
	pair->client = world_client(&pair->world, pair->tls);
	pair->got = (struct got){ .loop = pair->world.loop };
}

static void pair_end(struct pair *pair)
{
	http_client_free(pair->client);
	tls_client_free(pair->tls);
	buf_done(&pair->got.body);
	world_end(&pair->world);
}

static bool nobody_connected(void *argument)
{
	struct http_server_counters counters;

	http_server_counters(argument, &counters);
	return counters.connections == 0;
}

static void test_stale_connection_is_renewed(void **state)
{
	struct pair pair;

	(void)state;
	begin(&pair.world);
	pair.world.limits.idle = 300 * MILLISECOND_US; /* longer than a handshake may take on a busy machine */
	pair_start(&pair);
	for (int i = 0; i < 3; i++) {
		world_ask(&pair.world, pair.client, "POST", "/", NULL, "x", &pair.got);
		assert_int_equal(pair.got.status, 200);
		assert_memory_equal(pair.got.body.data, pair.world.pki.client.fingerprint, SHA256_BYTES);
		wait_until(nobody_connected, pair.world.server); /* and the client's loop has not run: it cannot know */
	}
	assert_int_equal(begun, 3);
	pair_end(&pair);
}

static void stopped(void *argument)
{
	(void)argument;
}

struct stopping {
	struct http_server *server;
	struct loop_timer *timer;
};

/* Before the request has come, the connection is an idle one, which ends at once: the client may well ask again. */
static void stop_when_held(void *argument)
{
	struct stopping *stopping = argument;

	if (begun < 2)
		loop_timer_set(stopping->timer, 5 * MILLISECOND_US);
	else
		http_server_stop(stopping->server, 4 * SECOND_US, stopped, NULL);
}

/* Else all whose polls a server held would be there again in the moment that it ends. */
static void test_held_request_is_not_sent_again(void **state)
{
	struct stopping stopping;
	struct pair pair;

	(void)state;
	begin(&pair.world);
	pair_start(&pair);
	stopping.server = pair.world.server;
	stopping.timer = loop_timer_new(pair.world.loop, stop_when_held, &stopping);
	assert_non_null(stopping.timer);
	world_ask(&pair.world, pair.client, "GET", "/", NULL, NULL, &pair.got);
	assert_int_equal(pair.got.status, 200);
	assert_int_equal(http_client_send(pair.client, "GET", "/never", NULL, NULL, 0, got_answer, &pair.got, NULL), 0);
	loop_timer_set(stopping.timer, 0);
	loop_run(pair.world.loop);
	loop_timer_free(stopping.timer);
	assert_int_equal(pair.got.status, 0);
	assert_int_equal(pair.got.err.code, ERR_CLOSED); /* a second try would not have connected */
	pair_end(&pair);
}

static void test_timeout(void **state)
{
	struct pair pair;

	(void)state;
	begin(&pair.world);
	pair_start(&pair);
	assert_int_equal(http_client_send(pair.client, "GET", "/never", NULL, NULL, 30 * MILLISECOND_US, got_answer,
					  &pair.got, NULL),
			 0);
	assert_true(http_client_busy(pair.client));
	assert_int_equal(http_client_send(pair.client, "GET", "/", NULL, NULL, 0, got_answer, &pair.got, NULL),
			 ERR_BUSY);
	loop_run(pair.world.loop);
	assert_int_equal(pair.got.status, 0);
	assert_int_equal(pair.got.err.code, ERR_TIMEOUT);
	assert_false(http_client_busy(pair.client));
	assert_true(begun <= 1); /* not sent again; on a busy machine not even arrived in time */
	pair_end(&pair);
}

static void test_bad_requests_are_not_sent(void **state)
{
	struct pair pair;
	struct err err = { 0 };

	(void)state;
	begin(&pair.world);
	pair_start(&pair);
	assert_int_equal(http_client_send(pair.client, "GET", "/a b", NULL, NULL, 0, got_answer, &pair.got, &err),
			 ERR_FORMAT);
	assert_int_equal(http_client_send(pair.client, "GET", "/a\r\nX: y", NULL, NULL, 0, got_answer, &pair.got, &err),
			 ERR_FORMAT);
	assert_false(http_client_busy(pair.client));
	pair_end(&pair);
}

static int count_piece(void *argument, const uint8_t *bytes, size_t size)
{
	struct got *got = argument;

	(void)bytes;
	got->retry_after += (span_us)size; /* of no other use here: overwritten by the answer */
	body_bytes += size;
	return body_bytes > 1000000 ? -1 : 0;
}

static void test_large_answers(void **state)
{
	struct pair pair;

	(void)state;
	begin(&pair.world);
	pair_start(&pair);
	world_ask(&pair.world, pair.client, "GET", "/large", NULL, NULL, &pair.got);
	assert_int_equal(pair.got.body.size, sizeof(large));
	body_bytes = 0;
	http_client_stream(pair.client, count_piece);
	world_ask(&pair.world, pair.client, "GET", "/large", NULL, NULL, &pair.got);
	assert_int_equal(pair.got.status, 200);
	assert_int_equal(pair.got.body.size, 0);
	assert_int_equal(body_bytes, sizeof(large));
	/* A problem is for reading, not for the receiver. */
	http_client_stream(pair.client, count_piece);
	world_ask(&pair.world, pair.client, "GET", "/missing", NULL, NULL, &pair.got);
	assert_int_equal(pair.got.status, 404);
	assert_true(pair.got.body.size > 0);
	assert_int_equal(body_bytes, sizeof(large));
	/* The receiver stops it. */
	body_bytes = 1000000;
	http_client_stream(pair.client, count_piece);
	world_ask(&pair.world, pair.client, "GET", "/large", NULL, NULL, &pair.got);
	assert_int_equal(pair.got.err.code, ERR_CANCELLED);
	pair_end(&pair);
}

static void test_answer_over_the_limit(void **state)
{
	struct pair pair;
	struct http_client_options options = { .host = "127.0.0.1", .reply_max_bytes = 1000 };
	struct http_client *client;

	(void)state;
	begin(&pair.world);
	pair_start(&pair);
	options.tls = pair.tls;
	options.port = pair.world.port;
	client = http_client_new(pair.world.loop, &options, NULL);
	world_ask(&pair.world, client, "GET", "/large", NULL, NULL, &pair.got);
	assert_int_equal(pair.got.err.code, ERR_LIMIT);
	world_ask(&pair.world, client, "GET", "/", NULL, NULL, &pair.got);
	assert_int_equal(pair.got.status, 200);
	http_client_free(client);
	pair_end(&pair);
}

/* Freed memory that the sanitizer keeps would count as ours. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "quarantine_size_mb=1:thread_local_quarantine_size_kb=64";
}

static long peak_kib(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return usage.ru_maxrss;
}

/* Sent by the client and taken by the server in one process, so that both count. */
static void test_upload_from_a_descriptor_in_bounded_memory(void **state)
{
	const uint64_t size = 64 * MIB;
	struct pair pair;
	struct http_body body = { .offset = 4096, .size = 64 * MIB };
	long before;

	(void)state;
	begin(&pair.world);
	body.fd = memfd_create("upload", MFD_CLOEXEC); /* a hole: takes no memory */
	assert_int_equal(ftruncate(body.fd, (off_t)(size + 4096)), 0);
	pair_start(&pair);
	world_ask(&pair.world, pair.client, "GET", "/", NULL, NULL, &pair.got);
	before = peak_kib();
	assert_int_equal(
	    http_client_send(pair.client, "PUT", "/upload", NULL, &body, 20 * SECOND_US, got_answer, &pair.got, NULL),
	    0);
	loop_run(pair.world.loop);
	assert_int_equal(pair.got.status, 200);
	assert_int_equal(body_bytes, size);
	if (peak_kib() - before > 16 * 1024)
		fail_msg("memory grew by %ld KiB", peak_kib() - before);
	close(body.fd);
	pair_end(&pair);
}

static void test_file_that_became_shorter(void **state)
{
	struct pair pair;
	struct http_body body = { .size = 1 * MIB };

	(void)state;
	begin(&pair.world);
	body.fd = memfd_create("upload", MFD_CLOEXEC);
	assert_int_equal(ftruncate(body.fd, 100000), 0);
	pair_start(&pair);
	assert_int_equal(
	    http_client_send(pair.client, "PUT", "/upload", NULL, &body, 20 * SECOND_US, got_answer, &pair.got, NULL),
	    0);
	loop_run(pair.world.loop);
	assert_int_equal(pair.got.err.code, ERR_IO);
	close(body.fd);
	pair_end(&pair);
}

static void test_answer_before_the_body_was_sent(void **state)
{
	struct pair pair;
	struct http_body body = { .size = 64 * MIB };

	(void)state;
	begin(&pair.world);
	body.fd = memfd_create("upload", MFD_CLOEXEC);
	assert_int_equal(ftruncate(body.fd, 64 * MIB), 0);
	pair_start(&pair);
	assert_int_equal(
	    http_client_send(pair.client, "PUT", "/early", NULL, &body, 20 * SECOND_US, got_answer, &pair.got, NULL),
	    0);
	loop_run(pair.world.loop);
	if (pair.got.status != 401)
		fail_msg("%d %s", pair.got.status, pair.got.err.text);
	assert_int_equal(body_bytes, 0);
	world_ask(&pair.world, pair.client, "GET", "/", NULL, NULL, &pair.got);
	assert_int_equal(pair.got.status, 200);
	close(body.fd);
	pair_end(&pair);
}

/* Freed in its own answer, and with a request under way. */
static void free_client(void *argument, const struct http_answer *answer)
{
	struct pair *pair = argument;

	assert_int_equal(answer->status, 200);
	http_client_free(pair->client);
	pair->client = NULL;
	loop_stop(pair->world.loop);
}

static void test_freeing_in_the_answer(void **state)
{
	struct pair pair;
	struct http_client *other;

	(void)state;
	begin(&pair.world);
	pair_start(&pair);
	other = world_client(&pair.world, pair.tls);
	assert_int_equal(http_client_send(other, "GET", "/never", NULL, NULL, 0, got_answer, &pair.got, NULL), 0);
	assert_int_equal(http_client_send(pair.client, "GET", "/", NULL, NULL, 0, free_client, &pair, NULL), 0);
	loop_run(pair.world.loop);
	assert_null(pair.client);
	http_client_free(other);
	assert_int_equal(pair.got.count, 0);
	pair_end(&pair);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_server_certificates),
		cmocka_unit_test(test_clocks),
		cmocka_unit_test(test_client_certificate_of_another_ca),
		cmocka_unit_test(test_identities_beside_each_other),
		cmocka_unit_test(test_pinned_root),
		cmocka_unit_test(test_pinned_root_must_have_signed),
		cmocka_unit_test(test_peers_that_are_no_servers),
		cmocka_unit_test(test_no_connection),
		cmocka_unit_test(test_stale_connection_is_renewed),
		cmocka_unit_test(test_held_request_is_not_sent_again),
		cmocka_unit_test(test_timeout),
		cmocka_unit_test(test_bad_requests_are_not_sent),
		cmocka_unit_test(test_large_answers),
		cmocka_unit_test(test_answer_over_the_limit),
		cmocka_unit_test(test_upload_from_a_descriptor_in_bounded_memory),
		cmocka_unit_test(test_file_that_became_shorter),
		cmocka_unit_test(test_answer_before_the_body_was_sent),
		cmocka_unit_test(test_freeing_in_the_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
