/* fleet/key_chain.h and what fleet/keys.c tells agents by it. Signatures and digests are stand-ins. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fleet/fleet.h"
#include "given_time.h"

#define RUN   7  /* of the agent */
#define STEPS 40 /* more than two replies take */

static void *woken;
static struct succession steps[STEPS];

static const struct uuid id = { { 1, 2, 3 } };
static const struct uuid order = { { 9 } };

static void note_wake(void *context, void *parked)
{
	(void)context;
	woken = parked;
}

/* Key n is n everywhere, and so is its digest with the first bit turned. */
static void digest(const void *bytes, size_t size, uint8_t out[SHA256_BYTES])
{
	(void)size;
	memset(out, *(const uint8_t *)bytes, SHA256_BYTES);
	out[0] ^= 0x80;
}

static const uint8_t *key(uint8_t number)
{
	static uint8_t bytes[ENVELOPE_KEY_BYTES];

	memset(bytes, number, sizeof(bytes));
	return bytes;
}

static const uint8_t *print_of(uint8_t number)
{
	static uint8_t bytes[SHA256_BYTES];

	digest(key(number), ENVELOPE_KEY_BYTES, bytes);
	return bytes;
}

/* Steps from key 1 on. */
static void make_steps(void)
{
	for (unsigned i = 0; i < STEPS; i++) {
		memset(steps[i].old_key, (int)i + 1, ENVELOPE_KEY_BYTES);
		memset(steps[i].new_key, (int)i + 2, ENVELOPE_KEY_BYTES);
		steps[i].serial = i + 1;
	}
}

static struct key_chain *chain_to(uint8_t present, size_t count)
{
	struct key_chain *chain;

	make_steps();
	assert_int_equal(key_chain_new(present != 0 ? key(present) : NULL, steps, count, digest, &chain, NULL), 0);
	return chain;
}

static void test_standing(void **state)
{
	static const uint8_t none[SHA256_BYTES];
	struct key_chain *chain = chain_to(4, 3), *missing = chain_to(0, 3), *other = chain_to(60, 3);

	(void)state;
	assert_int_equal(key_chain_standing(chain, none), KEY_UNTOLD);
	assert_int_equal(key_chain_standing(chain, print_of(4)), KEY_PRESENT);
	for (uint8_t before = 1; before < 4; before++)
		assert_int_equal(key_chain_standing(chain, print_of(before)), KEY_BEFORE);
	assert_int_equal(key_chain_standing(chain, print_of(5)), KEY_MISMATCHED);
	/* Without a key, and with one to which no way leads, nobody is right. */
	assert_int_equal(key_chain_standing(missing, print_of(4)), KEY_MISMATCHED);
	assert_null(key_chain_present(missing));
	assert_int_equal(key_chain_standing(other, print_of(4)), KEY_MISMATCHED);
	assert_int_equal(key_chain_standing(other, print_of(60)), KEY_PRESENT);
	assert_int_equal(key_chain_standing(NULL, print_of(4)), KEY_PRESENT);
	key_chain_free(chain);
	key_chain_free(missing);
	key_chain_free(other);
}

/* An older key that was restored is present again: the way that led on from it is none. */
static void test_a_key_that_came_back(void **state)
{
	struct key_chain *chain = chain_to(2, 3);

	(void)state;
	assert_int_equal(key_chain_standing(chain, print_of(1)), KEY_BEFORE);
	assert_int_equal(key_chain_standing(chain, print_of(2)), KEY_PRESENT);
	assert_int_equal(key_chain_standing(chain, print_of(3)), KEY_MISMATCHED);
	key_chain_free(chain);
}

static void test_steps(void **state)
{
	Muster__Wire__KeySuccession *given[8];
	struct key_chain *chain = chain_to(11, 10);
	size_t left;

	(void)state;
	assert_int_equal(key_chain_steps(chain, print_of(1), 8, given, &left), 8);
	assert_int_equal(left, 2);
	for (unsigned i = 0; i < 8; i++)
		assert_int_equal(given[i]->serial, i + 1);
	assert_int_equal(key_chain_steps(chain, print_of(9), 8, given, &left), 2);
	assert_int_equal(left, 0);
	assert_int_equal(given[1]->new_key.data[0], 11);
	assert_int_equal(key_chain_steps(chain, print_of(11), 8, given, &left), 0);
	assert_int_equal(key_chain_steps(chain, print_of(30), 8, given, &left), 0);
	key_chain_free(chain);
}

/* --- what agents are told --- */

static struct fleet *make_fleet(const struct key_chain *chain)
{
	const struct fleet_options options = { .env = &env, .wake = note_wake };
	const struct fleet_computer record = { .id = id, .interval_us = MINUTE_US, .missed = 2 };
	struct fleet *fleet;

	woken = NULL;
	assert_int_equal(fleet_new(&options, &fleet, NULL), 0);
	fleet_set_keys(fleet, chain);
	assert_int_equal(fleet_add(fleet, &record, NULL), 0);
	return fleet;
}

