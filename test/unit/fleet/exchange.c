/* What one report does to what the manager knows of its computer, and who may report. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "one_computer.h"

struct answered {
	bool send_full, rekey;
	uint32_t event; /* of the manager's, that it made; 0: none */
	span_us away;   /* how long it is not to come back */
};

/* What becomes of a report without events, and is stored. */
static struct answered answered(struct fleet *fleet, uint64_t session, uint64_t sequence)
{
	struct fleet_exchange *exchange;
	const struct fleet_rows *rows;
	struct answered answered;
	struct report report;

	fill(&report, session, sequence, 1, 0);
	exchange = heard(fleet, &report);
	rows = fleet_exchange_rows(exchange);
	answered.event = rows->manager_event_count > 0 ? rows->manager_events[0].type : 0;
	answered.send_full = reply(fleet, exchange)->send_full;
	answered.rekey = reply(fleet, exchange)->rekey;
	answered.away = (span_us)reply(fleet, exchange)->return_after_ms * MILLISECOND_US;
	fleet_stored(fleet, exchange, 0);
	fleet_exchange_free(fleet, exchange);
	return answered;
}

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

/* Another agent with this identity, or this one before it was set back, had the numbers. */
static void numbers_that_were_used_are_looked_up(void **state)
{
	struct fleet *fleet = make_plain();
	const struct fleet_rows *rows;
	struct fleet_exchange *exchange;
	struct report report;

	(void)state;
	fill(&report, 7, 1, 1, 4);
	exchange_once(fleet, &report);
	fill(&report, 8, 1, 2, 2);
	report.events[0].mark = 0x1234;
	exchange = heard(fleet, &report);
	rows = fleet_exchange_rows(exchange);
	assert_int_equal(rows->events.count, 0);
	assert_int_equal(rows->events.repeated_count, 2);
	assert_int_equal(rows->events.repeated[0].number, 2);
	assert_int_equal(rows->events.repeated[0].mark, 0x1234);
	assert_false(fleet_rows_empty(rows));
	fleet_stored(fleet, exchange, 0);
	assert_int_equal(reply(fleet, exchange)->acknowledged_event, 3); /* the fourth is not this one's */
	fleet_exchange_free(fleet, exchange);
	fill(&report, 8, 2, 4, 2); /* one of each */
	exchange = heard(fleet, &report);
	rows = fleet_exchange_rows(exchange);
	assert_int_equal(rows->events.repeated_count, 1);
	assert_int_equal(rows->events.count, 1);
	assert_int_equal(rows->events.previous, 4);
	assert_int_equal(rows->events.last, 5);
	fleet_stored(fleet, exchange, ERR_IO);
	fleet_exchange_free(fleet, exchange);
	fill(&report, 8, 3, 4, 2);
	exchange = heard(fleet, &report);
	assert_int_equal(fleet_exchange_rows(exchange)->events.count, 1);
	fleet_exchange_free(fleet, exchange);
	fleet_free(fleet);
}

static uint64_t acknowledged(struct fleet *fleet, const struct report *report)
{
	struct fleet_exchange *exchange = heard(fleet, report);
	uint64_t number;

	fleet_stored(fleet, exchange, 0);
	number = reply(fleet, exchange)->acknowledged_event;
	fleet_exchange_free(fleet, exchange);
	return number;
}

/* Agents of before marks take any number for an acknowledgement; those that know none of their own need it. */
static void without_events_the_number_is_told_to_whom_needs_it(void **state)
{
	struct fleet *fleet = make_plain();
	struct report report;

	(void)state;
	fill(&report, 7, 1, 1, 4);
	assert_int_equal(acknowledged(fleet, &report), 4);
	fill(&report, 8, 1, 1, 0); /* full */
	assert_int_equal(acknowledged(fleet, &report), 4);
	fill(&report, 8, 2, 1, 0);
	assert_int_equal(acknowledged(fleet, &report), 0);
	report.wire.sequence++;
	report.wire.events_waiting = 2; /* and has no numbers for them */
	assert_int_equal(acknowledged(fleet, &report), 4);
	fleet_free(fleet);
}

