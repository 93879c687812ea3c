/* Starting roles, and the order in which a role gives up what it does not need. */
#include "os/role.h"

#include <cap-ng.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/units.h"
#include "os/landlock.h"
#include "os/syscalls.h"

#define SPAWN_ARGUMENTS_MAX 32
#define SPAWN_FDS_MAX       16
#define FDS_ABOVE           64 /* descriptors wait here before they get their numbers */

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif

#ifdef SANITIZED
/* The leak check at exit needs ptrace, which a confined role has given up. */
static int leaks_unchecked;
int __lsan_is_turned_off(void);
int __lsan_is_turned_off(void)
{
	return leaks_unchecked;
}
#endif

/* In the child: only async-signal-safe calls until exec. Reports errno on `report`. */
static void exec_child(const struct role_spawn *spawn, char *const *arguments, pid_t parent, int report)
{
	const char *program = spawn->program != NULL ? spawn->program : "/proc/self/exe";
	int above[1 + SPAWN_FDS_MAX];
	sigset_t none;
	int error;

	sigemptyset(&none);
	for (int s = 1; s < NSIG; s++)
		(void)signal(s, SIG_DFL);
	sigprocmask(SIG_SETMASK, &none, NULL);
	/* A role does not outlive who started it. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent)
		goto fail;
	report = fcntl(report, F_DUPFD_CLOEXEC, FDS_ABOVE);
	for (size_t i = 0; i < 1 + spawn->fd_count; i++) {
		above[i] = fcntl(i == 0 ? spawn->channel_fd : spawn->fds[i - 1], F_DUPFD_CLOEXEC, FDS_ABOVE);
		if (above[i] < 0)
			goto fail;
	}
	for (size_t i = 0; i < 1 + spawn->fd_count; i++) {
		if (dup2(above[i], ROLE_CHANNEL_FD + (int)i) < 0)
			goto fail;
	}
	/* Whatever others left open without close-on-exec ends here; the rest closes by itself. */
	if (close_range(ROLE_CHANNEL_FD + 1 + (unsigned)spawn->fd_count, ~0U, CLOSE_RANGE_CLOEXEC) != 0)
		goto fail;
	execv(program, arguments);
fail:
	error = errno;
	(void)!write(report, &error, sizeof(error));
	_exit(127);
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash != NULL ? slash + 1 : path;
}

static int own_path(char *path, size_t capacity, struct err *err)
{
	ssize_t length = readlink("/proc/self/exe", path, capacity - 1);

	if (length < 0)
		return err_errno(err, errno, "own path");
	path[length] = '\0';
	return 0;
}

static int fill_arguments(const struct role_spawn *spawn, const char *name, char **arguments, struct err *err)
{
	size_t count = 1;

	arguments[0] = (char *)(uintptr_t)name;
	for (size_t i = 0; spawn->arguments != NULL && spawn->arguments[i] != NULL; i++) {
		if (count == SPAWN_ARGUMENTS_MAX)
			return err_set(err, ERR_LIMIT, "%s: too many arguments", name);
		arguments[count++] = (char *)(uintptr_t)spawn->arguments[i];
	}
	arguments[count] = NULL;
	return 0;
}

int role_spawn(const struct role_spawn *spawn, pid_t *ret_pid, struct err *err)
{
	char *arguments[SPAWN_ARGUMENTS_MAX + 1];
	char own[4096];
	const char *name;
	int report[2];
	int error = 0;
	pid_t parent = getpid();
	pid_t pid;
	int code = own_path(own, sizeof(own), err);

	if (code != 0)
		return code;
	name = base_name(spawn->program != NULL ? spawn->program : own);
	code = spawn->fd_count <= SPAWN_FDS_MAX ? fill_arguments(spawn, name, arguments, err)
						: err_set(err, ERR_LIMIT, "too many descriptors");
	if (code != 0)
		return code;
	if (pipe2(report, O_CLOEXEC) != 0)
		return err_errno(err, errno, "pipe");
	pid = fork();
	if (pid == 0)
		exec_child(spawn, arguments, parent, report[1]);
	code = pid < 0 ? err_errno(err, errno, "fork") : 0;
	close(report[1]);
	/* End of file: exec closed the pipe. */
	if (pid > 0 && read(report[0], &error, sizeof(error)) == (ssize_t)sizeof(error)) {
		waitpid(pid, NULL, 0);
		code = err_errno(err, error, "start %s", name);
	}
	close(report[0]);
	if (code != 0)
		return code;
	close(spawn->channel_fd);
	*ret_pid = pid;
	return 0;
}

int role_sibling(const char *name, char *path, size_t capacity, struct err *err)
{
	char own[4096];
	char *slash;
	int code = own_path(own, sizeof(own), err);

	if (code != 0)
		return code;
	slash = strrchr(own, '/');
	if (slash != NULL)
		*slash = '\0';
	if ((size_t)snprintf(path, capacity, "%s/%s", own, name) >= capacity)
		return err_set(err, ERR_LIMIT, "the program's path is too long");
	return 0;
}

