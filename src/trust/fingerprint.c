/* SHA-256 and the forms in which people write it. */
#include "trust/fingerprint.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "base/units.h"

#define TEXT_BYTES 96 /* "AB:CD:…" and NUL: the longest form */

static EVP_MD *sha256;

/* Once: EVP_sha256() looks for its implementation anew for each digest. */
static void fetch(void)
{
	sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
}

void fingerprint_of(const void *bytes, size_t size, uint8_t fingerprint[SHA256_BYTES])
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	/* Fails only without SHA-256 or memory: nothing that follows could be trusted. */
	if (pthread_once(&once, fetch) != 0 || sha256 == NULL ||
	    EVP_Digest(bytes, size, fingerprint, NULL, sha256, NULL) != 1)
		abort();
}

static const char *after_prefix(const char *text)
{
	static const char *const prefixes[] = { "sha256:", "SHA256:", "SHA256 Fingerprint=", "sha256 Fingerprint=" };

	for (size_t i = 0; i < COUNT_OF(prefixes); i++) {
		if (strncmp(text, prefixes[i], strlen(prefixes[i])) == 0)
			return text + strlen(prefixes[i]);
	}
	return text;
}

int fingerprint_parse(const char *text, uint8_t fingerprint[SHA256_BYTES], struct err *err)
{
	const char *at = after_prefix(text);
	char plain[SHA256_TEXT_BYTES];
	size_t length = strlen(at);
	size_t step = length == TEXT_BYTES - 1 ? 3 : 2;

	if (length != TEXT_BYTES - 1 && length != SHA256_TEXT_BYTES - 1)
		return err_set(err, ERR_FORMAT,
			       "a SHA-256 fingerprint has 64 hexadecimal digits, with or without colons");
	for (size_t i = 0; i < SHA256_BYTES; i++) {
		if (step == 3 && i > 0 && at[i * step - 1] != ':')
			return err_set(err, ERR_FORMAT, "a fingerprint's pairs of digits are separated by colons");
		memcpy(plain + 2 * i, at + i * step, 2);
	}
	plain[sizeof(plain) - 1] = '\0';
	return hex_parse(plain, fingerprint, SHA256_BYTES, err);
}
