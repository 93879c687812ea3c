/* A manager's proof of its server authentication key, as the agent checks it (wire/proof.h). */
#ifndef MUSTER_AGENT_MANAGER_PROOF_H
#define MUSTER_AGENT_MANAGER_PROOF_H

#include "wire/proof.h"

struct manager_proof {
	uint8_t channel[PROOF_CHANNEL_BYTES]; /* of the connection over which it was given */
	uint8_t key[ENVELOPE_KEY_BYTES];      /* the one accepted, or that has followed it */
	uint8_t authority[SHA256_BYTES];
};

/* bytes: a packed ManagerProof, untrusted. accepted: the key that the manager has to have. ERR_UNTRUSTED; ERR_FORMAT,
 * ERR_LIMIT, ERR_VERSION: not a proof. */
int manager_proof_check(const void *bytes, size_t size, enum proof_side side,
			const uint8_t channel[PROOF_CHANNEL_BYTES], const uint8_t accepted[ENVELOPE_KEY_BYTES],
			struct manager_proof *ret_proof, struct err *err);

#endif
