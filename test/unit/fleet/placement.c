/* Agents in networks that the manager cannot reach: who is inside, what they
 * are told, and when they are offline. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "fleet/fleet.h"
#include "given_time.h"

static unsigned wakes;
static unsigned told_offline, told_online;

static void note_wake(void *context, void *parked)
{
	(void)context;
	(void)parked;
	wakes++;
}

/* --- networks --- */

static struct networks *table_of(const struct network_rules *rules, const char *range)
{
	struct address_range parsed;
	struct network network = {
		.id = { { 42 } }, .name = "branch", .rules = *rules, .ranges = &parsed, .range_count = 1
	};
	struct networks *table;

	assert_int_equal(address_range_parse(range, &parsed, NULL), 0);
	assert_int_equal(networks_new(&network, 1, &table, NULL), 0);
	return table;
}

static const struct network_rules periodic = { true, 10, 30, 60 };
static const struct network_rules held = { true, 10, 30, 0 };

/* --- an agent --- */

struct agent {
	struct uuid id;
	uint64_t session, sequence;
	const char *seen_from;
	char *addresses[4];
	uint32_t hold_s;
	Muster__Wire__Report wire;
	Muster__Wire__Host host;
};

static struct agent agent_new(uint8_t number, const char *seen_from)
{
	return (struct agent){ .id = { { number } }, .session = 5, .seen_from = seen_from };
}

static void fill(struct agent *agent)
{
	muster__wire__report__init(&agent->wire);
	muster__wire__host__init(&agent->host);
	agent->wire.protocol = 1;
	agent->wire.computer = exchange_bytes(agent->id.bytes, UUID_BYTES);
	agent->wire.session = agent->session;
	agent->wire.sequence = ++agent->sequence;
	agent->wire.full = agent->sequence == 1;
	agent->wire.hold_s = agent->hold_s;
	if (agent->addresses[0] == NULL)
		return;
	while (agent->addresses[agent->host.n_addresses] != NULL)
		agent->host.n_addresses++;
	agent->host.addresses = agent->addresses;
	agent->wire.host = &agent->host;
}

static struct fleet_exchange *report(struct fleet *fleet, struct agent *agent)
{
	struct fleet_exchange *exchange;
	struct address from;

	fill(agent);
	if (agent->seen_from != NULL) {
		assert_int_equal(address_parse(agent->seen_from, &from, NULL), 0);
		fleet_seen_from(fleet, &agent->id, &from);
	}
	assert_int_equal(fleet_heard(fleet, &agent->id, &agent->wire, &exchange, NULL), 0);
	if (!fleet_rows_empty(fleet_exchange_rows(exchange)))
		fleet_stored(fleet, exchange, 0);
	return exchange;
}

/* True: held. */
static bool is_held(struct fleet *fleet, struct fleet_exchange *exchange)
{
	time_us until;

	return !fleet_answer(fleet, exchange, true, exchange, &until);
}

static struct network_pace replied(struct fleet *fleet, struct fleet_exchange *exchange)
{
	struct network_pace pace = { 0 };
	Muster__Wire__Reply *reply;
	bool configuration;

	assert_int_equal(fleet_reply(fleet, exchange, &reply, &configuration, NULL), 0);
	if (reply->pace != NULL)
		pace = (struct network_pace){ reply->pace->interval_s, reply->pace->periodic };
	fleet_exchange_free(fleet, exchange);
	return pace;
}

/* A whole exchange, answered at once. */
static struct network_pace exchange_once(struct fleet *fleet, struct agent *agent)
{
	return replied(fleet, report(fleet, agent));
}

/* --- a fleet --- */

static void take_tick(void *argument, struct fleet_exchange *exchange)
{
	const struct fleet_rows *rows = fleet_exchange_rows(exchange);

	for (size_t i = 0; i < rows->manager_event_count; i++) {
		told_offline += rows->manager_events[i].type == EVENT_COMPUTER_OFFLINE;
		told_online += rows->manager_events[i].type == EVENT_COMPUTER_ONLINE;
	}
	fleet_stored(argument, exchange, 0);
	fleet_exchange_free(argument, exchange);
}

