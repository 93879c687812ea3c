/* Messages between the manager's roles: what was packed comes back, what does not decode is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "manager/messages.h"

static void signing_requests_come_back(void **state)
{
	const struct bytes payloads[] = { { (const uint8_t *)"order", 5 }, { (const uint8_t *)"another", 7 } };
	static struct message_sign got;
	struct buf out;

	(void)state;
	buf_init(&out, 65536);
	message_pack_sign(&out, payloads, 1);
	assert_int_equal(message_unpack_sign(out.data, out.size, &got), 0);
	assert_int_equal(got.count, 1);
	message_pack_sign(&out, payloads + 1, 1);
	assert_int_equal(message_unpack_sign(out.data, out.size, &got), 0);
	assert_int_equal(got.count, 2);
	assert_int_equal(got.payloads[1].size, 7);
	assert_memory_equal(got.payloads[1].data, "another", 7);
	assert_int_not_equal(message_unpack_sign(out.data, out.size - 1, &got), 0);
	assert_int_not_equal(message_unpack_sign(out.data, 0, &got), 0);
	buf_append_byte(&out, 0);
	assert_int_not_equal(message_unpack_sign(out.data, out.size, &got), 0);
	buf_done(&out);
}

static void a_signature_comes_back(void **state)
{
	struct message_signed answer, got;
	struct buf out;

	(void)state;
	memset(answer.key, 3, sizeof(answer.key));
	memset(answer.signature, 4, sizeof(answer.signature));
	buf_init(&out, 65536);
	message_pack_signed(&out, &answer);
	assert_int_equal(message_unpack_signed(out.data, out.size, &got), 0);
	assert_memory_equal(&got, &answer, sizeof(got));
	for (size_t size = 0; size < out.size; size++)
		assert_int_not_equal(message_unpack_signed(out.data, size, &got), 0);
	buf_append_byte(&out, 0);
	assert_int_not_equal(message_unpack_signed(out.data, out.size, &got), 0);
	buf_done(&out);
}

static void a_certification_comes_back(void **state)
{
	const struct message_certify asked = { .computer = { { 1, 2, 3 } }, .request = { (const uint8_t *)"csr", 3 } };
	struct message_certify got;
	struct buf out;

	(void)state;
	buf_init(&out, 65536);
	message_pack_certify(&out, &asked);
	assert_int_equal(message_unpack_certify(out.data, out.size, &got), 0);
	assert_memory_equal(&got.computer, &asked.computer, sizeof(got.computer));
	assert_int_equal(got.request.size, 3);
	for (size_t size = 0; size < out.size; size++)
		assert_int_not_equal(message_unpack_certify(out.data, size, &got), 0);
	buf_done(&out);
}

static void a_servers_certification_comes_back(void **state)
{
	const struct message_certify_server asked = { { (const uint8_t *)"csr", 3 }, { (const uint8_t *)"pem!", 4 } };
	struct message_certify_server got;
	struct buf out;

	(void)state;
	buf_init(&out, 65536);
	message_pack_certify_server(&out, &asked);
	assert_int_equal(message_unpack_certify_server(out.data, out.size, &got), 0);
	assert_int_equal(got.request.size, 3);
	assert_int_equal(got.certificate.size, 4);
	assert_memory_equal(got.certificate.data, "pem!", 4);
	for (size_t size = 0; size < out.size; size++)
		assert_int_not_equal(message_unpack_certify_server(out.data, size, &got), 0);
	buf_done(&out);
}

static void a_request_for_a_proof_comes_back(void **state)
{
	struct message_prove prove = { .side = PROOF_AGENT_DIALLED }, got;
	struct buf out;

	(void)state;
	memset(prove.channel, 9, sizeof(prove.channel));
	buf_init(&out, MESSAGE_PROVE_BYTES + 1);
	message_pack_prove(&out, &prove);
	assert_int_equal(out.size, MESSAGE_PROVE_BYTES);
	assert_int_equal(message_unpack_prove(out.data, out.size, &got), 0);
	assert_int_equal(got.side, PROOF_AGENT_DIALLED);
	assert_memory_equal(got.channel, prove.channel, sizeof(got.channel));
	for (size_t size = 0; size < out.size; size++)
		assert_int_not_equal(message_unpack_prove(out.data, size, &got), 0);
	out.data[0] = PROOF_SIDES;
	assert_int_not_equal(message_unpack_prove(out.data, out.size, &got), 0);
	buf_done(&out);
}

static void too_much_to_sign_is_refused(void **state)
{
	static uint8_t large[MESSAGE_SIGN_MAX_BYTES + 1];
	const struct bytes one = { large, sizeof(large) }, small = { large, 1 };
	static struct message_sign got;
	struct buf out;

	(void)state;
	buf_init(&out, sizeof(large) + 64);
	message_pack_sign(&out, &one, 1);
	assert_int_equal(message_unpack_sign(out.data, out.size, &got), ERR_LIMIT);
	buf_reset(&out);
	for (size_t i = 0; i <= MESSAGE_ORDERS_MAX; i++)
		message_pack_sign(&out, &small, 1);
	assert_int_equal(message_unpack_sign(out.data, out.size, &got), ERR_LIMIT);
	buf_done(&out);
}

static void a_refusal_keeps_its_code(void **state)
{
	struct err err = { 0 };
	struct message_refused refused;
	struct buf out;

	(void)state;
	err_set(&err, ERR_RANGE, "not now");
	buf_init(&out, 65536);
	message_pack_refused(&out, &err);
	assert_int_equal(message_unpack_refused(out.data, out.size, &refused), 0);
	assert_int_equal(refused.code, ERR_RANGE);
	assert_string_equal(refused.text, "not now");
	out.data[0] = 0; /* "no error" is no refusal */
	assert_int_equal(message_unpack_refused(out.data, out.size, &refused), ERR_FORMAT);
	out.data[0] = 0xff; /* nor is a code that nobody knows */
	assert_int_equal(message_unpack_refused(out.data, out.size, &refused), ERR_FORMAT);
	buf_done(&out);
}

