/* Enrolment decided: who may, under which name and policy, as which computer; one computer an attempt.
 *
 * enrolment_prepare() reads, enrolment_commit() writes in one transaction
 * (enrolment_write.c), with the certificate made in between. What both look at
 * may change meanwhile: the write looks again (uses left, name taken, the same
 * attempt twice). Runs on worker threads and blocks. The request is decoded but
 * otherwise untrusted; what decides is in enrolment_rules.h.
 */
#ifndef MUSTER_MANAGER_FRONT_ENROLMENT_H
#define MUSTER_MANAGER_FRONT_ENROLMENT_H

#include "manager/front/enrolment_rules.h"
#include "manager/front/front_state.h"
#include "manager/messages.h"
#include "trust/identity.h"
#include "wire/exchange.h"

struct enrolment {
	struct front *front;
	const Muster__Wire__EnrolRequest *request;
	const char *address; /* where it came from */
	struct address from; /* the same; family 0: not known */
	/* Who had the agent dialled; NULL: the agent came by itself. What the request asks for is then the
	 * administrator's word, and it needs no token. */
	const struct front_actor *dialled_by;
	const char *dialled_at; /* host name or address */
	bool has_certificate;
	uint8_t shown[SHA256_BYTES]; /* fingerprint of the certificate that it showed */
	/* Filled in by prepare: */
	struct enrolment_rules rules;
	struct enrolment_facts facts;
	enum enrolment_way way;
	struct uuid origin; /* whose certificate it showed; zeroes: none, or nobody's that we know */
	struct uuid computer;
	bool again; /* this attempt made the computer before */
	bool keeps; /* and its certificate stands: it is below */
	uint8_t token_hash[SHA256_BYTES];
	uint8_t attempt_hash[SHA256_BYTES]; /* all that is stored of it: who knows an attempt is its computer */
	uint8_t replaced[SHA256_BYTES];     /* fingerprint of the certificate before, when again or taken */
	char name[WIRE_LABEL_MAX_BYTES + 16];
	char policy[WIRE_LABEL_MAX_BYTES + 1];
	char group[WIRE_LABEL_MAX_BYTES + 1];
	bool appliance; /* as the token says; agents cannot choose */
	/* Filled in between: */
	char certificate[MESSAGE_CERTIFICATE_MAX_BYTES];
	struct certificate_facts facts_made;
	const struct front_authorities *authorities; /* that the agent is given with it */
};

/* ERR_DENIED or ERR_EXPIRED: the token; ERR_UNTRUSTED: by the rules (all three count for the cool-down); ERR_RANGE:
 * name, policy or group; ERR_WRONG_STATE: the attempt's computer was deleted, the name is taken. */
int enrolment_prepare(struct enrolment *enrolment, struct err *err);
/* ERR_EXISTS: what prepare saw has changed (prepare again). name may get a number. */
int enrolment_commit(struct enrolment *enrolment, struct err *err);

/* It was done: if an identity was copied by it, that counts (enrolment_copies). */
void enrolment_count_copy(const struct enrolment *enrolment);

/* All of it, with the certificate in between, and then the computer is one of ours; appends the packed EnrolReply.
 * manager: our address, for an agent that did not dial it; NULL otherwise. Errors as above, and those of keys. */
int enrolment_run(struct enrolment *enrolment, const char *manager, struct buf *reply, struct err *err);

#endif
