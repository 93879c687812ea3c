/* What is signed, with any of its fields altered: refused. The fields come from
 * protobuf's descriptors, so that a new one cannot be forgotten: it is altered
 * here without a line more, and one of a kind that this test does not know fails
 * it. Real signatures. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "trust/fingerprint.h"
#include "trust/signing_key.h"
#include "wire/succession.h"

#define SESSION 11
#define NOW     ((time_us)1795294800 * SECOND_US)

static struct signing_key *key, *stranger;
static struct envelope_key trusted;
static const struct uuid computer = { { 1, 2, 3 } };
static const struct uuid command_id = { { 5 } }, item_id = { { 6 } };

/* --- altering, one field after the other --- */

struct altering {
	ProtobufCMessage *root;
	struct buf before; /* packed, as it was */
	void (*check)(struct altering *altering, const char *field);
	unsigned count;
};

static void altered(struct altering *altering, const char *field)
{
	struct buf now;
	size_t size = protobuf_c_message_get_packed_size(altering->root);

	buf_init(&now, size + 1);
	assert_non_null(buf_room(&now, size + 1));
	buf_grow(&now, protobuf_c_message_pack(altering->root, now.data));
	if (now.size == altering->before.size && memcmp(now.data, altering->before.data, now.size) == 0)
		fail_msg("%s was not altered", field);
	buf_done(&now);
	altering->count++;
	altering->check(altering, field);
}

static void alter_bytes(struct altering *altering, const char *name, ProtobufCBinaryData *bytes)
{
	const ProtobufCBinaryData before = *bytes;
	uint8_t *copy = malloc(before.len + 1);

	assert_non_null(copy);
	for (size_t i = 0; i < before.len; i++) {
		memcpy(copy, before.data, before.len);
		copy[i] ^= 0x10;
		*bytes = (ProtobufCBinaryData){ before.len, copy };
		altered(altering, name);
	}
	memcpy(copy, before.data, before.len);
	copy[before.len] = 1;
	*bytes = (ProtobufCBinaryData){ before.len + 1, copy };
	altered(altering, name);
	if (before.len > 0) {
		*bytes = (ProtobufCBinaryData){ before.len - 1, copy };
		altered(altering, name);
	}
	*bytes = before;
	free(copy);
}

static void alter_text(struct altering *altering, const char *name, char **text)
{
	char *before = *text, other[] = "another";

	*text = other;
	altered(altering, name);
	*text = before;
}

static void alter_message(struct altering *altering, ProtobufCMessage *message);

static void alter_value(struct altering *altering, const ProtobufCFieldDescriptor *field, void *at)
{
	switch (field->type) {
	case PROTOBUF_C_TYPE_UINT32:
	case PROTOBUF_C_TYPE_ENUM:
		++*(uint32_t *)at;
		altered(altering, field->name);
		--*(uint32_t *)at;
		break;
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_INT64:
		++*(uint64_t *)at;
		altered(altering, field->name);
		*(uint64_t *)at -= 2;
		altered(altering, field->name);
		++*(uint64_t *)at;
		break;
	case PROTOBUF_C_TYPE_BOOL:
		*(protobuf_c_boolean *)at = !*(protobuf_c_boolean *)at;
		altered(altering, field->name);
		*(protobuf_c_boolean *)at = !*(protobuf_c_boolean *)at;
		break;
	case PROTOBUF_C_TYPE_BYTES:
		alter_bytes(altering, field->name, at);
		break;
	case PROTOBUF_C_TYPE_STRING:
		alter_text(altering, field->name, at);
		break;
	case PROTOBUF_C_TYPE_MESSAGE:
		alter_message(altering, *(ProtobufCMessage **)at);
		break;
	default:
		fail_msg("%s is of a kind that nobody alters here", field->name);
	}
}

/* Each element, one fewer, and one twice. */
static void alter_repeated(struct altering *altering, const ProtobufCFieldDescriptor *field, uint8_t *base)
{
	size_t size = field->type == PROTOBUF_C_TYPE_BYTES ? sizeof(ProtobufCBinaryData) : sizeof(void *);
	size_t *count = (size_t *)(void *)(base + field->quantifier_offset), before = *count;
	uint8_t **elements = (uint8_t **)(void *)(base + field->offset), *kept = *elements, *more;

	if (before == 0)
		fail_msg("the sample has no %s", field->name);
	for (size_t i = 0; i < before; i++)
		alter_value(altering, field, kept + i * size);
	*count = before - 1;
	altered(altering, field->name);
	more = calloc(before + 1, size);
	assert_non_null(more);
	memcpy(more, kept, before * size);
	memcpy(more + before * size, kept, size);
	*elements = more;
	*count = before + 1;
	altered(altering, field->name);
	*elements = kept;
	*count = before;
	free(more);
}

