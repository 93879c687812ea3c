/* Proofs of the server authentication key (wire/proof.h). Untrusted until verified. */
#include "wire/proof.h"

#include <string.h>

/* Signed with its closing NUL, so that no other signed text of ours can begin alike. */
static const char proof_context[] = "muster manager proof 1";

_Static_assert(PROOF_MESSAGE_BYTES ==
		   sizeof(proof_context) + 1 + PROOF_CHANNEL_BYTES + SHA256_BYTES + ENVELOPE_KEY_BYTES,
	       "context, side, channel, authority and key, and nothing else");

void proof_message(const struct proof *proof, uint8_t message[PROOF_MESSAGE_BYTES])
{
	uint8_t *at = message;

	memcpy(at, proof_context, sizeof(proof_context));
	at += sizeof(proof_context);
	*at++ = (uint8_t)proof->side;
	memcpy(at, proof->channel, PROOF_CHANNEL_BYTES);
	at += PROOF_CHANNEL_BYTES;
	memcpy(at, proof->authority, SHA256_BYTES);
	at += SHA256_BYTES;
	memcpy(at, proof->key, ENVELOPE_KEY_BYTES);
}

/* The key that the agent accepts, or one that has followed it, is the one that the proof names. */
static int reach_key(const Muster__Wire__ManagerProof *message, const struct succession_walk *walk,
		     struct envelope_key *key, struct err *err)
{
	struct err cause = { 0 };
	size_t steps;
	int rc = succession_follow(walk, message->successions, message->n_successions, key, &steps, &cause);

	if (rc == ERR_UNTRUSTED)
		return err_set(err, rc, "%s", cause.text);
	if (rc == 0 && memcmp(key->public_key, message->key.data, ENVELOPE_KEY_BYTES) == 0)
		return 0;
	return err_set(err, ERR_UNTRUSTED,
		       "the manager has another server authentication key than the one that this agent accepts");
}

int proof_check(const Muster__Wire__ManagerProof *message, enum proof_side side,
		const uint8_t channel[PROOF_CHANNEL_BYTES], const struct succession_walk *walk,
		struct envelope_key *trusted, uint8_t ret_authority[SHA256_BYTES], struct err *err)
{
	struct proof proof = { .side = side };
	uint8_t signed_message[PROOF_MESSAGE_BYTES];
	struct envelope_key key = *trusted;
	int rc = reach_key(message, walk, &key, err);

	if (rc != 0)
		return rc;
	memcpy(proof.channel, channel, PROOF_CHANNEL_BYTES);
	memcpy(proof.authority, message->authority.data, SHA256_BYTES);
	memcpy(proof.key, message->key.data, ENVELOPE_KEY_BYTES);
	proof_message(&proof, signed_message);
	if (!walk->verify(walk->verify_context, key.public_key, signed_message, sizeof(signed_message),
			  message->signature.data))
		return err_set(err, ERR_UNTRUSTED,
			       "the manager did not prove its server authentication key over this connection");
	*trusted = key;
	memcpy(ret_authority, proof.authority, SHA256_BYTES);
	return 0;
}
