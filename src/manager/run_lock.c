/* The lock of a data directory (manager/run_lock.h). The file is our own; what is in it is shown, and nothing else. */
#include "manager/run_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/text.h"
#include "manager/layout.h"

#define OWNER_BYTES 320

/* "process 1234 on host1": who it is may be on another machine, or in another container. */
static int in_use(int fd, const char *path, struct err *err)
{
	char owner[OWNER_BYTES];
	struct buf shown;
	ssize_t size = pread(fd, owner, sizeof(owner) - 1, 0);
	int rc;

	owner[size > 0 ? size : 0] = '\0';
	owner[strcspn(owner, "\n")] = '\0';
	buf_init(&shown, 4 * OWNER_BYTES);
	text_escape(&shown, owner, strlen(owner));
	rc = err_set(err, ERR_BUSY,
		     "a manager runs already on this data directory: %.200s is in use by %.200s; stop it "
		     "first",
		     path, owner[0] != '\0' ? buf_text(&shown) : "another process");
	buf_done(&shown);
	return rc;
}

static int write_owner(int fd, const char *path, struct err *err)
{
	char owner[OWNER_BYTES], host[254] = "";
	int length;

	if (gethostname(host, sizeof(host) - 1) != 0 || host[0] == '\0')
		snprintf(host, sizeof(host), "this machine");
	length = snprintf(owner, sizeof(owner), "process %ld on %s\n", (long)getpid(), host);
	if (ftruncate(fd, 0) != 0 || pwrite(fd, owner, (size_t)length, 0) != length)
		return err_errno(err, errno, "%s", path);
	return 0;
}

int run_lock_take(const char *directory, int *ret_fd, struct err *err)
{
	char path[LAYOUT_PATH_BYTES];
	int fd, rc = 0;

	if ((size_t)snprintf(path, sizeof(path), "%s/%s", directory, LAYOUT_RUN_LOCK) >= sizeof(path))
		return err_set(err, ERR_LIMIT, "the data directory's path is too long");
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return err_errno(err, errno, "%s", path);
	if (flock(fd, LOCK_EX | LOCK_NB) != 0)
		rc = errno == EWOULDBLOCK ? in_use(fd, path, err) : err_errno(err, errno, "%s", path);
	if (rc == 0)
		rc = write_owner(fd, path, err);
	if (rc != 0)
		close(fd);
	else
		*ret_fd = fd;
	return rc;
}
