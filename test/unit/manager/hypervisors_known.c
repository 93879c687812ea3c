/* What front keeps of a hypervisor, by what its role says; and the messages. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "manager/front/hypervisors_known.h"

static const struct uuid id = { { 7 } };
static struct hypervisor_machines piece;

static struct known make(void)
{
	return (struct known){ .id = id, .enabled = true, .round = 3 };
}

static void begin(bool first)
{
	piece.id = id;
	piece.round = 3;
	piece.first = first;
	piece.count = 0;
}

static void put(uint8_t number, enum hypervisor_power power)
{
	struct hypervisor_machine *machine = &piece.machines[piece.count++];

	machine->id = (struct uuid){ { number } };
	machine->power = power;
	snprintf(machine->name, sizeof(machine->name), "machine %u", (unsigned)number);
}

static bool say(struct known *known, enum hypervisor_link link, uint32_t round, time_us wall)
{
	const struct hypervisor_said said = { .id = id, .round = round, .link = link, .text = "no route" };

	return known_said(known, &said, wall);
}

static void a_list_counts_when_it_is_whole(void **state)
{
	struct known known = make();
	const struct uuid five = { { 5 } }, one = { { 1 } };

	(void)state;
	begin(true);
	put(5, HYPERVISOR_RUNNING);
	assert_int_equal(known_take(&known, &piece), 0);
	begin(false);
	put(1, HYPERVISOR_SHUT_OFF);
	assert_int_equal(known_take(&known, &piece), 0);
	assert_int_equal(known.count, 0);
	assert_true(say(&known, HYPERVISOR_CONNECTED, 3, 100));
	assert_int_equal(known.count, 2);
	assert_int_equal(known.listed, 100);
	assert_int_equal(known_machine(&known, &one)->power, HYPERVISOR_SHUT_OFF);
	assert_string_equal(known_machine(&known, &five)->name, "machine 5");

	begin(true);
	put(1, HYPERVISOR_SHUT_OFF);
	put(5, HYPERVISOR_SHUT_OFF);
	assert_int_equal(known_take(&known, &piece), 0);
	assert_true(say(&known, HYPERVISOR_CONNECTED, 3, 200));
	assert_int_equal(known_machine(&known, &one)->since, 100); /* as before */
	assert_int_equal(known_machine(&known, &five)->since, 200);
	assert_int_equal(known.since, 100);
	known_done(&known);
}

static void a_failure_keeps_what_was_known_and_says_why(void **state)
{
	struct known known = make();

	(void)state;
	begin(true);
	put(1, HYPERVISOR_RUNNING);
	assert_int_equal(known_take(&known, &piece), 0);
	assert_true(say(&known, HYPERVISOR_CONNECTED, 3, 100));
	begin(true);
	put(2, HYPERVISOR_RUNNING);
	assert_int_equal(known_take(&known, &piece), 0);
	assert_false(say(&known, HYPERVISOR_FAILED, 3, 150));
	assert_string_equal(known.failure, "no route");
	assert_int_equal(known.since, 150);
	assert_int_equal(known.count, 1);
	assert_int_equal(known.listed, 100);
	assert_false(say(&known, HYPERVISOR_CONNECTED, 3, 160)); /* of a list that was never begun */
	assert_int_equal(known.link, HYPERVISOR_FAILED);
	known_done(&known);
}

static void another_round_is_not_heard(void **state)
{
	struct known known = make();

	(void)state;
	begin(true);
	put(1, HYPERVISOR_RUNNING);
	piece.round = 2;
	assert_int_equal(known_take(&known, &piece), 0);
	assert_false(say(&known, HYPERVISOR_CONNECTED, 2, 100));
	assert_false(say(&known, HYPERVISOR_FAILED, 2, 100));
	assert_int_equal(known.since, 0);
	known.enabled = false;
	assert_false(say(&known, HYPERVISOR_FAILED, 3, 100));
	assert_int_equal(known.since, 0);
	known_done(&known);
}

