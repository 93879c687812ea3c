/* Keys and certificates on disk. */
#include "trust/secret_file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <limits.h>

#include "base/hex.h"
#include "trust/random.h"

#define BESIDE_DIGITS 16
#define BESIDE_LENGTH (1 + BESIDE_DIGITS + 4)

static int write_all(int fd, const void *bytes, size_t size)
{
	const char *at = bytes;

	while (size > 0) {
		ssize_t written = write(fd, at, size);

		if (written < 0 && errno == EINTR)
			continue;
		if (written < 0)
			return -1;
		at += written;
		size -= (size_t)written;
	}
	return 0;
}

/* Opens the folder that holds path; *ret_name is the last part. */
static int open_folder(const char *path, const char **ret_name, struct err *err)
{
	const char *slash = strrchr(path, '/');
	char folder[PATH_MAX];
	size_t length = slash == NULL ? 0 : slash == path ? 1 : (size_t)(slash - path);
	int fd;

	if (length >= sizeof(folder))
		return err_set(err, ERR_LIMIT, "a path of %zu bytes is too long", length);
	memcpy(folder, slash == NULL ? "." : path, slash == NULL ? 1 : length);
	folder[slash == NULL ? 1 : length] = '\0';
	fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_errno(err, errno, "%s", folder);
	*ret_name = slash == NULL ? path : slash + 1;
	return fd;
}

static int write_beside(int folder, const char *name, const char *path, const void *bytes, size_t size, mode_t mode,
			struct err *err)
{
	int fd = openat(folder, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	int status = 0;

	if (fd < 0)
		return err_errno(err, errno, "%s: a new file beside it", path);
	if (fchmod(fd, mode) != 0 || write_all(fd, bytes, size) != 0 || fsync(fd) != 0)
		status = err_errno(err, errno, "%s: write", path);
	if (close(fd) != 0 && status == 0)
		status = err_errno(err, errno, "%s: close", path);
	return status;
}

int secret_file_write(const char *path, const void *bytes, size_t size, mode_t mode, struct err *err)
{
	const char *name;
	char beside[NAME_MAX + 1];
	uint8_t chance[BESIDE_DIGITS / 2];
	char digits[2 * sizeof(chance) + 1];
	int folder = open_folder(path, &name, err);
	int status;

	if (folder < 0)
		return folder;
	random_fill(NULL, chance, sizeof(chance));
	hex_format(chance, sizeof(chance), digits);
	snprintf(beside, sizeof(beside), ".%s.new", digits);
	status = write_beside(folder, beside, path, bytes, size, mode, err);
	if (status == 0 && renameat(folder, beside, folder, name) != 0)
		status = err_errno(err, errno, "%s: rename", path);
	if (status == 0 && fsync(folder) != 0)
		status = err_errno(err, errno, "%s: sync of its folder", path);
	if (status != 0)
		unlinkat(folder, beside, 0);
	close(folder);
	return status;
}

/* ".0123456789abcdef.new" */
static bool is_beside(const char *name)
{
	return strlen(name) == BESIDE_LENGTH && name[0] == '.' &&
	       strspn(name + 1, "0123456789abcdef") == BESIDE_DIGITS && strcmp(name + 1 + BESIDE_DIGITS, ".new") == 0;
}

static bool remove_beside(int folder, const char *name)
{
	struct stat facts;

	return is_beside(name) && fstatat(folder, name, &facts, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(facts.st_mode) &&
	       unlinkat(folder, name, 0) == 0;
}

size_t secret_file_sweep(const char *folder)
{
	DIR *listing = opendir(folder);
	const struct dirent *entry;
	size_t gone = 0;

	if (listing == NULL)
		return 0;
	while ((entry = readdir(listing)) != NULL)
		gone += remove_beside(dirfd(listing), entry->d_name);
	if (gone > 0)
		(void)fsync(dirfd(listing));
	closedir(listing);
	return gone;
}

static int check_file(int fd, const char *path, bool is_private, size_t *ret_size, struct err *err)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return err_errno(err, errno, "%s", path);
	if (!S_ISREG(st.st_mode))
		return err_set(err, ERR_FORMAT, "%s: not a regular file", path);
	if (st.st_size > SECRET_FILE_MAX_BYTES)
		return err_set(err, ERR_LIMIT, "%s: larger than %d bytes", path, SECRET_FILE_MAX_BYTES);
	if (is_private && (st.st_mode & 077) != 0)
		return err_set(err, ERR_UNTRUSTED, "%s: others may use this secret file (mode %04o); make it 0600",
			       path, (unsigned)(st.st_mode & 07777));
	*ret_size = (size_t)st.st_size;
	return 0;
}

static int read_all(int fd, const char *path, size_t size, struct buf *out, struct err *err)
{
	uint8_t *room = buf_room(out, size);
	size_t have = 0;

	if (room == NULL)
		return err_set(err, out->status, "%s: no room for %zu bytes", path, size);
	while (have < size) {
		ssize_t got = read(fd, room + have, size - have);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return err_errno(err, errno, "%s: read", path);
		if (got == 0)
			break;
		have += (size_t)got;
	}
	buf_grow(out, have);
	return 0;
}

int secret_file_read(const char *path, bool is_private, struct buf *out, struct err *err)
{
	int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	size_t size = 0;
	int status;

	if (fd < 0)
		return err_errno(err, errno, "%s", path);
	status = check_file(fd, path, is_private, &size, err);
	if (status == 0)
		status = read_all(fd, path, size, out, err);
	close(fd);
	return status;
}
