/* Encoding of messages between the manager's roles. Input is untrusted. */
#include "manager/messages.h"

#include <string.h>

#include "base/units.h"
#include "manager/hypervisor/hypervisor_messages.h"
#include "manager/layout.h"

/* Room for the numbers and lengths around the named bytes. */
#define FRAME_BYTES 64

static const struct channel_permit from_front[] = {
	{ .type = MESSAGE_READY, .name = "ready", .max_bytes = 0 },
	{ .type = MESSAGE_BROKEN, .name = "broken", .max_bytes = 0 },
	{ .type = MESSAGE_BROKEN_COURIER, .name = "broken_courier", .max_bytes = 0 },
	{ .type = MESSAGE_BROKEN_HYPERVISOR, .name = "broken_hypervisor", .max_bytes = 0 },
};
static const struct channel_permit from_role[] = {
	{ .type = MESSAGE_READY, .name = "ready", .max_bytes = 0 },
	{ .type = MESSAGE_BROKEN, .name = "broken", .max_bytes = 0 },
};
static const struct channel_permit from_keys[] = {
	{ .type = MESSAGE_READY, .name = "ready", .max_bytes = 0 },
	{ .type = MESSAGE_BROKEN, .name = "broken", .max_bytes = 0 },
	{ .type = MESSAGE_PUBLIC_KEY, .name = "public key", .max_bytes = ENVELOPE_KEY_BYTES },
	{ .type = MESSAGE_ROOTS, .name = "roots", .max_bytes = AUTHORITIES_MAX_BYTES },
	{ .type = MESSAGE_OPEN_KEY, .name = "open a key's file", .max_bytes = 1 },
};
static const struct channel_permit from_supervisor[] = {
	{ .type = MESSAGE_ATTACH, .name = "attach", .max_bytes = 0, .descriptor = true },
	{ .type = MESSAGE_ATTACH_COURIER, .name = "attach_courier", .max_bytes = 0, .descriptor = true },
	{ .type = MESSAGE_ATTACH_HYPERVISOR, .name = "attach_hypervisor", .max_bytes = 0, .descriptor = true },
	{ .type = MESSAGE_STOP, .name = "stop", .max_bytes = 0 },
	{ .type = MESSAGE_KEY_FILE, .name = "a key's file", .max_bytes = 1, .descriptor = true },
};
static const struct channel_permit asked_of_keys[] = {
	{ .type = MESSAGE_SIGN, .name = "sign", .max_bytes = MESSAGE_SIGN_MAX_BYTES + FRAME_BYTES },
	{ .type = MESSAGE_SIGN_AGAIN, .name = "sign again", .max_bytes = MESSAGE_SIGN_MAX_BYTES + FRAME_BYTES },
	{ .type = MESSAGE_KEYS, .name = "keys", .max_bytes = 0 },
	{ .type = MESSAGE_AUTHORITIES, .name = "authorities", .max_bytes = MESSAGE_AUTHORITIES_BYTES },
	{ .type = MESSAGE_PREPARE_AUTHORITY, .name = "prepare an authority", .max_bytes = MESSAGE_AUTHORITIES_BYTES },
	{ .type = MESSAGE_TURN_AUTHORITY, .name = "turn to an authority", .max_bytes = MESSAGE_AUTHORITIES_BYTES },
	{ .type = MESSAGE_DROP_AUTHORITIES, .name = "drop authorities", .max_bytes = MESSAGE_AUTHORITIES_BYTES },
	{ .type = MESSAGE_CREATE_KEY, .name = "create a key", .max_bytes = MESSAGE_CREATE_KEY_BYTES },
	{ .type = MESSAGE_IMPORT_KEY,
	  .name = "import a key",
	  .max_bytes = MESSAGE_PRIVATE_KEY_MAX_BYTES + FRAME_BYTES },
	{ .type = MESSAGE_BACK_UP, .name = "back up", .max_bytes = CHANNEL_PAYLOAD_MAX_BYTES },
	{ .type = MESSAGE_RESTORE, .name = "restore", .max_bytes = CHANNEL_PAYLOAD_MAX_BYTES },
	{ .type = MESSAGE_PROVE, .name = "prove", .max_bytes = MESSAGE_PROVE_BYTES },
	{ .type = MESSAGE_KEY_FILES, .name = "key files", .max_bytes = 0 },
	{ .type = MESSAGE_WRITE_KEY_FILES, .name = "write key files", .max_bytes = 1 },
	{ .type = MESSAGE_CERTIFY, .name = "certify", .max_bytes = MESSAGE_REQUEST_MAX_BYTES + FRAME_BYTES },
	{ .type = MESSAGE_CERTIFY_MANAGER, .name = "certify the manager", .max_bytes = MESSAGE_REQUEST_MAX_BYTES },
	{ .type = MESSAGE_CERTIFY_SERVER,
	  .name = "certify a server",
	  .max_bytes = MESSAGE_REQUEST_MAX_BYTES + MESSAGE_CERTIFICATE_MAX_BYTES + FRAME_BYTES },
};
static const struct channel_permit answered_by_keys[] = {
	{ .type = MESSAGE_SIGNED, .name = "signed", .max_bytes = SHA256_BYTES + MESSAGE_SIGNATURE_BYTES },
	{ .type = MESSAGE_AUTHORITIES_ARE,
	  .name = "authorities are",
	  .max_bytes = AUTHORITIES_MAX_BYTES + FRAME_BYTES },
	{ .type = MESSAGE_KEYS_ARE, .name = "keys are", .max_bytes = MESSAGE_KEYS_MAX_BYTES },
	{ .type = MESSAGE_BACKED_UP, .name = "backed up", .max_bytes = BACKUP_MAX_BYTES },
	{ .type = MESSAGE_RESTORED, .name = "restored", .max_bytes = CHANNEL_PAYLOAD_MAX_BYTES },
	{ .type = MESSAGE_KEY_FILES_ARE, .name = "key files are", .max_bytes = MESSAGE_KEY_FILES_MAX_BYTES },
	{ .type = MESSAGE_CERTIFIED, .name = "certified", .max_bytes = MESSAGE_CERTIFICATE_MAX_BYTES + FRAME_BYTES },
	{ .type = MESSAGE_REFUSED, .name = "refused", .max_bytes = ERR_TEXT_BYTES + FRAME_BYTES },
};
static const struct channel_permit asked_of_courier[] = {
	{ .type = MESSAGE_DELIVER, .name = "deliver", .max_bytes = CHANNEL_PAYLOAD_MAX_BYTES },
};
static const struct channel_permit answered_by_courier[] = {
	{ .type = MESSAGE_DELIVERED, .name = "delivered", .max_bytes = 0 },
	{ .type = MESSAGE_REFUSED, .name = "refused", .max_bytes = ERR_TEXT_BYTES + FRAME_BYTES },
};
static const struct channel_permit asked_of_hypervisor[] = {
	{ .type = MESSAGE_WATCH, .name = "watch", .max_bytes = HYPERVISOR_WATCH_MAX_BYTES },
};
static const struct channel_permit answered_by_hypervisor[] = {
	{ .type = MESSAGE_MACHINES, .name = "machines", .max_bytes = HYPERVISOR_CHUNK_MAX_BYTES },
	{ .type = MESSAGE_LINK, .name = "link", .max_bytes = ERR_TEXT_BYTES + FRAME_BYTES },
};