/* Ticks four times a second up to `end`. */
static void tick_until(struct fleet *fleet, time_us end)
{
	while (now < end) {
		now = now + SECOND_US / 4 < end ? now + SECOND_US / 4 : end;
		fleet_tick(fleet, take_tick, fleet);
	}
}

static struct fleet *fleet_with(const struct networks *table, const struct fleet_computer *record)
{
	const struct fleet_options options = { .env = &env, .wake = note_wake };
	struct fleet *fleet;

	assert_int_equal(fleet_new(&options, &fleet, NULL), 0);
	fleet_set_networks(fleet, table);
	if (record != NULL)
		assert_int_equal(fleet_add(fleet, record, NULL), 0);
	wakes = told_offline = told_online = 0;
	return fleet;
}

static const struct fleet_computer one = { .id = { { 1 } }, .interval_us = MINUTE_US, .missed = 2 };

static bool is_offline(const struct fleet *fleet, const struct uuid *id)
{
	struct fleet_computer shown;

	assert_int_equal(fleet_show(fleet, id, &shown, NULL), 0);
	return shown.status == FLEET_OFFLINE;
}

static bool is_inside(const struct fleet *fleet, const struct uuid *id)
{
	struct fleet_computer shown;

	assert_int_equal(fleet_show(fleet, id, &shown, NULL), 0);
	return !uuid_is_zero(&shown.network);
}

/* --- who is inside --- */

static void the_connections_address_counts_and_behind_nat_the_agents_own(void **state)
{
	static const struct {
		const char *seen_from;
		const char *addresses[3];
		bool inside;
	} cases[] = {
		{ "10.1.0.7", { NULL }, true },
		{ "::ffff:10.1.0.7", { NULL }, true },
		{ "192.0.2.1", { NULL }, false },
		{ "192.0.2.1", { "10.1.0.7" }, true },               /* NAT */
		{ "192.0.2.1", { "fd00::7", "10.1.0.7" }, true },    /* NAT, the second address */
		{ "192.0.2.1", { "192.0.2.1", "10.1.0.7" }, false }, /* its own; the other is a bridge */
		{ "10.1.0.7", { "192.0.2.1" }, true },
		{ "127.0.0.1", { "10.1.0.7" }, false }, /* no NAT comes from there */
		{ NULL, { "10.1.0.7" }, false },        /* nothing is known */
	};
	struct networks *table = table_of(&periodic, "10.1.0.0/16");

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct fleet *fleet = fleet_with(table, &one);
		struct agent agent = agent_new(1, cases[i].seen_from);

		for (size_t j = 0; j < COUNT_OF(cases[i].addresses); j++)
			agent.addresses[j] = (char *)(uintptr_t)cases[i].addresses[j];
		exchange_once(fleet, &agent);
		if (is_inside(fleet, &agent.id) != cases[i].inside)
			fail_msg("case %zu", i);
		assert_int_equal(fleet_count_in(fleet, &(struct uuid){ { 42 } }), cases[i].inside);
		fleet_free(fleet);
	}
	networks_free(table);
}

/* --- what it is told --- */

static void the_first_reply_tells_and_nothing_is_held_where_it_polls(void **state)
{
	struct networks *table = table_of(&periodic, "10.1.0.0/16");
	struct fleet *fleet = fleet_with(table, &one);
	struct agent agent = agent_new(1, "10.1.0.7");
	struct fleet_exchange *exchange;
	struct network_pace pace;

	(void)state;
	agent.hold_s = 50;
	for (unsigned i = 0; i < 3; i++) {
		exchange = report(fleet, &agent);
		assert_false(is_held(fleet, exchange));
		pace = replied(fleet, exchange);
		assert_int_equal(pace.interval_s, 600);
		assert_true(pace.periodic);
	}
	fleet_free(fleet);
	networks_free(table);
}

