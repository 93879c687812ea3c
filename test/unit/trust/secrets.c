/* Tokens, passwords, fingerprints, chance. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/units.h"
#include "trust/fingerprint.h"
#include "trust/password.h"
#include "trust/random.h"
#include "trust/token.h"

static void test_tokens(void **state)
{
	char text[TOKEN_TEXT_BYTES];
	char other[TOKEN_TEXT_BYTES];
	struct err err = { 0 };

	(void)state;
	token_make(TOKEN_ENROLMENT, text);
	token_make(TOKEN_ENROLMENT, other);
	assert_string_not_equal(text, other);
	assert_int_equal(strlen(text), TOKEN_TEXT_BYTES - 1);
	assert_memory_equal(text, "mse_", 4);
	assert_int_equal(token_check(text, TOKEN_ENROLMENT, NULL), 0);
	assert_int_equal(token_check(text, TOKEN_API, &err), ERR_FORMAT);
	assert_string_equal(err.text, "not an API token: one begins with mst_");
	token_make(TOKEN_API, text);
	assert_int_equal(token_check(text, TOKEN_API, NULL), 0);
	token_make(TOKEN_SESSION, text);
	assert_int_equal(token_check(text, TOKEN_SESSION, NULL), 0);
}

static void test_mistyped_tokens(void **state)
{
	char text[TOKEN_TEXT_BYTES + 1] = "";
	struct err err = { 0 };

	(void)state;
	token_make(TOKEN_API, text);
	for (size_t i = 4; i < TOKEN_TEXT_BYTES - 1; i++) {
		char before = text[i];

		text[i] = before == 'x' ? 'y' : 'x';
		assert_int_equal(token_check(text, TOKEN_API, &err), ERR_FORMAT);
		assert_null(strstr(err.text, text)); /* an error must not leak what may be a secret */
		text[i] = before;
	}
	text[10] = ' ';
	assert_int_equal(token_check(text, TOKEN_API, &err), ERR_FORMAT);
	text[10] = '\0';
	assert_int_equal(token_check(text, TOKEN_API, &err), ERR_FORMAT);
	assert_int_equal(token_check("", TOKEN_API, &err), ERR_FORMAT);
	token_make(TOKEN_API, text);
	memcpy(text + TOKEN_TEXT_BYTES - 1, "0", 2);
	assert_int_equal(token_check(text, TOKEN_API, &err), ERR_FORMAT);
}

