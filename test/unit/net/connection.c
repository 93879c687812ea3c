/* What clients that misbehave, or that know the protocol by heart, get from the server. */
#include <arpa/inet.h>
#include <errno.h>
#include <openssl/ssl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "net/sources.h"
#include "world.h"

/* Handlers: the path says what is done. */
struct room {
	atomic_uint begun, completed, gone;
	struct http_request *_Atomic held;
	atomic_uint_fast64_t body_bytes;
	atomic_bool paused;
};
static struct room room;
static char flood[16 * 1024 * 1024]; /* more than socket buffers take */

static uint64_t on_request(void *context, struct http_request *request)
{
	const char *path = http_path(request);

	(void)context;
	atomic_fetch_add(&room.begun, 1);
	if (strcmp(path, "/refuse") == 0)
		http_problem(request, 403, "Not you", "a \"quoted\" cause\n");
	if (strcmp(path, "/small") == 0)
		return 10;
	return strcmp(http_method(request), "GET") == 0 ? 0 : 1 * MIB;
}

static void on_body(struct http_request *request, const uint8_t *bytes, size_t size)
{
	(void)bytes;
	atomic_fetch_add(&room.body_bytes, size);
	if (strcmp(http_path(request), "/pause") == 0 && !atomic_exchange(&room.paused, true)) {
		http_pause(request);
		atomic_store(&room.held, request);
	}
}

static void stream_more(struct http_request *request)
{
	uintptr_t pieces = (uintptr_t)http_data(request);

	if (pieces == 3) {
		http_reply_end(request);
		return;
	}
	http_reply_body(request, "piece", 5);
	http_set_data(request, (void *)(pieces + 1));
}

static void on_complete(struct http_request *request)
{
	const char *path = http_path(request);

	atomic_fetch_add(&room.completed, 1);
	if (strcmp(path, "/park") == 0)
		http_park(request);
	if (strcmp(path, "/hold") == 0 || strcmp(path, "/park") == 0)
		atomic_store(&room.held, request);
	else if (strcmp(path, "/stream") == 0)
		http_reply_begin(request, 200, "text/plain", NULL, UINT64_MAX, stream_more);
	else if (strcmp(path, "/sized") == 0)
		http_reply_begin(request, 200, "text/plain", NULL, 15, stream_more);
	else if (strcmp(path, "/short") == 0)
		http_reply_begin(request, 200, "text/plain", NULL, 100, stream_more);
	else if (strcmp(path, "/flood") == 0)
		http_reply(request, 200, "text/plain", NULL, flood, sizeof(flood));
	else
		http_reply(request, 200, "text/plain", NULL, path, strlen(path));
}

static void on_gone(struct http_request *request)
{
	struct http_request *held = request;

	atomic_compare_exchange_strong(&room.held, &held, NULL);
	atomic_fetch_add(&room.gone, 1);
}

static void open_room(struct world *world)
{
	memset(&room, 0, sizeof(room));
	world_init(world);
	world->handlers = (struct http_handlers){
		.on_request = on_request, .on_body = on_body, .on_complete = on_complete, .on_gone = on_gone
	};
	/* A limit that a test is about is made short there; the others must not interfere. */
	world->limits.handshake = world->limits.header = world->limits.body_idle = 60 * SECOND_US;
	world->limits.idle = world->limits.write_idle = 60 * SECOND_US;
}

/* Sends text, reads to the end of the connection, compares the start of the
 * first answer, and that `wanted` comes somewhere. */
static void check_exchange(const char *text, const char *start, const char *wanted)
{
	struct world world;
	struct raw *raw;
	const char *answer;

	open_room(&world);
	world_start(&world);
	raw = raw_open(&world);
	raw_send(raw, text);
	answer = raw_read_all(raw);
	if (strncmp(answer, start, strlen(start)) != 0 || strstr(answer, wanted) == NULL)
		fail_msg("sent     %s\ngot      %s\nexpected %s...%s", text, answer, start, wanted);
	raw_close(raw);
	world_end(&world);
}

#define GET(path)   "GET " path " HTTP/1.1\r\nHost: a\r\n\r\n"
#define CLOSE(path) "GET " path " HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"

