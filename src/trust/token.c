/* Bearer tokens: prefix, chance, checksum. */
#include "trust/token.h"

#include <string.h>

#include "base/pack.h"
#include "trust/fingerprint.h"
#include "trust/random.h"

#define TOKEN_PREFIX_CHARACTERS 4
#define TOKEN_RANDOM_CHARACTERS 36
#define TOKEN_SUM_CHARACTERS    6
_Static_assert(TOKEN_PREFIX_CHARACTERS + TOKEN_RANDOM_CHARACTERS + TOKEN_SUM_CHARACTERS + 1 == TOKEN_TEXT_BYTES,
	       "the parts fill the text");

static const char alphabet[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
#define LETTERS (sizeof(alphabet) - 1)

static const struct {
	const char *prefix;
	const char *what;
} kinds[] = {
	[TOKEN_API] = { "mst_", "an API token" },
	[TOKEN_ENROLMENT] = { "mse_", "an enrolment token" },
	[TOKEN_SESSION] = { "mss_", "a session" },
};

/* CRC-32C of prefix and chance, in base 62: 62^6 is more than 2^32. */
static void checksum(const char *text, char sum[TOKEN_SUM_CHARACTERS])
{
	uint32_t crc = crc32c(0, text, TOKEN_PREFIX_CHARACTERS + TOKEN_RANDOM_CHARACTERS);

	for (size_t i = TOKEN_SUM_CHARACTERS; i-- > 0; crc /= (uint32_t)LETTERS)
		sum[i] = alphabet[crc % LETTERS];
}

void token_make(enum token_kind kind, char text[TOKEN_TEXT_BYTES])
{
	memcpy(text, kinds[kind].prefix, TOKEN_PREFIX_CHARACTERS);
	random_text(alphabet, text + TOKEN_PREFIX_CHARACTERS, TOKEN_RANDOM_CHARACTERS);
	checksum(text, text + TOKEN_PREFIX_CHARACTERS + TOKEN_RANDOM_CHARACTERS);
	text[TOKEN_TEXT_BYTES - 1] = '\0';
}

int token_check(const char *text, enum token_kind kind, struct err *err)
{
	char sum[TOKEN_SUM_CHARACTERS];

	if (strncmp(text, kinds[kind].prefix, TOKEN_PREFIX_CHARACTERS) != 0)
		return err_set(err, ERR_FORMAT, "not %s: one begins with %s", kinds[kind].what, kinds[kind].prefix);
	if (strlen(text) != TOKEN_TEXT_BYTES - 1 ||
	    strspn(text + TOKEN_PREFIX_CHARACTERS, alphabet) != TOKEN_TEXT_BYTES - 1 - TOKEN_PREFIX_CHARACTERS)
		return err_set(err, ERR_FORMAT, "not %s: one has %d letters and digits after %s", kinds[kind].what,
			       TOKEN_TEXT_BYTES - 1 - TOKEN_PREFIX_CHARACTERS, kinds[kind].prefix);
	checksum(text, sum);
	if (memcmp(sum, text + TOKEN_TEXT_BYTES - 1 - TOKEN_SUM_CHARACTERS, sizeof(sum)) != 0)
		return err_set(err, ERR_FORMAT, "mistyped: the checksum at the end does not fit");
	return 0;
}

void token_hash(const char *text, uint8_t hash[SHA256_BYTES])
{
	fingerprint_of(text, strlen(text), hash);
}
