#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "fleet/fleet.h"

#define WALL_START ((time_us)1790000000 * SECOND_US)

static time_us now;
static uint64_t chance;
static void *woken;

static time_us test_wall(void *context)
{
	(void)context;
	return WALL_START + now;
}

static time_us test_monotonic(void *context)
{
	(void)context;
	return now;
}

static void test_random(void *context, void *out, size_t size)
{
	uint8_t *bytes = out;

	(void)context;
	for (size_t i = 0; i < size; i++)
		bytes[i] = (uint8_t)((chance = chance * 6364136223846793005u + 1442695040888963407u) >> 56);
}

static const struct env env = { NULL, test_wall, test_monotonic, test_random };
static const struct uuid id = { { 1, 2, 3 } };
static const struct uuid command_id = { { 9, 9 } };

static void note_wake(void *context, void *parked)
{
	(void)context;
	woken = parked;
}

static struct fleet *make(const struct fleet_computer *record)
{
	const struct fleet_options options = { .env = &env, .wake = note_wake };
	struct fleet *fleet;

	woken = NULL;
	assert_int_equal(fleet_new(&options, &fleet, NULL), 0);
	assert_int_equal(fleet_add(fleet, record, NULL), 0);
	return fleet;
}

static struct fleet *make_plain(void)
{
	const struct fleet_computer record = { .id = id, .interval_us = MINUTE_US, .missed = 2 };

	return make(&record);
}

struct report {
	Muster__Wire__Report wire;
	Muster__Wire__Event events[4], *event_list[4];
	Muster__Wire__CommandState command, *command_list[1];
};

static void fill(struct report *report, uint64_t session, uint64_t sequence, uint64_t first, size_t events)
{
	muster__wire__report__init(&report->wire);
	report->wire.protocol = 1;
	report->wire.computer = exchange_bytes(id.bytes, UUID_BYTES);
	report->wire.session = session;
	report->wire.sequence = sequence;
	report->wire.full = sequence == 1;
	report->wire.hold_s = 50;
	report->wire.events = report->event_list;
	report->wire.n_events = report->wire.events_waiting = events;
	for (size_t i = 0; i < events; i++) {
		muster__wire__event__init(&report->events[i]);
		report->events[i].number = first + i;
		report->events[i].type = EVENT_MALWARE_DETECTED;
		report->event_list[i] = &report->events[i];
	}
}

static void add_command(struct report *report, enum command_state state)
{
	muster__wire__command_state__init(&report->command);
	report->command.id = exchange_bytes(command_id.bytes, UUID_BYTES);
	report->command.state = (Muster__Wire__CommandState__State)state;
	report->command_list[0] = &report->command;
	report->wire.commands = report->command_list;
	report->wire.n_commands = 1;
}

static struct fleet_exchange *heard(struct fleet *fleet, const struct report *report)
{
	struct fleet_exchange *exchange;

	assert_int_equal(fleet_heard(fleet, &id, &report->wire, &exchange, NULL), 0);
	return exchange;
}

static Muster__Wire__Reply *reply(struct fleet *fleet, struct fleet_exchange *exchange)
{
	Muster__Wire__Reply *answer;
	bool configuration;

	assert_int_equal(fleet_reply(fleet, exchange, &answer, &configuration, NULL), 0);
	return answer;
}

/* One whole exchange, committed. */
static void exchange_once(struct fleet *fleet, const struct report *report)
{
	struct fleet_exchange *exchange = heard(fleet, report);

	if (!fleet_rows_empty(fleet_exchange_rows(exchange)))
		fleet_stored(fleet, exchange, 0);
	fleet_exchange_free(fleet, exchange);
}

static void issue(struct fleet *fleet, bool restored, enum command_state state)
{
	static const uint8_t envelope[] = { 0x0a, 0x01, 'x' };
	const struct fleet_command command = {
		.id = command_id,
		.computer = id,
		.kind = COMMAND_SCAN,
		.state = state,
		.issued = test_wall(NULL),
		.timeout_us = MINUTE_US,
		.restored = restored,
		.envelope = envelope,
		.envelope_size = sizeof(envelope),
	};

	assert_int_equal(fleet_issue(fleet, &command, NULL), 0);
	assert_int_equal(fleet_issue(fleet, &command, NULL), ERR_EXISTS);
}

/* --- tests --- */

static void events_go_in_once_and_are_acknowledged_when_stored(void **state)
{
	struct fleet *fleet = make_plain();
	struct fleet_exchange *first, *second;
	struct report report, again;

	(void)state;
	fill(&report, 7, 1, 1, 3);
	first = heard(fleet, &report);
	assert_int_equal(fleet_exchange_rows(first)->events.count, 3);
	fill(&again, 7, 2, 1, 4);
	second = heard(fleet, &again);
	assert_int_equal(fleet_exchange_rows(second)->events.count, 1);
	assert_int_equal(fleet_exchange_rows(second)->events.previous, 3);
	assert_int_equal(reply(fleet, second)->acknowledged_event, 0);
	fleet_stored(fleet, first, 0);
	assert_int_equal(reply(fleet, first)->acknowledged_event, 3);
	fleet_stored(fleet, second, ERR_CONFLICT);
	assert_int_equal(fleet_reply(fleet, second, &(Muster__Wire__Reply *){ NULL }, &(bool){ false }, NULL), ERR_IO);
	fleet_exchange_free(fleet, first);
	fleet_exchange_free(fleet, second);
	fill(&again, 7, 3, 1, 4); /* the fourth comes again and is new again */
	first = heard(fleet, &again);
	assert_int_equal(fleet_exchange_rows(first)->events.count, 1);
	fleet_exchange_free(fleet, first);
	fleet_free(fleet);
}

static void another_computer_is_refused(void **state)
{
	struct fleet *fleet = make_plain();
	const struct uuid stranger = { { 5 } };
	struct fleet_exchange *exchange;
	struct report report;

	(void)state;
	fill(&report, 7, 1, 1, 0);
	assert_int_equal(fleet_heard(fleet, &stranger, &report.wire, &exchange, NULL), ERR_NOT_FOUND);
	report.wire.computer = exchange_bytes(stranger.bytes, UUID_BYTES);
	assert_int_equal(fleet_heard(fleet, &id, &report.wire, &exchange, NULL), ERR_UNTRUSTED);
	fleet_free(fleet);
}

