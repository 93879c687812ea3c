/* Spool and journal as a crash, a failing disk or a stranger left them. First
 * byte: bit 0 chooses the file, bit 1 whether the rest is the file as it is or
 * records (u8 size, bytes) that are framed here, so that what stands behind the
 * checksum is reached.
 *
 * Whatever was there, opening makes a whole file of it: opened again it has no
 * damage, holds the same and is written the same. What is kept afterwards is
 * found again.
 */
#include <stdlib.h>
#include <string.h>

#include "base/pack.h"
#include "endpoint/journal.h"
#include "endpoint/spool.h"
#include "memory_disk.h"
#include "require.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SPOOL_COUNT      64
#define SPOOL_BYTES      (64 * 1024)
#define SPOOL_COUNTS_END (UINT64_C(1) << 61)

static const struct uuid computer = { { 1, 2, 3, 4, 5, 6, 0x77, 8, 0x89 } };

/* Marks, not alike. */
static void count_up(void *context, void *out, size_t size)
{
	static uint64_t count;

	(void)context;
	count++;
	memset(out, 0, size);
	memcpy(out, &count, size < sizeof(count) ? size : sizeof(count));
}

static const struct env env = { .random = count_up };

static void frame_records(const uint8_t *data, size_t size, struct buf *file)
{
	while (size > 1) {
		size_t piece = data[0] < size - 1 ? data[0] : size - 1;
		struct buf payload;

		buf_init(&payload, 256);
		buf_append(&payload, data + 1, piece);
		if (piece > 0)
			record_frame(file, &payload);
		buf_done(&payload);
		data += piece + 1;
		size -= piece + 1;
	}
}

static bool same(const struct buf *file, const struct buf *before)
{
	return file->size == before->size && memcmp(file->data, before->data, file->size) == 0;
}

/* --- spool --- */

static void open_spool(struct spool *spool, const struct endpoint_storage *storage, struct record_damage *ret_damage)
{
	struct err err = { 0 };

	require(spool_open(spool, &env, storage, SPOOL_COUNT, SPOOL_BYTES, ret_damage, &err) == 0);
}

static size_t count_spool(const struct spool *spool)
{
	size_t position = 0, count = 0;

	while (spool_next(spool, &position) != NULL)
		count++;
	return count;
}

static void use_spool(struct spool *spool)
{
	static const struct event_field field = { "path", { (const uint8_t *)"/etc", 4 } };
	uint64_t dropped = spool->dropped;

	require(spool_add(spool, 0, 2000, 1, &field, 1, NULL) == 0);
	require(spool->dropped > dropped || spool_last_id(spool) != 0);
	require(spool->count <= SPOOL_COUNT && spool->bytes <= SPOOL_BYTES);
	require(spool_tell_drops(spool, 2, NULL) == 0);
	require(spool_flush(spool, NULL) == 0);
	require(count_spool(spool) == spool->count);
}

static void read_spool(struct memory_disk *disk)
{
	static const struct spool_acknowledgement given = { .number = 1, .carried = 1, .highest = 2 };
	struct endpoint_storage storage = memory_disk_storage(disk);
	struct record_damage damage;
	struct spool spool;
	struct buf before;
	size_t count;

	buf_init(&before, disk->spool.max);
	open_spool(&spool, &storage, &damage);
	count = count_spool(&spool);
	require(count == spool.count);
	buf_append(&before, disk->spool.data, disk->spool.size);
	spool_done(&spool);

	open_spool(&spool, &storage, &damage);
	require(damage.places == 0 && spool.count == count && same(&disk->spool, &before));
	/* A file that claims to be at the end of all counts is read, and not taken further. */
	if (spool.next_id < SPOOL_COUNTS_END && spool.next_number < SPOOL_COUNTS_END)
		use_spool(&spool);
	count = spool.count;
	spool_done(&spool);

	open_spool(&spool, &storage, &damage);
	require(damage.places == 0 && spool.count == count);
	require(spool_acknowledge(&spool, &given, NULL) == 0 && spool.numbers_known);
	spool_done(&spool);
	buf_done(&before);
}

/* --- journal --- */

static void open_journal(struct journal *journal, const struct endpoint_storage *storage,
			 struct record_damage *ret_damage)
{
	struct err err = { 0 };

	require(journal_open(journal, storage, &computer, ret_damage, &err) == 0);
}

static void use_journal(struct journal *journal)
{
	struct journal_entry given = { .id = { { 0xfe } }, .serial = 7, .kind = 1, .expires = INT64_MAX };
	struct journal_entry *entry = journal_find(journal, &given.id);

	if (entry == NULL)
		require(journal_receive(journal, &given, &entry, NULL) == 0);
	if (!command_ended(entry->state)) {
		require(journal_begin(journal, entry, NULL) == 0);
		require(journal_end(journal, entry, COMMAND_SUCCEEDED, "", "", NULL, 0, NULL) == 0);
	}
	require(journal_tidy(journal, 1, NULL) == 0);
	journal_acknowledge(journal, entry);
	require(journal_active(journal) <= journal->count);
}

static void read_journal(struct memory_disk *disk)
{
	struct endpoint_storage storage = memory_disk_storage(disk);
	static const struct uuid ours = { { 0xfe } };
	struct record_damage damage;
	struct journal journal;
	struct buf before;

	buf_init(&before, disk->journal.max);
	open_journal(&journal, &storage, &damage);
	buf_append(&before, disk->journal.data, disk->journal.size);
	journal_done(&journal);

	open_journal(&journal, &storage, &damage);
	require(damage.places == 0 && same(&disk->journal, &before));
	use_journal(&journal);
	journal_done(&journal);

	open_journal(&journal, &storage, &damage);
	require(damage.places == 0);
	require(command_ended(journal_find(&journal, &ours)->state));
	require(journal_tidy(&journal, INT64_MAX, NULL) == 0);
	journal_done(&journal);
	buf_done(&before);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct memory_disk disk;
	struct buf *file;

	if (size == 0)
		return 0;
	memory_disk_init(&disk);
	file = data[0] & 1 ? &disk.journal : &disk.spool;
	if (data[0] & 2)
		frame_records(data + 1, size - 1, file);
	else
		buf_append(file, data + 1, size - 1);
	if (data[0] & 1)
		read_journal(&disk);
	else
		read_spool(&disk);
	memory_disk_done(&disk);
	return 0;
}
