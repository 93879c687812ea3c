/* Enrolment decided: the token, the name, the policy; one computer an attempt.
 *
 * enrolment_prepare() reads, enrolment_commit() writes in one transaction, with
 * the certificate made in between. What both look at may change meanwhile: the
 * write looks again (uses left, name taken, the same attempt twice). Runs on
 * worker threads and blocks. The request is decoded but otherwise untrusted.
 */
#ifndef MUSTER_MANAGER_FRONT_ENROLMENT_H
#define MUSTER_MANAGER_FRONT_ENROLMENT_H

#include "manager/front/front_state.h"
#include "manager/messages.h"
#include "trust/identity.h"
#include "wire/exchange.h"

struct enrolment {
	struct front *front;
	const Muster__Wire__EnrolRequest *request;
	const char *address; /* where it came from */
	/* Filled in by prepare: */
	struct uuid computer;
	bool again; /* this attempt made the computer before */
	uint8_t token_hash[SHA256_BYTES];
	uint8_t replaced[SHA256_BYTES]; /* fingerprint of the certificate before, when again */
	char name[WIRE_LABEL_MAX_BYTES + 16];
	char policy[WIRE_LABEL_MAX_BYTES + 1];
	char group[WIRE_LABEL_MAX_BYTES + 1];
	bool appliance; /* as the token says; agents cannot choose */
	/* Filled in between: */
	char certificate[MESSAGE_CERTIFICATE_MAX_BYTES];
	struct certificate_facts facts;
};

/* ERR_DENIED or ERR_EXPIRED: the token (counts for the cool-down); ERR_RANGE: name, policy or group; ERR_WRONG_STATE:
 * the attempt's computer was deleted. */
int enrolment_prepare(struct enrolment *enrolment, struct err *err);
/* ERR_EXISTS: name taken and refused, or the same attempt was just stored (prepare again). name may get a number. */
int enrolment_commit(struct enrolment *enrolment, struct err *err);

#endif
