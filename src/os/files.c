/* Durable small files and directories. */
#include "os/files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

int files_write_all(int fd, const void *data, size_t size, struct err *err)
{
	const uint8_t *at = data;

	while (size > 0) {
		ssize_t written = write(fd, at, size);

		if (written < 0 && errno == EINTR)
			continue;
		if (written < 0)
			return err_errno(err, errno, "write");
		at += written;
		size -= (size_t)written;
	}
	return 0;
}

int files_read_at(int fd, void *data, size_t size, uint64_t offset, struct err *err)
{
	uint8_t *at = data;

	while (size > 0) {
		ssize_t got = pread(fd, at, size, (off_t)offset);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return err_errno(err, errno, "read");
		if (got == 0)
			return err_set(err, ERR_FORMAT, "the file ends %zu bytes early", size);
		at += got;
		offset += (uint64_t)got;
		size -= (size_t)got;
	}
	return 0;
}

static int read_open(int fd, const char *name, size_t max_bytes, struct buf *out, struct err *err)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return err_errno(err, errno, "%s", name);
	if (!S_ISREG(st.st_mode))
		return err_set(err, ERR_FORMAT, "%s: not a regular file", name);
	for (size_t total = 0;;) {
		uint8_t chunk[16384];
		ssize_t got = read(fd, chunk, sizeof(chunk));

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return err_errno(err, errno, "%s: read", name);
		if (got == 0)
			return 0;
		total += (size_t)got;
		if (total > max_bytes)
			return err_set(err, ERR_LIMIT, "%s: larger than %zu bytes", name, max_bytes);
		if (buf_append(out, chunk, (size_t)got) != 0)
			return err_set(err, out->status, "%s: does not fit into memory", name);
	}
}

