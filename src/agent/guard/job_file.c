/* Saved jobs: "MUSTERJ1", fields, CRC-32C. */
#include "agent/guard/job_file.h"

#include <stdio.h>
#include <string.h>

#include "os/files.h"

#define MAGIC          "MUSTERJ2"
#define FILE_MAX_BYTES (CHANNEL_PAYLOAD_MAX_BYTES + 16384)

void job_saved_init(struct job_saved *saved)
{
	*saved = (struct job_saved){ 0 };
	buf_init(&saved->start, CHANNEL_PAYLOAD_MAX_BYTES);
}

void job_saved_done(struct job_saved *saved)
{
	buf_done(&saved->start);
}

void job_file_name(const struct uuid *id, const char *ending, char name[64])
{
	char text[UUID_TEXT_BYTES];

	uuid_format(id, text);
	snprintf(name, 64, "%s%s", text, ending);
}

void job_saved_pack(struct buf *out, const struct job_saved *saved)
{
	struct message_progress counts = saved->counts;
	struct buf part;

	counts.path = (struct bytes){ NULL, 0 };
	buf_init(&part, 1024);
	message_pack_progress(&part, &counts);
	buf_append(out, MAGIC, 8);
	pack_u64(out, saved->order);
	pack_u8(out, (uint8_t)saved->phase);
	pack_u8(out, saved->paused);
	pack_u8(out, saved->announced);
	pack_u64(out, saved->plan_bytes);
	pack_u64(out, saved->position);
	pack_u8(out, (uint8_t)saved->done_count);
	for (size_t i = 0; i < saved->done_count; i++)
		pack_u64(out, saved->done[i]);
	pack_u32(out, saved->missed);
	pack_u32(out, (uint32_t)saved->trouble_code);
	pack_bytes(out, saved->trouble, strlen(saved->trouble));
	pack_bytes(out, saved->trouble_path, strlen(saved->trouble_path));
	pack_bytes(out, part.data, part.size);
	pack_bytes(out, saved->start.data, saved->start.size);
	if (out->status == 0)
		pack_u32(out, crc32c(0, out->data, out->size));
	buf_done(&part);
}

static void take_text(struct unpack *in, char *text, size_t size)
{
	struct bytes bytes = unpack_bytes(in, size - 1);

	if (bytes.size > 0)
		memcpy(text, bytes.data, bytes.size);
	text[bytes.size] = '\0';
}

int job_saved_unpack(const void *data, size_t size, struct job_saved *ret_saved)
{
	const uint8_t *bytes = data;
	struct bytes counts, start;
	struct unpack in;
	unsigned phase;

	if (size < 12 || memcmp(bytes, MAGIC, 8) != 0)
		return ERR_FORMAT;
	unpack_init(&in, bytes + size - 4, 4);
	if (unpack_u32(&in) != crc32c(0, bytes, size - 4))
		return ERR_FORMAT;
	unpack_init(&in, bytes + 8, size - 12);
	ret_saved->order = unpack_u64(&in);
	phase = unpack_u8(&in);
	ret_saved->phase = (enum job_phase)phase;
	ret_saved->paused = unpack_u8(&in) != 0;
	ret_saved->announced = unpack_u8(&in) != 0;
	ret_saved->plan_bytes = unpack_u64(&in);
	ret_saved->position = unpack_u64(&in);
	ret_saved->done_count = unpack_u8(&in);
	if (phase > JOB_ENDED || ret_saved->done_count > JOB_WINDOW)
		return ERR_FORMAT;
	for (size_t i = 0; i < ret_saved->done_count; i++)
		ret_saved->done[i] = unpack_u64(&in);
	ret_saved->missed = unpack_u32(&in);
	ret_saved->trouble_code = (int)unpack_u32(&in);
	take_text(&in, ret_saved->trouble, sizeof(ret_saved->trouble));
	take_text(&in, ret_saved->trouble_path, sizeof(ret_saved->trouble_path));
	counts = unpack_bytes(&in, 1024);
	start = unpack_bytes(&in, CHANNEL_PAYLOAD_MAX_BYTES);
	if (unpack_end(&in) != 0 || message_unpack_progress(counts.data, counts.size, &ret_saved->counts) != 0)
		return ERR_FORMAT;
	ret_saved->counts.path = (struct bytes){ NULL, 0 };
	buf_reset(&ret_saved->start);
	return buf_append(&ret_saved->start, start.data, start.size);
}

int job_file_save(int directory, const struct job_saved *saved, struct err *err)
{
	char name[64];
	struct buf out;
	int code;

	job_file_name(&saved->counts.job, ".job", name);
	buf_init(&out, FILE_MAX_BYTES);
	job_saved_pack(&out, saved);
	code = out.status != 0 ? err_set(err, out.status, "job file")
			       : files_write(directory, name, out.data, out.size, 0600, err);
	buf_done(&out);
	return code;
}

int job_file_load(int directory, const char *name, struct job_saved *ret_saved, struct err *err)
{
	struct buf bytes;
	int code;

	buf_init(&bytes, FILE_MAX_BYTES);
	code = files_read(directory, name, FILE_MAX_BYTES, &bytes, err);
	if (code == 0 && job_saved_unpack(bytes.data, bytes.size, ret_saved) != 0)
		code = err_set(err, ERR_FORMAT, "job file %s is damaged", name);
	buf_done(&bytes);
	return code;
}
