/* Confinement as the kernel enforces it: each case in a child of its own. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "os/role.h"

/* Runs check() in a confined child; its exit status, 0 when all held. */
static int confined(const struct role_confinement *confinement, int (*check)(void))
{
	int status = -1;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		char missing[256];

		if (role_confine(confinement, missing, sizeof(missing), NULL) != 0)
			_exit(100);
		_exit(check());
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

static int check_nothing_allowed(void)
{
	if (socket(AF_INET, SOCK_STREAM, 0) >= 0 || errno != EPERM)
		return 1;
	if (open("/etc/passwd", O_RDONLY) >= 0)
		return 2;
	if (fork() >= 0)
		return 3;
	if (prctl(PR_GET_DUMPABLE) != 0)
		return 4;
	execl("/bin/true", "true", NULL);
	return errno == EPERM ? 0 : 5;
}

static void a_role_without_needs_can_do_nothing(void **state)
{
	const struct role_confinement confinement = { .name = "test",
						      .uid = geteuid() == 0 ? 61199 : geteuid(),
						      .gid = 61199 };

	(void)state;
	assert_int_equal(confined(&confinement, check_nothing_allowed), 0);
}

static char readable[64], writable[64];

static int check_paths(void)
{
	char path[96];
	int fd;

	fd = open(readable, O_RDONLY | O_DIRECTORY);
	if (fd < 0)
		return 1;
	if (openat(fd, "new", O_WRONLY | O_CREAT, 0600) >= 0)
		return 2;
	snprintf(path, sizeof(path), "%s/new", writable);
	fd = open(path, O_WRONLY | O_CREAT, 0600);
	if (fd < 0 || write(fd, "x", 1) != 1 || unlink(path) != 0)
		return 3;
	return open("/etc/passwd", O_RDONLY) < 0 && errno == EACCES ? 0 : 4;
}

static void files_are_reached_below_the_given_paths_only(void **state)
{
	const char *read_paths[] = { readable, NULL };
	const char *write_paths[] = { writable, "/nonexistent", NULL };
	const struct role_confinement confinement = { .name = "test",
						      .uid = geteuid(),
						      .capabilities = 1ULL << 1, /* CAP_DAC_OVERRIDE */
						      .needs = ROLE_FILES,
						      .read_paths = read_paths,
						      .write_paths = write_paths };

	(void)state;
	snprintf(readable, sizeof(readable), "/tmp/muster-role-XXXXXX");
	snprintf(writable, sizeof(writable), "/tmp/muster-role-XXXXXX");
	assert_non_null(mkdtemp(readable));
	assert_non_null(mkdtemp(writable));
	assert_int_equal(confined(&confinement, check_paths), 0);
	rmdir(readable);
	rmdir(writable);
}

static int check_user(void)
{
	if (geteuid() != 61199 || getegid() != 61199)
		return 1;
	return setuid(0) != 0 && chown("/tmp", 0, 0) != 0 ? 0 : 2;
}

static void root_is_given_up_for_good(void **state)
{
	const struct role_confinement confinement = {
		.name = "test", .uid = 61199, .gid = 61199, .needs = ROLE_FILES | ROLE_NETWORK
	};

	(void)state;
	if (geteuid() != 0)
		skip();
	assert_int_equal(confined(&confinement, check_user), 0);
}

static int check_capabilities(void)
{
	/* Kept: reading everything. Given up: changing owners. */
	int fd = open("/etc/shadow", O_RDONLY);

	if (fd < 0)
		return 1;
	return fchown(fd, 1, 1) != 0 && errno == EPERM ? 0 : 2;
}

static void only_listed_capabilities_stay(void **state)
{
	const struct role_confinement confinement = {
		.name = "test", .uid = 0, .capabilities = 1ULL << 2, .needs = ROLE_FILES
	};

	(void)state;
	if (geteuid() != 0)
		skip();
	assert_int_equal(confined(&confinement, check_capabilities), 0);
}

static int check_forbidden(void)
{
	(void)unshare(0);
	return (int)syscall(165 /* mount */, NULL, NULL, NULL, 0, NULL);
}

static void a_call_that_nobody_makes_ends_the_process(void **state)
{
	const struct role_confinement confinement = { .name = "test", .uid = geteuid(), .needs = ROLE_FILES };

	(void)state;
	assert_int_equal(confined(&confinement, check_forbidden), 1000 + SIGSYS);
}

static void a_role_gets_its_descriptors_and_no_others(void **state)
{
	static const char *const arguments[] = {
		"-c",
		"test \"$(ls /proc/self/fd | tr '\\n' ' ')\" = '0 1 2 3 4 5 ' || ls -l /proc/self/fd > /dev/stderr; "
		"echo through >&3; cat <&4 >&3",
		NULL
	};
	int leak = open("/dev/null", O_RDONLY); /* without close-on-exec, on purpose */
	int channel[2], extra[2];
	struct role_spawn spawn = { .program = "/bin/sh", .arguments = arguments, .fds = &extra[0], .fd_count = 1 };
	char text[64] = "";
	size_t size = 0;
	pid_t pid = 0;
	int status;

	(void)state;
	assert_true(leak >= 0);
	assert_int_equal(pipe2(channel, O_CLOEXEC), 0);
	assert_int_equal(pipe2(extra, O_CLOEXEC), 0);
	assert_int_equal(write(extra[1], "extra", 5), 5);
	close(extra[1]);
	spawn.channel_fd = channel[1];
	assert_int_equal(role_spawn(&spawn, &pid, NULL), 0);
	for (ssize_t got = 1; got > 0; size += (size_t)got)
		got = read(channel[0], text + size, sizeof(text) - 1 - size);
	assert_string_equal(text, "through\nextra");
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	close(channel[0]);
	close(extra[0]);
	close(leak);
}

static void a_program_that_is_not_there_is_said_at_once(void **state)
{
	int fds[2];
	struct role_spawn spawn = { .program = "/nonexistent/muster" };
	struct err err;
	pid_t pid;

	(void)state;
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	spawn.channel_fd = fds[1];
	assert_int_equal(role_spawn(&spawn, &pid, &err), ERR_NOT_FOUND);
	assert_non_null(strstr(err.text, "muster"));
	close(fds[0]);
	close(fds[1]);
}

static void users_by_name_and_number(void **state)
{
	struct err err;
	uid_t uid;
	gid_t gid;

	(void)state;
	assert_int_equal(role_user("root", &uid, &gid, &err), 0);
	assert_int_equal(uid, 0);
	assert_int_equal(role_user("61200", &uid, &gid, &err), 0);
	assert_int_equal(uid, 61200);
	assert_int_equal(gid, 61200);
	assert_int_equal(role_user("no-such-user", &uid, &gid, &err), ERR_NOT_FOUND);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_role_without_needs_can_do_nothing),
		cmocka_unit_test(files_are_reached_below_the_given_paths_only),
		cmocka_unit_test(root_is_given_up_for_good),
		cmocka_unit_test(only_listed_capabilities_stay),
		cmocka_unit_test(a_call_that_nobody_makes_ends_the_process),
		cmocka_unit_test(a_role_gets_its_descriptors_and_no_others),
		cmocka_unit_test(a_program_that_is_not_there_is_said_at_once),
		cmocka_unit_test(users_by_name_and_number),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
