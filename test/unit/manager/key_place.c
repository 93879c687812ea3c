/* The place of a key's file: what is news there, what is said of it, and what is never written over. */
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

#include "manager/keys/key_place.h"
#include "trust/secret_file.h"

#define NAME "a.key"

static char directory[64];
static struct key_place place;

static const char *path(const char *more)
{
	static char text[2][128];
	static size_t turn;

	turn = 1 - turn;
	snprintf(text[turn], sizeof(text[turn]), "%s/" NAME "%s", directory, more);
	return text[turn];
}

static void put(const char *more, const char *text)
{
	assert_int_equal(secret_file_write(path(more), text, strlen(text), 0600, NULL), 0);
}

static void holds(const char *more, const char *text)
{
	struct buf bytes;

	buf_init(&bytes, SECRET_FILE_MAX_BYTES);
	assert_int_equal(secret_file_read(path(more), true, &bytes, NULL), 0);
	assert_string_equal(buf_text(&bytes), text);
	buf_done(&bytes);
}

/* As the key's owner reads it at the start. */
static int setup(void **state)
{
	(void)state;
	snprintf(directory, sizeof(directory), "/tmp/muster-place-XXXXXX");
	assert_non_null(mkdtemp(directory));
	put("", "the key");
	key_place_begin(&place, directory, NAME);
	place.held = true;
	return 0;
}

static int teardown(void **state)
{
	static const char *const names[] = { "", ".replaced", ".replaced.2", ".replaced.3", ".aside" };

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		(void)remove(path(names[i]));
	return rmdir(directory);
}

/* The first look sees that it is another one, the second one that nobody is at it. */
static void is_news(void)
{
	assert_false(key_place_is_news(&place));
	assert_true(key_place_is_news(&place));
}

static void is_judged(const char *because)
{
	is_news();
	assert_int_equal(key_place_judge(&place, NULL), 0);
	if (because == NULL)
		assert_string_equal(place.why, "");
	else if (strstr(place.why, because) == NULL || strncmp(place.why, NAME, strlen(NAME)) != 0)
		fail_msg("expected %s: %s", because, place.why);
	assert_false(key_place_is_news(&place));
}

static void what_is_wrong_is_said(void **state)
{
	(void)state;
	assert_false(key_place_is_news(&place));
	assert_int_equal(rename(path(""), path(".aside")), 0);
	is_judged("No such file");
	put("", "");
	is_judged("does not hold");
	put("", "another");
	is_judged("does not hold");
	put("", "the key");
	is_judged(NULL);
	assert_int_equal(chmod(path(""), 0640), 0);
	is_judged("make it 0600");
	assert_int_equal(unlink(path("")), 0);
	assert_int_equal(symlink(path(".aside"), path("")), 0);
	is_judged("");
	assert_string_not_equal(place.why, "");
	assert_int_equal(unlink(path("")), 0);
	assert_int_equal(mkdir(path(""), 0700), 0);
	is_judged("not a regular file");
	assert_int_equal(rmdir(path("")), 0);
	assert_int_equal(rename(path(".aside"), path("")), 0);
	is_judged(NULL);
}

static void whoever_writes_is_not_interrupted(void **state)
{
	(void)state;
	put("", "an");
	assert_false(key_place_is_news(&place));
	put("", "anoth");
	assert_false(key_place_is_news(&place));
	put("", "the key");
	is_judged(NULL);
}

static void what_is_not_ours_is_not_written_over(void **state)
{
	struct err err = { 0 };
	struct buf bytes;

	(void)state;
	assert_int_equal(key_place_clear(&place, NULL), 0);
	put("", "another"); /* not looked at yet */
	assert_int_equal(key_place_clear(&place, &err), ERR_CONFLICT);
	assert_non_null(strstr(err.text, "cert rewrite --force"));
	assert_int_equal(key_place_make_way(&place, false, &err), ERR_CONFLICT);
	assert_non_null(strstr(err.text, "--force"));
	holds("", "another");
	assert_int_equal(key_place_make_way(&place, true, NULL), 0);
	assert_int_not_equal(access(path(""), F_OK), 0);
	holds(".replaced", "another");
	assert_int_equal(key_place_clear(&place, NULL), 0); /* there is nothing */
	assert_int_equal(key_place_make_way(&place, false, NULL), 0);
	/* After a failure that came behind the rename it is there, and ours. */
	buf_init(&bytes, 64);
	buf_append_text(&bytes, "the next");
	put("", "the next");
	key_place_written(&place, &bytes, ERR_IO);
	is_judged("does not hold");
	assert_int_equal(key_place_clear(&place, NULL), 0);
	key_place_written(&place, &bytes, 0);
	assert_string_equal(place.why, "");
	assert_false(key_place_is_news(&place));
	buf_done(&bytes);
}

static void nothing_that_was_set_aside_is_lost(void **state)
{
	static const char *const names[] = { ".replaced", ".replaced.2", ".replaced.3" };
	struct err err = { 0 };
	char text[16];

	(void)state;
	place.held = false;
	for (int i = 0; i < 3; i++) {
		snprintf(text, sizeof(text), "number %d", i);
		put("", text);
		assert_int_equal(key_place_clear(&place, NULL), 0);
		holds(names[i], text);
	}
	holds(names[0], "number 0");
	assert_int_equal(key_place_clear(&place, NULL), 0);
	for (int i = 4; i <= 9; i++) {
		snprintf(text, sizeof(text), ".replaced.%d", i);
		put(text, "taken");
	}
	put("", "one more");
	assert_int_equal(key_place_clear(&place, &err), ERR_LIMIT);
	holds("", "one more");
	for (int i = 4; i <= 9; i++) {
		snprintf(text, sizeof(text), ".replaced.%d", i);
		assert_int_equal(unlink(path(text)), 0);
	}
}

/* The supervisor opens what this role may not read. */
static void opened_by_another(const char *because)
{
	key_place_judge_opened(&place, open(path(""), O_RDONLY | O_CLOEXEC));
	if (because == NULL)
		assert_string_equal(place.why, "");
	else
		assert_non_null(strstr(place.why, because));
}

static void one_that_was_opened_is_judged_alike(void **state)
{
	(void)state;
	put("", "another");
	is_news();
	opened_by_another("does not hold");
	assert_false(key_place_is_news(&place));
	put("", "the key");
	opened_by_another("does not hold"); /* not the one that was asked for: as it was */
	is_news();
	opened_by_another(NULL);
	assert_int_equal(chmod(path(""), 0604), 0);
	is_news();
	opened_by_another("make it 0600");
	put("", "the key");
	is_news();
	key_place_give_up(&place, "nobody may read it");
	assert_string_equal(place.why, NAME ": nobody may read it");
	assert_false(key_place_is_news(&place));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(what_is_wrong_is_said),
		TEST(whoever_writes_is_not_interrupted),
		TEST(what_is_not_ours_is_not_written_over),
		TEST(nothing_that_was_set_aside_is_lost),
		TEST(one_that_was_opened_is_judged_alike),
	};

	return cmocka_run_group_tests_name("unit/manager/key_place", tests, NULL, NULL);
}
