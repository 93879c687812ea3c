/* Files as state: whole reads under a limit, writes that are all or nothing.
 *
 * Everything takes a directory descriptor (or AT_FDCWD) and a name, opens with
 * O_CLOEXEC|O_NOFOLLOW and blocks on the disk. Names in errors are escaped by
 * whoever shows them.
 */
#ifndef MUSTER_OS_FILES_H
#define MUSTER_OS_FILES_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"

/* All bytes to fd, across short writes and EINTR. */
int files_write_all(int fd, const void *data, size_t size, struct err *err);

/* Exactly size bytes at an offset; ERR_FORMAT when the file ends before. */
int files_read_at(int fd, void *data, size_t size, uint64_t offset, struct err *err);

/* The whole regular file appended to out; ERR_LIMIT over max_bytes, ERR_NOT_FOUND. */
int files_read(int directory, const char *name, size_t max_bytes, struct buf *out, struct err *err);

/* Writes a temporary file beside, syncs it, renames it over name, syncs the
 * directory: after a crash either the old or the new content is there, and after an error, too. */
int files_write(int directory, const char *name, const void *data, size_t size, mode_t mode, struct err *err);

/* The same for a file that as root belongs to somebody else from its first byte on. */
int files_write_as(int directory, const char *name, const void *data, size_t size, mode_t mode, uid_t uid, gid_t gid,
		   struct err *err);

/* Makes directory name, or takes an existing one (never a symbolic link), sets
 * its mode, and as root its owner; (uid_t)-1 leaves the owner. Returns an open
 * O_DIRECTORY descriptor through ret_fd, which may be NULL. */
int files_make_directory(int directory, const char *name, mode_t mode, uid_t uid, gid_t gid, int *ret_fd,
			 struct err *err);

/* Gives a plain file to a user, with this mode. One that is the user's already keeps its mode; as another user than
 * root nothing is done. ERR_NOT_FOUND; ERR_DENIED for what is not a plain file (a link is none), or has a second name.
 */
int files_give(int directory, const char *name, mode_t mode, uid_t uid, gid_t gid, struct err *err);

/* Removes name and syncs the directory; a name that is not there is no error. */
int files_remove(int directory, const char *name, struct err *err);

/* How many directories deep the three below go; what lies deeper stays. */
#define FILES_DEPTH_MAX 64

/* Removes everything below an open directory, following nothing; what cannot be removed stays. */
void files_empty_directory(int directory);

/* The same, but for the entry `keep` of the directory itself. */
void files_empty_but(int directory, const char *keep);

/* The same for name in a directory, and then name itself: a file, a symbolic link (never what it names), or a
 * directory, which stays if something in it does. */
void files_remove_tree(int directory, const char *name);

int files_sync_directory(int directory, struct err *err);

/* For a large file that is written in pieces and synced at its end: starts writing back the bytes from..to, just
 * written, and waits for those before, so that no sync has more than two pieces to wait for. */
void files_write_behind(int fd, uint64_t from, uint64_t to);

/* Opens a path with no symbolic link in any of its components (openat2);
 * ERR_DENIED when there is one. O_CLOEXEC is added. */
int files_open_no_links(const char *path, int flags, int *ret_fd, struct err *err);

#endif
