/* Idempotency-Key: a request repeated with the same key is answered as the
 * first time and done once (draft-ietf-httpapi-idempotency-key-header).
 *
 * The key is reserved, durably, before the handler runs, and the answer kept
 * beside it afterwards, for a day. When the answer was not written (the manager
 * was killed, or could not answer) the handler runs again and is told so
 * (front_once): what it makes has the same ids, so that nothing is made twice.
 */
#ifndef MUSTER_MANAGER_API_IDEMPOTENCY_H
#define MUSTER_MANAGER_API_IDEMPOTENCY_H

#include "manager/api/call_state.h"

/* False when the call is answered already: the kept answer, 409 while the
 * first is under way, 422 when the key was used for another request. */
bool idempotency_begin(struct api_call *call);
/* Keeps the answer, unless it is a failure of the server (5xx). */
void idempotency_end(struct api_call *call);

#endif
