/* Whole files, atomic writes, directories, and walking trees. */
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

#include "os/files.h"
#include "os/walk.h"

struct place {
	char path[64];
	int fd;
};

static int set_up(void **state)
{
	static struct place place;

	snprintf(place.path, sizeof(place.path), "/tmp/muster-files-XXXXXX");
	assert_non_null(mkdtemp(place.path));
	place.fd = open(place.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	*state = &place;
	return place.fd >= 0 ? 0 : -1;
}

static int tear_down(void **state)
{
	struct place *place = *state;

	files_empty_directory(place->fd);
	close(place->fd);
	return rmdir(place->path);
}

static void writes_replace_whole(void **state)
{
	const struct place *place = *state;
	struct buf content;
	struct stat st;

	buf_init(&content, 100);
	assert_int_equal(files_write(place->fd, "f", "first", 5, 0600, NULL), 0);
	assert_int_equal(files_write(place->fd, "f", "second", 6, 0640, NULL), 0);
	assert_int_equal(files_read(place->fd, "f", 100, &content, NULL), 0);
	assert_string_equal(buf_text(&content), "second");
	assert_int_equal(fstatat(place->fd, "f", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
	assert_int_equal(fstatat(place->fd, "f.tmp", &st, 0), -1);
	buf_reset(&content);
	assert_int_equal(files_read(place->fd, "f", 5, &content, NULL), ERR_LIMIT);
	assert_int_equal(files_read(place->fd, "none", 5, &content, NULL), ERR_NOT_FOUND);
	assert_int_equal(files_write(place->fd, "nodir/f", "x", 1, 0600, NULL), ERR_NOT_FOUND);
	assert_int_equal(files_remove(place->fd, "f", NULL), 0);
	assert_int_equal(files_remove(place->fd, "f", NULL), 0);
	buf_done(&content);
}

static void links_are_not_followed(void **state)
{
	const struct place *place = *state;
	struct buf content;
	struct stat st;
	char path[128];
	int fd;

	buf_init(&content, 100);
	assert_int_equal(files_write(place->fd, "f", "x", 1, 0600, NULL), 0);
	assert_int_equal(symlinkat("f", place->fd, "link"), 0);
	assert_int_equal(symlinkat("/tmp", place->fd, "away"), 0);
	assert_int_equal(mkfifoat(place->fd, "fifo", 0600), 0);
	assert_true(files_read(place->fd, "link", 100, &content, NULL) < 0);
	assert_int_equal(files_read(place->fd, "fifo", 100, &content, NULL), ERR_FORMAT);
	assert_true(files_make_directory(place->fd, "away", 0700, (uid_t)-1, (gid_t)-1, NULL, NULL) < 0);
	/* Writing replaces the link, not what it points to. */
	assert_int_equal(files_write(place->fd, "link", "new", 3, 0600, NULL), 0);
	assert_int_equal(fstatat(place->fd, "f", &st, 0), 0);
	assert_int_equal(st.st_size, 1);
	snprintf(path, sizeof(path), "%s/away/x", place->path);
	assert_int_equal(files_open_no_links(path, O_RDONLY, &fd, NULL), ERR_DENIED);
	snprintf(path, sizeof(path), "%s/f", place->path);
	assert_int_equal(files_open_no_links(path, O_RDONLY, &fd, NULL), 0);
	close(fd);
	buf_done(&content);
}

static void directories_get_their_mode(void **state)
{
	const struct place *place = *state;
	struct stat st;
	int fd = -1;

	assert_int_equal(files_make_directory(place->fd, "d", 0755, (uid_t)-1, (gid_t)-1, NULL, NULL), 0);
	assert_int_equal(files_make_directory(place->fd, "d", 0700, geteuid(), getegid(), &fd, NULL), 0);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	close(fd);
}

static bool skip_named(void *context, const char *path, const struct stat *st)
{
	(void)st;
	return strcmp(strrchr(path, '/'), context) == 0;
}

static void walks_regular_files_only(void **state)
{
	const struct place *place = *state;
	struct walk *walk = NULL;
	enum walk_step step;
	unsigned files = 0, errors = 0;
	struct stat st;
	const char *path;

	assert_int_equal(mkdirat(place->fd, "a", 0700), 0);
	assert_int_equal(mkdirat(place->fd, "a/b", 0700), 0);
	assert_int_equal(mkdirat(place->fd, "left-out", 0700), 0);
	assert_int_equal(files_write(place->fd, "1", "x", 1, 0600, NULL), 0);
	assert_int_equal(files_write(place->fd, "a/2", "x", 1, 0600, NULL), 0);
	assert_int_equal(files_write(place->fd, "a/b/3", "x", 1, 0600, NULL), 0);
	assert_int_equal(files_write(place->fd, "left-out/4", "x", 1, 0600, NULL), 0);
	assert_int_equal(symlinkat("..", place->fd, "a/up"), 0);
	assert_int_equal(mkfifoat(place->fd, "fifo", 0600), 0);
	assert_int_equal(walk_new(place->path, skip_named, (void *)(uintptr_t) "/left-out", &walk, NULL), 0);
	while ((step = walk_next(walk, &path, &st, NULL)) != WALK_END) {
		files += step == WALK_FILE;
		errors += step == WALK_ERROR;
		if (step == WALK_FILE)
			assert_int_equal(strncmp(path, place->path, strlen(place->path)), 0);
	}
	walk_free(walk);
	assert_int_equal(files, 3);
	assert_int_equal(errors, 0);
}

static void walks_a_single_file_and_says_what_is_missing(void **state)
{
	const struct place *place = *state;
	struct walk *walk = NULL;
	char path[128];
	const char *found;
	struct stat st;

	assert_int_equal(files_write(place->fd, "1", "x", 1, 0600, NULL), 0);
	snprintf(path, sizeof(path), "%s/1", place->path);
	assert_int_equal(walk_new(path, skip_named, (void *)(uintptr_t) "/none", &walk, NULL), 0);
	assert_int_equal(walk_next(walk, &found, &st, NULL), WALK_FILE);
	assert_string_equal(found, path);
	assert_int_equal(walk_next(walk, &found, &st, NULL), WALK_END);
	walk_free(walk);
	snprintf(path, sizeof(path), "%s/2", place->path);
	assert_int_equal(walk_new(path, skip_named, (void *)(uintptr_t) "/none", &walk, NULL), ERR_NOT_FOUND);
}

/* Deeper than a path may be long: told once, not followed for ever. */
static void walks_no_deeper_than_its_limit(void **state)
{
	const struct place *place = *state;
	struct walk *walk = NULL;
	enum walk_step step;
	unsigned errors = 0;
	const char *path;
	struct stat st;
	int fd = openat(place->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	for (int i = 0; i < WALK_DEPTH_MAX + 10; i++) {
		int below;

		assert_int_equal(mkdirat(fd, "d", 0700), 0);
		below = openat(fd, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		assert_true(below >= 0);
		close(fd);
		fd = below;
	}
	close(fd);
	assert_int_equal(walk_new(place->path, skip_named, (void *)(uintptr_t) "/none", &walk, NULL), 0);
	while ((step = walk_next(walk, &path, &st, NULL)) != WALK_END)
		errors += step == WALK_ERROR;
	walk_free(walk);
	assert_int_equal(errors, 1);
	{
		char command[128];

		snprintf(command, sizeof(command), "rm -rf %s/d", place->path);
		assert_int_equal(system(command), 0);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(writes_replace_whole),
		TEST(links_are_not_followed),
		TEST(directories_get_their_mode),
		TEST(walks_regular_files_only),
		TEST(walks_a_single_file_and_says_what_is_missing),
		TEST(walks_no_deeper_than_its_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