static void a_gap_asks_for_the_full_state(void **state)
{
	struct fleet *fleet = make_plain();
	struct fleet_exchange *exchange;
	struct report report;

	(void)state;
	fill(&report, 7, 1, 1, 0);
	exchange_once(fleet, &report);
	fill(&report, 7, 3, 1, 0);
	exchange = heard(fleet, &report);
	assert_true(reply(fleet, exchange)->send_full);
	fleet_exchange_free(fleet, exchange);
	fill(&report, 7, 4, 1, 0);
	exchange = heard(fleet, &report);
	assert_false(reply(fleet, exchange)->send_full);
	fleet_exchange_free(fleet, exchange);
	fleet_free(fleet);
}

static void a_stale_report_changes_no_state(void **state)
{
	struct fleet *fleet = make_plain();
	Muster__Wire__Host host = MUSTER__WIRE__HOST__INIT;
	struct fleet_exchange *exchange;
	struct report report;

	(void)state;
	fill(&report, 7, 1, 1, 0);
	exchange_once(fleet, &report);
	fill(&report, 7, 2, 1, 0);
	exchange_once(fleet, &report);
	fill(&report, 7, 1, 1, 2);
	report.wire.host = &host;
	exchange = heard(fleet, &report);
	assert_null(fleet_exchange_rows(exchange)->host);
	assert_int_equal(fleet_exchange_rows(exchange)->events.count, 2); /* events have numbers of their own */
	fleet_exchange_free(fleet, exchange);
	fleet_free(fleet);
}

static size_t ticked_events;
static uint32_t ticked_type;
static enum command_state ticked_state;

static void take_tick(void *argument, struct fleet_exchange *exchange)
{
	const struct fleet_rows *rows = fleet_exchange_rows(exchange);

	*(struct fleet_exchange **)argument = exchange;
	for (size_t i = 0; i < rows->manager_event_count; i++) {
		ticked_events++;
		ticked_type = rows->manager_events[i].type;
	}
	for (size_t i = 0; i < rows->command_count; i++)
		ticked_state = rows->commands[i].state;
}

static void tick_until(struct fleet *fleet, time_us end)
{
	ticked_events = 0;
	while (now < end) {
		struct fleet_exchange *exchange = NULL;

		now += SECOND_US;
		fleet_tick(fleet, take_tick, &exchange);
		if (exchange != NULL) {
			fleet_stored(fleet, exchange, 0);
			fleet_exchange_free(fleet, exchange);
		}
	}
}

static enum fleet_status status(struct fleet *fleet)
{
	struct fleet_computer shown;

	assert_int_equal(fleet_show(fleet, &id, &shown, NULL), 0);
	return shown.status;
}

static void offline_after_one_heartbeat_more_than_allowed(void **state)
{
	struct fleet *fleet;
	struct report report;
	time_us start;

	(void)state;
	now = 0;
	fleet = make_plain();
	fill(&report, 7, 1, 1, 0);
	exchange_once(fleet, &report);
	start = now;
	tick_until(fleet, start + 3 * MINUTE_US);
	assert_int_equal(status(fleet), FLEET_ONLINE);
	tick_until(fleet, start + 3 * MINUTE_US + SECOND_US); /* within a second of the moment */
	assert_int_equal(status(fleet), FLEET_OFFLINE);
	assert_int_equal(ticked_type, EVENT_COMPUTER_OFFLINE);
	assert_int_equal(ticked_events, 1);
	fill(&report, 7, 2, 1, 0);
	exchange_once(fleet, &report);
	assert_int_equal(status(fleet), FLEET_ONLINE);
	fleet_free(fleet);
}

static void becomes(struct fleet *fleet, uint32_t missed, enum fleet_status expected, uint32_t event)
{
	assert_int_equal(fleet_set_heartbeat(fleet, &id, MINUTE_US, missed, NULL), 0);
	ticked_type = 0;
	tick_until(fleet, now + 10 * SECOND_US);
	assert_int_equal(status(fleet), expected);
	assert_int_equal(ticked_events, event != 0);
	assert_int_equal(ticked_type, event);
}

static void who_may_be_silent_is_offline_no_more(void **state)
{
	struct fleet_computer shown;
	struct report report;
	struct fleet *fleet;

	(void)state;
	now = 0;
	fleet = make_plain();
	fill(&report, 7, 1, 1, 0);
	exchange_once(fleet, &report);
	tick_until(fleet, 4 * MINUTE_US);
	assert_int_equal(status(fleet), FLEET_OFFLINE);
	assert_int_equal(fleet_show(fleet, &id, &shown, NULL), 0);
	becomes(fleet, 3, FLEET_OFFLINE, 0); /* that is too long all the same */
	becomes(fleet, FLEET_UNLIMITED, FLEET_UNKNOWN, EVENT_COMPUTER_NOT_WATCHED);
	becomes(fleet, FLEET_UNLIMITED, FLEET_UNKNOWN, 0);
	becomes(fleet, 2, FLEET_OFFLINE, EVENT_COMPUTER_OFFLINE);
	becomes(fleet, 5, FLEET_UNKNOWN, EVENT_COMPUTER_NOT_WATCHED);
	tick_until(fleet, 6 * MINUTE_US);
	assert_int_equal(ticked_events, 0);
	tick_until(fleet, 6 * MINUTE_US + SECOND_US);
	assert_int_equal(ticked_type, EVENT_COMPUTER_OFFLINE);
	fleet_free(fleet);
	/* Set in the last write of a manager: its next start tells it. */
	shown.missed = FLEET_UNLIMITED;
	fleet = make(&shown);
	tick_until(fleet, now + MINUTE_US);
	assert_int_equal(status(fleet), FLEET_UNKNOWN);
	assert_int_equal(ticked_type, EVENT_COMPUTER_NOT_WATCHED);
	assert_int_equal(ticked_events, 1);
	fleet_free(fleet);
}

static void policy_of_a_shorter_interval(struct fleet *fleet, uint8_t wanted[SHA256_BYTES])
{
	memset(wanted, 7, SHA256_BYTES);
	assert_int_equal(fleet_set_heartbeat(fleet, &id, MINUTE_US, 2, NULL), 0);
	assert_int_equal(fleet_want_configuration(fleet, &id, wanted, HOUR_US, NULL), 0);
}

