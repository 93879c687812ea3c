/* One distinct outcome of resolving settings, shared by all who have it.
 *
 * Most computers of a policy have its outcome; a change is computed once per
 * distinct outcome and not once per computer. Outcomes are counted and found
 * by their values in a pool. Not thread-safe: the tree's owner locks.
 */
#ifndef MUSTER_POLICY_OUTCOME_H
#define MUSTER_POLICY_OUTCOME_H

#include "base/hex.h"
#include "policy/effective.h"

/* SHA-256; from outside, so that this folder needs no library for it. */
typedef void (*policy_digest)(const void *data, size_t size, uint8_t out[SHA256_BYTES]);

struct outcome {
	const char *values[SETTINGS_COUNT]; /* canonical texts */
	struct effective effective;         /* the same, typed */
	uint8_t fingerprint[SHA256_BYTES];  /* of what an agent gets */
	uint8_t *packed;                    /* a Configuration */
	size_t packed_size;
	/* of the pool */
	uint8_t key[SHA256_BYTES];
	uint64_t references;
	char *texts;
};

struct outcomes;

/* NULL: no memory. */
struct outcomes *outcomes_new(uint64_t seed, policy_digest digest);
/* All references must have been given back. Accepts NULL. */
void outcomes_free(struct outcomes *outcomes);
/* The outcome of these values (each not NULL, canonical), with one reference for
 * the caller. ERR_MEMORY, or what effective_pack() and effective_parse() say. */
int outcomes_get(struct outcomes *outcomes, const char *const values[SETTINGS_COUNT], struct outcome **ret_outcome,
		 struct err *err);
struct outcome *outcome_ref(struct outcome *outcome);                    /* accepts NULL */
void outcomes_unref(struct outcomes *outcomes, struct outcome *outcome); /* accepts NULL */

#endif
