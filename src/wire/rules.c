/* The table of field rules and the walk that applies it. Input: messages as
 * protobuf-c decoded them from outside bytes, or as a sender built them. */
#include "wire/rules.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/hex.h"
#include "base/text.h"
#include "base/units.h"
#include "wire/directions.h"
#include "wire/envelope.h"
#include "wire/limits.h"

enum rule_kind {
	RULE_NONE,
	RULE_ANY,            /* numbers and enums of any defined value */
	RULE_NUMBER,         /* in [min, max] */
	RULE_TEXT,           /* UTF-8 of min to max bytes */
	RULE_BYTES,          /* min to max bytes */
	RULE_BYTES_OR_EMPTY, /* the same, or none at all */
	RULE_PATH,           /* absolute, without NUL, at most max bytes; empty if min is 0 */
	RULE_PART,           /* a message, checked by its own rows; must be there if min is 1 */
};

struct rule {
	enum rule_kind kind;
	int64_t min, max;
	size_t count; /* of a repeated field */
};

#define NUMBER(low, high)                                                                                              \
	{                                                                                                              \
		RULE_NUMBER, (low), (high), 0                                                                          \
	}
#define TEXT(low, high)                                                                                                \
	{                                                                                                              \
		RULE_TEXT, (low), (high), 0                                                                            \
	}
#define NAME     TEXT(1, WIRE_NAME_MAX_BYTES)
#define LABEL    TEXT(0, WIRE_LABEL_MAX_BYTES)
#define SENTENCE TEXT(0, WIRE_TEXT_MAX_BYTES)
#define FIXED(size)                                                                                                    \
	{                                                                                                              \
		RULE_BYTES, (size), (size), 0                                                                          \
	}
#define FIXED_OR_NONE(n)                                                                                               \
	{                                                                                                              \
		RULE_BYTES_OR_EMPTY, (n), (n), 0                                                                       \
	}
#define BYTES(low, high)                                                                                               \
	{                                                                                                              \
		RULE_BYTES, (low), (high), 0                                                                           \
	}
#define UUID FIXED(UUID_BYTES)
#define UUIDS(most)                                                                                                    \
	{                                                                                                              \
		RULE_BYTES, UUID_BYTES, UUID_BYTES, (most)                                                             \
	}
#define PATH(low)                                                                                                      \
	{                                                                                                              \
		RULE_PATH, (low), WIRE_PATH_MAX_BYTES, 0                                                               \
	}
#define PATHS(most)                                                                                                    \
	{                                                                                                              \
		RULE_PATH, 1, WIRE_PATH_MAX_BYTES, (most)                                                              \
	}
#define PART(required)                                                                                                 \
	{                                                                                                              \
		RULE_PART, (required), 0, 0                                                                            \
	}
#define PARTS(most)                                                                                                    \
	{                                                                                                              \
		RULE_PART, 1, 0, (most)                                                                                \
	}
#define TIME NUMBER(0, WIRE_TIME_MAX_US)
#define ANY                                                                                                            \
	{                                                                                                              \
		RULE_ANY, 0, 0, 0                                                                                      \
	}

