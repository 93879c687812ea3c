#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/pack.h"
#include "endpoint/spool.h"
#include "memory_disk.h"
#include "wire/limits.h"

static struct memory_disk disk;
static uint64_t drawn;

static void draw(void *context, void *out, size_t size)
{
	(void)context;
	drawn++;
	memset(out, 0, size);
	memcpy(out, &drawn, size < sizeof(drawn) ? size : sizeof(drawn));
}

static const struct env env = { .random = draw };
static struct endpoint_storage storage;

static int start(void **state)
{
	(void)state;
	memory_disk_init(&disk);
	storage = memory_disk_storage(&disk);
	return 0;
}

static int stop(void **state)
{
	(void)state;
	memory_disk_done(&disk);
	return 0;
}

static void open_spool(struct spool *spool, uint32_t max_count, uint32_t damaged_places)
{
	struct record_damage damage;

	assert_int_equal(spool_open(spool, &env, &storage, max_count, 1u << 20, &damage, NULL), 0);
	assert_int_equal(damage.places, damaged_places);
}

static void add(struct spool *spool, uint64_t source, uint32_t type)
{
	assert_int_equal(spool_add(spool, source, type, 1, NULL, 0, NULL), 0);
}

static int acknowledge(struct spool *spool, uint64_t number, uint64_t carried, uint64_t highest)
{
	const struct spool_acknowledgement given = { number, carried, highest };

	return spool_acknowledge(spool, &given, NULL);
}

static uint64_t number_of(const struct spool *spool, size_t index)
{
	const struct spool_entry *entry = NULL;
	size_t position = 0;

	for (size_t i = 0; i <= index; i++)
		entry = spool_next(spool, &position);
	return entry != NULL ? entry->number : UINT64_MAX;
}

static void events_outlive_the_process(void **state)
{
	struct spool spool;

	(void)state;
	open_spool(&spool, 10, 0);
	assert_false(spool.numbers_known);
	add(&spool, 1, EVENT_MALWARE_DETECTED);
	add(&spool, 2, EVENT_QUARANTINED);
	add(&spool, 2, EVENT_QUARANTINED); /* known already */
	assert_int_equal(spool.count, 2);
	assert_int_equal(number_of(&spool, 0), 0);
	assert_int_equal(acknowledge(&spool, 0, 0, 0), 0);
	assert_int_equal(number_of(&spool, 0), 1);
	assert_int_equal(spool_flush(&spool, NULL), 0);
	spool_done(&spool);
	open_spool(&spool, 10, 0);
	assert_true(spool.numbers_known);
	assert_int_equal(spool.count, 2);
	assert_int_equal(spool.source, 2);
	assert_int_equal(acknowledge(&spool, 1, 1, 0), 0);
	spool_done(&spool);
	open_spool(&spool, 10, 0);
	assert_int_equal(spool.count, 1);
	add(&spool, 3, EVENT_QUARANTINED);
	assert_int_equal(number_of(&spool, 1), 3); /* never reused */
	spool_done(&spool);
}

static void lowest_class_goes_first_and_is_told(void **state)
{
	const struct spool_entry *entry;
	struct spool spool;
	size_t position = 0, detections = 0, told = 0;

	(void)state;
	open_spool(&spool, 4, 0);
	assert_int_equal(acknowledge(&spool, 0, 0, 0), 0);
	for (uint64_t i = 0; i < 3; i++) {
		add(&spool, 2 * i + 1, EVENT_MALWARE_DETECTED);
		add(&spool, 2 * i + 2, EVENT_SCAN_FINISHED);
	}
	assert_int_equal(spool.count, 4);
	assert_int_equal(spool.drops[EVENT_ROUTINE], 2);
	spool_done(&spool);
	open_spool(&spool, 4, 0); /* counts are durable too */
	assert_int_equal(spool.drops[EVENT_ROUTINE], 2);
	assert_int_equal(spool_tell_drops(&spool, 5, NULL), 0);
	while ((entry = spool_next(&spool, &position)) != NULL) {
		detections += entry->type == EVENT_MALWARE_DETECTED;
		told += entry->type == EVENT_EVENTS_DROPPED ? entry->noted : 0;
	}
	assert_int_equal(detections, 3);
	assert_int_equal(told, 2);
	assert_int_equal(spool.drops[EVENT_ROUTINE], 1); /* the last routine one made room for the telling */
	spool_done(&spool);
}

static void after_damage_numbers_are_learnt(void **state)
{
	struct spool spool;

	(void)state;
	open_spool(&spool, 10, 0);
	assert_int_equal(acknowledge(&spool, 0, 0, 0), 0);
	for (uint64_t i = 1; i <= 3; i++)
		add(&spool, i, EVENT_MALWARE_DETECTED);
	assert_int_equal(spool_flush(&spool, NULL), 0);
	spool_done(&spool);
	disk.spool.data[disk.spool.size - 1] ^= 1; /* the third */
	open_spool(&spool, 10, 1);
	assert_int_equal(spool.count, 2);
	assert_false(spool.numbers_known);
	add(&spool, 3, EVENT_MALWARE_DETECTED);
	assert_int_equal(acknowledge(&spool, 3, 0, 0), 0); /* the manager has a third already */
	assert_int_equal(spool.count, 3);                  /* it may have had it from another */
	assert_int_equal(number_of(&spool, 1), 2);
	assert_true(number_of(&spool, 2) > 3);
	spool_done(&spool);
}

