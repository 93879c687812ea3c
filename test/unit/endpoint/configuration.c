/* endpoint/configuration.h: checked, applied, tried, kept or refused; over crashes; and its file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "endpoint/configuration_file.h"
#include "endpoint/endpoint.h"
#include "given_time.h"
#include "memory_disk.h"

static struct memory_disk disk;
static const struct uuid computer = { { 1, 2, 3 } };
static const struct envelope_key key = { .fingerprint = { 7 } };

/* What the shell does, and what it was asked to. */
static struct {
	int check_rc, apply_rc;
	uint64_t order;
	char applied[16]; /* value of the last one; "own" for none */
	unsigned applies, redials;
	span_us poll_us;
	unsigned applied_events, refused_events;
	char cause[256];
} world;

static bool test_verify(void *context, const uint8_t *public_key, const void *message, size_t size,
			const uint8_t *signature)
{
	(void)context;
	(void)public_key;
	(void)message;
	(void)size;
	return signature[0] == 0x5a;
}

/* The last bytes: enough to tell the values of these tests apart. */
static void test_digest(const void *data, size_t size, uint8_t out[SHA256_BYTES])
{
	size_t count = size < SHA256_BYTES ? size : SHA256_BYTES;

	memset(out, 0, SHA256_BYTES);
	memcpy(out, (const uint8_t *)data + size - count, count);
}

/* --- the shell --- */

static int test_check(void *context, const Muster__Wire__Configuration *configuration,
		      struct endpoint_connection *connection, struct buf *why)
{
	(void)context;
	if (configuration != NULL && configuration->settings[0]->value.data[0] == 'p')
		connection->poll_us = 30 * SECOND_US;
	if (world.check_rc != 0)
		buf_append_text(why, "scan.cpu_limit = 900: allowed: 1 to 100");
	return world.check_rc;
}

static int test_apply(void *context, const Muster__Wire__Configuration *configuration, uint64_t order, struct buf *why)
{
	(void)context;
	world.order = order;
	world.applies++;
	if (configuration == NULL)
		snprintf(world.applied, sizeof(world.applied), "own");
	else
		snprintf(world.applied, sizeof(world.applied), "%.*s", (int)configuration->settings[0]->value.len,
			 (const char *)configuration->settings[0]->value.data);
	if (world.apply_rc != 0 && world.apply_rc != ERR_BUSY)
		buf_append_text(why, "guard said no");
	return world.apply_rc;
}

static void test_redial(void *context, const struct endpoint_connection *connection)
{
	(void)context;
	world.redials++;
	world.poll_us = connection->poll_us;
}

static void test_noted(void *context, uint32_t type, time_us time, const struct event_field *fields, size_t count)
{
	(void)context;
	(void)time;
	world.applied_events += type == EVENT_CONFIGURATION_APPLIED;
	if (type != EVENT_CONFIGURATION_REFUSED || count == 0)
		return;
	world.refused_events++;
	snprintf(world.cause, sizeof(world.cause), "%.*s", (int)fields[0].value.size,
		 (const char *)fields[0].value.data);
}

