#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "fleet/fleet.h"
#include "given_time.h"

#define PORT 21112

static unsigned pokes;
static size_t stored_problems, stored_resolved;
static char stored_error[FLEET_LINK_ERROR_BYTES];

static const struct uuid id = { { 1, 2, 3 } };

static void note_wake(void *context, void *parked)
{
	(void)context;
	(void)parked;
}

static void note_dial(void *context)
{
	(void)context;
	pokes++;
}

static struct fleet *make(enum link_direction direction, uint16_t port)
{
	const struct fleet_options options = { .env = &env, .wake = note_wake, .dial = note_dial };
	const struct fleet_computer record = {
		.id = id,
		.interval_us = MINUTE_US,
		.missed = 2,
		.direction = direction,
		.direction_wanted = LINK_DIRECTIONS,
		.listen_port = port,
		.status = FLEET_ONLINE,
		.last_heard = WALL_START + HOUR_US,
	};
	struct fleet *fleet;

	now = HOUR_US;
	pokes = 0;
	stored_problems = stored_resolved = 0;
	assert_int_equal(fleet_new(&options, &fleet, NULL), 0);
	assert_int_equal(fleet_add(fleet, &record, NULL), 0);
	return fleet;
}

static void issue(struct fleet *fleet, uint8_t number)
{
	static const uint8_t envelope[] = { 0x0a, 0x01, 'x' };
	const struct fleet_command command = {
		.id = { { 9, number } },
		.computer = id,
		.kind = COMMAND_SCAN,
		.issued = given_wall(NULL),
		.timeout_us = HOUR_US,
		.envelope = envelope,
		.envelope_size = sizeof(envelope),
		.session = 5,
	};

	assert_int_equal(fleet_issue(fleet, &command, NULL), 0);
}

/* How long until it is to be dialled; INT64_MAX: it is not. The dial is begun. */
static span_us wait_for_dial(struct fleet *fleet)
{
	time_us began = now, next;
	struct uuid computer;
	uint16_t port;

	while (!fleet_dial_due(fleet, &computer, &port, &next)) {
		if (next == INT64_MAX)
			return INT64_MAX;
		assert_true(next > now);
		now = next;
	}
	assert_true(uuid_equal(&computer, &id));
	return now - began;
}

static bool wants_turn;

/* One round of a talk: the report of this sequence, and whether its reply is worth sending. */
static bool talk(struct fleet *fleet, uint64_t sequence, bool full)
{
	Muster__Wire__Report report = MUSTER__WIRE__REPORT__INIT;
	struct fleet_exchange *exchange;
	Muster__Wire__Reply *reply;
	bool configuration, more;
	time_us until;

	report.protocol = 1;
	report.computer = exchange_bytes(id.bytes, UUID_BYTES);
	report.session = 5;
	report.sequence = sequence;
	report.full = full;
	report.wants_turn = wants_turn;
	assert_int_equal(fleet_heard(fleet, &id, &report, &exchange, NULL), 0);
	if (!fleet_rows_empty(fleet_exchange_rows(exchange)))
		fleet_stored(fleet, exchange, 0);
	assert_true(fleet_answer(fleet, exchange, false, NULL, &until));
	assert_int_equal(fleet_reply(fleet, exchange, &reply, &configuration, NULL), 0);
	more = fleet_more(exchange);
	fleet_reply_answers(exchange, reply);
	assert_int_equal(reply->answers_session, 5);
	assert_int_equal(reply->answers_sequence, sequence);
	fleet_exchange_free(fleet, exchange);
	return more;
}

static void store(void *argument, struct fleet_exchange *exchange)
{
	const struct fleet_rows *rows = fleet_exchange_rows(exchange);

	for (size_t i = 0; i < rows->manager_event_count; i++) {
		stored_problems += rows->manager_events[i].type == EVENT_COMMUNICATION_PROBLEM;
		stored_resolved += rows->manager_events[i].type == EVENT_COMMUNICATION_RESOLVED;
	}
	if (rows->link_error != NULL)
		snprintf(stored_error, sizeof(stored_error), "%s", rows->link_error);
	fleet_stored(argument, exchange, 0);
	fleet_exchange_free(argument, exchange);
}

static void tick(struct fleet *fleet)
{
	now += SECOND_US;
	fleet_tick(fleet, store, fleet);
}

