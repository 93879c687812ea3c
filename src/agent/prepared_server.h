/* The listener of an agent that waits to be activated (agent/prepared_file.h).
 *
 * HTTPS with a certificate made for this run, on the fleet's agent port. It
 * answers one manager alone, which proves the key that the agent was prepared
 * with, over the very connection (wire/proof.h):
 *
 *   POST /manager/v1/activation   ManagerProof  ->  EnrolRequest
 *   POST /manager/v1/identity     EnrolReply    ->  204, once it is on the disk
 *
 * Whatever else comes gets the same refusal, which says nothing of the agent,
 * and is counted. Everything is hostile before the proof: few connections,
 * small buffers, deadlines, a rate for each source (agent/listener.h). The
 * attempt is kept, so that a repeated activation gives the same computer. Loop
 * thread only.
 */
#ifndef MUSTER_AGENT_PREPARED_SERVER_H
#define MUSTER_AGENT_PREPARED_SERVER_H

#include "agent/host.h"
#include "base/env.h"
#include "net/loop.h"
#include "wire/envelope.h"

struct prepared_server;

#define PREPARED_PROOF_PATH    "/manager/v1/activation"
#define PREPARED_IDENTITY_PATH "/manager/v1/identity"

struct prepared_server_options {
	const struct env *env;
	struct loop *loop;
	const char *address; /* numeric; "": every address of this computer */
	uint16_t port;
	uint8_t key[ENVELOPE_KEY_BYTES]; /* that the manager has to have */
	int store;                       /* DIR/link, open: where the new identity is made */
	struct host *host;
	/* The new identity is whole and decided (agent/identity_switch.h), the manager has its answer. */
	void (*activated)(void *argument);
	void *argument;
};

/* ERR_BUSY: another program has the port; ERR_DENIED, ERR_IO, ERR_MEMORY. */
struct prepared_server *prepared_server_new(const struct prepared_server_options *options, struct err *err);
void prepared_server_free(struct prepared_server *server); /* accepts NULL; after its loop has stopped */
uint64_t prepared_server_refused(const struct prepared_server *server);

#endif
