/* The server authentication key: on disk, signing, verifying, and with the acceptance rule. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "folder.h"
#include "trust/fingerprint.h"
#include "trust/identity.h"
#include "trust/secret_file.h"
#include "trust/signing_key.h"

/* RFC 8032 section 7.1, test 3. */
static const char rfc_public[] = "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025";
static const char rfc_signature[] = "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
				    "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a";

static void test_known_answer(void **state)
{
	uint8_t public_key[ENVELOPE_KEY_BYTES];
	uint8_t signature[ENVELOPE_SIGNATURE_BYTES];

	(void)state;
	assert_int_equal(hex_parse(rfc_public, public_key, sizeof(public_key), NULL), 0);
	assert_int_equal(hex_parse(rfc_signature, signature, sizeof(signature), NULL), 0);
	assert_true(signing_key_verify(NULL, public_key, "\xaf\x82", 2, signature));
	assert_false(signing_key_verify(NULL, public_key, "\xaf\x83", 2, signature));
	assert_false(signing_key_verify(NULL, public_key, "\xaf\x82\x00", 3, signature));
}

static void test_altered_signature_or_key(void **state)
{
	struct signing_key *key;
	uint8_t public_key[ENVELOPE_KEY_BYTES];
	uint8_t signature[ENVELOPE_SIGNATURE_BYTES];

	(void)state;
	assert_int_equal(signing_key_generate(&key, NULL), 0);
	signing_key_public(key, public_key);
	assert_int_equal(signing_key_sign(key, "order", 5, signature, NULL), 0);
	assert_true(signing_key_verify(NULL, public_key, "order", 5, signature));
	for (size_t i = 0; i < sizeof(signature); i++) {
		signature[i] ^= 0x10;
		assert_false(signing_key_verify(NULL, public_key, "order", 5, signature));
		signature[i] ^= 0x10;
	}
	for (size_t i = 0; i < sizeof(public_key); i++) {
		public_key[i] ^= 1;
		assert_false(signing_key_verify(NULL, public_key, "order", 5, signature));
		public_key[i] ^= 1;
	}
	signing_key_free(key);
}

