/* Messages between the manager's roles: whatever a taken-over front, keys or
 * courier or hypervisor role sends. The first byte chooses the decoder. What decodes encodes to the
 * same bytes. */
#include <stdlib.h>
#include <string.h>

#include "manager/courier/delivery.h"
#include "manager/hypervisor/hypervisor_messages.h"
#include "manager/messages.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool key_files(const uint8_t *data, size_t size, struct buf *out)
{
	struct message_key_files files;

	if (message_unpack_key_files(data, size, &files) != 0)
		return false;
	message_pack_key_files(out, &files);
	return true;
}

static bool force(const uint8_t *data, size_t size, struct buf *out)
{
	bool forced;

	if (message_unpack_force(data, size, &forced) != 0)
		return false;
	message_pack_force(out, forced);
	return true;
}

static bool sign(const uint8_t *data, size_t size, struct buf *out)
{
	static struct message_sign asked;

	if (message_unpack_sign(data, size, &asked) != 0)
		return false;
	message_pack_sign(out, asked.payloads, asked.count);
	return true;
}

static bool certify(const uint8_t *data, size_t size, struct buf *out)
{
	struct message_certify certify;

	if (message_unpack_certify(data, size, &certify) != 0)
		return false;
	message_pack_certify(out, &certify);
	return true;
}

static bool certify_server(const uint8_t *data, size_t size, struct buf *out)
{
	struct message_certify_server certify;

	if (message_unpack_certify_server(data, size, &certify) != 0)
		return false;
	message_pack_certify_server(out, &certify);
	return true;
}

static bool signed_answer(const uint8_t *data, size_t size, struct buf *out)
{
	struct message_signed answer;

	if (message_unpack_signed(data, size, &answer) != 0)
		return false;
	message_pack_signed(out, &answer);
	return true;
}

static bool certified(const uint8_t *data, size_t size, struct buf *out)
{
	static char pem[MESSAGE_CERTIFICATE_MAX_BYTES];

	if (message_unpack_certified(data, size, pem) != 0)
		return false;
	message_pack_certified(out, pem);
	return true;
}

static bool refused(const uint8_t *data, size_t size, struct buf *out)
{
	struct message_refused refused;
	struct err err = { 0 };

	if (message_unpack_refused(data, size, &refused) != 0)
		return false;
	err_set(&err, refused.code, "%s", refused.text);
	message_pack_refused(out, &err);
	return true;
}

static bool deliver(const uint8_t *data, size_t size, struct buf *out)
{
	static struct delivery delivery;

	if (delivery_unpack(data, size, &delivery) != 0)
		return false;
	delivery_pack(out, &delivery);
	return true;
}

static bool watch(const uint8_t *data, size_t size, struct buf *out)
{
	static struct hypervisor_watch watch;

	if (hypervisor_unpack_watch(data, size, &watch) != 0)
		return false;
	hypervisor_pack_watch(out, &watch);
	return true;
}

static bool said(const uint8_t *data, size_t size, struct buf *out)
{
	struct hypervisor_said said;

	if (hypervisor_unpack_said(data, size, &said) != 0)
		return false;
	hypervisor_pack_said(out, &said);
	return true;
}

static bool machines(const uint8_t *data, size_t size, struct buf *out)
{
	static struct hypervisor_machines machines;

	if (hypervisor_unpack_machines(data, size, &machines) != 0)
		return false;
	hypervisor_pack_machines(out, &machines);
	return true;
}

static bool prove(const uint8_t *data, size_t size, struct buf *out)
{
	struct message_prove asked;

	if (message_unpack_prove(data, size, &asked) != 0)
		return false;
	message_pack_prove(out, &asked);
	return true;
}

static bool keys_are(const uint8_t *data, size_t size, struct buf *out)
{
	struct message_keys keys;

	if (message_unpack_keys(data, size, &keys) != 0)
		return false;
	message_pack_keys(out, &keys);
	return true;
}

static bool create_key(const uint8_t *data, size_t size, struct buf *out)
{
	struct message_create_key create;

	if (message_unpack_create_key(data, size, &create) != 0)
		return false;
	message_pack_create_key(out, &create);
	return true;
}

static bool import_key(const uint8_t *data, size_t size, struct buf *out)
{
	struct message_import_key import;

	if (message_unpack_import_key(data, size, &import) != 0)
		return false;
	message_pack_import_key(out, &import);
	return true;
}

static bool back_up(const uint8_t *data, size_t size, struct buf *out)
{
	static struct message_back_up asked;

	if (message_unpack_back_up(data, size, &asked) != 0)
		return false;
	message_pack_back_up(out, &asked);
	return true;
}

static bool restore(const uint8_t *data, size_t size, struct buf *out)
{
	struct message_restore asked;

	if (message_unpack_restore(data, size, &asked) != 0)
		return false;
	message_pack_restore(out, &asked);
	return true;
}

static bool restored(const uint8_t *data, size_t size, struct buf *out)
{
	static struct message_restored answer;

	if (message_unpack_restored(data, size, &answer) != 0)
		return false;
	message_pack_restored(out, &answer);
	return true;
}

static bool authorities(const uint8_t *data, size_t size, struct buf *out)
{
	static struct message_authorities answer;
	struct buf pem;

	if (message_unpack_authorities(data, size, &answer) != 0)
		return false;
	buf_init(&pem, sizeof(answer.pem));
	buf_append(&pem, answer.pem, strlen(answer.pem));
	if (answer.why[0] != '\0')
		message_pack_no_authorities(out, answer.why);
	else
		message_pack_authorities(out, answer.has_next, &pem);
	buf_done(&pem);
	return true;
}

static bool ended(const uint8_t *data, size_t size, struct buf *out)
{
	time_us moment;

	if (message_unpack_ended(data, size, &moment) != 0)
		return false;
	message_pack_ended(out, moment);
	return true;
}

static bool same(const struct buf *out, const void *data, size_t size)
{
	return out->status == 0 && out->size == size && memcmp(out->data, data, size) == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* looser: other bytes may say the same (a succession is protobuf, which may have any order); what is encoded
	 * then decodes to itself. */
	static const struct {
		bool (*both_ways)(const uint8_t *data, size_t size, struct buf *out);
		bool looser;
	} rows[] = {
		{ sign },       { certify },       { signed_answer }, { certified },      { refused },
		{ deliver },    { watch },         { said },          { machines },       { certify_server },
		{ prove },      { key_files },     { force },         { keys_are, true }, { create_key },
		{ import_key }, { back_up, true }, { restore },       { restored, true }, { authorities, true },
		{ ended },
	};
	struct buf out, again;
	size_t row;

	if (size == 0 || size > CHANNEL_PAYLOAD_MAX_BYTES)
		return 0;
	row = data[0] % COUNT_OF(rows);
	buf_init(&out, CHANNEL_PAYLOAD_MAX_BYTES);
	buf_init(&again, CHANNEL_PAYLOAD_MAX_BYTES);
	if (rows[row].both_ways(data + 1, size - 1, &out)) {
		if (!rows[row].looser && !same(&out, data + 1, size - 1))
			abort();
		/* Canonical encoding may be the longer one: then the limit speaks. */
		if (out.status == 0 &&
		    (!rows[row].both_ways(out.data, out.size, &again) || !same(&again, out.data, out.size)))
			abort();
	}
	buf_done(&out);
	buf_done(&again);
	return 0;
}
