/* What is posted to one of the agent's listeners: the body, gathered until it is whole.
 *
 * Life: a listener's on_request() accepts what it knows with posted_begin(); posted_body(), posted_complete() and
 * posted_gone() are the other handlers of its HTTP server (net/server.h). The bytes are not looked at here.
 */
#ifndef MUSTER_AGENT_POSTED_H
#define MUSTER_AGENT_POSTED_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "net/server.h"

/* The request is whole, and to be answered. body->status is ERR_MEMORY where there was no room for all of it. */
typedef void posted_whole(void *owner, struct http_request *request, const struct buf *body);

/* Takes a request's body of at most max_bytes. Returns that, as on_request() does; without memory the request is
 * answered with 503, and 0 is returned. */
uint64_t posted_begin(struct http_request *request, uint64_t max_bytes, posted_whole *whole, void *owner);

/* Handlers of an HTTP server; a request that posted_begin() did not take is passed over. */
void posted_body(struct http_request *request, const uint8_t *bytes, size_t size);
void posted_complete(struct http_request *request);
void posted_gone(struct http_request *request);

#endif
