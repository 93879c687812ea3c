/* Signed envelopes: what the manager orders, whichever way it came (spec 30-trust.md).
 *
 * The manager packs Signeds, one or several, and signs them together with its
 * Ed25519 server authentication key: "muster envelope 2" NUL, the root of the
 * Merkle tree over them (wire/merkle.h), their count. Each envelope carries one
 * payload, its index and its path to that root. The agent accepts only what
 * envelope_accept() lets through, which verifies before it parses. Pure:
 * signature and SHA-256 come as functions (trust/ has the real ones).
 */
#ifndef MUSTER_WIRE_ENVELOPE_H
#define MUSTER_WIRE_ENVELOPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/units.h"
#include "wire/exchange.h"
#include "wire/merkle.h"

#define ENVELOPE_KEY_BYTES       32
#define ENVELOPE_SIGNATURE_BYTES 64
#define ENVELOPE_MESSAGE_BYTES   (18 + SHA256_BYTES + 4) /* what is signed: context, root, count */

/* How far the agent's clock may lag behind the issue time (a machine whose
 * clock is wrong by hours still obeys; certificates are backdated as much), and
 * how long after expiry an order still counts. */
#define ENVELOPE_EARLY_TOLERANCE_US DAY_US
#define ENVELOPE_LATE_TOLERANCE_US  (5 * MINUTE_US)

typedef bool (*envelope_verify)(void *context, const uint8_t key[ENVELOPE_KEY_BYTES], const void *message, size_t size,
				const uint8_t signature[ENVELOPE_SIGNATURE_BYTES]);

/* A key that is trusted: the raw Ed25519 public key and its SHA-256. */
struct envelope_key {
	uint8_t fingerprint[SHA256_BYTES];
	uint8_t public_key[ENVELOPE_KEY_BYTES];
};

struct envelope_acceptance {
	const struct envelope_key *keys;
	size_t key_count;
	const struct uuid *computer; /* whose agent this is */
	uint64_t session;            /* and which run of it; not 0 */
	time_us now;                 /* wall clock */
	envelope_verify verify;
	void *verify_context;
	merkle_digest digest;
};

/* The order of checks and the code of each refusal: ERR_FORMAT or ERR_LIMIT
 * shape of the envelope; ERR_UNKNOWN signed by a key not in the list;
 * ERR_UNTRUSTED bad signature, or a path that does not lead to what was signed; then, only now parsed, what
 * exchange_signed_decode() says; ERR_DENIED for another computer; ERR_REPLAYED for another run of this agent. What it
 * lets through is genuine, and may be out of date: nothing in it counts before envelope_check_dates(). On success
 * *ret_content lives in *ret_arena, the caller's to free. */
int envelope_authenticate(const Muster__Wire__Envelope *envelope, const struct envelope_acceptance *acceptance,
			  Muster__Wire__Signed **ret_content, struct arena **ret_arena, struct err *err);

/* 0; ERR_EXPIRED; ERR_CLOCK issued in the future. */
int envelope_check_dates(const Muster__Wire__Signed *content, time_us now, struct err *err);

/* Both, one after the other. Serials are the caller's to compare. */
int envelope_accept(const Muster__Wire__Envelope *envelope, const struct envelope_acceptance *acceptance,
		    Muster__Wire__Signed **ret_content, struct arena **ret_arena, struct err *err);

/* The signer's side: checks and appends a packed Signed (exchange_signed_encode). */
int envelope_payload(const Muster__Wire__Signed *content, struct buf *out, struct err *err);

/* The exact bytes that are signed for the payloads of a tree. */
void envelope_message(const struct merkle *merkle, uint8_t message[ENVELOPE_MESSAGE_BYTES]);

/* Who signed what: of an envelope, everything but its payload. */
struct envelope_seal {
	const struct merkle *merkle; /* over all payloads that were signed together */
	uint8_t fingerprint[SHA256_BYTES];
	uint8_t signature[ENVELOPE_SIGNATURE_BYTES];
};
/* Appends a packed Envelope, as stored and sent. payload: the one at `index`. */
int envelope_pack(const struct envelope_seal *seal, size_t index, const void *payload, size_t size, struct buf *out,
		  struct err *err);

#endif
