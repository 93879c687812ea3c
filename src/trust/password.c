/* Argon2id with the parameters of RFC 9106 / OWASP for servers: 19 MiB, 2 passes, 1 lane. */
#include "trust/password.h"

#include <stdint.h>
#include <string.h>

#include <argon2.h>
#include <openssl/crypto.h>

#include "base/units.h"
#include "trust/random.h"

#define PASSWORD_MEMORY_KIB 19456
#define PASSWORD_PASSES     2
#define PASSWORD_LANES      1
#define PASSWORD_SALT_BYTES 16
#define PASSWORD_HASH_BYTES 32

/* How our hashes begin. Others are not tried: their cost is anybody's choice.
 * When the parameters are raised, the former ones stay here. */
static const char *const known_beginnings[] = { "$argon2id$v=19$m=19456,t=2,p=1$" };

int password_hash(const char *password, char encoded[PASSWORD_ENCODED_BYTES], struct err *err)
{
	uint8_t salt[PASSWORD_SALT_BYTES];
	size_t length = strnlen(password, PASSWORD_MAX_BYTES + 1);
	int status;

	if (length < PASSWORD_MIN_BYTES || length > PASSWORD_MAX_BYTES)
		return err_set(err, ERR_RANGE, "a password has %d to %d bytes", PASSWORD_MIN_BYTES, PASSWORD_MAX_BYTES);
	random_fill(NULL, salt, sizeof(salt));
	status = argon2id_hash_encoded(PASSWORD_PASSES, PASSWORD_MEMORY_KIB, PASSWORD_LANES, password, length, salt,
				       sizeof(salt), PASSWORD_HASH_BYTES, encoded, PASSWORD_ENCODED_BYTES);
	if (status != ARGON2_OK)
		return err_set(err, ERR_MEMORY, "cannot hash a password: %s", argon2_error_message(status));
	return 0;
}

static int denied(struct err *err)
{
	return err_set(err, ERR_DENIED, "wrong user or password");
}

static int is_known(const char *encoded)
{
	for (size_t i = 0; i < COUNT_OF(known_beginnings); i++) {
		if (strncmp(encoded, known_beginnings[i], strlen(known_beginnings[i])) == 0)
			return 1;
	}
	return 0;
}

int password_verify(const char *password, const char *encoded, struct err *err)
{
	size_t length = strnlen(password, PASSWORD_MAX_BYTES + 1);
	int status;

	if (!is_known(encoded) || strnlen(encoded, PASSWORD_ENCODED_BYTES) >= PASSWORD_ENCODED_BYTES)
		return err_set(err, ERR_FORMAT, "a stored password hash is not one of ours");
	if (length > PASSWORD_MAX_BYTES)
		return denied(err);
	status = argon2id_verify(encoded, password, length);
	if (status == ARGON2_OK)
		return 0;
	if (status == ARGON2_VERIFY_MISMATCH)
		return denied(err);
	if (status == ARGON2_MEMORY_ALLOCATION_ERROR)
		return err_set(err, ERR_MEMORY, "cannot verify a password: %s", argon2_error_message(status));
	return err_set(err, ERR_FORMAT, "a stored password hash is damaged: %s", argon2_error_message(status));
}

bool password_is_encoded(const char *text)
{
	static const char beginning[] = "$argon2";

	return strncmp(text, beginning, sizeof(beginning) - 1) == 0;
}

int password_check_encoded(const char *encoded, struct err *err)
{
	struct err why = { 0 };
	int rc = password_verify("", encoded, &why);

	if (rc == 0 || rc == ERR_DENIED)
		return 0;
	if (rc == ERR_MEMORY)
		return err_set(err, rc, "%s", why.text);
	return err_set(err, ERR_FORMAT, "is no hash as `muster policy hash-password` makes them");
}

int password_verify_nobody(const char *password, struct err *err)
{
	static const uint8_t salt[PASSWORD_SALT_BYTES] = "nobody's salt.";
	uint8_t hash[PASSWORD_HASH_BYTES];

	argon2id_hash_raw(PASSWORD_PASSES, PASSWORD_MEMORY_KIB, PASSWORD_LANES, password,
			  strnlen(password, PASSWORD_MAX_BYTES), salt, sizeof(salt), hash, sizeof(hash));
	OPENSSL_cleanse(hash, sizeof(hash));
	return denied(err);
}

void password_generate(char text[PASSWORD_GENERATED_BYTES])
{
	random_text("23456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz", text, PASSWORD_GENERATED_BYTES - 1);
}
