/* Making an enrolment token: alone, or as part of a deployment. */
#ifndef MUSTER_MANAGER_API_ENROLMENT_TOKENS_H
#define MUSTER_MANAGER_API_ENROLMENT_TOKENS_H

#include "manager/api/call.h"
#include "manager/front/front_policy.h"
#include "trust/token.h"

struct new_enrolment_token {
	int64_t uses_default; /* when the body has no `uses`; 0: any number */
	/* Filled in: */
	struct uuid id;
	char secret[TOKEN_TEXT_BYTES]; /* to be cleansed by the caller */
	time_us now, expires;
	char id_text[UUID_TEXT_BYTES];
	char policy[POLICY_NAME_MAX_BYTES + 1]; /* as it is written; "": the agent may choose */
};

/* From the body's policy, group, appliance, uses, expires, name, with an audit entry of that action. Blocks.
 * ret_answered: it was refused and that has been said. */
int enrolment_token_make(struct api_call *call, const char *action, struct new_enrolment_token *making,
			 bool *ret_answered, struct err *err);
/* The token as the API shows it this once: its row, its secret, the CA's fingerprint. Blocks. */
int enrolment_token_made(struct api_call *call, const struct new_enrolment_token *making, json_t **ret_json,
			 struct err *err);

#endif
