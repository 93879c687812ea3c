/* Whole files, atomic writes, directories, and walking trees. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
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

/* Directories in each other, each with the name "d", the first one in `directory`. */
static void make_deep(int directory, int depth)
{
	int fd = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	for (int i = 0; i < depth; i++) {
		int below;

		assert_int_equal(mkdirat(fd, "d", 0700), 0);
		below = openat(fd, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		assert_true(below >= 0);
		close(fd);
		fd = below;
	}
	close(fd);
}

static void remove_deep(const struct place *place)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf %s/d", place->path);
	assert_int_equal(system(command), 0);
}

static bool is_there(const struct place *place, const char *name)
{
	return faccessat(place->fd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/* "outside" is what links in "tree" name. */
static void make_tree(const struct place *place)
{
	assert_int_equal(mkdirat(place->fd, "outside", 0700), 0);
	assert_int_equal(files_write(place->fd, "outside/f", "x", 1, 0600, NULL), 0);
	assert_int_equal(mkdirat(place->fd, "tree", 0700), 0);
	assert_int_equal(mkdirat(place->fd, "tree/a", 0), 0);
	assert_int_equal(mkdirat(place->fd, "tree/b", 0700), 0);
	assert_int_equal(files_write(place->fd, "tree/b/f", "x", 1, 0, NULL), 0);
	assert_int_equal(symlinkat("../outside", place->fd, "tree/away"), 0);
	assert_int_equal(symlinkat("../../outside/f", place->fd, "tree/b/away"), 0);
	assert_int_equal(symlinkat("nowhere", place->fd, "tree/b/nowhere"), 0);
}

static void a_tree_is_removed_and_nothing_that_its_links_name(void **state)
{
	const struct place *place = *state;

	make_tree(place);
	files_remove_tree(place->fd, "tree");
	assert_false(is_there(place, "tree"));
	assert_true(is_there(place, "outside/f"));
	assert_int_equal(symlinkat("outside", place->fd, "link"), 0);
	files_remove_tree(place->fd, "link");
	assert_false(is_there(place, "link"));
	assert_true(is_there(place, "outside/f"));
	files_remove_tree(place->fd, "outside/f");
	assert_false(is_there(place, "outside/f"));
	files_remove_tree(place->fd, "nowhere");
}

static void all_but_one_entry_is_removed(void **state)
{
	const struct place *place = *state;
	int fd;

	make_tree(place);
	assert_int_equal(files_write(place->fd, "tree/f", "x", 1, 0600, NULL), 0);
	fd = openat(place->fd, "tree", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(fd >= 0);
	files_empty_but(fd, "f"); /* tree/b/f has that name, too, and is another */
	assert_true(is_there(place, "tree/f"));
	assert_false(is_there(place, "tree/a") || is_there(place, "tree/b") || is_there(place, "tree/away"));
	files_empty_directory(fd);
	assert_false(is_there(place, "tree/f"));
	close(fd);
}

static void what_is_too_deep_stays(void **state)
{
	const struct place *place = *state;

	make_deep(place->fd, FILES_DEPTH_MAX + 1);
	files_remove_tree(place->fd, "d");
	assert_true(is_there(place, "d"));
	remove_deep(place);
	make_deep(place->fd, FILES_DEPTH_MAX);
	files_remove_tree(place->fd, "d");
	assert_false(is_there(place, "d"));
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

	make_deep(place->fd, WALK_DEPTH_MAX + 10);
	assert_int_equal(walk_new(place->path, skip_named, (void *)(uintptr_t) "/none", &walk, NULL), 0);
	while ((step = walk_next(walk, &path, &st, NULL)) != WALK_END)
		errors += step == WALK_ERROR;
	walk_free(walk);
	assert_int_equal(errors, 1);
	remove_deep(place);
}

/* What an administrator put into a role's directory becomes the role's; what leads elsewhere does not. */
static void only_plain_files_are_given_away(void **state)
{
	const struct place *place = *state;
	const uid_t somebody = 60123;
	struct stat st;

	assert_int_equal(files_give(place->fd, "none", 0600, somebody, somebody, NULL), ERR_NOT_FOUND);
	assert_int_equal(files_write(place->fd, "copy", "x", 1, 0644, NULL), 0);
	if (geteuid() != 0) {
		assert_int_equal(files_give(place->fd, "copy", 0600, somebody, somebody, NULL), 0);
		return;
	}
	assert_int_equal(symlinkat("copy", place->fd, "link"), 0);
	assert_int_equal(linkat(place->fd, "copy", place->fd, "second", 0), 0);
	assert_int_equal(files_give(place->fd, "link", 0600, somebody, somebody, NULL), ERR_DENIED);
	assert_int_equal(files_give(place->fd, "copy", 0600, somebody, somebody, NULL), ERR_DENIED);
	assert_int_equal(fstatat(place->fd, "copy", &st, 0), 0);
	assert_int_equal(st.st_uid, 0);
	assert_int_equal(unlinkat(place->fd, "second", 0), 0);
	assert_int_equal(files_give(place->fd, "copy", 0600, somebody, somebody, NULL), 0);
	assert_int_equal(fstatat(place->fd, "copy", &st, 0), 0);
	assert_int_equal(st.st_uid, somebody);
	assert_int_equal(st.st_mode & 07777, 0600);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(writes_replace_whole),           TEST(links_are_not_followed),
		TEST(directories_get_their_mode),     TEST(only_plain_files_are_given_away),
		TEST(walks_regular_files_only),       TEST(walks_a_single_file_and_says_what_is_missing),
		TEST(walks_no_deeper_than_its_limit), TEST(a_tree_is_removed_and_nothing_that_its_links_name),
		TEST(all_but_one_entry_is_removed),   TEST(what_is_too_deep_stays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