static void an_agent_that_goes_by_its_old_interval_is_not_offline(void **state)
{
	const struct fleet_computer record = { .id = id, .interval_us = HOUR_US, .missed = 2 };
	uint8_t wanted[SHA256_BYTES];
	struct fleet *fleet;
	struct report report;

	(void)state;
	now = 0;
	fleet = make(&record);
	fill(&report, 7, 1, 1, 0);
	report.wire.heartbeat_s = 3600;
	exchange_once(fleet, &report);
	policy_of_a_shorter_interval(fleet, wanted);
	tick_until(fleet, 3 * HOUR_US);
	assert_int_equal(status(fleet), FLEET_ONLINE);
	tick_until(fleet, 3 * HOUR_US + SECOND_US);
	assert_int_equal(status(fleet), FLEET_OFFLINE);
	fleet_free(fleet);
}

static void with_the_configuration_the_new_interval_counts_at_once(void **state)
{
	const struct fleet_computer record = { .id = id, .interval_us = HOUR_US, .missed = 2 };
	uint8_t wanted[SHA256_BYTES];
	struct fleet *fleet;
	struct report report;

	(void)state;
	now = 0;
	fleet = make(&record);
	fill(&report, 7, 1, 1, 0);
	report.wire.heartbeat_s = 3600;
	exchange_once(fleet, &report);
	policy_of_a_shorter_interval(fleet, wanted);
	fill(&report, 7, 2, 1, 0);
	report.wire.heartbeat_s = 60;
	report.wire.configuration = exchange_bytes(wanted, SHA256_BYTES);
	exchange_once(fleet, &report);
	tick_until(fleet, now + 3 * MINUTE_US + SECOND_US);
	assert_int_equal(status(fleet), FLEET_OFFLINE);
	fleet_free(fleet);
}

static void the_interval_of_the_agent_is_known_after_a_restart(void **state)
{
	const struct fleet_computer record = {
		.id = id,
		.interval_us = MINUTE_US,
		.missed = 2,
		.agent_interval_us = HOUR_US,
		.wanted_configuration = { 7 },
		.status = FLEET_ONLINE,
		.last_heard = WALL_START,
	};
	struct fleet *fleet;

	(void)state;
	now = 0;
	fleet = make(&record);
	tick_until(fleet, 3 * HOUR_US);
	assert_int_equal(status(fleet), FLEET_ONLINE);
	tick_until(fleet, 3 * HOUR_US + SECOND_US);
	assert_int_equal(status(fleet), FLEET_OFFLINE);
	fleet_free(fleet);
}

static void a_restart_neither_lies_nor_alarms(void **state)
{
	const struct fleet_computer record = {
		.id = id,
		.interval_us = MINUTE_US,
		.missed = 2,
		.status = FLEET_ONLINE,
		.last_heard = WALL_START - HOUR_US,
	};
	struct fleet *fleet;

	(void)state;
	now = 0;
	fleet = make(&record);
	assert_int_equal(status(fleet), FLEET_UNKNOWN); /* an hour of silence, and nobody listened */
	tick_until(fleet, 2 * MINUTE_US);
	assert_int_equal(status(fleet), FLEET_UNKNOWN);
	tick_until(fleet, 4 * MINUTE_US);
	assert_int_equal(status(fleet), FLEET_OFFLINE);
	fleet_free(fleet);
}

static void silence_counts_when_the_announced_window_is_over_twice(void **state)
{
	const struct fleet_options options = { .env = &env, .wake = note_wake, .return_spacing_us = 5 * MINUTE_US };
	const struct fleet_computer record = {
		.id = id, .interval_us = MINUTE_US, .missed = 2, .status = FLEET_ONLINE, .last_heard = WALL_START
	};
	struct fleet *fleet;

	(void)state;
	now = 0;
	assert_int_equal(fleet_new(&options, &fleet, NULL), 0);
	assert_int_equal(fleet_add(fleet, &record, NULL), 0);
	fleet_listen(fleet);
	tick_until(fleet, 12 * MINUTE_US);
	assert_int_equal(status(fleet), FLEET_ONLINE);
	tick_until(fleet, 14 * MINUTE_US);
	assert_int_equal(status(fleet), FLEET_OFFLINE);
	fleet_free(fleet);
}

static void a_late_tick_forgives_the_silence(void **state)
{
	struct fleet *fleet;
	struct report report;

	(void)state;
	now = 0;
	fleet = make_plain();
	fill(&report, 7, 1, 1, 0);
	exchange_once(fleet, &report);
	now += HOUR_US; /* stopped, not listening */
	tick_until(fleet, now + 2 * MINUTE_US);
	assert_int_equal(status(fleet), FLEET_ONLINE);
	fleet_free(fleet);
}

static void never_heard_and_stored_offline_stays_quiet(void **state)
{
	const struct fleet_computer record = {
		.id = id, .interval_us = MINUTE_US, .missed = 2, .status = FLEET_OFFLINE
	};
	struct fleet *fleet;

	(void)state;
	now = 0;
	fleet = make(&record);
	tick_until(fleet, 10 * MINUTE_US);
	assert_int_equal(ticked_events, 0); /* it was told, and has not come back */
	assert_int_equal(status(fleet), FLEET_OFFLINE);
	fleet_free(fleet);
}

static void two_live_sessions_are_a_clone(void **state)
{
	struct fleet *fleet = make_plain();
	struct fleet_exchange *exchange;
	struct report report;
	uint64_t sequence = 1;

	(void)state;
	fill(&report, 7, sequence, 1, 0);
	exchange_once(fleet, &report);
	for (int round = 0; round < 2; round++) {
		now += 3 * MINUTE_US;
		fill(&report, 8, (uint64_t)round + 1, 1, 0);
		exchange = heard(fleet, &report);
		if (round == 1) {
			assert_true(reply(fleet, exchange)->rekey);
			assert_int_equal(fleet_exchange_rows(exchange)->manager_events[0].type, EVENT_CLONE_REKEYED);
		}
		fleet_stored(fleet, exchange, 0);
		fleet_exchange_free(fleet, exchange);
		now += 3 * MINUTE_US;
		fill(&report, 7, ++sequence, 1, 0);
		exchange = heard(fleet, &report);
		assert_false(reply(fleet, exchange)->rekey);
		fleet_stored(fleet, exchange, 0);
		fleet_exchange_free(fleet, exchange);
	}
	fleet_free(fleet);
}

