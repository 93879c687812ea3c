/* A connection to SQLite: how it is set up, and what its errors mean.
 *
 * The file is ours, yet it may be damaged, replaced or full: what SQLite says
 * is turned into one of our codes and a sentence with what to do.
 */
#include "store/session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BUSY_TIMEOUT_MS 5000
#define PAGE_BYTES      ((size_t)4096)
#define LOG_KEPT_BYTES  ((size_t)64 * MIB) /* as the pragma of the writer */

static const char *const pragmas_of_all[] = {
	"PRAGMA foreign_keys=ON",
	"PRAGMA trusted_schema=OFF",
	"PRAGMA cell_size_check=ON",
	"PRAGMA temp_store=MEMORY",
};

static const char *const pragmas_of_writer[] = {
	"PRAGMA journal_mode=WAL",        "PRAGMA synchronous=FULL", "PRAGMA journal_size_limit=67108864",
	"PRAGMA wal_autocheckpoint=4000", /* pages: a burst of writes ends before its first checkpoint */
	"PRAGMA cache_size=-8192",        /* KiB; store_make_room() has more for a large fleet */
};

static const struct {
	int sqlite_code; /* extended codes first: the first row that fits wins */
	int code;
	const char *advice;
} error_rows[] = {
	{ SQLITE_CONSTRAINT_UNIQUE, ERR_EXISTS, "" },
	{ SQLITE_CONSTRAINT_PRIMARYKEY, ERR_EXISTS, "" },
	{ SQLITE_CONSTRAINT_ROWID, ERR_EXISTS, "" },
	{ SQLITE_CONSTRAINT_FOREIGNKEY, ERR_NOT_FOUND, "" },
	{ SQLITE_CONSTRAINT, ERR_RANGE, "" },
	{ SQLITE_FULL, ERR_SPACE, "; make room on the file system of the database" },
	{ SQLITE_NOMEM, ERR_MEMORY, "" },
	{ SQLITE_BUSY, ERR_BUSY, "; another process is writing to the database" },
	{ SQLITE_LOCKED, ERR_BUSY, "" },
	{ SQLITE_CORRUPT, ERR_FORMAT, "; the database is damaged: stop, keep the file, and restore a backup" },
	{ SQLITE_NOTADB, ERR_FORMAT, "; the file is not a database or is damaged: restore a backup" },
	{ SQLITE_READONLY, ERR_DENIED, "; the database and its directory must be writable by this user" },
	{ SQLITE_PERM, ERR_DENIED, "" },
	{ SQLITE_CANTOPEN, ERR_IO, "; the directory must exist and be accessible to this user" },
	{ SQLITE_IOERR, ERR_IO, "" },
	{ SQLITE_TOOBIG, ERR_LIMIT, "" },
	{ SQLITE_INTERRUPT, ERR_CANCELLED, "" },
};

int session_error(struct store_session *session, const char *what, struct err *err)
{
	int extended = session->database != NULL ? sqlite3_extended_errcode(session->database) : SQLITE_NOMEM;
	const char *text = session->database != NULL ? sqlite3_errmsg(session->database) : "out of memory";
	int system = session->database != NULL ? sqlite3_system_errno(session->database) : 0;

	for (size_t i = 0; i < COUNT_OF(error_rows); i++) {
		if (error_rows[i].sqlite_code != extended && error_rows[i].sqlite_code != (extended & 0xff))
			continue;
		if (error_rows[i].code == ERR_IO && system != 0)
			return err_errno(err, system, "%s: %s%s", what, text, error_rows[i].advice);
		return err_set(err, error_rows[i].code, "%s: %s%s", what, text, error_rows[i].advice);
	}
	return err_set(err, ERR_INTERNAL, "%s: %s (SQLite %d)", what, text, extended);
}

int session_run(struct store_session *session, const char *sql, struct err *err)
{
	if (sqlite3_exec(session->database, sql, NULL, NULL, NULL) != SQLITE_OK)
		return session_error(session, "database", err);
	return 0;
}