static void manager_initiated_is_dialled_on_schedule(void **state)
{
	struct fleet *fleet = make(LINK_MANAGER_INITIATED, PORT);

	(void)state;
	assert_true(wait_for_dial(fleet) <= MINUTE_US); /* spread after a start */
	for (uint64_t i = 1; i < 50; i++) {
		span_us wait;

		talk(fleet, i, i == 1);
		fleet_dialled(fleet, &id, 0, "");
		wait = wait_for_dial(fleet);
		assert_in_range(wait, MINUTE_US - MINUTE_US / 10, MINUTE_US);
	}
	fleet_free(fleet);
}

static void a_quiet_heartbeat_is_one_round(void **state)
{
	struct fleet *fleet = make(LINK_MANAGER_INITIATED, PORT);

	(void)state;
	wait_for_dial(fleet);
	assert_true(talk(fleet, 1, true)); /* the first is full: it is confirmed */
	assert_false(talk(fleet, 2, false));
	assert_true(talk(fleet, 9, false)); /* a gap: the whole state is asked for */
	fleet_free(fleet);
}

static void work_is_dialled_at_once_and_followed(void **state)
{
	struct fleet *fleet = make(LINK_MANAGER_INITIATED, PORT);
	span_us waited = 0;

	(void)state;
	wait_for_dial(fleet);
	talk(fleet, 1, true);
	fleet_dialled(fleet, &id, 0, "");
	pokes = 0;
	issue(fleet, 1);
	assert_int_equal(pokes, 1);
	assert_int_equal(wait_for_dial(fleet), 0);
	for (uint64_t i = 2; i < 8; i++) { /* sent, and nothing heard of it yet: soon again, ever later */
		span_us wait;

		talk(fleet, i, false);
		fleet_dialled(fleet, &id, 0, "");
		wait = wait_for_dial(fleet);
		assert_true(wait >= waited / 2 && wait <= 32 * SECOND_US);
		waited = wait;
	}
	fleet_free(fleet);
}

/* What is not the fleet's: dialled for at its moment, once. */
static void a_reply_that_is_wanted_is_dialled_for(void **state)
{
	struct fleet *fleet = make(LINK_MANAGER_INITIATED, PORT);

	(void)state;
	wait_for_dial(fleet);
	talk(fleet, 1, true);
	fleet_dialled(fleet, &id, 0, "");
	assert_int_equal(fleet_want_reply(fleet, &id, now + 5 * SECOND_US, NULL), 0);
	assert_int_equal(wait_for_dial(fleet), 5 * SECOND_US);
	talk(fleet, 2, false);
	fleet_dialled(fleet, &id, 0, "");
	assert_in_range(wait_for_dial(fleet), MINUTE_US - MINUTE_US / 10, MINUTE_US);
	fleet_free(fleet);
	/* One that holds no request and listens. */
	fleet = make(LINK_BIDIRECTIONAL, PORT);
	assert_int_equal(wait_for_dial(fleet), INT64_MAX);
	assert_int_equal(fleet_want_reply(fleet, &id, now + 5 * SECOND_US, NULL), 0);
	assert_int_equal(wait_for_dial(fleet), 5 * SECOND_US);
	fleet_free(fleet);
}

static void one_that_wants_its_turn_is_followed(void **state)
{
	struct fleet *fleet = make(LINK_MANAGER_INITIATED, PORT);
	uint64_t sequence = 1;
	span_us wait = 0;

	(void)state;
	wait_for_dial(fleet);
	wants_turn = true;
	for (; sequence < 12; sequence++) { /* it never has enough: soon again, no faster than work is followed */
		talk(fleet, sequence, sequence == 1);
		fleet_dialled(fleet, &id, 0, "");
		wait = wait_for_dial(fleet);
		assert_in_range(wait, SECOND_US, 32 * SECOND_US);
	}
	assert_true(wait >= 8 * SECOND_US);
	wants_turn = false;
	talk(fleet, sequence, false);
	fleet_dialled(fleet, &id, 0, "");
	assert_in_range(wait_for_dial(fleet), MINUTE_US - MINUTE_US / 10, MINUTE_US);
	fleet_free(fleet);
}