static void test_store_and_load(void **state)
{
	struct signing_key *key;
	struct signing_key *again;
	uint8_t before[ENVELOPE_KEY_BYTES];
	uint8_t after[ENVELOPE_KEY_BYTES];
	uint8_t signature[ENVELOPE_SIGNATURE_BYTES];
	const char *path = folder_file(state, "key");
	struct stat st;

	assert_int_equal(signing_key_generate(&key, NULL), 0);
	assert_int_equal(signing_key_store(key, path, NULL), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(folder_count(state), 1);
	assert_int_equal(signing_key_load(path, &again, NULL), 0);
	signing_key_public(key, before);
	signing_key_public(again, after);
	assert_memory_equal(before, after, sizeof(before));
	assert_int_equal(signing_key_sign(again, "x", 1, signature, NULL), 0);
	assert_true(signing_key_verify(NULL, before, "x", 1, signature));
	signing_key_free(key);
	signing_key_free(again);
	signing_key_free(NULL);
}

static void test_load_refusals(void **state)
{
	struct signing_key *key = NULL;
	struct buf pem;
	struct buf request;
	struct err err = { 0 };
	const char *path = folder_file(state, "key");

	assert_int_equal(signing_key_load(path, &key, &err), ERR_NOT_FOUND);
	assert_int_equal(secret_file_write(path, "hello", 5, 0600, NULL), 0);
	assert_int_equal(signing_key_load(path, &key, &err), ERR_FORMAT);
	assert_non_null(strstr(err.text, "no private key in PEM form"));
	buf_init(&pem, 4096);
	buf_init(&request, 4096);
	assert_int_equal(identity_make(&pem, &request, NULL), 0);
	assert_int_equal(secret_file_write(path, pem.data, pem.size, 0600, NULL), 0);
	assert_int_equal(signing_key_load(path, &key, &err), ERR_UNTRUSTED);
	assert_non_null(strstr(err.text, "not an Ed25519 key"));
	assert_int_equal(chmod(path, 0640), 0);
	assert_int_equal(signing_key_load(path, &key, &err), ERR_UNTRUSTED);
	assert_non_null(strstr(err.text, "others may use this secret file (mode 0640)"));
	assert_null(key);
	buf_wipe(&pem);
	buf_done(&request);
}

static void test_secret_file(void **state)
{
	static uint8_t large[SECRET_FILE_MAX_BYTES + 1];
	const char *path = folder_file(state, "file");
	const char *other = folder_file(state, "link");
	struct buf out;
	struct err err = { 0 };

	buf_init(&out, SECRET_FILE_MAX_BYTES);
	assert_int_equal(secret_file_write(path, "one", 3, 0644, NULL), 0);
	assert_int_equal(secret_file_write(path, "two!", 4, 0600, NULL), 0);
	assert_int_equal(secret_file_read(path, true, &out, NULL), 0);
	assert_string_equal(buf_text(&out), "two!");
	assert_int_equal(symlink(path, other), 0);
	assert_true(secret_file_read(other, false, &out, &err) < 0);
	assert_int_equal(secret_file_write(path, large, sizeof(large), 0600, NULL), 0);
	assert_int_equal(secret_file_read(path, true, &out, &err), ERR_LIMIT);
	assert_int_equal(mkfifo(folder_file(state, "fifo"), 0600), 0);
	assert_int_equal(secret_file_read(folder_file(state, "fifo"), true, &out, &err), ERR_FORMAT);
	assert_int_equal(secret_file_write(folder_file(state, "none/file"), "x", 1, 0600, &err), ERR_NOT_FOUND);
	/* The target is a folder: rename fails, nothing stays behind. */
	assert_true(secret_file_write(folder_file(state, "."), "x", 1, 0600, &err) < 0);
	assert_int_equal(folder_count(state), 3);
	buf_done(&out);
}

static void test_public_pem(void **state)
{
	struct signing_key *key;
	uint8_t public_key[ENVELOPE_KEY_BYTES];
	uint8_t again[ENVELOPE_KEY_BYTES];
	struct err err = { 0 };
	struct buf pem;

	(void)state;
	buf_init(&pem, 4096);
	assert_int_equal(signing_key_generate(&key, NULL), 0);
	signing_key_public(key, public_key);
	assert_int_equal(signing_public_pem(public_key, &pem, NULL), 0);
	assert_memory_equal(pem.data, "-----BEGIN PUBLIC KEY-----\n", 27);
	assert_int_equal(signing_public_parse(pem.data, pem.size, again, NULL), 0);
	assert_memory_equal(public_key, again, sizeof(again));
	assert_int_equal(signing_public_parse(pem.data, pem.size / 2, again, &err), ERR_FORMAT);
	assert_int_equal(signing_public_parse("", 0, again, &err), ERR_FORMAT);
	signing_key_free(key);
	buf_done(&pem);
}

/* The rule of wire/envelope.h with real signatures. */
static void test_envelope(void **state)
{
	const struct uuid computer = { { 1, 2, 3 } };
	const uint8_t id[UUID_BYTES] = { 5 };
	Muster__Wire__Signed content = MUSTER__WIRE__SIGNED__INIT;
	Muster__Wire__Command command = MUSTER__WIRE__COMMAND__INIT;
	Muster__Wire__Nothing nothing = MUSTER__WIRE__NOTHING__INIT;
	Muster__Wire__Signed *accepted;
	Muster__Wire__Envelope *envelope;
	struct arena *arena;
	struct arena *content_arena;
	struct signing_key *key;
	struct envelope_key trusted;
	struct envelope_seal seal;
	struct merkle *merkle;
	struct bytes leaf;
	struct envelope_acceptance acceptance = {
		.keys = &trusted,
		.key_count = 1,
		.computer = &computer,
		.session = 5,
		.now = 1000000,
		.verify = signing_key_verify,
		.digest = fingerprint_of,
	};
	struct buf payload;
	struct buf bytes;

	(void)state;
	buf_init(&payload, WIRE_SIGNED_MAX_BYTES);
	buf_init(&bytes, WIRE_ENVELOPE_MAX_BYTES);
	content.version = WIRE_ENVELOPE_VERSION;
	content.computer = exchange_bytes(computer.bytes, UUID_BYTES);
	content.session = 5;
	content.serial = 1;
	content.issued_us = 1000000;
	content.expires_us = 2000000;
	content.content_case = MUSTER__WIRE__SIGNED__CONTENT_COMMAND;
	content.command = &command;
	command.id = exchange_bytes(id, sizeof(id));
	command.kind_case = MUSTER__WIRE__COMMAND__KIND_HEARTBEAT;
	command.heartbeat = &nothing;
	assert_int_equal(envelope_payload(&content, &payload, NULL), 0);
	assert_int_equal(signing_key_generate(&key, NULL), 0);
	leaf = (struct bytes){ payload.data, payload.size };
	merkle = merkle_new(fingerprint_of, &leaf, 1);
	assert_non_null(merkle);
	assert_int_equal(signing_key_seal(key, merkle, &seal, NULL), 0);
	assert_int_equal(envelope_pack(&seal, 0, payload.data, payload.size, &bytes, NULL), 0);
	merkle_free(merkle);
	signing_key_public(key, trusted.public_key);
	signing_key_fingerprint(trusted.public_key, trusted.fingerprint);
	assert_int_equal(exchange_envelope_decode(bytes.data, bytes.size, &envelope, &arena, NULL), 0);
	assert_int_equal(envelope_accept(envelope, &acceptance, &accepted, &content_arena, NULL), 0);
	assert_int_equal(accepted->command->kind_case, MUSTER__WIRE__COMMAND__KIND_HEARTBEAT);
	arena_free(content_arena);
	envelope->payload.data[envelope->payload.len - 1] ^= 1;
	assert_int_equal(envelope_accept(envelope, &acceptance, &accepted, &content_arena, NULL), ERR_UNTRUSTED);
	envelope->payload.data[envelope->payload.len - 1] ^= 1;
	trusted.public_key[0] ^= 1; /* another key under the known fingerprint */
	assert_int_equal(envelope_accept(envelope, &acceptance, &accepted, &content_arena, NULL), ERR_UNTRUSTED);
	arena_free(arena);
	signing_key_free(key);
	buf_done(&payload);
	buf_done(&bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_known_answer),
		cmocka_unit_test(test_altered_signature_or_key),
		cmocka_unit_test_setup_teardown(test_store_and_load, folder_setup, folder_teardown),
		cmocka_unit_test_setup_teardown(test_load_refusals, folder_setup, folder_teardown),
		cmocka_unit_test_setup_teardown(test_secret_file, folder_setup, folder_teardown),
		cmocka_unit_test(test_public_pem),
		cmocka_unit_test(test_envelope),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
