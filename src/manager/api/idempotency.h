/* Idempotency-Key: a request repeated with the same key is answered as the
 * first time and done once (draft-ietf-httpapi-idempotency-key-header).
 *
 * The key is reserved, durably, before the handler runs, and the answer kept
 * beside it afterwards, for a day. A key whose first request never got its
 * answer written (the manager was killed) stays refused: at most once.
 */
#ifndef MUSTER_MANAGER_API_IDEMPOTENCY_H
#define MUSTER_MANAGER_API_IDEMPOTENCY_H

#include "manager/api/call_state.h"

/* False when the call is answered already: the kept answer, 409 while the
 * first is under way, 422 when the key was used for another request. */
bool idempotency_begin(struct api_call *call);
/* Keeps the answer; a failure of the server (5xx) gives the key free again. */
void idempotency_end(struct api_call *call);

#endif
