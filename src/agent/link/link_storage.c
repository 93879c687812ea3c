/* The endpoint's logs on disk (agent/link/link_storage.h). Their content is checked by the endpoint. */
#include "agent/link/link_storage.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/identity_files.h"
#include "base/units.h"
#include "os/files.h"

#define READ_STEP_BYTES ((size_t)64 * 1024)

static const struct {
	const char *name;
	const char *file;
} logs[] = { { "spool", "spool.log" }, { "journal", "journal.log" }, { "configuration", "configuration" } };

struct link_storage {
	int directory, identity;
	int fds[COUNT_OF(logs)];
};

static int find_log(const char *name, size_t *ret_index, struct err *err)
{
	for (size_t i = 0; i < COUNT_OF(logs); i++) {
		if (strcmp(logs[i].name, name) == 0) {
			*ret_index = i;
			return 0;
		}
	}
	return err_set(err, ERR_INTERNAL, "there is no log '%s'", name);
}

static int open_log(struct link_storage *storage, size_t index, struct err *err)
{
	int fd =
	    openat(storage->directory, logs[index].file, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0)
		return err_errno(err, errno, "link/%s", logs[index].file);
	if (storage->fds[index] >= 0)
		close(storage->fds[index]);
	storage->fds[index] = fd;
	return 0;
}

int link_storage_new(int directory, int identity, struct link_storage **ret_storage, struct err *err)
{
	struct link_storage *storage = malloc(sizeof(*storage));
	int rc = 0;

	if (storage == NULL)
		return err_set(err, ERR_MEMORY, "out of memory");
	storage->directory = directory;
	storage->identity = identity;
	for (size_t i = 0; i < COUNT_OF(logs); i++)
		storage->fds[i] = -1;
	for (size_t i = 0; rc == 0 && i < COUNT_OF(logs); i++)
		rc = open_log(storage, i, err);
	if (rc == 0)
		rc = files_sync_directory(directory, err);
	if (rc)
		link_storage_free(storage);
	else
		*ret_storage = storage;
	return rc;
}

void link_storage_free(struct link_storage *storage)
{
	if (storage == NULL)
		return;
	for (size_t i = 0; i < COUNT_OF(logs); i++) {
		if (storage->fds[i] >= 0)
			close(storage->fds[i]);
	}
	free(storage);
}

static int storage_read(void *context, const char *name, struct buf *out, struct err *err)
{
	struct link_storage *storage = context;
	uint64_t offset = 0;
	size_t index = 0;
	int rc = find_log(name, &index, err);

	while (rc == 0) {
		size_t room = out->max - out->size < READ_STEP_BYTES ? out->max - out->size : READ_STEP_BYTES;
		uint8_t *to = room ? buf_room(out, room) : NULL;
		ssize_t got;

		if (room == 0)
			return 0;
		if (to == NULL)
			return err_set(err, ERR_MEMORY, "reading link/%s: out of memory", logs[index].file);
		got = pread(storage->fds[index], to, room, (off_t)offset);
		if (got < 0)
			return err_errno(err, errno, "reading link/%s", logs[index].file);
		if (got == 0)
			return 0;
		buf_grow(out, (size_t)got);
		offset += (uint64_t)got;
	}
	return rc;
}

static int storage_append(void *context, const char *name, const void *bytes, size_t size, struct err *err)
{
	struct link_storage *storage = context;
	struct stat before;
	size_t index = 0;
	int rc = find_log(name, &index, err);

	if (rc)
		return rc;
	if (fstat(storage->fds[index], &before) != 0)
		return err_errno(err, errno, "link/%s", logs[index].file);
	rc = files_write_all(storage->fds[index], bytes, size, err);
	if (rc && ftruncate(storage->fds[index], before.st_size) != 0)
		return err_add(err, rc, "link/%s, which could not be cut back", logs[index].file);
	return rc ? err_add(err, rc, "link/%s", logs[index].file) : 0;
}

static int storage_sync(void *context, const char *name, struct err *err)
{
	struct link_storage *storage = context;
	size_t index = 0;
	int rc = find_log(name, &index, err);

	if (rc)
		return rc;
	if (fdatasync(storage->fds[index]) != 0)
		return err_errno(err, errno, "syncing link/%s", logs[index].file);
	return 0;
}

/* In the form in which people find it, and link at its next start. */
static int replace_key(const struct link_storage *storage, const void *bytes, size_t size, struct err *err)
{
	if (size != ENVELOPE_KEY_BYTES)
		return err_set(err, ERR_INTERNAL, "a key of %zu bytes", size);
	return identity_files_trust(storage->identity, bytes, geteuid(), getegid(), err);
}

static int storage_replace(void *context, const char *name, const void *bytes, size_t size, struct err *err)
{
	struct link_storage *storage = context;
	size_t index = 0;
	int rc;

	if (strcmp(name, ENDPOINT_KEY_FILE) == 0)
		return replace_key(storage, bytes, size, err);
	rc = find_log(name, &index, err);
	if (rc == 0)
		rc = files_write(storage->directory, logs[index].file, bytes, size, 0600, err);
	if (rc == 0)
		rc = open_log(storage, index, err);
	return rc;
}

struct endpoint_storage link_storage_table(struct link_storage *storage)
{
	return (struct endpoint_storage){ .context = storage,
					  .read = storage_read,
					  .append = storage_append,
					  .sync = storage_sync,
					  .replace = storage_replace };
}
