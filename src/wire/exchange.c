/* Decoding under limits and encoding under the same. Input is untrusted. */
#include "wire/exchange.h"

#include <inttypes.h>
#include <string.h>

#include "base/units.h"
#include "wire/rules.h"
#include "wire/succession.h"

struct message_kind {
	const char *name; /* in errors */
	const ProtobufCMessageDescriptor *descriptor;
	size_t max_bytes;
	uint32_t version;                                                     /* what field 1 must be; 0: it is none */
	int (*check_whole)(const ProtobufCMessage *message, struct err *err); /* or NULL */
};

static int check_report(const ProtobufCMessage *message, struct err *err)
{
	const Muster__Wire__Report *report = (const Muster__Wire__Report *)message;
	uint64_t before = 0;

	for (size_t i = 0; i < report->n_events; i++) {
		uint64_t number = report->events[i]->number;

		if (number <= before)
			return err_set(err, ERR_RANGE,
				       "report.events[%zu].number: %" PRIu64 " after %" PRIu64 ", must ascend", i,
				       number, before);
		before = number;
	}
	if (report->events_waiting < report->n_events)
		return err_set(err, ERR_RANGE, "report.events_waiting: %" PRIu64 ", fewer than the %zu events here",
			       report->events_waiting, report->n_events);
	return 0;
}

static int check_signed(const ProtobufCMessage *message, struct err *err)
{
	const Muster__Wire__Signed *content = (const Muster__Wire__Signed *)message;
	const Muster__Wire__Configuration *configuration;

	if (content->expires_us < content->issued_us)
		return err_set(err, ERR_RANGE, "signed.expires_us: before issued_us");
	if (content->content_case != MUSTER__WIRE__SIGNED__CONTENT_CONFIGURATION)
		return 0;
	configuration = content->configuration;
	for (size_t i = 1; i < configuration->n_settings; i++) {
		if (strcmp(configuration->settings[i]->name, configuration->settings[i - 1]->name) <= 0)
			return err_set(err, ERR_RANGE, "signed.configuration.settings[%zu].name: names must ascend", i);
	}
	return 0;
}

static const struct message_kind kind_report = { "report", &muster__wire__report__descriptor, WIRE_REPORT_MAX_BYTES,
						 WIRE_PROTOCOL, check_report };
static const struct message_kind kind_reply = { "reply", &muster__wire__reply__descriptor, WIRE_REPLY_MAX_BYTES,
						WIRE_PROTOCOL, NULL };
static const struct message_kind kind_enrol_request = { "enrol request", &muster__wire__enrol_request__descriptor,
							WIRE_ENROL_REQUEST_MAX_BYTES, WIRE_PROTOCOL, NULL };
static const struct message_kind kind_enrol_reply = { "enrol reply", &muster__wire__enrol_reply__descriptor,
						      WIRE_ENROL_REPLY_MAX_BYTES, WIRE_PROTOCOL, NULL };
static const struct message_kind kind_manager_proof = { "manager proof", &muster__wire__manager_proof__descriptor,
							WIRE_MANAGER_PROOF_MAX_BYTES, WIRE_PROTOCOL, NULL };
static const struct message_kind kind_renew_request = { "renew request", &muster__wire__renew_request__descriptor,
							WIRE_RENEW_REQUEST_MAX_BYTES, WIRE_PROTOCOL, NULL };
static const struct message_kind kind_renew_reply = { "renew reply", &muster__wire__renew_reply__descriptor,
						      WIRE_RENEW_REPLY_MAX_BYTES, WIRE_PROTOCOL, NULL };
static const struct message_kind kind_signed = { "signed", &muster__wire__signed__descriptor, WIRE_SIGNED_MAX_BYTES,
						 WIRE_ENVELOPE_VERSION, check_signed };
static const struct message_kind kind_envelope = { "envelope", &muster__wire__envelope__descriptor,
						   WIRE_ENVELOPE_MAX_BYTES, 0, NULL };
static const struct message_kind kind_key_succession = { "key succession", &muster__wire__key_succession__descriptor,
							 SUCCESSION_MAX_BYTES, 0, NULL };

/* First of all checks: what another version means by its fields is not ours to judge. */
static int check_version(const struct message_kind *kind, const ProtobufCMessage *message, struct err *err)
{
	const ProtobufCFieldDescriptor *field = &kind->descriptor->fields[0];
	uint32_t version;

	if (kind->version == 0)
		return 0;
	version = *(const uint32_t *)(const void *)((const uint8_t *)message + field->offset);
	if (version == kind->version)
		return 0;
	return err_set(err, ERR_VERSION, "%s.%s: %" PRIu32 ", this version speaks %" PRIu32, kind->name, field->name,
		       version, kind->version);
}

static int check(const struct message_kind *kind, const ProtobufCMessage *message, struct err *err)
{
	int status = check_version(kind, message, err);

	if (status == 0)
		status = rules_check(message, kind->name, err);
	if (status == 0 && kind->check_whole != NULL)
		status = kind->check_whole(message, err);
	return status;
}

static void *allocate(void *arena, size_t size)
{
	return arena_take(arena, size);
}

static void release(void *arena, void *memory)
{
	(void)arena; /* all at once, in arena_free() */
	(void)memory;
}