/* Whatever of its file is damaged: only as the computer that it was told as is it known. */
static void what_was_told_is_gone_before_it_is_another_computer(void **state)
{
	struct record_damage damage;
	struct spool spool;
	size_t size;

	(void)state;
	open_spool(&spool, 10, 0);
	assert_int_equal(acknowledge(&spool, 0, 0, 0), 0);
	for (uint64_t i = 1; i <= 3; i++)
		add(&spool, i, EVENT_MALWARE_DETECTED);
	assert_int_equal(spool_flush(&spool, NULL), 0);
	assert_int_equal(acknowledge(&spool, 2, 3, 2), 0);
	assert_int_equal(spool_compact(&spool, NULL), 0);
	spool_done(&spool);
	size = disk.spool.size;
	for (size_t at = 0; at < size; at++) {
		struct buf whole;

		buf_init(&whole, MIB);
		assert_int_equal(buf_append(&whole, disk.spool.data, size), 0);
		disk.spool.data[at] ^= 1;
		assert_int_equal(spool_open(&spool, &env, &storage, 10, 1u << 20, &damage, NULL), 0);
		assert_in_range(spool.count, 0, 1);
		assert_true(spool.count == 0 || number_of(&spool, 0) == 3);
		spool_done(&spool);
		buf_reset(&disk.spool);
		assert_int_equal(buf_append(&disk.spool, whole.data, size), 0);
		buf_done(&whole);
	}
}

static const struct spool_entry *entry_at(const struct spool *spool, size_t index)
{
	const struct spool_entry *entry = NULL;
	size_t position = 0;

	for (size_t i = 0; i <= index; i++)
		entry = spool_next(spool, &position);
	assert_non_null(entry);
	return entry;
}

static void each_event_has_a_mark_of_its_own(void **state)
{
	struct spool spool;
	uint64_t marks[2];

	(void)state;
	drawn = UINT64_MAX; /* the first drawn is 0, which is none */
	open_spool(&spool, 10, 0);
	add(&spool, 1, EVENT_MALWARE_DETECTED);
	add(&spool, 2, EVENT_MALWARE_DETECTED);
	for (size_t i = 0; i < 2; i++)
		marks[i] = entry_at(&spool, i)->mark;
	assert_int_equal(marks[0], 1);
	assert_int_equal(marks[1], 2);
	assert_int_equal(spool_flush(&spool, NULL), 0);
	spool_done(&spool);
	open_spool(&spool, 10, 0);
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(entry_at(&spool, i)->mark, marks[i]);
	spool_done(&spool);
}

/* As an agent of before marks wrote it. */
static void what_was_recorded_without_a_mark_is_kept_so(void **state)
{
	struct spool spool;
	struct buf payload;

	(void)state;
	buf_init(&payload, 256);
	pack_u8(&payload, 'E');
	for (size_t field = 0; field < 4; field++) /* id, number, source, time */
		pack_u64(&payload, 9);
	pack_u32(&payload, EVENT_MALWARE_DETECTED);
	pack_u32(&payload, 0);
	pack_u8(&payload, 0);
	pack_bytes(&payload, "\0\0", 2);
	record_frame(&disk.spool, &payload);
	buf_done(&payload);
	for (int start = 0; start < 2; start++) {
		open_spool(&spool, 10, 0);
		assert_int_equal(spool.count, 1);
		assert_int_equal(entry_at(&spool, 0)->mark, 0);
		assert_int_equal(entry_at(&spool, 0)->number, 9);
		spool_done(&spool);
	}
}

/* Another with our identity has made more events than we did. */
static void what_was_not_carried_is_not_acknowledged(void **state)
{
	struct spool spool;

	(void)state;
	open_spool(&spool, 10, 0);
	assert_int_equal(acknowledge(&spool, 0, 0, 0), 0);
	for (uint64_t i = 1; i <= 3; i++)
		add(&spool, i, EVENT_MALWARE_DETECTED);
	assert_int_equal(acknowledge(&spool, 50, 2, 0), 0);
	assert_int_equal(spool.count, 1);
	assert_int_equal(number_of(&spool, 0), 3);
	assert_int_equal(acknowledge(&spool, 50, 0, 0), 0);
	assert_int_equal(spool.count, 1);
	add(&spool, 4, EVENT_MALWARE_DETECTED); /* beyond the other's: there it is surely new */
	assert_int_equal(number_of(&spool, 1), 51);
	assert_int_equal(spool_flush(&spool, NULL), 0);
	spool_done(&spool);
	open_spool(&spool, 10, 0);
	assert_int_equal(spool.count, 2);
	assert_int_equal(number_of(&spool, 0), 3);
	assert_int_equal(acknowledge(&spool, 51, 51, 0), 0);
	assert_int_equal(spool.count, 0);
	spool_done(&spool);
}