static uint64_t sequence;

/* A report of an agent that trusts this key; *ret_held: it would be held. */
static struct fleet_exchange *report(struct fleet *fleet, uint8_t trusted, bool *ret_held)
{
	static Muster__Wire__Report message;
	static ProtobufCBinaryData keys[1];
	static int parked;
	static uint8_t bytes[SHA256_BYTES];
	struct fleet_exchange *exchange;
	time_us until;

	memcpy(bytes, print_of(trusted), sizeof(bytes));
	keys[0] = exchange_bytes(bytes, sizeof(bytes));
	muster__wire__report__init(&message);
	message.protocol = 1;
	message.computer = exchange_bytes(id.bytes, UUID_BYTES);
	message.session = RUN;
	message.sequence = ++sequence;
	message.full = sequence == 1;
	message.hold_s = 50;
	message.trusted_keys = keys;
	message.n_trusted_keys = 1;
	assert_int_equal(fleet_heard(fleet, &id, &message, &exchange, NULL), 0);
	if (!fleet_rows_empty(fleet_exchange_rows(exchange)))
		fleet_stored(fleet, exchange, 0);
	*ret_held = !fleet_answer(fleet, exchange, true, &parked, &until);
	return exchange;
}

static Muster__Wire__Reply *reply(struct fleet *fleet, struct fleet_exchange *exchange, bool *ret_configuration)
{
	Muster__Wire__Reply *answer;

	assert_int_equal(fleet_reply(fleet, exchange, &answer, ret_configuration, NULL), 0);
	return answer;
}

static int start(void **state)
{
	(void)state;
	now = DAY_US;
	sequence = 0;
	return 0;
}

/* Signed by key `by`; nothing looks at the rest. */
static void issue(struct fleet *fleet, uint8_t by)
{
	Muster__Wire__Envelope envelope = MUSTER__WIRE__ENVELOPE__INIT;
	uint8_t signature[ENVELOPE_SIGNATURE_BYTES] = { 0 }, fingerprint[SHA256_BYTES], packed[512];
	struct fleet_command command = { .id = order,
					 .computer = id,
					 .kind = COMMAND_HEARTBEAT,
					 .state = COMMAND_PENDING,
					 .issued = given_wall(NULL),
					 .timeout_us = HOUR_US,
					 .expires = given_wall(NULL) + HOUR_US,
					 .session = RUN,
					 .envelope = packed };

	memcpy(fingerprint, print_of(by), sizeof(fingerprint));
	envelope.payload = exchange_bytes("order", 5);
	envelope.key = exchange_bytes(fingerprint, sizeof(fingerprint));
	envelope.signature = exchange_bytes(signature, sizeof(signature));
	envelope.count = 1;
	command.envelope_size = muster__wire__envelope__pack(&envelope, packed);
	assert_int_equal(fleet_issue(fleet, &command, NULL), 0);
}

/* For an agent that does not say which key it trusts: the youngest ones, in order. */
static void test_the_last_steps(void **state)
{
	struct key_chain *chain = chain_to(4, 3), *alone = chain_to(60, 3);
	Muster__Wire__KeySuccession *taken[4];

	(void)state;
	assert_int_equal(key_chain_last(chain, 4, taken), 3);
	assert_memory_equal(taken[2]->new_key.data, key(4), ENVELOPE_KEY_BYTES);
	assert_int_equal(key_chain_last(chain, 1, taken), 1);
	assert_memory_equal(taken[0]->new_key.data, key(4), ENVELOPE_KEY_BYTES);
	assert_int_equal(key_chain_last(alone, 4, taken), 0);
	assert_int_equal(key_chain_last(NULL, 4, taken), 0);
	key_chain_free(chain);
	key_chain_free(alone);
}

/* 40 steps take three replies; the order goes with the last, and not before. */
static void test_a_long_way(void **state)
{
	struct key_chain *chain = chain_to(STEPS + 1, STEPS);
	struct fleet *fleet = make_fleet(chain);
	bool held, configuration;
	uint8_t trusts = 1;
	size_t replies = 0;

	(void)state;
	issue(fleet, STEPS + 1);
	while (trusts != STEPS + 1) {
		struct fleet_exchange *exchange = report(fleet, trusts, &held);
		Muster__Wire__Reply *answer;

		assert_false(held);
		answer = reply(fleet, exchange, &configuration);
		assert_true(fleet_more(exchange));
		assert_in_range(answer->n_successions, 1, WIRE_REPLY_SUCCESSIONS_MAX);
		assert_int_equal(answer->successions[0]->old_key.data[0], trusts);
		trusts = answer->successions[answer->n_successions - 1]->new_key.data[0];
		assert_int_equal(answer->n_commands, trusts == STEPS + 1 ? 1 : 0);
		fleet_exchange_free(fleet, exchange);
		assert_true(++replies < 9);
	}
	assert_int_equal(replies, 3);
	fleet_free(fleet);
	key_chain_free(chain);
}

