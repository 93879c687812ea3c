/* The chain of keys (fleet/key_chain.h). */
#include "fleet/key_chain.h"

#include <stdlib.h>
#include <string.h>

struct place {
	uint8_t fingerprint[SHA256_BYTES]; /* of the old key */
	size_t step;
};

struct key_chain {
	bool has_present;
	uint8_t present[SHA256_BYTES];
	size_t count;
	struct succession *steps;
	Muster__Wire__KeySuccession *messages; /* of the steps, pointing into them */
	struct place *places;                  /* by fingerprint */
};

static int by_fingerprint(const void *a, const void *b)
{
	const struct place *left = a, *right = b;

	return memcmp(left->fingerprint, right->fingerprint, SHA256_BYTES);
}

/* The last one given that leads to the key; NULL: none. */
static const struct succession *leading_to(const struct succession *steps, size_t count, const uint8_t *key)
{
	for (size_t i = count; i > 0; i--) {
		if (memcmp(steps[i - 1].new_key, key, ENVELOPE_KEY_BYTES) == 0)
			return &steps[i - 1];
	}
	return NULL;
}

/* From the present key backwards, the youngest step first. A key may have come back (a restore): it ends there. */
static void collect(struct key_chain *chain, const uint8_t *present, const struct succession *steps, size_t count)
{
	const struct succession *step = leading_to(steps, count, present);

	while (step != NULL && chain->count < count && memcmp(step->old_key, present, ENVELOPE_KEY_BYTES) != 0) {
		chain->steps[chain->count++] = *step;
		step = leading_to(steps, count, step->old_key);
	}
	for (size_t i = 0; i < chain->count / 2; i++) {
		struct succession first = chain->steps[i];

		chain->steps[i] = chain->steps[chain->count - 1 - i];
		chain->steps[chain->count - 1 - i] = first;
	}
}

static void index_steps(struct key_chain *chain, merkle_digest digest)
{
	for (size_t i = 0; i < chain->count; i++) {
		succession_fill(&chain->steps[i], &chain->messages[i]);
		digest(chain->steps[i].old_key, ENVELOPE_KEY_BYTES, chain->places[i].fingerprint);
		chain->places[i].step = i;
	}
	qsort(chain->places, chain->count, sizeof(*chain->places), by_fingerprint);
}

int key_chain_new(const uint8_t *present, const struct succession *steps, size_t count, merkle_digest digest,
		  struct key_chain **ret_chain, struct err *err)
{
	struct key_chain *chain = calloc(1, sizeof(*chain));

	if (chain != NULL) {
		chain->steps = calloc(count + 1, sizeof(*chain->steps));
		chain->messages = calloc(count + 1, sizeof(*chain->messages));
		chain->places = calloc(count + 1, sizeof(*chain->places));
	}
	if (chain == NULL || chain->steps == NULL || chain->messages == NULL || chain->places == NULL) {
		key_chain_free(chain);
		return err_set(err, ERR_MEMORY, "no memory for the chain of keys");
	}
	chain->has_present = present != NULL;
	if (present != NULL) {
		digest(present, ENVELOPE_KEY_BYTES, chain->present);
		collect(chain, present, steps, count);
		index_steps(chain, digest);
	}
	*ret_chain = chain;
	return 0;
}

void key_chain_free(struct key_chain *chain)
{
	if (chain == NULL)
		return;
	free(chain->steps);
	free(chain->messages);
	free(chain->places);
	free(chain);
}

const uint8_t *key_chain_present(const struct key_chain *chain)
{
	return chain != NULL && chain->has_present ? chain->present : NULL;
}

static const struct place *find(const struct key_chain *chain, const uint8_t *fingerprint)
{
	struct place wanted = { .step = 0 };

	if (chain == NULL || chain->count == 0)
		return NULL;
	memcpy(wanted.fingerprint, fingerprint, SHA256_BYTES);
	return bsearch(&wanted, chain->places, chain->count, sizeof(*chain->places), by_fingerprint);
}

enum key_standing key_chain_standing(const struct key_chain *chain, const uint8_t fingerprint[SHA256_BYTES])
{
	static const uint8_t none[SHA256_BYTES];

	if (memcmp(fingerprint, none, SHA256_BYTES) == 0)
		return KEY_UNTOLD;
	if (chain == NULL || (chain->has_present && memcmp(chain->present, fingerprint, SHA256_BYTES) == 0))
		return KEY_PRESENT;
	return find(chain, fingerprint) != NULL ? KEY_BEFORE : KEY_MISMATCHED;
}

size_t key_chain_steps(const struct key_chain *chain, const uint8_t fingerprint[SHA256_BYTES], size_t most,
		       Muster__Wire__KeySuccession **ret_steps, size_t *ret_left)
{
	const struct place *place =
	    key_chain_standing(chain, fingerprint) == KEY_BEFORE ? find(chain, fingerprint) : NULL;
	size_t count = place != NULL ? chain->count - place->step : 0;
	size_t taken = count < most ? count : most;

	for (size_t i = 0; i < taken; i++)
		ret_steps[i] = &chain->messages[place->step + i];
	*ret_left = count - taken;
	return taken;
}

size_t key_chain_last(const struct key_chain *chain, size_t most, Muster__Wire__KeySuccession **ret_steps)
{
	size_t count = chain != NULL ? chain->count : 0, taken = count < most ? count : most;

	for (size_t i = 0; i < taken; i++)
		ret_steps[i] = &chain->messages[count - taken + i];
	return taken;
}

const char *key_standing_name(enum key_standing standing)
{
	static const char *const names[KEY_STANDINGS] = { "untold", "present", "before", "mismatched" };

	return names[standing];
}
