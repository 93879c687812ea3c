/* What tells that somebody has put another file in a place, or changed who may
 * read it, without reading it. Blocks on the disk for a look.
 */
#ifndef MUSTER_OS_FILE_MARK_H
#define MUSTER_OS_FILE_MARK_H

#include <stdbool.h>
#include <sys/types.h>
#include <time.h>

/* Zeroed: no file. */
struct file_mark {
	ino_t inode;
	off_t size;
	struct timespec changed; /* content, owner or mode */
};

/* Of the file or link at path; zeroed if there is none that can be looked at. */
void file_mark_look(const char *path, struct file_mark *ret_mark);
bool file_mark_is(const struct file_mark *a, const struct file_mark *b);

#endif