const struct message_table messages_from_front = { from_front, COUNT_OF(from_front) };
const struct message_table messages_from_keys = { from_keys, COUNT_OF(from_keys) };
const struct message_table messages_from_courier = { from_role, COUNT_OF(from_role) };
const struct message_table messages_from_hypervisor = { from_role, COUNT_OF(from_role) };
const struct message_table messages_from_supervisor = { from_supervisor, COUNT_OF(from_supervisor) };
const struct message_table messages_asked_of_keys = { asked_of_keys, COUNT_OF(asked_of_keys) };
const struct message_table messages_answered_by_keys = { answered_by_keys, COUNT_OF(answered_by_keys) };
const struct message_table messages_asked_of_courier = { asked_of_courier, COUNT_OF(asked_of_courier) };
const struct message_table messages_answered_by_courier = { answered_by_courier, COUNT_OF(answered_by_courier) };
const struct message_table messages_asked_of_hypervisor = { asked_of_hypervisor, COUNT_OF(asked_of_hypervisor) };
const struct message_table messages_answered_by_hypervisor = { answered_by_hypervisor,
							       COUNT_OF(answered_by_hypervisor) };
_Static_assert(HYPERVISOR_WATCH_MAX_BYTES <= CHANNEL_PAYLOAD_MAX_BYTES, "all hypervisors in one message");
_Static_assert(HYPERVISOR_CHUNK_MAX_BYTES <= CHANNEL_PAYLOAD_MAX_BYTES, "a chunk of machines in one message");

