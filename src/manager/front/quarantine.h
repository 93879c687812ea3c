/* The manager's store of quarantined files: sealed as the agent sent them, named
 * by item id in front/quarantine, uploads under way in front/quarantine/incoming.
 *
 * The database row of an item says what is stored; a file without such a row
 * is left over from a crash and is removed at start. Space is promised to an
 * upload when its metadata is taken and given back when it fails for good.
 */
#ifndef MUSTER_MANAGER_FRONT_QUARANTINE_H
#define MUSTER_MANAGER_FRONT_QUARANTINE_H

#include "manager/front/front_state.h"

#define QUARANTINE_METADATA_MAX_BYTES (64 * 1024)

/* What an agent says of a file before it sends it (JSON); see doc/protocol.md. */
struct quarantine_metadata {
	uint8_t key[32];
	uint8_t sha256[SHA256_BYTES];
	uint64_t size;
	uint64_t sealed_size;
	char *json; /* as received but without the key, for the database; free() */
};
/* Untrusted JSON. ERR_FORMAT names the member; ERR_RANGE when the sizes do not fit each other. Wipe the key. */
int quarantine_metadata_parse(const void *data, size_t size, struct quarantine_metadata *ret_metadata, struct err *err);

/* "bytes A-B/TOTAL" (RFC 9110 section 14.4), both ends included. ERR_FORMAT, ERR_RANGE. */
int quarantine_range_parse(const char *text, uint64_t *ret_first, uint64_t *ret_size, uint64_t *ret_total,
			   struct err *err);

/* Unseals the whole file with the key and compares size and SHA-256 of the content and the item's id.
 * ERR_UNTRUSTED, ERR_FORMAT: not what was announced. Reads; blocks. */
int quarantine_verify(int fd, const struct uuid *item, const struct quarantine_metadata *metadata, struct err *err);

/* Removes uploads and files that no row speaks of. At start. */
int quarantine_sweep(struct front *front, struct err *err);

#endif
