/* The acceptance rule of signed orders. Envelopes are untrusted until verified. */
#include "wire/envelope.h"

#include <string.h>

#include "wire/rules.h"

/* Signed with its closing NUL, so that no other signed text of ours can begin alike. */
static const char envelope_context[] = "muster envelope 2";

_Static_assert(ENVELOPE_MESSAGE_BYTES == sizeof(envelope_context) + SHA256_BYTES + sizeof(uint32_t),
	       "context, root and count, and nothing else");

static void write_message(const uint8_t root[SHA256_BYTES], size_t count, uint8_t message[ENVELOPE_MESSAGE_BYTES])
{
	uint8_t *at = message + sizeof(envelope_context) + SHA256_BYTES;

	memcpy(message, envelope_context, sizeof(envelope_context));
	memcpy(message + sizeof(envelope_context), root, SHA256_BYTES);
	for (unsigned i = 0; i < sizeof(uint32_t); i++)
		at[i] = (uint8_t)(count >> (24 - 8 * i));
}

void envelope_message(const struct merkle *merkle, uint8_t message[ENVELOPE_MESSAGE_BYTES])
{
	write_message(merkle_root(merkle), merkle_count(merkle), message);
}

int envelope_payload(const Muster__Wire__Signed *content, struct buf *out, struct err *err)
{
	return exchange_signed_encode(content, out, err);
}

int envelope_pack(const struct envelope_seal *seal, size_t index, const void *payload, size_t size, struct buf *out,
		  struct err *err)
{
	Muster__Wire__Envelope envelope = MUSTER__WIRE__ENVELOPE__INIT;
	const uint8_t *hashes[MERKLE_PATH_MAX];
	ProtobufCBinaryData path[MERKLE_PATH_MAX];

	envelope.payload = exchange_bytes(payload, size);
	envelope.key = exchange_bytes(seal->fingerprint, SHA256_BYTES);
	envelope.signature = exchange_bytes(seal->signature, ENVELOPE_SIGNATURE_BYTES);
	envelope.index = (uint32_t)index;
	envelope.count = (uint32_t)merkle_count(seal->merkle);
	envelope.n_path = merkle_path(seal->merkle, index, hashes);
	envelope.path = path;
	for (size_t i = 0; i < envelope.n_path; i++)
		path[i] = exchange_bytes(hashes[i], SHA256_BYTES);
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

static int find_root(const Muster__Wire__Envelope *envelope, const struct envelope_acceptance *acceptance,
		     uint8_t root[SHA256_BYTES], struct err *err)
{
	const struct bytes payload = { envelope->payload.data, envelope->payload.len };
	const uint8_t *path[MERKLE_PATH_MAX];
	int rc;

	for (size_t i = 0; i < envelope->n_path; i++)
		path[i] = envelope->path[i].data;
	rc = merkle_climb(acceptance->digest, &payload, envelope->index, envelope->count, path, envelope->n_path, root);
	if (rc == ERR_FORMAT)
		return err_set(err, ERR_UNTRUSTED, "number %u of %u orders signed together cannot have a path of %zu",
			       envelope->index, envelope->count, envelope->n_path);
	return rc == 0 ? 0 : err_set(err, rc, "no room to verify an envelope");
}

static int check_signature(const Muster__Wire__Envelope *envelope, const struct envelope_acceptance *acceptance,
			   struct err *err)
{
	const struct envelope_key *key = find_key(acceptance, envelope->key.data);
	uint8_t root[SHA256_BYTES], message[ENVELOPE_MESSAGE_BYTES];
	char fingerprint[SHA256_TEXT_BYTES];
	int status;

	hex_format(envelope->key.data, SHA256_BYTES, fingerprint);
	if (key == NULL)
		return err_set(err, ERR_UNKNOWN, "signed by key %s, which this agent does not trust", fingerprint);
	status = find_root(envelope, acceptance, root, err);
	if (status != 0)
		return status;
	write_message(root, envelope->count, message);
	if (acceptance->verify(acceptance->verify_context, key->public_key, message, sizeof(message),
			       envelope->signature.data))
		return 0;
	return err_set(err, ERR_UNTRUSTED, "the signature by key %s does not verify", fingerprint);
}

static int check_address(const Muster__Wire__Signed *content, const struct envelope_acceptance *acceptance,
			 struct err *err)
{
	struct uuid computer = exchange_uuid(&content->computer);
	char text[UUID_TEXT_BYTES];

	if (!uuid_equal(&computer, acceptance->computer)) {
		uuid_format(&computer, text);
		return err_set(err, ERR_DENIED, "meant for another computer, %s", text);
	}
	if (content->session != 0 && content->session == acceptance->session)
		return 0;
	if (content->session == 0)
		return err_set(err, ERR_REPLAYED,
			       "it does not say which run of this agent it is for; a manager of an "
			       "earlier version has to be updated first");
	return err_set(err, ERR_REPLAYED, "meant for another run of this agent; it was recorded, or comes too late");
}

int envelope_check_dates(const Muster__Wire__Signed *content, time_us now, struct err *err)
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

int envelope_authenticate(const Muster__Wire__Envelope *envelope, const struct envelope_acceptance *acceptance,
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
	if (status != 0) {
		arena_free(arena);
		return status;
	}
	*ret_content = content;
	*ret_arena = arena;
	return 0;
}

int envelope_accept(const Muster__Wire__Envelope *envelope, const struct envelope_acceptance *acceptance,
		    Muster__Wire__Signed **ret_content, struct arena **ret_arena, struct err *err)
{
	Muster__Wire__Signed *content;
	struct arena *arena;
	int status = envelope_authenticate(envelope, acceptance, &content, &arena, err);

	if (status != 0)
		return status;
	status = envelope_check_dates(content, acceptance->now, err);
	if (status != 0) {
		arena_free(arena);
		return status;
	}
	*ret_content = content;
	*ret_arena = arena;
	return 0;
}