const char *const kept_key_files[KEPT_KEYS] = {
	[KEPT_KEY_AUTHORITY] = LAYOUT_KEYS_CA, [KEPT_KEY_SERVER] = LAYOUT_KEYS_TRUST
};

void message_pack_sign(struct buf *out, const struct bytes *payloads, size_t count)
{
	for (size_t i = 0; i < count; i++)
		pack_bytes(out, payloads[i].data, payloads[i].size);
}

int message_unpack_sign(const void *data, size_t size, struct message_sign *ret_sign)
{
	struct unpack in;

	ret_sign->count = 0;
	unpack_init(&in, data, size);
	do {
		if (ret_sign->count == MESSAGE_ORDERS_MAX)
			return ERR_LIMIT;
		ret_sign->payloads[ret_sign->count++] = unpack_bytes(&in, MESSAGE_SIGN_MAX_BYTES);
	} while (in.status == 0 && in.left > 0);
	return unpack_end(&in);
}

void message_pack_certify(struct buf *out, const struct message_certify *certify)
{
	buf_append(out, certify->computer.bytes, UUID_BYTES);
	pack_bytes(out, certify->request.data, certify->request.size);
}

int message_unpack_certify(const void *data, size_t size, struct message_certify *ret_certify)
{
	struct unpack in;
	struct message_certify certify;
	int rc;

	unpack_init(&in, data, size);
	unpack_fixed(&in, certify.computer.bytes, UUID_BYTES);
	certify.request = unpack_bytes(&in, MESSAGE_REQUEST_MAX_BYTES);
	rc = unpack_end(&in);
	if (rc == 0)
		*ret_certify = certify;
	return rc;
}

void message_pack_certify_server(struct buf *out, const struct message_certify_server *certify)
{
	pack_bytes(out, certify->request.data, certify->request.size);
	pack_bytes(out, certify->certificate.data, certify->certificate.size);
}

int message_unpack_certify_server(const void *data, size_t size, struct message_certify_server *ret_certify)
{
	struct unpack in;
	struct message_certify_server certify;
	int rc;

	unpack_init(&in, data, size);
	certify.request = unpack_bytes(&in, MESSAGE_REQUEST_MAX_BYTES);
	certify.certificate = unpack_bytes(&in, MESSAGE_CERTIFICATE_MAX_BYTES - 1);
	rc = unpack_end(&in);
	if (rc == 0)
		*ret_certify = certify;
	return rc;
}

void message_pack_signed(struct buf *out, const struct message_signed *answer)
{
	buf_append(out, answer->key, sizeof(answer->key));
	buf_append(out, answer->signature, sizeof(answer->signature));
}

int message_unpack_signed(const void *data, size_t size, struct message_signed *ret_answer)
{
	struct message_signed answer;
	struct unpack in;
	int rc;

	unpack_init(&in, data, size);
	unpack_fixed(&in, answer.key, sizeof(answer.key));
	unpack_fixed(&in, answer.signature, sizeof(answer.signature));
	rc = unpack_end(&in);
	if (rc == 0)
		*ret_answer = answer;
	return rc;
}

