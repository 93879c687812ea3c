/* Walking a tree: every regular file below a path, no symbolic link followed.
 *
 * Directories are opened relative to their parents (O_NOFOLLOW), so that
 * nobody can lead the walk elsewhere while it runs; a directory that contains
 * itself (bind mounts) is entered once; file systems that hold no files of
 * people (proc, sysfs, cgroup and the like) are left out. Memory and
 * descriptors are bounded by WALK_DEPTH_MAX. Names are hostile bytes.
 */
#ifndef MUSTER_OS_WALK_H
#define MUSTER_OS_WALK_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

#include "base/err.h"

#define WALK_PATH_MAX_BYTES 4096
#define WALK_DEPTH_MAX      512

enum walk_step {
	WALK_END,
	WALK_NOTHING, /* looked at something that is no regular file; call again */
	WALK_FILE,    /* path and st are of a regular file */
	WALK_ERROR,   /* path could not be read, err says why; the walk goes on */
};

struct walk;

/* skip: true for a path to leave out, with all below. path: absolute; a
 * symbolic link in it is resolved now, once. ERR_NOT_FOUND; ERR_CONFLICT: it is
 * left out itself. */
int walk_new(const char *path, bool (*skip)(void *context, const char *path, const struct stat *st), void *context,
	     struct walk **ret_walk, struct err *err);
void walk_free(struct walk *walk); /* accepts NULL */

/* One step, one directory entry. ret_path lives until the next call. */
enum walk_step walk_next(struct walk *walk, const char **ret_path, struct stat *ret_st, struct err *err);

#endif
