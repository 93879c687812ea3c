/* The acceptance of signed orders: one test a refusal. The signature function
 * is a stand-in that knows one key and records what it was asked; the real one
 * is tested in test/unit/trust/signing_key.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "samples.h"
#include "wire/envelope.h"

struct judge {
	uint8_t signed_bytes[4096];
	size_t signed_size;
	unsigned asked;
};

static const struct envelope_key keys[2] = {
	{ .fingerprint = { 1 }, .public_key = { 11 } },
	{ .fingerprint = { 2 }, .public_key = { 22 } },
};

/* A signature of this stand-in: the key's first byte everywhere, then a sum of the message. */
static void stand_in_sign(uint8_t key, const uint8_t *message, size_t size, uint8_t *signature)
{
	memset(signature, key, ENVELOPE_SIGNATURE_BYTES);
	for (size_t i = 0; i < size; i++)
		signature[i % 8] = (uint8_t)(signature[i % 8] * 31 + message[i]);
}

static bool stand_in_verify(void *context, const uint8_t key[ENVELOPE_KEY_BYTES], const void *message, size_t size,
			    const uint8_t signature[ENVELOPE_SIGNATURE_BYTES])
{
	struct judge *judge = context;
	uint8_t expected[ENVELOPE_SIGNATURE_BYTES];

	judge->asked++;
	judge->signed_size = size;
	memcpy(judge->signed_bytes, message, size < sizeof(judge->signed_bytes) ? size : sizeof(judge->signed_bytes));
	stand_in_sign(key[0], message, size, expected);
	return memcmp(expected, signature, sizeof(expected)) == 0;
}

static struct judge judge;

static void seal(const void *payload, size_t size, const struct envelope_key *key, struct buf *out)
{
	uint8_t signature[ENVELOPE_SIGNATURE_BYTES];
	struct buf message;

	buf_init(&message, 65536);
	assert_int_equal(envelope_message(payload, size, &message), 0);
	stand_in_sign(key->public_key[0], message.data, message.size, signature);
	assert_int_equal(envelope_pack(payload, size, key->fingerprint, signature, out, NULL), 0);
	buf_done(&message);
}

static void seal_content(const Muster__Wire__Signed *content, struct buf *out)
{
	struct buf payload;

	buf_init(&payload, WIRE_SIGNED_MAX_BYTES);
	assert_int_equal(envelope_payload(content, &payload, NULL), 0);
	seal(payload.data, payload.size, &keys[1], out);
	buf_done(&payload);
}

/* Decodes and accepts at a moment; content is freed. */
static int accept_bytes(const struct buf *bytes, time_us now, const struct uuid *computer, struct err *err)
{
	const struct envelope_acceptance acceptance = { .keys = keys,
							.key_count = 2,
							.computer = computer,
							.now = now,
							.verify = stand_in_verify,
							.verify_context = &judge };
	Muster__Wire__Envelope *envelope;
	Muster__Wire__Signed *content = NULL;
	struct arena *arena;
	struct arena *content_arena = NULL;
	int status;

	memset(&judge, 0, sizeof(judge));
	assert_int_equal(exchange_envelope_decode(bytes->data, bytes->size, &envelope, &arena, err), 0);
	status = envelope_accept(envelope, &acceptance, &content, &content_arena, err);
	assert_int_equal(content != NULL, status == 0);
	assert_int_equal(content_arena != NULL, status == 0);
	arena_free(content_arena);
	arena_free(arena);
	return status;
}

static void test_accepted(void **state)
{
	Muster__Wire__Signed *content = sample_scan();
	struct buf bytes;

	(void)state;
	buf_init(&bytes, WIRE_ENVELOPE_MAX_BYTES);
	seal_content(content, &bytes);
	assert_int_equal(accept_bytes(&bytes, content->issued_us + 1, &sample_computer, NULL), 0);
	assert_int_equal(judge.asked, 1);
	/* Exactly what is signed: the context with its NUL, then the payload. */
	assert_memory_equal(judge.signed_bytes, "muster envelope 1\0\x08\x01", 20);
	buf_done(&bytes);
}

