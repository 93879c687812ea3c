/* Signed envelopes: what the manager orders, whichever way it came (spec 30-trust.md).
 *
 * The manager packs a Signed, signs "muster envelope 1" NUL payload with its
 * Ed25519 server authentication key, and sends payload, fingerprint of the key
 * and signature. The agent accepts only what envelope_accept() lets through,
 * which verifies before it parses. Pure: the signature is checked through a
 * function pointer (trust/signing_key.h has the real one).
 */
#ifndef MUSTER_WIRE_ENVELOPE_H
#define MUSTER_WIRE_ENVELOPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/units.h"
#include "wire/exchange.h"

#define ENVELOPE_KEY_BYTES       32
#define ENVELOPE_SIGNATURE_BYTES 64

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
	time_us now;                 /* wall clock */
	envelope_verify verify;
	void *verify_context;
};

/* The order of checks and the code of each refusal: ERR_FORMAT or ERR_LIMIT
 * shape of the envelope; ERR_UNKNOWN signed by a key not in the list;
 * ERR_UNTRUSTED bad signature; then, only now parsed, what
 * exchange_signed_decode() says; ERR_DENIED for another computer; ERR_EXPIRED;
 * ERR_CLOCK issued in the future. Serials are the caller's to compare. On
 * success *ret_content lives in *ret_arena, the caller's to free. */
int envelope_accept(const Muster__Wire__Envelope *envelope, const struct envelope_acceptance *acceptance,
		    Muster__Wire__Signed **ret_content, struct arena **ret_arena, struct err *err);

/* Appends the exact bytes that are signed. payload: a packed Signed. out's sticky error is returned. */
int envelope_message(const void *payload, size_t size, struct buf *out);

/* The signer's side: checks and appends a packed Signed (exchange_signed_encode). */
int envelope_payload(const Muster__Wire__Signed *content, struct buf *out, struct err *err);

/* Appends a packed Envelope, as stored and sent. */
int envelope_pack(const void *payload, size_t size, const uint8_t fingerprint[SHA256_BYTES],
		  const uint8_t signature[ENVELOPE_SIGNATURE_BYTES], struct buf *out, struct err *err);

#endif
