/* trust/key_file.h: the key and how it came to be, in one file, replaced as a whole. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "folder.h"
#include "trust/key_file.h"
#include "trust/secret_file.h"

static struct signing_key *fresh(void)
{
	struct signing_key *key;

	assert_int_equal(signing_key_generate(&key, NULL), 0);
	return key;
}

static bool same_key(const struct signing_key *a, const struct signing_key *b)
{
	uint8_t left[ENVELOPE_KEY_BYTES], right[ENVELOPE_KEY_BYTES];

	signing_key_public(a, left);
	signing_key_public(b, right);
	return memcmp(left, right, sizeof(left)) == 0;
}

static void test_first_key(void **state)
{
	struct key_file file = { .key = fresh() }, read = { .key = NULL };
	const char *path = folder_file(state, "key");
	struct signing_key *plain;

	assert_int_equal(key_file_load(path, &read, NULL), ERR_NOT_FOUND);
	assert_int_equal(key_file_store(path, &file, NULL), 0);
	assert_int_equal(key_file_load(path, &read, NULL), 0);
	assert_true(same_key(file.key, read.key));
	assert_false(read.followed);
	assert_int_equal(signing_key_load(path, &plain, NULL), 0); /* openssl pkey reads it too */
	signing_key_free(plain);
	key_file_done(&read);
	key_file_done(&file);
}

static void test_succession(void **state)
{
	struct key_file first = { .key = fresh() }, second, again;
	const char *path = folder_file(state, "key");
	int former;
	struct buf bytes;

	assert_int_equal(key_file_store(path, &first, NULL), 0);
	former = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(former >= 0);
	assert_int_equal(key_file_succeed(first.key, fresh(), 5, 1000, &second, NULL), 0);
	assert_int_equal(key_file_store(path, &second, NULL), 0);
	assert_int_equal(key_file_load(path, &again, NULL), 0);
	assert_true(again.followed);
	assert_true(same_key(again.key, second.key));
	assert_memory_equal(&again.by, &second.by, sizeof(again.by));
	assert_int_equal(again.by.serial, 5);
	assert_int_equal(succession_check(&again.by, signing_key_verify, NULL, NULL), 0);
	/* Whoever still holds the former file finds nothing in it. */
	buf_init(&bytes, 4096);
	assert_non_null(buf_room(&bytes, 4096));
	for (ssize_t n; (n = read(former, bytes.data + bytes.size, 4096 - bytes.size)) > 0;)
		buf_grow(&bytes, (size_t)n);
	assert_true(bytes.size > 100);
	for (size_t i = 0; i < bytes.size; i++)
		assert_int_equal(bytes.data[i], 0);
	close(former);
	buf_done(&bytes);
	assert_int_equal(folder_count(state), 1);
	key_file_done(&again);
	key_file_done(&second);
	key_file_done(&first);
}

/* A record of other keys beside the key, or one that its old key did not sign. */
static void test_record_that_does_not_belong(void **state)
{
	struct key_file first = { .key = fresh() }, second, read;
	const char *path = folder_file(state, "key");
	struct err err = { 0 };

	assert_int_equal(key_file_succeed(first.key, fresh(), 1, 1000, &second, NULL), 0);
	second.by.signature[0] ^= 1;
	assert_int_equal(key_file_store(path, &second, NULL), 0);
	assert_int_equal(key_file_load(path, &read, &err), ERR_UNTRUSTED);
	second.by.signature[0] ^= 1;
	signing_key_free(second.key);
	second.key = fresh();
	assert_int_equal(key_file_store(path, &second, NULL), 0);
	assert_int_equal(key_file_load(path, &read, &err), ERR_UNTRUSTED);
	assert_non_null(strstr(err.text, "leads to another key"));
	key_file_done(&second);
	key_file_done(&first);
}

static void test_damaged(void **state)
{
	const char *path = folder_file(state, "key");
	struct key_file read;

	assert_int_equal(secret_file_write(path, "rubbish", 7, 0600, NULL), 0);
	assert_int_equal(key_file_load(path, &read, NULL), ERR_FORMAT);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, folder_setup, folder_teardown)

/* Files that a kill left beside, by their exact names; nothing that people put there. */
static void test_sweep(void **state)
{
	static const char *const left[] = { ".0123456789abcdef.new", ".ffffffffffffffff.new" };
	static const char *const others[] = { "ca.key", ".0123456789abcdeF.new",  ".0123456789abcde.new",
					      ".new",   ".0123456789abcdef.new2", "0123456789abcdef0.new",
					      ".a.swp" };

	for (size_t i = 0; i < COUNT_OF(left); i++)
		assert_int_equal(secret_file_write(folder_file(state, left[i]), "x", 1, 0600, NULL), 0);
	for (size_t i = 0; i < COUNT_OF(others); i++)
		assert_int_equal(secret_file_write(folder_file(state, others[i]), "x", 1, 0600, NULL), 0);
	assert_int_equal(secret_file_sweep(*state), COUNT_OF(left));
	assert_int_equal(folder_count(state), COUNT_OF(others));
	assert_int_equal(secret_file_sweep(*state), 0);
	assert_int_equal(secret_file_sweep("/nowhere"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_first_key), TEST(test_succession), TEST(test_record_that_does_not_belong),
		TEST(test_damaged),   TEST(test_sweep),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
