/* Policies and settings as JSON, and settings out of JSON. */
#ifndef MUSTER_MANAGER_API_POLICY_JSON_H
#define MUSTER_MANAGER_API_POLICY_JSON_H

#include "manager/api/call.h"
#include "manager/front/front_policy.h"

/* A policy as lists show it. */
json_t *policy_json(struct front *front, const struct policy_node *policy);
/* Answers with a policy and its settings, or with a computer's settings, and the ETag. */
int policy_reply(struct api_call *call, int status, const struct uuid *id, struct err *err);
int computer_settings_reply(struct api_call *call, const struct uuid *id, struct err *err);

#endif