static void bidirectional_only_for_work_without_a_poll(void **state)
{
	struct fleet *fleet = make(LINK_BIDIRECTIONAL, PORT);

	(void)state;
	assert_int_equal(wait_for_dial(fleet), INT64_MAX);
	issue(fleet, 1);
	assert_in_range(wait_for_dial(fleet), 0, 2 * SECOND_US);
	fleet_free(fleet);
	fleet = make(LINK_BIDIRECTIONAL, 0); /* it listens nowhere */
	issue(fleet, 1);
	assert_int_equal(wait_for_dial(fleet), INT64_MAX);
	assert_int_equal(fleet_dial_now(fleet, &id, NULL), ERR_WRONG_STATE);
	fleet_free(fleet);
}

static void go_offline(struct fleet *fleet)
{
	struct fleet_computer shown;

	talk(fleet, 1, true);
	do {
		now += SECOND_US;
		fleet_tick(fleet, store, fleet);
		assert_int_equal(fleet_show(fleet, &id, &shown, NULL), 0);
	} while (shown.status != FLEET_OFFLINE);
}

/* It comes by itself when it is on again; unless it only listens, and a copy of it told us another direction. */
static void one_that_is_offline_is_looked_for(void **state)
{
	struct fleet *fleet = make(LINK_BIDIRECTIONAL, PORT);
	struct fleet_computer shown;

	(void)state;
	go_offline(fleet);
	for (int i = 0; i < 5; i++) {
		assert_in_range(wait_for_dial(fleet), HOUR_US / 2, HOUR_US + HOUR_US / 2);
		fleet_dialled(fleet, &id, ERR_CONNECT, "connection refused");
	}
	assert_int_equal(fleet_show(fleet, &id, &shown, NULL), 0);
	assert_string_equal(shown.link_error, ""); /* it is off, as was told: no more than that */
	wait_for_dial(fleet);
	talk(fleet, 2, false); /* there it is */
	fleet_dialled(fleet, &id, 0, "");
	assert_int_equal(stored_problems, 0);
	assert_int_equal(wait_for_dial(fleet), INT64_MAX);
	fleet_free(fleet);
	/* One that a person wants to be dialled: what comes of it is shown. */
	fleet = make(LINK_BIDIRECTIONAL, PORT);
	go_offline(fleet);
	assert_int_equal(fleet_dial_now(fleet, &id, NULL), 0);
	assert_int_equal(wait_for_dial(fleet), 0);
	fleet_dialled(fleet, &id, ERR_CONNECT, "connection refused");
	assert_int_equal(fleet_show(fleet, &id, &shown, NULL), 0);
	assert_string_equal(shown.link_error, "connection refused");
	assert_in_range(wait_for_dial(fleet), HOUR_US / 2, HOUR_US + HOUR_US / 2);
	fleet_free(fleet);
	fleet = make(LINK_AGENT_INITIATED, PORT);
	go_offline(fleet);
	assert_int_equal(wait_for_dial(fleet), INT64_MAX);
	fleet_free(fleet);
}

static void agent_initiated_is_never_dialled(void **state)
{
	struct fleet *fleet = make(LINK_AGENT_INITIATED, PORT);

	(void)state;
	issue(fleet, 1);
	assert_int_equal(wait_for_dial(fleet), INT64_MAX);
	assert_int_equal(fleet_dial_now(fleet, &id, NULL), ERR_WRONG_STATE);
	/* But when the manager wants it otherwise it must be reached to learn of it. */
	assert_int_equal(fleet_set_direction(fleet, &id, LINK_MANAGER_INITIATED, NULL), 0);
	assert_int_equal(wait_for_dial(fleet), 0);
	fleet_free(fleet);
}

static void leaving_manager_initiated_goes_on_until_the_agent_says_so(void **state)
{
	struct fleet *fleet = make(LINK_MANAGER_INITIATED, PORT);

	(void)state;
	assert_int_equal(fleet_set_direction(fleet, &id, LINK_AGENT_INITIATED, NULL), 0);
	assert_true(wait_for_dial(fleet) <= MINUTE_US);
	fleet_free(fleet);
}