static void once_told_a_poll_is_held_as_the_policy_says(void **state)
{
	struct networks *table = table_of(&held, "10.1.0.0/16");
	struct fleet *fleet = fleet_with(table, &one);
	struct agent agent = agent_new(1, "10.1.0.7");
	struct fleet_exchange *exchange;
	struct network_pace pace;

	(void)state;
	agent.hold_s = 50;
	exchange = report(fleet, &agent);
	assert_false(is_held(fleet, exchange));
	pace = replied(fleet, exchange);
	assert_int_equal(pace.interval_s, 600);
	assert_false(pace.periodic);
	exchange = report(fleet, &agent);
	assert_true(is_held(fleet, exchange));
	assert_int_equal(replied(fleet, exchange).interval_s, 600); /* and again, should it have been lost */
	agent.session++;                                            /* started again: it knows nothing */
	agent.sequence = 0;
	exchange = report(fleet, &agent);
	assert_false(is_held(fleet, exchange));
	assert_int_equal(replied(fleet, exchange).interval_s, 600);
	fleet_free(fleet);
	networks_free(table);
}

static void moving_out_is_told_at_the_next_exchange(void **state)
{
	struct networks *table = table_of(&held, "10.1.0.0/16");
	struct fleet *fleet = fleet_with(table, &one);
	struct agent agent = agent_new(1, "10.1.0.7");
	struct fleet_exchange *exchange;

	(void)state;
	agent.hold_s = 50;
	exchange_once(fleet, &agent);
	agent.seen_from = "192.0.2.1";
	exchange = report(fleet, &agent);
	assert_false(is_held(fleet, exchange));
	assert_int_equal(replied(fleet, exchange).interval_s, 0);
	exchange = report(fleet, &agent);
	assert_true(is_held(fleet, exchange));
	fleet_exchange_free(fleet, exchange);
	assert_int_equal(fleet_count_in(fleet, &(struct uuid){ { 42 } }), 0);
	fleet_free(fleet);
	networks_free(table);
}

/* --- when it is offline --- */

static void offline_is_after_the_networks_time_and_not_before(void **state)
{
	struct networks *table = table_of(&periodic, "10.1.0.0/16");
	struct fleet *fleet = fleet_with(table, &one);
	struct agent agent = agent_new(1, "10.1.0.7");
	time_us heard = now;

	(void)state;
	exchange_once(fleet, &agent);
	tick_until(fleet, heard + 30 * MINUTE_US);
	assert_false(is_offline(fleet, &agent.id));
	tick_until(fleet, heard + 30 * MINUTE_US + SECOND_US);
	assert_true(is_offline(fleet, &agent.id));
	assert_int_equal(told_offline, 1);
	exchange_once(fleet, &agent);
	assert_false(is_offline(fleet, &agent.id));
	fleet_free(fleet);
	networks_free(table);
}

static void who_speaks_as_told_is_never_offline(void **state)
{
	static const struct network_rules tight = { true, 1, 1, 0 };
	struct networks *table = table_of(&tight, "10.1.0.0/16");
	struct fleet *fleet = fleet_with(table, &one);
	struct agent agent = agent_new(1, "10.1.0.7");

	(void)state;
	for (unsigned i = 0; i < 500; i++) {
		exchange_once(fleet, &agent);
		tick_until(fleet, now + MINUTE_US);
		assert_false(is_offline(fleet, &agent.id));
	}
	assert_int_equal(told_offline, 0);
	fleet_free(fleet);
	networks_free(table);
}

static void the_longest_time_is_no_overflow(void **state)
{
	static const struct network_rules longest = { true, 129600, 129600, 0 };
	struct networks *table = table_of(&longest, "10.1.0.0/16");
	struct fleet *fleet = fleet_with(table, &one);
	struct agent agent = agent_new(1, "10.1.0.7");
	struct fleet_computer shown;

	(void)state;
	assert_int_equal(exchange_once(fleet, &agent).interval_s, 7776000);
	tick_until(fleet, now + HOUR_US);
	assert_false(is_offline(fleet, &agent.id));
	assert_int_equal(fleet_show(fleet, &agent.id, &shown, NULL), 0);
	assert_int_equal(shown.offline_us, 90 * DAY_US);
	fleet_free(fleet);
	networks_free(table);
}

