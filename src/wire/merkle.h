/* The Merkle tree of RFC 9162, section 2.1: one hash, the root, stands for many
 * leaves in their order, and a path of at most MERKLE_PATH_MAX hashes shows that
 * one leaf is at its place among them.
 *
 * A leaf is hashed behind a byte 0x00, two nodes behind 0x01: no node can be
 * passed off as a leaf. Pure: SHA-256 comes as a function (fingerprint_of() of
 * trust/fingerprint.h).
 */
#ifndef MUSTER_WIRE_MERKLE_H
#define MUSTER_WIRE_MERKLE_H

#include <stddef.h>
#include <stdint.h>

#include "base/hex.h"
#include "base/pack.h"
#include "wire/limits.h"

#define MERKLE_LEAVES_MAX WIRE_BATCH_MAX
#define MERKLE_PATH_MAX   WIRE_BATCH_PATH_MAX

typedef void (*merkle_digest)(const void *bytes, size_t size, uint8_t digest[SHA256_BYTES]);

struct merkle;

/* 1 to MERKLE_LEAVES_MAX leaves, hashed at once: their bytes may go. NULL: no memory, or another count. */
struct merkle *merkle_new(merkle_digest digest, const struct bytes *leaves, size_t count);
void merkle_free(struct merkle *merkle); /* accepts NULL */

size_t merkle_count(const struct merkle *merkle); /* of leaves */
const uint8_t *merkle_root(const struct merkle *merkle);
/* The hashes beside the way from leaf `index` up to the root; they live as long as the tree. How many. */
size_t merkle_path(const struct merkle *merkle, size_t index, const uint8_t *path[MERKLE_PATH_MAX]);

/* The root that leaf `index` of `count` has with this path of hashes of
 * SHA256_BYTES each. All of it may come from outside: ERR_FORMAT when no tree of
 * so many leaves has such a path there; ERR_MEMORY. */
int merkle_climb(merkle_digest digest, const struct bytes *leaf, size_t index, size_t count, const uint8_t *const *path,
		 size_t path_count, uint8_t ret_root[SHA256_BYTES]);

#endif
