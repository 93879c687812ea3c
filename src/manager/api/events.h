/* Events as JSON, for the list, one event, and the stream. */
#ifndef MUSTER_MANAGER_API_EVENTS_H
#define MUSTER_MANAGER_API_EVENTS_H

#include "manager/api/call.h"

/* Of a row with event.* and computer_name. */
json_t *event_json(struct api_call *call, struct cursor *cursor);

#endif