static int take_flag(struct unpack *in, bool *ret_flag)
{
	uint8_t value = unpack_u8(in);

	*ret_flag = value == 1;
	return value > 1 && in->status == 0 ? ERR_FORMAT : 0;
}

void message_pack_keys(struct buf *out, const struct message_keys *keys)
{
	struct buf by;

	buf_init(&by, SUCCESSION_MAX_BYTES);
	if (keys->followed && succession_pack(&keys->by, &by, NULL) != 0)
		buf_reset(&by);
	pack_u8(out, keys->has_key ? 1 : 0);
	buf_append(out, keys->public_key, sizeof(keys->public_key));
	pack_u8(out, by.size > 0 ? 1 : 0);
	pack_bytes(out, by.data, by.size);
	buf_done(&by);
}

int message_unpack_keys(const void *data, size_t size, struct message_keys *ret_keys)
{
	struct message_keys keys = { .has_key = false };
	struct unpack in;
	struct bytes by;
	int rc;

	unpack_init(&in, data, size);
	rc = take_flag(&in, &keys.has_key);
	unpack_fixed(&in, keys.public_key, sizeof(keys.public_key));
	if (rc == 0)
		rc = take_flag(&in, &keys.followed);
	by = unpack_bytes(&in, SUCCESSION_MAX_BYTES);
	if (rc == 0)
		rc = unpack_end(&in);
	if (rc == 0 && keys.followed)
		rc = succession_unpack(by.data, by.size, &keys.by, NULL) == 0 ? 0 : ERR_FORMAT;
	if (rc == 0)
		*ret_keys = keys;
	return rc;
}

void message_pack_prove(struct buf *out, const struct message_prove *prove)
{
	pack_u8(out, (uint8_t)prove->side);
	buf_append(out, prove->channel, sizeof(prove->channel));
}

int message_unpack_prove(const void *data, size_t size, struct message_prove *ret_prove)
{
	struct message_prove prove;
	struct unpack in;
	uint8_t side;
	int rc;

	unpack_init(&in, data, size);
	side = unpack_u8(&in);
	unpack_fixed(&in, prove.channel, sizeof(prove.channel));
	rc = unpack_end(&in);
	if (rc == 0 && side >= PROOF_SIDES)
		rc = ERR_FORMAT;
	prove.side = (enum proof_side)side;
	if (rc == 0)
		*ret_prove = prove;
	return rc;
}

void message_pack_create_key(struct buf *out, const struct message_create_key *create)
{
	pack_u8(out, create->succeed ? 1 : 0);
	pack_u64(out, create->known);
}

int message_unpack_create_key(const void *data, size_t size, struct message_create_key *ret_create)
{
	struct message_create_key create;
	struct unpack in;
	int rc;

	unpack_init(&in, data, size);
	rc = take_flag(&in, &create.succeed);
	create.known = unpack_u64(&in);
	if (rc == 0)
		rc = unpack_end(&in);
	if (rc == 0)
		*ret_create = create;
	return rc;
}

void message_pack_import_key(struct buf *out, const struct message_import_key *import)
{
	message_pack_create_key(out, &import->create);
	pack_u8(out, import->force ? 1 : 0);
	pack_bytes(out, import->pem.data, import->pem.size);
}

int message_unpack_import_key(const void *data, size_t size, struct message_import_key *ret_import)
{
	struct message_import_key import;
	struct unpack in;
	int rc = size < MESSAGE_CREATE_KEY_BYTES
		     ? ERR_FORMAT
		     : message_unpack_create_key(data, MESSAGE_CREATE_KEY_BYTES, &import.create);

	if (rc != 0)
		return rc;
	unpack_init(&in, (const uint8_t *)data + MESSAGE_CREATE_KEY_BYTES, size - MESSAGE_CREATE_KEY_BYTES);
	rc = take_flag(&in, &import.force);
	import.pem = unpack_bytes(&in, MESSAGE_PRIVATE_KEY_MAX_BYTES);
	if (rc == 0)
		rc = unpack_end(&in);
	if (rc == 0)
		*ret_import = import;
	return rc;
}

