/* Plain batched inserts: the rows of a table of one database into a new one
 * with the same table and indexes, journal mode and synchronous setting.
 *
 *   muster-bench-insert FROM.db TABLE TO.db ROWS BATCH
 *
 * Rows are read into memory first; if there are fewer than ROWS, all that are
 * there. Prints {"rows":…,"seconds":…,"batch":…}.
 */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/units.h"

#define COLUMNS_MAX 32
#define NAMES_BYTES 1024

struct rows {
	char names[NAMES_BYTES]; /* of the columns that are stored: "id,time" */
	sqlite3_value **values;
	size_t count, columns;
};

static void give_up(sqlite3 *database, const char *what)
{
	fprintf(stderr, "muster-bench-insert: %s: %s\n", what, sqlite3_errmsg(database));
	exit(1);
}

static sqlite3 *open_database(const char *path, int flags)
{
	sqlite3 *database = NULL;

	if (sqlite3_open_v2(path, &database, flags, NULL) != SQLITE_OK)
		give_up(database, path);
	return database;
}

static sqlite3_stmt *prepare(sqlite3 *database, const char *sql)
{
	sqlite3_stmt *statement = NULL;

	if (sqlite3_prepare_v2(database, sql, -1, &statement, NULL) != SQLITE_OK)
		give_up(database, sql);
	return statement;
}

static void run(sqlite3 *database, const char *sql)
{
	if (sqlite3_exec(database, sql, NULL, NULL, NULL) != SQLITE_OK)
		give_up(database, sql);
}

/* Table and indexes as they are in the other database. */
static void copy_schema(sqlite3 *from, sqlite3 *to, const char *table)
{
	sqlite3_stmt *statement = prepare(
	    from, "SELECT sql FROM sqlite_master WHERE tbl_name = ? AND sql IS NOT NULL ORDER BY type = 'index'");

	sqlite3_bind_text(statement, 1, table, -1, SQLITE_STATIC);
	while (sqlite3_step(statement) == SQLITE_ROW)
		run(to, (const char *)sqlite3_column_text(statement, 0));
	sqlite3_finalize(statement);
}

/* Without those that are computed. */
static void read_names(sqlite3 *from, const char *table, char names[NAMES_BYTES])
{
	sqlite3_stmt *statement = prepare(from, "SELECT group_concat(name) FROM pragma_table_info(?)");

	sqlite3_bind_text(statement, 1, table, -1, SQLITE_STATIC);
	if (sqlite3_step(statement) != SQLITE_ROW || sqlite3_column_bytes(statement, 0) >= NAMES_BYTES ||
	    sqlite3_column_bytes(statement, 0) == 0)
		give_up(from, "columns");
	snprintf(names, NAMES_BYTES, "%s", (const char *)sqlite3_column_text(statement, 0));
	sqlite3_finalize(statement);
}

static struct rows read_rows(sqlite3 *from, const char *table, size_t most)
{
	char sql[NAMES_BYTES + 160];
	struct rows rows = { 0 };
	sqlite3_stmt *statement;

	read_names(from, table, rows.names);
	snprintf(sql, sizeof(sql), "SELECT %s FROM %s LIMIT %zu", rows.names, table, most);
	statement = prepare(from, sql);
	rows.columns = (size_t)sqlite3_column_count(statement);
	rows.values = calloc(most * rows.columns + 1, sizeof(sqlite3_value *));
	if (rows.values == NULL || rows.columns > COLUMNS_MAX)
		exit(1);
	while (sqlite3_step(statement) == SQLITE_ROW) {
		for (size_t i = 0; i < rows.columns; i++)
			rows.values[rows.count * rows.columns + i] =
			    sqlite3_value_dup(sqlite3_column_value(statement, (int)i));
		rows.count++;
	}
	sqlite3_finalize(statement);
	return rows;
}

static sqlite3_stmt *prepare_insert(sqlite3 *to, const char *table, const struct rows *rows)
{
	char sql[NAMES_BYTES + 256], marks[2 * COLUMNS_MAX + 1] = "?";

	for (size_t i = 1; i < rows->columns; i++)
		memcpy(marks + 2 * i - 1, ",?", 3);
	snprintf(sql, sizeof(sql), "INSERT INTO %s (%s) VALUES (%s)", table, rows->names, marks);
	return prepare(to, sql);
}

static void insert(sqlite3 *to, sqlite3_stmt *statement, const struct rows *rows, size_t batch)
{
	for (size_t row = 0; row < rows->count; row++) {
		if (row % batch == 0)
			run(to, row == 0 ? "BEGIN" : "COMMIT; BEGIN");
		for (size_t i = 0; i < rows->columns; i++)
			sqlite3_bind_value(statement, (int)i + 1, rows->values[row * rows->columns + i]);
		if (sqlite3_step(statement) != SQLITE_DONE)
			give_up(to, "insert");
		sqlite3_reset(statement);
	}
	run(to, "COMMIT");
}

static double now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
	uint64_t most, batch;
	struct rows rows;
	sqlite3 *from, *to;
	sqlite3_stmt *statement;
	double began;

	if (argc != 6 || number_parse(argv[4], 1, 10000000, &most, NULL) != 0 ||
	    number_parse(argv[5], 1, 1000000, &batch, NULL) != 0) {
		fprintf(stderr, "usage: muster-bench-insert FROM.db TABLE TO.db ROWS BATCH\n");
		return 2;
	}
	from = open_database(argv[1], SQLITE_OPEN_READWRITE); /* to read a WAL */
	to = open_database(argv[3], SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
	run(to, "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA journal_size_limit=67108864");
	copy_schema(from, to, argv[2]);
	rows = read_rows(from, argv[2], (size_t)most);
	statement = prepare_insert(to, argv[2], &rows);
	began = now_s();
	insert(to, statement, &rows, (size_t)batch);
	printf("{\"rows\":%zu,\"seconds\":%.3f,\"batch\":%llu}\n", rows.count, now_s() - began,
	       (unsigned long long)batch);
	return 0;
}