static void a_network_holds_where_the_policy_would_never_say_offline(void **state)
{
	const struct fleet_computer laptop = { .id = { { 1 } }, .interval_us = MINUTE_US, .missed = FLEET_UNLIMITED };
	struct networks *table = table_of(&periodic, "10.1.0.0/16");
	struct fleet *fleet = fleet_with(table, &laptop);
	struct agent agent = agent_new(1, "10.1.0.7");

	(void)state;
	exchange_once(fleet, &agent);
	tick_until(fleet, now + 30 * MINUTE_US + SECOND_US);
	assert_true(is_offline(fleet, &agent.id));
	agent.seen_from = "192.0.2.1";
	exchange_once(fleet, &agent);
	tick_until(fleet, now + 2 * HOUR_US);
	assert_false(is_offline(fleet, &agent.id));
	fleet_free(fleet);
	networks_free(table);
}

/* --- editing --- */

static size_t place_all(struct fleet *fleet, size_t most, span_us gap)
{
	time_us slot = now;
	size_t calls = 1;

	while (fleet_place_some(fleet, most, gap, &slot))
		calls++;
	return calls;
}

/* An agent told to speak every 10 minutes is not silent after 1, whatever was edited since. */
static void a_shorter_time_does_not_make_the_obedient_silent(void **state)
{
	static const struct network_rules shorter = { true, 1, 1, 1 };
	struct networks *before = table_of(&periodic, "10.1.0.0/16"), *after = table_of(&shorter, "10.1.0.0/16");
	struct fleet *fleet = fleet_with(before, &one);
	struct agent agent = agent_new(1, "10.1.0.7");

	(void)state;
	exchange_once(fleet, &agent);
	tick_until(fleet, now + MINUTE_US);
	fleet_set_networks(fleet, after);
	place_all(fleet, 100, 0);
	tick_until(fleet, now + 9 * MINUTE_US);
	assert_false(is_offline(fleet, &agent.id));
	assert_int_equal(exchange_once(fleet, &agent).interval_s, 60); /* in time, and told */
	tick_until(fleet, now + MINUTE_US);
	assert_false(is_offline(fleet, &agent.id));
	tick_until(fleet, now + SECOND_US);
	assert_true(is_offline(fleet, &agent.id));
	fleet_free(fleet);
	networks_free(before);
	networks_free(after);
}

static void a_dead_one_is_offline_at_the_new_time(void **state)
{
	static const struct network_rules shorter = { true, 10, 12, 60 };
	struct networks *before = table_of(&periodic, "10.1.0.0/16"), *after = table_of(&shorter, "10.1.0.0/16");
	struct fleet *fleet = fleet_with(before, &one);
	struct agent agent = agent_new(1, "10.1.0.7");
	time_us heard = now;

	(void)state;
	exchange_once(fleet, &agent);
	tick_until(fleet, heard + 5 * MINUTE_US);
	fleet_set_networks(fleet, after);
	place_all(fleet, 100, 0);
	tick_until(fleet, heard + 12 * MINUTE_US);
	assert_false(is_offline(fleet, &agent.id));
	tick_until(fleet, heard + 12 * MINUTE_US + SECOND_US);
	assert_true(is_offline(fleet, &agent.id));
	fleet_set_networks(fleet, NULL); /* deleted: nobody is inside */
	place_all(fleet, 100, 0);
	assert_false(is_inside(fleet, &agent.id));
	fleet_free(fleet);
	networks_free(before);
	networks_free(after);
}

/* One that is offline may be silent so long after all: nobody knows until it speaks. */
static void a_longer_time_takes_an_error_back(void **state)
{
	static const struct network_rules longer = { true, 10, 120, 60 };
	struct networks *before = table_of(&periodic, "10.1.0.0/16"), *after = table_of(&longer, "10.1.0.0/16");
	struct fleet *fleet = fleet_with(before, &one);
	struct agent agent = agent_new(1, "10.1.0.7");
	time_us heard = now;

	(void)state;
	exchange_once(fleet, &agent);
	tick_until(fleet, heard + 40 * MINUTE_US);
	assert_true(is_offline(fleet, &agent.id));
	fleet_set_networks(fleet, after);
	place_all(fleet, 100, 0);
	assert_false(is_offline(fleet, &agent.id));
	tick_until(fleet, heard + 120 * MINUTE_US);
	assert_false(is_offline(fleet, &agent.id));
	tick_until(fleet, heard + 120 * MINUTE_US + SECOND_US);
	assert_true(is_offline(fleet, &agent.id));
	assert_int_equal(told_offline, 2);
	fleet_free(fleet);
	networks_free(before);
	networks_free(after);
}

