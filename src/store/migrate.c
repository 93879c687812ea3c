/* From whatever schema a database has to ours, all or nothing.
 *
 * The number of the last migration is PRAGMA user_version, set in the same
 * transaction as the change. Before the first change of a database with
 * content, a copy is written as PATH.before-N, N being the first migration.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/session.h"

#define APPLICATION_ID 0x4d555354 /* "MUST" */
#define PATH_BYTES     4096
#define CHECK_BYTES    (64 * (int64_t)MIB) /* databases up to this are checked whole when opened */

/* The copy appears whole or not at all; one from an attempt that failed is replaced. */
static int snapshot(struct store_session *session, const char *path, unsigned number, struct err *err)
{
	static const struct store_statement copy = { "snapshot", "VACUUM INTO :path" };
	char final[PATH_BYTES], fresh[PATH_BYTES + 8];
	int length = snprintf(final, sizeof(final), "%s.before-%u", path, number);
	struct cursor *cursor;
	int fd, rc;

	if (length < 0 || (size_t)length >= sizeof(final))
		return err_set(err, ERR_LIMIT, "%.64s...: path too long", path);
	snprintf(fresh, sizeof(fresh), "%s.new", final);
	/* An empty file of ours gives the copy its mode: VACUUM INTO takes one. */
	unlink(fresh);
	fd = open(fresh, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return err_errno(err, errno, "%s", fresh);
	cursor = cursor_open(session, &copy);
	cursor_bind_text(cursor, "path", fresh);
	rc = cursor_run(cursor, err);
	if (rc == 0 && (fsync(fd) != 0 || rename(fresh, final) != 0))
		rc = err_errno(err, errno, "%s", final);
	if (rc != 0)
		unlink(fresh);
	close(fd);
	return rc == 0 ? 0 : err_add(err, rc, "copy before migration");
}

static int apply(struct store_session *session, const struct store_migration *migration, struct err *err)
{
	char sql[64];
	int rc = session_run(session, migration->text, err);

	if (rc == 0) {
		snprintf(sql, sizeof(sql), "PRAGMA user_version=%u", migration->number);
		rc = session_run(session, sql, err);
	}
	return rc == 0 ? 0 : err_add(err, rc, "migration %u (%s)", migration->number, migration->name);
}

static int apply_from(struct store_session *session, const struct store_options *options, size_t first, struct err *err)
{
	char sql[64];
	int rc = session_run(session, "BEGIN IMMEDIATE", err);

	if (rc != 0)
		return rc;
	snprintf(sql, sizeof(sql), "PRAGMA application_id=%d", APPLICATION_ID);
	rc = session_run(session, sql, err);
	for (size_t i = first; rc == 0 && i < options->migration_count; i++)
		rc = apply(session, &options->migrations[i], err);
	if (rc == 0)
		rc = session_run(session, "COMMIT", err);
	if (rc != 0)
		sqlite3_exec(session->database, "ROLLBACK", NULL, NULL, NULL);
	return rc;
}

/* Whose file it is, whether it is whole, and which schema it has. */
static int look(struct store_session *session, const struct store_options *options, int64_t *ret_version,
		struct err *err)
{
	int64_t tables = 0, application = 0, pages = 0, page_bytes = 0, well = 0;
	int rc = session_number(session, "SELECT count(*) FROM sqlite_schema", &tables, err);

	if (rc == 0)
		rc = session_number(session, "PRAGMA application_id", &application, err);
	if (rc == 0)
		rc = session_number(session, "PRAGMA user_version", ret_version, err);
	if (rc == 0)
		rc = session_number(session, "PRAGMA page_count", &pages, err);
	if (rc == 0)
		rc = session_number(session, "PRAGMA page_size", &page_bytes, err);
	if (rc != 0)
		return rc;
	if (tables > 0 && application != APPLICATION_ID)
		return err_set(err, ERR_FORMAT, "not a database of Muster; choose another data directory");
	if (tables == 0 && options->existing)
		return err_set(err, ERR_FORMAT, "the database holds nothing: it was cut short; restore a backup");
	if (*ret_version > (int64_t)options->migration_count)
		return err_set(err, ERR_VERSION,
			       "its schema %lld is newer than this program's %zu; install the newer version again, "
			       "or restore the copy made before the upgrade",
			       (long long)*ret_version, options->migration_count);
	if (pages * page_bytes > CHECK_BYTES)
		return 0;
	rc = session_number(session, "SELECT count(*) = 1 AND min(quick_check) = 'ok' FROM pragma_quick_check(1)",
			    &well, err);
	if (rc == 0 && well == 0)
		rc = err_set(err, ERR_FORMAT, "the database is damaged: stop, keep the file, and restore a backup");
	return rc;
}

int store_check_version(struct store_session *session, const struct store_options *options, struct err *err)
{
	int64_t version = 0;
	int rc = look(session, options, &version, err);

	if (rc == 0 && version != (int64_t)options->migration_count)
		rc = err_set(err, ERR_VERSION,
			     "its schema %lld is older than this program's %zu; start the manager once",
			     (long long)version, options->migration_count);
	return rc == 0 ? 0 : err_add(err, rc, "%s", options->path);
}

int store_migrate(struct store_session *session, const struct store_options *options, struct err *err)
{
	int64_t version = 0;
	int rc = look(session, options, &version, err);

	for (size_t i = 0; rc == 0 && i < options->migration_count; i++) {
		if (options->migrations[i].number != i + 1)
			rc = err_set(err, ERR_INTERNAL, "migration %zu is missing", i + 1);
	}
	if (rc == 0 && version < (int64_t)options->migration_count) {
		if (version > 0)
			rc = snapshot(session, options->path, (unsigned)version + 1, err);
		if (rc == 0)
			rc = apply_from(session, options, (size_t)version, err);
	}
	return rc == 0 ? 0 : err_add(err, rc, "%s", options->path);
}