/* Indexed by field number. */
static const struct rule report_rules[] = {
	[2] = UUID,
	[4] = NUMBER(1, INT64_MAX),
	[5] = PART(1),
	[6] = FIXED_OR_NONE(SHA256_BYTES),
	[7] = { RULE_BYTES, SHA256_BYTES, SHA256_BYTES, WIRE_TRUSTED_KEYS_MAX },
	[9] = PARTS(WIRE_COMPONENTS_MAX),
	[10] = PART(0),
	[11] = PARTS(WIRE_EVENTS_MAX),
	[13] = PARTS(WIRE_REPORT_COMMANDS_MAX),
	[14] = NUMBER(0, WIRE_HOLD_MAX_S),
	[15] = PARTS(WIRE_REPORT_QUARANTINE_MAX),
	[16] = SENTENCE,
	[17] = FIXED_OR_NONE(SHA256_BYTES),
	[18] = NUMBER(0, WIRE_HEARTBEAT_MAX_S),
};
static const struct rule clock_rules[] = { [1] = TIME, [2] = TIME, [3] = FIXED_OR_NONE(UUID_BYTES) };
static const struct rule component_rules[] = {
	[1] = NAME, [2] = NAME, [3] = LABEL, [4] = SENTENCE, [5] = PARTS(WIRE_FACTS_MAX)
};
static const struct rule facts_entry_rules[] = { [1] = NAME, [2] = SENTENCE };
static const struct rule host_rules[] = {
	[1] = LABEL,
	[2] = LABEL,
	[3] = LABEL,
	[4] = LABEL,
	[5] = LABEL,
	[6] = { RULE_TEXT, 1, WIRE_ADDRESS_MAX_BYTES, WIRE_ADDRESSES_MAX },
	[7] = NUMBER(0, UINT16_MAX),
	[8] = FIXED_OR_NONE(UUID_BYTES),
	[9] = NUMBER(0, LINK_DIRECTIONS - 1),
};
static const struct rule event_rules[] = {
	[1] = NUMBER(1, INT64_MAX), [2] = TIME, [3] = NUMBER(1, UINT16_MAX), [4] = PARTS(WIRE_FIELDS_MAX)
};
static const struct rule field_rules[] = { [1] = NAME, [2] = BYTES(0, WIRE_FIELD_VALUE_MAX_BYTES) };
static const struct rule progress_rules[] = { [10] = PATH(0) };
static const struct rule command_state_rules[] = {
	[1] = UUID,     [2] = ANY,
	[3] = PART(0),  [4] = TEXT(0, WIRE_NAME_MAX_BYTES),
	[5] = SENTENCE, [6] = PARTS(WIRE_FIELDS_MAX),
};
static const struct rule quarantine_item_rules[] = {
	[1] = UUID, [2] = PATH(1), [3] = FIXED_OR_NONE(SHA256_BYTES), [4] = NUMBER(0, INT64_MAX), [5] = LABEL,
	[6] = TIME, [7] = ANY,
};
static const struct rule reply_rules[] = {
	[2] = NUMBER(0, INT64_MAX),
	[3] = UUIDS(WIRE_REPLY_ACKNOWLEDGED_MAX),
	[4] = PARTS(WIRE_REPLY_COMMANDS_MAX),
	[5] = PART(0),
	[8] = NUMBER(0, WIRE_RETURN_AFTER_MAX_MS),
	[9] = UUIDS(WIRE_REPLY_ACKNOWLEDGED_MAX),
	[10] = UUIDS(WIRE_REPLY_ACKNOWLEDGED_MAX),
	[14] = PART(0),
	[15] = PARTS(WIRE_REPLY_SUCCESSIONS_MAX),
	[17] = NUMBER(0, INT64_MAX),
};
static const struct rule key_succession_rules[] = {
	[1] = FIXED(ENVELOPE_KEY_BYTES),       [2] = FIXED(ENVELOPE_KEY_BYTES), [3] = NUMBER(1, INT64_MAX), [4] = TIME,
	[5] = FIXED(ENVELOPE_SIGNATURE_BYTES),
};
static const struct rule pace_rules[] = { [1] = NUMBER(1, WIRE_PACE_MAX_S) };
static const struct rule envelope_rules[] = {
	[1] = BYTES(1, WIRE_SIGNED_MAX_BYTES), [2] = FIXED(SHA256_BYTES),
	[3] = FIXED(ENVELOPE_SIGNATURE_BYTES), [4] = NUMBER(0, WIRE_BATCH_MAX - 1),
	[5] = NUMBER(1, WIRE_BATCH_MAX),       [6] = { RULE_BYTES, SHA256_BYTES, SHA256_BYTES, WIRE_BATCH_PATH_MAX },
};
static const struct rule signed_rules[] = {
	[2] = UUID, [3] = NUMBER(1, INT64_MAX), [4] = TIME, [5] = TIME, [6] = PART(0), [7] = PART(0)
};
static const struct rule configuration_rules[] = { [1] = PARTS(WIRE_SETTINGS_MAX) };
static const struct rule command_rules[] = {
	[1] = UUID,    [2] = NUMBER(0, WIRE_COMMAND_TIMEOUT_MAX_US),
	[3] = PART(0), [4] = PART(0),
	[5] = PART(0), [6] = PART(0),
	[7] = PART(0), [8] = PART(0),
	[9] = PART(0), [10] = PART(0),
};
static const struct rule move_rules[] = {
	[1] = TEXT(1, WIRE_TEXT_MAX_BYTES), [2] = TEXT(0, WIRE_TOKEN_MAX_BYTES), [3] = FIXED(SHA256_BYTES)
};
static const struct rule target_rules[] = { [1] = UUID };
static const struct rule scan_rules[] = { [1] = PATHS(WIRE_SCAN_PATHS_MAX), [2] = PATHS(WIRE_SCAN_PATHS_MAX) };
static const struct rule enrol_request_rules[] = {
	[2] = TEXT(0, WIRE_TOKEN_MAX_BYTES),
	[3] = UUID,
	[4] = BYTES(1, WIRE_REQUEST_MAX_BYTES),
	[5] = LABEL,
	[6] = LABEL,
	[7] = LABEL,
	[8] = PART(0),
};
static const struct rule enrol_reply_rules[] = {
	[2] = UUID,
	[3] = BYTES(1, WIRE_CERTIFICATE_MAX_BYTES),
	[4] = BYTES(1, WIRE_AUTHORITY_MAX_BYTES),
	[5] = FIXED(ENVELOPE_KEY_BYTES),
	[6] = LABEL,
	[7] = NUMBER(0, UINT16_MAX),
	[9] = TEXT(0, WIRE_TEXT_MAX_BYTES),
};
static const struct rule manager_proof_rules[] = {
	[2] = FIXED(SHA256_BYTES),
	[3] = FIXED(ENVELOPE_KEY_BYTES),
	[4] = FIXED(ENVELOPE_SIGNATURE_BYTES),
	[5] = PARTS(WIRE_PROOF_SUCCESSIONS_MAX),
};
static const struct rule renew_request_rules[] = { [2] = BYTES(1, WIRE_REQUEST_MAX_BYTES) };
static const struct rule renew_reply_rules[] = {
	[2] = BYTES(1, WIRE_CERTIFICATE_MAX_BYTES),
	[3] = BYTES(1, WIRE_AUTHORITY_MAX_BYTES),
};

