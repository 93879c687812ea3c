/* The handlers, one for each operation of routes.h; one file a resource. Contract: manager/api/call.h. */
#ifndef MUSTER_MANAGER_API_HANDLERS_H
#define MUSTER_MANAGER_API_HANDLERS_H

#include "manager/api/call.h"
#include "manager/api/routes.h"

#define API_HANDLER_(name) int name(struct api_call *call, struct err *err);
API_OPERATIONS(API_HANDLER_)
#undef API_HANDLER_

#endif
