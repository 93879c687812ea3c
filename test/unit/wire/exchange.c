/* Decoding and encoding of messages: what is let through and why something is not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "samples.h"
#include "wire/exchange.h"
#include "wire/rules.h"

/* Packs without the checks of exchange_*_encode(), as a hostile sender would. */
static uint8_t *packed(const void *message, size_t *ret_size)
{
	const ProtobufCMessage *base = message;
	uint8_t *bytes = malloc(protobuf_c_message_get_packed_size(base) + 1);

	assert_non_null(bytes);
	*ret_size = protobuf_c_message_pack(base, bytes);
	return bytes;
}

static void refused(const ProtobufCMessage *message, int code, const char *words)
{
	struct err err = { 0 };
	struct arena *arena = NULL;
	struct buf out;
	size_t size;
	uint8_t *bytes = packed(message, &size);
	int decoded = 0;
	int encoded = 0;

	buf_init(&out, 4 * WIRE_REPORT_MAX_BYTES);
#define BOTH(kind, type)                                                                                               \
	if (message->descriptor == &muster__wire__##kind##__descriptor) {                                              \
		type *result;                                                                                          \
		encoded = exchange_##kind##_encode((const type *)message, &out, NULL);                                 \
		decoded = exchange_##kind##_decode(bytes, size, &result, &arena, &err);                                \
	}
	BOTH(report, Muster__Wire__Report)
	BOTH(reply, Muster__Wire__Reply)
	BOTH(enrol_request, Muster__Wire__EnrolRequest)
	BOTH(enrol_reply, Muster__Wire__EnrolReply)
	BOTH(renew_request, Muster__Wire__RenewRequest)
	BOTH(renew_reply, Muster__Wire__RenewReply)
	BOTH(signed, Muster__Wire__Signed)
#undef BOTH
	assert_int_equal(decoded, code);
	assert_int_equal(err.code, code);
	assert_int_equal(encoded, code);
	assert_null(arena);
	if (strstr(err.text, words) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", err.text, words);
	free(bytes);
	buf_done(&out);
}

static void test_report_round_trip(void **state)
{
	Muster__Wire__Report *report;
	struct arena *arena;
	struct err err = { 0 };
	struct buf out;
	struct uuid computer;

	(void)state;
	buf_init(&out, WIRE_REPORT_MAX_BYTES);
	assert_int_equal(exchange_report_encode(sample_report(), &out, &err), 0);
	assert_int_equal(exchange_report_decode(out.data, out.size, &report, &arena, &err), 0);
	computer = exchange_uuid(&report->computer);
	assert_true(uuid_equal(&computer, &sample_computer));
	assert_int_equal(report->n_events, 3);
	assert_int_equal(report->events[2]->number, 12);
	assert_memory_equal(report->events[0]->fields[0]->value.data, "/srv/mail/new\nline\xff", 19);
	assert_string_equal(report->components[0]->facts[0]->key, "signatures");
	assert_true(arena_taken(arena) < WIRE_ARENA_FIRST_BYTES);
	arena_free(arena);
	buf_done(&out);
}

static void test_others_round_trip(void **state)
{
	struct arena *arena;
	struct buf out;

	(void)state;
	buf_init(&out, WIRE_REPLY_MAX_BYTES);
#define ROUND_TRIP(kind, type, sample)                                                                                 \
	do {                                                                                                           \
		type *result;                                                                                          \
		size_t size;                                                                                           \
		uint8_t *again;                                                                                        \
		buf_reset(&out);                                                                                       \
		assert_int_equal(exchange_##kind##_encode(sample, &out, NULL), 0);                                     \
		assert_int_equal(exchange_##kind##_decode(out.data, out.size, &result, &arena, NULL), 0);              \
		again = packed(&result->base, &size);                                                                  \
		assert_int_equal(size, out.size);                                                                      \
		assert_memory_equal(again, out.data, size);                                                            \
		free(again);                                                                                           \
		arena_free(arena);                                                                                     \
	} while (0)
	ROUND_TRIP(reply, Muster__Wire__Reply, sample_reply());
	ROUND_TRIP(enrol_request, Muster__Wire__EnrolRequest, sample_enrol_request());
	ROUND_TRIP(enrol_reply, Muster__Wire__EnrolReply, sample_enrol_reply());
	ROUND_TRIP(renew_request, Muster__Wire__RenewRequest, sample_renew_request());
	ROUND_TRIP(renew_reply, Muster__Wire__RenewReply, sample_renew_reply());
	ROUND_TRIP(signed, Muster__Wire__Signed, sample_scan());
	ROUND_TRIP(signed, Muster__Wire__Signed, sample_configuration());
#undef ROUND_TRIP
	buf_done(&out);
}

/* Spec 10-links.md: a heartbeat with nothing to say is under 300 bytes each way. */
static void test_quiet_heartbeat_is_small(void **state)
{
	Muster__Wire__Report *report = sample_report();
	struct buf out;

	(void)state;
	report->full = 0;
	report->n_components = report->n_events = report->n_commands = report->n_quarantine = 0;
	report->host = NULL;
	buf_init(&out, 300);
	assert_int_equal(exchange_report_encode(report, &out, NULL), 0);
	buf_done(&out);
}

/* A newer sender's fields, here number 99 outside and 98 inside a part, are
 * passed over and not sent on; also one of number 0, which protobuf-c takes in
 * an overlong form and then packs so that it does not decode. */
static void test_unknown_fields(void **state)
{
	ProtobufCMessageUnknownField unknown[2] = {
		{ .tag = 99, .wire_type = PROTOBUF_C_WIRE_TYPE_VARINT, .len = 1, .data = (uint8_t[]){ 5 } },
		{ .tag = 98, .wire_type = PROTOBUF_C_WIRE_TYPE_VARINT, .len = 1, .data = (uint8_t[]){ 6 } },
	};
	Muster__Wire__Report *report = sample_report();
	Muster__Wire__Report *decoded;
	struct arena *arena;
	struct buf bytes, plain, again;
	size_t size;
	uint8_t *with_unknown;

	(void)state;
	buf_init(&bytes, WIRE_REPORT_MAX_BYTES);
	buf_init(&plain, WIRE_REPORT_MAX_BYTES);
	buf_init(&again, WIRE_REPORT_MAX_BYTES);
	assert_int_equal(exchange_report_encode(report, &plain, NULL), 0);
	report->base.n_unknown_fields = 1;
	report->base.unknown_fields = &unknown[0];
	report->commands[0]->progress->base.n_unknown_fields = 1;
	report->commands[0]->progress->base.unknown_fields = &unknown[1];
	with_unknown = packed(report, &size);
	buf_append(&bytes, with_unknown, size);
	buf_append(&bytes, "\x80\x00\x05", 3);
	assert_int_equal(exchange_report_decode(bytes.data, bytes.size, &decoded, &arena, NULL), 0);
	assert_int_equal(exchange_report_encode(decoded, &again, NULL), 0);
	assert_true(size > plain.size);
	assert_int_equal(again.size, plain.size);
	assert_memory_equal(again.data, plain.data, plain.size);
	arena_free(arena);
	free(with_unknown);
	buf_done(&bytes);
	buf_done(&plain);
	buf_done(&again);
}

/* Every message reachable from the top ones: no field without a rule. */
static void covers(const ProtobufCMessageDescriptor *message, int depth)
{
	assert_true(depth < 8);
	for (unsigned i = 0; i < message->n_fields; i++) {
		const ProtobufCFieldDescriptor *field = &message->fields[i];

		if (!rules_cover(message, field))
			fail_msg("%s.%s has no rule in src/wire/rules.c", message->short_name, field->name);
		if (field->type == PROTOBUF_C_TYPE_MESSAGE)
			covers(field->descriptor, depth + 1);
	}
}

static void test_every_field_has_a_rule(void **state)
{
	(void)state;
	covers(&muster__wire__report__descriptor, 0);
	covers(&muster__wire__reply__descriptor, 0);
	covers(&muster__wire__enrol_request__descriptor, 0);
	covers(&muster__wire__enrol_reply__descriptor, 0);
	covers(&muster__wire__renew_request__descriptor, 0);
	covers(&muster__wire__renew_reply__descriptor, 0);
	covers(&muster__wire__signed__descriptor, 0);
}

static void test_size_before_decoding(void **state)
{
	Muster__Wire__Report *report;
	struct arena *arena = NULL;
	struct err err = { 0 };
	uint8_t *bytes = calloc(1, WIRE_REPORT_MAX_BYTES + 1);

	(void)state;
	assert_non_null(bytes);
	assert_int_equal(exchange_report_decode(bytes, WIRE_REPORT_MAX_BYTES + 1, &report, &arena, &err), ERR_LIMIT);
	assert_string_equal(err.text, "report: 524289 bytes, at most 524288");
	assert_null(arena);
	free(bytes);
}

static void test_not_protobuf(void **state)
{
	Muster__Wire__Report *report;
	struct arena *arena = NULL;
	struct err err = { 0 };

	(void)state;
	assert_int_equal(exchange_report_decode("\xff\xff\xff", 3, &report, &arena, &err), ERR_FORMAT);
	assert_int_equal(exchange_report_decode("GET / HTTP/1.1", 14, &report, &arena, &err), ERR_FORMAT);
	assert_null(arena);
}

/* No prefix of a report is taken for a report with less in it that passes as
 * the same: it is refused, or ends on a whole field. Never a crash. */
static void test_cut_short(void **state)
{
	size_t size;
	uint8_t *bytes = packed(sample_report(), &size);

	(void)state;
	for (size_t cut = 0; cut < 40; cut++) {
		Muster__Wire__Report *report;
		struct arena *arena = NULL;

		assert_true(exchange_report_decode(bytes, cut, &report, &arena, NULL) < 0);
		assert_null(arena);
	}
	free(bytes);
}

/* Two bytes an event: 36 times as much memory. The arena says no first. */
static void test_many_tiny_parts(void **state)
{
	Muster__Wire__Report *report;
	struct arena *arena = NULL;
	struct err err = { 0 };
	uint8_t *bytes = malloc(WIRE_REPORT_MAX_BYTES);

	(void)state;
	assert_non_null(bytes);
	for (size_t i = 0; i < WIRE_REPORT_MAX_BYTES; i += 2) {
		bytes[i] = 11 << 3 | 2; /* an event */
		bytes[i + 1] = 0;       /* of no bytes */
	}
	assert_int_equal(exchange_report_decode(bytes, WIRE_REPORT_MAX_BYTES, &report, &arena, &err), ERR_LIMIT);
	assert_non_null(strstr(err.text, "too many parts"));
	assert_null(arena);
	free(bytes);
}

static void test_version(void **state)
{
	Muster__Wire__Report *report = sample_report();
	Muster__Wire__Signed *content = sample_scan();

	(void)state;
	report->protocol = 2;
	report->computer.len = 3; /* not looked at: another version may mean something else */
	refused(&report->base, ERR_VERSION, "report.protocol: 2, this version speaks 1");
	content->version = 0;
	refused(&content->base, ERR_VERSION, "signed.version: 0");
}

static void test_ids(void **state)
{
	Muster__Wire__Report *report = sample_report();
	Muster__Wire__Reply *reply = sample_reply();

	(void)state;
	report->computer.len = 15;
	refused(&report->base, ERR_FORMAT, "report.computer: 15 bytes, must be 16");
	report = sample_report();
	report->trusted_keys[0].len = 31;
	refused(&report->base, ERR_FORMAT, "report.trusted_keys[0]: 31 bytes, must be 32");
	report = sample_report();
	report->commands[0]->id.len = 0;
	refused(&report->base, ERR_FORMAT, "report.commands[0].id: 0 bytes, must be 16");
	reply->upload_quarantine[1].len = 1;
	refused(&reply->base, ERR_FORMAT, "reply.acknowledged_commands[1]: 1 bytes"); /* the same array */
	reply = sample_reply();
	reply->commands[0]->signature.len = 63;
	refused(&reply->base, ERR_FORMAT, "reply.commands[0].signature: 63 bytes, must be 64");
	reply = sample_reply();
	reply->commands[0]->payload.len = 0;
	refused(&reply->base, ERR_FORMAT, "reply.commands[0].payload: missing");
}

static void test_events(void **state)
{
	Muster__Wire__Report *report = sample_report();

	(void)state;
	report->events[1]->number = report->events[0]->number;
	refused(&report->base, ERR_RANGE, "report.events[1].number: 10 after 10, must ascend");
	report = sample_report();
	report->events[0]->number = 0;
	refused(&report->base, ERR_RANGE, "report.events[0].number: 0, at least 1");
	report = sample_report();
	report->events[2]->time_us = INT64_MAX;
	refused(&report->base, ERR_RANGE, "report.events[2].time_us");
	report = sample_report();
	report->events[2]->type = 65536;
	refused(&report->base, ERR_RANGE, "report.events[2].type: 65536, at most 65535");
	report = sample_report();
	report->events_waiting = 2;
	refused(&report->base, ERR_RANGE, "report.events_waiting: 2, fewer than the 3");
}

static void test_counts_and_lengths(void **state)
{
	static char long_name[WIRE_NAME_MAX_BYTES + 2];
	static Muster__Wire__Event *events[WIRE_EVENTS_MAX + 1];
	Muster__Wire__Report *report = sample_report();

	(void)state;
	memset(long_name, 'n', WIRE_NAME_MAX_BYTES + 1);
	report->events[1]->fields[1]->name = long_name;
	/* The sample's events share their fields: the first place is named. */
	refused(&report->base, ERR_LIMIT, "report.events[0].fields[1].name: 65 bytes, at most 64");
	long_name[WIRE_NAME_MAX_BYTES] = '\0';
	assert_int_equal(rules_check(&report->base, "report", NULL), 0);
	report = sample_report();
	for (size_t i = 0; i <= WIRE_EVENTS_MAX; i++)
		events[i] = report->events[0];
	report->events = events;
	report->n_events = WIRE_EVENTS_MAX + 1;
	refused(&report->base, ERR_LIMIT, "report.events: 1001 of them, at most 1000");
	report = sample_report();
	report->hold_s = WIRE_HOLD_MAX_S + 1;
	refused(&report->base, ERR_RANGE, "report.hold_s: 3601, at most 3600");
	report = sample_report();
	report->heartbeat_s = WIRE_HEARTBEAT_MAX_S + 1;
	refused(&report->base, ERR_RANGE, "report.heartbeat_s: 86401, at most 86400");
}

static void test_text_and_paths(void **state)
{
	static char invalid[] = "name\xc3";
	Muster__Wire__Report *report = sample_report();
	Muster__Wire__Signed *content = sample_scan();

	(void)state;
	report->host->name = invalid;
	refused(&report->base, ERR_FORMAT, "report.host.name: not UTF-8");
	report = sample_report();
	report->components[0]->facts[0]->value = invalid;
	refused(&report->base, ERR_FORMAT, "report.components[0].facts[0].value: not UTF-8");
	report = sample_report();
	report->quarantine[0]->path = exchange_bytes("a/b", 3);
	refused(&report->base, ERR_FORMAT, "report.quarantine[0].path: not an absolute path");
	content->command->scan->paths[0] = exchange_bytes("/a\0b", 4);
	refused(&content->base, ERR_FORMAT, "signed.command.scan.paths[0]: a path with a zero byte");
}

static void test_parts_that_must_be_there(void **state)
{
	Muster__Wire__Report *report = sample_report();
	Muster__Wire__Signed *content = sample_scan();

	(void)state;
	report->clock = NULL;
	refused(&report->base, ERR_FORMAT, "report.clock: missing");
	report = sample_report();
	report->commands[0]->state = 99;
	refused(&report->base, ERR_RANGE, "report.commands[0].state: 99 is not a known value");
	content->command->kind_case = MUSTER__WIRE__COMMAND__KIND__NOT_SET;
	refused(&content->base, ERR_FORMAT, "signed.command: holds nothing that this version knows");
	content = sample_scan();
	content->content_case = MUSTER__WIRE__SIGNED__CONTENT__NOT_SET;
	refused(&content->base, ERR_FORMAT, "signed: holds nothing that this version knows");
}

static void test_signed_order(void **state)
{
	Muster__Wire__Signed *content = sample_configuration();

	(void)state;
	content->configuration->settings[1]->name = content->configuration->settings[0]->name;
	refused(&content->base, ERR_RANGE, "signed.configuration.settings[1].name: names must ascend");
	content = sample_scan();
	content->expires_us = content->issued_us - 1;
	refused(&content->base, ERR_RANGE, "signed.expires_us: before issued_us");
	content = sample_scan();
	content->serial = 0;
	refused(&content->base, ERR_RANGE, "signed.serial: 0, at least 1");
}

static void test_renewal(void **state)
{
	static uint8_t large[WIRE_AUTHORITY_MAX_BYTES + 1];
	Muster__Wire__RenewRequest *request = sample_renew_request();
	Muster__Wire__RenewReply *reply = sample_renew_reply();

	(void)state;
	request->request = exchange_bytes(large, WIRE_REQUEST_MAX_BYTES + 1);
	refused(&request->base, ERR_LIMIT, "renew request.request: 4097 bytes, at most 4096");
	request = sample_renew_request();
	request->protocol = 2;
	refused(&request->base, ERR_VERSION, "renew request.protocol");
	reply->authority = exchange_bytes(large, sizeof(large));
	refused(&reply->base, ERR_LIMIT, "renew reply.authority");
	reply = sample_renew_reply();
	reply->certificate = exchange_bytes(NULL, 0);
	refused(&reply->base, ERR_FORMAT, "renew reply.certificate: missing");
}

static void test_enrolment(void **state)
{
	static char long_token[WIRE_TOKEN_MAX_BYTES + 2];
	Muster__Wire__EnrolRequest *request = sample_enrol_request();
	Muster__Wire__EnrolReply *reply = sample_enrol_reply();

	(void)state;
	memset(long_token, 't', WIRE_TOKEN_MAX_BYTES + 1);
	request->token = long_token;
	refused(&request->base, ERR_LIMIT, "enrol request.token: 129 bytes, at most 128");
	request = sample_enrol_request();
	request->attempt.len = 0;
	refused(&request->base, ERR_FORMAT, "enrol request.attempt");
	request = sample_enrol_request();
	request->request.len = 0;
	refused(&request->base, ERR_FORMAT, "enrol request.request: missing");
	reply->server_authentication.len = 33 - 2;
	refused(&reply->base, ERR_FORMAT, "enrol reply.server_authentication: 31 bytes, must be 32");
}

static void test_arena_bounds(void **state)
{
	struct arena *arena = arena_new(100000);
	uint8_t *first;

	(void)state;
	assert_non_null(arena);
	first = arena_take(arena, 1);
	assert_non_null(first);
	*first = 0x5a;
	assert_non_null(arena_take(arena, 90000)); /* a block of its own */
	assert_false(arena_exceeded(arena));
	assert_null(arena_take(arena, 10000));
	assert_true(arena_exceeded(arena));
	assert_null(arena_take(arena, SIZE_MAX));
	assert_non_null(arena_take(arena, 16)); /* what fits still does */
	assert_int_equal(*first, 0x5a);
	assert_int_equal(arena_taken(arena) % 16, 0);
	arena_free(arena);
	arena_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_report_round_trip),
		cmocka_unit_test(test_others_round_trip),
		cmocka_unit_test(test_quiet_heartbeat_is_small),
		cmocka_unit_test(test_unknown_fields),
		cmocka_unit_test(test_every_field_has_a_rule),
		cmocka_unit_test(test_size_before_decoding),
		cmocka_unit_test(test_not_protobuf),
		cmocka_unit_test(test_cut_short),
		cmocka_unit_test(test_many_tiny_parts),
		cmocka_unit_test(test_version),
		cmocka_unit_test(test_ids),
		cmocka_unit_test(test_events),
		cmocka_unit_test(test_counts_and_lengths),
		cmocka_unit_test(test_text_and_paths),
		cmocka_unit_test(test_parts_that_must_be_there),
		cmocka_unit_test(test_signed_order),
		cmocka_unit_test(test_enrolment),
		cmocka_unit_test(test_renewal),
		cmocka_unit_test(test_arena_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
