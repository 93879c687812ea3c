/* An endpoint on a disk in memory (one_endpoint.h). */
#include "one_endpoint.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

unsigned started, started_again, cancelled;
static struct uuid last_started;
struct memory_disk disk;

static const struct envelope_key key = { .fingerprint = { 7 } };

static int note_start(void *context, const struct endpoint_command *command, struct err *err)
{
	(void)context;
	(void)err;
	if (command->again) {
		started_again++;
		return ERR_NOT_FOUND;
	}
	started++;
	last_started = command->id;
	return 0;
}

static int note_cancel(void *context, const struct uuid *id, const struct uuid *by, struct err *err)
{
	(void)context;
	(void)id;
	(void)err;
	cancelled++;
	return by != NULL ? ENDPOINT_UNDER_WAY : 0;
}

char steered[4]; /* "pr": paused, then resumed */

static int note_steered(const char *how, const struct uuid *by)
{
	if (strlen(steered) + 1 < sizeof(steered))
		strcat(steered, how);
	return by != NULL ? ENDPOINT_UNDER_WAY : 0;
}

static int note_pause(void *context, const struct uuid *id, const struct uuid *by, struct err *err)
{
	(void)context;
	(void)id;
	(void)err;
	return note_steered("p", by);
}

static int note_resume(void *context, const struct uuid *id, const struct uuid *by, struct err *err)
{
	(void)context;
	(void)id;
	(void)err;
	return note_steered("r", by);
}

int go_on(void *context, const struct endpoint_command *command, struct err *err)
{
	return command->again ? 0 : note_start(context, command, err);
}

unsigned rekeyed;
bool leaving;

static void note_rekey(void *context)
{
	(void)context;
	rekeyed++;
}

static bool tell_leaving(void *context)
{
	(void)context;
	return leaving;
}

/* A signature of 0x5a is good. */
static bool test_verify(void *context, const uint8_t *public_key, const void *message, size_t size,
			const uint8_t *signature)
{
	(void)context;
	(void)public_key;
	(void)message;
	(void)size;
	return signature[0] == 0x5a;
}

int (*starter)(void *context, const struct endpoint_command *command, struct err *err) = note_start;

static void test_digest(const void *data, size_t size, uint8_t out[SHA256_BYTES])
{
	memset(out, size > 0 ? *(const uint8_t *)data : 0, SHA256_BYTES);
}

struct endpoint *make(void)
{
	const struct endpoint_options options = {
		.env = &env,
		.storage = memory_disk_storage(&disk),
		.actor = { .start = starter,
			   .pause = note_pause,
			   .resume = note_resume,
			   .cancel = note_cancel,
			   .rekey = note_rekey,
			   .leaves = tell_leaving },
		.computer = computer,
		.keys = &key,
		.key_count = 1,
		.verify = test_verify,
		.digest = test_digest,
		.heartbeat_us = MINUTE_US,
	};
	struct endpoint *endpoint;

	assert_int_equal(endpoint_new(&options, &endpoint, NULL), 0);
	return endpoint;
}

int start(void **state)
{
	(void)state;
	now = DAY_US;
	started = started_again = cancelled = rekeyed = 0;
	leaving = false;
	steered[0] = '\0';
	starter = note_start;
	memory_disk_init(&disk);
	return 0;
}

int stop(void **state)
{
	(void)state;
	memory_disk_done(&disk);
	return 0;
}

Muster__Wire__Report *report(struct endpoint *endpoint, enum endpoint_lane lane, struct arena **ret_arena)
{
	Muster__Wire__Report *message;
	struct buf out;
	uint32_t hold_s;

	buf_init(&out, WIRE_REPORT_MAX_BYTES);
	assert_int_equal(endpoint_report(endpoint, lane, &out, &hold_s, NULL), 0);
	assert_int_equal(exchange_report_decode(out.data, out.size, &message, ret_arena, NULL), 0);
	assert_int_equal(message->hold_s, hold_s);
	buf_done(&out);
	return message;
}

void send(struct endpoint *endpoint, enum endpoint_lane lane)
{
	struct arena *arena;

	report(endpoint, lane, &arena);
	arena_free(arena);
}

void answer(struct endpoint *endpoint, enum endpoint_lane lane, Muster__Wire__Reply *reply)
{
	struct buf out;

	buf_init(&out, WIRE_REPLY_MAX_BYTES);
	reply->protocol = WIRE_PROTOCOL;
	assert_int_equal(exchange_reply_encode(reply, &out, NULL), 0);
	assert_int_equal(endpoint_reply(endpoint, lane, out.data, out.size, NULL), 0);
	buf_done(&out);
}

