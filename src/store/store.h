/* SQLite behind one writer and several readers.
 *
 * Writes are small functions run in order by one writer thread, many in one
 * transaction (group commit: at most `group_span` or `group_count` of them),
 * each inside a savepoint of its own, so that one that fails undoes only
 * itself. `done` is called on the writer's thread after the COMMIT that made
 * the work durable (synchronous=FULL), or with the error. Reads use
 * connections of their own and never wait for the writer (WAL).
 *
 * Statements are rows {name, text} made from sql/queries/ at build time
 * (manager/queries.h); they are prepared once per connection. A cursor is
 * sticky: bind, step and column calls after an error do nothing; check
 * cursor_end(). Every parameter must be bound, and names must exist: anything
 * else is ERR_INTERNAL. A NULL cursor (no memory) may be used like any other.
 */
#ifndef MUSTER_STORE_STORE_H
#define MUSTER_STORE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/hex.h"
#include "base/pack.h"
#include "base/units.h"

struct store;
struct store_session; /* a connection inside a write or a read */
struct cursor;

struct store_statement {
	const char *name;
	const char *text;
};

struct store_migration {
	unsigned number; /* 1, 2, … without gaps */
	const char *name;
	const char *text;
};

struct store_options {
	const char *path;
	const struct store_migration *migrations;
	size_t migration_count;
	unsigned readers;   /* connections for reading, 1 to 16 */
	span_us group_span; /* longest wait for company, e.g. 2 ms */
	size_t group_count; /* most writes in one transaction */
	size_t queue_count; /* writes waiting at most; more are ERR_BUSY */
	bool existing;      /* made before: a missing or empty file is an error, not a new database */
	bool guest;         /* beside the process that owns it: no lock, no migration (else ERR_VERSION) */
};

/* Opens or (unless `existing`) creates; takes a snapshot (PATH.before-N) and migrates in one
 * transaction. A newer schema than ours is ERR_VERSION; a damaged file is
 * ERR_FORMAT with what to do; one that another process has open is ERR_BUSY and
 * names it. Blocks. */
int store_open(const struct store_options *options, struct store **ret_store, struct err *err);
/* ERR_BUSY, naming the process that has the database open as its owner. 0 also if there is none. */
int store_check_free(const char *path, struct err *err);
/* Finishes queued writes, stops the writer. Accepts NULL. */
void store_close(struct store *store);

typedef int (*store_function)(struct store_session *session, void *argument, struct err *err);
/* Queues a write. done(argument, 0 or code, err) exactly once, on the writer thread; may be NULL. Any thread.
 * When it returns an error (ERR_BUSY: queue full; ERR_CLOSED; ERR_MEMORY) nothing is queued and done is not called. */
int store_write(struct store *store, store_function function,
		void (*done)(void *argument, int rc, const struct err *err), void *argument);
/* The same for a write that touches rows of one thing, such as a computer, and nothing of another's: writes that wait
 * together are done in the order of `of`, those of the same as they were queued, and none of them before or after a
 * write of store_write() that was queued after or before it. */
int store_write_of(struct store *store, const struct uuid *of, store_function function,
		   void (*done)(void *argument, int rc, const struct err *err), void *argument);
/* As store_write(), waiting for the commit. Not from a loop thread. */
int store_write_wait(struct store *store, store_function function, void *argument, struct err *err);
/* Runs function on a reader in one consistent snapshot. Blocks for a free reader. */
int store_read(struct store *store, store_function function, void *argument, struct err *err);

struct store_counters {
	uint64_t writes, commits, failures, queued, bytes;
};
void store_counters(struct store *store, struct store_counters *out);

/* --- inside a function --- */
struct cursor *cursor_open(struct store_session *session, const struct store_statement *statement);
/* SQL built at run time, only from constant fragments (filters of lists). Prepared and dropped. */
struct cursor *cursor_open_text(struct store_session *session, const char *sql);
void cursor_bind_number(struct cursor *cursor, const char *name, int64_t value);
void cursor_bind_text(struct cursor *cursor, const char *name, const char *text); /* NULL binds NULL; copied */
void cursor_bind_bytes(struct cursor *cursor, const char *name, const void *data, size_t size);
void cursor_bind_uuid(struct cursor *cursor, const char *name, const struct uuid *uuid); /* NULL binds NULL */
void cursor_bind_null(struct cursor *cursor, const char *name);
/* true: a row is there; false: no more, or an error. */
bool cursor_next(struct cursor *cursor);
int64_t cursor_number(struct cursor *cursor, const char *column);
const char *cursor_text(struct cursor *cursor, const char *column); /* "" for NULL; valid until the next step */
struct bytes cursor_bytes(struct cursor *cursor, const char *column);
void cursor_uuid(struct cursor *cursor, const char *column, struct uuid *ret_uuid);
bool cursor_is_null(struct cursor *cursor, const char *column);
/* Resets or drops; 0 or the first error (ERR_EXISTS for a unique constraint). */
int cursor_end(struct cursor *cursor, struct err *err);
/* Runs a statement without rows, bound already: next and end in one. */
int cursor_run(struct cursor *cursor, struct err *err);
/* For what must happen only if this write lasts, such as telling others of it:
 * function(argument, true) on the writer thread once it is committed, before
 * `done`; (argument, false) when it was undone. Exactly once, unless this fails:
 * ERR_MEMORY, ERR_WRONG_STATE in a read. */
int store_after(struct store_session *session, void (*function)(void *argument, bool committed), void *argument);
/* In a write: the memory that pages may take, and how long the log grows before it is folded into the database.
 * Pages that a burst changes should be there, and be folded in once. Until the store is closed. */
int store_make_room(struct store_session *session, size_t cache_bytes, size_t log_bytes, struct err *err);
/* Rows the last INSERT, UPDATE or DELETE of this session changed. */
int64_t store_changes(struct store_session *session);
/* The number (rowid) of the row that it inserted last. */
int64_t store_inserted(struct store_session *session);

#endif
