/* Files that are whole or not there, and what was there before. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "cli/kept_file.h"
#include "os/files.h"

static char directory[] = "/tmp/muster-kept-XXXXXX";
static char path[64], other[64];

static int set_up(void **state)
{
	(void)state;
	strcpy(directory + strlen(directory) - 6, "XXXXXX");
	if (mkdtemp(directory) == NULL)
		return -1;
	snprintf(path, sizeof(path), "%s/kept", directory);
	snprintf(other, sizeof(other), "%s/other", directory);
	return 0;
}

static int tear_down(void **state)
{
	int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	(void)state;
	files_empty_directory(fd);
	close(fd);
	return rmdir(directory);
}

/* What a file holds; "" when there is none. */
static const char *content(const char *name)
{
	static struct buf text;

	buf_done(&text);
	buf_init(&text, 1000);
	(void)files_read(AT_FDCWD, name, 1000, &text, NULL);
	return buf_text(&text);
}

/* How many names there are. */
static unsigned names(void)
{
	char command[128];
	unsigned count = 0;
	FILE *listed;

	snprintf(command, sizeof(command), "ls -A %s | wc -l", directory);
	listed = popen(command, "re");
	assert_non_null(listed);
	assert_int_equal(fscanf(listed, "%u", &count), 1);
	pclose(listed);
	return count;
}

static void it_is_there_when_it_is_whole(void **state)
{
	struct kept_file file;
	struct stat facts;

	(void)state;
	assert_int_equal(kept_file_open(&file, path, 0600, 0, NULL), 0);
	assert_int_equal(kept_file_write(&file, "one", 3, NULL), 0);
	assert_int_equal(access(path, F_OK), -1);
	assert_int_equal(kept_file_write(&file, "two", 3, NULL), 0);
	assert_int_equal(kept_file_close(&file, 0, NULL), 0);
	assert_string_equal(content(path), "onetwo");
	assert_int_equal(stat(path, &facts), 0);
	assert_int_equal(facts.st_mode & 07777, 0600);
	assert_int_equal(names(), 1);
}

static void one_that_is_there_stays(void **state)
{
	struct err err = { 0 };
	struct kept_file file;

	(void)state;
	assert_int_equal(kept_file_make(path, "old", 3, 0600, 0, NULL), 0);
	assert_int_equal(kept_file_open(&file, path, 0600, 0, &err), ERR_EXISTS);
	assert_non_null(strstr(err.text, "--force"));
	assert_int_equal(kept_file_make(path, "new", 3, 0600, 0, NULL), ERR_EXISTS);
	assert_string_equal(content(path), "old");
	/* And one that comes while it is written. */
	assert_int_equal(kept_file_open(&file, other, 0600, 0, NULL), 0);
	assert_int_equal(kept_file_write(&file, "mine", 4, NULL), 0);
	assert_int_equal(kept_file_make(other, "theirs", 6, 0600, 0, NULL), 0);
	assert_int_equal(kept_file_close(&file, 0, &err), ERR_EXISTS);
	assert_string_equal(content(other), "theirs");
	assert_int_equal(names(), 2);
}

static void what_fails_leaves_the_old_one(void **state)
{
	struct kept_file file;

	(void)state;
	assert_int_equal(kept_file_make(path, "old", 3, 0600, 0, NULL), 0);
	assert_int_equal(kept_file_open(&file, path, 0600, KEPT_REPLACE, NULL), 0);
	assert_int_equal(kept_file_write(&file, "half", 4, NULL), 0);
	assert_string_equal(content(path), "old");
	assert_int_equal(kept_file_close(&file, ERR_CLOSED, NULL), ERR_CLOSED);
	assert_string_equal(content(path), "old");
	assert_int_equal(names(), 1);
	assert_int_equal(kept_file_make(path, "new", 3, 0644, KEPT_REPLACE, NULL), 0);
	assert_string_equal(content(path), "new");
	assert_int_equal(names(), 1);
}

static void links_are_followed_or_refused(void **state)
{
	(void)state;
	assert_int_equal(kept_file_make(other, "old", 3, 0600, 0, NULL), 0);
	assert_int_equal(symlink(other, path), 0);
	assert_int_equal(kept_file_make(path, "new", 3, 0600, KEPT_FOLLOW, NULL), ERR_EXISTS);
	assert_int_not_equal(kept_file_make(path, "new", 3, 0600, KEPT_REPLACE, NULL), 0);
	assert_string_equal(content(other), "old");
	assert_int_equal(kept_file_make(path, "new", 3, 0600, KEPT_REPLACE | KEPT_FOLLOW, NULL), 0);
	assert_string_equal(content(other), "new");
	assert_int_equal(names(), 2);
}

static void what_is_no_file_stays_what_it_is(void **state)
{
	struct stat facts;

	(void)state;
	assert_int_equal(kept_file_make("/dev/null", "x", 1, 0600, KEPT_REPLACE, NULL), 0);
	assert_int_equal(stat("/dev/null", &facts), 0);
	assert_true(S_ISCHR(facts.st_mode));
	assert_int_equal(kept_file_make("/dev/full", "x", 1, 0600, KEPT_REPLACE, NULL), ERR_SPACE);
	assert_int_equal(kept_file_make(directory, "x", 1, 0600, 0, NULL), ERR_EXISTS);
	assert_int_not_equal(kept_file_make(directory, "x", 1, 0600, KEPT_REPLACE, NULL), 0);
	snprintf(other, sizeof(other), "%s/not/there", directory);
	assert_int_equal(kept_file_make(other, "x", 1, 0600, 0, NULL), ERR_NOT_FOUND);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(it_is_there_when_it_is_whole, set_up, tear_down),
		cmocka_unit_test_setup_teardown(one_that_is_there_stays, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_fails_leaves_the_old_one, set_up, tear_down),
		cmocka_unit_test_setup_teardown(links_are_followed_or_refused, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_is_no_file_stays_what_it_is, set_up, tear_down),
	};

	return cmocka_run_group_tests_name("kept_file", tests, NULL, NULL);
}
