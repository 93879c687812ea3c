/* A database in a directory of its own, for the tests of src/store. */
#ifndef MUSTER_TEST_STORE_FIXTURE_H
#define MUSTER_TEST_STORE_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "store/store.h"

struct fixture {
	char directory[64];
	char path[80];
	struct store_options options;
	struct store *store;
};

static const struct store_migration fixture_migrations[] = {
	{ 1, "first", "CREATE TABLE item (id INTEGER PRIMARY KEY, name TEXT UNIQUE, data BLOB) STRICT;" },
	{ 2, "second", "ALTER TABLE item ADD COLUMN more TEXT; CREATE TABLE other (id INTEGER) STRICT;" },
	{ 3, "third", "CREATE INDEX item_more ON item (more); INSERT INTO other VALUES (3);" },
};

static inline void fixture_begin(struct fixture *fixture)
{
	memset(fixture, 0, sizeof(*fixture));
	snprintf(fixture->directory, sizeof(fixture->directory), "/tmp/muster-store-XXXXXX");
	assert_non_null(mkdtemp(fixture->directory));
	snprintf(fixture->path, sizeof(fixture->path), "%s/test.db", fixture->directory);
	fixture->options = (struct store_options){ .path = fixture->path,
						   .migrations = fixture_migrations,
						   .migration_count = 1,
						   .readers = 2,
						   .group_span = 2 * MILLISECOND_US,
						   .group_count = 64,
						   .queue_count = 1000 };
}

static inline void fixture_open(struct fixture *fixture)
{
	struct err err = { 0 };

	if (store_open(&fixture->options, &fixture->store, &err) != 0)
		fail_msg("%s", err.text);
}

static inline void fixture_end(struct fixture *fixture)
{
	char command[128];

	store_close(fixture->store);
	snprintf(command, sizeof(command), "rm -rf '%s'", fixture->directory);
	assert_int_equal(system(command), 0);
}

struct item {
	int64_t id;
	const char *name;
	int rc; /* what the function returns after inserting */
};

static inline int insert_item(struct store_session *session, void *argument, struct err *err)
{
	static const struct store_statement insert = { "item_insert", "INSERT INTO item (id, name, data) "
								      "VALUES (:id, :name, :data)" };
	const struct item *item = argument;
	struct cursor *cursor = cursor_open(session, &insert);
	int rc;

	cursor_bind_number(cursor, "id", item->id);
	cursor_bind_text(cursor, "name", item->name);
	cursor_bind_bytes(cursor, "data", "\0x", 2);
	rc = cursor_run(cursor, err);
	return rc != 0 ? rc : item->rc;
}

static inline int count_items(struct store_session *session, void *argument, struct err *err)
{
	struct cursor *cursor = cursor_open_text(session, "SELECT count(*) AS count FROM item");

	if (cursor_next(cursor))
		*(int64_t *)argument = cursor_number(cursor, "count");
	return cursor_end(cursor, err);
}

static inline int64_t items_of(struct store *store)
{
	int64_t count = -1;

	assert_int_equal(store_read(store, count_items, &count, NULL), 0);
	return count;
}

#endif