int files_read(int directory, const char *name, size_t max_bytes, struct buf *out, struct err *err)
{
	int fd = openat(directory, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	int code;

	if (fd < 0)
		return err_errno(err, errno, "%s", name);
	code = read_open(fd, name, max_bytes, out, err);
	close(fd);
	return code;
}

int files_sync_directory(int directory, struct err *err)
{
	if (fsync(directory) != 0)
		return err_errno(err, errno, "sync directory");
	return 0;
}

/* The directory that holds name: `directory` itself, or for a name with
 * slashes below it, its parent. The caller closes *ret_fd when it differs. */
static int parent_of(int directory, const char *name, int *ret_fd, struct err *err)
{
	const char *slash = strrchr(name, '/');
	char parent[4096];

	if (slash == NULL) {
		snprintf(parent, sizeof(parent), ".");
	} else if ((size_t)(slash - name) < sizeof(parent)) {
		size_t length = slash == name ? 1 : (size_t)(slash - name);

		memcpy(parent, name, length);
		parent[length] = '\0';
	} else {
		return err_set(err, ERR_LIMIT, "the path is too long");
	}
	*ret_fd = openat(directory, parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return *ret_fd >= 0 ? 0 : err_errno(err, errno, "%s", parent);
}

struct file_look {
	mode_t mode;
	uid_t uid; /* (uid_t)-1: whoever writes */
	gid_t gid;
};

static int write_temporary(int directory, const char *name, const void *data, size_t size, const struct file_look *look,
			   struct err *err)
{
	int fd = openat(directory, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, look->mode);
	int code = 0;

	if (fd < 0)
		return err_errno(err, errno, "%s", name);
	if (look->uid != (uid_t)-1 && geteuid() == 0 && fchown(fd, look->uid, look->gid) != 0)
		code = err_errno(err, errno, "%s: set owner", name);
	if (code == 0)
		code = files_write_all(fd, data, size, err);
	if (code == 0 && fchmod(fd, look->mode) != 0)
		code = err_errno(err, errno, "%s: set mode", name);
	if (code == 0 && fsync(fd) != 0)
		code = err_errno(err, errno, "%s: sync", name);
	close(fd);
	return code;
}

static int write_whole(int directory, const char *name, const void *data, size_t size, const struct file_look *look,
		       struct err *err)
{
	char temporary[4096];
	int parent = -1;
	int code;

	if (snprintf(temporary, sizeof(temporary), "%s.tmp", name) >= (int)sizeof(temporary))
		return err_set(err, ERR_LIMIT, "the path is too long");
	code = parent_of(directory, name, &parent, err);
	if (code != 0)
		return code;
	code = write_temporary(directory, temporary, data, size, look, err);
	if (code == 0 && renameat(directory, temporary, directory, name) != 0)
		code = err_errno(err, errno, "%s: rename", name);
	if (code == 0)
		code = files_sync_directory(parent, err);
	else
		unlinkat(directory, temporary, 0);
	close(parent);
	return code;
}

int files_write(int directory, const char *name, const void *data, size_t size, mode_t mode, struct err *err)
{
	const struct file_look look = { mode, (uid_t)-1, (gid_t)-1 };

	return write_whole(directory, name, data, size, &look, err);
}

int files_write_as(int directory, const char *name, const void *data, size_t size, mode_t mode, uid_t uid, gid_t gid,
		   struct err *err)
{
	const struct file_look look = { mode, uid, gid };

	return write_whole(directory, name, data, size, &look, err);
}

int files_give(int directory, const char *name, mode_t mode, uid_t uid, gid_t gid, struct err *err)
{
	int fd = openat(directory, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC), code = 0;
	struct stat st;

	if (fd < 0)
		return errno == ELOOP ? err_set(err, ERR_DENIED, "%s is a link", name)
				      : err_errno(err, errno, "%s", name);
	if (fstat(fd, &st) != 0)
		code = err_errno(err, errno, "%s", name);
	else if (geteuid() != 0 || (st.st_uid == uid && st.st_gid == gid))
		code = 0;
	else if (!S_ISREG(st.st_mode) || st.st_nlink != 1)
		code = err_set(err, ERR_DENIED, "%s is not a plain file with this name alone", name);
	else if (fchown(fd, uid, gid) != 0 || fchmod(fd, mode) != 0)
		code = err_errno(err, errno, "%s: set owner", name);
	close(fd);
	return code;
}

static int settle_directory(int fd, mode_t mode, uid_t uid, gid_t gid)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return -1;
	if (uid != (uid_t)-1 && geteuid() == 0 && (st.st_uid != uid || st.st_gid != gid) && fchown(fd, uid, gid) != 0)
		return -1;
	return (st.st_mode & 07777) == mode ? 0 : fchmod(fd, mode);
}

int files_make_directory(int directory, const char *name, mode_t mode, uid_t uid, gid_t gid, int *ret_fd,
			 struct err *err)
{
	int fd;

	if (mkdirat(directory, name, mode) != 0 && errno != EEXIST)
		return err_errno(err, errno, "make directory %s", name);
	fd = openat(directory, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return err_errno(err, errno, "directory %s", name);
	if (settle_directory(fd, mode, uid, gid) != 0) {
		int code = err_errno(err, errno, "directory %s: set owner and mode", name);

		close(fd);
		return code;
	}
	if (ret_fd != NULL)
		*ret_fd = fd;
	else
		close(fd);
	return 0;
}

int files_remove(int directory, const char *name, struct err *err)
{
	int parent = -1;
	int code;

	if (unlinkat(directory, name, 0) != 0)
		return errno == ENOENT ? 0 : err_errno(err, errno, "remove %s", name);
	code = parent_of(directory, name, &parent, err);
	if (code != 0)
		return code;
	code = files_sync_directory(parent, err);
	close(parent);
	return code;
}

int files_open_no_links(const char *path, int flags, int *ret_fd, struct err *err)
{
	struct open_how how = { .flags = (uint64_t)(unsigned)(flags | O_CLOEXEC), .resolve = RESOLVE_NO_SYMLINKS };
	long fd;

	do
		fd = syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof(how));
	while (fd < 0 && (errno == EINTR || errno == EAGAIN));
	if (fd < 0 && errno == ELOOP)
		return err_set(err, ERR_DENIED, "a symbolic link stands in the path");
	if (fd < 0)
		return err_errno(err, errno, "open");
	*ret_fd = (int)fd;
	return 0;
}

static void empty(int directory, const char *keep, int depth);

static void remove_entry(int directory, const char *name, int depth)
{
	int below;

	if (unlinkat(directory, name, 0) == 0 || depth >= FILES_DEPTH_MAX)
		return;
	below = openat(directory, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (below < 0)
		return;
	empty(below, NULL, depth + 1);
	close(below);
	(void)unlinkat(directory, name, AT_REMOVEDIR);
}

static void empty(int directory, const char *keep, int depth)
{
	int fd = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *stream = fd >= 0 ? fdopendir(fd) : NULL;

	if (stream == NULL && fd >= 0)
		close(fd);
	for (const struct dirent *entry = stream != NULL ? readdir(stream) : NULL; entry != NULL;
	     entry = readdir(stream)) {
		const char *name = entry->d_name;

		if (strcmp(name, ".") != 0 && strcmp(name, "..") != 0 && (keep == NULL || strcmp(name, keep) != 0))
			remove_entry(directory, name, depth);
	}
	if (stream != NULL)
		closedir(stream);
}

void files_empty_directory(int directory)
{
	empty(directory, NULL, 0);
}

void files_empty_but(int directory, const char *keep)
{
	empty(directory, keep, 0);
}

void files_remove_tree(int directory, const char *name)
{
	remove_entry(directory, name, 0);
}

void files_write_behind(int fd, uint64_t from, uint64_t to)
{
	/* Advice: what the disk refuses is told by the sync that follows. */
	(void)sync_file_range(fd, (off_t)from, (off_t)(to - from), SYNC_FILE_RANGE_WRITE);
	if (from > 0)
		(void)sync_file_range(fd, 0, (off_t)from,
				      SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER);
}
