/* store/store.h: opening, migrating, refusing, and dying in the middle. */
#include "fixture.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

static int begin(void **state)
{
	static struct fixture fixture;

	fixture_begin(&fixture);
	*state = &fixture;
	return 0;
}

static int end(void **state)
{
	fixture_end(*state);
	return 0;
}

static void reopen_with(struct fixture *fixture, size_t migrations)
{
	store_close(fixture->store);
	fixture->store = NULL;
	fixture->options.migration_count = migrations;
	fixture_open(fixture);
}

static int dump_schema(struct store_session *session, void *argument, struct err *err)
{
	struct cursor *cursor =
	    cursor_open_text(session, "SELECT coalesce(sql, name) AS sql FROM sqlite_schema ORDER BY type, name");

	while (cursor_next(cursor))
		buf_printf(argument, "%s\n", cursor_text(cursor, "sql"));
	return cursor_end(cursor, err);
}

static void schema_of(struct fixture *fixture, struct buf *schema)
{
	buf_init(schema, 100000);
	assert_int_equal(store_read(fixture->store, dump_schema, schema, NULL), 0);
}

static void migrating_equals_a_fresh_schema(void **state)
{
	struct fixture *fixture = *state, fresh;
	struct buf migrated, made;
	struct item item = { .id = 1, .name = "kept" };
	struct stat st;
	char copy[100];

	fixture_open(fixture);
	assert_int_equal(store_write_wait(fixture->store, insert_item, &item, NULL), 0);
	reopen_with(fixture, 2);
	reopen_with(fixture, 3);
	schema_of(fixture, &migrated);
	assert_int_equal(items_of(fixture->store), 1);

	fixture_begin(&fresh);
	fresh.options.migration_count = 3;
	fixture_open(&fresh);
	schema_of(&fresh, &made);
	assert_string_equal(buf_text(&migrated), buf_text(&made));

	/* The copies are databases as they were, and nobody else's to read. */
	snprintf(copy, sizeof(copy), "%s.before-2", fixture->path);
	assert_int_equal(stat(copy, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	snprintf(copy, sizeof(copy), "%s.before-3", fixture->path);
	assert_int_equal(access(copy, F_OK), 0);
	snprintf(copy, sizeof(copy), "%s.before-1", fresh.path);
	assert_int_not_equal(access(copy, F_OK), 0);

	store_close(fresh.store);
	fresh.store = NULL;
	fresh.options.migration_count = 1;
	snprintf(copy, sizeof(copy), "%s.before-2", fixture->path);
	fresh.options.path = copy;
	fixture_open(&fresh);
	assert_int_equal(items_of(fresh.store), 1);
	fixture_end(&fresh);
	buf_done(&migrated);
	buf_done(&made);
}

static void a_failing_migration_changes_nothing(void **state)
{
	static const struct store_migration broken[] = {
		{ 1, "first", "CREATE TABLE item (id INTEGER PRIMARY KEY, name TEXT UNIQUE, data BLOB) STRICT;" },
		{ 2, "second", "CREATE TABLE good (id INTEGER) STRICT;" },
		{ 3, "third", "CREATE TABLE bad (id INTEGER) STRICT; INSERT INTO missing VALUES (1);" },
	};
	struct fixture *fixture = *state;
	struct buf before, after;
	struct err err;

	fixture_open(fixture);
	schema_of(fixture, &before);
	store_close(fixture->store);
	fixture->store = NULL;
	fixture->options.migrations = broken;
	fixture->options.migration_count = 3;
	assert_int_equal(store_open(&fixture->options, &fixture->store, &err), ERR_INTERNAL);
	assert_non_null(strstr(err.text, "migration 3 (third): database: no such table: missing"));
	reopen_with(fixture, 1);
	schema_of(fixture, &after);
	assert_string_equal(buf_text(&before), buf_text(&after));
	buf_done(&before);
	buf_done(&after);
}

static void a_newer_schema_is_refused(void **state)
{
	struct fixture *fixture = *state;
	struct err err;

	fixture->options.migration_count = 2;
	fixture_open(fixture);
	store_close(fixture->store);
	fixture->store = NULL;
	fixture->options.migration_count = 1;
	assert_int_equal(store_open(&fixture->options, &fixture->store, &err), ERR_VERSION);
	assert_non_null(strstr(err.text, "newer than this program's 1"));
}

static void another_owner_is_named(void **state)
{
	struct fixture *fixture = *state;
	struct store *second = NULL;
	char expected[64];
	struct err err;

	assert_int_equal(store_check_free(fixture->path, &err), 0);
	fixture_open(fixture);
	assert_int_equal(store_open(&fixture->options, &second, &err), ERR_BUSY);
	snprintf(expected, sizeof(expected), "is in use by process %ld (", (long)getpid());
	assert_non_null(strstr(err.text, expected));
	assert_null(second);
	assert_int_equal(store_check_free(fixture->path, &err), ERR_BUSY);
	assert_non_null(strstr(err.text, expected));
	store_close(fixture->store);
	fixture->store = NULL;
	assert_int_equal(store_check_free(fixture->path, &err), 0);
}

static void a_guest_writes_beside_the_owner(void **state)
{
	struct fixture *fixture = *state;
	struct store_options options;
	struct item item = { .id = 1 };
	struct store *guest;
	struct err err;

	fixture->options.migration_count = 2;
	fixture_open(fixture);
	options = fixture->options;
	options.guest = true;
	assert_int_equal(store_open(&options, &guest, &err), 0);
	assert_int_equal(store_write_wait(guest, insert_item, &item, &err), 0);
	assert_int_equal(items_of(fixture->store), 1);
	store_close(guest);
	options.migration_count = 3;
	assert_int_equal(store_open(&options, &guest, &err), ERR_VERSION);
	assert_non_null(strstr(err.text, "start the manager once"));
}

static void overwrite(const char *path, off_t offset, size_t size)
{
	char junk[8192];
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	memset(junk, 0x5a, sizeof(junk));
	assert_true(fd >= 0 && size <= sizeof(junk));
	assert_int_equal(pwrite(fd, junk, size, offset), (ssize_t)size);
	close(fd);
}

static void fill_and_close(struct fixture *fixture)
{
	static const char fill[] = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000) "
				   "INSERT INTO item (id, name) SELECT i, 'name ' || i FROM n";
	struct store_migration migrations[] = { fixture_migrations[0], { 2, "fill", fill } };

	fixture->options.migrations = migrations;
	fixture->options.migration_count = 2;
	fixture_open(fixture);
	store_close(fixture->store);
	fixture->store = NULL;
	fixture->options.migrations = fixture_migrations;
}

static void damaged_files_are_refused(void **state)
{
	struct fixture *fixture = *state;
	struct stat st;
	struct err err;

	fill_and_close(fixture);
	assert_int_equal(stat(fixture->path, &st), 0);
	overwrite(fixture->path, st.st_size / 2, 4096);
	assert_int_equal(store_open(&fixture->options, &fixture->store, &err), ERR_FORMAT);
	assert_non_null(strstr(err.text, "restore a backup"));

	assert_int_equal(truncate(fixture->path, st.st_size / 2), 0);
	assert_int_equal(store_open(&fixture->options, &fixture->store, &err), ERR_FORMAT);
	assert_non_null(strstr(err.text, "restore a backup"));

	overwrite(fixture->path, 0, 100);
	assert_int_equal(store_open(&fixture->options, &fixture->store, &err), ERR_FORMAT);
	assert_non_null(strstr(err.text, "restore a backup"));
	assert_null(fixture->store);
}

static void a_lost_database_is_not_made_anew(void **state)
{
	struct fixture *fixture = *state;
	struct err err;

	fixture->options.existing = true;
	assert_int_equal(store_open(&fixture->options, &fixture->store, &err), ERR_NOT_FOUND);
	assert_non_null(strstr(err.text, "is missing"));
	assert_int_not_equal(access(fixture->path, F_OK), 0);

	fixture->options.existing = false;
	fixture_open(fixture);
	store_close(fixture->store);
	fixture->store = NULL;
	fixture->options.existing = true;
	fixture_open(fixture);
	store_close(fixture->store);
	fixture->store = NULL;
	assert_int_equal(truncate(fixture->path, 0), 0);
	assert_int_equal(store_open(&fixture->options, &fixture->store, &err), ERR_FORMAT);
	assert_non_null(strstr(err.text, "restore a backup"));
	fixture->options.guest = true;
	assert_int_equal(store_open(&fixture->options, &fixture->store, &err), ERR_FORMAT);
	assert_null(fixture->store);
}

static void a_strange_database_is_left_alone(void **state)
{
	struct fixture *fixture = *state;
	char command[200];
	struct err err;

	fixture_open(fixture);
	store_close(fixture->store);
	fixture->store = NULL;
	/* application_id stands at offset 68 of the header. */
	overwrite(fixture->path, 68, 4);
	assert_int_equal(store_open(&fixture->options, &fixture->store, &err), ERR_FORMAT);
	assert_non_null(strstr(err.text, "not a database of Muster"));
	snprintf(command, sizeof(command), "%s/absent/x.db", fixture->directory);
	fixture->options.path = command;
	assert_int_equal(store_open(&fixture->options, &fixture->store, &err), ERR_NOT_FOUND);
}

/* Tells the parent through a pipe which writes were reported durable. */
static int report_fd;

static void report_durable(void *argument, int rc, const struct err *err)
{
	struct item *item = argument;

	(void)err;
	if (rc == 0 && write(report_fd, &item->id, sizeof(item->id)) != sizeof(item->id))
		_exit(1);
	free(item);
}

static void write_for_ever(struct fixture *fixture)
{
	struct store *store;

	if (store_open(&fixture->options, &store, NULL) != 0)
		_exit(1);
	for (int64_t id = 1;; id++) {
		struct item *item = calloc(1, sizeof(*item));

		item->id = id;
		while (store_write(store, insert_item, report_durable, item) == ERR_BUSY)
			sched_yield();
	}
}

static int check_items(struct store_session *session, void *argument, struct err *err)
{
	struct cursor *cursor = cursor_open_text(session, "SELECT coalesce(max(id), 0) AS last, count(*) AS count, "
							  "count(data) AS whole FROM item");
	int64_t *last = argument;

	assert_true(cursor_next(cursor));
	*last = cursor_number(cursor, "last");
	/* In order and without gaps: a group is there as a whole or not at all. */
	assert_int_equal(cursor_number(cursor, "count"), *last);
	assert_int_equal(cursor_number(cursor, "whole"), *last);
	return cursor_end(cursor, err);
}

static void what_was_reported_survives_a_kill(void **state)
{
	struct fixture *fixture = *state;
	int pipes[2];
	int64_t id, reported = 0, last = 0;
	pid_t child;

	for (int round = 1; round <= 3; round++) {
		assert_int_equal(pipe(pipes), 0);
		child = fork();
		assert_true(child >= 0);
		if (child == 0) {
			close(pipes[0]);
			report_fd = pipes[1];
			snprintf(fixture->path, sizeof(fixture->path), "%s/kill%d.db", fixture->directory, round);
			write_for_ever(fixture);
		}
		close(pipes[1]);
		for (int i = 0; i < 150 * round && read(pipes[0], &id, sizeof(id)) == sizeof(id); i++)
			reported = id;
		assert_int_equal(kill(child, SIGKILL), 0);
		assert_int_equal(waitpid(child, NULL, 0), child);
		while (read(pipes[0], &id, sizeof(id)) == sizeof(id))
			reported = id;
		close(pipes[0]);
		snprintf(fixture->path, sizeof(fixture->path), "%s/kill%d.db", fixture->directory, round);
		fixture_open(fixture);
		assert_int_equal(store_read(fixture->store, check_items, &last, NULL), 0);
		assert_true(reported >= 150 * round);
		assert_true(last >= reported);
		store_close(fixture->store);
		fixture->store = NULL;
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(migrating_equals_a_fresh_schema),   TEST(a_failing_migration_changes_nothing),
		TEST(a_newer_schema_is_refused),         TEST(another_owner_is_named),
		TEST(a_guest_writes_beside_the_owner),   TEST(damaged_files_are_refused),
		TEST(a_lost_database_is_not_made_anew),  TEST(a_strange_database_is_left_alone),
		TEST(what_was_reported_survives_a_kill),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