static void more_than_a_hypervisor_may_have(void **state)
{
	struct known known = make();
	int rc = 0;

	(void)state;
	for (unsigned i = 0; rc == 0 && i < HYPERVISOR_MACHINES_MAX / HYPERVISOR_CHUNK + 1; i++) {
		begin(i == 0);
		for (unsigned j = 0; j < HYPERVISOR_CHUNK; j++)
			put((uint8_t)j, HYPERVISOR_RUNNING);
		rc = known_take(&known, &piece);
	}
	assert_int_equal(rc, ERR_LIMIT);
	assert_false(say(&known, HYPERVISOR_CONNECTED, 3, 100));
	known_done(&known);
}

static void only_shut_off_and_crashed_are_stopped(void **state)
{
	(void)state;
	for (unsigned i = 0; i < HYPERVISOR_POWERS; i++)
		assert_int_equal(machine_state_of(i), i == HYPERVISOR_SHUT_OFF || i == HYPERVISOR_CRASHED
							  ? MACHINE_STOPPED
						      : i == HYPERVISOR_NO_STATE ? MACHINE_UNKNOWN
										 : MACHINE_RUNNING);
}

static void messages_come_back_as_they_went(void **state)
{
	static struct hypervisor_watch watch, watch_again;
	static struct hypervisor_machines again;
	struct hypervisor_said said = { .id = id, .round = 9, .link = HYPERVISOR_FAILED, .text = "why" }, said_again;
	struct buf packed;

	(void)state;
	buf_init(&packed, HYPERVISOR_WATCH_MAX_BYTES);
	watch.count = HYPERVISORS_MAX;
	for (size_t i = 0; i < watch.count; i++) {
		watch.orders[i].round = (uint32_t)i;
		memset(watch.orders[i].uri, 'u', HYPERVISOR_URI_BYTES - 1);
	}
	hypervisor_pack_watch(&packed, &watch); /* the largest fits */
	assert_int_equal(packed.status, 0);
	assert_int_equal(hypervisor_unpack_watch(packed.data, packed.size, &watch_again), 0);
	assert_memory_equal(&watch, &watch_again, sizeof(watch));
	assert_true(hypervisor_unpack_watch(packed.data, packed.size - 1, &watch_again) != 0);
	packed.data[0] = packed.data[1] = 0xff;
	assert_int_equal(hypervisor_unpack_watch(packed.data, packed.size, &watch_again), ERR_LIMIT);
	buf_done(&packed);

	buf_init(&packed, HYPERVISOR_CHUNK_MAX_BYTES);
	begin(true);
	for (unsigned i = 0; i < HYPERVISOR_CHUNK; i++)
		put((uint8_t)i, HYPERVISOR_CRASHED);
	memset(piece.machines[0].name, 'n', HYPERVISOR_MACHINE_BYTES - 1);
	hypervisor_pack_machines(&packed, &piece);
	assert_int_equal(packed.status, 0);
	assert_int_equal(hypervisor_unpack_machines(packed.data, packed.size, &again), 0);
	assert_int_equal(again.count, HYPERVISOR_CHUNK);
	assert_string_equal(again.machines[0].name, piece.machines[0].name);
	packed.data[UUID_BYTES + 4 + 1 + 2 + UUID_BYTES] = HYPERVISOR_POWERS;
	assert_int_equal(hypervisor_unpack_machines(packed.data, packed.size, &again), ERR_FORMAT);
	buf_done(&packed);

	buf_init(&packed, 1024);
	hypervisor_pack_said(&packed, &said);
	assert_int_equal(hypervisor_unpack_said(packed.data, packed.size, &said_again), 0);
	assert_string_equal(said_again.text, "why");
	packed.data[UUID_BYTES + 4] = HYPERVISOR_LINKS;
	assert_int_equal(hypervisor_unpack_said(packed.data, packed.size, &said_again), ERR_FORMAT);
	buf_done(&packed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_list_counts_when_it_is_whole),
		cmocka_unit_test(a_failure_keeps_what_was_known_and_says_why),
		cmocka_unit_test(another_round_is_not_heard),
		cmocka_unit_test(more_than_a_hypervisor_may_have),
		cmocka_unit_test(only_shut_off_and_crashed_are_stopped),
		cmocka_unit_test(messages_come_back_as_they_went),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
