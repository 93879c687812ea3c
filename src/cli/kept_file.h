/* A file that a command writes for people to keep: a backup, a key, a download.
 *
 * It appears under its name once it is whole and on disk; until then, and when
 * anything fails, what was there before is there. "-" is standard output. What
 * is no file (a device, a pipe) is written to as it is. Calls block on the disk.
 */
#ifndef MUSTER_CLI_KEPT_FILE_H
#define MUSTER_CLI_KEPT_FILE_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/err.h"

enum kept_flag {
	KEPT_REPLACE = 1, /* one that is there */
	KEPT_FOLLOW = 2,  /* a symbolic link, written to as it is; else one is an error */
};

struct kept_file {
	int fd;
	const char *path;
	char beside[PATH_MAX]; /* "": written to directly */
	bool replace;
};

/* ERR_EXISTS when it is there and is not to be replaced. path must outlive the file. */
int kept_file_open(struct kept_file *file, const char *path, mode_t mode, unsigned flags, struct err *err);
int kept_file_write(struct kept_file *file, const void *bytes, size_t size, struct err *err);
/* rc: of what was written to it; when that is not 0 it is forgotten. Else ERR_EXISTS if one came meanwhile. The first
 * error is returned. */
int kept_file_close(struct kept_file *file, int rc, struct err *err);
/* All of it at once. */
int kept_file_make(const char *path, const void *bytes, size_t size, mode_t mode, unsigned flags, struct err *err);

#endif
