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
#include "trust/fingerprint.h"
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

/* Payloads that are signed together, and the seal that goes with each. */
struct together {
	struct buf payloads[MERKLE_LEAVES_MAX];
	struct bytes leaves[MERKLE_LEAVES_MAX];
	size_t count;
	struct merkle *merkle;
	struct envelope_seal seal;
};

static void together_add(struct together *together, const void *payload, size_t size)
{
	struct buf *kept = &together->payloads[together->count];

	buf_init(kept, size);
	assert_int_equal(buf_append(kept, payload, size), 0);
	together->leaves[together->count++] = (struct bytes){ kept->data, size };
}

static void together_sign(struct together *together, const struct envelope_key *key)
{
	uint8_t message[ENVELOPE_MESSAGE_BYTES];

	together->merkle = merkle_new(fingerprint_of, together->leaves, together->count);
	assert_non_null(together->merkle);
	together->seal.merkle = together->merkle;
	memcpy(together->seal.fingerprint, key->fingerprint, SHA256_BYTES);
	envelope_message(together->merkle, message);
	stand_in_sign(key->public_key[0], message, sizeof(message), together->seal.signature);
}

static void together_pack(const struct together *together, size_t index, struct buf *out)
{
	const struct bytes *leaf = &together->leaves[index];

	assert_int_equal(envelope_pack(&together->seal, index, leaf->data, leaf->size, out, NULL), 0);
}

static void together_done(struct together *together)
{
	for (size_t i = 0; i < together->count; i++)
		buf_done(&together->payloads[i]);
	merkle_free(together->merkle);
	*together = (struct together){ .count = 0 };
}

