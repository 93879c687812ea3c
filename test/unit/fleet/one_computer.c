/* One computer of a fleet (one_computer.h). */
#include "one_computer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

void *woken;

void note_wake(void *context, void *parked)
{
	(void)context;
	woken = parked;
}

struct fleet *make(const struct fleet_computer *record)
{
	const struct fleet_options options = { .env = &env, .wake = note_wake };
	struct fleet *fleet;

	woken = NULL;
	assert_int_equal(fleet_new(&options, &fleet, NULL), 0);
	assert_int_equal(fleet_add(fleet, record, NULL), 0);
	return fleet;
}

struct fleet *make_plain(void)
{
	const struct fleet_computer record = { .id = id, .interval_us = MINUTE_US, .missed = 2 };

	return make(&record);
}

void fill(struct report *report, uint64_t session, uint64_t sequence, uint64_t first, size_t events)
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

struct fleet_exchange *heard(struct fleet *fleet, const struct report *report)
{
	struct fleet_exchange *exchange;

	assert_int_equal(fleet_heard(fleet, &id, &report->wire, &exchange, NULL), 0);
	return exchange;
}

Muster__Wire__Reply *reply(struct fleet *fleet, struct fleet_exchange *exchange)
{
	Muster__Wire__Reply *answer;
	bool configuration;

	assert_int_equal(fleet_reply(fleet, exchange, &answer, &configuration, NULL), 0);
	return answer;
}

/* One whole exchange, committed. */
void exchange_once(struct fleet *fleet, const struct report *report)
{
	struct fleet_exchange *exchange = heard(fleet, report);

	if (!fleet_rows_empty(fleet_exchange_rows(exchange)))
		fleet_stored(fleet, exchange, 0);
	fleet_exchange_free(fleet, exchange);
}

void reports(struct fleet *fleet, uint64_t session, uint64_t sequence)
{
	struct report report;

	fill(&report, session, sequence, 1, 0);
	exchange_once(fleet, &report);
}

size_t ticked_events;
uint32_t ticked_type;
enum command_state ticked_state;

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

void tick_until(struct fleet *fleet, time_us end)
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

enum fleet_status status(struct fleet *fleet)
{
	struct fleet_computer shown;

	assert_int_equal(fleet_show(fleet, &id, &shown, NULL), 0);
	return shown.status;
}
