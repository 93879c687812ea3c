/* Requests as they come in: from bytes to the handlers.
 *
 * A connection has one request at a time. connection_read_event() is the only place that reads what a peer sent, one
 * event of the parser at a time. Loop thread only.
 */
#ifndef MUSTER_NET_CONNECTION_READ_H
#define MUSTER_NET_CONNECTION_READ_H

#include "net/connection.h"

/* connection->request; without memory the connection is broken, and false returned. */
bool connection_request_new(struct connection *connection);
void connection_request_free(struct http_request *request); /* or NULL */
/* on_gone for a request that the handlers know of and that has no answer. */
void connection_tell_gone(struct connection *connection);
/* One event of the parser. False when there is nothing more to read now. */
bool connection_read_event(struct connection *connection);

#endif