int role_user(const char *text, uid_t *ret_uid, gid_t *ret_gid, struct err *err)
{
	char room[16384];
	struct passwd entry, *found = NULL;
	uint64_t number;

	if (number_parse(text, 0, UINT32_MAX - 1, &number, NULL) == 0) {
		*ret_uid = (uid_t)number;
		*ret_gid = (gid_t)number;
		return 0;
	}
	if (getpwnam_r(text, &entry, room, sizeof(room), &found) != 0 || found == NULL)
		return err_set(err, ERR_NOT_FOUND, "there is no user '%.64s' on this computer", text);
	*ret_uid = entry.pw_uid;
	*ret_gid = entry.pw_gid;
	return 0;
}

/* ---- confinement: each step notes in `missing` what it could not have ---- */

static void note(char *missing, size_t capacity, const char *what)
{
	size_t length = strlen(missing);

	snprintf(missing + length, capacity - length, "%s%s", length > 0 ? ", " : "", what);
}

static void limit_resources(const struct role_confinement *confinement, char *missing, size_t capacity)
{
	struct rlimit none = { 0, 0 };

	if (setrlimit(RLIMIT_CORE, &none) != 0)
		note(missing, capacity, "no core files");
	if (confinement->memory_max_bytes == 0)
		return;
#ifdef SANITIZED
	note(missing, capacity, "memory limit (sanitizer build)");
#else
	struct rlimit memory = { confinement->memory_max_bytes, confinement->memory_max_bytes };

	if (setrlimit(RLIMIT_AS, &memory) != 0)
		note(missing, capacity, "memory limit");
#endif
}

static void leave_namespaces(const struct role_confinement *confinement, char *missing, size_t capacity)
{
	static bool left; /* a child inherits what its parent left */

	if ((confinement->needs & (ROLE_NETWORK | ROLE_EXECUTE)) != 0 || left)
		return;
	if (unshare(CLONE_NEWNET) != 0)
		note(missing, capacity, "network namespace");
	else
		left = true;
	if (unshare(CLONE_NEWIPC | CLONE_NEWUTS) != 0)
		note(missing, capacity, "IPC namespace");
}

static int keep_capabilities(uint64_t capabilities, struct err *err)
{
	capng_clear(CAPNG_SELECT_ALL);
	for (unsigned i = 0; i < 64; i++) {
		if ((capabilities >> i & 1) != 0)
			capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED | CAPNG_BOUNDING_SET, i);
	}
	if (capng_apply(CAPNG_SELECT_ALL) != 0)
		return err_set(err, ERR_DENIED, "cannot reduce the capabilities");
	return 0;
}

static int drop_user(uid_t uid, gid_t gid, struct err *err)
{
	capng_clear(CAPNG_SELECT_BOUNDS);
	if (capng_apply(CAPNG_SELECT_BOUNDS) != 0)
		return err_set(err, ERR_DENIED, "cannot reduce the bounding set");
	if (setgroups(0, NULL) != 0 || setresgid(gid, gid, gid) != 0 || setresuid(uid, uid, uid) != 0)
		return err_errno(err, errno, "become user %u", uid);
	if (setuid(0) == 0 || geteuid() != uid || getegid() != gid)
		return err_set(err, ERR_DENIED, "user %u could become root again", uid);
	return 0;
}

/* Changing user clears the parent-death signal; put it back. */
static int change_user(const struct role_confinement *confinement, char *missing, size_t capacity, struct err *err)
{
	int death_signal = 0;
	int code = 0;

	(void)prctl(PR_GET_PDEATHSIG, &death_signal);
	if (geteuid() != 0) {
		if (confinement->uid != geteuid())
			note(missing, capacity, "own user (not started as root)");
		return 0;
	}
	if (confinement->uid != 0)
		code = drop_user(confinement->uid, confinement->gid, err);
	else
		code = keep_capabilities(confinement->capabilities, err);
	if (code == 0 && death_signal != 0 && prctl(PR_SET_PDEATHSIG, death_signal) != 0)
		code = err_errno(err, errno, "parent-death signal");
	return code;
}

int role_confine(const struct role_confinement *confinement, char *ret_missing, size_t capacity, struct err *err)
{
	int code;

	ret_missing[0] = '\0';
	limit_resources(confinement, ret_missing, capacity);
	leave_namespaces(confinement, ret_missing, capacity);
	code = change_user(confinement, ret_missing, capacity, err);
	if (code != 0)
		return err_add(err, code, "role %s", confinement->name);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
		return err_errno(err, errno, "role %s: no new privileges", confinement->name);
	if (landlock_restrict(confinement, NULL) != 0)
		note(ret_missing, capacity, "Landlock");
	code = syscalls_restrict(confinement->needs, err);
	if (code != 0)
		return err_add(err, code, "role %s", confinement->name);
#ifdef SANITIZED
	leaks_unchecked = 1;
#endif
	return 0;
}