/* Nothing instead, and each of the other alternatives, empty. */
static void alter_alternatives(struct altering *altering, const ProtobufCMessageDescriptor *descriptor,
			       const ProtobufCFieldDescriptor *set, uint8_t *base)
{
	uint32_t *which = (uint32_t *)(void *)(base + set->quantifier_offset), before = *which;
	ProtobufCMessage **part = (ProtobufCMessage **)(void *)(base + set->offset), *kept = *part;

	*which = 0;
	altered(altering, set->name);
	for (unsigned i = 0; i < descriptor->n_fields; i++) {
		const ProtobufCFieldDescriptor *field = &descriptor->fields[i];
		const ProtobufCMessageDescriptor *of = field->descriptor;

		if (field->quantifier_offset != set->quantifier_offset || field->id == before)
			continue;
		*part = calloc(1, of->sizeof_message);
		assert_non_null(*part);
		protobuf_c_message_init(of, *part);
		*which = field->id;
		altered(altering, field->name);
		free(*part);
	}
	*which = before;
	*part = kept;
}

static void alter_field(struct altering *altering, const ProtobufCMessageDescriptor *descriptor,
			const ProtobufCFieldDescriptor *field, uint8_t *base)
{
	ProtobufCMessage **part = (ProtobufCMessage **)(void *)(base + field->offset), *kept;

	if (field->label == PROTOBUF_C_LABEL_REPEATED) {
		alter_repeated(altering, field, base);
		return;
	}
	if ((field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0) {
		if (*(uint32_t *)(void *)(base + field->quantifier_offset) != field->id)
			return;
		alter_alternatives(altering, descriptor, field, base);
	} else if (field->type == PROTOBUF_C_TYPE_MESSAGE) {
		kept = *part;
		assert_non_null(kept);
		*part = NULL;
		altered(altering, field->name);
		*part = kept;
	}
	alter_value(altering, field, base + field->offset);
}

static void alter_message(struct altering *altering, ProtobufCMessage *message)
{
	for (unsigned i = 0; i < message->descriptor->n_fields; i++)
		alter_field(altering, message->descriptor, &message->descriptor->fields[i], (uint8_t *)message);
}

static void alter_all(ProtobufCMessage *root, void (*check)(struct altering *altering, const char *field), size_t least)
{
	struct altering altering = { .root = root, .check = check };
	size_t size = protobuf_c_message_get_packed_size(root);

	buf_init(&altering.before, size + 1);
	assert_non_null(buf_room(&altering.before, size + 1));
	buf_grow(&altering.before, protobuf_c_message_pack(root, altering.before.data));
	alter_message(&altering, root);
	assert_true(altering.count >= least);
	buf_done(&altering.before);
}

/* --- envelopes --- */

static int accept_envelope(const Muster__Wire__Envelope *envelope)
{
	const struct envelope_acceptance acceptance = { .keys = &trusted,
							.key_count = 1,
							.computer = &computer,
							.session = SESSION,
							.now = NOW,
							.verify = signing_key_verify,
							.digest = fingerprint_of };
	Muster__Wire__Signed *content;
	struct arena *arena = NULL;
	int rc = envelope_accept(envelope, &acceptance, &content, &arena, NULL);

	arena_free(arena);
	return rc;
}

/* The payload sealed by `by` among others; the envelope's parts live in *out and *arena. */
static Muster__Wire__Envelope *sealed(const struct signing_key *by, const struct buf *payload, struct arena **ret_arena)
{
	static const uint8_t other[] = "another order";
	const struct bytes leaves[] = { { other, sizeof(other) }, { payload->data, payload->size }, { other, 3 } };
	struct merkle *merkle = merkle_new(fingerprint_of, leaves, 3);
	Muster__Wire__Envelope *envelope;
	struct envelope_seal seal;
	struct buf out;

	assert_non_null(merkle);
	buf_init(&out, WIRE_ENVELOPE_MAX_BYTES);
	assert_int_equal(signing_key_seal(by, merkle, &seal, NULL), 0);
	assert_int_equal(envelope_pack(&seal, 1, payload->data, payload->size, &out, NULL), 0);
	assert_int_equal(exchange_envelope_decode(out.data, out.size, &envelope, ret_arena, NULL), 0);
	merkle_free(merkle);
	buf_done(&out);
	return envelope;
}

static Muster__Wire__Signed *order(Muster__Wire__Command *command)
{
	static Muster__Wire__Signed content;

	muster__wire__signed__init(&content);
	content.version = WIRE_ENVELOPE_VERSION;
	content.computer = exchange_bytes(computer.bytes, UUID_BYTES);
	content.session = SESSION;
	content.serial = 7;
	content.issued_us = NOW;
	content.expires_us = NOW + HOUR_US;
	if (command != NULL) {
		command->id = exchange_bytes(command_id.bytes, UUID_BYTES);
		command->timeout_us = MINUTE_US;
		content.content_case = MUSTER__WIRE__SIGNED__CONTENT_COMMAND;
		content.command = command;
	}
	return &content;
}

static void packed(const Muster__Wire__Signed *content, struct buf *out)
{
	size_t size = muster__wire__signed__get_packed_size(content);

	buf_init(out, size + 1);
	assert_non_null(buf_room(out, size + 1));
	buf_grow(out, muster__wire__signed__pack(content, out->data));
}

static void envelope_refused(struct altering *altering, const char *field)
{
	if (accept_envelope((const Muster__Wire__Envelope *)altering->root) == 0)
		fail_msg("envelope.%s altered, and accepted", field);
}

static void test_envelope(void **state)
{
	Muster__Wire__Command command = MUSTER__WIRE__COMMAND__INIT;
	Muster__Wire__Nothing nothing = MUSTER__WIRE__NOTHING__INIT;
	Muster__Wire__Envelope *envelope;
	struct arena *arena;
	struct buf payload;

	(void)state;
	command.kind_case = MUSTER__WIRE__COMMAND__KIND_HEARTBEAT;
	command.heartbeat = &nothing;
	packed(order(&command), &payload);
	envelope = sealed(key, &payload, &arena);
	assert_int_equal(accept_envelope(envelope), 0);
	alter_all(&envelope->base, envelope_refused, payload.size + 32 + 64);
	assert_int_equal(accept_envelope(envelope), 0);
	arena_free(arena);
	buf_done(&payload);
}

/* --- what is in them: altered under the signature, and signed by another --- */

static void content_refused(struct altering *altering, const char *field)
{
	Muster__Wire__Envelope *envelope;
	struct buf payload;
	struct arena *arena;

	packed((const Muster__Wire__Signed *)altering->root, &payload);
	envelope = sealed(key, &altering->before, &arena);
	envelope->payload = exchange_bytes(payload.data, payload.size);
	if (accept_envelope(envelope) == 0)
		fail_msg("signed.%s altered, and accepted", field);
	arena_free(arena);
	if (payload.size > 0) {
		envelope = sealed(stranger, &payload, &arena);
		assert_int_equal(accept_envelope(envelope), ERR_UNKNOWN);
		envelope->key = exchange_bytes(trusted.fingerprint, SHA256_BYTES); /* as if it were ours */
		assert_int_equal(accept_envelope(envelope), ERR_UNTRUSTED);
		arena_free(arena);
	}
	buf_done(&payload);
}

static void altered_order(Muster__Wire__Command *command, Muster__Wire__Command__KindCase kind, void *content)
{
	command->kind_case = kind;
	command->scan = content; /* an alternative is a pointer like any other */
	alter_all(&order(command)->base, content_refused, 45);
}

static void test_every_kind_of_command(void **state)
{
	ProtobufCBinaryData paths[] = { exchange_bytes("/srv", 4), exchange_bytes("/home", 5) };
	Muster__Wire__Command command = MUSTER__WIRE__COMMAND__INIT;
	Muster__Wire__Nothing nothing = MUSTER__WIRE__NOTHING__INIT;
	Muster__Wire__Target target = MUSTER__WIRE__TARGET__INIT;
	Muster__Wire__Restore restore = MUSTER__WIRE__RESTORE__INIT;
	Muster__Wire__Scan scan = MUSTER__WIRE__SCAN__INIT;
	static const uint8_t fingerprint[SHA256_BYTES] = { 0xca };
	Muster__Wire__Move move = MUSTER__WIRE__MOVE__INIT;
	char manager[] = "https://manager.example:4343", token[] = "mse_token";
	const ProtobufCMessageDescriptor *descriptor = &muster__wire__command__descriptor;

	(void)state;
	move.manager = manager;
	move.token = token;
	move.authority = exchange_bytes(fingerprint, sizeof(fingerprint));
	scan.paths = scan.exclude = paths;
	scan.n_paths = scan.n_exclude = 2;
	target.id = restore.item = exchange_bytes(item_id.bytes, UUID_BYTES);
	for (unsigned i = 0; i < descriptor->n_fields; i++) {
		const ProtobufCFieldDescriptor *field = &descriptor->fields[i];
		ProtobufCMessage *const samples[] = { &nothing.base, &target.base, &restore.base, &scan.base,
						      &move.base };
		ProtobufCMessage *sample = NULL;

		if ((field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) == 0)
			continue;
		for (size_t at = 0; at < COUNT_OF(samples); at++)
			sample = samples[at]->descriptor == field->descriptor ? samples[at] : sample;
		if (sample == NULL)
			fail_msg("there is no sample of command.%s", field->name);
		altered_order(&command, (Muster__Wire__Command__KindCase)field->id, sample);
	}
}

static void test_configuration(void **state)
{
	char first[] = "link.poll", second[] = "scan.cpu_limit";
	Muster__Wire__Configuration configuration = MUSTER__WIRE__CONFIGURATION__INIT;
	Muster__Wire__Field fields[2] = { MUSTER__WIRE__FIELD__INIT, MUSTER__WIRE__FIELD__INIT };
	Muster__Wire__Field *list[] = { &fields[0], &fields[1] };
	Muster__Wire__Signed *content = order(NULL);

	(void)state;
	fields[0].name = first;
	fields[0].value = exchange_bytes("held", 4);
	fields[1].name = second;
	fields[1].value = exchange_bytes("50", 2);
	configuration.settings = list;
	configuration.n_settings = 2;
	content->content_case = MUSTER__WIRE__SIGNED__CONTENT_CONFIGURATION;
	content->configuration = &configuration;
	alter_all(&content->base, content_refused, 30);
}

/* --- successions --- */

static struct succession made(const struct signing_key *from, const struct signing_key *to, uint64_t serial)
{
	struct succession succession = { .serial = serial, .issued = NOW };
	uint8_t message[SUCCESSION_MESSAGE_BYTES];

	signing_key_public(from, succession.old_key);
	signing_key_public(to, succession.new_key);
	succession_message(&succession, message);
	assert_int_equal(signing_key_sign(from, message, sizeof(message), succession.signature, NULL), 0);
	return succession;
}

static int follow(Muster__Wire__KeySuccession *const *steps, size_t count, struct envelope_key *at, size_t *taken)
{
	const struct succession_walk walk = { signing_key_verify, NULL, fingerprint_of };

	return succession_follow(&walk, steps, count, at, taken, NULL);
}

static void succession_refused(struct altering *altering, const char *field)
{
	Muster__Wire__KeySuccession *step = (Muster__Wire__KeySuccession *)altering->root;
	struct envelope_key at = trusted;
	size_t taken = 0, size = muster__wire__key_succession__get_packed_size(step);
	uint8_t *bytes = malloc(size + 1);
	struct succession read;

	assert_non_null(bytes);
	muster__wire__key_succession__pack(step, bytes);
	/* A wrong shape is refused by the decoder, as it is that of a whole reply. */
	if (succession_unpack(bytes, size, &read, NULL) == 0 && follow(&step, 1, &at, &taken) == 0 && taken > 0)
		fail_msg("key_succession.%s altered, and followed", field);
	assert_int_equal(taken, 0);
	assert_memory_equal(&at, &trusted, sizeof(at));
	free(bytes);
}

static void test_succession(void **state)
{
	Muster__Wire__KeySuccession message;
	struct succession succession = made(key, stranger, 3);
	struct envelope_key at = trusted;
	Muster__Wire__KeySuccession *step = &message;
	size_t taken;

	(void)state;
	succession_fill(&succession, &message);
	assert_int_equal(follow(&step, 1, &at, &taken), 0);
	assert_int_equal(taken, 1);
	assert_memory_equal(at.public_key, succession.new_key, ENVELOPE_KEY_BYTES);
	alter_all(&message.base, succession_refused, 2 * 32 + 64);
}

/* Signed by a key that is not trusted, whatever it says of keys. */
static void test_succession_of_a_stranger(void **state)
{
	struct succession succession = made(stranger, key, 3);
	Muster__Wire__KeySuccession message, *step = &message;
	struct envelope_key at = trusted;
	size_t taken;

	(void)state;
	succession_fill(&succession, &message);
	assert_int_equal(follow(&step, 1, &at, &taken), 0); /* it leads to the key that is trusted: followed before */
	assert_int_equal(taken, 0);
	memcpy(succession.old_key, trusted.public_key, ENVELOPE_KEY_BYTES); /* as if the trusted one had signed */
	signing_key_public(stranger, succession.new_key);
	assert_int_equal(follow(&step, 1, &at, &taken), ERR_UNTRUSTED);
	assert_memory_equal(&at, &trusted, sizeof(at));
}

static int make_keys(void **state)
{
	(void)state;
	assert_int_equal(signing_key_generate(&key, NULL), 0);
	assert_int_equal(signing_key_generate(&stranger, NULL), 0);
	signing_key_public(key, trusted.public_key);
	signing_key_fingerprint(trusted.public_key, trusted.fingerprint);
	return 0;
}

static int free_keys(void **state)
{
	(void)state;
	signing_key_free(key);
	signing_key_free(stranger);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_envelope),
		cmocka_unit_test(test_every_kind_of_command),
		cmocka_unit_test(test_configuration),
		cmocka_unit_test(test_succession),
		cmocka_unit_test(test_succession_of_a_stranger),
	};

	return cmocka_run_group_tests(tests, make_keys, free_keys);
}