static void test_close_and_old_versions(void **state)
{
	(void)state;
	check_exchange(CLOSE("/x"), "HTTP/1.1 200 OK\r\nDate: ", "Connection: close\r\n\r\n/x");
	check_exchange("GET /x HTTP/1.0\r\n\r\n", "HTTP/1.1 200 OK\r\n", "Connection: close\r\n\r\n/x");
	check_exchange("GET /stream HTTP/1.0\r\n\r\n", "HTTP/1.1 200 OK\r\n", "\r\n\r\npiecepiecepiece");
	check_exchange("GET /x HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET /y HTTP/1.0\r\n\r\n",
		       "HTTP/1.1 200 OK\r\n", "Connection: close\r\n\r\n/y");
}

static void test_streamed_replies(void **state)
{
	(void)state;
	check_exchange(CLOSE("/stream"), "HTTP/1.1 200 OK\r\n",
		       "\r\n\r\n5\r\npiece\r\n5\r\npiece\r\n5\r\npiece\r\n0\r\n\r\n");
	check_exchange(CLOSE("/sized"), "HTTP/1.1 200 OK\r\n",
		       "Content-Length: 15\r\nConnection: close\r\n\r\npiecepiecepiece");
	check_exchange("HEAD /stream HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", "HTTP/1.1 200 OK\r\n",
		       "\r\n\r\n");
}

/* What comes next would be taken for the rest of it. */
static void test_a_reply_shorter_than_its_length_is_the_last(void **state)
{
	struct world world;
	struct raw *raw;
	const char *body;

	(void)state;
	open_room(&world);
	world_start(&world);
	raw = raw_open(&world);
	raw_send(raw, GET("/short") GET("/next"));
	body = strstr(raw_read_all(raw), "\r\n\r\n");
	assert_non_null(body);
	assert_string_equal(body, "\r\n\r\npiecepiecepiece");
	raw_close(raw);
	world_end(&world);
}

static void test_pipelined_requests_are_answered_in_order(void **state)
{
	(void)state;
	check_exchange(GET("/stream")
			   GET("/2") "POST /3 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc" CLOSE("/4"),
		       "HTTP/1.1 200 OK\r\n", "Connection: close\r\n\r\n/4");
	assert_int_equal(room.completed, 4);
	assert_int_equal(room.gone, 0);
}

static void test_refusals(void **state)
{
	(void)state;
	check_exchange(
	    "GET / HTTP/1.1\r\n\r\n", "HTTP/1.1 400 Bad Request\r\n",
	    "{\"type\":\"about:blank\",\"title\":\"Bad Request\",\"status\":400,\"detail\":\"Host is missing\"}\n");
	assert_int_equal(room.begun, 0);
	check_exchange("POST /small HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\n12345678901", "HTTP/1.1 413 ",
		       "Connection: close\r\n");
	assert_int_equal(room.gone, 1);
	check_exchange("POST /small HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n9\r\n123456789\r\n2\r\n",
		       "HTTP/1.1 413 ", "Connection: close\r\n");
	assert_int_equal(room.gone, 1);
	check_exchange("POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nz\r\n", "HTTP/1.1 400 ",
		       "a chunk size that is not");
	assert_int_equal(room.gone, 1);
	check_exchange("GET / HTTP/3.0\r\n\r\n", "HTTP/1.1 505 HTTP Version Not Supported\r\n", "");
	check_exchange(GET("/refuse") CLOSE("/y"), "HTTP/1.1 403 Forbidden\r\n",
		       "\"detail\":\"a \\\"quoted\\\" cause\\\\x0a\"}\nHTTP/1.1 200 OK");
}

static void test_unwanted_bodies(void **state)
{
	(void)state;
	/* A small one is read away, the connection goes on. */
	check_exchange("POST /refuse HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello" CLOSE("/y"),
		       "HTTP/1.1 403 Forbidden\r\n", "Connection: close\r\n\r\n/y");
	assert_int_equal(room.body_bytes, 0);
	/* A large one is not waited for. */
	check_exchange("POST /refuse HTTP/1.1\r\nHost: a\r\nContent-Length: 900000\r\n\r\nhello",
		       "HTTP/1.1 403 Forbidden\r\n", "Connection: close\r\n");
}

