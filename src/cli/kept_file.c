/* Files for people to keep. Paths are theirs. */
#include "cli/kept_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os/files.h"

#define NAMES_TRIED 16

static int is_there(const char *path, struct err *err)
{
	return err_set(err, ERR_EXISTS, "%.400s is there already; give another name, or --force", path);
}

/* --- begun --- */

static int open_directly(struct kept_file *file, unsigned flags, struct err *err)
{
	int follow = (flags & KEPT_FOLLOW) != 0 ? 0 : O_NOFOLLOW;

	file->fd = open(file->path, O_WRONLY | O_TRUNC | O_CLOEXEC | O_NOCTTY | follow);
	return file->fd >= 0 ? 0 : err_errno(err, errno, "%.400s", file->path);
}

/* In the same directory: a rename makes it the file. */
static int open_beside(struct kept_file *file, mode_t mode, struct err *err)
{
	for (unsigned i = 0; file->fd < 0 && i < NAMES_TRIED; i++) {
		if ((size_t)snprintf(file->beside, sizeof(file->beside), "%s.%ld-%u.new", file->path, (long)getpid(),
				     i) >= sizeof(file->beside)) {
			file->beside[0] = '\0';
			return err_set(err, ERR_LIMIT, "%.100s…: the name is too long", file->path);
		}
		file->fd = open(file->beside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
		if (file->fd < 0 && errno != EEXIST)
			break;
	}
	if (file->fd >= 0)
		return 0;
	file->beside[0] = '\0';
	return err_errno(err, errno, "%.400s", file->path);
}

int kept_file_open(struct kept_file *file, const char *path, mode_t mode, unsigned flags, struct err *err)
{
	struct stat facts;

	*file = (struct kept_file){ .fd = -1, .path = path, .replace = (flags & KEPT_REPLACE) != 0 };
	if (strcmp(path, "-") == 0) {
		file->fd = STDOUT_FILENO;
		return 0;
	}
	if (lstat(path, &facts) != 0)
		return errno == ENOENT ? open_beside(file, mode, err) : err_errno(err, errno, "%.400s", path);
	if (!file->replace)
		return is_there(path, err);
	return S_ISREG(facts.st_mode) ? open_beside(file, mode, err) : open_directly(file, flags, err);
}

int kept_file_write(struct kept_file *file, const void *bytes, size_t size, struct err *err)
{
	int rc = files_write_all(file->fd, bytes, size, err);

	return rc == 0 ? 0 : err_add(err, rc, "%.400s", file->path);
}

/* --- ended --- */

/* Not over one that came meanwhile. Where the file system has no such rename it may have links. */
static int rename_beside(const struct kept_file *file)
{
	if (file->replace)
		return rename(file->beside, file->path);
	if (renameat2(AT_FDCWD, file->beside, AT_FDCWD, file->path, RENAME_NOREPLACE) == 0)
		return 0;
	if (errno != EINVAL && errno != ENOSYS)
		return -1;
	if (link(file->beside, file->path) != 0)
		return -1;
	(void)unlink(file->beside);
	return 0;
}

static int sync_directory(const char *path, struct err *err)
{
	char name[PATH_MAX];
	const char *slash = strrchr(path, '/');
	size_t length = slash == NULL ? 0 : slash == path ? 1 : (size_t)(slash - path);
	int fd, rc;

	snprintf(name, sizeof(name), "%.*s", slash == NULL ? 1 : (int)length, slash == NULL ? "." : path);
	fd = open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_errno(err, errno, "%.400s", name);
	rc = files_sync_directory(fd, err);
	close(fd);
	return rc;
}

static int put_in_place(const struct kept_file *file, struct err *err)
{
	if (rename_beside(file) == 0)
		return sync_directory(file->path, err);
	return errno == EEXIST ? is_there(file->path, err) : err_errno(err, errno, "%.400s", file->path);
}

int kept_file_close(struct kept_file *file, int rc, struct err *err)
{
	bool beside = file->beside[0] != '\0';

	if (file->fd < 0 || file->fd == STDOUT_FILENO)
		return rc;
	if (rc == 0 && fsync(file->fd) != 0 && (beside || errno != EINVAL))
		rc = err_errno(err, errno, "%.400s", file->path);
	if (close(file->fd) != 0 && rc == 0)
		rc = err_errno(err, errno, "%.400s", file->path);
	file->fd = -1;
	if (rc == 0 && beside)
		rc = put_in_place(file, err);
	/* Half a file is no file. */
	if (rc != 0 && beside)
		(void)unlink(file->beside);
	return rc;
}

int kept_file_make(const char *path, const void *bytes, size_t size, mode_t mode, unsigned flags, struct err *err)
{
	struct kept_file file;
	int rc = kept_file_open(&file, path, mode, flags, err);

	return rc == 0 ? kept_file_close(&file, kept_file_write(&file, bytes, size, err), err) : rc;
}