static bool may_send(const struct message_table *table, uint16_t type)
{
	for (size_t i = 0; i < table->count; i++) {
		if (table->permits[i].type == type)
			return true;
	}
	return false;
}

static void nobody_but_front_asks_for_signatures(void **state)
{
	(void)state;
	assert_true(may_send(&messages_asked_of_keys, MESSAGE_SIGN));
	assert_false(may_send(&messages_answered_by_keys, MESSAGE_SIGN));
	assert_false(may_send(&messages_from_keys, MESSAGE_SIGN));
	assert_false(may_send(&messages_from_keys, MESSAGE_ATTACH));
	assert_false(may_send(&messages_from_front, MESSAGE_STOP));
}

static void authorities_come_back(void **state)
{
	struct message_authorities *read = malloc(sizeof(*read));
	struct buf packed, pem;
	time_us ended;

	(void)state;
	assert_non_null(read);
	buf_init(&packed, CHANNEL_PAYLOAD_MAX_BYTES);
	buf_init(&pem, AUTHORITIES_MAX_BYTES);
	buf_append_text(&pem, "-----BEGIN CERTIFICATE-----");
	message_pack_authorities(&packed, true, &pem);
	assert_int_equal(message_unpack_authorities(packed.data, packed.size, read), 0);
	assert_true(read->has_next);
	assert_string_equal(read->pem, buf_text(&pem));
	for (size_t size = 0; size < packed.size; size++)
		assert_int_not_equal(message_unpack_authorities(packed.data, size, read), 0);
	/* None at all, and one that hides something behind a NUL. */
	buf_reset(&packed);
	buf_reset(&pem);
	message_pack_authorities(&packed, false, &pem);
	assert_int_equal(message_unpack_authorities(packed.data, packed.size, read), ERR_FORMAT);
	buf_reset(&packed);
	buf_append(&pem, "a\0b", 3);
	message_pack_authorities(&packed, false, &pem);
	assert_int_equal(message_unpack_authorities(packed.data, packed.size, read), ERR_FORMAT);
	buf_reset(&packed);
	message_pack_no_authorities(&packed, "the file is gone");
	assert_int_equal(message_unpack_authorities(packed.data, packed.size, read), 0);
	assert_string_equal(read->why, "the file is gone");
	buf_reset(&packed);
	message_pack_ended(&packed, 7);
	assert_int_equal(packed.size, MESSAGE_AUTHORITIES_BYTES);
	assert_int_equal(message_unpack_ended(packed.data, packed.size, &ended), 0);
	assert_int_equal(ended, 7);
	assert_int_not_equal(message_unpack_ended(packed.data, packed.size - 1, &ended), 0);
	buf_reset(&packed);
	message_pack_ended(&packed, -1);
	assert_int_equal(message_unpack_ended(packed.data, packed.size, &ended), ERR_FORMAT);
	buf_done(&packed);
	buf_done(&pem);
	free(read);
}

static void what_is_said_of_files_comes_back(void **state)
{
	struct message_key_files files = { .items = { [KEPT_KEY_SERVER] = { .held = true, .why = "it is gone" } } },
				 got;
	bool force = false;
	struct buf out;

	(void)state;
	buf_init(&out, MESSAGE_KEY_FILES_MAX_BYTES);
	message_pack_key_files(&out, &files);
	assert_int_equal(message_unpack_key_files(out.data, out.size, &got), 0);
	assert_false(got.items[KEPT_KEY_AUTHORITY].held);
	assert_string_equal(got.items[KEPT_KEY_AUTHORITY].why, "");
	assert_true(got.items[KEPT_KEY_SERVER].held);
	assert_string_equal(got.items[KEPT_KEY_SERVER].why, "it is gone");
	for (size_t size = 0; size < out.size; size++)
		assert_int_not_equal(message_unpack_key_files(out.data, size, &got), 0);
	buf_reset(&out);
	for (size_t i = 0; i < KEPT_KEYS; i++)
		memset(files.items[i].why, 'x', sizeof(files.items[i].why) - 1);
	message_pack_key_files(&out, &files);
	assert_int_equal(out.status, 0); /* the longest fits */
	assert_int_equal(message_unpack_key_files(out.data, out.size, &got), 0);
	buf_reset(&out);
	message_pack_force(&out, true);
	assert_int_equal(message_unpack_force(out.data, out.size, &force), 0);
	assert_true(force);
	assert_int_not_equal(message_unpack_force(out.data, 0, &force), 0);
	assert_int_not_equal(message_unpack_force("\2", 1, &force), 0);
	buf_done(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(signing_requests_come_back),
		cmocka_unit_test(a_signature_comes_back),
		cmocka_unit_test(a_certification_comes_back),
		cmocka_unit_test(a_servers_certification_comes_back),
		cmocka_unit_test(a_request_for_a_proof_comes_back),
		cmocka_unit_test(authorities_come_back),
		cmocka_unit_test(what_is_said_of_files_comes_back),
		cmocka_unit_test(too_much_to_sign_is_refused),
		cmocka_unit_test(a_refusal_keeps_its_code),
		cmocka_unit_test(nobody_but_front_asks_for_signatures),
	};

	return cmocka_run_group_tests_name("unit/manager/messages", tests, NULL, NULL);
}