static void last_words_of_a_dead_agent_are_no_clone(void **state)
{
	struct fleet *fleet = make_plain();
	struct fleet_exchange *exchange;
	struct report report;

	(void)state;
	fill(&report, 7, 1, 1, 0);
	exchange_once(fleet, &report);
	fill(&report, 8, 1, 1, 0);
	exchange_once(fleet, &report);
	now += 10 * SECOND_US;
	fill(&report, 7, 2, 1, 0);
	exchange_once(fleet, &report);
	now += 10 * MINUTE_US;
	fill(&report, 8, 2, 1, 0);
	exchange = heard(fleet, &report);
	assert_false(reply(fleet, exchange)->rekey);
	fleet_exchange_free(fleet, exchange);
	fleet_free(fleet);
}

static void a_command_wakes_the_parked_request(void **state)
{
	struct fleet *fleet = make_plain();
	struct fleet_exchange *exchange;
	struct report report;
	time_us until;
	int parked;

	(void)state;
	fill(&report, 7, 1, 1, 0);
	exchange_once(fleet, &report);
	fill(&report, 7, 2, 1, 0);
	exchange = heard(fleet, &report);
	assert_false(fleet_answer(fleet, exchange, true, &parked, &until));
	assert_int_equal(until, now + 50 * SECOND_US);
	issue(fleet, false, COMMAND_PENDING);
	assert_ptr_equal(woken, &parked);
	assert_int_equal(reply(fleet, exchange)->n_commands, 1);
	fleet_exchange_free(fleet, exchange);
	fill(&report, 7, 3, 1, 0);
	exchange = heard(fleet, &report); /* sent just now: not again at once */
	assert_false(fleet_answer(fleet, exchange, true, &parked, &until));
	assert_true(until <= now + 2 * SECOND_US);
	now = until;
	assert_true(fleet_answer(fleet, exchange, false, &parked, &until));
	assert_int_equal(reply(fleet, exchange)->n_commands, 1);
	fleet_exchange_free(fleet, exchange);
	fleet_free(fleet);
}

/* The first one may have been lost with its reply: what came after it must not overtake it. */
static void commands_go_in_the_order_of_their_issue(void **state)
{
	static const uint8_t envelope[] = { 0x0a, 0x01, 'y' };
	const struct fleet_command second = {
		.id = { { 9, 10 } },
		.computer = id,
		.kind = COMMAND_PAUSE,
		.target = command_id,
		.state = COMMAND_PENDING,
		.issued = test_wall(NULL),
		.timeout_us = MINUTE_US,
		.envelope = envelope,
		.envelope_size = sizeof(envelope),
	};
	struct fleet *fleet = make_plain();
	struct fleet_exchange *exchange;
	Muster__Wire__Reply *answer;
	struct report report;

	(void)state;
	issue(fleet, false, COMMAND_PENDING);
	fill(&report, 7, 1, 1, 0);
	exchange = heard(fleet, &report);
	fleet_stored(fleet, exchange, 0);
	assert_int_equal(reply(fleet, exchange)->n_commands, 1);
	fleet_exchange_free(fleet, exchange);
	assert_int_equal(fleet_issue(fleet, &second, NULL), 0);
	fill(&report, 8, 1, 1, 0); /* the agent was started again */
	exchange = heard(fleet, &report);
	fleet_stored(fleet, exchange, 0);
	answer = reply(fleet, exchange);
	assert_int_equal(answer->n_commands, 2);
	assert_int_equal(answer->commands[0]->payload.data[0], 'x');
	assert_int_equal(answer->commands[1]->payload.data[0], 'y');
	fleet_exchange_free(fleet, exchange);
	fleet_free(fleet);
}

static void an_end_is_acknowledged_when_stored(void **state)
{
	struct fleet *fleet = make_plain();
	struct fleet_exchange *exchange;
	struct report report;
	Muster__Wire__Reply *answer;

	(void)state;
	issue(fleet, true, COMMAND_RUNNING);
	fill(&report, 7, 1, 1, 0);
	add_command(&report, COMMAND_SUCCEEDED);
	exchange = heard(fleet, &report);
	assert_int_equal(fleet_exchange_rows(exchange)->commands[0].state, COMMAND_SUCCEEDED);
	assert_int_equal(reply(fleet, exchange)->n_acknowledged_commands, 0);
	fleet_stored(fleet, exchange, 0);
	answer = reply(fleet, exchange);
	assert_int_equal(answer->n_acknowledged_commands, 1);
	assert_memory_equal(answer->acknowledged_commands[0].data, command_id.bytes, UUID_BYTES);
	fleet_exchange_free(fleet, exchange);
	fleet_free(fleet);
}

static void the_truth_arrives_after_a_time_out(void **state)
{
	struct fleet *fleet;
	struct fleet_exchange *exchange;
	struct report report;

	(void)state;
	now = 0;
	fleet = make_plain();
	issue(fleet, true, COMMAND_RUNNING);
	tick_until(fleet, 2 * MINUTE_US);
	assert_int_equal(ticked_state, COMMAND_TIMED_OUT);
	assert_int_equal(ticked_type, EVENT_COMMAND_TIMED_OUT);
	fill(&report, 7, 1, 1, 0);
	add_command(&report, COMMAND_SUCCEEDED);
	exchange = heard(fleet, &report);
	assert_int_equal(fleet_exchange_rows(exchange)->commands[0].state, COMMAND_SUCCEEDED);
	fleet_stored(fleet, exchange, 0);
	assert_int_equal(reply(fleet, exchange)->n_acknowledged_commands, 1);
	fleet_exchange_free(fleet, exchange);
	fleet_free(fleet);
}

static void cancel_ends_at_once_only_what_was_never_sent(void **state)
{
	struct fleet *fleet = make_plain();
	struct fleet_exchange *exchange = NULL;

	(void)state;
	issue(fleet, false, COMMAND_PENDING);
	assert_int_equal(fleet_cancel(fleet, &id, &command_id, &exchange, NULL), 0);
	assert_non_null(exchange);
	assert_int_equal(fleet_exchange_rows(exchange)->commands[0].state, COMMAND_CANCELLED);
	assert_int_equal(fleet_exchange_rows(exchange)->manager_event_count, 1);
	assert_int_equal(fleet_exchange_rows(exchange)->manager_events[0].type, EVENT_COMMAND_FINISHED);
	fleet_stored(fleet, exchange, 0);
	fleet_exchange_free(fleet, exchange);
	assert_int_equal(fleet_cancel(fleet, &id, &command_id, &exchange, NULL), ERR_NOT_FOUND);
	issue(fleet, true, COMMAND_PENDING); /* from before a restart: it may be on its way */
	assert_int_equal(fleet_cancel(fleet, &id, &command_id, &exchange, NULL), 0);
	assert_null(exchange);
	fleet_free(fleet);
}

