/* os/reach.h: a role user reaches a directory below a closed one, nobody else does. */
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "os/reach.h"

#define ROLE_USER 61234

static char closed[] = "/tmp/muster-reach-XXXXXX";
static char inside[64];

static int make_closed_directory(void **state)
{
	(void)state;
	if (mkdtemp(closed) == NULL)
		return -1;
	snprintf(inside, sizeof(inside), "%s/data", closed);
	if (mkdir(inside, 0700) != 0)
		return -1;
	return geteuid() == 0 ? chown(inside, ROLE_USER, ROLE_USER) : 0;
}

static int remove_closed_directory(void **state)
{
	(void)state;
	return rmdir(inside) == 0 && rmdir(closed) == 0 ? 0 : -1;
}

static void closed_parents_are_seen(void **state)
{
	bool allowed = true;

	(void)state;
	assert_int_equal(reach_allowed(inside, ROLE_USER, ROLE_USER, &allowed, NULL), 0);
	assert_false(allowed);
	assert_int_equal(reach_allowed("/usr/share", ROLE_USER, ROLE_USER, &allowed, NULL), 0);
	assert_true(allowed);
	assert_int_equal(reach_allowed("/nonexistent", ROLE_USER, ROLE_USER, &allowed, NULL), ERR_NOT_FOUND);
}

#define MOUNTS_NOT_ALLOWED 77

/* A container or a chroot may keep processes from having mounts of their own. */
static bool mounts_allowed(void)
{
	return unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
}

/* In a child, since the mount namespace and the user are the process's. */
static int write_as_role_user(void)
{
	char path[256], file[300];
	struct err err;
	FILE *out;

	if (!mounts_allowed())
		return MOUNTS_NOT_ALLOWED;
	if (reach_directory(inside, ROLE_USER, ROLE_USER, path, sizeof(path), &err) != 0) {
		fprintf(stderr, "%s\n", err.text);
		return 1;
	}
	if (setresgid(ROLE_USER, ROLE_USER, ROLE_USER) != 0 || setresuid(ROLE_USER, ROLE_USER, ROLE_USER) != 0)
		return 2;
	snprintf(file, sizeof(file), "%s/file", path);
	out = fopen(file, "we");
	if (out == NULL || fclose(out) != 0)
		return 3;
	return access(inside, F_OK) == 0 ? 4 : 0;
}

static void the_role_user_reaches_it_by_another_path(void **state)
{
	char file[100];
	int status;
	pid_t child;

	(void)state;
	if (geteuid() != 0)
		skip();
	child = fork();
	if (child == 0)
		_exit(write_as_role_user());
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == MOUNTS_NOT_ALLOWED)
		skip();
	assert_int_equal(WEXITSTATUS(status), 0);
	snprintf(file, sizeof(file), "%s/file", inside);
	assert_int_equal(unlink(file), 0);
}

static void an_open_directory_keeps_its_path(void **state)
{
	char path[64];

	(void)state;
	assert_int_equal(reach_directory("/usr/share", ROLE_USER, ROLE_USER, path, sizeof(path), NULL), 0);
	assert_string_equal(path, "/usr/share");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(closed_parents_are_seen),
		cmocka_unit_test(the_role_user_reaches_it_by_another_path),
		cmocka_unit_test(an_open_directory_keeps_its_path),
	};

	return cmocka_run_group_tests(tests, make_closed_directory, remove_closed_directory);
}
