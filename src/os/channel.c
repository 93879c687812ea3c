/* Messages over SOCK_SEQPACKET. The peer may be a role that was taken over:
 * lengths, types and descriptors are checked here before anybody looks. */
#include "os/channel.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "os/env.h"

#define HEADER_BYTES     8
#define FDS_LOOKED_AT    4 /* one is allowed; more are closed, then refused */
#define SEND_BUFFER_SIZE (512 * 1024)

int channel_pair(int ret_fds[2], struct err *err)
{
	int size = SEND_BUFFER_SIZE;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ret_fds) != 0)
		return err_errno(err, errno, "socket pair");
	/* More packets in flight where the system's maximum allows; less is no error. */
	for (int i = 0; i < 2; i++)
		(void)setsockopt(ret_fds[i], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	return 0;
}

int channel_init(struct channel *channel, int fd, const struct channel_permit *permits, size_t count, struct err *err)
{
	uint8_t *room = malloc(CHANNEL_PAYLOAD_MAX_BYTES);

	if (room == NULL)
		return err_set(err, ERR_MEMORY, "channel: no memory");
	*channel = (struct channel){ .fd = fd, .permits = permits, .permit_count = count, .room = room };
	return 0;
}

void channel_done(struct channel *channel)
{
	if (channel->room != NULL && channel->fd >= 0)
		close(channel->fd);
	free(channel->room);
	*channel = (struct channel){ .fd = -1 };
}

static void put_header(uint8_t header[HEADER_BYTES], uint16_t type, uint32_t request)
{
	header[0] = (uint8_t)type;
	header[1] = (uint8_t)(type >> 8);
	header[2] = header[3] = 0;
	for (int i = 0; i < 4; i++)
		header[4 + i] = (uint8_t)(request >> (8 * i));
}

static int send_error(int errno_value, struct err *err)
{
	switch (errno_value) {
	case EAGAIN:
	case ENOBUFS:
	case ETOOMANYREFS:
		return err_set(err, ERR_BUSY, "channel: the peer's queue is full");
	case EPIPE:
	case ECONNRESET:
	case ENOTCONN:
		return err_set(err, ERR_CLOSED, "channel: the peer is gone");
	default:
		return err_errno(err, errno_value, "channel: send");
	}
}

int channel_send(struct channel *channel, uint16_t type, uint32_t request, const void *payload, size_t size, int fd,
		 struct err *err)
{
	uint8_t header[HEADER_BYTES];
	struct iovec parts[2] = { { header, sizeof(header) }, { (void *)(uintptr_t)payload, size } };
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	struct msghdr message = { .msg_iov = parts, .msg_iovlen = size > 0 ? 2 : 1 };
	ssize_t sent;

	if (channel->fd < 0)
		return err_set(err, ERR_CLOSED, "channel: closed");
	if (size > CHANNEL_PAYLOAD_MAX_BYTES)
		return err_set(err, ERR_LIMIT, "channel: a message of %zu bytes is too large", size);
	put_header(header, type, request);
	if (fd >= 0) {
		struct cmsghdr *part;

		message.msg_control = control.bytes;
		message.msg_controllen = sizeof(control.bytes);
		part = CMSG_FIRSTHDR(&message);
		part->cmsg_level = SOL_SOCKET;
		part->cmsg_type = SCM_RIGHTS;
		part->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(part), &fd, sizeof(fd));
	}
	do
		sent = sendmsg(channel->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
	while (sent < 0 && errno == EINTR);
	return sent < 0 ? send_error(errno, err) : 0;
}

/* Waits for events until the deadline; 0, ERR_TIMEOUT or ERR_IO. */
static int wait_for(int fd, short events, time_us deadline, struct err *err)
{
	for (;;) {
		struct pollfd watch = { .fd = fd, .events = events };
		time_us left = deadline - env_monotonic(env_system());
		int wait_ms = deadline == INT64_MAX ? -1 : left > 0 ? (int)((left + 999) / MILLISECOND_US) : 0;
		int ready = poll(&watch, 1, wait_ms);

		if (ready > 0)
			return 0;
		if (ready == 0)
			return err_set(err, ERR_TIMEOUT, "channel: timed out");
		if (errno != EINTR)
			return err_errno(err, errno, "channel: poll");
	}
}

static time_us deadline_of(int timeout_ms)
{
	return timeout_ms < 0 ? INT64_MAX : env_monotonic(env_system()) + timeout_ms * MILLISECOND_US;
}