#define ROW(message, rules)                                                                                            \
	{                                                                                                              \
		&muster__wire__##message##__descriptor, rules, COUNT_OF(rules)                                         \
	}
static const struct {
	const ProtobufCMessageDescriptor *message;
	const struct rule *rules;
	size_t count;
} rows[] = {
	ROW(field, field_rules),
	ROW(event, event_rules),
	ROW(report, report_rules),
	ROW(clock, clock_rules),
	ROW(component, component_rules),
	ROW(component__facts_entry, facts_entry_rules),
	ROW(host, host_rules),
	ROW(progress, progress_rules),
	ROW(command_state, command_state_rules),
	ROW(quarantine_item, quarantine_item_rules),
	ROW(reply, reply_rules),
	ROW(pace, pace_rules),
	ROW(key_succession, key_succession_rules),
	ROW(envelope, envelope_rules),
	ROW(signed, signed_rules),
	ROW(configuration, configuration_rules),
	ROW(command, command_rules),
	ROW(target, target_rules),
	ROW(move, move_rules),
	ROW(scan, scan_rules),
	ROW(restore, target_rules),
	ROW(enrol_request, enrol_request_rules),
	ROW(enrol_reply, enrol_reply_rules),
	ROW(manager_proof, manager_proof_rules),
	ROW(renew_request, renew_request_rules),
	ROW(renew_reply, renew_reply_rules),
};

static const struct rule no_rule = { RULE_NONE, 0, 0, 0 };

/* Of one kind of message. */
struct rules {
	const struct rule *rules;
	size_t count;
};

static struct rules rules_of(const ProtobufCMessageDescriptor *message)
{
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		if (rows[i].message == message)
			return (struct rules){ rows[i].rules, rows[i].count };
	}
	return (struct rules){ NULL, 0 };
}

static const struct rule *rule_of(struct rules rules, uint32_t field)
{
	return field < rules.count ? &rules.rules[field] : &no_rule;
}

/* Where the walk is, for the words of an error. */
struct place {
	const struct place *outer;
	const char *name;
	size_t index; /* SIZE_MAX: not a repeated field */
};

#define PLACE_TEXT_BYTES 160

static size_t place_write(const struct place *place, char *text, size_t capacity)
{
	size_t at = place->outer != NULL ? place_write(place->outer, text, capacity) : 0;
	int added;

	if (place->index == SIZE_MAX)
		added = snprintf(text + at, capacity - at, "%s%s", at > 0 ? "." : "", place->name);
	else
		added = snprintf(text + at, capacity - at, "%s%s[%zu]", at > 0 ? "." : "", place->name, place->index);
	at += added > 0 ? (size_t)added : 0;
	return at < capacity ? at : capacity - 1;
}