static struct endpoint *make_for(const struct uuid *id)
{
	const struct endpoint_options options = {
		.env = &env,
		.storage = memory_disk_storage(&disk),
		.actor = { .noted = test_noted,
			   .configurer = { .check = test_check, .apply = test_apply, .redial = test_redial } },
		.computer = *id,
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

static struct endpoint *make(void)
{
	return make_for(&computer);
}

static int start(void **state)
{
	(void)state;
	now = DAY_US;
	memset(&world, 0, sizeof(world));
	memory_disk_init(&disk);
	return 0;
}

static int stop(void **state)
{
	(void)state;
	memory_disk_done(&disk);
	return 0;
}

/* --- the manager --- */

struct told {
	char configuration[SHA256_BYTES + 1], refused[SHA256_BYTES + 1], error[256];
	uint32_t hold_s;
};

static struct told report(struct endpoint *endpoint)
{
	struct told told = { .error = "" };
	Muster__Wire__Report *message;
	struct arena *arena;
	struct buf out;

	buf_init(&out, WIRE_REPORT_MAX_BYTES);
	assert_int_equal(endpoint_report(endpoint, ENDPOINT_MAIN, &out, &told.hold_s, NULL), 0);
	assert_int_equal(exchange_report_decode(out.data, out.size, &message, &arena, NULL), 0);
	if (message->configuration.len > 0)
		memcpy(told.configuration, message->configuration.data, SHA256_BYTES);
	if (message->refused_configuration.len > 0)
		memcpy(told.refused, message->refused_configuration.data, SHA256_BYTES);
	snprintf(told.error, sizeof(told.error), "%s", message->configuration_error);
	arena_free(arena);
	buf_done(&out);
	return told;
}

static void answer(struct endpoint *endpoint, const Muster__Wire__Envelope *configuration)
{
	Muster__Wire__Reply reply = MUSTER__WIRE__REPLY__INIT;
	struct buf out;

	reply.protocol = WIRE_PROTOCOL;
	reply.configuration = (Muster__Wire__Envelope *)(uintptr_t)configuration;
	buf_init(&out, WIRE_REPLY_MAX_BYTES);
	assert_int_equal(exchange_reply_encode(&reply, &out, NULL), 0);
	assert_int_equal(endpoint_reply(endpoint, ENDPOINT_MAIN, out.data, out.size, NULL), 0);
	buf_done(&out);
}

/* In the answer to a report, a configuration with one setting, by a manager whose clock is `ahead_us` of ours. */
static void send_dated(struct endpoint *endpoint, const char *value, uint64_t serial, span_us ahead_us)
{
	static char name[] = "test.value";
	Muster__Wire__Signed content = MUSTER__WIRE__SIGNED__INIT;
	Muster__Wire__Configuration configuration = MUSTER__WIRE__CONFIGURATION__INIT;
	Muster__Wire__Envelope envelope = MUSTER__WIRE__ENVELOPE__INIT;
	Muster__Wire__Field field = MUSTER__WIRE__FIELD__INIT, *fields[] = { &field };
	uint8_t signature[ENVELOPE_SIGNATURE_BYTES] = { 0x5a };
	struct buf payload;

	field.name = name;
	field.value = exchange_bytes(value, strlen(value));
	configuration.settings = fields;
	configuration.n_settings = 1;
	content.version = WIRE_ENVELOPE_VERSION;
	content.computer = exchange_bytes(computer.bytes, UUID_BYTES);
	content.session = endpoint_session(endpoint);
	content.serial = serial;
	content.issued_us = given_wall(NULL) + ahead_us;
	content.expires_us = content.issued_us + DAY_US;
	content.content_case = MUSTER__WIRE__SIGNED__CONTENT_CONFIGURATION;
	content.configuration = &configuration;
	buf_init(&payload, WIRE_SIGNED_MAX_BYTES);
	assert_int_equal(envelope_payload(&content, &payload, NULL), 0);
	envelope.payload = exchange_bytes(payload.data, payload.size);
	envelope.key = exchange_bytes(key.fingerprint, SHA256_BYTES);
	envelope.signature = exchange_bytes(signature, sizeof(signature));
	envelope.count = 1;
	report(endpoint);
	answer(endpoint, &envelope);
	buf_done(&payload);
}

static void send(struct endpoint *endpoint, const char *value, uint64_t serial)
{
	send_dated(endpoint, value, serial, 0);
}

static void exchange(struct endpoint *endpoint)
{
	report(endpoint);
	answer(endpoint, NULL);
}

static const char *kept(const struct endpoint *endpoint)
{
	static char value[16];
	struct endpoint_configuration_state state;

	endpoint_configuration_state(endpoint, &state);
	if (state.kept == NULL)
		return "own";
	snprintf(value, sizeof(value), "%.*s", (int)state.kept->settings[0]->value.len,
		 (const char *)state.kept->settings[0]->value.data);
	return value;
}

static const char *refused(const struct endpoint *endpoint)
{
	struct endpoint_configuration_state state;

	endpoint_configuration_state(endpoint, &state);
	return state.refused;
}

/* --- tests --- */

static void kept_over_restarts(void **state)
{
	struct endpoint *endpoint = make();
	struct told told;

	(void)state;
	assert_string_equal(world.applied, "own");
	send(endpoint, "one", 1);
	assert_string_equal(world.applied, "one");
	assert_int_equal(world.applied_events, 1);
	assert_int_equal(world.redials, 0);
	told = report(endpoint);
	assert_non_null(strstr(told.configuration, "one"));
	assert_string_equal(told.refused, "");
	answer(endpoint, NULL);
	send(endpoint, "one", 2);
	assert_int_equal(world.applies, 2); /* it is in force: nothing to do */
	endpoint_free(endpoint);

	endpoint = make();
	assert_string_equal(world.applied, "one");
	assert_int_equal(world.applied_events, 1);
	told = report(endpoint);
	assert_non_null(strstr(told.configuration, "one"));
	endpoint_free(endpoint);
}

/* The order of another identity is not ours. */
static void new_identity(void **state)
{
	static const struct uuid other = { { 9 } };
	struct endpoint *endpoint = make();

	(void)state;
	send(endpoint, "one", 1);
	endpoint_free(endpoint);
	endpoint = make_for(&other);
	assert_string_equal(world.applied, "own");
	assert_string_equal(kept(endpoint), "own");
	endpoint_free(endpoint);
}

static void refused_by_check(void **state)
{
	struct endpoint *endpoint = make();
	struct told told;

	(void)state;
	send(endpoint, "good", 1);
	world.check_rc = ERR_RANGE;
	send(endpoint, "bad", 2);
	assert_string_equal(world.applied, "good");
	assert_int_equal(world.applies, 2);
	assert_int_equal(world.refused_events, 1);
	assert_string_equal(world.cause, "scan.cpu_limit = 900: allowed: 1 to 100");
	told = report(endpoint);
	assert_non_null(strstr(told.configuration, "good"));
	assert_non_null(strstr(told.refused, "bad"));
	assert_string_equal(told.error, "scan.cpu_limit = 900: allowed: 1 to 100");
	answer(endpoint, NULL);
	send(endpoint, "bad", 3);
	assert_int_equal(world.refused_events, 1); /* told once */
	endpoint_free(endpoint);

	world.check_rc = 0; /* the reason is still known after a restart */
	endpoint = make();
	assert_string_equal(refused(endpoint), "scan.cpu_limit = 900: allowed: 1 to 100");
	send(endpoint, "bad", 4); /* and another look may find it acceptable */
	assert_string_equal(kept(endpoint), "bad");
	assert_string_equal(refused(endpoint), "");
	endpoint_free(endpoint);
}

/* The manager must know, or it sends it again and again; and it is good as soon as the clocks agree. */
static void refused_for_its_dates(void **state)
{
	struct endpoint *endpoint = make();
	struct told told;

	(void)state;
	send(endpoint, "good", 1);
	send_dated(endpoint, "late", 2, 30 * DAY_US);
	assert_string_equal(kept(endpoint), "good");
	assert_int_equal(world.refused_events, 1);
	told = report(endpoint);
	assert_non_null(strstr(told.refused, "late"));
	assert_non_null(strstr(told.error, "from the future"));
	answer(endpoint, NULL);
	now += HOUR_US;
	send_dated(endpoint, "late", 3, 30 * DAY_US);
	assert_int_equal(world.refused_events, 1); /* told once */
	send_dated(endpoint, "late", 4, -30 * DAY_US);
	assert_non_null(strstr(refused(endpoint), "expired"));
	send(endpoint, "late", 2); /* what was not taken counts for nothing in the order of serials */
	assert_string_equal(kept(endpoint), "late");
	assert_string_equal(refused(endpoint), "");
	send_dated(endpoint, "late", 5, 30 * DAY_US); /* it is in force */
	assert_string_equal(refused(endpoint), "");
	send_dated(endpoint, "older", 1, 30 * DAY_US); /* a replay says nothing at all */
	assert_string_equal(refused(endpoint), "");
	endpoint_free(endpoint);
}

static void refused_by_a_component(void **state)
{
	struct endpoint *endpoint = make();

	(void)state;
	send(endpoint, "good", 1);
	world.apply_rc = ERR_BUSY;
	send(endpoint, "bad", 2);
	assert_string_equal(world.applied, "bad");
	assert_string_equal(kept(endpoint), "good");
	endpoint_applied(endpoint, world.order - 1, 0, ""); /* an old answer */
	assert_string_equal(kept(endpoint), "good");
	endpoint_applied(endpoint, world.order, ERR_REFUSED, "guard said no");
	assert_string_equal(world.applied, "good"); /* put back */
	endpoint_applied(endpoint, world.order, 0, "");
	assert_string_equal(refused(endpoint), "guard said no");
	assert_int_equal(world.refused_events, 1);

	world.applies = 0; /* repeated at once it is not tried again, later it is */
	send(endpoint, "bad", 3);
	assert_int_equal(world.applies, 0);
	now += ENDPOINT_AGAIN_US;
	send(endpoint, "bad", 4);
	assert_string_equal(world.applied, "bad");
	endpoint_applied(endpoint, world.order, 0, "");
	assert_string_equal(kept(endpoint), "bad");
	assert_string_equal(refused(endpoint), "");
	endpoint_free(endpoint);
}

static void silent_components(void **state)
{
	struct endpoint *endpoint = make();

	(void)state;
	world.apply_rc = ERR_BUSY;
	send(endpoint, "one", 1);
	assert_int_equal(endpoint_due(endpoint), now + ENDPOINT_APPLY_US);
	now += ENDPOINT_APPLY_US;
	assert_int_equal(endpoint_tick(endpoint, NULL), 0);
	assert_string_equal(world.applied, "own");
	assert_non_null(strstr(refused(endpoint), "did not answer"));
	endpoint_free(endpoint);
}

/* The manager takes it back before the components answered. */
static void taken_back(void **state)
{
	struct endpoint *endpoint = make();

	(void)state;
	send(endpoint, "good", 1);
	world.apply_rc = ERR_BUSY;
	send(endpoint, "other", 2);
	send(endpoint, "good", 3);
	assert_string_equal(world.applied, "good");
	endpoint_applied(endpoint, world.order, 0, "");
	assert_string_equal(kept(endpoint), "good");
	assert_int_equal(world.refused_events, 0);
	endpoint_free(endpoint);
}

/* However often: the agent's next stop has nothing to do with it. */
static void attempts_that_were_taken_back_do_not_count(void **state)
{
	struct endpoint *endpoint = make();

	(void)state;
	send(endpoint, "good", 1);
	world.apply_rc = ERR_BUSY;
	for (uint64_t i = 1; i <= ENDPOINT_ATTEMPTS_MAX; i++) {
		send(endpoint, "other", 2 * i);
		send(endpoint, "good", 2 * i + 1);
		endpoint_applied(endpoint, world.order, 0, "");
	}
	world.apply_rc = 0;
	endpoint_free(endpoint);
	endpoint = make();
	assert_string_equal(refused(endpoint), "");
	assert_string_equal(kept(endpoint), "good");
	assert_int_equal(world.refused_events, 0);
	endpoint_free(endpoint);
}

static void connection_tried_and_kept(void **state)
{
	struct endpoint_configuration_state in_use;
	struct endpoint *endpoint = make();
	struct told told;

	(void)state;
	send(endpoint, "good", 1);
	send(endpoint, "poll", 2);
	assert_int_equal(world.redials, 1);
	assert_int_equal(world.poll_us, 30 * SECOND_US);
	assert_string_equal(kept(endpoint), "good");
	assert_true(endpoint_next(endpoint, ENDPOINT_MAIN) <= now + SECOND_US);
	told = report(endpoint);
	assert_non_null(strstr(told.configuration, "good")); /* what is kept is told, not what is tried */
	assert_int_equal(told.hold_s, 0);
	answer(endpoint, NULL);
	assert_string_equal(kept(endpoint), "poll");
	assert_int_equal(world.applied_events, 2);
	endpoint_free(endpoint);

	world.redials = 0;
	endpoint = make();
	endpoint_configuration_state(endpoint, &in_use);
	assert_int_equal(in_use.connection->poll_us, 30 * SECOND_US);
	exchange(endpoint);
	assert_int_equal(world.redials, 0);
	endpoint_free(endpoint);
}

static void connection_tried_and_reverted(void **state)
{
	struct endpoint *endpoint = make();
	struct told told;

	(void)state;
	send(endpoint, "good", 1);
	send(endpoint, "poll", 2);
	report(endpoint);
	endpoint_failed(endpoint, ENDPOINT_MAIN, ERR_CONNECT, "connection refused", 0);
	assert_string_equal(kept(endpoint), "good");
	now += ENDPOINT_PATIENCE_US;
	assert_int_equal(endpoint_tick(endpoint, NULL), 0);
	assert_string_equal(world.applied, "good");
	assert_int_equal(world.redials, 2);
	assert_int_equal(world.poll_us, 0);
	assert_non_null(strstr(refused(endpoint), "not reached with it within 3m (connection refused)"));
	told = report(endpoint);
	assert_non_null(strstr(told.error, "connection refused"));
	assert_non_null(strstr(told.refused, "poll"));
	assert_non_null(strstr(told.configuration, "good"));
	answer(endpoint, NULL);

	now += ENDPOINT_AGAIN_US; /* again, and then not for four times as long */
	send(endpoint, "poll", 3);
	assert_string_equal(world.applied, "poll");
	now += ENDPOINT_PATIENCE_US;
	endpoint_tick(endpoint, NULL);
	now += 2 * ENDPOINT_AGAIN_US;
	send(endpoint, "poll", 4);
	assert_string_equal(world.applied, "good");
	now += 2 * ENDPOINT_AGAIN_US;
	send(endpoint, "poll", 5);
	assert_string_equal(world.applied, "poll");
	endpoint_free(endpoint);
}

/* The agent dies each time that it applies this one. */
static void stops_while_applied(void **state)
{
	struct endpoint *endpoint;

	(void)state;
	for (uint64_t i = 1; i <= ENDPOINT_ATTEMPTS_MAX; i++) {
		endpoint = make();
		assert_string_equal(world.applied, "own");
		assert_string_equal(refused(endpoint), "");
		world.apply_rc = ERR_BUSY;
		send(endpoint, "deadly", i);
		world.apply_rc = 0;
		assert_string_equal(world.applied, "deadly");
		endpoint_free(endpoint);
	}
	endpoint = make();
	assert_string_equal(world.applied, "own");
	assert_non_null(strstr(refused(endpoint), "stopped 3 times"));
	send(endpoint, "deadly", 9);
	assert_string_equal(world.applied, "own");
	send(endpoint, "mild", 10);
	assert_string_equal(kept(endpoint), "mild");
	endpoint_free(endpoint);
}

static void failing_disk(void **state)
{
	struct endpoint *endpoint = make();

	(void)state;
	send(endpoint, "good", 1);
	disk.fail_replace = true;
	send(endpoint, "other", 2);
	assert_string_equal(world.applied, "good");
	assert_non_null(strstr(refused(endpoint), "full"));
	disk.fail_replace = false;
	send(endpoint, "other", 3);
	assert_string_equal(kept(endpoint), "other");
	endpoint_free(endpoint);
}

static void not_acceptable_any_more(void **state)
{
	struct endpoint *endpoint = make();
	struct told told;

	(void)state;
	send(endpoint, "good", 1);
	endpoint_free(endpoint);
	world.check_rc = ERR_DENIED;
	endpoint = make();
	assert_string_equal(world.applied, "own");
	told = report(endpoint);
	assert_string_equal(told.configuration, "");
	assert_non_null(strstr(told.error, "not acceptable any more: scan.cpu_limit"));
	endpoint_free(endpoint);
}

static void last_good_one_does_not_apply(void **state)
{
	struct endpoint *endpoint = make();
	struct told told;

	(void)state;
	send(endpoint, "good", 1);
	endpoint_free(endpoint);
	world.apply_rc = ERR_IO;
	endpoint = make();
	told = report(endpoint);
	assert_string_equal(told.configuration, "");
	assert_non_null(strstr(told.error, "could not be applied: guard said no"));
	answer(endpoint, NULL);
	world.apply_rc = 0;
	now += ENDPOINT_RESTORE_AGAIN_US;
	assert_int_equal(endpoint_tick(endpoint, NULL), 0);
	told = report(endpoint);
	assert_non_null(strstr(told.configuration, "good"));
	assert_string_equal(told.error, ""); /* nothing is wrong with it any more */
	assert_string_equal(told.refused, "");
	endpoint_free(endpoint);
}

static void damaged_file(void **state)
{
	struct endpoint *endpoint = make();

	(void)state;
	send(endpoint, "good", 1);
	endpoint_free(endpoint);
	disk.configuration.data[disk.configuration.size / 2] ^= 1;
	endpoint = make();
	assert_string_equal(kept(endpoint), "own");
	send(endpoint, "good", 2);
	assert_string_equal(kept(endpoint), "good");
	endpoint_free(endpoint);
}

/* Every way of cutting the file short, every bit of it changed. */
static void file_codec(void **state)
{
	struct configuration_file file = { .has_kept = true,
					   .has_refused = true,
					   .failures = 2,
					   .listens_only = true,
					   .listens_on = { { 9 } },
					   .attempts = 1,
					   .kept = { 1 },
					   .refused = { 2 },
					   .attempted = { 3 },
					   .packed = { (const uint8_t *)"packed", 6 },
					   .reason = "because" };
	struct configuration_file read;
	struct buf out;

	(void)state;
	buf_init(&out, CONFIGURATION_FILE_MAX_BYTES);
	configuration_file_encode(&file, &computer, &out);
	assert_int_equal(configuration_file_decode(out.data, out.size, &computer, &read), 0);
	assert_memory_equal(read.packed.data, "packed", 6);
	assert_string_equal(read.reason, "because");
	assert_int_equal(read.failures, 2);
	assert_int_equal(read.attempts, 1);
	assert_int_equal(read.attempted[0], 3);
	assert_true(read.listens_only);
	assert_int_equal(read.listens_on.bytes[0], 9);
	for (size_t size = 0; size < out.size; size++)
		assert_int_not_equal(configuration_file_decode(out.data, size, &computer, &read), 0);
	for (size_t bit = 0; bit < out.size * 8; bit++) {
		out.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_int_not_equal(configuration_file_decode(out.data, out.size, &computer, &read), 0);
		out.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	buf_done(&out);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(kept_over_restarts),
		TEST(new_identity),
		TEST(refused_by_check),
		TEST(refused_for_its_dates),
		TEST(refused_by_a_component),
		TEST(silent_components),
		TEST(taken_back),
		TEST(attempts_that_were_taken_back_do_not_count),
		TEST(connection_tried_and_kept),
		TEST(connection_tried_and_reverted),
		TEST(stops_while_applied),
		TEST(failing_disk),
		TEST(not_acceptable_any_more),
		TEST(last_good_one_does_not_apply),
		TEST(damaged_file),
		cmocka_unit_test(file_codec),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
