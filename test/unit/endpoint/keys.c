/* endpoint/keys.c: the manager's key followed, kept and told; what does not begin with it refused. A signature of 0x5a
 * is good, a key's digest is its first byte everywhere. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "endpoint/endpoint.h"
#include "given_time.h"
#include "memory_disk.h"

static struct memory_disk disk;
static struct endpoint *endpoint;
static unsigned started;
static const struct uuid computer = { { 1, 2, 3 } };
static const struct uuid command_id = { { 4 } };

static bool test_verify(void *context, const uint8_t *public_key, const void *message, size_t size,
			const uint8_t *signature)
{
	(void)context;
	(void)message;
	return size > 0 && signature[0] == 0x5a && signature[1] == public_key[0];
}

static void test_digest(const void *data, size_t size, uint8_t out[SHA256_BYTES])
{
	memset(out, size > 0 ? *(const uint8_t *)data : 0, SHA256_BYTES);
}

static int note_start(void *context, const struct endpoint_command *command, struct err *err)
{
	(void)context;
	(void)command;
	(void)err;
	started++;
	return 0;
}

static struct endpoint *make(uint8_t trusted)
{
	struct envelope_key key;
	const struct endpoint_options options = {
		.env = &env,
		.storage = memory_disk_storage(&disk),
		.actor = { .start = note_start },
		.computer = computer,
		.keys = &key,
		.key_count = 1,
		.verify = test_verify,
		.digest = test_digest,
		.heartbeat_us = MINUTE_US,
	};
	struct endpoint *made;

	memset(key.public_key, trusted, sizeof(key.public_key));
	test_digest(key.public_key, sizeof(key.public_key), key.fingerprint);
	assert_int_equal(endpoint_new(&options, &made, NULL), 0);
	return made;
}

static int start(void **state)
{
	(void)state;
	now = DAY_US;
	started = 0;
	memory_disk_init(&disk);
	endpoint = make(1);
	return 0;
}

static int stop(void **state)
{
	(void)state;
	endpoint_free(endpoint);
	memory_disk_done(&disk);
	return 0;
}

/* The key that the next report of the main lane tells. */
static uint8_t report(void)
{
	Muster__Wire__Report *message;
	struct arena *arena;
	struct buf out;
	uint32_t hold_s;
	uint8_t told;

	now += MINUTE_US;
	buf_init(&out, WIRE_REPORT_MAX_BYTES);
	assert_int_equal(endpoint_report(endpoint, ENDPOINT_MAIN, &out, &hold_s, NULL), 0);
	assert_int_equal(exchange_report_decode(out.data, out.size, &message, &arena, NULL), 0);
	assert_int_equal(message->n_trusted_keys, 1);
	told = message->trusted_keys[0].data[0];
	arena_free(arena);
	buf_done(&out);
	return told;
}

static struct {
	Muster__Wire__KeySuccession steps[4], *list[4];
	uint8_t keys[8][ENVELOPE_KEY_BYTES], signatures[4][ENVELOPE_SIGNATURE_BYTES];
	Muster__Wire__Reply reply;
	Muster__Wire__Envelope envelope, *envelopes[1];
	uint8_t seal[ENVELOPE_SIGNATURE_BYTES], fingerprint[SHA256_BYTES];
	struct buf payload;
} made;

static void begin_reply(void)
{
	memset(&made, 0, sizeof(made));
	muster__wire__reply__init(&made.reply);
	made.reply.protocol = WIRE_PROTOCOL;
	made.reply.successions = made.list;
	buf_init(&made.payload, WIRE_SIGNED_MAX_BYTES);
}

static void add_step(uint8_t from, uint8_t to, bool good)
{
	size_t at = made.reply.n_successions++;
	Muster__Wire__KeySuccession *step = &made.steps[at];

	muster__wire__key_succession__init(step);
	memset(made.keys[2 * at], from, ENVELOPE_KEY_BYTES);
	memset(made.keys[2 * at + 1], to, ENVELOPE_KEY_BYTES);
	made.signatures[at][0] = good ? 0x5a : 0;
	made.signatures[at][1] = from;
	step->old_key = exchange_bytes(made.keys[2 * at], ENVELOPE_KEY_BYTES);
	step->new_key = exchange_bytes(made.keys[2 * at + 1], ENVELOPE_KEY_BYTES);
	step->signature = exchange_bytes(made.signatures[at], ENVELOPE_SIGNATURE_BYTES);
	step->serial = at + 1;
	made.list[at] = step;
}