static uint64_t mark(struct fleet *fleet, const struct report *report)
{
	struct fleet_exchange *exchange = heard(fleet, report);
	uint64_t mark = fleet_exchange_rows(exchange)->events.rows[0].mark;

	fleet_exchange_free(fleet, exchange);
	return mark;
}

static void what_an_old_agent_says_stands_for_a_mark(void **state)
{
	struct fleet *fleet = make_plain();
	struct report report;
	uint64_t first;

	(void)state;
	fill(&report, 7, 1, 1, 1);
	first = mark(fleet, &report);
	assert_int_not_equal(first, 0);
	fill(&report, 7, 2, 1, 1);
	assert_int_equal(mark(fleet, &report), first);
	report.events[0].time_us++;
	report.wire.sequence++;
	assert_int_not_equal(mark(fleet, &report), first);
	fleet_free(fleet);
}

static void another_computer_is_refused(void **state)
{
	struct fleet *fleet = make_plain();
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

	(void)state;
	assert_false(answered(fleet, 7, 1).send_full);
	assert_true(answered(fleet, 7, 3).send_full);
	fleet_free(fleet);
}

static void a_stale_report_changes_no_state(void **state)
{
	struct fleet *fleet = make_plain();
	Muster__Wire__Host host = MUSTER__WIRE__HOST__INIT;
	struct fleet_exchange *exchange;
	struct report report;

	(void)state;
	reports(fleet, 7, 1);
	reports(fleet, 7, 2);
	fill(&report, 7, 1, 1, 2);
	report.wire.host = &host;
	exchange = heard(fleet, &report);
	assert_null(fleet_exchange_rows(exchange)->host);
	assert_int_equal(fleet_exchange_rows(exchange)->events.count, 2); /* events have numbers of their own */
	fleet_exchange_free(fleet, exchange);
	fleet_free(fleet);
}

static void two_live_sessions_are_a_clone(void **state)
{
	struct fleet *fleet = make_plain();

	(void)state;
	reports(fleet, 7, 1);
	for (uint64_t round = 1; round <= 2; round++) {
		struct answered other;

		now += 3 * MINUTE_US;
		other = answered(fleet, 8, round);
		assert_int_equal(other.rekey, round == 2);
		assert_int_equal(other.event, round == 2 ? EVENT_CLONE_REKEYED : 0);
		now += 3 * MINUTE_US;
		assert_false(answered(fleet, 7, round + 1).rekey);
	}
	fleet_free(fleet);
}

/* What a report leaves out because it did not change is not told as nothing. */
static void a_clone_is_known_by_where_it_comes_from(void **state)
{
	static const char from[] = "192.0.2.9";
	struct fleet *fleet = make_plain();
	const struct fleet_rows *rows;
	struct fleet_exchange *exchange;
	struct address address;
	struct report report;

	(void)state;
	assert_int_equal(address_parse(from, &address, NULL), 0);
	reports(fleet, 7, 1);
	now += 3 * MINUTE_US;
	answered(fleet, 8, 1);
	now += 3 * MINUTE_US;
	answered(fleet, 7, 2);
	now += 3 * MINUTE_US;
	fleet_seen_from(fleet, &id, &address);
	fill(&report, 8, 2, 1, 0);
	exchange = heard(fleet, &report);
	rows = fleet_exchange_rows(exchange);
	assert_int_equal(rows->manager_event_count, 1);
	assert_int_equal(rows->manager_events[0].type, EVENT_CLONE_REKEYED);
	assert_string_equal(rows->manager_events[0].fields[0]->name, "host");
	assert_memory_equal(rows->manager_events[0].fields[0]->value.data, from, strlen(from));
	fleet_exchange_free(fleet, exchange);
	fleet_free(fleet);
}

/* Both live: until that is known the older one is sent away, and asked for nothing; it used to come back at once, for
 * two minutes. */