static void a_running_command_missing_from_a_full_report_has_failed(void **state)
{
	struct fleet *fleet = make_plain();
	struct fleet_exchange *exchange;
	struct report report;

	(void)state;
	issue(fleet, true, COMMAND_RUNNING);
	fill(&report, 7, 1, 1, 0);
	exchange = heard(fleet, &report);
	assert_int_equal(fleet_exchange_rows(exchange)->command_count, 1);
	assert_int_equal(fleet_exchange_rows(exchange)->commands[0].state, COMMAND_FAILED);
	fleet_exchange_free(fleet, exchange);
	fleet_free(fleet);
}

/* --- clocks --- */

struct clocked {
	struct report report;
	Muster__Wire__Clock clock;
	Muster__Wire__Field seconds, *field_list[1];
};

static struct uuid boot;  /* of our machine */
static span_us wall_jump; /* of our own wall clock */
static span_us boot_zero; /* our wall clock less our monotonic one, at the first start on this boot */

static time_us jumping_wall(void *context)
{
	(void)context;
	return WALL_START + now + wall_jump;
}

static const struct env jumping = { NULL, jumping_wall, test_monotonic, test_random };

static struct fleet *make_clocked(span_us limit, span_us base)
{
	const struct uuid first_boot = { { 1 } };
	const struct fleet_options options = {
		.env = &jumping, .wake = note_wake, .boot = first_boot, .clock_zero_us = WALL_START
	};
	const struct fleet_computer record = {
		.id = id, .interval_us = MINUTE_US, .missed = 2, .clock_limit_us = limit, .clock_base_us = base
	};
	struct fleet *fleet;

	now = wall_jump = 0;
	boot = first_boot;
	boot_zero = WALL_START;
	assert_int_equal(fleet_new(&options, &fleet, NULL), 0);
	assert_int_equal(fleet_add(fleet, &record, NULL), 0);
	return fleet;
}

/* The manager's next start: the computer as the old one would store it. */
static struct fleet *start_again(struct fleet *fleet, bool same_boot)
{
	struct fleet_options options = { .env = &jumping, .wake = note_wake };
	struct fleet_computer record;

	assert_int_equal(fleet_show(fleet, &id, &record, NULL), 0);
	fleet_free(fleet);
	if (!same_boot) {
		now = 0;
		boot.bytes[0]++;
		boot_zero = WALL_START + wall_jump;
	}
	options.boot = boot;
	options.clock_zero_us = boot_zero;
	assert_int_equal(fleet_new(&options, &fleet, NULL), 0);
	assert_int_equal(fleet_add(fleet, &record, NULL), 0);
	return fleet;
}

/* A report with the agent's clock `offset` from the true time; how many events 734 it made. rc: of the commit. */
static size_t hear_clock(struct fleet *fleet, uint64_t sequence, span_us offset, const char *seen, int rc)
{
	static struct clocked clocked;
	struct fleet_exchange *exchange;
	const struct fleet_rows *rows;
	size_t told = 0;

	fill(&clocked.report, 7, sequence, sequence, seen != NULL);
	muster__wire__clock__init(&clocked.clock);
	clocked.clock.wall_us = WALL_START + now + offset;
	clocked.report.wire.clock = &clocked.clock;
	if (seen != NULL) {
		static char name[] = "seconds";

		muster__wire__field__init(&clocked.seconds);
		clocked.seconds.name = name;
		clocked.seconds.value = exchange_bytes(seen, strlen(seen));
		clocked.field_list[0] = &clocked.seconds;
		clocked.report.events[0].type = EVENT_CLOCK_CHANGED;
		clocked.report.events[0].fields = clocked.field_list;
		clocked.report.events[0].n_fields = 1;
	}
	exchange = heard(fleet, &clocked.report);
	rows = fleet_exchange_rows(exchange);
	for (size_t i = 0; i < rows->manager_event_count; i++)
		told += rows->manager_events[i].type == EVENT_COMPUTER_CLOCK_CHANGE;
	assert_true(told == 0 || rows->computer_row != NULL); /* in the same write */
	if (!fleet_rows_empty(rows))
		fleet_stored(fleet, exchange, rc);
	fleet_exchange_free(fleet, exchange);
	now += MINUTE_US;
	return told;
}

static void a_clock_change_is_told_once(void **state)
{
	struct fleet *fleet = make_clocked(MINUTE_US, 0);

	(void)state;
	assert_int_equal(hear_clock(fleet, 1, 0, NULL, 0), 0);
	assert_int_equal(hear_clock(fleet, 2, 30 * SECOND_US, NULL, 0), 0); /* within the limit */
	assert_int_equal(hear_clock(fleet, 3, HOUR_US, NULL, ERR_IO), 1);   /* not stored: told again */
	assert_int_equal(hear_clock(fleet, 4, HOUR_US, NULL, 0), 1);
	assert_int_equal(hear_clock(fleet, 5, HOUR_US, NULL, 0), 0);
	assert_int_equal(hear_clock(fleet, 6, HOUR_US + 59 * SECOND_US, NULL, 0), 0);
	assert_int_equal(hear_clock(fleet, 7, HOUR_US + 61 * SECOND_US, NULL, 0), 1); /* drifted past it */
	assert_int_equal(hear_clock(fleet, 8, 0, NULL, 0), 1);                        /* set right: a change too */
	fleet_free(fleet);
}

static void a_late_report_is_no_clock_change(void **state)
{
	struct fleet *fleet = make_clocked(10 * SECOND_US, 0);

	(void)state;
	assert_int_equal(hear_clock(fleet, 1, 0, NULL, 0), 0);
	assert_int_equal(hear_clock(fleet, 2, -40 * SECOND_US, NULL, 0), 0); /* 40 s on its way? */
	assert_int_equal(hear_clock(fleet, 3, 0, NULL, 0), 0);               /* it was */
	assert_int_equal(hear_clock(fleet, 4, -40 * SECOND_US, NULL, 0), 0);
	assert_int_equal(hear_clock(fleet, 5, -40 * SECOND_US, NULL, 0), 1); /* it was not */
	assert_int_equal(hear_clock(fleet, 6, -10 * MINUTE_US, NULL, 0), 1); /* nothing is that long on its way */
	fleet_free(fleet);
}

