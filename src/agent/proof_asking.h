/* A manager that the agent dials is asked to prove its server authentication
 * key before anything is said to it: for agents that accept one manager alone
 * (prepared ones, and moves with --trust).
 *
 * POST /agent/v1/proof over the client's connection; the proof counts for that
 * connection, and the client opens no other from then on: what follows (the
 * enrolment with its token) goes to whoever proved, or nowhere. Loop thread
 * only.
 */
#ifndef MUSTER_AGENT_PROOF_ASKING_H
#define MUSTER_AGENT_PROOF_ASKING_H

#include "agent/manager_proof.h"
#include "net/client.h"

/* The caller's, unchanged until done() or the client's end. */
struct proof_asking {
	struct http_client *client;
	uint8_t accepted[ENVELOPE_KEY_BYTES]; /* the key that the manager has to have, or that its key has followed */
	/* Called once: 0 with `proof`, or ERR_UNTRUSTED, ERR_VERSION (no TLS 1.3), and whatever a connection fails
	 * with. */
	void (*done)(void *argument, int rc, const struct err *err);
	void *argument;
	struct manager_proof proof;
};

/* Errors of sending; done() is not called then. */
int proof_asking_begin(struct proof_asking *asking, struct err *err);

#endif