static void seal(const void *payload, size_t size, const struct envelope_key *key, struct buf *out)
{
	static struct together together;

	together_add(&together, payload, size);
	together_sign(&together, key);
	together_pack(&together, 0, out);
	together_done(&together);
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
static int accept_in_run(const struct buf *bytes, time_us now, const struct uuid *computer, uint64_t session,
			 struct err *err)
{
	const struct envelope_acceptance acceptance = { .keys = keys,
							.key_count = 2,
							.computer = computer,
							.session = session,
							.now = now,
							.verify = stand_in_verify,
							.verify_context = &judge,
							.digest = fingerprint_of };
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

static int accept_bytes(const struct buf *bytes, time_us now, const struct uuid *computer, struct err *err)
{
	return accept_in_run(bytes, now, computer, SAMPLE_SESSION, err);
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
	/* Exactly what is signed: the context with its NUL, the root, the count. */
	assert_int_equal(judge.signed_size, ENVELOPE_MESSAGE_BYTES);
	assert_memory_equal(judge.signed_bytes, "muster envelope 2", 18);
	assert_memory_equal(judge.signed_bytes + 18 + SHA256_BYTES, "\0\0\0\1", 4);
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
	static struct together together;
	struct err err = { 0 };
	struct buf bytes;

	(void)state;
	buf_init(&bytes, WIRE_ENVELOPE_MAX_BYTES);
	together_add(&together, "\xff\xff\xff", 3);
	together_sign(&together, &keys[0]);
	together.seal.signature[0] ^= 1;
	together_pack(&together, 0, &bytes);
	together_done(&together);
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

/* Recorded, and played to the same computer after a restart, a reset or an installation anew; one that names no run
 * counts for none, not even for an agent that has none itself. */
static void test_other_run(void **state)
{
	Muster__Wire__Signed *content = sample_scan();
	struct err err = { 0 };
	struct buf bytes;

	(void)state;
	buf_init(&bytes, WIRE_ENVELOPE_MAX_BYTES);
	seal_content(content, &bytes);
	for (unsigned bit = 0; bit < 64; bit++)
		assert_int_equal(accept_in_run(&bytes, content->issued_us, &sample_computer,
					       SAMPLE_SESSION ^ UINT64_C(1) << bit, &err),
				 ERR_REPLAYED);
	assert_non_null(strstr(err.text, "meant for another run of this agent"));
	buf_reset(&bytes);
	content->session = 0;
	seal_content(content, &bytes);
	assert_int_equal(accept_bytes(&bytes, content->issued_us, &sample_computer, &err), ERR_REPLAYED);
	assert_non_null(strstr(err.text, "does not say which run"));
	assert_int_equal(accept_in_run(&bytes, content->issued_us, &sample_computer, 0, &err), ERR_REPLAYED);
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

/* --- several signed together --- */

static const struct uuid neighbour = { { 0x20, [15] = 2 } };

/* Orders for two computers by turns, each with a serial of its own. */
static void sign_orders(struct together *together, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		Muster__Wire__Signed *content = sample_scan();
		struct buf payload;

		content->serial = i + 1;
		if (i % 2 != 0)
			content->computer = exchange_bytes(neighbour.bytes, UUID_BYTES);
		buf_init(&payload, WIRE_SIGNED_MAX_BYTES);
		assert_int_equal(envelope_payload(content, &payload, NULL), 0);
		together_add(together, payload.data, payload.size);
		buf_done(&payload);
	}
	together_sign(together, &keys[1]);
}

static int accept_envelope(const Muster__Wire__Envelope *envelope, struct err *err)
{
	time_us now = sample_scan()->issued_us;
	struct buf bytes;
	int rc;

	buf_init(&bytes, WIRE_REPLY_MAX_BYTES);
	rc = exchange_envelope_encode(envelope, &bytes, err);
	if (rc == 0)
		rc = accept_bytes(&bytes, now, &sample_computer, err);
	buf_done(&bytes);
	return rc;
}

static void test_each_of_many_is_accepted(void **state)
{
	static struct together together;
	time_us now = sample_scan()->issued_us;

	(void)state;
	for (size_t count = 1; count <= MERKLE_LEAVES_MAX; count = count < 9 ? count + 1 : count * 2 - 1) {
		sign_orders(&together, count);
		for (size_t i = 0; i < count; i++) {
			struct buf bytes;

			buf_init(&bytes, WIRE_ENVELOPE_MAX_BYTES);
			together_pack(&together, i, &bytes);
			assert_int_equal(accept_bytes(&bytes, now, i % 2 != 0 ? &neighbour : &sample_computer, NULL),
					 0);
			/* Addressed to another, whose own is signed by the same signature. */
			assert_int_equal(accept_bytes(&bytes, now, i % 2 != 0 ? &sample_computer : &neighbour, NULL),
					 ERR_DENIED);
			buf_done(&bytes);
		}
		together_done(&together);
	}
}

/* An envelope of eleven orders, decoded, to be changed. */
struct one {
	struct together together;
	struct buf bytes;
	struct arena *arena;
	Muster__Wire__Envelope *envelope;
};

static struct one one;

static int setup_one(void **state)
{
	(void)state;
	sign_orders(&one.together, 11);
	buf_init(&one.bytes, WIRE_ENVELOPE_MAX_BYTES);
	together_pack(&one.together, 4, &one.bytes);
	assert_int_equal(exchange_envelope_decode(one.bytes.data, one.bytes.size, &one.envelope, &one.arena, NULL), 0);
	assert_int_equal(one.envelope->n_path, 4);
	assert_int_equal(accept_envelope(one.envelope, NULL), 0);
	return 0;
}

static int teardown_one(void **state)
{
	(void)state;
	arena_free(one.arena);
	buf_done(&one.bytes);
	together_done(&one.together);
	return 0;
}

static void test_another_payload(void **state)
{
	struct bytes other = one.together.leaves[6]; /* for this computer, signed in the same batch */

	(void)state;
	one.envelope->payload = exchange_bytes(other.data, other.size);
	assert_int_equal(accept_envelope(one.envelope, NULL), ERR_UNTRUSTED);
}

static void test_another_path(void **state)
{
	(void)state;
	for (size_t i = 0; i < one.envelope->n_path; i++) {
		one.envelope->path[i].data[31] ^= 1;
		assert_int_equal(accept_envelope(one.envelope, NULL), ERR_UNTRUSTED);
		one.envelope->path[i].data[31] ^= 1;
	}
	for (size_t i = 1; i < one.envelope->n_path; i++) {
		const ProtobufCBinaryData first = one.envelope->path[0];

		one.envelope->path[0] = one.envelope->path[i];
		one.envelope->path[i] = first;
		assert_int_equal(accept_envelope(one.envelope, NULL), ERR_UNTRUSTED);
		one.envelope->path[i] = one.envelope->path[0];
		one.envelope->path[0] = first;
	}
	assert_int_equal(accept_envelope(one.envelope, NULL), 0);
}

static void test_another_index(void **state)
{
	struct err err = { 0 };

	(void)state;
	for (uint32_t index = 0; index < WIRE_BATCH_MAX; index++) {
		one.envelope->index = index;
		assert_int_equal(accept_envelope(one.envelope, &err), index == 4 ? 0 : ERR_UNTRUSTED);
	}
	one.envelope->index = WIRE_BATCH_MAX;
	assert_int_equal(accept_envelope(one.envelope, &err), ERR_RANGE);
}

static void test_another_count(void **state)
{
	(void)state;
	for (uint32_t count = 1; count <= WIRE_BATCH_MAX; count++) {
		one.envelope->count = count;
		assert_int_equal(accept_envelope(one.envelope, NULL), count == 11 ? 0 : ERR_UNTRUSTED);
	}
	one.envelope->count = 0;
	assert_int_equal(accept_envelope(one.envelope, NULL), ERR_RANGE);
	one.envelope->count = WIRE_BATCH_MAX + 1;
	assert_int_equal(accept_envelope(one.envelope, NULL), ERR_RANGE);
}

static void test_a_path_of_another_length(void **state)
{
	ProtobufCBinaryData longer[WIRE_BATCH_PATH_MAX + 1];
	struct err err = { 0 };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(longer); i++)
		longer[i] = one.envelope->path[i < 4 ? i : 3];
	one.envelope->path = longer;
	for (size_t size = 0; size <= WIRE_BATCH_PATH_MAX; size++) {
		one.envelope->n_path = size;
		assert_int_equal(accept_envelope(one.envelope, &err), size == 4 ? 0 : ERR_UNTRUSTED);
	}
	assert_non_null(strstr(err.text, "number 4 of 11 orders signed together cannot have a path of 8"));
	one.envelope->n_path = WIRE_BATCH_PATH_MAX + 1;
	assert_int_equal(accept_envelope(one.envelope, &err), ERR_LIMIT);
	one.envelope->n_path = 4;
	longer[3].len--;
	assert_int_equal(accept_envelope(one.envelope, &err), ERR_FORMAT);
}

/* The hashes above a leaf, as if they were the leaf: 64 bytes and a path that is one shorter. */
static void test_a_node_as_a_payload(void **state)
{
	uint8_t own[1 + 64 * 1024] = { 0 }, node[2 * SHA256_BYTES];
	struct bytes leaf = one.together.leaves[4];

	(void)state;
	memcpy(own + 1, leaf.data, leaf.size);
	fingerprint_of(own, leaf.size + 1, node);
	memcpy(node + SHA256_BYTES, one.envelope->path[0].data, SHA256_BYTES);
	one.envelope->payload = exchange_bytes(node, sizeof(node));
	one.envelope->index /= 2;
	one.envelope->count = 6;
	one.envelope->path++;
	one.envelope->n_path--;
	assert_int_equal(accept_envelope(one.envelope, NULL), ERR_UNTRUSTED);
	one.envelope->count = 11;
	assert_int_equal(accept_envelope(one.envelope, NULL), ERR_UNTRUSTED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_accepted),
		cmocka_unit_test(test_unknown_key),
		cmocka_unit_test(test_bad_signature_before_parsing),
		cmocka_unit_test(test_altered_anywhere),
		cmocka_unit_test(test_other_computer),
		cmocka_unit_test(test_other_run),
		cmocka_unit_test(test_dates),
		cmocka_unit_test(test_each_of_many_is_accepted),
		cmocka_unit_test_setup_teardown(test_another_payload, setup_one, teardown_one),
		cmocka_unit_test_setup_teardown(test_another_path, setup_one, teardown_one),
		cmocka_unit_test_setup_teardown(test_another_index, setup_one, teardown_one),
		cmocka_unit_test_setup_teardown(test_another_count, setup_one, teardown_one),
		cmocka_unit_test_setup_teardown(test_a_path_of_another_length, setup_one, teardown_one),
		cmocka_unit_test_setup_teardown(test_a_node_as_a_payload, setup_one, teardown_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