static void test_expect_continue(void **state)
{
	struct world world;
	struct raw *raw;

	(void)state;
	open_room(&world);
	world_start(&world);
	raw = raw_open(&world);
	raw_send(raw, "PUT /x HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n");
	assert_string_equal(raw_read_until(raw, "\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
	raw_send(raw, "ok");
	raw_read_until(raw, "\r\n\r\n/x");
	/* Refused without asking for the body: the client may or may not send it, so the connection ends. */
	raw_send(raw, "PUT /refuse HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n");
	assert_non_null(strstr(raw_read_all(raw), "HTTP/1.1 403 Forbidden"));
	raw_close(raw);
	world_end(&world);
}

static bool has_no_connections(void *argument)
{
	struct http_server_counters counters;

	http_server_counters(((struct world *)argument)->server, &counters);
	return counters.accepted > 0 && counters.connections == 0;
}

/* --- deadlines: each made short, and the close waited for --- */

static void check_deadline(struct world *world, const char *text, const char *start)
{
	struct http_server_counters counters;
	struct raw *raw;

	world_start(world);
	raw = raw_open(world);
	raw_send(raw, text);
	if (strncmp(raw_read_all(raw), start, strlen(start)) != 0)
		fail_msg("got %s", raw_read_all(raw));
	raw_close(raw);
	http_server_counters(world->server, &counters);
	assert_int_equal(counters.timeouts, start[0] != '\0');
	world_end(world);
}

static void test_slow_headers(void **state)
{
	struct world world;

	(void)state;
	open_room(&world);
	world.limits.header = 30 * MILLISECOND_US;
	check_deadline(&world, "GET / HTTP/1.1\r\nHost:", "HTTP/1.1 408 Request Timeout");
	assert_int_equal(room.begun, 0);
}

static void test_silent_body(void **state)
{
	struct world world;

	(void)state;
	open_room(&world);
	world.limits.body_idle = 30 * MILLISECOND_US;
	check_deadline(&world, "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhell",
		       "HTTP/1.1 408 Request Timeout");
	assert_int_equal(room.begun, 1);
	assert_int_equal(room.gone, 1);
	assert_int_equal(room.completed, 0);
}

static void test_idle_connection(void **state)
{
	struct world world;

	(void)state;
	open_room(&world);
	world.limits.idle = 30 * MILLISECOND_US;
	check_deadline(&world, "", "");
}

static void test_no_handshake(void **state)
{
	struct world world;
	struct raw *raw;
	char byte;

	(void)state;
	open_room(&world);
	world.limits.handshake = 30 * MILLISECOND_US;
	world_start(&world);
	raw = raw_connect(&world);
	assert_int_equal(raw_read_plain(raw, &byte), 0);
	raw_close(raw);
	world_end(&world);
}

static void test_reply_nobody_reads(void **state)
{
	struct world world;
	struct raw *raw;

	(void)state;
	open_room(&world);
	world.limits.write_idle = 30 * MILLISECOND_US;
	world_start(&world);
	raw = raw_open(&world);
	raw_send(raw, GET("/flood"));
	wait_until(has_no_connections, &world);
	raw_close(raw);
	world_end(&world);
}

/* --- held requests --- */

static bool is_held(void *argument)
{
	(void)argument;
	return atomic_load(&room.held) != NULL;
}

static bool is_gone(void *argument)
{
	(void)argument;
	return atomic_load(&room.gone) == 1;
}

static time_us now(void)
{
	struct timespec moment;

	clock_gettime(CLOCK_MONOTONIC, &moment);
	return (time_us)moment.tv_sec * SECOND_US + moment.tv_nsec / 1000;
}

static bool has_come(void *argument)
{
	return now() >= *(time_us *)argument;
}

static void answer_held(void *argument)
{
	http_reply(argument, 200, "text/plain", NULL, "woken", 5);
}

/* However long: what bounds a client that is silent, or does not read, is none for one that is kept waiting. */
static void test_held_request_is_woken_from_another_thread(void **state)
{
	struct world world;
	struct raw *raw;
	struct http_request *request;
	time_us moment;

	(void)state;
	open_room(&world);
	world.limits.idle = world.limits.header = world.limits.write_idle = 2 * SECOND_US;
	world.count = 2;
	world_start(&world);
	raw = raw_open(&world);
	raw_send(raw, CLOSE("/hold"));
	wait_until(is_held, NULL);
	moment = now() + 2500 * MILLISECOND_US;
	wait_until(has_come, &moment);
	request = atomic_load(&room.held);
	assert_int_equal(loop_post(http_loop(request), answer_held, request), 0);
	raw_read_until(raw, "\r\n\r\nwoken");
	assert_int_equal(room.gone, 0);
	raw_close(raw);
	world_end(&world);
}

static void test_held_request_is_told_when_its_client_goes(void **state)
{
	struct world world;
	struct raw *raw;

	(void)state;
	open_room(&world);
	world_start(&world);
	raw = raw_open(&world);
	raw_send(raw, GET("/park"));
	wait_until(is_held, NULL);
	raw_close(raw);
	wait_until(is_gone, NULL);
	assert_null(atomic_load(&room.held));
	wait_until(has_no_connections, &world);
	world_end(&world);
}

/* It asked, said that it sends no more, and waits. */
static void test_half_closed_client_gets_its_answer(void **state)
{
	struct world world;
	struct raw *raw;
	struct http_request *request;

	(void)state;
	open_room(&world);
	world_start(&world);
	raw = raw_open(&world);
	raw_send(raw, GET("/hold"));
	wait_until(is_held, NULL);
	raw_end_sending(raw);
	request = atomic_load(&room.held);
	assert_int_equal(loop_post(http_loop(request), answer_held, request), 0);
	assert_non_null(strstr(raw_read_all(raw), "HTTP/1.1 200 OK"));
	assert_int_equal(room.gone, 0);
	raw_close(raw);
	wait_until(has_no_connections, &world);
	world_end(&world);
}

/* But not for ever. */
static void test_half_closed_client_does_not_wait_for_ever(void **state)
{
	struct world world;
	struct raw *raw;

	(void)state;
	open_room(&world);
	world.limits.write_idle = 50 * MILLISECOND_US;
	world_start(&world);
	raw = raw_open(&world);
	raw_send(raw, GET("/hold"));
	wait_until(is_held, NULL);
	raw_end_sending(raw);
	wait_until(is_gone, NULL);
	raw_close(raw);
	wait_until(has_no_connections, &world);
	world_end(&world);
}

static void resume_held(void *argument)
{
	http_resume(argument);
}

static void test_pause_and_resume(void **state)
{
	struct world world;
	struct raw *raw;
	struct http_request *request;
	static char text[300000];

	(void)state;
	open_room(&world);
	world.limits.body_idle = 50 * MILLISECOND_US; /* does not count while paused */
	world_start(&world);
	raw = raw_open(&world);
	snprintf(text, sizeof(text),
		 "PUT /pause HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 200000\r\n\r\n%0*d", 200000,
		 0);
	raw_send(raw, text);
	wait_until(is_held, NULL);
	assert_true(room.body_bytes < 200000);
	request = atomic_load(&room.held);
	assert_int_equal(loop_post(http_loop(request), resume_held, request), 0);
	raw_read_until(raw, "\r\n\r\n/pause");
	assert_int_equal(room.body_bytes, 200000);
	raw_close(raw);
	world_end(&world);
}

/* --- the server as a whole --- */

static void test_connection_cap(void **state)
{
	struct world world;
	struct raw *first, *second;
	struct http_server_counters counters;
	char byte;

	(void)state;
	open_room(&world);
	world.limits.connections = 1;
	world_start(&world);
	first = raw_open(&world);
	raw_send(first, GET("/x"));
	raw_read_until(first, "/x");
	second = raw_connect(&world);
	assert_true(raw_read_plain(second, &byte) <= 0);
	http_server_counters(world.server, &counters);
	assert_int_equal(counters.refused, 1);
	assert_int_equal(counters.connections, 1);
	raw_close(second);
	raw_close(first);
	world_end(&world);
}

static void set_flag(void *argument)
{
	atomic_store((atomic_bool *)argument, true);
}

static bool flag_is_set(void *argument)
{
	return atomic_load((atomic_bool *)argument);
}

#define SILENT 30

/* Those who say nothing take places that others need. */
static void test_silent_strangers_make_room(void **state)
{
	struct world world;
	struct raw *silent[SILENT], *raw;
	struct http_server_counters counters;

	(void)state;
	open_room(&world);
	world.limits.connections = 20;
	world_start(&world);
	for (size_t i = 0; i < SILENT; i++)
		silent[i] = raw_connect(&world);
	raw = raw_open(&world);
	raw_send(raw, GET("/x"));
	raw_read_until(raw, "/x");
	http_server_counters(world.server, &counters);
	assert_true(counters.evicted >= SILENT + 1 - 20 && counters.refused == 0);
	assert_true(counters.connections <= 20);
	for (size_t i = 0; i < SILENT; i++)
		raw_close(silent[i]);
	raw_close(raw);
	world_end(&world);
}

#define OTHERS 5
#define FLOOD  60

static int connect_from(const struct world *world, const char *address)
{
	struct sockaddr_in from = { .sin_family = AF_INET }, to = { .sin_family = AF_INET };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	to.sin_port = htons(world->port);
	assert_int_equal(inet_pton(AF_INET, address, &from.sin_addr), 1);
	assert_int_equal(inet_pton(AF_INET, "127.0.0.1", &to.sin_addr), 1);
	assert_int_equal(bind(fd, (const struct sockaddr *)&from, sizeof(from)), 0);
	assert_int_equal(connect(fd, (const struct sockaddr *)&to, sizeof(to)), 0);
	return fd;
}

static bool is_closed(int fd)
{
	char byte;
	ssize_t size = recv(fd, &byte, 1, MSG_DONTWAIT);

	return size == 0 || (size < 0 && errno != EAGAIN && errno != EWOULDBLOCK);
}

#define FEW 8

/* A server of a few places, as agents have: nobody is closed while there are places left. */
static void test_few_places_are_places_too(void **state)
{
	struct http_server_counters counters;
	int others[FEW - 2];
	struct world world;
	struct raw *raw;

	(void)state;
	open_room(&world);
	world.limits.connections = FEW;
	world_start(&world);
	for (size_t i = 0; i < COUNT_OF(others); i++)
		others[i] = connect_from(&world, "127.0.0.2");
	raw = raw_open(&world);
	raw_send(raw, GET("/x"));
	raw_read_until(raw, "/x");
	http_server_counters(world.server, &counters);
	assert_int_equal(counters.evicted, 0);
	for (size_t i = 0; i < COUNT_OF(others); i++) {
		assert_false(is_closed(others[i]));
		close(others[i]);
	}
	raw_close(raw);
	world_end(&world);
}

/* One that floods takes places from itself alone: who came before it from elsewhere stays, and who comes after it is
 * let in, from its own address as well. */
static void test_one_address_has_its_share(void **state)
{
	struct world world;
	struct raw *raw;
	int others[OTHERS], crowd[FLOOD];
	struct http_server_counters counters = { 0 };

	(void)state;
	open_room(&world);
	world.limits.connections = 40;
	world_start(&world);
	for (size_t i = 0; i < OTHERS; i++)
		others[i] = connect_from(&world, "127.0.0.2");
	for (size_t i = 0; i < FLOOD; i++)
		crowd[i] = connect_from(&world, "127.0.0.1");
	raw = raw_open(&world); /* it comes last, and is served when all of them were seen */
	raw_send(raw, GET("/x"));
	raw_read_until(raw, "/x");
	http_server_counters(world.server, &counters);
	assert_int_equal(counters.refused, 0);
	assert_true(counters.connections <= 40 / 2 + OTHERS + SOURCES_LEAST);
	for (size_t i = 0; i < OTHERS; i++) {
		assert_false(is_closed(others[i]));
		close(others[i]);
	}
	assert_true(is_closed(crowd[0])); /* its oldest goes first */
	for (size_t i = 0; i < FLOOD; i++)
		close(crowd[i]);
	raw_close(raw);
	world_end(&world);
}

static void test_graceful_stop(void **state)
{
	struct world world;
	struct raw *idle, *busy, *late;
	struct http_request *request;
	atomic_bool done = false;

	(void)state;
	open_room(&world);
	world.count = 2;
	world_start(&world);
	idle = raw_open(&world);
	busy = raw_open(&world);
	raw_send(idle, GET("/x"));
	raw_read_until(idle, "\r\n\r\n/x");
	raw_send(busy, GET("/hold"));
	wait_until(is_held, NULL);
	http_server_stop(world.server, 60 * SECOND_US, set_flag, &done);
	raw_read_all(idle); /* is closed */
	late = raw_connect(&world);
	assert_null(late); /* nobody listens */
	assert_false(done);
	request = atomic_load(&room.held);
	loop_post(http_loop(request), answer_held, request);
	assert_non_null(strstr(raw_read_all(busy), "Connection: close\r\n\r\nwoken"));
	wait_until(flag_is_set, &done);
	raw_close(idle);
	raw_close(busy);
	world_end(&world);
}

static void test_stop_ends_what_exceeds_the_grace(void **state)
{
	struct world world;
	struct raw *busy;
	atomic_bool done = false;

	(void)state;
	open_room(&world);
	world_start(&world);
	busy = raw_open(&world);
	raw_send(busy, GET("/hold"));
	wait_until(is_held, NULL);
	http_server_stop(world.server, 20 * MILLISECOND_US, set_flag, &done);
	wait_until(flag_is_set, &done);
	assert_int_equal(room.gone, 1);
	raw_close(busy);
	world_end(&world);
}

static void test_listening_on_a_taken_port(void **state)
{
	struct world world;
	struct err err = { 0 };
	char address[32];

	(void)state;
	open_room(&world);
	world_start(&world);
	snprintf(address, sizeof(address), "127.0.0.1:%u", world.port);
	assert_int_equal(http_server_listen(world.server, address, NULL, &err), ERR_BUSY);
	assert_non_null(strstr(err.text, address));
	assert_int_equal(http_server_listen(world.server, "127.0.0.1", NULL, &err), ERR_FORMAT);
	assert_int_equal(http_server_listen(world.server, "localhost:1", NULL, &err), ERR_FORMAT);
	assert_int_equal(http_server_listen(world.server, "::1:80", NULL, &err), ERR_FORMAT);
	assert_int_equal(http_server_listen(world.server, "[::1]:99999", NULL, &err), ERR_FORMAT);
	world_end(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_close_and_old_versions),
		cmocka_unit_test(test_streamed_replies),
		cmocka_unit_test(test_a_reply_shorter_than_its_length_is_the_last),
		cmocka_unit_test(test_pipelined_requests_are_answered_in_order),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_unwanted_bodies),
		cmocka_unit_test(test_expect_continue),
		cmocka_unit_test(test_slow_headers),
		cmocka_unit_test(test_silent_body),
		cmocka_unit_test(test_idle_connection),
		cmocka_unit_test(test_no_handshake),
		cmocka_unit_test(test_reply_nobody_reads),
		cmocka_unit_test(test_held_request_is_woken_from_another_thread),
		cmocka_unit_test(test_held_request_is_told_when_its_client_goes),
		cmocka_unit_test(test_half_closed_client_gets_its_answer),
		cmocka_unit_test(test_half_closed_client_does_not_wait_for_ever),
		cmocka_unit_test(test_silent_strangers_make_room),
		cmocka_unit_test(test_one_address_has_its_share),
		cmocka_unit_test(test_few_places_are_places_too),
		cmocka_unit_test(test_pause_and_resume),
		cmocka_unit_test(test_connection_cap),
		cmocka_unit_test(test_graceful_stop),
		cmocka_unit_test(test_stop_ends_what_exceeds_the_grace),
		cmocka_unit_test(test_listening_on_a_taken_port),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
