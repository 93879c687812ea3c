/* The disk as the endpoint sees it: a few named files of records.
 *
 * The shell binds it to files of the link role, test/sim to a simulated disk
 * that loses what was not synced. Framing (length, CRC-32C), limits and repair
 * are the endpoint's own: the shell moves bytes. Names: "spool", "journal", and
 * "configuration", which is only read and replaced, and has a form of its own;
 * "trusted_key" (ENDPOINT_KEY_FILE), which is only replaced: the 32 bytes of the
 * public key that is trusted from then on. The shell gives it back at the next
 * start in endpoint_options.keys.
 */
#ifndef MUSTER_ENDPOINT_STORAGE_H
#define MUSTER_ENDPOINT_STORAGE_H

#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"

#define ENDPOINT_KEY_FILE "trusted_key"

struct endpoint_storage {
	void *context;
	/* Appends the whole file to out, up to out->max (then the rest is left
	 * out and 0 returned); a file that is not there is empty. */
	int (*read)(void *context, const char *name, struct buf *out, struct err *err);
	/* At the end of the file, in order; a crash may lose it, or leave part of it, until sync. */
	int (*append)(void *context, const char *name, const void *bytes, size_t size, struct err *err);
	/* All appended so far is durable when it returns 0. */
	int (*sync)(void *context, const char *name, struct err *err);
	/* Atomically the whole content (write, fsync, rename, fsync directory); durable when it returns 0. */
	int (*replace)(void *context, const char *name, const void *bytes, size_t size, struct err *err);
};

#endif