static void failures_back_off_and_are_told_once(void **state)
{
	struct fleet *fleet = make(LINK_MANAGER_INITIATED, PORT);
	struct fleet_computer shown;

	(void)state;
	for (int i = 0; i < 12; i++) {
		assert_in_range(wait_for_dial(fleet), 0, MINUTE_US + SECOND_US);
		fleet_dialled(fleet, &id, ERR_RESOLVE, "resolve no-such-host: not known");
		tick(fleet);
		assert_int_equal(stored_problems, i == 0 ? 0 : 1);
	}
	fleet_show(fleet, &id, &shown, NULL);
	assert_string_equal(shown.link_error, "resolve no-such-host: not known");
	assert_string_equal(stored_error, shown.link_error);
	wait_for_dial(fleet);
	fleet_dialled(fleet, &id, 0, "");
	tick(fleet);
	assert_int_equal(stored_resolved, 1);
	assert_string_equal(stored_error, "");
	/* The manager's own trouble is no word about the computer. */
	for (int i = 0; i < 5; i++) {
		wait_for_dial(fleet);
		fleet_dialled(fleet, &id, ERR_BUSY, "busy");
		tick(fleet);
	}
	assert_int_equal(stored_problems, 1);
	fleet_free(fleet);
}

static void a_machine_that_is_shut_off_is_no_problem(void **state)
{
	struct fleet *fleet = make(LINK_MANAGER_INITIATED, PORT);

	(void)state;
	for (int i = 0; i < 6; i++) {
		if (i == 2)
			assert_int_equal(fleet_set_machine(fleet, &id, MACHINE_STOPPED, NULL), 0);
		wait_for_dial(fleet); /* it goes on: a hypervisor's word may be wrong */
		fleet_dialled(fleet, &id, ERR_CONNECT, "no route to host");
		tick(fleet);
		tick(fleet);
		assert_int_equal(stored_problems, i >= 1 ? 1 : 0);
		assert_int_equal(stored_resolved, i >= 2 ? 1 : 0);
	}
	assert_int_equal(fleet_set_machine(fleet, &id, MACHINE_RUNNING, NULL), 0);
	wait_for_dial(fleet);
	fleet_dialled(fleet, &id, ERR_CONNECT, "no route to host");
	tick(fleet);
	tick(fleet);
	assert_int_equal(stored_problems, 2);
	fleet_free(fleet);
}

static void place_all(struct fleet *fleet, const struct networks *networks)
{
	time_us slot = 0;

	fleet_set_networks(fleet, networks);
	while (fleet_place_some(fleet, 10, 0, &slot))
		;
}

static void in_a_network_that_cannot_be_reached_nobody_is_dialled(void **state)
{
	struct address_range range;
	const struct network network = {
		.id = { { 42 } }, .name = "branch", .rules = { true, 10, 30, 0 }, .ranges = &range, .range_count = 1
	};
	struct fleet *fleet = make(LINK_BIDIRECTIONAL, PORT);
	struct networks *networks;
	struct address from;
	struct err err = { 0 };

	(void)state;
	assert_int_equal(address_range_parse("10.1.0.0/16", &range, NULL), 0);
	assert_int_equal(networks_new(&network, 1, &networks, NULL), 0);
	assert_int_equal(address_parse("10.1.2.3", &from, NULL), 0);
	fleet_seen_from(fleet, &id, &from);
	place_all(fleet, networks);
	issue(fleet, 1);
	assert_int_equal(wait_for_dial(fleet), INT64_MAX);
	assert_int_equal(fleet_dial_now(fleet, &id, &err), ERR_WRONG_STATE);
	assert_non_null(strstr(err.text, "cannot reach"));
	place_all(fleet, NULL); /* it can be reached after all */
	assert_in_range(wait_for_dial(fleet), 0, MINUTE_US);
	fleet_free(fleet);
	/* One that does not speak any more may only listen. */
	fleet = make(LINK_BIDIRECTIONAL, PORT);
	fleet_seen_from(fleet, &id, &from);
	place_all(fleet, networks);
	go_offline(fleet);
	assert_in_range(wait_for_dial(fleet), HOUR_US / 2, HOUR_US + HOUR_US / 2);
	fleet_free(fleet);
	networks_free(networks);
}