static void the_older_of_two_runs_is_sent_away_while_it_may_be_its_last_words(void **state)
{
	struct fleet *fleet = make_plain();
	unsigned rounds = 0;
	time_us until;
	struct answered older;

	(void)state;
	reports(fleet, 7, 1);
	reports(fleet, 8, 1);
	until = now + 2 * MINUTE_US;
	for (older = answered(fleet, 7, 2); older.away != 0; older = answered(fleet, 7, 3 + rounds++)) {
		assert_false(older.send_full);
		assert_in_range(older.away, SECOND_US / 2, until - now);
		now += older.away + SECOND_US; /* an agent adds to it by chance */
	}
	assert_in_range(rounds, 1, 12);
	assert_true(older.send_full);
	assert_true(answered(fleet, 8, 2).rekey);
	assert_true(fleet_is_clone(fleet, &id, 8));
	fleet_free(fleet);
}

/* Sessions 7 and 8 speak in turns until 8 is known for the second one; *ret_sequence is the last of it. */
static void make_a_clone(struct fleet *fleet, uint64_t *ret_sequence)
{
	struct report report;

	for (uint64_t round = 1; round <= 2; round++) {
		fill(&report, 7, round, 1, 0);
		exchange_once(fleet, &report);
		now += 3 * MINUTE_US;
		fill(&report, 8, round, 1, 0);
		exchange_once(fleet, &report);
		now += 3 * MINUTE_US;
	}
	fill(&report, 7, 3, 1, 0);
	exchange_once(fleet, &report);
	fill(&report, 8, 3, 1, 0);
	exchange_once(fleet, &report);
	assert_true(fleet_is_clone(fleet, &id, 8));
	*ret_sequence = 3;
}

/* What it recorded as this computer is this computer's. */
static void a_clone_tells_its_events_before_it_is_another(void **state)
{
	struct fleet *fleet = make_plain();
	struct fleet_exchange *exchange;
	struct report report;
	uint64_t sequence;

	(void)state;
	make_a_clone(fleet, &sequence);
	fill(&report, 8, ++sequence, 1, 3);
	report.wire.events_waiting = 5;
	exchange = heard(fleet, &report);
	assert_int_equal(fleet_exchange_rows(exchange)->events.count, 3);
	fleet_stored(fleet, exchange, 0);
	assert_false(reply(fleet, exchange)->rekey);
	assert_int_equal(reply(fleet, exchange)->acknowledged_event, 3);
	fleet_exchange_free(fleet, exchange);
	fill(&report, 8, ++sequence, 4, 2);
	exchange = heard(fleet, &report);
	fleet_stored(fleet, exchange, 0);
	assert_true(reply(fleet, exchange)->rekey);
	assert_int_equal(reply(fleet, exchange)->acknowledged_event, 5);
	fleet_exchange_free(fleet, exchange);
	fill(&report, 8, ++sequence, 6, 1);
	exchange = heard(fleet, &report);
	fleet_stored(fleet, exchange, ERR_IO); /* not stored, not told */
	assert_int_equal(fleet_reply(fleet, exchange, &(Muster__Wire__Reply *){ NULL }, &(bool){ false }, NULL),
			 ERR_IO);
	fleet_exchange_free(fleet, exchange);
	fleet_free(fleet);
}

/* Over one connection that the manager dialled. */
static void a_clone_that_is_dialled_is_told_once(void **state)
{
	struct fleet *fleet = make_plain();
	struct fleet_exchange *exchange;
	struct report report;
	uint64_t sequence;

	(void)state;
	make_a_clone(fleet, &sequence);
	now += MINUTE_US;
	for (int round = 0; round < 4; round++) {
		if (round == 2)
			now += MINUTE_US;
		fill(&report, 8, ++sequence, 1, 0);
		exchange = heard(fleet, &report);
		assert_true(reply(fleet, exchange)->rekey);
		assert_int_equal(fleet_more(exchange), round % 2 == 0);
		fleet_exchange_free(fleet, exchange);
	}
	fleet_free(fleet);
}