/* The file is copied while its events have no numbers, and each copy goes its way. */
static void copies_number_their_events_alike(void **state)
{
	struct spool spool;
	struct buf copied;
	uint64_t marks[4];

	(void)state;
	open_spool(&spool, 4, 0);
	for (uint64_t i = 0; i < 4; i++)
		add(&spool, 0, EVENT_MALWARE_DETECTED);
	for (size_t i = 0; i < 4; i++)
		marks[i] = entry_at(&spool, i)->mark;
	buf_init(&copied, disk.spool.max);
	buf_append(&copied, disk.spool.data, disk.spool.size);
	assert_int_equal(acknowledge(&spool, 0, 0, 0), 0);
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(number_of(&spool, i), i + 1);
	spool_done(&spool);
	buf_reset(&disk.spool);
	buf_append(&disk.spool, copied.data, copied.size);
	buf_done(&copied);
	open_spool(&spool, 4, 0);
	add(&spool, 0, EVENT_MALWARE_DETECTED); /* the first one gives way */
	spool_done(&spool);
	open_spool(&spool, 4, 0);
	assert_int_equal(acknowledge(&spool, 4, 0, 4), 0); /* the other one was there */
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(entry_at(&spool, i)->mark, marks[i + 1]);
		assert_int_equal(number_of(&spool, i), i + 2);
	}
	assert_int_equal(number_of(&spool, 3), 5);
	spool_done(&spool);
}

/* Whole, but not ours: one byte too many, and a class that is not known. */
static void records_of_another_shape_are_left_out(void **state)
{
	static const struct {
		uint8_t noted_class, extra;
	} odd[] = { { 0, 1 }, { EVENT_CLASSES, 0 } };
	struct spool spool;

	(void)state;
	open_spool(&spool, 10, 0);
	add(&spool, 0, EVENT_QUARANTINED);
	spool_done(&spool);
	for (size_t i = 0; i < COUNT_OF(odd); i++) {
		struct buf payload;

		buf_init(&payload, 256);
		pack_u8(&payload, 'E');
		for (size_t field = 0; field < 5; field++) /* id, number, source, time, type and noted */
			pack_u64(&payload, 9);
		pack_u8(&payload, odd[i].noted_class);
		pack_bytes(&payload, "\0\0", 2);
		buf_append(&payload, "!", odd[i].extra);
		record_frame(&disk.spool, &payload);
		buf_done(&payload);
	}
	open_spool(&spool, 10, 0);
	assert_int_equal(spool.count, 1);
	spool_done(&spool);
}

static void a_full_disk_keeps_events_in_memory(void **state)
{
	struct spool spool;

	(void)state;
	open_spool(&spool, 10, 0);
	assert_int_equal(acknowledge(&spool, 0, 0, 0), 0);
	disk.fail_append = disk.fail_replace = true;
	add(&spool, 1, EVENT_MALWARE_DETECTED);
	add(&spool, 2, EVENT_MALWARE_DETECTED);
	assert_int_equal(spool_flush(&spool, NULL), ERR_SPACE);
	assert_int_equal(spool.durable_id, 0);
	disk.fail_append = disk.fail_replace = false;
	assert_int_equal(spool_flush(&spool, NULL), 0);
	assert_int_equal(spool.durable_id, 2);
	spool_done(&spool);
	open_spool(&spool, 10, 0);
	assert_int_equal(spool.count, 2);
	spool_done(&spool);
}

static void too_large_fields_are_refused(void **state)
{
	static uint8_t big[WIRE_FIELD_VALUE_MAX_BYTES + 1];
	const struct event_field field = { "file", { big, sizeof(big) } };
	struct spool spool;

	(void)state;
	open_spool(&spool, 10, 0);
	assert_int_equal(spool_add(&spool, 1, EVENT_MALWARE_DETECTED, 1, &field, 1, NULL), ERR_LIMIT);
	assert_int_equal(spool.count, 0);
	spool_done(&spool);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(events_outlive_the_process, start, stop),
		cmocka_unit_test_setup_teardown(lowest_class_goes_first_and_is_told, start, stop),
		cmocka_unit_test_setup_teardown(after_damage_numbers_are_learnt, start, stop),
		cmocka_unit_test_setup_teardown(what_was_told_is_gone_before_it_is_another_computer, start, stop),
		cmocka_unit_test_setup_teardown(each_event_has_a_mark_of_its_own, start, stop),
		cmocka_unit_test_setup_teardown(what_was_recorded_without_a_mark_is_kept_so, start, stop),
		cmocka_unit_test_setup_teardown(what_was_not_carried_is_not_acknowledged, start, stop),
		cmocka_unit_test_setup_teardown(copies_number_their_events_alike, start, stop),
		cmocka_unit_test_setup_teardown(records_of_another_shape_are_left_out, start, stop),
		cmocka_unit_test_setup_teardown(a_full_disk_keeps_events_in_memory, start, stop),
		cmocka_unit_test_setup_teardown(too_large_fields_are_refused, start, stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
