/* A line to one destination: what is kept between deliveries, and delivering.
 *
 * Blocking, bounded by LINE_PATIENCE_S; a thread a line. Name resolution, TLS,
 * SMTP and HTTP are libcurl's. What peers answer is read to a limit and thrown
 * away but for status and error texts.
 */
#ifndef MUSTER_MANAGER_COURIER_LINE_H
#define MUSTER_MANAGER_COURIER_LINE_H

#include <curl/curl.h>

#include "manager/courier/delivery.h"

#define LINE_CONNECT_S  10
#define LINE_PATIENCE_S 30

struct line {
	CURL *handle; /* NULL: nothing kept */
	uint32_t generation;
	bool connected; /* DELIVERY_STREAM */
};

/* 0: the peer has it (as far as its protocol tells: mail and posts were accepted, a stream's bytes were
 * acknowledged by the peer's TCP, datagrams were sent). ERR_RESOLVE, ERR_CONNECT, ERR_TLS, ERR_UNTRUSTED,
 * ERR_TIMEOUT, ERR_REFUSED (the peer said no), ERR_IO. */
int line_deliver(struct line *line, const struct delivery *delivery, struct err *err);
/* Hangs up. Accepts a zeroed one. */
void line_close(struct line *line);

#endif
