/* A file as the answer to an agent's request: read on worker threads, a piece
 * whenever the connection has room, so that a slow client costs one buffer and
 * no thread. The two functions are a route's complete() and gone().
 */
#ifndef MUSTER_MANAGER_FRONT_FILE_SEND_H
#define MUSTER_MANAGER_FRONT_FILE_SEND_H

#include "manager/front/agent_http.h"
#include "manager/front/downloads.h"

/* Opens what is asked for; on a worker. The descriptor is taken over. The error is answered as problem+json. */
typedef int file_open(struct agent_request *request, int *ret_fd, uint64_t *ret_size, struct err *err);

/* refusal: title of the problem when it cannot be opened. place: given back at the end, whatever came of it; may be
 * NULL; one that is taken by another ends the answer short. Takes the request over; uses its `state`. */
void file_send(struct agent_request *request, file_open *open, const char *refusal, struct download *place);
void file_send_gone(struct agent_request *request);

#endif