static void pack_steps(struct buf *out, const struct succession *steps, size_t count)
{
	pack_u16(out, (uint16_t)count);
	for (size_t i = 0; i < count; i++) {
		struct buf step;

		buf_init(&step, SUCCESSION_MAX_BYTES);
		if (succession_pack(&steps[i], &step, NULL) != 0 && out->status == 0)
			out->status = ERR_FORMAT;
		pack_bytes(out, step.data, step.size);
		buf_done(&step);
	}
}

static int unpack_steps(struct unpack *in, struct succession *steps, size_t *ret_count)
{
	size_t count = unpack_u16(in);
	int rc = count > BACKUP_SUCCESSIONS_MAX ? ERR_LIMIT : in->status;

	for (size_t i = 0; rc == 0 && i < count; i++) {
		struct bytes step = unpack_bytes(in, SUCCESSION_MAX_BYTES);

		rc = in->status != 0 ? in->status : succession_unpack(step.data, step.size, &steps[i], NULL);
	}
	*ret_count = count;
	return rc == 0 ? unpack_end(in) : ERR_FORMAT;
}

void message_pack_back_up(struct buf *out, const struct message_back_up *back_up)
{
	pack_text(out, back_up->password);
	pack_text(out, back_up->name);
	pack_u16(out, back_up->agent_port);
	pack_u64(out, back_up->policy_revision);
	pack_u64(out, back_up->command_serial);
	pack_steps(out, back_up->steps, back_up->step_count);
}

int message_unpack_back_up(const void *data, size_t size, struct message_back_up *ret_back_up)
{
	struct unpack in;

	unpack_init(&in, data, size);
	unpack_text(&in, ret_back_up->password, sizeof(ret_back_up->password));
	unpack_text(&in, ret_back_up->name, sizeof(ret_back_up->name));
	ret_back_up->agent_port = unpack_u16(&in);
	ret_back_up->policy_revision = unpack_u64(&in);
	ret_back_up->command_serial = unpack_u64(&in);
	return unpack_steps(&in, ret_back_up->steps, &ret_back_up->step_count);
}

void message_pack_restore(struct buf *out, const struct message_restore *restore)
{
	pack_text(out, restore->password);
	pack_u8(out, restore->force ? 1 : 0);
	pack_u64(out, restore->known);
	pack_bytes(out, restore->file.data, restore->file.size);
}

int message_unpack_restore(const void *data, size_t size, struct message_restore *ret_restore)
{
	struct unpack in;
	int rc;

	unpack_init(&in, data, size);
	unpack_text(&in, ret_restore->password, sizeof(ret_restore->password));
	rc = take_flag(&in, &ret_restore->force);
	ret_restore->known = unpack_u64(&in);
	ret_restore->file = unpack_bytes(&in, BACKUP_MAX_BYTES);
	return rc == 0 ? unpack_end(&in) : rc;
}

void message_pack_restored(struct buf *out, const struct message_restored *restored)
{
	struct buf keys;

	buf_init(&keys, MESSAGE_KEYS_MAX_BYTES);
	message_pack_keys(&keys, &restored->keys);
	pack_bytes(out, keys.data, keys.size);
	pack_u64(out, (uint64_t)restored->made);
	pack_u8(out, restored->authority ? 1 : 0);
	pack_steps(out, restored->steps, restored->step_count);
	buf_done(&keys);
}

int message_unpack_restored(const void *data, size_t size, struct message_restored *ret_restored)
{
	struct unpack in;
	struct bytes keys;
	int rc;

	unpack_init(&in, data, size);
	keys = unpack_bytes(&in, MESSAGE_KEYS_MAX_BYTES);
	rc = in.status != 0 ? in.status : message_unpack_keys(keys.data, keys.size, &ret_restored->keys);
	ret_restored->made = (time_us)unpack_u64(&in);
	if (rc == 0)
		rc = take_flag(&in, &ret_restored->authority);
	return rc == 0 ? unpack_steps(&in, ret_restored->steps, &ret_restored->step_count) : rc;
}

