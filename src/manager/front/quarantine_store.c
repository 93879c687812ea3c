/* Rows and files of the quarantine store. */
#include "manager/front/quarantine_store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "fleet/event_types.h"
#include "manager/front/uploads.h"
#include "manager/queries.h"
#include "os/files.h"

/* An upload of which nothing has come for this long keeps no room; looked at so many at a time. */
#define GIVEN_UP_US    (7 * DAY_US)
#define UNFINISHED_MAX 4096

/* --- rows --- */

struct read_row {
	const struct uuid *item;
	struct quarantine_row row;
	bool found;
};

static void copy_exact(uint8_t *out, size_t size, struct bytes from)
{
	if (from.size == size)
		memcpy(out, from.data, size);
}

static int read_row(struct store_session *session, void *argument, struct err *err)
{
	struct read_row *reading = argument;
	struct quarantine_row *row = &reading->row;
	struct cursor *cursor = cursor_open(session, &QUERY_QUARANTINE_BY_ID);

	cursor_bind_uuid(cursor, "id", reading->item);
	if (cursor_next(cursor)) {
		reading->found = true;
		cursor_uuid(cursor, "computer", &row->computer);
		row->held = strcmp(cursor_text(cursor, "state"), "held") == 0;
		row->uploaded = !cursor_is_null(cursor, "uploaded");
		row->begun = !cursor_is_null(cursor, "sealed_key");
		row->size = (uint64_t)cursor_number(cursor, "size");
		row->sealed_size = (uint64_t)cursor_number(cursor, "sealed_size");
		copy_exact(row->key, sizeof(row->key), cursor_bytes(cursor, "sealed_key"));
		copy_exact(row->sha256, sizeof(row->sha256), cursor_bytes(cursor, "sha256"));
	}
	return cursor_end(cursor, err);
}

int quarantine_row_read(struct front *front, const struct uuid *item, struct quarantine_row *ret_row, struct err *err)
{
	struct read_row reading = { .item = item };
	int rc = store_read(front->store, read_row, &reading, err);

	if (rc == 0 && !reading.found)
		rc = err_set(err, ERR_NOT_FOUND, "there is no such item in quarantine");
	if (rc == 0)
		*ret_row = reading.row;
	OPENSSL_cleanse(reading.row.key, sizeof(reading.row.key));
	return rc;
}

static int read_promised(struct store_session *session, void *argument, struct err *err)
{
	struct cursor *cursor = cursor_open(session, &QUERY_QUARANTINE_PROMISED_BYTES);

	if (cursor_next(cursor))
		*(uint64_t *)argument = (uint64_t)cursor_number(cursor, "bytes");
	return cursor_end(cursor, err);
}

/* numbers.quarantine_bytes anew from the database. */
static int recount(struct front *front, struct err *err)
{
	uint64_t bytes = 0;
	int rc = store_read(front->store, read_promised, &bytes, err);

	if (rc == 0)
		front->numbers.quarantine_bytes = bytes;
	return rc;
}

/* --- beginning --- */

struct beginning {
	struct front *front;
	const struct uuid *item, *computer;
	const struct quarantine_metadata *metadata;
	uint64_t capacity;
};

static int write_begun(struct store_session *session, void *argument, struct err *err)
{
	const struct beginning *beginning = argument;
	const struct quarantine_metadata *metadata = beginning->metadata;
	struct cursor *cursor;
	uint64_t promised = 0;
	int rc;

	cursor = cursor_open(session, &QUERY_QUARANTINE_UPLOAD_BEGUN);
	cursor_bind_uuid(cursor, "id", beginning->item);
	cursor_bind_uuid(cursor, "computer", beginning->computer);
	cursor_bind_number(cursor, "sealed_size", (int64_t)metadata->sealed_size);
	cursor_bind_bytes(cursor, "sealed_key", metadata->key, sizeof(metadata->key));
	cursor_bind_text(cursor, "metadata", metadata->json);
	rc = cursor_run(cursor, err);
	if (rc == 0 && store_changes(session) != 1)
		rc = err_set(err, ERR_NOT_FOUND, "there is no such item of this computer");
	if (rc == 0)
		rc = read_promised(session, &promised, err);
	if (rc == 0 && promised > beginning->capacity)
		rc = err_set(err, ERR_SPACE, "the quarantine store is full; the file stays on its computer");
	return rc;
}

