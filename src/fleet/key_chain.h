/* Which server authentication keys lead to the present one: what an agent that
 * trusts an older key is told, and who is mismatched (specification 30-trust.md).
 *
 * A chain is made once and never changes: a roll-over makes another. It holds
 * the steps that end in the present key, oldest first; others, of which a
 * manager may know after a restore, are left out. Looking up takes O(log n).
 * Pure; its successions were verified by whoever read them.
 */
#ifndef MUSTER_FLEET_KEY_CHAIN_H
#define MUSTER_FLEET_KEY_CHAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wire/succession.h"

/* What an agent's trusted key is to this manager. */
enum key_standing {
	KEY_UNTOLD,     /* the agent has not said yet which key it trusts */
	KEY_PRESENT,    /* the present key */
	KEY_BEFORE,     /* one that leads to it: the agent follows with its next reply */
	KEY_MISMATCHED, /* another: it refuses all orders of this manager */
	KEY_STANDINGS
};

struct key_chain;

/* present: the raw public key, NULL: the manager has none, and every agent is mismatched. Copies. ERR_MEMORY. */
int key_chain_new(const uint8_t *present, const struct succession *steps, size_t count, merkle_digest digest,
		  struct key_chain **ret_chain, struct err *err);
void key_chain_free(struct key_chain *chain); /* accepts NULL */

/* SHA-256 of the present key; NULL: there is none. */
const uint8_t *key_chain_present(const struct key_chain *chain);
/* fingerprint: SHA-256 of a key, zeroes: none was told. chain NULL: nothing is known of keys, all are KEY_PRESENT. */
enum key_standing key_chain_standing(const struct key_chain *chain, const uint8_t fingerprint[SHA256_BYTES]);
/* The steps from that key on, at most `most` of them, each ready to be sent; they live as long as the chain. How
 * many; *ret_left: that are still to come. */
size_t key_chain_steps(const struct key_chain *chain, const uint8_t fingerprint[SHA256_BYTES], size_t most,
		       Muster__Wire__KeySuccession **ret_steps, size_t *ret_left);
/* The last steps, at most `most` of them, oldest first: for an agent that does not say which key it trusts. */
size_t key_chain_last(const struct key_chain *chain, size_t most, Muster__Wire__KeySuccession **ret_steps);
/* "untold", "present", "before", "mismatched" */
const char *key_standing_name(enum key_standing standing);

#endif
