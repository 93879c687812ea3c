/* The pool of distinct outcomes. Values were checked before they came here. */
#include "policy/outcome.h"

#include <stdlib.h>
#include <string.h>

#include "base/map.h"

#define TEXTS_BYTES ((size_t)SETTINGS_COUNT * (CONF_VALUE_BYTES + 1))

struct outcomes {
	struct map *by_key;
	policy_digest digest;
};

struct outcomes *outcomes_new(uint64_t seed, policy_digest digest)
{
	struct outcomes *outcomes = calloc(1, sizeof(*outcomes));

	if (outcomes == NULL)
		return NULL;
	outcomes->digest = digest;
	outcomes->by_key = map_new(seed);
	if (outcomes->by_key == NULL) {
		free(outcomes);
		return NULL;
	}
	return outcomes;
}

void outcomes_free(struct outcomes *outcomes)
{
	if (outcomes == NULL)
		return;
	map_free(outcomes->by_key);
	free(outcomes);
}

static void outcome_free(struct outcome *outcome)
{
	if (outcome == NULL)
		return;
	effective_done(&outcome->effective);
	free(outcome->packed);
	free(outcome->texts);
	free(outcome);
}

/* Takes texts over: the values one behind the other, each ended by NUL. */
static void place_values(struct outcome *outcome, char *texts)
{
	outcome->texts = texts;
	for (unsigned id = 0; id < SETTINGS_COUNT; id++) {
		outcome->values[id] = texts;
		texts += strlen(texts) + 1;
	}
}

static int make_packed(struct outcomes *outcomes, struct outcome *outcome, struct err *err)
{
	struct buf packed;
	int rc;

	buf_init(&packed, EFFECTIVE_PACKED_BYTES);
	rc = effective_pack(outcome->values, &packed, err);
	if (rc == 0) {
		outcomes->digest(packed.data, packed.size, outcome->fingerprint);
		outcome->packed = buf_take(&packed, &outcome->packed_size);
	}
	buf_done(&packed);
	return rc;
}

static int make_outcome(struct outcomes *outcomes, struct buf *texts, const uint8_t key[SHA256_BYTES],
			struct outcome **ret_outcome, struct err *err)
{
	struct outcome *outcome = calloc(1, sizeof(*outcome));
	size_t size;
	int rc;

	if (outcome == NULL)
		return err_set(err, ERR_MEMORY, "out of memory");
	place_values(outcome, (char *)buf_take(texts, &size));
	memcpy(outcome->key, key, SHA256_BYTES);
	rc = effective_parse(outcome->values, &outcome->effective, err);
	if (rc == 0)
		rc = make_packed(outcomes, outcome, err);
	if (rc == 0 && map_set(outcomes->by_key, key, SHA256_BYTES, outcome) != 0)
		rc = err_set(err, ERR_MEMORY, "out of memory");
	if (rc == 0)
		*ret_outcome = outcome;
	else
		outcome_free(outcome);
	return rc;
}

int outcomes_get(struct outcomes *outcomes, const char *const values[SETTINGS_COUNT], struct outcome **ret_outcome,
		 struct err *err)
{
	uint8_t key[SHA256_BYTES];
	struct outcome *outcome;
	struct buf texts;
	int rc = 0;

	buf_init(&texts, TEXTS_BYTES);
	for (unsigned id = 0; id < SETTINGS_COUNT; id++)
		buf_append(&texts, values[id], strlen(values[id]) + 1);
	if (texts.status != 0) {
		rc = err_set(err, texts.status, "no room for the values");
	} else {
		outcomes->digest(texts.data, texts.size, key);
		outcome = map_get(outcomes->by_key, key, SHA256_BYTES);
		if (outcome == NULL)
			rc = make_outcome(outcomes, &texts, key, &outcome, err);
		if (rc == 0)
			*ret_outcome = outcome_ref(outcome);
	}
	buf_done(&texts);
	return rc;
}

struct outcome *outcome_ref(struct outcome *outcome)
{
	if (outcome != NULL)
		outcome->references++;
	return outcome;
}

void outcomes_unref(struct outcomes *outcomes, struct outcome *outcome)
{
	if (outcome == NULL || --outcome->references > 0)
		return;
	map_remove(outcomes->by_key, outcome->key, SHA256_BYTES);
	outcome_free(outcome);
}