static void test_unknown_key(void **state)
{
	const struct envelope_key stranger = { .fingerprint = { 9 }, .public_key = { 22 } };
	struct err err = { 0 };
	struct buf bytes;

	(void)state;
	buf_init(&bytes, WIRE_ENVELOPE_MAX_BYTES);
	seal("payload", 7, &stranger, &bytes);
	assert_int_equal(accept_bytes(&bytes, 0, &sample_computer, &err), ERR_UNKNOWN);
	assert_non_null(strstr(err.text, "signed by key 0900"));
	assert_int_equal(judge.asked, 0);
	buf_done(&bytes);
}

/* Bytes that would not parse are told as a bad signature: nothing parses them before. */
static void test_bad_signature_before_parsing(void **state)
{
	uint8_t signature[ENVELOPE_SIGNATURE_BYTES] = { 0 };
	struct err err = { 0 };
	struct buf bytes;

	(void)state;
	buf_init(&bytes, WIRE_ENVELOPE_MAX_BYTES);
	assert_int_equal(envelope_pack("\xff\xff\xff", 3, keys[0].fingerprint, signature, &bytes, NULL), 0);
	assert_int_equal(accept_bytes(&bytes, 0, &sample_computer, &err), ERR_UNTRUSTED);
	assert_non_null(strstr(err.text, "does not verify"));
	buf_reset(&bytes);
	seal("\xff\xff\xff", 3, &keys[0], &bytes);
	assert_int_equal(accept_bytes(&bytes, 0, &sample_computer, &err), ERR_FORMAT);
	buf_done(&bytes);
}

/* A bit of any byte changed: never accepted. */
static void test_altered_anywhere(void **state)
{
	Muster__Wire__Signed *content = sample_scan();
	struct buf bytes;

	(void)state;
	buf_init(&bytes, WIRE_ENVELOPE_MAX_BYTES);
	seal_content(content, &bytes);
	for (size_t i = 0; i < bytes.size; i++) {
		Muster__Wire__Envelope *envelope;
		struct arena *arena = NULL;

		bytes.data[i] ^= 1;
		if (exchange_envelope_decode(bytes.data, bytes.size, &envelope, &arena, NULL) == 0)
			assert_true(accept_bytes(&bytes, content->issued_us, &sample_computer, NULL) < 0);
		arena_free(arena);
		bytes.data[i] ^= 1;
	}
	assert_int_equal(accept_bytes(&bytes, content->issued_us, &sample_computer, NULL), 0);
	buf_done(&bytes);
}

static void test_other_computer(void **state)
{
	const struct uuid other = { { 99 } };
	Muster__Wire__Signed *content = sample_scan();
	struct err err = { 0 };
	struct buf bytes;

	(void)state;
	buf_init(&bytes, WIRE_ENVELOPE_MAX_BYTES);
	seal_content(content, &bytes);
	assert_int_equal(accept_bytes(&bytes, content->issued_us, &other, &err), ERR_DENIED);
	assert_string_equal(err.text, "meant for another computer, 01020304-0506-7708-890a-0b0c0d0e0f10");
	buf_done(&bytes);
}

static void test_dates(void **state)
{
	Muster__Wire__Signed *content = sample_scan();
	time_us first = content->issued_us - ENVELOPE_EARLY_TOLERANCE_US;
	time_us last = content->expires_us + ENVELOPE_LATE_TOLERANCE_US;
	struct err err = { 0 };
	struct buf bytes;

	(void)state;
	buf_init(&bytes, WIRE_ENVELOPE_MAX_BYTES);
	seal_content(content, &bytes);
	assert_int_equal(accept_bytes(&bytes, first, &sample_computer, &err), 0);
	assert_int_equal(accept_bytes(&bytes, first - 1, &sample_computer, &err), ERR_CLOCK);
	assert_non_null(strstr(err.text, "in the future; the clock here says 20"));
	assert_int_equal(accept_bytes(&bytes, last, &sample_computer, &err), 0);
	assert_int_equal(accept_bytes(&bytes, last + 1, &sample_computer, &err), ERR_EXPIRED);
	assert_non_null(strstr(err.text, "expired at 20"));
	buf_done(&bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_accepted),
		cmocka_unit_test(test_unknown_key),
		cmocka_unit_test(test_bad_signature_before_parsing),
		cmocka_unit_test(test_altered_anywhere),
		cmocka_unit_test(test_other_computer),
		cmocka_unit_test(test_dates),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
