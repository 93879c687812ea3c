/* The manager's REST API: everything on the port outside /agent/.
 *
 * front owns the HTTP server; for each request whose path does not begin with
 * "/agent/" it calls the api_on_… functions below from the loop's thread, and
 * leaves http_data() of that request to us. A request is routed, its caller
 * authenticated and its input checked on a pool of worker threads, where
 * handlers may block in store reads and store_write_wait(); the answer is
 * posted back to the request's loop. A client that leaves meanwhile is safe.
 *
 * What this needs of the manager it asks of manager/front/front.h: workers, commands,
 * audit entries, events, live state, news for /events/stream.
 */
#ifndef MUSTER_MANAGER_API_API_H
#define MUSTER_MANAGER_API_API_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "manager/front/front.h"
#include "net/server.h"

struct api;

/* front outlives the API. ERR_MEMORY. */
struct api *api_new(struct front *front, struct err *err);
/* When no request is left and front's workers have stopped. Accepts NULL. */
void api_free(struct api *api);

/* The http_handlers' work for one request, loop thread only. */
uint64_t api_on_request(struct api *api, struct http_request *request);
void api_on_body(struct http_request *request, const uint8_t *bytes, size_t size);
void api_on_complete(struct http_request *request);
void api_on_gone(struct http_request *request);

#endif
