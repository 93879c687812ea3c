/* A manager proves over a connection that it has the server authentication key:
 * to an agent that accepts no other manager (specification 30-trust "Enrolment",
 * "Moving").
 *
 * It signs "muster manager proof 1" NUL, which side opened the connection, a
 * value that TLS exports of this very connection (net/tls_channel.h), its CA's
 * fingerprint and the key. That value is another one for each connection and
 * depends on both ends: who stands between has two, and can pass no proof on;
 * none can be used again. The key may have followed the one that the agent
 * knows: the steps come along (wire/succession.h). Pure.
 */
#ifndef MUSTER_WIRE_PROOF_H
#define MUSTER_WIRE_PROOF_H

#include "wire/succession.h"

#define PROOF_CHANNEL_BYTES 32
#define PROOF_CHANNEL_LABEL "EXPORTER-Muster-manager-proof" /* of TLS's exporter (RFC 8446, section 7.5) */
#define PROOF_MESSAGE_BYTES (23 + 1 + PROOF_CHANNEL_BYTES + SHA256_BYTES + ENVELOPE_KEY_BYTES)

enum proof_side { PROOF_MANAGER_DIALLED, PROOF_AGENT_DIALLED, PROOF_SIDES };

struct proof {
	enum proof_side side;
	uint8_t channel[PROOF_CHANNEL_BYTES];
	uint8_t authority[SHA256_BYTES]; /* fingerprint of the manager's CA certificate */
	uint8_t key[ENVELOPE_KEY_BYTES]; /* the server authentication key, which signs */
};

/* The exact bytes that are signed. */
void proof_message(const struct proof *proof, uint8_t message[PROOF_MESSAGE_BYTES]);

/* What an agent makes of a decoded proof. *trusted is the key that it accepts; on success the one that signed, and
 * ret_authority whom to believe certificates from. ERR_UNTRUSTED: the key is another one, does not follow it, or did
 * not sign this. */
int proof_check(const Muster__Wire__ManagerProof *message, enum proof_side side,
		const uint8_t channel[PROOF_CHANNEL_BYTES], const struct succession_walk *walk,
		struct envelope_key *trusted, uint8_t ret_authority[SHA256_BYTES], struct err *err);

#endif