void answer_plain(struct endpoint *endpoint, enum endpoint_lane lane, uint64_t acknowledged)
{
	Muster__Wire__Reply reply = MUSTER__WIRE__REPLY__INIT;

	reply.acknowledged_event = acknowledged;
	answer(endpoint, lane, &reply);
}

void seal(struct order *order, uint64_t session, uint8_t number, enum command_kind kind, uint8_t target, uint8_t mark,
	  const struct uuid *to)
{
	struct uuid id = { { number } }, other = { { target } };
	Muster__Wire__Signed content = MUSTER__WIRE__SIGNED__INIT;
	Muster__Wire__Command command = MUSTER__WIRE__COMMAND__INIT;
	Muster__Wire__Scan scan = MUSTER__WIRE__SCAN__INIT;
	Muster__Wire__Target about = MUSTER__WIRE__TARGET__INIT;

	about.id = exchange_bytes(other.bytes, UUID_BYTES);
	command.id = exchange_bytes(id.bytes, UUID_BYTES);
	command.timeout_us = HOUR_US;
	command.kind_case = (Muster__Wire__Command__KindCase)kind;
	if (kind == COMMAND_SCAN)
		command.scan = &scan;
	else
		command.cancel = &about;
	content.version = WIRE_ENVELOPE_VERSION;
	content.computer = exchange_bytes(to->bytes, UUID_BYTES);
	content.session = session;
	content.serial = number;
	content.issued_us = given_wall(NULL);
	content.expires_us = content.issued_us + HOUR_US;
	content.content_case = MUSTER__WIRE__SIGNED__CONTENT_COMMAND;
	content.command = &command;
	buf_init(&order->payload, WIRE_SIGNED_MAX_BYTES);
	assert_int_equal(envelope_payload(&content, &order->payload, NULL), 0);
	memset(order->signature, 0, sizeof(order->signature));
	order->signature[0] = mark;
	muster__wire__envelope__init(&order->envelope);
	order->envelope.payload = exchange_bytes(order->payload.data, order->payload.size);
	order->envelope.key = exchange_bytes(key.fingerprint, SHA256_BYTES);
	order->envelope.signature = exchange_bytes(order->signature, sizeof(order->signature));
	order->envelope.count = 1;
}

void order(struct endpoint *endpoint, uint8_t number, enum command_kind kind, uint8_t target, uint8_t mark,
	   const struct uuid *to)
{
	Muster__Wire__Reply reply = MUSTER__WIRE__REPLY__INIT;
	struct order sealed;
	Muster__Wire__Envelope *list[] = { &sealed.envelope };

	seal(&sealed, endpoint_session(endpoint), number, kind, target, mark, to);
	reply.commands = list;
	reply.n_commands = 1;
	send(endpoint, ENDPOINT_MAIN);
	answer(endpoint, ENDPOINT_MAIN, &reply);
	buf_done(&sealed.payload);
}

void pause_and_resume(struct endpoint *endpoint, bool disk_fails)
{
	Muster__Wire__Reply reply = MUSTER__WIRE__REPLY__INIT;
	struct order pause, resume;
	Muster__Wire__Envelope *list[] = { &pause.envelope, &resume.envelope };

	seal(&pause, endpoint_session(endpoint), 2, COMMAND_PAUSE, 1, 0x5a, &computer);
	seal(&resume, endpoint_session(endpoint), 3, COMMAND_RESUME, 1, 0x5a, &computer);
	reply.commands = list;
	reply.n_commands = COUNT_OF(list);
	send(endpoint, ENDPOINT_MAIN);
	disk.fail_sync_at = disk_fails ? disk.syncs + 1 : 0;
	answer(endpoint, ENDPOINT_MAIN, &reply);
	buf_done(&pause.payload);
	buf_done(&resume.payload);
}

enum command_state state_of(struct endpoint *endpoint, uint8_t number)
{
	size_t position = 0;
	struct uuid id;
	enum command_kind kind;
	enum command_state state;

	while (endpoint_commands(endpoint, &position, &id, &kind, &state)) {
		if (id.bytes[0] == number)
			return state;
	}
	return COMMAND_STATES;
}

struct endpoint *make_heard(void)
{
	struct endpoint *endpoint = make();

	send(endpoint, ENDPOINT_MAIN);
	answer_plain(endpoint, ENDPOINT_MAIN, 0);
	return endpoint;
}
