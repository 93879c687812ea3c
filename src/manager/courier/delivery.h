/* One thing to deliver, as front asks the courier for it, and its packed form.
 *
 * The courier treats what it unpacks as hostile (front may have been taken
 * over) and what peers answer as more so.
 */
#ifndef MUSTER_MANAGER_COURIER_DELIVERY_H
#define MUSTER_MANAGER_COURIER_DELIVERY_H

#include "base/buf.h"
#include "base/err.h"
#include "base/pack.h"

enum delivery_kind {
	DELIVERY_DATAGRAM, /* udp://host:port, each part a datagram */
	DELIVERY_STREAM,   /* tcp:// or tls://host:port; the connection is kept */
	DELIVERY_MAIL,     /* smtps://, smtp:// (STARTTLS or nothing is sent), smtp-plain:// */
	DELIVERY_POST,     /* https://, http:// */
	DELIVERY_KINDS,
};

#define DELIVERY_LINES_MAX      16 /* destinations, each with a connection of its own */
#define DELIVERY_PARTS_MAX      256
#define DELIVERY_RECIPIENTS_MAX 16
#define DELIVERY_URL_BYTES      512
#define DELIVERY_NAME_BYTES     256 /* user, password, addresses, header */
#define DELIVERY_CA_MAX_BYTES   (8 * 1024)
#define DELIVERY_CONTENT_BYTES  (40 * 1024) /* of all parts */

struct delivery {
	uint8_t line;        /* below DELIVERY_LINES_MAX: which connection */
	uint32_t generation; /* another one than last time: connect anew */
	enum delivery_kind kind;
	char url[DELIVERY_URL_BYTES];
	char user[DELIVERY_NAME_BYTES], password[DELIVERY_NAME_BYTES];
	char from[DELIVERY_NAME_BYTES];
	char to[DELIVERY_RECIPIENTS_MAX][DELIVERY_NAME_BYTES];
	size_t to_count;
	char header[DELIVERY_NAME_BYTES]; /* a header line more for DELIVERY_POST, "" for none */
	struct bytes ca;                  /* PEM trusted instead of the system's; empty: the system's */
	size_t part_count;                /* 1 for all but datagrams */
	struct bytes parts[DELIVERY_PARTS_MAX];
};

/* Appends; out's status tells. */
void delivery_pack(struct buf *out, const struct delivery *delivery);
/* ca and parts point into data. ERR_FORMAT, ERR_LIMIT. */
int delivery_unpack(const void *data, size_t size, struct delivery *ret_delivery);

#endif
