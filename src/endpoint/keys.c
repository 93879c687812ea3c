/* The manager's key that is trusted: followed along its successions, or replaced
 * by hand on the machine. On disk before it is used, so that no crash leaves an
 * agent that trusts what it has forgotten. */
#include <string.h>

#include "endpoint/parts.h"

/* Durable first; from then on nothing else is trusted, and the manager is told at once. */
static int use(struct endpoint *endpoint, const struct envelope_key *key, const char *how, struct err *err)
{
	const struct endpoint_storage *storage = &endpoint->storage;
	char before[SHA256_TEXT_BYTES] = "", now[SHA256_TEXT_BYTES];
	const struct text_field fields[] = { { "fingerprint", now }, { "before", before }, { "how", how } };
	int rc = storage->replace(storage->context, ENDPOINT_KEY_FILE, key->public_key, sizeof(key->public_key), err);

	if (rc != 0)
		return err_add(err, rc, "the manager's new key could not be kept");
	if (endpoint->key_count > 0)
		hex_format(endpoint->keys[0].fingerprint, SHA256_BYTES, before);
	hex_format(key->fingerprint, SHA256_BYTES, now);
	endpoint->keys[0] = *key;
	endpoint->key_count = 1;
	endpoint->key_changes++;
	revision_change(&endpoint->configuration_revision);
	endpoint_note(endpoint, EVENT_TRUSTED_KEY_REPLACED, fields, COUNT_OF(fields));
	return 0;
}

/* The first of the trusted keys from which a way leads on. ERR_UNKNOWN: none. */
static int follow(const struct endpoint *endpoint, const Muster__Wire__Reply *reply, struct envelope_key *ret_key,
		  size_t *ret_steps, struct err *err)
{
	const struct succession_walk walk = { endpoint->options.verify, endpoint->options.verify_context,
					      endpoint->options.digest };
	int rc = ERR_UNKNOWN;

	*ret_steps = 0;
	for (size_t i = 0; i < endpoint->key_count && rc == ERR_UNKNOWN; i++) {
		*ret_key = endpoint->keys[i];
		rc = succession_follow(&walk, reply->successions, reply->n_successions, ret_key, ret_steps, err);
	}
	return rc;
}

void keys_arrived(struct endpoint *endpoint, const Muster__Wire__Reply *reply, bool late)
{
	struct envelope_key key;
	struct err why = { 0 };
	size_t steps;
	int rc;

	if (reply->n_successions == 0)
		return;
	rc = follow(endpoint, reply, &key, &steps, &why);
	/* One that answers a report of before we followed says what was true then. */
	if (rc != 0 && !(late && rc == ERR_UNKNOWN))
		endpoint_refused(endpoint, why.code, why.text);
	if (steps > 0)
		(void)use(endpoint, &key, "succession", NULL); /* what cannot be kept is told again */
}

int endpoint_trust(struct endpoint *endpoint, const uint8_t public_key[ENVELOPE_KEY_BYTES], struct err *err)
{
	struct envelope_key key;

	memcpy(key.public_key, public_key, sizeof(key.public_key));
	endpoint->options.digest(key.public_key, sizeof(key.public_key), key.fingerprint);
	if (endpoint->key_count == 1 && memcmp(&key, endpoint->keys, sizeof(key)) == 0)
		return 0;
	return use(endpoint, &key, "by hand", err);
}

void endpoint_trusted(const struct endpoint *endpoint, uint8_t fingerprint[SHA256_BYTES])
{
	memset(fingerprint, 0, SHA256_BYTES);
	if (endpoint->key_count > 0)
		memcpy(fingerprint, endpoint->keys[0].fingerprint, SHA256_BYTES);
}