/* It can prove a new way only by being dialled on it, and heartbeats may be an hour apart. */
/* An agent that only listens speaks as often as its network says, or each would be offline there in between. */
static void one_that_listens_in_a_network_is_dialled_at_its_pace(void **state)
{
	struct address_range range;
	const struct network network = {
		.id = { { 42 } }, .name = "branch", .rules = { true, 10, 10, 0 }, .ranges = &range, .range_count = 1
	};
	struct fleet *fleet = make(LINK_MANAGER_INITIATED, PORT);
	struct networks *networks;
	struct address from;

	(void)state;
	assert_int_equal(address_range_parse("10.1.0.0/16", &range, NULL), 0);
	assert_int_equal(networks_new(&network, 1, &networks, NULL), 0);
	assert_int_equal(address_parse("10.1.2.3", &from, NULL), 0);
	assert_int_equal(fleet_set_heartbeat(fleet, &id, HOUR_US, 2, NULL), 0);
	fleet_seen_from(fleet, &id, &from);
	wait_for_dial(fleet);
	talk(fleet, 1, true);
	fleet_dialled(fleet, &id, 0, ""); /* by its policy, in an hour */
	place_all(fleet, networks);
	assert_in_range(wait_for_dial(fleet), 0, 10 * MINUTE_US); /* not the hour that was meant before */
	for (uint64_t i = 2; i < 20; i++) {
		talk(fleet, i, false);
		fleet_dialled(fleet, &id, 0, "");
		assert_in_range(wait_for_dial(fleet), 9 * MINUTE_US, 10 * MINUTE_US);
	}
	place_all(fleet, NULL);
	talk(fleet, 20, false);
	fleet_dialled(fleet, &id, 0, "");
	assert_in_range(wait_for_dial(fleet), 54 * MINUTE_US, HOUR_US);
	fleet_free(fleet);
	networks_free(networks);
}

static void who_is_offered_again_what_it_refused_is_dialled_while_it_tries(void **state)
{
	struct fleet *fleet = make(LINK_MANAGER_INITIATED, PORT);
	Muster__Wire__Report report = MUSTER__WIRE__REPORT__INIT;
	static uint8_t wanted[SHA256_BYTES] = { 7 };
	struct fleet_exchange *exchange;
	Muster__Wire__Reply *reply;
	bool configuration = false;
	unsigned dials = 0;
	time_us until;

	(void)state;
	assert_int_equal(fleet_set_heartbeat(fleet, &id, 2 * HOUR_US, 2, NULL), 0);
	assert_int_equal(fleet_want_configuration(fleet, &id, wanted, 0, NULL), 0);
	report.protocol = 1;
	report.computer = exchange_bytes(id.bytes, UUID_BYTES);
	report.session = 5;
	report.refused_configuration = exchange_bytes(wanted, SHA256_BYTES);
	report.configuration_error = (char *)(uintptr_t) "not reached";
	for (report.sequence = 1; !configuration; report.sequence++) {
		wait_for_dial(fleet);
		report.full = report.sequence == 1;
		assert_int_equal(fleet_heard(fleet, &id, &report, &exchange, NULL), 0);
		if (!fleet_rows_empty(fleet_exchange_rows(exchange)))
			fleet_stored(fleet, exchange, 0);
		assert_true(fleet_answer(fleet, exchange, false, NULL, &until));
		assert_int_equal(fleet_reply(fleet, exchange, &reply, &configuration, NULL), 0);
		fleet_exchange_free(fleet, exchange);
		fleet_dialled(fleet, &id, 0, "");
		assert_in_range(report.sequence, 1, 10);
	}
	for (time_us end = now + 3 * MINUTE_US; now < end; dials++) {
		assert_in_range(wait_for_dial(fleet), 0, 20 * SECOND_US);
		fleet_dialled(fleet, &id, 0, "");
	}
	assert_in_range(dials, 9, 30);
	now += MINUTE_US;
	wait_for_dial(fleet);
	fleet_dialled(fleet, &id, 0, "");
	assert_true(wait_for_dial(fleet) > 10 * MINUTE_US);
	fleet_free(fleet);
}

static void it_is_dialled_once_at_a_time(void **state)
{
	struct fleet *fleet = make(LINK_MANAGER_INITIATED, PORT);
	struct uuid computer;
	uint16_t port;
	time_us next;

	(void)state;
	wait_for_dial(fleet);
	issue(fleet, 1);
	assert_int_equal(fleet_dial_now(fleet, &id, NULL), 0);
	assert_false(fleet_dial_due(fleet, &computer, &port, &next));
	assert_int_equal(next, INT64_MAX);
	fleet_remove(fleet, &id); /* and may be gone when the talk ends */
	fleet_dialled(fleet, &id, 0, "");
	fleet_free(fleet);
}

