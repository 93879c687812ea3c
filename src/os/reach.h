/* Making a directory reachable for a role that gives up root.
 *
 * A data directory may lie below a directory that only root can search
 * (/root, a private temporary directory). A role that drops to a user of its
 * own could then not open its own files by path. Called before role_confine(),
 * still as root and single-threaded, this leaves everything on disk as it is:
 * the directory is mounted again, for this process alone, at a place that
 * everybody can search.
 */
#ifndef MUSTER_OS_REACH_H
#define MUSTER_OS_REACH_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/err.h"

/* Can uid with gid search every directory above path? Symbolic links are resolved first. */
int reach_allowed(const char *path, uid_t uid, gid_t gid, bool *ret_allowed, struct err *err);

/* ret_path (capacity bytes): the absolute path by which uid can reach
 * directory: its own, or one in this process's private mount namespace.
 * ERR_DENIED, with what to do, when there is no such way. */
int reach_directory(const char *directory, uid_t uid, gid_t gid, char *ret_path, size_t capacity, struct err *err);

#endif