int channel_send_wait(struct channel *channel, uint16_t type, uint32_t request, const void *payload, size_t size,
		      int fd, int timeout_ms, struct err *err)
{
	time_us deadline = deadline_of(timeout_ms);

	for (;;) {
		int code = channel_send(channel, type, request, payload, size, fd, err);

		if (code != ERR_BUSY)
			return code;
		code = wait_for(channel->fd, POLLOUT, deadline, err);
		if (code != 0)
			return code;
	}
}

/* Takes every descriptor that came; returns how many. */
static size_t take_descriptors(struct msghdr *message, int fds[FDS_LOOKED_AT])
{
	size_t count = 0;

	for (struct cmsghdr *part = CMSG_FIRSTHDR(message); part != NULL; part = CMSG_NXTHDR(message, part)) {
		size_t here;

		if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS)
			continue;
		here = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < here && count < FDS_LOOKED_AT; i++)
			memcpy(&fds[count++], CMSG_DATA(part) + i * sizeof(int), sizeof(int));
	}
	return count;
}

static const struct channel_permit *permit_of(const struct channel *channel, uint16_t type)
{
	for (size_t i = 0; i < channel->permit_count; i++) {
		if (channel->permits[i].type == type)
			return &channel->permits[i];
	}
	return NULL;
}

/* Why this packet may not be, or 0. */
static int check(const struct channel *channel, const struct channel_message *message, int flags, size_t fd_count,
		 struct err *err)
{
	const struct channel_permit *permit = permit_of(channel, message->type);

	if ((flags & (MSG_TRUNC | MSG_CTRUNC)) != 0)
		return err_set(err, ERR_DENIED, "channel: a packet too large");
	if (permit == NULL)
		return err_set(err, ERR_DENIED, "channel: the peer may not send type %u", message->type);
	if (message->size > permit->max_bytes)
		return err_set(err, ERR_DENIED, "channel: %s of %zu bytes is too large", permit->name, message->size);
	if (fd_count != (permit->descriptor ? 1 : 0))
		return err_set(err, ERR_DENIED, "channel: %s with %zu descriptors", permit->name, fd_count);
	return 0;
}

int channel_receive(struct channel *channel, struct channel_message *ret_message, struct err *err)
{
	uint8_t header[HEADER_BYTES] = { 0 };
	struct iovec parts[2] = { { header, sizeof(header) }, { channel->room, CHANNEL_PAYLOAD_MAX_BYTES } };
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(FDS_LOOKED_AT * sizeof(int))];
	} control;
	struct msghdr packet = {
		.msg_iov = parts, .msg_iovlen = 2, .msg_control = control.bytes, .msg_controllen = sizeof(control.bytes)
	};
	struct channel_message message = { .fd = -1 };
	int fds[FDS_LOOKED_AT];
	size_t fd_count;
	ssize_t got;
	int code;

	if (channel->fd < 0)
		return err_set(err, ERR_CLOSED, "channel: closed");
	do
		got = recvmsg(channel->fd, &packet, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	while (got < 0 && errno == EINTR);
	if (got < 0 && errno == EAGAIN)
		return err_set(err, ERR_BUSY, "channel: nothing to read");
	if (got < 0 && errno != ECONNRESET)
		return err_errno(err, errno, "channel: receive");
	if (got <= 0)
		return err_set(err, ERR_CLOSED, "channel: the peer is gone");
	fd_count = take_descriptors(&packet, fds);
	message.type = (uint16_t)(header[0] | header[1] << 8);
	message.request =
	    (uint32_t)header[4] | (uint32_t)header[5] << 8 | (uint32_t)header[6] << 16 | (uint32_t)header[7] << 24;
	message.payload = channel->room;
	message.size = got >= HEADER_BYTES ? (size_t)got - HEADER_BYTES : 0;
	code = got < HEADER_BYTES ? err_set(err, ERR_DENIED, "channel: a packet too short")
				  : check(channel, &message, packet.msg_flags, fd_count, err);
	if (code != 0) {
		for (size_t i = 0; i < fd_count; i++)
			close(fds[i]);
		return code;
	}
	if (fd_count == 1)
		message.fd = fds[0];
	*ret_message = message;
	return 0;
}

int channel_receive_wait(struct channel *channel, int timeout_ms, struct channel_message *ret_message, struct err *err)
{
	time_us deadline = deadline_of(timeout_ms);

	for (;;) {
		int code = channel_receive(channel, ret_message, err);

		if (code != ERR_BUSY)
			return code;
		code = wait_for(channel->fd, POLLIN, deadline, err);
		if (code != 0)
			return code;
	}
}