static void note_full(struct front *front, const struct uuid *computer)
{
	char capacity[32];
	const struct front_field fields[] = {
		{ "done", "the file stays on its computer" },
		{ "capacity", capacity },
	};

	snprintf(capacity, sizeof(capacity), "%lld",
		 (long long)stored_setting_number(front->stored, STORED_QUARANTINE_CAPACITY));
	front_event_later(front, EVENT_QUARANTINE_FULL, computer, fields, COUNT_OF(fields));
}

int quarantine_begin(struct front *front, const struct uuid *item, const struct uuid *computer,
		     const struct quarantine_metadata *metadata, struct err *err)
{
	struct beginning beginning = { front, item, computer, metadata,
				       (uint64_t)stored_setting_number(front->stored, STORED_QUARANTINE_CAPACITY) };
	int rc;

	if (metadata->size > (uint64_t)stored_setting_number(front->stored, STORED_QUARANTINE_LARGEST))
		return err_set(err, ERR_LIMIT, "the file is larger than the manager takes (quarantine.max_file_size)");
	rc = store_write_wait(front->store, write_begun, &beginning, err);
	if (rc == ERR_SPACE)
		note_full(front, computer);
	return rc == 0 ? recount(front, err) : rc;
}

/* --- ending --- */

struct ending {
	struct front *front;
	const struct uuid *item;
};

static int write_complete(struct store_session *session, void *argument, struct err *err)
{
	const struct ending *ending = argument;
	struct cursor *cursor = cursor_open(session, &QUERY_QUARANTINE_UPLOADED);

	int rc;

	cursor_bind_uuid(cursor, "id", ending->item);
	cursor_bind_number(cursor, "uploaded", env_wall(ending->front->env));
	rc = cursor_run(cursor, err);
	if (rc == 0 && store_changes(session) != 1) /* its key is gone: deleted by a person, say */
		rc = err_set(err, ERR_BUSY, "the upload was given up meanwhile; announce the file again");
	return rc;
}

int quarantine_complete(struct front *front, const struct uuid *item, struct err *err)
{
	struct ending ending = { front, item };

	return store_write_wait(front->store, write_complete, &ending, err);
}

static int write_forgotten(struct store_session *session, void *argument, struct err *err)
{
	const struct ending *ending = argument;
	struct cursor *cursor = cursor_open(session, &QUERY_QUARANTINE_FORGET_FILE);

	cursor_bind_uuid(cursor, "id", ending->item);
	return cursor_run(cursor, err);
}

/* The row first: a file without a row is swept away, a row without a file would promise what is not there. */
static int forget(struct front *front, const struct uuid *item, struct err *err)
{
	struct ending ending = { front, item };
	char name[UUID_TEXT_BYTES];
	int rc = store_write_wait(front->store, write_forgotten, &ending, err);

	if (rc != 0)
		return rc;
	uuid_format(item, name);
	rc = files_remove(front->quarantine_fd, name, err);
	if (rc == 0)
		rc = files_remove(front->incoming_fd, name, err);
	return rc == 0 ? recount(front, err) : rc;
}

/* --- for API handlers --- */

int front_quarantine_open(struct front *front, const struct uuid *item, struct front_quarantine_file *ret_file,
			  struct err *err)
{
	struct front_quarantine_file file = { .fd = -1 };
	struct quarantine_row row;
	char name[UUID_TEXT_BYTES];
	int rc = quarantine_row_read(front, item, &row, err);

	if (rc != 0)
		return rc;
	if (!row.uploaded)
		rc = err_set(err, ERR_WRONG_STATE, "the manager does not hold this item's file");
	uuid_format(item, name);
	if (rc == 0) {
		file.fd = openat(front->quarantine_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
		if (file.fd < 0)
			rc = err_errno(err, errno, "the item's file");
	}
	file.sealed_bytes = row.sealed_size;
	memcpy(file.key, row.key, sizeof(file.key));
	OPENSSL_cleanse(row.key, sizeof(row.key));
	if (rc == 0)
		*ret_file = file;
	OPENSSL_cleanse(file.key, sizeof(file.key));
	return rc;
}

int front_quarantine_delete(struct front *front, const struct uuid *item, const struct front_actor *actor,
			    struct uuid *ret_command, struct err *err)
{
	const struct front_command command = { .kind = FRONT_COMMAND_DELETE, .target = *item };
	char id[UUID_TEXT_BYTES];
	struct quarantine_row row;
	int rc = quarantine_row_read(front, item, &row, err);

