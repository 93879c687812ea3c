/* What an enrolment says and what its answer brings, for `activate` and for the running agent. */
#ifndef MUSTER_AGENT_ENROL_MESSAGE_H
#define MUSTER_AGENT_ENROL_MESSAGE_H

#include "agent/host.h"
#include "agent/identity_files.h"

struct enrol_wish {
	const char *token;          /* "": by the certificate in the handshake */
	uint64_t session;           /* then: the run that was told to enrol anew */
	const char *name;           /* NULL: the host's */
	const char *policy, *group; /* NULL: as the manager has it */
	struct host *host;
	uint16_t listen_port; /* where it listens already; 0: nowhere */
};

/* Appends the packed EnrolRequest. */
int enrol_message_encode(const struct enrol_wish *wish, const struct enrol_attempt *attempt, struct buf *out,
			 struct err *err);
/* Which of the roots in an answer count: those that this agent trusts already, or the one with a fingerprint; and what
 * follows from them. */
struct enrol_trust {
	const char *roots;  /* PEM; NULL: the pin says */
	const uint8_t *pin; /* SHA256_BYTES */
};

/* The manager's answer, trusted only as far as one of its authorities is: fills in all of the identity but its key,
 * and its manager's address unless the answer has it. ERR_UNTRUSTED, ERR_FORMAT. */
int enrol_message_take(const void *bytes, size_t size, const struct enrol_trust *trust, struct agent_identity *identity,
		       struct err *err);

#endif