static void our_own_clock_is_no_change_of_theirs(void **state)
{
	struct fleet *fleet = make_clocked(MINUTE_US, 0);

	(void)state;
	assert_int_equal(hear_clock(fleet, 1, 0, NULL, 0), 0);
	wall_jump = 365 * DAY_US;
	assert_int_equal(hear_clock(fleet, 2, 0, NULL, 0), 0);
	assert_int_equal(hear_clock(fleet, 3, 0, NULL, 0), 0);
	assert_int_equal(hear_clock(fleet, 4, HOUR_US, NULL, 0), 1); /* theirs is still seen */
	wall_jump = 0;
	assert_int_equal(hear_clock(fleet, 5, HOUR_US, NULL, 0), 0);
	assert_int_equal(hear_clock(fleet, 6, 0, NULL, 0), 1);
	fleet_free(fleet);
}

static void years_are_told_and_do_no_harm(void **state)
{
	static const span_us offsets[] = { 50 * 365 * DAY_US, -50 * 365 * DAY_US, 7000 * 365 * DAY_US };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(offsets); i++) {
		struct fleet *fleet = make_clocked(DAY_US, 0);
		struct fleet_computer shown;

		assert_int_equal(hear_clock(fleet, 1, offsets[i], NULL, 0), 1); /* wrong since it was enrolled */
		assert_int_equal(hear_clock(fleet, 2, offsets[i], NULL, 0), 0);
		assert_int_equal(fleet_show(fleet, &id, &shown, NULL), 0);
		assert_int_equal(shown.clock_offset_us, offsets[i]);
		assert_int_equal(shown.status, FLEET_ONLINE);
		fleet_free(fleet);
	}
}

static void the_agents_own_event_counts(void **state)
{
	struct fleet *fleet = make_clocked(MINUTE_US, 0);

	(void)state;
	assert_int_equal(hear_clock(fleet, 1, 0, NULL, 0), 0);
	assert_int_equal(hear_clock(fleet, 2, 0, "30", 0), 0);    /* within the limit */
	assert_int_equal(hear_clock(fleet, 3, 0, "-7200", 0), 1); /* set, and set back before it reported */
	assert_int_equal(hear_clock(fleet, 4, HOUR_US, "3600", 0), 1);
	assert_int_equal(hear_clock(fleet, 5, HOUR_US, "3600", 0), 0); /* told already */
	assert_int_equal(hear_clock(fleet, 6, HOUR_US, "nonsense", 0), 0);
	fleet_free(fleet);
}

static void a_clock_is_compared_across_a_restart(void **state)
{
	struct fleet *fleet = make_clocked(MINUTE_US, HOUR_US);

	(void)state;
	assert_int_equal(hear_clock(fleet, 1, HOUR_US, NULL, 0), 0);
	fleet = start_again(fleet, true);
	assert_int_equal(hear_clock(fleet, 1, 2 * HOUR_US, NULL, 0), 1); /* changed while nobody listened */
	fleet_free(fleet);
}

static void our_own_clock_set_while_we_were_down_is_no_change_of_theirs(void **state)
{
	struct fleet *fleet = make_clocked(MINUTE_US, 0);

	(void)state;
	assert_int_equal(hear_clock(fleet, 1, 30 * SECOND_US, NULL, 0), 0);
	wall_jump = 365 * DAY_US;
	fleet = start_again(fleet, true);
	assert_int_equal(hear_clock(fleet, 1, 30 * SECOND_US, NULL, 0), 0);
	wall_jump = -HOUR_US; /* set while it ran, and down before the computer was heard again */
	fleet = start_again(fleet, true);
	assert_int_equal(hear_clock(fleet, 1, 30 * SECOND_US, NULL, 0), 0);
	wall_jump = DAY_US;
	fleet = start_again(fleet, true);
	assert_int_equal(hear_clock(fleet, 1, 2 * HOUR_US, NULL, 0), 1); /* both: theirs is seen */
	assert_int_equal(hear_clock(fleet, 2, 2 * HOUR_US, NULL, 0), 0);
	fleet_free(fleet);
}

static void after_another_boot_clocks_are_measured_from_where_they_are(void **state)
{
	struct fleet *fleet = make_clocked(MINUTE_US, 0);

	(void)state;
	assert_int_equal(hear_clock(fleet, 1, 0, NULL, 0), 0);
	wall_jump = -30 * DAY_US; /* the machine came up with an empty battery */
	fleet = start_again(fleet, false);
	assert_int_equal(hear_clock(fleet, 1, 0, NULL, 0), 0);
	wall_jump = 0;
	assert_int_equal(hear_clock(fleet, 2, 0, NULL, 0), 0);
	assert_int_equal(hear_clock(fleet, 3, HOUR_US, NULL, 0), 1);
	fleet = start_again(fleet, false);
	assert_int_equal(hear_clock(fleet, 1, 3 * HOUR_US, "7200", 0), 1); /* its own word counts */
	assert_int_equal(hear_clock(fleet, 2, 3 * HOUR_US, NULL, 0), 0);
	fleet_free(fleet);
}

static void a_base_of_another_boot_is_unknown_however_often_we_started_since(void **state)
{
	struct fleet *fleet = make_clocked(MINUTE_US, 0);

	(void)state;
	assert_int_equal(hear_clock(fleet, 1, 0, NULL, 0), 0);
	wall_jump = -30 * DAY_US;
	fleet = start_again(fleet, false);
	fleet = start_again(fleet, true); /* the computer was not heard in between */
	wall_jump = -29 * DAY_US;
	fleet = start_again(fleet, true);
	assert_int_equal(hear_clock(fleet, 1, 0, NULL, 0), 0);
	wall_jump = 0;
	fleet = start_again(fleet, true);
	assert_int_equal(hear_clock(fleet, 1, 0, NULL, 0), 0);
	fleet = start_again(fleet, true);
	assert_int_equal(hear_clock(fleet, 1, HOUR_US, NULL, 0), 1); /* it was heard on this boot */
	fleet_free(fleet);
}