/* Its numbers, so that it may tell them; then nothing is left to be said, and the talk ends. */
static void one_that_is_dialled_and_tells_no_events_is_answered_once(void **state)
{
	struct fleet *fleet = make_plain();
	struct fleet_exchange *exchange;
	struct report report;

	(void)state;
	(void)answered(fleet, 7, 1);
	now += MINUTE_US;
	for (uint64_t round = 0; round < 6; round++) {
		if (round == 3)
			now += MINUTE_US;
		fill(&report, 7, round + 2, 1, 0);
		report.wire.events_waiting = 2;
		exchange = heard(fleet, &report);
		(void)reply(fleet, exchange);
		assert_int_equal(fleet_more(exchange), round % 3 == 0);
		fleet_exchange_free(fleet, exchange);
	}
	fill(&report, 7, 8, 1, 2);
	exchange = heard(fleet, &report);
	fleet_stored(fleet, exchange, 0);
	(void)reply(fleet, exchange);
	assert_true(fleet_more(exchange));
	fleet_exchange_free(fleet, exchange);
	fleet_free(fleet);
}

/* The state that is stored may be another's: it is wanted until it was told. */
static void after_a_gap_all_is_wanted_until_it_is_told(void **state)
{
	struct fleet *fleet = make_plain();
	struct fleet_exchange *exchange;
	struct report report;

	(void)state;
	reports(fleet, 7, 1);
	fill(&report, 7, 5, 1, 1);
	exchange = heard(fleet, &report);
	fleet_stored(fleet, exchange, ERR_IO); /* nothing is answered */
	fleet_exchange_free(fleet, exchange);
	assert_true(answered(fleet, 7, 6).send_full);
	assert_true(answered(fleet, 7, 7).send_full); /* that answer was lost */
	fill(&report, 7, 8, 1, 0);
	report.wire.full = true;
	exchange_once(fleet, &report);
	assert_false(answered(fleet, 7, 9).send_full);
	fleet_free(fleet);
}

static bool refuses(void *context)
{
	(void)context;
	return false;
}

static void a_clone_that_is_refused_has_its_events_taken(void **state)
{
	const struct fleet_options options = { .env = &env, .wake = note_wake, .rekeys = refuses };
	const struct fleet_computer record = { .id = id, .interval_us = MINUTE_US, .missed = 2 };
	struct fleet_exchange *exchange;
	Muster__Wire__Reply *message;
	struct report report;
	struct fleet *fleet;
	bool configuration;
	uint64_t sequence;

	(void)state;
	assert_int_equal(fleet_new(&options, &fleet, NULL), 0);
	assert_int_equal(fleet_add(fleet, &record, NULL), 0);
	make_a_clone(fleet, &sequence);
	fill(&report, 8, ++sequence, 1, 3);
	exchange = heard(fleet, &report);
	fleet_stored(fleet, exchange, 0);
	assert_int_equal(reply(fleet, exchange)->acknowledged_event, 3);
	assert_false(reply(fleet, exchange)->rekey);
	fleet_exchange_free(fleet, exchange);
	fill(&report, 8, ++sequence, 4, 0);
	exchange = heard(fleet, &report);
	assert_int_equal(fleet_reply(fleet, exchange, &message, &configuration, NULL), ERR_DENIED);
	fleet_exchange_free(fleet, exchange);
	fleet_free(fleet);
}

/* The first of the two has taken another identity, for it had an earlier certificate: the second one is the computer.
 */
static void who_is_left_of_two_is_no_clone(void **state)
{
	struct fleet *fleet = make_plain();
	uint64_t sequence;

	(void)state;
	make_a_clone(fleet, &sequence);
	assert_true(answered(fleet, 8, ++sequence).rekey);
	fleet_copy_left(fleet, &stranger); /* nobody here: nothing happens */
	assert_true(fleet_is_clone(fleet, &id, 8));
	fleet_copy_left(fleet, &id);
	assert_false(fleet_is_clone(fleet, &id, 8));
	tick_until(fleet, now + 5 * MINUTE_US);
	assert_int_equal(status(fleet), FLEET_OFFLINE);
	for (int i = 0; i < 3; i++) {
		assert_false(answered(fleet, 8, ++sequence).rekey);
		assert_int_equal(status(fleet), FLEET_ONLINE);
		now += MINUTE_US;
	}
	now += 3 * MINUTE_US; /* and another copy is one */
	for (uint64_t round = 1; round <= 2; round++) {
		assert_int_equal(answered(fleet, 9, round).rekey, round == 2);
		now += 3 * MINUTE_US;
		assert_false(answered(fleet, 8, ++sequence).rekey);
		now += 3 * MINUTE_US;
	}
	fleet_free(fleet);
}

