/* A channel between two roles: SOCK_SEQPACKET, one message a packet, with a
 * table of what may come (after OpenSMTPD's peer graph).
 *
 * A message is a type, a request id chosen by whoever asks (answers carry the
 * same), a payload of at most CHANNEL_PAYLOAD_MAX_BYTES in base/pack.h
 * encoding, and at most one descriptor. Receiving a type that the permits do
 * not list, or a packet that does not decode, is ERR_DENIED: the caller ends
 * that peer.
 */
#ifndef MUSTER_OS_CHANNEL_H
#define MUSTER_OS_CHANNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define CHANNEL_PAYLOAD_MAX_BYTES (60 * 1024)

struct channel_permit {
	uint16_t type;
	const char *name;   /* for logs */
	uint32_t max_bytes; /* of payload */
	bool descriptor;    /* one may, and must, come along */
};

struct channel {
	int fd;                               /* non-blocking; -1 when closed */
	const struct channel_permit *permits; /* what may be received */
	size_t permit_count;
	uint8_t *room; /* CHANNEL_PAYLOAD_MAX_BYTES, made by channel_init */
};

struct channel_message {
	uint16_t type;
	uint32_t request;
	const uint8_t *payload; /* inside the channel; valid until the next receive */
	size_t size;
	int fd; /* -1, or now the receiver's to close */
};

/* Two connected close-on-exec descriptors. */
int channel_pair(int ret_fds[2], struct err *err);
int channel_init(struct channel *channel, int fd, const struct channel_permit *permits, size_t count, struct err *err);
void channel_done(struct channel *channel); /* closes; accepts a zeroed or closed one */
/* ERR_BUSY when the peer's queue is full (wait for writable), ERR_CLOSED when it is gone. fd -1: none; not closed here.
 */
int channel_send(struct channel *channel, uint16_t type, uint32_t request, const void *payload, size_t size, int fd,
		 struct err *err);
/* channel_send() that waits up to timeout_ms for room. */
int channel_send_wait(struct channel *channel, uint16_t type, uint32_t request, const void *payload, size_t size,
		      int fd, int timeout_ms, struct err *err);
/* 0: a message; ERR_BUSY: none now; ERR_CLOSED: peer gone; ERR_DENIED: it broke the rules. */
int channel_receive(struct channel *channel, struct channel_message *ret_message, struct err *err);
/* Waits for a message. timeout_ms -1: for ever; ERR_TIMEOUT. */
int channel_receive_wait(struct channel *channel, int timeout_ms, struct channel_message *ret_message, struct err *err);

#endif
