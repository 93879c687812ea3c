/* What is kept of configurations over restarts: one small file, replaced as a whole.
 *
 * The last good one, what was refused and why, what was being applied when the
 * agent stopped. Bound to the computer's identity: a new one starts afresh.
 * The bytes may be damaged, or a stranger's; nothing is taken of a file that is
 * not whole.
 */
#ifndef MUSTER_ENDPOINT_CONFIGURATION_FILE_H
#define MUSTER_ENDPOINT_CONFIGURATION_FILE_H

#include "base/pack.h"
#include "endpoint/configuration.h"
#include "endpoint/storage.h"

#define CONFIGURATION_FILE           "configuration"
#define CONFIGURATION_FILE_MAX_BYTES (WIRE_SIGNED_MAX_BYTES + 4096)

struct configuration_file {
	bool has_kept, has_refused;
	uint8_t failures; /* of the refused one in force, not by check() alone: it is not tried again at once */

	bool listens_only; /* the manager has stored that it must dial: whoever starts need not tell it by dialling */
	struct uuid listens_on; /* the machine of which it has stored that; zeroes: not known */
	uint8_t attempts;       /* to put `attempted` in force, none of them ended; 0: none */
	uint8_t kept[SHA256_BYTES], refused[SHA256_BYTES], attempted[SHA256_BYTES];
	struct bytes packed; /* the kept Configuration */
	char reason[ENDPOINT_REASON_MAX_BYTES + 1];
};

/* Appends to out (sticky error there). */
void configuration_file_encode(const struct configuration_file *file, const struct uuid *computer, struct buf *out);
/* 0; ERR_NOT_FOUND for an empty file or another computer's; ERR_FORMAT, ERR_LIMIT, ERR_VERSION. packed points into
 * the bytes. */
int configuration_file_decode(const void *bytes, size_t size, const struct uuid *computer,
			      struct configuration_file *ret_file);

#endif
