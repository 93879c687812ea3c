/* Proofs of managers, as anybody may send them to an agent that waits: none is believed that is not over this very
 * connection. The verifier believes every signature over a text that names it. */
#include <stdlib.h>
#include <string.h>

#include "wire/proof.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t channel[PROOF_CHANNEL_BYTES] = { 5 };

static bool believe(void *context, const uint8_t key[ENVELOPE_KEY_BYTES], const void *message, size_t size,
		    const uint8_t signature[ENVELOPE_SIGNATURE_BYTES])
{
	(void)context;
	(void)key;
	(void)signature;
	return size == SUCCESSION_MESSAGE_BYTES || memcmp((const uint8_t *)message + PROOF_MESSAGE_BYTES -
							      ENVELOPE_KEY_BYTES - SHA256_BYTES - PROOF_CHANNEL_BYTES,
							  channel, PROOF_CHANNEL_BYTES) == 0;
}

static void pretend(const void *bytes, size_t size, uint8_t digest[SHA256_BYTES])
{
	memset(digest, size > 0 ? *(const uint8_t *)bytes : 0, SHA256_BYTES);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct succession_walk walk = { believe, NULL, pretend };
	struct envelope_key key = { .public_key = { 1 } };
	uint8_t authority[SHA256_BYTES];
	Muster__Wire__ManagerProof *message;
	struct arena *arena;
	struct buf out;

	if (exchange_manager_proof_decode(data, size, &message, &arena, NULL) != 0)
		return 0;
	buf_init(&out, WIRE_MANAGER_PROOF_MAX_BYTES);
	if (exchange_manager_proof_encode(message, &out, NULL) != 0 && out.status != ERR_LIMIT)
		abort();
	buf_done(&out);
	if (proof_check(message, PROOF_MANAGER_DIALLED, channel, &walk, &key, authority, NULL) == 0 &&
	    (memcmp(key.public_key, message->key.data, ENVELOPE_KEY_BYTES) != 0 ||
	     memcmp(authority, message->authority.data, SHA256_BYTES) != 0 ||
	     (message->n_successions == 0 && key.public_key[0] != 1)))
		abort();
	arena_free(arena);
	return 0;
}
