/* Statements being run: bound, stepped and read by name, with sticky errors.
 *
 * A statement from sql/ is prepared once a connection and kept. When it is
 * opened again while still in use, a second one is prepared for that use.
 */
#include <stdlib.h>
#include <string.h>

#include "store/session.h"

#define PARAMETERS 64 /* most parameters of a statement: bits of `bound` */

static struct cursor *cursor_new(struct store_session *session, const struct store_statement *statement,
				 const char *sql)
{
	struct cursor *cursor = calloc(1, sizeof(*cursor));
	unsigned flags = statement != NULL ? SQLITE_PREPARE_PERSISTENT : 0;
	const char *rest = NULL;

	if (cursor == NULL)
		return NULL;
	cursor->session = session;
	cursor->statement = statement;
	cursor->next = session->cursors;
	session->cursors = cursor;
	session->count++;
	if (sqlite3_prepare_v3(session->database, sql, -1, flags, &cursor->prepared, &rest) != SQLITE_OK)
		session_error(session, statement != NULL ? statement->name : sql, &cursor->err);
	else if (sqlite3_bind_parameter_count(cursor->prepared) > PARAMETERS)
		err_set(&cursor->err, ERR_LIMIT, "%.80s: more than %d parameters", sql, PARAMETERS);
	return cursor;
}

static void cursor_free(struct cursor *cursor)
{
	struct store_session *session = cursor->session;
	struct cursor **link = &session->cursors;

	while (*link != cursor)
		link = &(*link)->next;
	*link = cursor->next;
	session->count--;
	sqlite3_finalize(cursor->prepared);
	free(cursor);
}

struct cursor *cursor_open(struct store_session *session, const struct store_statement *statement)
{
	struct cursor *cursor = session->cursors;

	while (cursor != NULL && (cursor->statement != statement || cursor->busy))
		cursor = cursor->next;
	if (cursor == NULL)
		cursor = cursor_new(session, statement, statement->text);
	if (cursor != NULL)
		cursor->busy = true;
	return cursor;
}

struct cursor *cursor_open_text(struct store_session *session, const char *sql)
{
	struct cursor *cursor = cursor_new(session, NULL, sql);

	if (cursor != NULL)
		cursor->busy = true;
	return cursor;
}

static const char *cursor_name(const struct cursor *cursor)
{
	return cursor->statement != NULL ? cursor->statement->name : "statement";
}

static bool cursor_well(const struct cursor *cursor)
{
	return cursor != NULL && cursor->err.code == 0;
}

/* Callers bind in the order of the statement: the search begins behind the last one. */
static int find_parameter(struct cursor *cursor, const char *name)
{
	int count = sqlite3_bind_parameter_count(cursor->prepared);

	for (int i = 0; i < count; i++) {
		int place = (cursor->parameter_hint + i) % count + 1;
		const char *known = sqlite3_bind_parameter_name(cursor->prepared, place);

		if (known != NULL && strcmp(known + 1, name) == 0) {
			cursor->parameter_hint = place;
			return place;
		}
	}
	return 0;
}

/* The number of parameter `name`, 0 when the cursor has failed or fails now. */
static int parameter(struct cursor *cursor, const char *name)
{
	int place;

	if (!cursor_well(cursor))
		return 0;
	place = find_parameter(cursor, name);
	if (place == 0 || cursor->stepped) {
		err_set(&cursor->err, ERR_INTERNAL, "%s: parameter %s %s", cursor_name(cursor), name,
			place == 0 ? "does not exist" : "was bound too late");
		return 0;
	}
	cursor->bound |= UINT64_C(1) << (place - 1);
	return place;
}

static void check_bind(struct cursor *cursor, int sqlite_rc)
{
	if (sqlite_rc != SQLITE_OK)
		session_error(cursor->session, cursor_name(cursor), &cursor->err);
}

void cursor_bind_number(struct cursor *cursor, const char *name, int64_t value)
{
	int place = parameter(cursor, name);

	if (place > 0)
		check_bind(cursor, sqlite3_bind_int64(cursor->prepared, place, value));
}

void cursor_bind_null(struct cursor *cursor, const char *name)
{
	int place = parameter(cursor, name);

	if (place > 0)
		check_bind(cursor, sqlite3_bind_null(cursor->prepared, place));
}

void cursor_bind_text(struct cursor *cursor, const char *name, const char *text)
{
	int place = parameter(cursor, name);

	if (place > 0)
		check_bind(cursor, sqlite3_bind_text(cursor->prepared, place, text, -1, SQLITE_TRANSIENT));
}

void cursor_bind_bytes(struct cursor *cursor, const char *name, const void *data, size_t size)
{
	int place = parameter(cursor, name);

	/* A NULL pointer would bind NULL: an empty string of bytes is a value. */
	if (place > 0)
		check_bind(cursor,
			   sqlite3_bind_blob64(cursor->prepared, place, size > 0 ? data : "", size, SQLITE_TRANSIENT));
}

