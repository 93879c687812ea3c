/* Proofs of managers (agent/manager_proof.h). The bytes are of whoever is at the other end. */
#include "agent/manager_proof.h"

#include <string.h>

#include "trust/fingerprint.h"
#include "trust/signing_key.h"

static void digest(const void *data, size_t size, uint8_t out[SHA256_BYTES])
{
	fingerprint_of(data, size, out);
}

int manager_proof_check(const void *bytes, size_t size, enum proof_side side,
			const uint8_t channel[PROOF_CHANNEL_BYTES], const uint8_t accepted[ENVELOPE_KEY_BYTES],
			struct manager_proof *ret_proof, struct err *err)
{
	static const struct succession_walk walk = { .verify = signing_key_verify, .digest = digest };
	Muster__Wire__ManagerProof *message;
	struct manager_proof proof;
	struct envelope_key key;
	struct arena *arena;
	int rc = exchange_manager_proof_decode(bytes, size, &message, &arena, err);

	if (rc != 0)
		return rc;
	memcpy(key.public_key, accepted, ENVELOPE_KEY_BYTES);
	signing_key_fingerprint(accepted, key.fingerprint);
	rc = proof_check(message, side, channel, &walk, &key, proof.authority, err);
	arena_free(arena);
	if (rc != 0)
		return rc;
	memcpy(proof.channel, channel, PROOF_CHANNEL_BYTES);
	memcpy(proof.key, key.public_key, ENVELOPE_KEY_BYTES);
	*ret_proof = proof;
	return 0;
}
