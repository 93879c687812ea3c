/* The acceptance rule of signed orders. Envelopes are untrusted until verified. */
#include "wire/envelope.h"

#include <string.h>

#include "wire/rules.h"

/* Signed with its closing NUL, so that no other signed text of ours can begin alike. */
static const char envelope_context[] = "muster envelope 1";

int envelope_message(const void *payload, size_t size, struct buf *out)
{
	buf_append(out, envelope_context, sizeof(envelope_context));
	return buf_append(out, payload, size);
}

int envelope_payload(const Muster__Wire__Signed *content, struct buf *out, struct err *err)
{
	return exchange_signed_encode(content, out, err);
}

int envelope_pack(const void *payload, size_t size, const uint8_t fingerprint[SHA256_BYTES],
		  const uint8_t signature[ENVELOPE_SIGNATURE_BYTES], struct buf *out, struct err *err)
{
	Muster__Wire__Envelope envelope = MUSTER__WIRE__ENVELOPE__INIT;

	envelope.payload = exchange_bytes(payload, size);
	envelope.key = exchange_bytes(fingerprint, SHA256_BYTES);
	envelope.signature = exchange_bytes(signature, ENVELOPE_SIGNATURE_BYTES);
	return exchange_envelope_encode(&envelope, out, err);
}

static const struct envelope_key *find_key(const struct envelope_acceptance *acceptance, const uint8_t *fingerprint)
{
	for (size_t i = 0; i < acceptance->key_count; i++) {
		if (memcmp(acceptance->keys[i].fingerprint, fingerprint, SHA256_BYTES) == 0)
			return &acceptance->keys[i];
	}
	return NULL;
}

static int check_signature(const Muster__Wire__Envelope *envelope, const struct envelope_acceptance *acceptance,
			   struct err *err)
{
	const struct envelope_key *key = find_key(acceptance, envelope->key.data);
	char fingerprint[SHA256_TEXT_BYTES];
	struct buf message;
	bool good;
	int status;

	hex_format(envelope->key.data, SHA256_BYTES, fingerprint);
	if (key == NULL)
		return err_set(err, ERR_UNKNOWN, "signed by key %s, which this agent does not trust", fingerprint);
	buf_init(&message, sizeof(envelope_context) + WIRE_SIGNED_MAX_BYTES);
	status = envelope_message(envelope->payload.data, envelope->payload.len, &message);
	good = status == 0 && acceptance->verify(acceptance->verify_context, key->public_key, message.data,
						 message.size, envelope->signature.data);
	buf_done(&message);
	if (status != 0)
		return err_set(err, status, "no room to verify an envelope");
	return good ? 0 : err_set(err, ERR_UNTRUSTED, "the signature by key %s does not verify", fingerprint);
}

static int check_address(const Muster__Wire__Signed *content, const struct envelope_acceptance *acceptance,
			 struct err *err)
{
	struct uuid computer = exchange_uuid(&content->computer);
	char text[UUID_TEXT_BYTES];

	if (uuid_equal(&computer, acceptance->computer))
		return 0;
	uuid_format(&computer, text);
	return err_set(err, ERR_DENIED, "meant for another computer, %s", text);
}

static int check_dates(const Muster__Wire__Signed *content, time_us now, struct err *err)
{
	char moment[TIME_TEXT_BYTES];
	char here[TIME_TEXT_BYTES];

	time_format(now, here);
	if (now - ENVELOPE_LATE_TOLERANCE_US > content->expires_us) {
		time_format(content->expires_us, moment);
		return err_set(err, ERR_EXPIRED, "expired at %s; the clock here says %s", moment, here);
	}
	if (now < content->issued_us - ENVELOPE_EARLY_TOLERANCE_US) {
		time_format(content->issued_us, moment);
		return err_set(err, ERR_CLOCK, "issued at %s, in the future; the clock here says %s", moment, here);
	}
	return 0;
}

int envelope_accept(const Muster__Wire__Envelope *envelope, const struct envelope_acceptance *acceptance,
		    Muster__Wire__Signed **ret_content, struct arena **ret_arena, struct err *err)
{
	Muster__Wire__Signed *content;
	struct arena *arena;
	int status = rules_check(&envelope->base, "envelope", err);

	if (status == 0)
		status = check_signature(envelope, acceptance, err);
	if (status == 0)
		status = exchange_signed_decode(envelope->payload.data, envelope->payload.len, &content, &arena, err);
	if (status != 0)
		return status;
	status = check_address(content, acceptance, err);
	if (status == 0)
		status = check_dates(content, acceptance->now, err);
	if (status != 0) {
		arena_free(arena);
		return status;
	}
	*ret_content = content;
	*ret_arena = arena;
	return 0;
}
