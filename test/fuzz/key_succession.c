/* Key successions as they are stored and sent: what decodes packs to the same, and is followed only from the key that
 * is trusted. The verifier trusts every signature. */
#include <stdlib.h>
#include <string.h>

#include "wire/succession.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool believe(void *context, const uint8_t key[ENVELOPE_KEY_BYTES], const void *message, size_t size,
		    const uint8_t signature[ENVELOPE_SIGNATURE_BYTES])
{
	(void)context;
	(void)key;
	(void)message;
	(void)signature;
	return size == SUCCESSION_MESSAGE_BYTES;
}

static void pretend(const void *bytes, size_t size, uint8_t digest[SHA256_BYTES])
{
	memset(digest, size > 0 ? *(const uint8_t *)bytes : 0, SHA256_BYTES);
}

static void follow(const struct succession *succession)
{
	const struct succession_walk walk = { believe, NULL, pretend };
	Muster__Wire__KeySuccession message, *step = &message;
	struct envelope_key key = { .public_key = { 1 } };
	size_t taken;

	succession_fill(succession, &message);
	if (succession_follow(&walk, &step, 1, &key, &taken, NULL) == 0 && taken == 1 &&
	    memcmp(key.public_key, succession->new_key, ENVELOPE_KEY_BYTES) != 0)
		abort();
	if (taken > 1 || (taken == 1 && (succession->old_key[0] != 1 || succession->old_key[1] != 0)))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct succession succession, again;
	struct buf out;

	if (succession_unpack(data, size, &succession, NULL) != 0)
		return 0;
	buf_init(&out, SUCCESSION_MAX_BYTES);
	if (succession_pack(&succession, &out, NULL) != 0 || succession_unpack(out.data, out.size, &again, NULL) != 0 ||
	    memcmp(&succession, &again, sizeof(again)) != 0)
		abort();
	follow(&succession);
	buf_done(&out);
	return 0;
}
