/* Plan files: u16 length of the path, u64 size of the file, path. */
#include "agent/guard/plan.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/pack.h"
#include "os/files.h"

#define BUFFER_BYTES      65536
#define RECORD_HEAD_BYTES 10

int plan_open(int directory, const char *name, bool empty, struct plan *ret_plan, struct err *err)
{
	int fd = openat(directory, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW | (empty ? O_CREAT | O_TRUNC : 0), 0600);

	if (fd < 0)
		return err_errno(err, errno, "plan");
	*ret_plan = (struct plan){ .fd = fd };
	buf_init(&ret_plan->buffer, BUFFER_BYTES + RECORD_HEAD_BYTES + PLAN_PATH_MAX_BYTES);
	return 0;
}

void plan_close(struct plan *plan)
{
	if (plan->fd >= 0)
		close(plan->fd);
	buf_done(&plan->buffer);
	*plan = (struct plan){ .fd = -1 };
}

static int flush(struct plan *plan, struct err *err)
{
	int code = files_write_all(plan->fd, plan->buffer.data, plan->buffer.size, err);

	if (code == 0)
		buf_reset(&plan->buffer);
	return code;
}

int plan_append(struct plan *plan, const char *path, uint64_t bytes, struct err *err)
{
	size_t length = strlen(path);

	if (length > PLAN_PATH_MAX_BYTES)
		return err_set(err, ERR_LIMIT, "plan: the path is too long");
	pack_u16(&plan->buffer, (uint16_t)length);
	pack_u64(&plan->buffer, bytes);
	buf_append(&plan->buffer, path, length);
	if (plan->buffer.status != 0)
		return err_set(err, plan->buffer.status, "plan: no memory");
	plan->size += RECORD_HEAD_BYTES + length;
	return plan->buffer.size >= BUFFER_BYTES ? flush(plan, err) : 0;
}

int plan_sync(struct plan *plan, struct err *err)
{
	int code = flush(plan, err);

	if (code == 0 && fdatasync(plan->fd) != 0)
		code = err_errno(err, errno, "plan: sync");
	return code;
}

/* Makes the buffer begin at offset, as much as there is. */
static int fill(struct plan *plan, uint64_t offset, uint64_t end, struct err *err)
{
	size_t want = end - offset < BUFFER_BYTES ? (size_t)(end - offset) : BUFFER_BYTES;
	uint8_t *room;
	int code;

	buf_reset(&plan->buffer);
	room = buf_room(&plan->buffer, want);
	if (room == NULL)
		return err_set(err, plan->buffer.status, "plan: no memory");
	code = files_read_at(plan->fd, room, want, offset, err);
	if (code != 0)
		return code;
	buf_grow(&plan->buffer, want);
	plan->buffer_offset = offset;
	return 0;
}

static int decode(const struct plan *plan, uint64_t offset, struct plan_entry *entry)
{
	size_t skip = (size_t)(offset - plan->buffer_offset);
	struct unpack in;
	uint16_t length;

	unpack_init(&in, plan->buffer.data + skip, plan->buffer.size - skip);
	length = unpack_u16(&in);
	entry->bytes = unpack_u64(&in);
	if (length > PLAN_PATH_MAX_BYTES)
		return ERR_FORMAT;
	unpack_fixed(&in, entry->path, length);
	entry->path[length] = '\0';
	entry->offset = offset;
	entry->next_offset = offset + RECORD_HEAD_BYTES + length;
	return in.status;
}

int plan_read(struct plan *plan, uint64_t offset, uint64_t end, struct plan_entry *ret_entry, struct err *err)
{
	int code = ERR_FORMAT;

	if (offset >= end)
		return err_set(err, ERR_NOT_FOUND, "plan: at its end");
	if (offset >= plan->buffer_offset && offset - plan->buffer_offset < plan->buffer.size)
		code = decode(plan, offset, ret_entry);
	if (code != 0) {
		code = fill(plan, offset, end, err);
		if (code != 0)
			return code;
		code = decode(plan, offset, ret_entry);
	}
	return code == 0 ? 0 : err_set(err, ERR_FORMAT, "plan: damaged at %llu", (unsigned long long)offset);
}
