/* Chance for secrets. */
#include "trust/random.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/rand.h>

#define RANDOM_PIECE_BYTES ((size_t)1 << 20) /* RAND_bytes() counts in int */

void random_fill(void *context, void *out, size_t size)
{
	uint8_t *at = out;

	(void)context;
	while (size > 0) {
		size_t piece = size < RANDOM_PIECE_BYTES ? size : RANDOM_PIECE_BYTES;

		if (RAND_bytes(at, (int)piece) != 1)
			abort();
		at += piece;
		size -= piece;
	}
}

void random_text(const char *alphabet, char *text, size_t count)
{
	size_t letters = strlen(alphabet);
	size_t even = 256 - 256 % letters; /* bytes from here on would favour the first letters */
	uint8_t bytes[64];
	size_t at = 0;

	while (at < count) {
		random_fill(NULL, bytes, sizeof(bytes));
		for (size_t i = 0; i < sizeof(bytes) && at < count; i++) {
			if (bytes[i] < even)
				text[at++] = alphabet[bytes[i] % letters];
		}
	}
	text[count] = '\0';
	OPENSSL_cleanse(bytes, sizeof(bytes));
}
