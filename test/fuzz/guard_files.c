/* Guard's own files as a crash or a failing disk left them: the outbox, a
 * saved job, a plan, the cache of verdicts. The first byte chooses; with bit 7
 * the checksum is made right first, so that what stands behind it is reached.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/guard/job_file.h"
#include "agent/guard/outbox.h"
#include "agent/guard/plan.h"
#include "base/pack.h"
#include "protect/verdict_cache.h"
#include "scratch_directory.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int directory = -1;

/* --- outbox --- */

/* Header and records with good checksums: u64 first number, then (u8 size, payload) each with its number in front. */
static void make_outbox(const uint8_t *data, size_t size, struct buf *out)
{
	uint64_t number = size > 0 ? data[0] : 0;

	buf_append(out, "MUSTERO1", 8);
	pack_u64(out, number);
	pack_u32(out, crc32c(0, out->data, out->size));
	for (size_t at = 1; at < size; at += 1 + (size_t)data[at]) {
		size_t piece = data[at] < size - at - 1 ? data[at] : size - at - 1;
		struct buf payload;

		buf_init(&payload, 1024);
		pack_u64(&payload, ++number);
		buf_append(&payload, data + at + 1, piece);
		pack_u32(out, (uint32_t)payload.size);
		pack_u32(out, crc32c(0, payload.data, payload.size));
		buf_append(out, payload.data, payload.size);
		buf_done(&payload);
	}
}

static uint64_t walk_outbox(struct outbox *outbox)
{
	uint64_t number = 0, count = 0;
	struct buf payload;

	buf_init(&payload, CHANNEL_PAYLOAD_MAX_BYTES);
	while (outbox_next(outbox, number, &payload, &number, NULL) == 0) {
		struct message_notice notice;

		message_unpack_notice(payload.data, payload.size, &notice);
		buf_reset(&payload);
		count++;
	}
	buf_done(&payload);
	return count;
}

static void read_outbox(const uint8_t *data, size_t size)
{
	static const struct uuid id = { { 1 } };
	struct message_notice notice = { .kind = NOTICE_EVENT, .body.event.type = 2000 };
	struct outbox_damage damage;
	struct outbox *outbox;
	uint64_t count, last;

	close(scratch_file(directory, "outbox.log", data, size));
	require(outbox_open(directory, "outbox.log", 1, &outbox, &damage, NULL) == 0);
	count = walk_outbox(outbox);
	last = outbox_last(outbox);
	outbox_holds_end(outbox, &id);
	outbox_holds_item(outbox, 2000, &id);
	if (last < UINT64_MAX) {
		require(outbox_append(outbox, &notice, NULL) == 0);
		outbox_close(outbox);
		require(outbox_open(directory, "outbox.log", 1, &outbox, &damage, NULL) == 0);
		require(damage.places == 0);
		require(walk_outbox(outbox) == count + 1 && outbox_last(outbox) == last + 1);
	}
	require(outbox_stored(outbox, UINT64_MAX, NULL) == 0 && walk_outbox(outbox) == 0);
	outbox_close(outbox);
}

/* --- jobs --- */

static void make_job(const uint8_t *data, size_t size, struct buf *out)
{
	buf_append(out, "MUSTERJ1", 8);
	buf_append(out, data, size);
	pack_u32(out, crc32c(0, out->data, out->size));
}

static void read_job(const uint8_t *data, size_t size)
{
	struct job_saved saved, again;
	struct buf packed;

	job_saved_init(&saved);
	job_saved_init(&again);
	buf_init(&packed, 2 * CHANNEL_PAYLOAD_MAX_BYTES);
	if (job_saved_unpack(data, size, &saved) == 0) {
		require(saved.done_count <= JOB_WINDOW && saved.phase <= JOB_ENDED);
		job_saved_pack(&packed, &saved);
		require(packed.status == 0 && job_saved_unpack(packed.data, packed.size, &again) == 0);
		require(again.position == saved.position && again.order == saved.order &&
			again.start.size == saved.start.size);
	}
	buf_done(&packed);
	job_saved_done(&saved);
	job_saved_done(&again);
}

static void read_plan(const uint8_t *data, size_t size)
{
	struct plan_entry entry = { 0 };
	struct plan plan;

	close(scratch_file(directory, "a.plan", data, size));
	require(plan_open(directory, "a.plan", false, &plan, NULL) == 0);
	while (plan_read(&plan, entry.next_offset, size, &entry, NULL) == 0)
		require(entry.next_offset > entry.offset && entry.next_offset <= size);
	plan_close(&plan);
}

/* --- verdicts --- */

static time_us clock_now(void *context)
{
	(void)context;
	return INT64_C(1795294800) * SECOND_US;
}

static void chance(void *context, void *out, size_t size)
{
	(void)context;
	memset(out, 5, size);
}

static void read_cache(const uint8_t *data, size_t size)
{
	static const struct env env = { .wall = clock_now, .monotonic = clock_now, .random = chance };
	static const struct verdict_file file = { .device = 1, .inode = 2, .size = 3 };
	static const uint8_t version[VERDICT_VERSION_BYTES] = "version";
	struct verdict_cache *cache;
	int fd = scratch_file(directory, "verdicts.cache", data, size);

	if (verdict_cache_open(fd, &env, &cache, NULL) == 0) {
		verdict_cache_keep(cache, &file, version, clock_now(NULL));
		require(verdict_cache_clean(cache, &file, version));
		verdict_cache_close(cache);
	}
	close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct {
		void (*read)(const uint8_t *data, size_t size);
		void (*make)(const uint8_t *data, size_t size, struct buf *out);
	} files[] = { { read_outbox, make_outbox }, { read_job, make_job }, { read_plan, NULL }, { read_cache, NULL } };
	unsigned which = size > 0 ? data[0] & 0x7f : 0;
	struct buf made;

	if (size == 0 || size > CHANNEL_PAYLOAD_MAX_BYTES)
		return 0;
	if (directory < 0)
		directory = scratch_directory();
	which %= COUNT_OF(files);
	buf_init(&made, 16 * CHANNEL_PAYLOAD_MAX_BYTES);
	if ((data[0] & 0x80) && files[which].make != NULL)
		files[which].make(data + 1, size - 1, &made);
	else
		buf_append(&made, data + 1, size - 1);
	require(made.status == 0);
	files[which].read(made.data, made.size);
	buf_done(&made);
	return 0;
}
