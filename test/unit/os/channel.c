/* Channels between roles: what comes through, what ends a peer. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/units.h"
#include "os/channel.h"

enum { SMALL = 1, LARGE, WITH_FILE, FORBIDDEN };

static const struct channel_permit permits[] = {
	{ SMALL, "small", 4, false },
	{ LARGE, "large", CHANNEL_PAYLOAD_MAX_BYTES, false },
	{ WITH_FILE, "file", 0, true },
};

struct pair {
	struct channel a, b;
};

static int set_up(void **state)
{
	static struct pair pair;
	int fds[2];

	assert_int_equal(channel_pair(fds, NULL), 0);
	assert_int_equal(channel_init(&pair.a, fds[0], permits, COUNT_OF(permits), NULL), 0);
	assert_int_equal(channel_init(&pair.b, fds[1], permits, COUNT_OF(permits), NULL), 0);
	*state = &pair;
	return 0;
}

static int tear_down(void **state)
{
	struct pair *pair = *state;

	channel_done(&pair->a);
	channel_done(&pair->b);
	return 0;
}

static void messages_arrive_whole_and_in_order(void **state)
{
	struct pair *pair = *state;
	struct channel_message message;
	uint8_t *large = calloc(1, CHANNEL_PAYLOAD_MAX_BYTES);

	assert_non_null(large);
	memset(large, 7, CHANNEL_PAYLOAD_MAX_BYTES);
	assert_int_equal(channel_send(&pair->a, SMALL, 0xfffffffe, "abc", 3, -1, NULL), 0);
	assert_int_equal(channel_send(&pair->a, LARGE, 2, large, CHANNEL_PAYLOAD_MAX_BYTES, -1, NULL), 0);
	assert_int_equal(channel_send(&pair->a, SMALL, 3, NULL, 0, -1, NULL), 0);
	assert_int_equal(channel_receive(&pair->b, &message, NULL), 0);
	assert_int_equal(message.type, SMALL);
	assert_int_equal(message.request, 0xfffffffe);
	assert_int_equal(message.size, 3);
	assert_memory_equal(message.payload, "abc", 3);
	assert_int_equal(message.fd, -1);
	assert_int_equal(channel_receive(&pair->b, &message, NULL), 0);
	assert_int_equal(message.size, CHANNEL_PAYLOAD_MAX_BYTES);
	assert_memory_equal(message.payload, large, CHANNEL_PAYLOAD_MAX_BYTES);
	assert_int_equal(channel_receive(&pair->b, &message, NULL), 0);
	assert_int_equal(message.size, 0);
	assert_int_equal(channel_receive(&pair->b, &message, NULL), ERR_BUSY);
	assert_int_equal(channel_send(&pair->a, LARGE, 2, large, CHANNEL_PAYLOAD_MAX_BYTES + 1, -1, NULL), ERR_LIMIT);
	free(large);
}

static void descriptors_travel(void **state)
{
	struct pair *pair = *state;
	struct channel_message message;
	int pipe_fds[2];
	char byte = 0;

	assert_int_equal(pipe2(pipe_fds, O_CLOEXEC), 0);
	assert_int_equal(channel_send(&pair->a, WITH_FILE, 1, NULL, 0, pipe_fds[0], NULL), 0);
	assert_int_equal(channel_receive(&pair->b, &message, NULL), 0);
	assert_true(message.fd >= 0);
	assert_int_equal(fcntl(message.fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	assert_int_equal(write(pipe_fds[1], "x", 1), 1);
	assert_int_equal(read(message.fd, &byte, 1), 1);
	assert_int_equal(byte, 'x');
	close(message.fd);
	close(pipe_fds[0]);
	close(pipe_fds[1]);
}

static size_t open_descriptors(void)
{
	size_t count = 0;

	for (int fd = 0; fd < 256; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

static void broken_rules_are_denied_and_nothing_leaks(void **state)
{
	struct pair *pair = *state;
	struct channel_message message;
	size_t before = open_descriptors();
	static const uint8_t short_packet[4];

	assert_int_equal(channel_send(&pair->a, FORBIDDEN, 1, NULL, 0, -1, NULL), 0);
	assert_int_equal(channel_receive(&pair->b, &message, NULL), ERR_DENIED);
	assert_int_equal(channel_send(&pair->a, SMALL, 1, "12345", 5, -1, NULL), 0);
	assert_int_equal(channel_receive(&pair->b, &message, NULL), ERR_DENIED);
	assert_int_equal(channel_send(&pair->a, SMALL, 1, NULL, 0, pair->a.fd, NULL), 0);
	assert_int_equal(channel_receive(&pair->b, &message, NULL), ERR_DENIED);
	assert_int_equal(channel_send(&pair->a, WITH_FILE, 1, NULL, 0, -1, NULL), 0);
	assert_int_equal(channel_receive(&pair->b, &message, NULL), ERR_DENIED);
	assert_int_equal(send(pair->a.fd, short_packet, sizeof(short_packet), 0), sizeof(short_packet));
	assert_int_equal(channel_receive(&pair->b, &message, NULL), ERR_DENIED);
	assert_int_equal(open_descriptors(), before);
}

static void waiting_ends(void **state)
{
	struct pair *pair = *state;
	struct channel_message message;
	uint8_t payload[1024] = { 0 };
	int code = 0;

	assert_int_equal(channel_receive_wait(&pair->b, 1, &message, NULL), ERR_TIMEOUT);
	for (int i = 0; i < 100000 && code == 0; i++)
		code = channel_send(&pair->a, LARGE, 1, payload, sizeof(payload), -1, NULL);
	assert_int_equal(code, ERR_BUSY);
	assert_int_equal(channel_send_wait(&pair->a, LARGE, 1, payload, 1, -1, 1, NULL), ERR_TIMEOUT);
	channel_done(&pair->b);
	assert_int_equal(channel_send_wait(&pair->a, LARGE, 1, payload, 1, -1, 1000, NULL), ERR_CLOSED);
	assert_int_equal(channel_receive_wait(&pair->a, 1000, &message, NULL), ERR_CLOSED);
	assert_int_equal(channel_receive(&pair->b, &message, NULL), ERR_CLOSED);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(messages_arrive_whole_and_in_order),
		TEST(descriptors_travel),
		TEST(broken_rules_are_denied_and_nothing_leaks),
		TEST(waiting_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
