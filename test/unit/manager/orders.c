/* Orders: how a command becomes one, and what the keys role refuses to sign. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "manager/front/order.h"
#include "manager/keys/order_check.h"
#include "wire/exchange.h"

#define NOW ((time_us)1700000000 * SECOND_US)

static const struct bytes paths[] = { { (const uint8_t *)"/usr", 4 }, { (const uint8_t *)"/a\nb", 4 } };
static const struct front_command scan = { .paths = paths, .path_count = 2 };

static struct order an_order(enum command_kind kind)
{
	return (struct order){
		.id = { { 1 } },
		.computer = { { 2 } },
		.kind = kind,
		.target = { { kind == COMMAND_SCAN || kind == COMMAND_HEARTBEAT ? 0 : 3 } },
		.serial = 7,
		.issued = NOW,
		.timeout = HOUR_US,
		.arguments = &scan,
	};
}

static int check(const struct order *order, time_us now)
{
	struct buf out;
	int rc;

	buf_init(&out, WIRE_SIGNED_MAX_BYTES);
	rc = order_pack(order, &out, NULL);
	if (rc == 0)
		rc = order_check(out.data, out.size, now, false, NULL);
	buf_done(&out);
	return rc;
}

static void every_kind_is_signed(void **state)
{
	(void)state;
	for (int kind = COMMAND_SCAN; kind <= COMMAND_DELETE_ITEM; kind++) {
		struct order order = an_order((enum command_kind)kind);

		assert_int_equal(check(&order, NOW), 0);
	}
}

static void a_scan_carries_its_paths(void **state)
{
	struct order order = an_order(COMMAND_SCAN);
	Muster__Wire__Signed *content;
	struct arena *arena;
	struct buf out;
	char *json;

	(void)state;
	buf_init(&out, WIRE_SIGNED_MAX_BYTES);
	assert_int_equal(order_pack(&order, &out, NULL), 0);
	assert_int_equal(exchange_signed_decode(out.data, out.size, &content, &arena, NULL), 0);
	assert_int_equal(content->serial, 7);
	assert_int_equal(content->command->scan->n_paths, 2);
	assert_memory_equal(content->command->scan->paths[1].data, "/a\nb", 4);
	assert_true(content->expires_us > content->issued_us + HOUR_US);
	arena_free(arena);
	buf_done(&out);
	json = order_arguments_json(&order);
	assert_string_equal(json, "{\"paths\":[\"/usr\",\"/a\\\\x0ab\"],\"exclude\":[]}");
	free(json);
}

/* Signed anew it is the same order but for the run. */
static void an_order_is_packed_again_for_another_run(void **state)
{
	struct order order = an_order(COMMAND_SCAN);
	struct buf first, expected, again;
	struct bytes payload;
	struct err err = { 0 };

	(void)state;
	order.session = 0;
	buf_init(&first, WIRE_SIGNED_MAX_BYTES);
	buf_init(&expected, WIRE_SIGNED_MAX_BYTES);
	buf_init(&again, WIRE_SIGNED_MAX_BYTES);
	assert_int_equal(order_pack(&order, &first, NULL), 0);
	payload = (struct bytes){ first.data, first.size };
	order.session = UINT64_C(0xfedcba9876543210);
	assert_int_equal(order_pack(&order, &expected, NULL), 0);
	assert_int_equal(order_pack_again(&payload, order.session, &again, NULL), 0);
	assert_int_equal(again.size, expected.size);
	assert_memory_equal(again.data, expected.data, expected.size);
	assert_true(expected.size > first.size);
	payload.size--;
	assert_int_equal(order_pack_again(&payload, order.session, &again, &err), ERR_FORMAT);
	buf_done(&first);
	buf_done(&expected);
	buf_done(&again);
}

