/* One process at a time owns a database.
 *
 * PATH.lock is locked with flock() while the database is open, so a crash
 * frees it; its text is the owner's number, to name it to whom it refuses.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "store/session.h"

/* "1234 (muster-manager)" of the process that holds the lock; best effort. */
static void name_owner(int fd, char *text, size_t size)
{
	char number[32] = "", path[64], name[64] = "";
	uint64_t process;
	ssize_t n = pread(fd, number, sizeof(number) - 1, 0);
	int comm;

	snprintf(text, size, "another process");
	number[n > 0 ? n : 0] = '\0';
	number[strcspn(number, "\n")] = '\0';
	if (number_parse(number, 1, INT32_MAX, &process, NULL) != 0)
		return;
	snprintf(path, sizeof(path), "/proc/%s/comm", number);
	comm = open(path, O_RDONLY | O_CLOEXEC);
	if (comm >= 0) {
		n = read(comm, name, sizeof(name) - 1);
		name[n > 0 ? n : 0] = '\0';
		name[strcspn(name, "\n")] = '\0';
		close(comm);
	}
	snprintf(text, size, "process %s%s%s%s", number, name[0] ? " (" : "", name, name[0] ? ")" : "");
}

static int in_use(int fd, const char *path, struct err *err)
{
	char owner[128];

	name_owner(fd, owner, sizeof(owner));
	return err_set(err, ERR_BUSY, "%s is in use by %s; stop it first", path, owner);
}

int store_check_free(const char *path, struct err *err)
{
	char lock_path[4096];
	int length = snprintf(lock_path, sizeof(lock_path), "%s.lock", path);
	int fd =
	    length > 0 && (size_t)length < sizeof(lock_path) ? open(lock_path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW) : -1;
	int rc = 0;

	if (fd < 0)
		return 0; /* no owner yet, or one that opening it properly will name */
	if (flock(fd, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK)
		rc = in_use(fd, path, err);
	close(fd);
	return rc;
}

int store_lock(const char *path, int *ret_fd, struct err *err)
{
	char lock_path[4096], number[32];
	int length = snprintf(lock_path, sizeof(lock_path), "%s.lock", path);
	int fd, rc = 0;

	if (length < 0 || (size_t)length >= sizeof(lock_path))
		return err_set(err, ERR_LIMIT, "%.64s...: path too long", path);
	fd = open(lock_path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return err_errno(err, errno, "%s", lock_path);
	if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
		if (errno == EWOULDBLOCK) {
			rc = in_use(fd, path, err);
		} else {
			rc = err_errno(err, errno, "%s", lock_path);
		}
		close(fd);
		return rc;
	}
	length = snprintf(number, sizeof(number), "%ld\n", (long)getpid());
	if (ftruncate(fd, 0) != 0 || pwrite(fd, number, (size_t)length, 0) != length) {
		rc = err_errno(err, errno, "%s", lock_path);
		close(fd);
		return rc;
	}
	*ret_fd = fd;
	return 0;
}
