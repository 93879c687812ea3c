/* Encoding of messages with the hypervisor role. Input is untrusted. */
#include "manager/hypervisor/hypervisor_messages.h"

const char *hypervisor_link_name(enum hypervisor_link link)
{
	static const char *const names[HYPERVISOR_LINKS] = { "connecting", "connected", "failed" };

	return names[link];
}

const char *hypervisor_power_name(enum hypervisor_power power)
{
	static const char *const names[HYPERVISOR_POWERS] = { "running",  "paused",  "suspended", "shutting_down",
							      "shut_off", "crashed", "unknown" };

	return names[power];
}

void hypervisor_pack_watch(struct buf *out, const struct hypervisor_watch *watch)
{
	pack_u16(out, (uint16_t)watch->count);
	for (size_t i = 0; i < watch->count; i++) {
		buf_append(out, watch->orders[i].id.bytes, UUID_BYTES);
		pack_u32(out, watch->orders[i].round);
		pack_text(out, watch->orders[i].uri);
	}
}

int hypervisor_unpack_watch(const void *data, size_t size, struct hypervisor_watch *ret_watch)
{
	struct unpack in;

	unpack_init(&in, data, size);
	ret_watch->count = unpack_u16(&in);
	if (ret_watch->count > HYPERVISORS_MAX)
		return ERR_LIMIT;
	for (size_t i = 0; i < ret_watch->count; i++) {
		unpack_fixed(&in, ret_watch->orders[i].id.bytes, UUID_BYTES);
		ret_watch->orders[i].round = unpack_u32(&in);
		unpack_text(&in, ret_watch->orders[i].uri, HYPERVISOR_URI_BYTES);
	}
	return unpack_end(&in);
}

void hypervisor_pack_said(struct buf *out, const struct hypervisor_said *said)
{
	buf_append(out, said->id.bytes, UUID_BYTES);
	pack_u32(out, said->round);
	pack_u8(out, (uint8_t)said->link);
	pack_text(out, said->text);
}

int hypervisor_unpack_said(const void *data, size_t size, struct hypervisor_said *ret_said)
{
	struct unpack in;
	uint8_t link;
	int rc;

	unpack_init(&in, data, size);
	unpack_fixed(&in, ret_said->id.bytes, UUID_BYTES);
	ret_said->round = unpack_u32(&in);
	link = unpack_u8(&in);
	unpack_text(&in, ret_said->text, sizeof(ret_said->text));
	rc = unpack_end(&in);
	if (rc == 0 && link >= HYPERVISOR_LINKS)
		rc = ERR_FORMAT;
	ret_said->link = link < HYPERVISOR_LINKS ? (enum hypervisor_link)link : HYPERVISOR_FAILED;
	return rc;
}

void hypervisor_pack_machines(struct buf *out, const struct hypervisor_machines *machines)
{
	buf_append(out, machines->id.bytes, UUID_BYTES);
	pack_u32(out, machines->round);
	pack_u8(out, machines->first ? 1 : 0);
	pack_u16(out, (uint16_t)machines->count);
	for (size_t i = 0; i < machines->count; i++) {
		buf_append(out, machines->machines[i].id.bytes, UUID_BYTES);
		pack_u8(out, (uint8_t)machines->machines[i].power);
		pack_text(out, machines->machines[i].name);
	}
}

int hypervisor_unpack_machines(const void *data, size_t size, struct hypervisor_machines *ret_machines)
{
	struct unpack in;
	uint8_t first;
	int rc = 0;

	unpack_init(&in, data, size);
	unpack_fixed(&in, ret_machines->id.bytes, UUID_BYTES);
	ret_machines->round = unpack_u32(&in);
	first = unpack_u8(&in);
	ret_machines->first = first == 1;
	ret_machines->count = unpack_u16(&in);
	if (ret_machines->count > HYPERVISOR_CHUNK)
		return ERR_LIMIT;
	for (size_t i = 0; i < ret_machines->count; i++) {
		struct hypervisor_machine *machine = &ret_machines->machines[i];
		uint8_t power;

		unpack_fixed(&in, machine->id.bytes, UUID_BYTES);
		power = unpack_u8(&in);
		unpack_text(&in, machine->name, HYPERVISOR_MACHINE_BYTES);
		if (power >= HYPERVISOR_POWERS)
			rc = ERR_FORMAT;
		machine->power = power < HYPERVISOR_POWERS ? (enum hypervisor_power)power : HYPERVISOR_NO_STATE;
	}
	if (first > 1)
		rc = ERR_FORMAT;
	return unpack_end(&in) != 0 ? ERR_FORMAT : rc;
}
