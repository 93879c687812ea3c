/* One connection with its prepared statements: inside src/store only. */
#ifndef MUSTER_STORE_SESSION_H
#define MUSTER_STORE_SESSION_H

#include <sqlite3.h>

#include "store/store.h"

#define SESSION_STATEMENTS 256 /* prepared statements kept a connection; more are dropped after use */

struct cursor {
	struct store_session *session;
	const struct store_statement *statement; /* NULL: text made at run time */
	sqlite3_stmt *prepared;
	bool busy;
	bool stepped;
	int column_hint;    /* columns are mostly asked for in order */
	int parameter_hint; /* and parameters bound */
	uint64_t bound;     /* a bit for each parameter from 1 that was bound */
	struct err err;     /* sticky: code 0 while all is well */
	struct cursor *next;
};

/* What store_after() was asked for. */
struct after {
	void (*function)(void *argument, bool committed);
	void *argument;
	struct after *next;
};

struct store_session {
	sqlite3 *database;
	bool writes;
	struct after *after; /* of the write that runs now, the last first */
	struct cursor *cursors;
	size_t count;
};

/* Opens with our pragmas. ERR_FORMAT for a file that is damaged or no database. */
int session_open(struct store_session *session, const char *path, bool writer, struct err *err);
/* Accepts a zeroed struct. */
void session_close(struct store_session *session);
/* Calls and frees what store_after() was asked for, in the order it was. */
void session_after(struct after *after, bool committed);
/* Ends whatever cursors a function left open. */
void session_reset(struct store_session *session);
/* Drops the prepared statements. */
void session_forget(struct store_session *session);
/* Runs constant SQL without parameters. */
int session_run(struct store_session *session, const char *sql, struct err *err);
/* One number: PRAGMA user_version and the like. */
int session_number(struct store_session *session, const char *sql, int64_t *ret_number, struct err *err);
/* Writes SQLite's last error under one of our codes. */
int session_error(struct store_session *session, const char *what, struct err *err);

/* migrate.c: brings the schema to the last of options->migrations. */
int store_migrate(struct store_session *session, const struct store_options *options, struct err *err);
/* ERR_VERSION unless the schema is exactly ours. */
int store_check_version(struct store_session *session, const struct store_options *options, struct err *err);

/* lock.c: one process at a time. The descriptor holds the lock. */
int store_lock(const char *path, int *ret_fd, struct err *err);

#endif
