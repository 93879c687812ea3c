/* Framing and repair. The file's content is not trusted to be whole. */
#include "endpoint/record_log.h"

#include <string.h>

#include "base/pack.h"
#include "base/units.h"

#define FRAME_BYTES 8

static uint32_t frame_crc(const uint8_t *length_field, const uint8_t *payload, size_t size)
{
	return crc32c(crc32c(0, length_field, 4), payload, size);
}

/* The payload's size and whether it is good; 0 when no record can start here. */
static size_t frame_at(const uint8_t *at, size_t left, bool *ret_good)
{
	struct unpack in;
	uint32_t size, crc;

	if (left < FRAME_BYTES)
		return 0;
	unpack_init(&in, at, FRAME_BYTES);
	size = unpack_u32(&in);
	crc = unpack_u32(&in);
	if (size == 0 || size > RECORD_MAX_BYTES || size > left - FRAME_BYTES)
		return 0;
	*ret_good = frame_crc(at, at + FRAME_BYTES, size) == crc;
	return size;
}

static int walk(const struct buf *file, int (*each)(void *argument, const uint8_t *payload, size_t size),
		void *argument, struct record_damage *damage)
{
	size_t position = 0;

	while (position < file->size) {
		bool good = false;
		size_t size = frame_at(file->data + position, file->size - position, &good);
		int rc;

		if (size == 0) {
			damage->places++;
			damage->bytes += file->size - position;
			return 0;
		}
		if (good) {
			rc = each(argument, file->data + position + FRAME_BYTES, size);
			if (rc != 0)
				return rc;
		} else {
			damage->places++;
			damage->bytes += size + FRAME_BYTES;
		}
		position += size + FRAME_BYTES;
	}
	return 0;
}

int record_log_load(struct record_log *log, uint64_t max_bytes,
		    int (*each)(void *argument, const uint8_t *payload, size_t size), void *argument,
		    struct record_damage *ret_damage, struct err *err)
{
	struct buf file;
	int rc;

	*ret_damage = (struct record_damage){ 0 };
	buf_init(&file, max_bytes);
	rc = log->storage->read(log->storage->context, log->name, &file, err);
	if (rc == 0) {
		log->bytes = file.size;
		rc = walk(&file, each, argument, ret_damage);
		if (rc != 0)
			err_set(err, rc, "%s: out of memory", log->name);
	}
	buf_done(&file);
	return rc;
}

void record_frame(struct buf *out, const struct buf *payload)
{
	uint8_t length[4] = { (uint8_t)payload->size, (uint8_t)(payload->size >> 8), (uint8_t)(payload->size >> 16),
			      (uint8_t)(payload->size >> 24) };

	if (payload->status != 0 || payload->size > RECORD_MAX_BYTES) {
		out->status = payload->status != 0 ? payload->status : ERR_LIMIT;
		return;
	}
	pack_u32(out, (uint32_t)payload->size);
	pack_u32(out, frame_crc(length, payload->data, payload->size));
	buf_append(out, payload->data, payload->size);
}

int record_log_append(struct record_log *log, const struct buf *payload, struct err *err)
{
	struct buf frame;
	int rc;

	if (log->broken)
		return 0; /* the coming replace writes all of it */
	buf_init(&frame, RECORD_MAX_BYTES + FRAME_BYTES);
	record_frame(&frame, payload);
	rc = frame.status;
	if (rc != 0) {
		err_set(err, rc, "%s: a record does not fit", log->name);
	} else {
		log->dirty = true;
		rc = log->storage->append(log->storage->context, log->name, frame.data, frame.size, err);
		log->broken = rc != 0;
		log->bytes += frame.size;
	}
	buf_done(&frame);
	return rc;
}

int record_log_sync(struct record_log *log, struct err *err)
{
	int rc;

	if (!log->dirty)
		return 0;
	rc = log->storage->sync(log->storage->context, log->name, err);
	if (rc != 0)
		log->broken = true;
	else
		log->dirty = false;
	return rc;
}

int record_log_replace(struct record_log *log, const struct buf *frames, struct err *err)
{
	int rc = frames->status;

	if (rc != 0)
		return err_set(err, rc, "%s: cannot be written anew", log->name);
	rc = log->storage->replace(log->storage->context, log->name, frames->data, frames->size, err);
	if (rc != 0)
		return rc;
	log->bytes = frames->size;
	log->broken = log->dirty = false;
	return 0;
}
