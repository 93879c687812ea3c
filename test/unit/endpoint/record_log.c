#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "endpoint/record_log.h"
#include "memory_disk.h"

static char seen[256];

static int note(void *argument, const uint8_t *payload, size_t size)
{
	(void)argument;
	strncat(seen, (const char *)payload, size);
	strcat(seen, " ");
	return 0;
}

static void write_three(struct memory_disk *disk, struct endpoint_storage *storage, struct record_log *log)
{
	memory_disk_init(disk);
	*storage = memory_disk_storage(disk);
	*log = (struct record_log){ .storage = storage, .name = "spool" };
	for (int i = 0; i < 3; i++) {
		struct buf payload;

		buf_init(&payload, 100);
		buf_printf(&payload, "record%d", i);
		assert_int_equal(record_log_append(log, &payload, NULL), 0);
		buf_done(&payload);
	}
	assert_int_equal(record_log_sync(log, NULL), 0);
}

static void load(struct record_log *log, const char *expected, uint32_t places)
{
	struct record_damage damage;

	seen[0] = '\0';
	assert_int_equal(record_log_load(log, 1u << 20, note, NULL, &damage, NULL), 0);
	assert_string_equal(seen, expected);
	assert_int_equal(damage.places, places);
}

static void what_was_written_is_read(void **state)
{
	struct memory_disk disk;
	struct endpoint_storage storage;
	struct record_log log;

	(void)state;
	write_three(&disk, &storage, &log);
	load(&log, "record0 record1 record2 ", 0);
	memory_disk_done(&disk);
}

static void every_cut_leaves_the_whole_records(void **state)
{
	static const char *const expected[] = { "", "record0 ", "record0 record1 ", "record0 record1 record2 " };
	struct memory_disk disk;
	struct endpoint_storage storage;
	struct record_log log;

	(void)state;
	write_three(&disk, &storage, &log);
	for (size_t size = 45; size-- > 0;) {
		disk.spool.size = size;
		load(&log, expected[size / 15], size % 15 != 0);
	}
	memory_disk_done(&disk);
}

static void a_damaged_middle_is_skipped(void **state)
{
	struct memory_disk disk;
	struct endpoint_storage storage;
	struct record_log log;

	(void)state;
	write_three(&disk, &storage, &log);
	disk.spool.data[15 + 10] ^= 1; /* in the payload of the second */
	load(&log, "record0 record2 ", 1);
	disk.spool.data[15 + 3] = 0xff; /* now its length too */
	load(&log, "record0 ", 1);
	memory_disk_done(&disk);
}

static void a_failed_append_is_healed_by_a_replace(void **state)
{
	struct memory_disk disk;
	struct endpoint_storage storage;
	struct record_log log;
	struct buf payload, frames;

	(void)state;
	write_three(&disk, &storage, &log);
	buf_init(&payload, 100);
	buf_init(&frames, 1000);
	buf_append_text(&payload, "fourth");
	disk.fail_append = true;
	assert_int_equal(record_log_append(&log, &payload, NULL), ERR_SPACE);
	assert_true(log.broken);
	disk.fail_append = false;
	record_frame(&frames, &payload);
	assert_int_equal(record_log_replace(&log, &frames, NULL), 0);
	assert_false(log.broken);
	load(&log, "fourth ", 0);
	buf_done(&payload);
	buf_done(&frames);
	memory_disk_done(&disk);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_written_is_read),
		cmocka_unit_test(every_cut_leaves_the_whole_records),
		cmocka_unit_test(a_damaged_middle_is_skipped),
		cmocka_unit_test(a_failed_append_is_healed_by_a_replace),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
