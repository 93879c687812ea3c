/* Messages between the manager's roles: whatever a taken-over front, keys or
 * courier or hypervisor role sends. The first byte chooses the decoder. What decodes encodes to the
 * same bytes. */
#include <stdlib.h>
#include <string.h>

#include "manager/courier/delivery.h"
#include "manager/hypervisor/hypervisor_messages.h"
#include "manager/messages.h"

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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static bool (*const both_ways[])(const uint8_t *data, size_t size, struct buf *out) = {
		sign, certify,  signed_answer,  certified, refused,   deliver, watch,
		said, machines, certify_server, prove,     key_files, force
	};
	struct buf out;

	if (size == 0 || size > CHANNEL_PAYLOAD_MAX_BYTES)
		return 0;
	buf_init(&out, CHANNEL_PAYLOAD_MAX_BYTES);
	if (both_ways[data[0] % COUNT_OF(both_ways)](data + 1, size - 1, &out) &&
	    (out.status != 0 || out.size != size - 1 || memcmp(out.data, data + 1, out.size) != 0))
		abort();
	buf_done(&out);
	return 0;
}
