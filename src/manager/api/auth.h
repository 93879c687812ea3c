/* Who calls: bearer tokens, sign-in with lock-out. Worker threads; blocks. */
#ifndef MUSTER_MANAGER_API_AUTH_H
#define MUSTER_MANAGER_API_AUTH_H

#include "manager/api/call_state.h"

/* Names the caller for the route, or answers 401 or 403 and returns false. Wipes the bearer token. */
bool auth_check(struct api_call *call, struct err *err);

#endif
