/* A disk that loses what was not synced, tears the last write, and fails. */
#include <stdlib.h>
#include <string.h>

#include "world.h"

static struct sim_file *find(struct sim_disk *disk, const char *name)
{
	for (size_t i = 0; i < SIM_FILES; i++) {
		if (strcmp(name, disk->files[i].name) == 0)
			return &disk->files[i];
	}
	abort();
}

void disk_init(struct sim_disk *disk, struct sim *sim)
{
	*disk = (struct sim_disk){ .sim = sim };
	disk->files[0].name = "spool";
	disk->files[1].name = "journal";
	disk->files[2].name = "configuration";
	disk->files[3].name = ENDPOINT_KEY_FILE;
	for (size_t i = 0; i < SIM_FILES; i++) {
		buf_init(&disk->files[i].durable, SIM_FILE_MAX_BYTES);
		buf_init(&disk->files[i].pending, SIM_FILE_MAX_BYTES);
	}
}

void disk_done(struct sim_disk *disk)
{
	for (size_t i = 0; i < SIM_FILES; i++) {
		buf_done(&disk->files[i].durable);
		buf_done(&disk->files[i].pending);
	}
}

/* True: the operation has no effect. The one during which the process dies has it or not. */
static bool no_effect(struct sim_disk *disk)
{
	if (disk->dead)
		return true;
	if (disk->crash_after > 0 && --disk->crash_after == 0) {
		disk->dead = true;
		return sim_below(disk->sim, 2) == 0;
	}
	return false;
}

bool disk_step(struct sim_disk *disk)
{
	return !no_effect(disk);
}

static int result(struct sim_disk *disk, struct err *err)
{
	return disk->dead ? err_set(err, ERR_IO, "the process died") : 0;
}

static bool fails(struct sim_disk *disk)
{
	return disk->error_ppm > 0 && sim_rare(disk->sim, disk->error_ppm);
}

static int disk_read(void *context, const char *name, struct buf *out, struct err *err)
{
	struct sim_file *file = find(context, name);
	int rc = buf_append(out, file->durable.data, file->durable.size);

	if (rc == 0)
		rc = buf_append(out, file->pending.data, file->pending.size);
	return rc == 0 ? 0 : err_set(err, rc, "read");
}

static int disk_append(void *context, const char *name, const void *bytes, size_t size, struct err *err)
{
	struct sim_disk *disk = context;
	struct sim_file *file = find(disk, name);

	if (no_effect(disk))
		return result(disk, err);
	if (fails(disk)) {
		buf_append(&file->pending, bytes, (size_t)sim_below(disk->sim, size)); /* a part of it got there */
		return err_set(err, ERR_SPACE, "no room");
	}
	buf_append(&file->pending, bytes, size);
	return result(disk, err);
}

static int disk_sync(void *context, const char *name, struct err *err)
{
	struct sim_disk *disk = context;
	struct sim_file *file = find(disk, name);

	if (no_effect(disk))
		return result(disk, err);
	if (fails(disk))
		return err_set(err, ERR_IO, "sync");
	if (!disk->lies) {
		buf_append(&file->durable, file->pending.data, file->pending.size);
		buf_reset(&file->pending);
	}
	return result(disk, err);
}

static int disk_replace(void *context, const char *name, const void *bytes, size_t size, struct err *err)
{
	struct sim_disk *disk = context;
	struct sim_file *file = find(disk, name);

	if (no_effect(disk))
		return result(disk, err);
	if (fails(disk))
		return err_set(err, ERR_SPACE, "no room");
	buf_reset(&file->durable);
	buf_reset(&file->pending);
	buf_append(&file->durable, bytes, size);
	return result(disk, err);
}

struct endpoint_storage disk_storage(struct sim_disk *disk)
{
	return (struct endpoint_storage){
		.context = disk, .read = disk_read, .append = disk_append, .sync = disk_sync, .replace = disk_replace
	};
}

/* The kernel still has what the process wrote. */
void disk_process_died(struct sim_disk *disk)
{
	disk->dead = false;
	disk->crash_after = 0;
}

/* Of what was not synced a part is there, and its end may be garbage. */
void disk_power_lost(struct sim_disk *disk)
{
	disk_process_died(disk);
	for (size_t i = 0; i < SIM_FILES; i++) {
		struct sim_file *file = &disk->files[i];
		size_t kept = (size_t)sim_below(disk->sim, file->pending.size + 1);

		if (kept > 0 && sim_below(disk->sim, 3) == 0)
			file->pending.data[kept - 1] ^= 0x55;
		buf_append(&file->durable, file->pending.data, kept);
		buf_reset(&file->pending);
	}
}

/* A bad sector in the middle of the spool. */
void disk_damage(struct sim_disk *disk)
{
	struct sim_file *file = &disk->files[0];

	if (file->durable.size > 0)
		file->durable.data[sim_below(disk->sim, file->durable.size)] ^= 0x01;
}

/* The same at its end, where what happened last stands. */
void disk_damage_end(struct sim_disk *disk)
{
	struct sim_file *file = &disk->files[0];

	if (file->durable.size > 0)
		file->durable.data[file->durable.size - 1] ^= 0x01;
}

void disk_copy(struct sim_disk *to, const struct sim_disk *from)
{
	for (size_t i = 0; i < SIM_FILES; i++) {
		buf_reset(&to->files[i].durable);
		buf_reset(&to->files[i].pending);
		buf_append(&to->files[i].durable, from->files[i].durable.data, from->files[i].durable.size);
		buf_append(&to->files[i].durable, from->files[i].pending.data, from->files[i].pending.size);
	}
}