static void a_target_is_read_back(void **state)
{
	struct order order = an_order(COMMAND_RESTORE);
	char *json = order_arguments_json(&order);
	struct uuid target = order_stored_target(json);

	(void)state;
	assert_memory_equal(&target, &order.target, sizeof(target));
	target = order_stored_target("{}");
	assert_true(uuid_is_zero(&target));
	target = order_stored_target("{\"target\":\"nonsense\"}");
	assert_true(uuid_is_zero(&target));
	free(json);
}

/* Without a token as well: the other manager decides. */
static void a_move_says_where_to(void **state)
{
	static const char *const tokens[] = { NULL, "mse_of_the_other_one" };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		const struct front_command move = { .manager = "https://other.example:4343",
						    .token = tokens[i],
						    .authority = { 7 } };
		struct order order = an_order(COMMAND_MOVE);
		Muster__Wire__Signed *content;
		struct arena *arena;
		struct buf out;
		char *json;

		order.arguments = &move;
		order.target = (struct uuid){ 0 };
		assert_int_equal(check(&order, NOW), 0);
		buf_init(&out, WIRE_SIGNED_MAX_BYTES);
		assert_int_equal(order_pack(&order, &out, NULL), 0);
		assert_int_equal(exchange_signed_decode(out.data, out.size, &content, &arena, NULL), 0);
		assert_string_equal(content->command->move->manager, move.manager);
		assert_string_equal(content->command->move->token, tokens[i] != NULL ? tokens[i] : "");
		assert_memory_equal(content->command->move->authority.data, move.authority, SHA256_BYTES);
		arena_free(arena);
		buf_done(&out);
		json = order_arguments_json(&order);
		assert_string_equal(json, "{\"manager\":\"https://other.example:4343\"}");
		free(json);
	}
}

static void times_out_of_order_are_not_signed(void **state)
{
	struct order order = an_order(COMMAND_HEARTBEAT);

	(void)state;
	assert_int_equal(check(&order, NOW + ORDER_ISSUED_TOLERANCE_US), 0);
	assert_int_equal(check(&order, NOW + ORDER_ISSUED_TOLERANCE_US + 1), ERR_CLOCK);
	assert_int_equal(check(&order, NOW - ORDER_ISSUED_TOLERANCE_US - 1), ERR_CLOCK);
}

static void nobodys_order_is_not_signed(void **state)
{
	struct order order = an_order(COMMAND_HEARTBEAT);

	(void)state;
	memset(&order.computer, 0, sizeof(order.computer));
	assert_int_equal(check(&order, NOW), ERR_DENIED);
	order = an_order(COMMAND_HEARTBEAT);
	order.serial = 0;
	assert_int_not_equal(check(&order, NOW), 0);
}

static void rubbish_is_not_signed(void **state)
{
	static const uint8_t rubbish[] = { 0xff, 0xff, 0x01, 0x02 };

	(void)state;
	assert_int_not_equal(order_check(rubbish, sizeof(rubbish), NOW, false, NULL), 0);
	assert_int_not_equal(order_check("", 0, NOW, false, NULL), 0);
}

static void no_order_is_valid_for_years(void **state)
{
	(void)state;
	assert_int_equal(order_expires(NOW, 0) - NOW, ORDER_VALID_MAX_US);
	assert_int_equal(order_expires(NOW, 5000 * DAY_US) - NOW, ORDER_VALID_MAX_US);
	assert_int_equal(order_expires(NOW, MINUTE_US) - NOW, MINUTE_US + DAY_US);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_kind_is_signed),
		cmocka_unit_test(a_scan_carries_its_paths),
		cmocka_unit_test(an_order_is_packed_again_for_another_run),
		cmocka_unit_test(a_target_is_read_back),
		cmocka_unit_test(times_out_of_order_are_not_signed),
		cmocka_unit_test(nobodys_order_is_not_signed),
		cmocka_unit_test(rubbish_is_not_signed),
		cmocka_unit_test(no_order_is_valid_for_years),
		cmocka_unit_test(a_move_says_where_to),
	};

	return cmocka_run_group_tests_name("unit/manager/orders", tests, NULL, NULL);
}
