/* Successions: one server authentication key is followed by another, and the old
 * one says so (specification 30-trust.md "Roll-over without orphans").
 *
 * It signs "muster key succession 1" NUL, both public keys, a serial number and
 * the time of issue: one signature a roll-over, whatever the number of agents.
 * An agent takes step after step from the very key that it trusts; what begins
 * elsewhere is nothing to it, so that an old record can neither be replayed nor
 * lead back. Pure: signature and SHA-256 come as functions (wire/envelope.h).
 */
#ifndef MUSTER_WIRE_SUCCESSION_H
#define MUSTER_WIRE_SUCCESSION_H

#include <stdint.h>

#include "wire/envelope.h"

#define SUCCESSION_MESSAGE_BYTES (24 + 2 * ENVELOPE_KEY_BYTES + 2 * sizeof(uint64_t))
#define SUCCESSION_MAX_BYTES     256 /* packed */

struct succession {
	uint8_t old_key[ENVELOPE_KEY_BYTES], new_key[ENVELOPE_KEY_BYTES];
	uint64_t serial; /* 1, 2, … of a manager */
	time_us issued;  /* wall clock; told, and not a reason to refuse: clocks of agents may be wrong */
	uint8_t signature[ENVELOPE_SIGNATURE_BYTES];
};

/* The exact bytes that the old key signs. */
void succession_message(const struct succession *succession, uint8_t message[SUCCESSION_MESSAGE_BYTES]);
/* Signed by its old key, and leads to another one: ERR_UNTRUSTED. */
int succession_check(const struct succession *succession, envelope_verify verify, void *context, struct err *err);

/* Stored and sent as a packed KeySuccession. ERR_LIMIT, ERR_FORMAT, ERR_RANGE; the signature is not looked at. */
int succession_pack(const struct succession *succession, struct buf *out, struct err *err);
int succession_unpack(const void *bytes, size_t size, struct succession *ret_succession, struct err *err);
/* The message points into the succession. */
void succession_fill(const struct succession *succession, Muster__Wire__KeySuccession *message);

/* The way that an agent goes along the steps of one reply. */
struct succession_walk {
	envelope_verify verify;
	void *verify_context;
	merkle_digest digest;
};
/* From *key on: 0 with *key the last that was reached and how many steps led there. Every step counts only if it
 * begins at the key that the one before led to. ERR_UNTRUSTED: one on the way is not signed by the key that it begins
 * with; what came before it is good, and reached. ERR_UNKNOWN: none begins at the key, nor leads to it. */
int succession_follow(const struct succession_walk *walk, Muster__Wire__KeySuccession *const *steps, size_t count,
		      struct envelope_key *key, size_t *ret_steps, struct err *err);

#endif
