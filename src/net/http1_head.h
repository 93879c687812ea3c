/* The head of a message: start line and header fields. Inner half of http1.c. */
#ifndef MUSTER_NET_HTTP1_HEAD_H
#define MUSTER_NET_HTTP1_HEAD_H

#include "net/http1.h"

/* Parses message->head (whole, ending in CRLF CRLF, without NUL, bare CR or
 * bare LF) in place. False after http1_fail(). */
bool http1_parse_head(struct http1 *message);

/* Remembers what is wrong; returns false. */
bool http1_fail(struct http1 *message, int status, const char *cause);

/* -1 if not a hexadecimal digit. */
int http1_hex_digit(uint8_t byte);

#endif