void cursor_bind_uuid(struct cursor *cursor, const char *name, const struct uuid *uuid)
{
	if (uuid == NULL)
		cursor_bind_null(cursor, name);
	else
		cursor_bind_bytes(cursor, name, uuid->bytes, sizeof(uuid->bytes));
}

/* A parameter that was forgotten would silently be NULL. */
static bool all_bound(struct cursor *cursor)
{
	int count = sqlite3_bind_parameter_count(cursor->prepared);

	for (int place = 1; place <= count; place++) {
		if ((cursor->bound & UINT64_C(1) << (place - 1)) == 0) {
			err_set(&cursor->err, ERR_INTERNAL, "%s: parameter %s was not bound", cursor_name(cursor),
				sqlite3_bind_parameter_name(cursor->prepared, place));
			return false;
		}
	}
	return true;
}

bool cursor_next(struct cursor *cursor)
{
	int rc;

	if (!cursor_well(cursor) || (!cursor->stepped && !all_bound(cursor)))
		return false;
	cursor->stepped = true;
	cursor->column_hint = 0;
	rc = sqlite3_step(cursor->prepared);
	if (rc != SQLITE_ROW && rc != SQLITE_DONE)
		session_error(cursor->session, cursor_name(cursor), &cursor->err);
	return rc == SQLITE_ROW;
}

/* The place of a column, -1 when the cursor has failed or fails now. */
static int column_place(struct cursor *cursor, const char *name)
{
	int count, place;

	if (!cursor_well(cursor))
		return -1;
	count = sqlite3_data_count(cursor->prepared);
	for (int i = 0; i < count; i++) {
		place = (cursor->column_hint + i) % count;
		if (strcmp(sqlite3_column_name(cursor->prepared, place), name) == 0) {
			cursor->column_hint = place + 1;
			return place;
		}
	}
	err_set(&cursor->err, ERR_INTERNAL, "%s: %s %s", cursor_name(cursor),
		count == 0 ? "no row to read a column from:" : "no column", name);
	return -1;
}

int64_t cursor_number(struct cursor *cursor, const char *column)
{
	int place = column_place(cursor, column);

	return place >= 0 ? sqlite3_column_int64(cursor->prepared, place) : 0;
}

const char *cursor_text(struct cursor *cursor, const char *column)
{
	int place = column_place(cursor, column);
	const unsigned char *text = place >= 0 ? sqlite3_column_text(cursor->prepared, place) : NULL;

	return text != NULL ? (const char *)text : "";
}

struct bytes cursor_bytes(struct cursor *cursor, const char *column)
{
	struct bytes bytes = { NULL, 0 };
	int place = column_place(cursor, column);

	if (place >= 0) {
		bytes.data = sqlite3_column_blob(cursor->prepared, place);
		bytes.size = (size_t)sqlite3_column_bytes(cursor->prepared, place);
	}
	return bytes;
}

void cursor_uuid(struct cursor *cursor, const char *column, struct uuid *ret_uuid)
{
	struct bytes bytes = cursor_bytes(cursor, column);

	memset(ret_uuid, 0, sizeof(*ret_uuid));
	if (bytes.size == sizeof(ret_uuid->bytes))
		memcpy(ret_uuid->bytes, bytes.data, bytes.size);
	else if (bytes.size != 0 && cursor_well(cursor))
		err_set(&cursor->err, ERR_FORMAT, "%s: %s is not an id", cursor_name(cursor), column);
}

bool cursor_is_null(struct cursor *cursor, const char *column)
{
	int place = column_place(cursor, column);

	return place < 0 || sqlite3_column_type(cursor->prepared, place) == SQLITE_NULL;
}

int cursor_end(struct cursor *cursor, struct err *err)
{
	int rc;

	if (cursor == NULL)
		return err_set(err, ERR_MEMORY, "out of memory for a statement");
	rc = cursor->err.code;
	if (rc != 0 && err != NULL)
		*err = cursor->err;
	if (cursor->statement == NULL || cursor->prepared == NULL || cursor->session->count > SESSION_STATEMENTS) {
		cursor_free(cursor);
		return rc;
	}
	sqlite3_reset(cursor->prepared);
	sqlite3_clear_bindings(cursor->prepared);
	cursor->busy = cursor->stepped = false;
	cursor->bound = 0;
	cursor->parameter_hint = 0;
	memset(&cursor->err, 0, sizeof(cursor->err));
	return rc;
}

int cursor_run(struct cursor *cursor, struct err *err)
{
	while (cursor_next(cursor))
		;
	return cursor_end(cursor, err);
}

int64_t store_changes(struct store_session *session)
{
	return sqlite3_changes64(session->database);
}

int64_t store_inserted(struct store_session *session)
{
	return sqlite3_last_insert_rowid(session->database);
}