void message_pack_authorities(struct buf *out, bool has_next, const struct buf *pem)
{
	pack_u8(out, has_next ? 1 : 0);
	pack_text(out, "");
	pack_bytes(out, pem->data, pem->size);
}

void message_pack_no_authorities(struct buf *out, const char *why)
{
	pack_u8(out, 0);
	pack_text(out, why);
	pack_bytes(out, NULL, 0);
}

int message_unpack_authorities(const void *data, size_t size, struct message_authorities *ret_authorities)
{
	struct unpack in;
	struct bytes pem;
	int rc;

	unpack_init(&in, data, size);
	rc = take_flag(&in, &ret_authorities->has_next);
	unpack_text(&in, ret_authorities->why, sizeof(ret_authorities->why));
	pem = unpack_bytes(&in, sizeof(ret_authorities->pem) - 1);
	if (rc == 0)
		rc = unpack_end(&in);
	if (rc != 0)
		return rc;
	if ((pem.size == 0) != (ret_authorities->why[0] != '\0') ||
	    (pem.size > 0 && memchr(pem.data, '\0', pem.size) != NULL))
		return ERR_FORMAT;
	if (pem.size > 0)
		memcpy(ret_authorities->pem, pem.data, pem.size);
	ret_authorities->pem[pem.size] = '\0';
	return 0;
}

void message_pack_key_files(struct buf *out, const struct message_key_files *files)
{
	for (size_t i = 0; i < KEPT_KEYS; i++) {
		pack_u8(out, files->items[i].held ? 1 : 0);
		pack_text(out, files->items[i].why);
	}
}

int message_unpack_key_files(const void *data, size_t size, struct message_key_files *ret_files)
{
	struct message_key_files files;
	struct unpack in;
	int rc = 0;

	unpack_init(&in, data, size);
	for (size_t i = 0; rc == 0 && i < KEPT_KEYS; i++) {
		rc = take_flag(&in, &files.items[i].held);
		unpack_text(&in, files.items[i].why, sizeof(files.items[i].why));
	}
	if (rc == 0)
		rc = unpack_end(&in);
	if (rc == 0)
		*ret_files = files;
	return rc;
}

void message_pack_force(struct buf *out, bool force)
{
	pack_u8(out, force ? 1 : 0);
}

int message_unpack_force(const void *data, size_t size, bool *ret_force)
{
	struct unpack in;
	bool force;
	int rc;

	unpack_init(&in, data, size);
	rc = take_flag(&in, &force);
	if (rc == 0)
		rc = unpack_end(&in);
	if (rc == 0)
		*ret_force = force;
	return rc;
}

void message_pack_ended(struct buf *out, time_us ended)
{
	pack_u64(out, (uint64_t)ended);
}

int message_unpack_ended(const void *data, size_t size, time_us *ret_ended)
{
	struct unpack in;

	unpack_init(&in, data, size);
	*ret_ended = (time_us)unpack_u64(&in);
	return *ret_ended < 0 ? ERR_FORMAT : unpack_end(&in);
}

void message_pack_certified(struct buf *out, const char *pem)
{
	pack_text(out, pem);
}

int message_unpack_certified(const void *data, size_t size, char *pem)
{
	struct unpack in;

	unpack_init(&in, data, size);
	unpack_text(&in, pem, MESSAGE_CERTIFICATE_MAX_BYTES);
	return unpack_end(&in);
}

void message_pack_refused(struct buf *out, const struct err *err)
{
	pack_u32(out, (uint32_t)-err->code);
	pack_text(out, err->text);
}

int message_unpack_refused(const void *data, size_t size, struct message_refused *ret_refused)
{
	struct unpack in;
	struct message_refused refused;
	uint32_t code;
	int rc;

	unpack_init(&in, data, size);
	code = unpack_u32(&in);
	unpack_text(&in, refused.text, sizeof(refused.text));
	rc = unpack_end(&in);
	if (rc != 0)
		return rc;
	if (code == 0 || code > (uint32_t)-ERR_LAST_)
		return ERR_FORMAT;
	refused.code = -(int)code;
	*ret_refused = refused;
	return 0;
}
