/* Successions of server authentication keys. Untrusted until verified. */
#include "wire/succession.h"

#include <string.h>

/* Signed with its closing NUL, so that no other signed text of ours can begin alike. */
static const char succession_context[] = "muster key succession 1";

_Static_assert(SUCCESSION_MESSAGE_BYTES == sizeof(succession_context) + 2 * ENVELOPE_KEY_BYTES + 2 * sizeof(uint64_t),
	       "context, both keys, serial and time, and nothing else");

static uint8_t *put_number(uint8_t *at, uint64_t number)
{
	for (unsigned i = 0; i < sizeof(number); i++)
		at[i] = (uint8_t)(number >> (56 - 8 * i));
	return at + sizeof(number);
}

void succession_message(const struct succession *succession, uint8_t message[SUCCESSION_MESSAGE_BYTES])
{
	uint8_t *at = message;

	memcpy(at, succession_context, sizeof(succession_context));
	at += sizeof(succession_context);
	memcpy(at, succession->old_key, ENVELOPE_KEY_BYTES);
	at += ENVELOPE_KEY_BYTES;
	memcpy(at, succession->new_key, ENVELOPE_KEY_BYTES);
	at = put_number(at + ENVELOPE_KEY_BYTES, succession->serial);
	put_number(at, (uint64_t)succession->issued);
}

int succession_check(const struct succession *succession, envelope_verify verify, void *context, struct err *err)
{
	uint8_t message[SUCCESSION_MESSAGE_BYTES];

	if (memcmp(succession->old_key, succession->new_key, ENVELOPE_KEY_BYTES) == 0)
		return err_set(err, ERR_UNTRUSTED, "a key succession that leads from a key to itself");
	succession_message(succession, message);
	if (verify(context, succession->old_key, message, sizeof(message), succession->signature))
		return 0;
	return err_set(err, ERR_UNTRUSTED, "key succession %llu is not signed by the key that it begins with",
		       (unsigned long long)succession->serial);
}

void succession_fill(const struct succession *succession, Muster__Wire__KeySuccession *message)
{
	muster__wire__key_succession__init(message);
	message->old_key = exchange_bytes(succession->old_key, ENVELOPE_KEY_BYTES);
	message->new_key = exchange_bytes(succession->new_key, ENVELOPE_KEY_BYTES);
	message->serial = succession->serial;
	message->issued_us = succession->issued;
	message->signature = exchange_bytes(succession->signature, ENVELOPE_SIGNATURE_BYTES);
}

/* Of a decoded message, whose shape was checked. */
static void read_message(const Muster__Wire__KeySuccession *message, struct succession *ret_succession)
{
	memcpy(ret_succession->old_key, message->old_key.data, ENVELOPE_KEY_BYTES);
	memcpy(ret_succession->new_key, message->new_key.data, ENVELOPE_KEY_BYTES);
	ret_succession->serial = message->serial;
	ret_succession->issued = message->issued_us;
	memcpy(ret_succession->signature, message->signature.data, ENVELOPE_SIGNATURE_BYTES);
}

int succession_pack(const struct succession *succession, struct buf *out, struct err *err)
{
	Muster__Wire__KeySuccession message;

	succession_fill(succession, &message);
	return exchange_key_succession_encode(&message, out, err);
}

int succession_unpack(const void *bytes, size_t size, struct succession *ret_succession, struct err *err)
{
	Muster__Wire__KeySuccession *message;
	struct arena *arena;
	int rc = exchange_key_succession_decode(bytes, size, &message, &arena, err);

	if (rc != 0)
		return rc;
	read_message(message, ret_succession);
	arena_free(arena);
	return 0;
}

static bool is_key(const ProtobufCBinaryData *field, const struct envelope_key *key)
{
	return memcmp(field->data, key->public_key, ENVELOPE_KEY_BYTES) == 0;
}

int succession_follow(const struct succession_walk *walk, Muster__Wire__KeySuccession *const *steps, size_t count,
		      struct envelope_key *key, size_t *ret_steps, struct err *err)
{
	bool known = false; /* some step has to do with the key */
	int rc = 0;

	*ret_steps = 0;
	for (size_t i = 0; i < count && rc == 0; i++) {
		struct succession step;

		known |= is_key(&steps[i]->new_key, key);
		if (!is_key(&steps[i]->old_key, key))
			continue;
		known = true;
		read_message(steps[i], &step);
		rc = succession_check(&step, walk->verify, walk->verify_context, err);
		if (rc != 0)
			break;
		memcpy(key->public_key, step.new_key, ENVELOPE_KEY_BYTES);
		walk->digest(key->public_key, ENVELOPE_KEY_BYTES, key->fingerprint);
		++*ret_steps;
	}
	if (rc == 0 && count > 0 && !known)
		return err_set(err, ERR_UNKNOWN,
			       "none of %zu key successions begins with the key that this agent trusts", count);
	return rc;
}
