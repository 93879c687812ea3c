#include "memory_disk.h"

#include <string.h>

static struct buf *find(struct memory_disk *disk, const char *name)
{
	if (strcmp(name, "configuration") == 0)
		return &disk->configuration;
	if (strcmp(name, ENDPOINT_KEY_FILE) == 0)
		return &disk->key;
	return strcmp(name, "spool") == 0 ? &disk->spool : &disk->journal;
}

void memory_disk_init(struct memory_disk *disk)
{
	*disk = (struct memory_disk){ 0 };
	buf_init(&disk->spool, 1u << 26);
	buf_init(&disk->journal, 1u << 26);
	buf_init(&disk->configuration, 1u << 20);
	buf_init(&disk->key, 64);
}

void memory_disk_done(struct memory_disk *disk)
{
	buf_done(&disk->spool);
	buf_done(&disk->journal);
	buf_done(&disk->configuration);
	buf_done(&disk->key);
}

static int disk_read(void *context, const char *name, struct buf *out, struct err *err)
{
	const struct buf *file = find(context, name);

	(void)err;
	return buf_append(out, file->data, file->size);
}

static int disk_append(void *context, const char *name, const void *bytes, size_t size, struct err *err)
{
	struct memory_disk *disk = context;

	if (disk->fail_append) {
		buf_append(find(disk, name), bytes, size / 2);
		return err_set(err, ERR_SPACE, "full");
	}
	return buf_append(find(disk, name), bytes, size);
}

static int disk_sync(void *context, const char *name, struct err *err)
{
	struct memory_disk *disk = context;

	(void)name;
	disk->syncs++;
	return disk->fail_sync || disk->syncs == disk->fail_sync_at ? err_set(err, ERR_IO, "sync") : 0;
}

static int disk_replace(void *context, const char *name, const void *bytes, size_t size, struct err *err)
{
	struct memory_disk *disk = context;
	struct buf *file = find(disk, name);

	if (disk->fail_replace)
		return err_set(err, ERR_SPACE, "full");
	buf_reset(file);
	return buf_append(file, bytes, size);
}

struct endpoint_storage memory_disk_storage(struct memory_disk *disk)
{
	return (struct endpoint_storage){ disk, disk_read, disk_append, disk_sync, disk_replace };
}