/* Heard, with its rows on their way to the disk. */
static struct fleet_exchange *tell(struct fleet *fleet, uint64_t sequence, enum link_direction direction)
{
	Muster__Wire__Component guard = MUSTER__WIRE__COMPONENT__INIT, *components[] = { &guard };
	Muster__Wire__Report report = MUSTER__WIRE__REPORT__INIT;
	Muster__Wire__Host host = MUSTER__WIRE__HOST__INIT;
	char first[] = "1", second[] = "2";
	bool other = direction != LINK_MANAGER_INITIATED;
	const struct fleet_rows *rows;
	struct fleet_exchange *exchange;

	guard.version = other ? second : first;
	host.direction = direction;
	report.protocol = 1;
	report.computer = exchange_bytes(id.bytes, UUID_BYTES);
	report.session = 5;
	report.sequence = sequence;
	report.full = true;
	report.host = &host;
	report.components = components;
	report.n_components = 1;
	report.configuration_error = other ? second : first;
	assert_int_equal(fleet_heard(fleet, &id, &report, &exchange, NULL), 0);
	rows = fleet_exchange_rows(exchange);
	assert_true((rows->host != NULL) == (rows->component_count > 0));
	assert_true((rows->host != NULL) == (rows->configuration_error != NULL));
	return exchange;
}

static bool is_written(const struct fleet_exchange *exchange)
{
	return fleet_exchange_rows(exchange)->host != NULL;
}

static void end(struct fleet *fleet, struct fleet_exchange *exchange, int rc)
{
	fleet_stored(fleet, exchange, rc);
	fleet_exchange_free(fleet, exchange);
}

static void a_state_that_returns_while_another_is_written_is_written_too(void **state)
{
	struct fleet *fleet = make(LINK_MANAGER_INITIATED, PORT);
	struct fleet_exchange *changed, *returned, *again;

	(void)state;
	end(fleet, tell(fleet, 1, LINK_MANAGER_INITIATED), 0);
	changed = tell(fleet, 2, LINK_BIDIRECTIONAL);
	returned = tell(fleet, 3, LINK_MANAGER_INITIATED); /* as the store has it, but not for long */
	assert_true(is_written(changed) && is_written(returned));
	end(fleet, changed, 0);
	end(fleet, returned, 0);
	again = tell(fleet, 4, LINK_MANAGER_INITIATED);
	assert_false(is_written(again));
	end(fleet, again, 0);
	fleet_free(fleet);
}

static void a_state_told_twice_counts_on_no_write_that_may_fail(void **state)
{
	struct fleet *fleet = make(LINK_MANAGER_INITIATED, PORT);
	struct fleet_exchange *first, *second;

	(void)state;
	first = tell(fleet, 1, LINK_MANAGER_INITIATED);
	second = tell(fleet, 2, LINK_MANAGER_INITIATED);
	assert_true(is_written(first) && is_written(second));
	fleet_exchange_free(fleet, second); /* given up: it is told anew, and written */
	end(fleet, first, ERR_IO);
	second = tell(fleet, 3, LINK_MANAGER_INITIATED);
	assert_true(is_written(second));
	end(fleet, second, 0);
	first = tell(fleet, 4, LINK_MANAGER_INITIATED);
	assert_false(is_written(first));
	end(fleet, first, 0);
	fleet_free(fleet);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(manager_initiated_is_dialled_on_schedule),
		cmocka_unit_test(a_quiet_heartbeat_is_one_round),
		cmocka_unit_test(work_is_dialled_at_once_and_followed),
		cmocka_unit_test(one_that_wants_its_turn_is_followed),
		cmocka_unit_test(bidirectional_only_for_work_without_a_poll),
		cmocka_unit_test(one_that_is_offline_is_looked_for),
		cmocka_unit_test(agent_initiated_is_never_dialled),
		cmocka_unit_test(leaving_manager_initiated_goes_on_until_the_agent_says_so),
		cmocka_unit_test(failures_back_off_and_are_told_once),
		cmocka_unit_test(a_machine_that_is_shut_off_is_no_problem),
		cmocka_unit_test(in_a_network_that_cannot_be_reached_nobody_is_dialled),
		cmocka_unit_test(one_that_listens_in_a_network_is_dialled_at_its_pace),
		cmocka_unit_test(who_is_offered_again_what_it_refused_is_dialled_while_it_tries),
		cmocka_unit_test(it_is_dialled_once_at_a_time),
		cmocka_unit_test(a_state_that_returns_while_another_is_written_is_written_too),
		cmocka_unit_test(a_state_told_twice_counts_on_no_write_that_may_fail),
		cmocka_unit_test(a_reply_that_is_wanted_is_dialled_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