static int unpack(const struct message_kind *kind, const void *bytes, size_t size, struct arena *arena,
		  ProtobufCMessage **ret_message, struct err *err)
{
	static const uint8_t nothing[1];
	ProtobufCAllocator allocator = { .alloc = allocate, .free = release, .allocator_data = arena };
	ProtobufCMessage *message =
	    protobuf_c_message_unpack(kind->descriptor, &allocator, size, bytes != NULL ? bytes : nothing);

	if (message == NULL && arena_exceeded(arena))
		return err_set(err, ERR_LIMIT, "%s: %zu bytes hold too many parts", kind->name, size);
	if (message == NULL)
		return err_set(err, ERR_FORMAT, "%s: %zu bytes that do not decode", kind->name, size);
	*ret_message = message;
	return 0;
}

static void forget_unknown(ProtobufCMessage *message);

static void forget_unknown_parts(ProtobufCMessage *message, const ProtobufCFieldDescriptor *field)
{
	uint8_t *base = (uint8_t *)message;
	void *at = base + field->offset;
	size_t count = 1;
	ProtobufCMessage **parts = at;

	if (field->label == PROTOBUF_C_LABEL_REPEATED) {
		count = *(const size_t *)(const void *)(base + field->quantifier_offset);
		parts = *(ProtobufCMessage ***)at;
	} else if ((field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0 &&
		   *(const uint32_t *)(const void *)(base + field->quantifier_offset) != field->id) {
		return;
	}
	for (size_t i = 0; i < count; i++) {
		if (parts[i] != NULL)
			forget_unknown(parts[i]);
	}
}

/* Fields that a newer sender knows are passed over; protobuf-c would keep them
 * and send them on when the message is packed again. */
static void forget_unknown(ProtobufCMessage *message)
{
	message->n_unknown_fields = 0;
	message->unknown_fields = NULL;
	for (unsigned i = 0; i < message->descriptor->n_fields; i++) {
		if (message->descriptor->fields[i].type == PROTOBUF_C_TYPE_MESSAGE)
			forget_unknown_parts(message, &message->descriptor->fields[i]);
	}
}

static int decode(const struct message_kind *kind, const void *bytes, size_t size, ProtobufCMessage **ret_message,
		  struct arena **ret_arena, struct err *err)
{
	ProtobufCMessage *message = NULL;
	struct arena *arena;
	int status;

	if (size > kind->max_bytes)
		return err_set(err, ERR_LIMIT, "%s: %zu bytes, at most %zu", kind->name, size, kind->max_bytes);
	arena = arena_new(WIRE_ARENA_FIRST_BYTES + size * WIRE_ARENA_FACTOR);
	if (arena == NULL)
		return err_set(err, ERR_MEMORY, "%s: out of memory", kind->name);
	status = unpack(kind, bytes, size, arena, &message, err);
	if (status == 0)
		status = check(kind, message, err);
	if (status != 0) {
		arena_free(arena);
		return status;
	}
	forget_unknown(message);
	*ret_message = message;
	*ret_arena = arena;
	return 0;
}

static int encode(const struct message_kind *kind, const ProtobufCMessage *message, struct buf *out, struct err *err)
{
	int status = check(kind, message, err);
	uint8_t *room;
	size_t size;

	if (status != 0)
		return status;
	size = protobuf_c_message_get_packed_size(message);
	if (size > kind->max_bytes)
		return err_set(err, ERR_LIMIT, "%s: %zu bytes, at most %zu", kind->name, size, kind->max_bytes);
	room = buf_room(out, size);
	if (room == NULL)
		return err_set(err, out->status, "%s: no room for %zu bytes", kind->name, size);
	buf_grow(out, protobuf_c_message_pack(message, room));
	return 0;
}

#define EXCHANGE_KIND(kind, type)                                                                                      \
	int exchange_##kind##_decode(const void *bytes, size_t size, type **ret_message, struct arena **ret_arena,     \
				     struct err *err)                                                                  \
	{                                                                                                              \
		ProtobufCMessage *message = NULL;                                                                      \
		int status = decode(&kind_##kind, bytes, size, &message, ret_arena, err);                              \
                                                                                                                       \
		if (status == 0)                                                                                       \
			*ret_message = (type *)message;                                                                \
		return status;                                                                                         \
	}                                                                                                              \
	int exchange_##kind##_encode(const type *message, struct buf *out, struct err *err)                            \
	{                                                                                                              \
		return encode(&kind_##kind, &message->base, out, err);                                                 \
	}

EXCHANGE_KIND(report, Muster__Wire__Report)
EXCHANGE_KIND(reply, Muster__Wire__Reply)
EXCHANGE_KIND(enrol_request, Muster__Wire__EnrolRequest)
EXCHANGE_KIND(enrol_reply, Muster__Wire__EnrolReply)
EXCHANGE_KIND(manager_proof, Muster__Wire__ManagerProof)
EXCHANGE_KIND(renew_request, Muster__Wire__RenewRequest)
EXCHANGE_KIND(renew_reply, Muster__Wire__RenewReply)
EXCHANGE_KIND(signed, Muster__Wire__Signed)
EXCHANGE_KIND(envelope, Muster__Wire__Envelope)
EXCHANGE_KIND(key_succession, Muster__Wire__KeySuccession)

struct uuid exchange_uuid(const ProtobufCBinaryData *field)
{
	struct uuid uuid = { { 0 } };

	if (field->len == UUID_BYTES)
		memcpy(uuid.bytes, field->data, UUID_BYTES);
	return uuid;
}

ProtobufCBinaryData exchange_bytes(const void *bytes, size_t size)
{
	union {
		const void *given;
		uint8_t *field; /* protobuf-c's field is not const; packing only reads */
	} pointer = { .given = bytes };

	return (ProtobufCBinaryData){ .len = size, .data = pointer.field };
}
