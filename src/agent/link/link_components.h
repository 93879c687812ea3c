/* State of the protection components: link's own, and what guard tells of guard and scan. Loop thread only. */
#ifndef MUSTER_AGENT_LINK_LINK_COMPONENTS_H
#define MUSTER_AGENT_LINK_LINK_COMPONENTS_H

#include <jansson.h>

#include "agent/messages.h"
#include "endpoint/endpoint.h"

struct link_components;

struct link_components *link_components_new(struct endpoint *endpoint, struct err *err);
void link_components_free(struct link_components *components);
/* Keeps it for status displays and gives it to the endpoint. */
int link_components_set(struct link_components *components, const struct message_component *component, struct err *err);
/* A list of objects: name state version detail facts{}. The caller's. */
json_t *link_components_status(const struct link_components *components);

#endif