int session_number(struct store_session *session, const char *sql, int64_t *ret_number, struct err *err)
{
	sqlite3_stmt *prepared = NULL;
	int rc = 0;

	if (sqlite3_prepare_v2(session->database, sql, -1, &prepared, NULL) != SQLITE_OK)
		return session_error(session, "database", err);
	if (sqlite3_step(prepared) == SQLITE_ROW)
		*ret_number = sqlite3_column_int64(prepared, 0);
	else
		rc = session_error(session, "database", err);
	sqlite3_finalize(prepared);
	return rc;
}

static int run_all(struct store_session *session, const char *const *sql, size_t count, struct err *err)
{
	for (size_t i = 0; i < count; i++) {
		int rc = session_run(session, sql[i], err);

		if (rc != 0)
			return rc;
	}
	return 0;
}

int session_open(struct store_session *session, const char *path, bool writer, struct err *err)
{
	int flags = (writer ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY) | SQLITE_OPEN_NOMUTEX |
		    SQLITE_OPEN_NOFOLLOW | SQLITE_OPEN_EXRESCODE;
	int rc;

	memset(session, 0, sizeof(*session));
	session->writes = writer;
	if (sqlite3_open_v2(path, &session->database, flags, NULL) != SQLITE_OK) {
		rc = session_error(session, path, err);
		session_close(session);
		return rc;
	}
	sqlite3_busy_timeout(session->database, BUSY_TIMEOUT_MS);
	sqlite3_db_config(session->database, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	rc = run_all(session, pragmas_of_all, COUNT_OF(pragmas_of_all), err);
	if (rc == 0 && writer)
		rc = run_all(session, pragmas_of_writer, COUNT_OF(pragmas_of_writer), err);
	if (rc != 0) {
		rc = err_add(err, rc, "%s", path);
		session_close(session);
	}
	return rc;
}

int store_make_room(struct store_session *session, size_t cache_bytes, size_t log_bytes, struct err *err)
{
	const size_t kept = log_bytes > LOG_KEPT_BYTES ? log_bytes : LOG_KEPT_BYTES;
	char sql[128];

	if (!session->writes)
		return err_set(err, ERR_WRONG_STATE, "room is made for what is written");
	snprintf(sql, sizeof(sql),
		 "PRAGMA cache_size=-%zu; PRAGMA wal_autocheckpoint=%zu; PRAGMA journal_size_limit=%zu",
		 cache_bytes / KIB, log_bytes / PAGE_BYTES, kept);
	return session_run(session, sql, err);
}

void session_forget(struct store_session *session)
{
	while (session->cursors != NULL) {
		struct cursor *cursor = session->cursors;

		session->cursors = cursor->next;
		sqlite3_finalize(cursor->prepared);
		free(cursor);
	}
	session->count = 0;
}

void session_close(struct store_session *session)
{
	session_forget(session);
	sqlite3_close_v2(session->database);
	memset(session, 0, sizeof(*session));
}

void session_reset(struct store_session *session)
{
	struct cursor *next;

	for (struct cursor *cursor = session->cursors; cursor != NULL; cursor = next) {
		next = cursor->next;
		if (cursor->busy)
			cursor_end(cursor, NULL);
	}
}

int store_after(struct store_session *session, void (*function)(void *argument, bool committed), void *argument)
{
	struct after *after = session->writes ? malloc(sizeof(*after)) : NULL;

	if (after == NULL)
		return session->writes ? ERR_MEMORY : ERR_WRONG_STATE;
	*after = (struct after){ function, argument, session->after };
	session->after = after;
	return 0;
}

void session_after(struct after *after, bool committed)
{
	struct after *ordered = NULL, *next;

	for (; after != NULL; after = next) {
		next = after->next;
		after->next = ordered;
		ordered = after;
	}
	for (; ordered != NULL; ordered = next) {
		next = ordered->next;
		ordered->function(ordered->argument, committed);
		free(ordered);
	}
}