#define MANY 100

/* Each call places no more than asked, all are placed in the end, and those that hold a request are woken apart. */
static void an_edit_reaches_all_in_small_steps_and_wakes_them_apart(void **state)
{
	static struct agent agents[MANY];
	static struct fleet_exchange *parked[MANY];
	struct networks *table = table_of(&held, "10.1.0.0/16");
	struct fleet *fleet = fleet_with(NULL, NULL);

	(void)state;
	for (unsigned i = 0; i < MANY; i++) {
		struct fleet_computer record = one;

		agents[i] = agent_new((uint8_t)(i + 1), i % 2 == 0 ? "10.1.0.7" : "192.0.2.1");
		agents[i].hold_s = 600;
		record.id = agents[i].id;
		assert_int_equal(fleet_add(fleet, &record, NULL), 0);
		parked[i] = report(fleet, &agents[i]);
		assert_true(is_held(fleet, parked[i]));
	}
	fleet_set_networks(fleet, table);
	fleet_remove(fleet, &agents[MANY - 1].id); /* the first to be placed */
	wakes = 0;
	assert_true(place_all(fleet, 10, 2 * SECOND_US) >= MANY / 10);
	assert_int_equal(fleet_count_in(fleet, &(struct uuid){ { 42 } }), MANY / 2);
	for (unsigned second = 1; second <= 20; second++) {
		tick_until(fleet, now + SECOND_US);
		assert_true(wakes <= second / 2 + 1);
		assert_true(wakes >= second / 2);
	}
	tick_until(fleet, now + 100 * SECOND_US);
	assert_int_equal(wakes, MANY / 2); /* those outside are left alone */
	for (unsigned i = 0; i < MANY; i++)
		fleet_exchange_free(fleet, parked[i]);
	fleet_free(fleet);
	networks_free(table);
}

/* --- a restart of the manager --- */

static void a_restart_knows_who_was_inside(void **state)
{
	struct networks *table = table_of(&periodic, "10.1.0.0/16");
	struct address addresses[1];
	struct fleet_computer record = one;
	struct fleet *fleet;

	(void)state;
	record.status = FLEET_ONLINE;
	record.last_heard = given_wall(NULL) - 5 * MINUTE_US; /* long by the policy, nothing by the network */
	assert_int_equal(address_parse("192.0.2.1", &record.seen_from, NULL), 0);
	assert_int_equal(address_parse("10.1.0.7", &addresses[0], NULL), 0);
	record.addresses = addresses;
	record.address_count = 1;
	fleet = fleet_with(table, &record);
	assert_true(is_inside(fleet, &record.id));
	assert_int_equal(fleet_with_status(fleet, FLEET_ONLINE), 1);
	tick_until(fleet, now + 30 * MINUTE_US);
	assert_false(is_offline(fleet, &record.id));
	tick_until(fleet, now + SECOND_US);
	assert_true(is_offline(fleet, &record.id));
	fleet_free(fleet);
	networks_free(table);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_connections_address_counts_and_behind_nat_the_agents_own),
		cmocka_unit_test(the_first_reply_tells_and_nothing_is_held_where_it_polls),
		cmocka_unit_test(once_told_a_poll_is_held_as_the_policy_says),
		cmocka_unit_test(moving_out_is_told_at_the_next_exchange),
		cmocka_unit_test(offline_is_after_the_networks_time_and_not_before),
		cmocka_unit_test(who_speaks_as_told_is_never_offline),
		cmocka_unit_test(the_longest_time_is_no_overflow),
		cmocka_unit_test(a_network_holds_where_the_policy_would_never_say_offline),
		cmocka_unit_test(a_shorter_time_does_not_make_the_obedient_silent),
		cmocka_unit_test(a_dead_one_is_offline_at_the_new_time),
		cmocka_unit_test(a_longer_time_takes_an_error_back),
		cmocka_unit_test(an_edit_reaches_all_in_small_steps_and_wakes_them_apart),
		cmocka_unit_test(a_restart_knows_who_was_inside),
	};

	now = DAY_US;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