static void without_the_boot_known_every_start_is_on_another(void **state)
{
	struct fleet *fleet = make_clocked(MINUTE_US, 0);

	(void)state;
	boot = (struct uuid){ 0 };
	fleet = start_again(fleet, true);
	assert_int_equal(hear_clock(fleet, 1, 0, NULL, 0), 0);
	wall_jump = DAY_US;
	fleet = start_again(fleet, true);
	assert_int_equal(hear_clock(fleet, 1, 0, NULL, 0), 0);
	assert_int_equal(hear_clock(fleet, 2, HOUR_US, NULL, 0), 1);
	fleet_free(fleet);
}

static void one_never_heard_is_measured_from_our_clock_at_each_start(void **state)
{
	struct fleet *fleet = make_clocked(MINUTE_US, 0);

	(void)state;
	wall_jump = HOUR_US;
	fleet = start_again(fleet, true);
	wall_jump = 0;
	fleet = start_again(fleet, true);
	assert_int_equal(hear_clock(fleet, 1, 0, NULL, 0), 0);
	assert_int_equal(hear_clock(fleet, 2, HOUR_US, NULL, 0), 1);
	fleet_free(fleet);
}

static void a_limit_is_checked_and_none_is_silent(void **state)
{
	struct fleet *fleet = make_clocked(0, 0);

	(void)state;
	assert_int_equal(hear_clock(fleet, 1, DAY_US, NULL, 0), 0);
	assert_int_equal(fleet_set_clock_limit(fleet, &id, SECOND_US - 1, NULL), ERR_RANGE);
	assert_int_equal(fleet_set_clock_limit(fleet, &id, DAY_US + 1, NULL), ERR_RANGE);
	assert_int_equal(fleet_set_clock_limit(fleet, &command_id, MINUTE_US, NULL), ERR_NOT_FOUND);
	assert_int_equal(fleet_set_clock_limit(fleet, &id, MINUTE_US, NULL), 0);
	assert_int_equal(hear_clock(fleet, 2, DAY_US, NULL, 0), 0); /* what was before the limit is no change */
	assert_int_equal(hear_clock(fleet, 3, 0, NULL, 0), 1);
	fleet_free(fleet);
}

static void asked_it_reports_at_once(void **state)
{
	struct fleet *fleet = make_plain();
	struct fleet_computer before, after;
	struct fleet_exchange *exchange;
	struct report report;
	time_us until;
	bool asked;

	(void)state;
	assert_int_equal(fleet_ask(fleet, &command_id, &asked, NULL), ERR_NOT_FOUND);
	assert_int_equal(fleet_ask(fleet, &id, &asked, NULL), 0);
	assert_false(asked);
	fill(&report, 7, 1, 1, 0);
	exchange = heard(fleet, &report);
	fleet_stored(fleet, exchange, 0);
	assert_false(fleet_answer(fleet, exchange, true, &report, &until));
	assert_int_equal(fleet_show(fleet, &id, &before, NULL), 0);
	assert_int_equal(fleet_ask(fleet, &id, &asked, NULL), 0);
	assert_true(asked);
	assert_ptr_equal(woken, &report);
	reply(fleet, exchange);
	fleet_exchange_free(fleet, exchange);
	now += 3 * MILLISECOND_US;
	fill(&report, 7, 2, 1, 0);
	exchange_once(fleet, &report);
	assert_int_equal(fleet_show(fleet, &id, &after, NULL), 0);
	assert_int_equal(after.heard - before.heard, 3 * MILLISECOND_US);
	fleet_free(fleet);
}

/* --- the configuration that an agent should have --- */

static enum fleet_configuration_state configuration_of(struct fleet *fleet)
{
	struct fleet_computer shown;

	assert_int_equal(fleet_show(fleet, &id, &shown, NULL), 0);
	return shown.configuration_state;
}

static void never_store(void *argument, struct fleet_exchange *exchange)
{
	fleet_stored(argument, exchange, 0);
	fleet_exchange_free(argument, exchange);
}

/* A report in order, stored; parked if there is nothing to say. */
static struct fleet_exchange *report_and_park(struct fleet *fleet, struct report *report, void *parked)
{
	struct fleet_exchange *exchange = heard(fleet, report);
	time_us until;

	if (!fleet_rows_empty(fleet_exchange_rows(exchange)))
		fleet_stored(fleet, exchange, 0);
	assert_int_equal(fleet_answer(fleet, exchange, true, parked, &until), parked == NULL);
	return exchange;
}

static bool answer_has_configuration(struct fleet *fleet, struct fleet_exchange *exchange)
{
	bool due = fleet_configuration_due(fleet, exchange), configuration;
	Muster__Wire__Reply *answer;

	assert_int_equal(fleet_reply(fleet, exchange, &answer, &configuration, NULL), 0);
	assert_int_equal(due, configuration);
	fleet_exchange_free(fleet, exchange);
	return configuration;
}

static void a_roll_out_waits_for_its_moment(void **state)
{
	static const uint8_t wanted[SHA256_BYTES] = { 7 };
	struct fleet *fleet = make_plain();
	struct fleet_exchange *exchange;
	struct report report;
	int parked;

	(void)state;
	fill(&report, 1, 1, 1, 0);
	exchange = report_and_park(fleet, &report, &parked);
	assert_int_equal(configuration_of(fleet), FLEET_CONFIGURATION_APPLIED); /* none is wanted */
	assert_int_equal(fleet_want_configuration(fleet, &id, wanted, 3 * SECOND_US, NULL), 0);
	assert_int_equal(configuration_of(fleet), FLEET_CONFIGURATION_PENDING);
	for (unsigned second = 0; second < 3; second++) {
		assert_null(woken);
		fleet_tick(fleet, never_store, fleet);
		now += SECOND_US;
	}
	fleet_tick(fleet, never_store, fleet);
	assert_ptr_equal(woken, &parked);
	assert_true(answer_has_configuration(fleet, exchange));
	assert_int_equal(configuration_of(fleet), FLEET_CONFIGURATION_SENT);
	fill(&report, 1, 2, 1, 0);
	report.wire.configuration = exchange_bytes(wanted, SHA256_BYTES);
	exchange = report_and_park(fleet, &report, &parked);
	assert_int_equal(configuration_of(fleet), FLEET_CONFIGURATION_APPLIED);
	fleet_exchange_free(fleet, exchange);
	fleet_free(fleet);
}

