/* Marks of files. */
#include "os/file_mark.h"

#include <sys/stat.h>

void file_mark_look(const char *path, struct file_mark *ret_mark)
{
	struct stat facts;

	*ret_mark = (struct file_mark){ 0 };
	if (lstat(path, &facts) == 0)
		*ret_mark = (struct file_mark){ facts.st_ino, facts.st_size, facts.st_ctim };
}

bool file_mark_is(const struct file_mark *a, const struct file_mark *b)
{
	return a->inode == b->inode && a->size == b->size && a->changed.tv_sec == b->changed.tv_sec &&
	       a->changed.tv_nsec == b->changed.tv_nsec;
}
