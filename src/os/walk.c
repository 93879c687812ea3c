/* A stack of open directories, the path beside it. */
#include "os/walk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/units.h"

struct level {
	DIR *stream;
	dev_t device;
	ino_t inode;
	size_t path_length; /* of this directory's path */
};

struct walk {
	bool (*skip)(void *context, const char *path, const struct stat *st);
	void *context;
	struct level levels[WALK_DEPTH_MAX];
	size_t depth;
	bool single; /* the root is a file, not given out yet */
	struct stat root;
	char path[WALK_PATH_MAX_BYTES + 1];
};

/* Kernel state shown as files. */
static const long pseudo_file_systems[] = {
	PROC_SUPER_MAGIC,
	SYSFS_MAGIC,
	DEVPTS_SUPER_MAGIC,
	CGROUP_SUPER_MAGIC,
	CGROUP2_SUPER_MAGIC,
	DEBUGFS_MAGIC,
	TRACEFS_MAGIC,
	SECURITYFS_MAGIC,
	BPF_FS_MAGIC,
	PSTOREFS_MAGIC,
	EFIVARFS_MAGIC,
	NSFS_MAGIC,
	SELINUX_MAGIC,
	0x19800202 /* mqueue */,
	0x62656570 /* configfs */,
	0x65735543 /* fusectl */,
	BINFMTFS_MAGIC,
	SMACK_MAGIC,
};

static bool is_pseudo(int fd)
{
	struct statfs about;

	if (fstatfs(fd, &about) != 0)
		return false;
	for (size_t i = 0; i < COUNT_OF(pseudo_file_systems); i++) {
		if ((long)about.f_type == pseudo_file_systems[i])
			return true;
	}
	return false;
}

static bool inside_itself(const struct walk *walk, const struct stat *st)
{
	for (size_t i = 0; i < walk->depth; i++) {
		if (walk->levels[i].device == st->st_dev && walk->levels[i].inode == st->st_ino)
			return true;
	}
	return false;
}

/* Enters the directory open as fd, whose path is walk->path; takes fd. */
static enum walk_step enter(struct walk *walk, int fd, const char **ret_path, struct err *err)
{
	struct level *level = &walk->levels[walk->depth];
	bool crossed;
	struct stat st;

	if (walk->depth == WALK_DEPTH_MAX) {
		close(fd);
		*ret_path = walk->path;
		err_set(err, ERR_LIMIT, "directories are nested deeper than %d", WALK_DEPTH_MAX);
		return WALK_ERROR;
	}
	if (fstat(fd, &st) != 0 || inside_itself(walk, &st)) {
		close(fd);
		return WALK_NOTHING;
	}
	crossed = walk->depth == 0 || walk->levels[walk->depth - 1].device != st.st_dev;
	if (crossed && is_pseudo(fd)) {
		close(fd);
		return WALK_NOTHING;
	}
	*level = (struct level){
		.stream = fdopendir(fd), .device = st.st_dev, .inode = st.st_ino, .path_length = strlen(walk->path)
	};
	if (level->stream == NULL) {
		err_errno(err, errno, "read directory");
		close(fd);
		*ret_path = walk->path;
		return WALK_ERROR;
	}
	walk->depth++;
	return WALK_NOTHING;
}

static int start(struct walk *walk, struct err *err)
{
	int fd;

	if (lstat(walk->path, &walk->root) != 0)
		return err_errno(err, errno, "look at");
	if (!S_ISREG(walk->root.st_mode) && !S_ISDIR(walk->root.st_mode))
		return err_set(err, ERR_FORMAT, "neither a file nor a directory");
	if (walk->skip(walk->context, walk->path, &walk->root))
		return err_set(err, ERR_CONFLICT, "it is excluded");
	if (S_ISREG(walk->root.st_mode)) {
		walk->single = true;
		return 0;
	}
	fd = open(walk->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return err_errno(err, errno, "read directory");
	/* "/" is written as nothing: its entries begin with the slash. */
	if (walk->path[1] == '\0')
		walk->path[0] = '\0';
	return enter(walk, fd, &(const char *){ NULL }, err) == WALK_ERROR ? ERR_IO : 0;
}

int walk_new(const char *path, bool (*skip)(void *context, const char *path, const struct stat *st), void *context,
	     struct walk **ret_walk, struct err *err)
{
	struct walk *walk = calloc(1, sizeof(*walk));
	int code;

	if (walk == NULL)
		return err_set(err, ERR_MEMORY, "walk: no memory");
	walk->skip = skip;
	walk->context = context;
	/* realpath() writes at most PATH_MAX (4096) bytes. */
	code = realpath(path, walk->path) != NULL ? start(walk, err) : err_errno(err, errno, "find");
	if (code != 0) {
		walk_free(walk);
		return code;
	}
	*ret_walk = walk;
	return 0;
}

void walk_free(struct walk *walk)
{
	if (walk == NULL)
		return;
	while (walk->depth > 0)
		closedir(walk->levels[--walk->depth].stream);
	free(walk);
}

static bool set_name(struct walk *walk, const struct level *level, const char *name)
{
	size_t length = strlen(name);

	if (level->path_length + 1 + length >= WALK_PATH_MAX_BYTES) {
		walk->path[level->path_length] = '\0';
		return false;
	}
	walk->path[level->path_length] = '/';
	memcpy(walk->path + level->path_length + 1, name, length + 1);
	return true;
}

static enum walk_step report(const struct walk *walk, const char **ret_path)
{
	*ret_path = walk->path;
	return WALK_ERROR;
}

static enum walk_step visit(struct walk *walk, const struct level *level, const char *name, const char **ret_path,
			    struct stat *ret_st, struct err *err)
{
	int parent = dirfd(level->stream);
	int fd;

	if (!set_name(walk, level, name)) {
		err_set(err, ERR_LIMIT, "a path below is longer than %d bytes", WALK_PATH_MAX_BYTES - 1);
		return report(walk, ret_path);
	}
	if (fstatat(parent, name, ret_st, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT) != 0) {
		err_errno(err, errno, "look at");
		return report(walk, ret_path);
	}
	if ((!S_ISREG(ret_st->st_mode) && !S_ISDIR(ret_st->st_mode)) || walk->skip(walk->context, walk->path, ret_st))
		return WALK_NOTHING;
	*ret_path = walk->path;
	if (S_ISREG(ret_st->st_mode))
		return WALK_FILE;
	fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0) {
		err_errno(err, errno, "read directory");
		return WALK_ERROR;
	}
	return enter(walk, fd, ret_path, err);
}

enum walk_step walk_next(struct walk *walk, const char **ret_path, struct stat *ret_st, struct err *err)
{
	const struct level *level;
	const struct dirent *entry;

	if (walk->single) {
		walk->single = false;
		*ret_path = walk->path;
		*ret_st = walk->root;
		return WALK_FILE;
	}
	if (walk->depth == 0)
		return WALK_END;
	level = &walk->levels[walk->depth - 1];
	errno = 0;
	entry = readdir(level->stream);
	if (entry == NULL) {
		int error = errno;

		walk->path[level->path_length] = '\0';
		closedir(level->stream);
		walk->depth--;
		if (error == 0)
			return WALK_NOTHING;
		err_errno(err, error, "read directory");
		return report(walk, ret_path);
	}
	if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
		return WALK_NOTHING;
	return visit(walk, level, entry->d_name, ret_path, ret_st, err);
}
