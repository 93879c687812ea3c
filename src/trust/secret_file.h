/* Small state files of this folder: keys and certificates.
 *
 * Written beside as a temporary file, synced, renamed, and the directory
 * synced, so that a power cut leaves the old or the new one. Blocks on the disk.
 */
#ifndef MUSTER_TRUST_SECRET_FILE_H
#define MUSTER_TRUST_SECRET_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"

#define SECRET_FILE_MAX_BYTES 65536

int secret_file_write(const char *path, const void *bytes, size_t size, mode_t mode, struct err *err);
/* Removes what a kill left of files that were being written in this folder: regular files named as secret_file_write()
 * names them, and nothing else. For whoever alone writes there, at its start. How many went. */
size_t secret_file_sweep(const char *folder);
/* Appends a regular file's content to out (a link is not followed). ERR_NOT_FOUND, ERR_LIMIT past
 * SECRET_FILE_MAX_BYTES; ERR_UNTRUSTED when is_private and group or others may read or write it. */
int secret_file_read(const char *path, bool is_private, struct buf *out, struct err *err);

#endif