	if (rc != 0)
		return rc;
	OPENSSL_cleanse(row.key, sizeof(row.key));
	rc = front_command_issue(front, &command, actor, ret_command, err);
	if (rc == 0)
		rc = forget(front, item, err);
	uuid_format(item, id);
	if (rc == 0)
		rc = front_audit_now(front, actor, "quarantine.delete", id, "", "done", err);
	return rc;
}

/* --- sweeping --- */

static bool belongs(struct front *front, const char *name, bool finished)
{
	struct quarantine_row row;
	struct uuid item;
	bool keep;

	if (uuid_parse(name, &item, NULL) != 0 || quarantine_row_read(front, &item, &row, NULL) != 0)
		return false;
	keep = finished ? row.uploaded : row.begun && !row.uploaded && row.held;
	OPENSSL_cleanse(row.key, sizeof(row.key));
	return keep;
}

static int sweep_directory(struct front *front, int directory, bool finished, struct err *err)
{
	int fd = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *list = fd >= 0 ? fdopendir(fd) : NULL;
	const struct dirent *entry;

	if (list == NULL) {
		int error = errno;

		if (fd >= 0)
			close(fd);
		return err_errno(err, error, "list the quarantine store");
	}
	while ((entry = readdir(list)) != NULL) {
		if (entry->d_name[0] == '.' || strcmp(entry->d_name, "incoming") == 0 ||
		    belongs(front, entry->d_name, finished))
			continue;
		LOG(LOG_INFO, "quarantine.swept", log_text("file", entry->d_name));
		unlinkat(directory, entry->d_name, 0);
	}
	closedir(list);
	return 0;
}

/* Uploads that were begun and do not go on: room is promised to them. */
struct unfinished {
	struct uuid *items;
	size_t count;
};

static int read_unfinished(struct store_session *session, void *argument, struct err *err)
{
	struct unfinished *unfinished = argument;
	struct cursor *cursor = cursor_open(session, &QUERY_QUARANTINE_UNFINISHED);

	while (unfinished->count < UNFINISHED_MAX && cursor_next(cursor))
		cursor_uuid(cursor, "id", &unfinished->items[unfinished->count++]);
	return cursor_end(cursor, err);
}

static bool given_up(struct front *front, const struct uuid *item)
{
	char name[UUID_TEXT_BYTES];
	struct stat facts;
	struct quarantine_row row;
	bool held;

	uuid_format(item, name);
	if (quarantine_row_read(front, item, &row, NULL) != 0)
		return false;
	OPENSSL_cleanse(row.key, sizeof(row.key));
	held = row.held;
	if (held && fstatat(front->incoming_fd, name, &facts, AT_SYMLINK_NOFOLLOW) == 0 &&
	    env_wall(front->env) - (time_us)facts.st_mtim.tv_sec * SECOND_US < GIVEN_UP_US)
		return false;
	return uploads_drop(front->uploads, item);
}

/* One that comes back after all begins anew. */
static int sweep_unfinished(struct front *front, struct err *err)
{
	struct unfinished unfinished = { calloc(UNFINISHED_MAX, sizeof(struct uuid)), 0 };
	int rc = unfinished.items == NULL ? err_set(err, ERR_MEMORY, "no memory for the list of uploads")
					  : store_read(front->store, read_unfinished, &unfinished, err);

	for (size_t i = 0; rc == 0 && i < unfinished.count; i++) {
		if (!given_up(front, &unfinished.items[i]))
			continue;
		LOG(LOG_INFO, "quarantine.upload_given_up", log_uuid("item", &unfinished.items[i]));
		rc = forget(front, &unfinished.items[i], err);
	}
	free(unfinished.items);
	return rc;
}

int quarantine_sweep(struct front *front, struct err *err)
{
	int rc = sweep_unfinished(front, err);

	if (rc == 0)
		rc = sweep_directory(front, front->quarantine_fd, true, err);

	if (rc == 0)
		rc = sweep_directory(front, front->incoming_fd, false, err);
	return rc == 0 ? recount(front, err) : rc;
}