static void last_words_of_a_dead_agent_are_no_clone(void **state)
{
	struct fleet *fleet = make_plain();

	(void)state;
	reports(fleet, 7, 1);
	reports(fleet, 8, 1);
	now += 10 * SECOND_US;
	reports(fleet, 7, 2);
	now += 10 * MINUTE_US;
	assert_false(answered(fleet, 8, 2).rekey);
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
	assert_int_equal(fleet_ask(fleet, &stranger, &asked, NULL), ERR_NOT_FOUND);
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
	reports(fleet, 7, 2);
	assert_int_equal(fleet_show(fleet, &id, &after, NULL), 0);
	assert_int_equal(after.heard - before.heard, 3 * MILLISECOND_US);
	fleet_free(fleet);
}

/* What is not the fleet's is told at its moment, whether a request is held then or comes later. */
static void a_reply_that_is_wanted_comes_at_its_moment(void **state)
{
	struct fleet *fleet = make_plain();
	struct fleet_exchange *exchange;
	struct report report;
	time_us until, at = now + 7 * SECOND_US;

	(void)state;
	assert_int_equal(fleet_want_reply(fleet, &stranger, at, NULL), ERR_NOT_FOUND);
	fill(&report, 7, 1, 1, 0);
	exchange_once(fleet, &report);
	fill(&report, 7, 2, 1, 0);
	exchange = heard(fleet, &report);
	fleet_stored(fleet, exchange, 0);
	assert_false(fleet_answer(fleet, exchange, true, &report, &until));
	assert_int_equal(fleet_want_reply(fleet, &id, at, NULL), 0);
	tick_until(fleet, at - SECOND_US);
	assert_null(woken);
	tick_until(fleet, at);
	assert_ptr_equal(woken, &report);
	reply(fleet, exchange);
	fleet_exchange_free(fleet, exchange);
	/* Once. */
	fill(&report, 7, 3, 1, 0);
	exchange = heard(fleet, &report);
	fleet_stored(fleet, exchange, 0);
	assert_false(fleet_answer(fleet, exchange, true, &report, &until));
	assert_true(until > now + SECOND_US);
	reply(fleet, exchange);
	fleet_exchange_free(fleet, exchange);
	/* One that comes later is not held. */
	assert_int_equal(fleet_want_reply(fleet, &id, now, NULL), 0);
	fill(&report, 7, 4, 1, 0);
	exchange = heard(fleet, &report);
	fleet_stored(fleet, exchange, 0);
	assert_true(fleet_answer(fleet, exchange, true, &report, &until));
	reply(fleet, exchange);
	fleet_exchange_free(fleet, exchange);
	fleet_free(fleet);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(events_go_in_once_and_are_acknowledged_when_stored),
		cmocka_unit_test(numbers_that_were_used_are_looked_up),
		cmocka_unit_test(without_events_the_number_is_told_to_whom_needs_it),
		cmocka_unit_test(what_an_old_agent_says_stands_for_a_mark),
		cmocka_unit_test(another_computer_is_refused),
		cmocka_unit_test(a_gap_asks_for_the_full_state),
		cmocka_unit_test(a_stale_report_changes_no_state),
		cmocka_unit_test(two_live_sessions_are_a_clone),
		cmocka_unit_test(a_clone_is_known_by_where_it_comes_from),
		cmocka_unit_test(the_older_of_two_runs_is_sent_away_while_it_may_be_its_last_words),
		cmocka_unit_test(a_clone_tells_its_events_before_it_is_another),
		cmocka_unit_test(a_clone_that_is_dialled_is_told_once),
		cmocka_unit_test(after_a_gap_all_is_wanted_until_it_is_told),
		cmocka_unit_test(a_clone_that_is_refused_has_its_events_taken),
		cmocka_unit_test(one_that_is_dialled_and_tells_no_events_is_answered_once),
		cmocka_unit_test(who_is_left_of_two_is_no_clone),
		cmocka_unit_test(last_words_of_a_dead_agent_are_no_clone),
		cmocka_unit_test(asked_it_reports_at_once),
		cmocka_unit_test(a_reply_that_is_wanted_comes_at_its_moment),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
