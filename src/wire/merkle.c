/* Merkle trees over leaves (RFC 9162, section 2.1).
 *
 * The tree is kept level by level, leaves first. A node without a sibling
 * moves up as it is, which gives the same tree as the recursive definition.
 */
#include "wire/merkle.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"

#define LEVELS_MAX (MERKLE_PATH_MAX + 1)

enum { PREFIX_LEAF = 0x00, PREFIX_NODE = 0x01 };

struct merkle {
	size_t levels;
	size_t starts[LEVELS_MAX]; /* of each level in nodes */
	size_t sizes[LEVELS_MAX];
	uint8_t nodes[][SHA256_BYTES];
};

static int hash_leaf(merkle_digest digest, const struct bytes *leaf, uint8_t hash[SHA256_BYTES])
{
	struct buf prefixed;
	int rc;

	buf_init(&prefixed, leaf->size + 1);
	buf_append_byte(&prefixed, PREFIX_LEAF);
	rc = buf_append(&prefixed, leaf->data, leaf->size);
	if (rc == 0)
		digest(prefixed.data, prefixed.size, hash);
	buf_done(&prefixed);
	return rc;
}

static void hash_nodes(merkle_digest digest, const uint8_t *left, const uint8_t *right, uint8_t hash[SHA256_BYTES])
{
	uint8_t both[1 + 2 * SHA256_BYTES] = { PREFIX_NODE };

	memcpy(both + 1, left, SHA256_BYTES);
	memcpy(both + 1 + SHA256_BYTES, right, SHA256_BYTES);
	digest(both, sizeof(both), hash);
}

static void grow_level(struct merkle *merkle, merkle_digest digest)
{
	size_t below = merkle->levels - 1, from = merkle->starts[below], size = merkle->sizes[below];
	size_t at = from + size;

	merkle->starts[merkle->levels] = at;
	merkle->sizes[merkle->levels] = (size + 1) / 2;
	merkle->levels++;
	for (size_t i = 0; i + 1 < size; i += 2)
		hash_nodes(digest, merkle->nodes[from + i], merkle->nodes[from + i + 1], merkle->nodes[at++]);
	if (size % 2 != 0)
		memcpy(merkle->nodes[at], merkle->nodes[from + size - 1], SHA256_BYTES);
}

struct merkle *merkle_new(merkle_digest digest, const struct bytes *leaves, size_t count)
{
	struct merkle *merkle;

	if (count == 0 || count > MERKLE_LEAVES_MAX)
		return NULL;
	/* Each level has half of the one below, and one more when that was odd. */
	merkle = malloc(sizeof(*merkle) + (2 * count + LEVELS_MAX) * SHA256_BYTES);
	if (merkle == NULL)
		return NULL;
	merkle->levels = 1;
	merkle->starts[0] = 0;
	merkle->sizes[0] = count;
	for (size_t i = 0; i < count; i++) {
		if (hash_leaf(digest, &leaves[i], merkle->nodes[i]) != 0) {
			merkle_free(merkle);
			return NULL;
		}
	}
	while (merkle->sizes[merkle->levels - 1] > 1)
		grow_level(merkle, digest);
	return merkle;
}

void merkle_free(struct merkle *merkle)
{
	free(merkle);
}

size_t merkle_count(const struct merkle *merkle)
{
	return merkle->sizes[0];
}

const uint8_t *merkle_root(const struct merkle *merkle)
{
	return merkle->nodes[merkle->starts[merkle->levels - 1]];
}

size_t merkle_path(const struct merkle *merkle, size_t index, const uint8_t *path[MERKLE_PATH_MAX])
{
	size_t count = 0;

	for (size_t level = 0; level + 1 < merkle->levels; level++, index /= 2) {
		size_t sibling = index ^ 1;

		if (sibling < merkle->sizes[level])
			path[count++] = merkle->nodes[merkle->starts[level] + sibling];
	}
	return count;
}

int merkle_climb(merkle_digest digest, const struct bytes *leaf, size_t index, size_t count, const uint8_t *const *path,
		 size_t path_count, uint8_t ret_root[SHA256_BYTES])
{
	uint8_t hash[SHA256_BYTES];
	size_t used = 0;
	int rc;

	if (count == 0 || count > MERKLE_LEAVES_MAX || index >= count)
		return ERR_FORMAT;
	rc = hash_leaf(digest, leaf, hash);
	for (; rc == 0 && count > 1; index /= 2, count = (count + 1) / 2) {
		if ((index ^ 1) >= count)
			continue; /* no sibling: moves up as it is */
		if (used == path_count)
			rc = ERR_FORMAT;
		else if (index % 2 != 0)
			hash_nodes(digest, path[used++], hash, hash);
		else
			hash_nodes(digest, hash, path[used++], hash);
	}
	if (rc == 0 && used != path_count)
		rc = ERR_FORMAT;
	if (rc == 0)
		memcpy(ret_root, hash, SHA256_BYTES);
	return rc;
}