static void test_hash(void **state)
{
	uint8_t hash[SHA256_BYTES];
	char text[SHA256_TEXT_BYTES];

	(void)state;
	token_hash("abc", hash); /* FIPS 180-2, appendix B.1 */
	hex_format(hash, sizeof(hash), text);
	assert_string_equal(text, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

static void test_passwords(void **state)
{
	char encoded[PASSWORD_ENCODED_BYTES];
	char again[PASSWORD_ENCODED_BYTES];
	struct err err = { 0 };

	(void)state;
	assert_int_equal(password_hash("correct horse", encoded, NULL), 0);
	assert_int_equal(password_hash("correct horse", again, NULL), 0);
	assert_string_not_equal(encoded, again); /* salted */
	assert_memory_equal(encoded, "$argon2id$v=19$m=19456,t=2,p=1$", 31);
	assert_int_equal(password_verify("correct horse", encoded, NULL), 0);
	assert_int_equal(password_verify("Correct horse", encoded, &err), ERR_DENIED);
	assert_int_equal(password_verify("", encoded, &err), ERR_DENIED);
	assert_int_equal(password_verify_nobody("correct horse", &err), ERR_DENIED);
	assert_string_equal(err.text, "wrong user or password");
}

static void test_password_limits(void **state)
{
	char password[PASSWORD_MAX_BYTES + 2];
	char encoded[PASSWORD_ENCODED_BYTES];

	(void)state;
	memset(password, 'p', sizeof(password));
	password[PASSWORD_MAX_BYTES + 1] = '\0';
	assert_int_equal(password_hash(password, encoded, NULL), ERR_RANGE);
	assert_int_equal(password_hash("1234567", encoded, NULL), ERR_RANGE);
	password[PASSWORD_MAX_BYTES] = '\0';
	assert_int_equal(password_hash(password, encoded, NULL), 0);
	assert_int_equal(password_verify(password, encoded, NULL), 0);
	password[PASSWORD_MAX_BYTES] = 'p';
	assert_int_equal(password_verify(password, encoded, NULL), ERR_DENIED);
}

/* A stored hash that asks for gigabytes or hours is not tried. */
static void test_stored_hashes_refused(void **state)
{
	static const char *const bad[] = { "",
					   "secret",
					   "$argon2id$v=19$m=4194304,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$aGFzaA",
					   "$argon2i$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$aGFzaA",
					   "$argon2id$v=19$m=19456,t=2,p=1$",
					   "$argon2id$v=19$m=19456,t=2,p=1$***" };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(bad); i++)
		assert_int_equal(password_verify("password", bad[i], NULL), ERR_FORMAT);
}

static void test_generated_passwords(void **state)
{
	char first[PASSWORD_GENERATED_BYTES];
	char second[PASSWORD_GENERATED_BYTES];

	(void)state;
	password_generate(first);
	password_generate(second);
	assert_int_equal(strlen(first), 20);
	assert_int_equal(strcspn(first, "0O1lI"), 20);
	assert_string_not_equal(first, second);
}

static void test_fingerprints(void **state)
{
	uint8_t bytes[SHA256_BYTES];
	uint8_t again[SHA256_BYTES];
	char colons[] =
	    "BA:78:16:BF:8F:01:CF:EA:41:41:40:DE:5D:AE:22:23:B0:03:61:A3:96:17:7A:9C:B4:10:FF:61:F2:00:15:AD";
	char plain[SHA256_TEXT_BYTES];
	char text[160];

	(void)state;
	fingerprint_of("abc", 3, bytes);
	assert_int_equal(fingerprint_parse(colons, again, NULL), 0);
	assert_memory_equal(bytes, again, sizeof(bytes));
	hex_format(bytes, sizeof(bytes), plain);
	memset(again, 0, sizeof(again));
	assert_int_equal(fingerprint_parse(plain, again, NULL), 0);
	assert_memory_equal(bytes, again, sizeof(bytes));
	snprintf(text, sizeof(text), "SHA256 Fingerprint=%s", colons);
	assert_int_equal(fingerprint_parse(text, again, NULL), 0);
	assert_int_equal(fingerprint_parse(plain + 1, again, NULL), ERR_FORMAT);
	plain[5] = 'g';
	assert_int_equal(fingerprint_parse(plain, again, NULL), ERR_FORMAT);
	colons[2] = '-';
	assert_int_equal(fingerprint_parse(colons, again, NULL), ERR_FORMAT);
	colons[2] = ':';
	colons[3] = ':';
	assert_int_equal(fingerprint_parse(colons, again, NULL), ERR_FORMAT);
	assert_int_equal(fingerprint_parse("", again, NULL), ERR_FORMAT);
}

/* Each letter comes, none is favoured: 57 letters, 57,000 draws, expected 1000
 * each with deviation 31; 250 off is 8 deviations. */
static void test_even_letters(void **state)
{
	static const char alphabet[] = "23456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
	static char text[57001];
	unsigned counts[256] = { 0 };

	(void)state;
	random_text(alphabet, text, sizeof(text) - 1);
	assert_int_equal(strlen(text), sizeof(text) - 1);
	for (size_t i = 0; i < sizeof(text) - 1; i++)
		counts[(unsigned char)text[i]]++;
	for (size_t i = 0; i < sizeof(alphabet) - 1; i++)
		assert_in_range(counts[(unsigned char)alphabet[i]], 750, 1250);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tokens),
		cmocka_unit_test(test_mistyped_tokens),
		cmocka_unit_test(test_hash),
		cmocka_unit_test(test_passwords),
		cmocka_unit_test(test_password_limits),
		cmocka_unit_test(test_stored_hashes_refused),
		cmocka_unit_test(test_generated_passwords),
		cmocka_unit_test(test_fingerprints),
		cmocka_unit_test(test_even_letters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