/* A scan, signed with this key. */
static void add_order(uint8_t by)
{
	Muster__Wire__Signed content = MUSTER__WIRE__SIGNED__INIT;
	Muster__Wire__Command command = MUSTER__WIRE__COMMAND__INIT;
	Muster__Wire__Scan scan = MUSTER__WIRE__SCAN__INIT;

	command.id = exchange_bytes(command_id.bytes, UUID_BYTES);
	command.kind_case = MUSTER__WIRE__COMMAND__KIND_SCAN;
	command.scan = &scan;
	content.version = WIRE_ENVELOPE_VERSION;
	content.computer = exchange_bytes(computer.bytes, UUID_BYTES);
	content.session = endpoint_session(endpoint);
	content.serial = 1;
	content.issued_us = given_wall(NULL);
	content.expires_us = content.issued_us + HOUR_US;
	content.content_case = MUSTER__WIRE__SIGNED__CONTENT_COMMAND;
	content.command = &command;
	assert_int_equal(envelope_payload(&content, &made.payload, NULL), 0);
	muster__wire__envelope__init(&made.envelope);
	made.seal[0] = 0x5a;
	made.seal[1] = by;
	memset(made.fingerprint, by, sizeof(made.fingerprint));
	made.envelope.payload = exchange_bytes(made.payload.data, made.payload.size);
	made.envelope.key = exchange_bytes(made.fingerprint, SHA256_BYTES);
	made.envelope.signature = exchange_bytes(made.seal, ENVELOPE_SIGNATURE_BYTES);
	made.envelope.count = 1;
	made.envelopes[0] = &made.envelope;
	made.reply.commands = made.envelopes;
	made.reply.n_commands = 1;
}

static void give_reply(enum endpoint_lane lane)
{
	struct buf out;

	buf_init(&out, WIRE_REPLY_MAX_BYTES);
	assert_int_equal(exchange_reply_encode(&made.reply, &out, NULL), 0);
	assert_int_equal(endpoint_reply(endpoint, lane, out.data, out.size, NULL), 0);
	buf_done(&out);
	buf_done(&made.payload);
}

static uint8_t trusted(void)
{
	uint8_t fingerprint[SHA256_BYTES];

	endpoint_trusted(endpoint, fingerprint);
	return fingerprint[0];
}

static uint64_t refused(void)
{
	struct endpoint_status status;

	endpoint_status(endpoint, &status);
	return status.refused;
}

/* Three steps and an order of the last key in one reply; kept, told at once, and the keys before are nothing any more.
 */
static void test_followed(void **state)
{
	(void)state;
	assert_int_equal(report(), 1);
	begin_reply();
	add_step(1, 2, true);
	add_step(2, 3, true);
	add_step(3, 4, true);
	add_order(4);
	give_reply(ENDPOINT_MAIN);
	assert_int_equal(trusted(), 4);
	assert_int_equal(started, 1);
	assert_int_equal(disk.key.size, ENVELOPE_KEY_BYTES);
	assert_int_equal(disk.key.data[0], 4);
	assert_int_equal(refused(), 0);
	assert_true(endpoint_next(endpoint, ENDPOINT_MAIN) <= now + SECOND_US);
	assert_int_equal(report(), 4);
	begin_reply();
	add_order(1);
	give_reply(ENDPOINT_MAIN);
	assert_int_equal(refused(), 1);
}

/* The same way again, as another reply may bring it, and one of before that went on elsewhere: nothing happens. */
static void test_known_already(void **state)
{
	(void)state;
	report();
	begin_reply();
	add_step(1, 2, true);
	give_reply(ENDPOINT_MAIN);
	report();
	begin_reply();
	add_step(1, 2, true);
	give_reply(ENDPOINT_MAIN);
	assert_int_equal(trusted(), 2);
	assert_int_equal(refused(), 0);
}

/* One that the key before did not sign: what came before it is good, what comes after it is not reached. */
static void test_forged(void **state)
{
	(void)state;
	report();
	begin_reply();
	add_step(1, 2, true);
	add_step(2, 3, false);
	add_step(3, 4, true);
	add_order(4);
	give_reply(ENDPOINT_MAIN);
	assert_int_equal(trusted(), 2);
	assert_int_equal(started, 0);
	assert_true(refused() >= 1);
}

static void test_of_another_manager(void **state)
{
	(void)state;
	report();
	begin_reply();
	add_step(7, 8, true);
	add_order(8);
	give_reply(ENDPOINT_MAIN);
	assert_int_equal(trusted(), 1);
	assert_int_equal(started, 0);
	assert_int_equal(refused(), 2);
}

/* A key that cannot be kept is not used: the manager says it again. */
static void test_full_disk(void **state)
{
	(void)state;
	report();
	disk.fail_replace = true;
	begin_reply();
	add_step(1, 2, true);
	give_reply(ENDPOINT_MAIN);
	assert_int_equal(trusted(), 1);
	disk.fail_replace = false;
	assert_int_equal(report(), 1);
	begin_reply();
	add_step(1, 2, true);
	give_reply(ENDPOINT_MAIN);
	assert_int_equal(trusted(), 2);
}

static void test_by_hand(void **state)
{
	uint8_t key[ENVELOPE_KEY_BYTES];

	(void)state;
	memset(key, 9, sizeof(key));
	report();
	assert_int_equal(endpoint_trust(endpoint, key, NULL), 0);
	assert_int_equal(trusted(), 9);
	assert_int_equal(disk.key.data[0], 9);
	/* What answers the report of before was good when it was sent: it is no attack. */
	begin_reply();
	add_order(1);
	give_reply(ENDPOINT_MAIN);
	assert_int_equal(started, 0);
	assert_int_equal(refused(), 0);
	assert_int_equal(report(), 9);
	disk.fail_replace = true;
	memset(key, 10, sizeof(key));
	assert_true(endpoint_trust(endpoint, key, NULL) < 0);
	assert_int_equal(trusted(), 9);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_followed),           TEST(test_known_already), TEST(test_forged),
		TEST(test_of_another_manager), TEST(test_full_disk),     TEST(test_by_hand),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
