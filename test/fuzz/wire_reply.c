/* Replies, and the envelopes in them: accepted by a verifier that trusts every
 * signature, so that what lies behind the signature is reached too. */
#include <stdlib.h>
#include <string.h>

#include "wire/envelope.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool believe(void *context, const uint8_t key[ENVELOPE_KEY_BYTES], const void *message, size_t size,
		    const uint8_t signature[ENVELOPE_SIGNATURE_BYTES])
{
	(void)context;
	(void)key;
	(void)message;
	(void)signature;
	return size > 0;
}

static void pretend(const void *bytes, size_t size, uint8_t digest[SHA256_BYTES])
{
	memset(digest, size > 0 ? *(const uint8_t *)bytes : 0, SHA256_BYTES);
}

static void open_envelope(const Muster__Wire__Envelope *envelope)
{
	static const struct uuid computer = { { 1, 2, 3, 4, 5, 6, 0x77, 8, 0x89, 10, 11, 12, 13, 14, 15, 16 } };
	struct envelope_key key = { .public_key = { 0 } };
	struct envelope_acceptance acceptance = { .keys = &key,
						  .key_count = 1,
						  .computer = &computer,
						  .session = UINT64_C(0x8123456789abcdef), /* as the seeds have it */
						  .now = INT64_C(1795294800000000),
						  .verify = believe,
						  .digest = pretend };
	Muster__Wire__Signed *content;
	struct arena *arena;

	memcpy(key.fingerprint, envelope->key.data, SHA256_BYTES);
	if (envelope_accept(envelope, &acceptance, &content, &arena, NULL) != 0)
		return;
	if (content->content_case == MUSTER__WIRE__SIGNED__CONTENT__NOT_SET)
		abort();
	arena_free(arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	Muster__Wire__Reply *reply;
	struct arena *arena;

	if (exchange_reply_decode(data, size, &reply, &arena, NULL) != 0)
		return 0;
	for (size_t i = 0; i < reply->n_commands; i++)
		open_envelope(reply->commands[i]);
	if (reply->configuration != NULL)
		open_envelope(reply->configuration);
	arena_free(arena);
	return 0;
}
