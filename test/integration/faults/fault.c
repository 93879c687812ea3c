/* Loaded before libc into the programs under test, never part of them: makes
 * one call on a regular file fail, or the process end, at a chosen moment.
 *
 * MUSTER_FAULT is "ROLE CALLS NUMBER TIMES ACTION FILE":
 *   ROLE    the word after "role" on the command line; for the program itself its first word, such as "run"
 *   CALLS   "sync", "write", "rename" or "any"
 *   NUMBER  the first such call that is hit, counted from 1
 *   TIMES   how many are hit from there on
 *   ACTION  "kill", or an error's number
 *   FILE    arms the fault: the first process of this role that removes it has it
 * So a process that is started again does not meet the same fault again.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum calls { CALLS_SYNC = 1, CALLS_WRITE = 2, CALLS_RENAME = 4 };

static struct {
	bool armed;
	unsigned calls;
	long first, last;
	int error; /* 0: end the process */
	pid_t pid;
} fault;
static atomic_long count;

static bool is_role(const char *role)
{
	char line[4096];
	int fd = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
	ssize_t size = fd >= 0 ? read(fd, line, sizeof(line) - 1) : -1;
	const char *first, *second;

	if (fd >= 0)
		close(fd);
	if (size <= 0)
		return false;
	line[size] = '\0';
	first = line + strlen(line) + 1;
	if (first >= line + size)
		return false;
	second = first + strlen(first) + 1;
	if (strcmp(first, "role") == 0)
		return second < line + size && strcmp(second, role) == 0;
	return strcmp(first, role) == 0;
}

__attribute__((constructor)) static void arm(void)
{
	static const struct {
		const char *name;
		unsigned calls;
	} names[] = { { "sync", CALLS_SYNC }, { "write", CALLS_WRITE }, { "rename", CALLS_RENAME }, { "any", 7 } };
	const char *given = getenv("MUSTER_FAULT");
	char role[16], calls[16], action[16], file[256];
	long number, times;

	if (given == NULL ||
	    sscanf(given, "%15s %15s %ld %ld %15s %255s", role, calls, &number, &times, action, file) != 6)
		return;
	if (!is_role(role) || unlink(file) != 0)
		return;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(calls, names[i].name) == 0)
			fault.calls = names[i].calls;
	}
	fault.first = number;
	fault.last = number + times - 1;
	fault.error = (int)strtol(action, NULL, 10);
	fault.pid = getpid();
	fault.armed = true;
}

/* True when this call fails; errno is set. */
static bool hit(enum calls calls)
{
	long number;

	if (!fault.armed || (fault.calls & calls) == 0 || getpid() != fault.pid)
		return false;
	number = atomic_fetch_add(&count, 1) + 1;
	if (number < fault.first || number > fault.last)
		return false;
	if (fault.error == 0) /* as kill -9: nothing is flushed or told; a sandbox may forbid kill() */
		syscall(SYS_exit_group, 137);
	errno = fault.error;
	return true;
}

static bool is_file(int fd)
{
	struct stat facts;

	return fault.armed && fstat(fd, &facts) == 0 && S_ISREG(facts.st_mode);
}

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

int fsync(int fd)
{
	return hit(CALLS_SYNC) ? -1 : NEXT(fsync)(fd);
}

int fdatasync(int fd)
{
	return hit(CALLS_SYNC) ? -1 : NEXT(fdatasync)(fd);
}

ssize_t write(int fd, const void *bytes, size_t size)
{
	return is_file(fd) && hit(CALLS_WRITE) ? -1 : NEXT(write)(fd, bytes, size);
}

ssize_t pwrite64(int fd, const void *bytes, size_t size, off64_t offset)
{
	return is_file(fd) && hit(CALLS_WRITE) ? -1 : NEXT(pwrite64)(fd, bytes, size, offset);
}

int ftruncate64(int fd, off64_t size)
{
	return is_file(fd) && hit(CALLS_WRITE) ? -1 : NEXT(ftruncate64)(fd, size);
}

int rename(const char *from, const char *to)
{
	return hit(CALLS_RENAME) ? -1 : NEXT(rename)(from, to);
}

int renameat(int from_fd, const char *from, int to_fd, const char *to)
{
	return hit(CALLS_RENAME) ? -1 : NEXT(renameat)(from_fd, from, to_fd, to);
}

int renameat2(int from_fd, const char *from, int to_fd, const char *to, unsigned flags)
{
	return hit(CALLS_RENAME) ? -1 : NEXT(renameat2)(from_fd, from, to_fd, to, flags);
}

int unlinkat(int fd, const char *name, int flags)
{
	return hit(CALLS_RENAME) ? -1 : NEXT(unlinkat)(fd, name, flags);
}