static void what_an_agent_refused_is_offered_again_after_an_hour(void **state)
{
	static const uint8_t wanted[SHA256_BYTES] = { 7 }, other[SHA256_BYTES] = { 8 };
	struct fleet *fleet = make_plain();
	struct fleet_exchange *exchange;
	struct report report;
	int parked;

	(void)state;
	assert_int_equal(fleet_want_configuration(fleet, &id, wanted, 0, NULL), 0);
	fill(&report, 1, 1, 1, 0);
	exchange = report_and_park(fleet, &report, NULL);
	assert_true(answer_has_configuration(fleet, exchange));
	fill(&report, 1, 2, 1, 0);
	report.wire.configuration_error = (char *)(uintptr_t) "scan.cpu_limit: allowed: 1 to 100";
	report.wire.refused_configuration = exchange_bytes(wanted, SHA256_BYTES);
	exchange = report_and_park(fleet, &report, &parked);
	assert_int_equal(configuration_of(fleet), FLEET_CONFIGURATION_FAILED);
	now += 59 * MINUTE_US;
	fleet_tick(fleet, never_store, fleet);
	assert_null(woken);
	now += 2 * MINUTE_US;
	fleet_tick(fleet, never_store, fleet);
	assert_ptr_equal(woken, &parked);
	assert_true(answer_has_configuration(fleet, exchange));
	/* Another one is offered at once; what was refused says nothing of it. */
	fill(&report, 1, 3, 1, 0);
	report.wire.configuration_error = (char *)(uintptr_t) "scan.cpu_limit: allowed: 1 to 100";
	report.wire.refused_configuration = exchange_bytes(wanted, SHA256_BYTES);
	exchange = report_and_park(fleet, &report, &parked);
	woken = NULL;
	assert_int_equal(fleet_want_configuration(fleet, &id, other, 0, NULL), 0);
	assert_ptr_equal(woken, &parked);
	assert_int_equal(configuration_of(fleet), FLEET_CONFIGURATION_PENDING);
	fleet_exchange_free(fleet, exchange);
	fleet_free(fleet);
}

/* It may have been refused for its dates, by a clock that was wrong. */
static void what_an_agent_refused_is_offered_again_when_a_clock_was_set(void **state)
{
	static const uint8_t wanted[SHA256_BYTES] = { 7 };
	struct fleet *fleet = make_plain();
	struct report report;
	Muster__Wire__Clock clock;

	(void)state;
	muster__wire__clock__init(&clock);
	assert_int_equal(fleet_want_configuration(fleet, &id, wanted, 0, NULL), 0);
	for (uint64_t sequence = 1; sequence <= 4; sequence++) {
		/* at first; not again while the clocks differ as before; and when they agree */
		bool offered = sequence == 1 || sequence == 4;
		struct fleet_exchange *exchange;

		clock.wall_us = test_wall(NULL) + (sequence < 4 ? 30 * DAY_US : 0);
		fill(&report, 1, sequence, 1, 0);
		report.wire.clock = &clock;
		report.wire.refused_configuration = exchange_bytes(wanted, sequence > 1 ? SHA256_BYTES : 0);
		exchange = report_and_park(fleet, &report, offered ? NULL : &clock);
		assert_int_equal(answer_has_configuration(fleet, exchange), offered);
		now += MINUTE_US;
	}
	fleet_free(fleet);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_roll_out_waits_for_its_moment),
		cmocka_unit_test(what_an_agent_refused_is_offered_again_after_an_hour),
		cmocka_unit_test(what_an_agent_refused_is_offered_again_when_a_clock_was_set),
		cmocka_unit_test(events_go_in_once_and_are_acknowledged_when_stored),
		cmocka_unit_test(another_computer_is_refused),
		cmocka_unit_test(a_gap_asks_for_the_full_state),
		cmocka_unit_test(a_stale_report_changes_no_state),
		cmocka_unit_test(offline_after_one_heartbeat_more_than_allowed),
		cmocka_unit_test(who_may_be_silent_is_offline_no_more),
		cmocka_unit_test(an_agent_that_goes_by_its_old_interval_is_not_offline),
		cmocka_unit_test(with_the_configuration_the_new_interval_counts_at_once),
		cmocka_unit_test(the_interval_of_the_agent_is_known_after_a_restart),
		cmocka_unit_test(a_restart_neither_lies_nor_alarms),
		cmocka_unit_test(silence_counts_when_the_announced_window_is_over_twice),
		cmocka_unit_test(a_late_tick_forgives_the_silence),
		cmocka_unit_test(never_heard_and_stored_offline_stays_quiet),
		cmocka_unit_test(two_live_sessions_are_a_clone),
		cmocka_unit_test(last_words_of_a_dead_agent_are_no_clone),
		cmocka_unit_test(a_command_wakes_the_parked_request),
		cmocka_unit_test(commands_go_in_the_order_of_their_issue),
		cmocka_unit_test(an_end_is_acknowledged_when_stored),
		cmocka_unit_test(the_truth_arrives_after_a_time_out),
		cmocka_unit_test(cancel_ends_at_once_only_what_was_never_sent),
		cmocka_unit_test(a_running_command_missing_from_a_full_report_has_failed),
		cmocka_unit_test(a_clock_change_is_told_once),
		cmocka_unit_test(a_late_report_is_no_clock_change),
		cmocka_unit_test(our_own_clock_is_no_change_of_theirs),
		cmocka_unit_test(years_are_told_and_do_no_harm),
		cmocka_unit_test(the_agents_own_event_counts),
		cmocka_unit_test(a_clock_is_compared_across_a_restart),
		cmocka_unit_test(our_own_clock_set_while_we_were_down_is_no_change_of_theirs),
		cmocka_unit_test(after_another_boot_clocks_are_measured_from_where_they_are),
		cmocka_unit_test(a_base_of_another_boot_is_unknown_however_often_we_started_since),
		cmocka_unit_test(without_the_boot_known_every_start_is_on_another),
		cmocka_unit_test(one_never_heard_is_measured_from_our_clock_at_each_start),
		cmocka_unit_test(a_limit_is_checked_and_none_is_silent),
		cmocka_unit_test(asked_it_reports_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