/* One that is told and does not follow is told again, less and less often; it does not spin. */
static void test_one_that_does_not_follow(void **state)
{
	struct key_chain *chain = chain_to(2, 1);
	struct fleet *fleet = make_fleet(chain);
	struct fleet_exchange *exchange;
	bool held, configuration;

	(void)state;
	exchange = report(fleet, 1, &held);
	assert_int_equal(reply(fleet, exchange, &configuration)->n_successions, 1);
	fleet_exchange_free(fleet, exchange);
	exchange = report(fleet, 1, &held);
	assert_true(held);
	fleet_exchange_free(fleet, exchange);
	now += MINUTE_US;
	exchange = report(fleet, 1, &held);
	assert_false(held);
	assert_int_equal(reply(fleet, exchange, &configuration)->n_successions, 1);
	fleet_exchange_free(fleet, exchange);
	fleet_free(fleet);
	key_chain_free(chain);
}

/* A mismatched agent gets neither orders nor a configuration, and its polls are held as ever. */
static void test_mismatched(void **state)
{
	static const uint8_t wanted[SHA256_BYTES] = { 5 };
	struct key_chain *chain = chain_to(2, 1);
	struct fleet *fleet = make_fleet(chain);
	struct fleet_exchange *exchange;
	bool held, configuration;
	struct uuid ids[1];

	(void)state;
	exchange = report(fleet, 33, &held);
	fleet_exchange_free(fleet, exchange);
	issue(fleet, 2);
	assert_int_equal(fleet_want_configuration(fleet, &id, wanted, 0, NULL), 0);
	exchange = report(fleet, 33, &held);
	assert_true(held);
	assert_false(fleet_configuration_due(fleet, exchange));
	assert_int_equal(fleet_mismatched(fleet, ids, 1), 1);
	assert_true(uuid_equal(&ids[0], &id));
	{
		Muster__Wire__Reply *answer = reply(fleet, exchange, &configuration);

		assert_int_equal(answer->n_commands + answer->n_successions, 0);
		assert_false(configuration);
	}
	fleet_exchange_free(fleet, exchange);
	/* Repaired by hand: what waited goes. */
	exchange = report(fleet, 2, &held);
	assert_false(held);
	assert_int_equal(reply(fleet, exchange, &configuration)->n_commands, 1);
	assert_int_equal(fleet_mismatched(fleet, ids, 1), 0);
	fleet_exchange_free(fleet, exchange);
	fleet_free(fleet);
	key_chain_free(chain);
}

/* A held poll is woken by a roll-over, and an order of the old key goes once it is signed anew. */
static void test_roll_over(void **state)
{
	struct key_chain *before = chain_to(1, 0), *after = chain_to(2, 1);
	struct fleet *fleet = make_fleet(before);
	struct fleet_order orders[4];
	struct fleet_exchange *exchange, *held_exchange;
	Muster__Wire__Envelope *envelope;
	bool held, configuration;
	time_us slot = now;
	uint8_t packed[512];
	size_t size;

	(void)state;
	held_exchange = report(fleet, 1, &held);
	assert_true(held);
	fleet_set_keys(fleet, after);
	assert_false(fleet_tell_keys(fleet, 10, SECOND_US, &slot));
	assert_true(slot == now + SECOND_US);
	now += SECOND_US;
	fleet_tick(fleet, (void (*)(void *, struct fleet_exchange *))abort, NULL);
	assert_non_null(woken);
	assert_int_equal(reply(fleet, held_exchange, &configuration)->n_successions, 1);
	fleet_exchange_free(fleet, held_exchange);
	issue(fleet, 1);
	exchange = report(fleet, 2, &held);
	assert_int_equal(fleet_outdated(fleet, &id, RUN, orders, 4), 1);
	assert_true(uuid_equal(&orders[0].command, &order));
	assert_int_equal(reply(fleet, exchange, &configuration)->n_commands, 0);
	envelope = muster__wire__envelope__unpack(NULL, orders[0].envelope_size, orders[0].envelope);
	assert_non_null(envelope);
	memcpy(envelope->key.data, print_of(2), SHA256_BYTES);
	size = muster__wire__envelope__pack(envelope, packed);
	assert_int_equal(fleet_renew(fleet, &id, &order, RUN, packed, size, NULL), 0);
	muster__wire__envelope__free_unpacked(envelope, NULL);
	assert_int_equal(fleet_outdated(fleet, &id, RUN, orders, 4), 0);
	assert_int_equal(reply(fleet, exchange, &configuration)->n_commands, 1);
	fleet_exchange_free(fleet, exchange);
	fleet_free(fleet);
	key_chain_free(before);
	key_chain_free(after);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_standing),
		cmocka_unit_test(test_a_key_that_came_back),
		cmocka_unit_test(test_steps),
		cmocka_unit_test(test_the_last_steps),
		cmocka_unit_test_setup(test_a_long_way, start),
		cmocka_unit_test_setup(test_one_that_does_not_follow, start),
		cmocka_unit_test_setup(test_mismatched, start),
		cmocka_unit_test_setup(test_roll_over, start),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