static int refuse(const struct place *place, int code, struct err *err, const char *what, int64_t number, int64_t bound)
{
	char where[PLACE_TEXT_BYTES];
	char words[96];

	place_write(place, where, sizeof(where));
	/* what is one of this file's own formats with up to two numbers. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	snprintf(words, sizeof(words), what, number, bound);
#pragma GCC diagnostic pop
	return err_set(err, code, "%s: %s", where, words);
}

static int check_length(const struct rule *rule, size_t size, const struct place *place, struct err *err)
{
	if (rule->kind == RULE_BYTES_OR_EMPTY && size == 0)
		return 0;
	if (rule->min == rule->max && (int64_t)size != rule->min)
		return refuse(place, ERR_FORMAT, err, "%" PRId64 " bytes, must be %" PRId64, (int64_t)size, rule->min);
	if ((int64_t)size > rule->max)
		return refuse(place, ERR_LIMIT, err, "%" PRId64 " bytes, at most %" PRId64, (int64_t)size, rule->max);
	if ((int64_t)size < rule->min)
		return refuse(place, ERR_FORMAT, err, size == 0 ? "missing" : "%" PRId64 " bytes, at least %" PRId64,
			      (int64_t)size, rule->min);
	return 0;
}

static int check_text(const struct rule *rule, const char *text, const struct place *place, struct err *err)
{
	size_t size = text != NULL ? strlen(text) : 0;
	int status = check_length(rule, size, place, err);

	if (status == 0 && !text_is_utf8(text != NULL ? text : "", size))
		status = refuse(place, ERR_FORMAT, err, "not UTF-8", 0, 0);
	return status;
}

static int check_bytes(const struct rule *rule, const ProtobufCBinaryData *bytes, const struct place *place,
		       struct err *err)
{
	int status = check_length(rule, bytes->len, place, err);

	if (status != 0 || rule->kind != RULE_PATH || bytes->len == 0)
		return status;
	if (bytes->data[0] != '/')
		return refuse(place, ERR_FORMAT, err, "not an absolute path", 0, 0);
	if (memchr(bytes->data, '\0', bytes->len) != NULL)
		return refuse(place, ERR_FORMAT, err, "a path with a zero byte", 0, 0);
	return 0;
}

static int check_message(const ProtobufCMessage *message, const struct place *place, struct err *err);

static int check_part(const struct rule *rule, const ProtobufCMessage *part, const struct place *place, struct err *err)
{
	if (part != NULL)
		return check_message(part, place, err);
	return rule->min > 0 ? refuse(place, ERR_FORMAT, err, "missing", 0, 0) : 0;
}

static int check_number(const struct rule *rule, int64_t value, const struct place *place, struct err *err)
{
	if (value < rule->min)
		return refuse(place, ERR_RANGE, err, "%" PRId64 ", at least %" PRId64, value, rule->min);
	if (value > rule->max)
		return refuse(place, ERR_RANGE, err, "%" PRId64 ", at most %" PRId64, value, rule->max);
	return 0;
}

/* A number as 64 bits with sign; unsigned ones past that range become the largest. */
static int64_t number_at(ProtobufCType type, const void *at)
{
	uint64_t value;

	switch (type) {
	case PROTOBUF_C_TYPE_UINT32:
		return *(const uint32_t *)at;
	case PROTOBUF_C_TYPE_INT64:
		return *(const int64_t *)at;
	default:
		value = *(const uint64_t *)at;
		return value > INT64_MAX ? INT64_MAX : (int64_t)value;
	}
}

static int check_value(const struct rule *rule, const ProtobufCFieldDescriptor *field, const void *at,
		       const struct place *place, struct err *err)
{
	switch (field->type) {
	case PROTOBUF_C_TYPE_STRING:
		return check_text(rule, *(char *const *)at, place, err);
	case PROTOBUF_C_TYPE_BYTES:
		return check_bytes(rule, at, place, err);
	case PROTOBUF_C_TYPE_MESSAGE:
		return check_part(rule, *(const ProtobufCMessage *const *)at, place, err);
	case PROTOBUF_C_TYPE_ENUM:
		if (protobuf_c_enum_descriptor_get_value(field->descriptor, *(const int *)at) == NULL)
			return refuse(place, ERR_RANGE, err, "%" PRId64 " is not a known value", *(const int *)at, 0);
		return 0;
	default:
		return rule->kind == RULE_NUMBER ? check_number(rule, number_at(field->type, at), place, err) : 0;
	}
}

static size_t size_of_element(ProtobufCType type)
{
	switch (type) {
	case PROTOBUF_C_TYPE_BYTES:
		return sizeof(ProtobufCBinaryData);
	case PROTOBUF_C_TYPE_MESSAGE:
	case PROTOBUF_C_TYPE_STRING:
		return sizeof(void *);
	default:
		return 0; /* our messages repeat no numbers; rules_cover() refuses them */
	}
}

static int check_repeated(const struct rule *rule, const ProtobufCFieldDescriptor *field, const uint8_t *base,
			  struct place *place, struct err *err)
{
	size_t count = *(const size_t *)(const void *)(base + field->quantifier_offset);
	const uint8_t *elements = *(const uint8_t *const *)(const void *)(base + field->offset);
	int status = 0;

	if (count > rule->count)
		return refuse(place, ERR_LIMIT, err, "%" PRId64 " of them, at most %" PRId64, (int64_t)count,
			      (int64_t)rule->count);
	for (size_t i = 0; i < count && status == 0; i++) {
		place->index = i;
		status = check_value(rule, field, elements + i * size_of_element(field->type), place, err);
	}
	return status;
}

static bool rule_fits(const struct rule *rule, const ProtobufCFieldDescriptor *field)
{
	if (field->label == PROTOBUF_C_LABEL_REPEATED && (rule->count == 0 || size_of_element(field->type) == 0))
		return false;
	switch (field->type) {
	case PROTOBUF_C_TYPE_STRING:
		return rule->kind == RULE_TEXT;
	case PROTOBUF_C_TYPE_BYTES:
		return rule->kind == RULE_BYTES || rule->kind == RULE_BYTES_OR_EMPTY || rule->kind == RULE_PATH;
	case PROTOBUF_C_TYPE_MESSAGE:
		return rule->kind == RULE_PART;
	case PROTOBUF_C_TYPE_ENUM:
		return rule->kind == RULE_ANY;
	case PROTOBUF_C_TYPE_UINT32:
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_FIXED64:
	case PROTOBUF_C_TYPE_BOOL:
		return rule->kind == RULE_NONE || (rule->kind == RULE_NUMBER && field->type != PROTOBUF_C_TYPE_BOOL);
	default:
		return false;
	}
}

bool rules_cover(const ProtobufCMessageDescriptor *message, const ProtobufCFieldDescriptor *field)
{
	return rule_fits(rule_of(rules_of(message), field->id), field);
}

/* One field; *one_of becomes 1 when an alternative is set, -1 when one exists and none is so far. */
static int check_field(const ProtobufCMessage *message, struct rules rules, const ProtobufCFieldDescriptor *field,
		       const struct place *outer, int *one_of, struct err *err)
{
	const uint8_t *base = (const uint8_t *)message;
	const struct rule *rule = rule_of(rules, field->id);
	struct place place = { .outer = outer, .name = field->name, .index = SIZE_MAX };

	if (!rule_fits(rule, field))
		return refuse(&place, ERR_INTERNAL, err, "has no rule", 0, 0);
	if (field->label == PROTOBUF_C_LABEL_REPEATED)
		return check_repeated(rule, field, base, &place, err);
	if ((field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0) {
		bool is_set = *(const uint32_t *)(const void *)(base + field->quantifier_offset) == field->id;

		*one_of = is_set ? 1 : *one_of == 0 ? -1 : *one_of;
		if (!is_set)
			return 0;
	}
	return check_value(rule, field, base + field->offset, &place, err);
}

/* A message with alternatives holds one: none set is one that this version does not know. */
static int check_message(const ProtobufCMessage *message, const struct place *place, struct err *err)
{
	struct rules rules = rules_of(message->descriptor);
	int one_of = 0;
	int status = 0;

	for (unsigned i = 0; i < message->descriptor->n_fields && status == 0; i++)
		status = check_field(message, rules, &message->descriptor->fields[i], place, &one_of, err);
	if (status == 0 && one_of < 0)
		status = refuse(place, ERR_FORMAT, err, "holds nothing that this version knows", 0, 0);
	return status;
}

int rules_check(const ProtobufCMessage *message, const char *name, struct err *err)
{
	struct place place = { .name = name, .index = SIZE_MAX };

	return check_message(message, &place, err);
}
