#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/units.h"
#include "endpoint/journal.h"
#include "memory_disk.h"

static const struct uuid one = { { 1 } }, two = { { 2 } };

static void reopen(struct journal *journal, const struct endpoint_storage *storage, const struct uuid *computer)
{
	struct record_damage damage;

	journal_done(journal);
	assert_int_equal(journal_open(journal, storage, computer, &damage, NULL), 0);
	assert_int_equal(damage.places, 0);
}

static struct journal_entry *receive(struct journal *journal, uint8_t number, time_us expires)
{
	const struct journal_entry given = {
		.id = { { number } }, .serial = number, .kind = COMMAND_SCAN, .expires = expires
	};
	struct journal_entry *entry;

	assert_int_equal(journal_receive(journal, &given, &entry, NULL), 0);
	return entry;
}

static void states_outlive_the_process(void **state)
{
	struct memory_disk disk;
	struct endpoint_storage storage;
	struct journal journal = { 0 };

	(void)state;
	memory_disk_init(&disk);
	storage = memory_disk_storage(&disk);
	reopen(&journal, &storage, &one);
	receive(&journal, 1, 0);
	assert_int_equal(journal_begin(&journal, receive(&journal, 2, 0), NULL), 0);
	assert_int_equal(journal_end(&journal, receive(&journal, 3, 0), COMMAND_FAILED, "io", "bad", NULL, 0, NULL), 0);
	reopen(&journal, &storage, &one);
	assert_int_equal(journal.count, 3);
	assert_int_equal(journal_active(&journal), 2);
	assert_int_equal(journal_find(&journal, &(struct uuid){ { 1 } })->state, COMMAND_PENDING);
	assert_int_equal(journal_find(&journal, &(struct uuid){ { 2 } })->state, COMMAND_RUNNING);
	assert_int_equal(journal_find(&journal, &(struct uuid){ { 3 } })->state, COMMAND_FAILED);
	journal_done(&journal);
	memory_disk_done(&disk);
}

static void what_is_forgotten_raises_the_floor(void **state)
{
	struct memory_disk disk;
	struct endpoint_storage storage;
	struct journal journal = { 0 };
	struct journal_entry *entry;

	(void)state;
	memory_disk_init(&disk);
	storage = memory_disk_storage(&disk);
	reopen(&journal, &storage, &one);
	entry = receive(&journal, 7, HOUR_US);
	receive(&journal, 8, HOUR_US);
	assert_int_equal(journal_tidy(&journal, 10 * DAY_US, NULL), 0);
	assert_int_equal(journal.count, 2); /* neither ended nor acknowledged */
	assert_int_equal(journal_end(&journal, entry, COMMAND_SUCCEEDED, "", "", NULL, 0, NULL), 0);
	journal_acknowledge(&journal, entry);
	assert_int_equal(journal_tidy(&journal, 2 * HOUR_US, NULL), 0);
	assert_int_equal(journal.count, 2); /* its envelope may come again */
	assert_int_equal(journal_tidy(&journal, 10 * DAY_US, NULL), 0);
	assert_int_equal(journal.count, 1);
	reopen(&journal, &storage, &one);
	assert_int_equal(journal.floor, 7);
	journal_done(&journal);
	memory_disk_done(&disk);
}

static void a_new_identity_counts_afresh(void **state)
{
	struct memory_disk disk;
	struct endpoint_storage storage;
	struct journal journal = { 0 };

	(void)state;
	memory_disk_init(&disk);
	storage = memory_disk_storage(&disk);
	reopen(&journal, &storage, &one);
	assert_int_equal(journal_configuration(&journal, 5, NULL), 0);
	reopen(&journal, &storage, &one);
	assert_int_equal(journal.configuration_serial, 5);
	reopen(&journal, &storage, &two);
	assert_int_equal(journal.configuration_serial, 0);
	journal_done(&journal);
	memory_disk_done(&disk);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(states_outlive_the_process),
		cmocka_unit_test(what_is_forgotten_raises_the_floor),
		cmocka_unit_test(a_new_identity_counts_afresh),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
