/* A computer whose virtual machine is shut off (src/fleet/liveness.c). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "fleet/fleet.h"
#include "given_time.h"

#define ALLOWED_US (3 * MINUTE_US + SECOND_US) /* interval 1 min, 2 may be missed; told within a second */

static const struct uuid id = { { 1, 2, 3 } };

static void note_wake(void *context, void *parked)
{
	(void)context;
	(void)parked;
}

/* What was told and stored: the names of events, and the row. */
static char told[512];
static struct fleet_computer row;
static int commit;

static void begin(void)
{
	told[0] = '\0';
}

static void note_rows(const struct fleet_rows *rows)
{
	if (rows->computer_row != NULL && commit == 0)
		row = *rows->computer_row;
	for (size_t i = 0; i < rows->manager_event_count && commit == 0; i++) {
		size_t length = strlen(told);
		const struct fleet_event_row *event = &rows->manager_events[i];

		snprintf(told + length, sizeof(told) - length, "%s%s", length > 0 ? " " : "",
			 event_type_find(event->type)->name);
		length = strlen(told);
		if (event->type == EVENT_VM_STOPPED)
			snprintf(told + length, sizeof(told) - length, "=%.*s", (int)event->fields[0]->value.len,
				 (const char *)event->fields[0]->value.data);
	}
}

static struct fleet *make(const struct fleet_computer *record)
{
	const struct fleet_options options = { .env = &env, .wake = note_wake };
	struct fleet *fleet;

	begin();
	commit = 0;
	row = (struct fleet_computer){ 0 };
	assert_int_equal(fleet_new(&options, &fleet, NULL), 0);
	assert_int_equal(fleet_add(fleet, record, NULL), 0);
	return fleet;
}

static void speak(struct fleet *fleet, uint64_t session, uint64_t sequence)
{
	Muster__Wire__Report report = MUSTER__WIRE__REPORT__INIT;
	struct fleet_exchange *exchange;

	report.protocol = 1;
	report.computer = exchange_bytes(id.bytes, UUID_BYTES);
	report.session = session;
	report.sequence = sequence;
	report.full = sequence == 1;
	assert_int_equal(fleet_heard(fleet, &id, &report, &exchange, NULL), 0);
	note_rows(fleet_exchange_rows(exchange));
	if (!fleet_rows_empty(fleet_exchange_rows(exchange)))
		fleet_stored(fleet, exchange, commit);
	fleet_exchange_free(fleet, exchange);
}

static struct fleet *make_online(bool inactive_error)
{
	const struct fleet_computer record = {
		.id = id, .interval_us = MINUTE_US, .missed = 2, .inactive_error = inactive_error
	};
	struct fleet *fleet;

	now = 0;
	fleet = make(&record);
	speak(fleet, 7, 1);
	return fleet;
}

static void take_tick(void *argument, struct fleet_exchange *exchange)
{
	*(struct fleet_exchange **)argument = exchange;
}

static void pass(struct fleet *fleet, span_us span)
{
	time_us end = now + span;

	while (now < end) {
		struct fleet_exchange *exchange = NULL;

		now += SECOND_US;
		fleet_tick(fleet, take_tick, &exchange);
		if (exchange == NULL)
			continue;
		note_rows(fleet_exchange_rows(exchange));
		fleet_stored(fleet, exchange, commit);
		fleet_exchange_free(fleet, exchange);
	}
}

static void machine(struct fleet *fleet, enum machine_state state)
{
	assert_int_equal(fleet_set_machine(fleet, &id, state, NULL), 0);
}

static struct fleet_computer shown(struct fleet *fleet)
{
	struct fleet_computer computer;

	assert_int_equal(fleet_show(fleet, &id, &computer, NULL), 0);
	return computer;
}

/* --- tests --- */

static void a_stopped_machine_is_no_error(void **state)
{
	struct fleet *fleet = make_online(false);

	(void)state;
	pass(fleet, 10 * SECOND_US);
	machine(fleet, MACHINE_STOPPED);
	assert_int_equal(shown(fleet).status, FLEET_VM_STOPPED);
	assert_string_equal(shown(fleet).cause, "virtual machine shut off");
	assert_int_equal(shown(fleet).status_since, WALL_START + now);
	assert_int_equal(fleet_with_status(fleet, FLEET_ONLINE), 0);
	assert_int_equal(fleet_with_status(fleet, FLEET_VM_STOPPED), 1);
	pass(fleet, 24 * HOUR_US);
	machine(fleet, MACHINE_STOPPED); /* again: nothing new */
	pass(fleet, MINUTE_US);
	assert_string_equal(told, "vm_stopped=no");
	assert_int_equal(row.status, FLEET_VM_STOPPED);
	assert_false(row.offline_error);
	fleet_free(fleet);
}

static void the_arithmetic_starts_when_it_runs_again(void **state)
{
	struct fleet *fleet = make_online(false);

	(void)state;
	machine(fleet, MACHINE_STOPPED);
	pass(fleet, HOUR_US);
	begin();
	machine(fleet, MACHINE_RUNNING);
	assert_int_equal(shown(fleet).status, FLEET_UNKNOWN);
	pass(fleet, 3 * MINUTE_US);
	assert_int_equal(shown(fleet).status, FLEET_UNKNOWN);
	assert_string_equal(told, "vm_not_stopped");
	pass(fleet, SECOND_US);
	assert_int_equal(shown(fleet).status, FLEET_OFFLINE);
	assert_string_equal(told, "vm_not_stopped computer_offline");
	speak(fleet, 8, 1);
	assert_int_equal(shown(fleet).status, FLEET_ONLINE);
	assert_string_equal(told, "vm_not_stopped computer_offline computer_online");
	fleet_free(fleet);
}

static void an_agent_that_comes_back_is_online_without_a_word_of_offline(void **state)
{
	struct fleet *fleet = make_online(false);

	(void)state;
	machine(fleet, MACHINE_STOPPED);
	pass(fleet, HOUR_US);
	machine(fleet, MACHINE_RUNNING);
	pass(fleet, MINUTE_US);
	speak(fleet, 8, 1);
	pass(fleet, SECOND_US);
	assert_string_equal(told, "vm_stopped=no vm_not_stopped");
	assert_int_equal(row.status, FLEET_ONLINE);
	fleet_free(fleet);
}

static void the_setting_makes_it_an_error_by_the_same_arithmetic(void **state)
{
	struct fleet *fleet = make_online(true);

	(void)state;
	pass(fleet, MINUTE_US);
	machine(fleet, MACHINE_STOPPED);
	pass(fleet, 2 * MINUTE_US);
	assert_string_equal(told, "vm_stopped=yes");
	assert_false(shown(fleet).offline_error);
	pass(fleet, 2 * SECOND_US);
	assert_string_equal(told, "vm_stopped=yes computer_offline");
	assert_int_equal(shown(fleet).status, FLEET_VM_STOPPED);
	assert_true(row.offline_error);
	machine(fleet, MACHINE_RUNNING); /* the alert stays until the agent is heard */
	pass(fleet, HOUR_US);
	assert_string_equal(told, "vm_stopped=yes computer_offline vm_not_stopped");
	assert_int_equal(shown(fleet).status, FLEET_OFFLINE);
	speak(fleet, 8, 1);
	assert_string_equal(told, "vm_stopped=yes computer_offline vm_not_stopped computer_online");
	assert_false(row.offline_error);
	fleet_free(fleet);
}

static void an_open_error_ends_when_the_machine_is_found_stopped(void **state)
{
	struct fleet *fleet = make_online(false);

	(void)state;
	pass(fleet, ALLOWED_US);
	assert_string_equal(told, "computer_offline");
	machine(fleet, MACHINE_STOPPED);
	pass(fleet, SECOND_US);
	assert_string_equal(told, "computer_offline vm_stopped=no");
	assert_int_equal(row.status, FLEET_VM_STOPPED);
	assert_false(row.offline_error);
	fleet_free(fleet);
}

static void an_open_error_stays_where_a_stop_is_one(void **state)
{
	struct fleet *fleet = make_online(true);

	(void)state;
	pass(fleet, ALLOWED_US);
	machine(fleet, MACHINE_STOPPED);
	pass(fleet, HOUR_US);
	assert_string_equal(told, "computer_offline vm_stopped=yes");
	assert_true(row.offline_error);
	fleet_free(fleet);
}

static void changing_the_setting_raises_and_ends(void **state)
{
	struct fleet *fleet = make_online(false);

	(void)state;
	machine(fleet, MACHINE_STOPPED);
	pass(fleet, HOUR_US);
	begin();
	assert_int_equal(fleet_set_inactive_error(fleet, &id, true, NULL), 0);
	pass(fleet, 2 * SECOND_US);
	assert_string_equal(told, "computer_offline");
	assert_int_equal(fleet_set_inactive_error(fleet, &id, false, NULL), 0);
	pass(fleet, 2 * SECOND_US);
	assert_string_equal(told, "computer_offline vm_stopped=no");
	assert_false(row.offline_error);
	pass(fleet, HOUR_US);
	assert_string_equal(told, "computer_offline vm_stopped=no");
	fleet_free(fleet);
}

static void nothing_known_any_more_counts_from_then(void **state)
{
	struct fleet *fleet = make_online(false);

	(void)state;
	machine(fleet, MACHINE_STOPPED);
	pass(fleet, HOUR_US);
	machine(fleet, MACHINE_UNKNOWN);
	pass(fleet, 3 * MINUTE_US);
	assert_int_equal(shown(fleet).status, FLEET_UNKNOWN);
	pass(fleet, SECOND_US);
	assert_string_equal(told, "vm_stopped=no vm_not_stopped computer_offline");
	machine(fleet, MACHINE_STOPPED);
	pass(fleet, SECOND_US);
	assert_string_equal(told, "vm_stopped=no vm_not_stopped computer_offline vm_stopped=no");
	fleet_free(fleet);
}

static void last_words_do_not_wake_the_dead(void **state)
{
	struct fleet *fleet = make_online(false);

	(void)state;
	machine(fleet, MACHINE_STOPPED);
	pass(fleet, 2 * SECOND_US);
	speak(fleet, 7, 2); /* was on its way */
	assert_int_equal(shown(fleet).status, FLEET_VM_STOPPED);
	assert_int_equal(shown(fleet).last_heard, WALL_START + now);
	speak(fleet, 8, 1); /* an agent just started */
	assert_int_equal(shown(fleet).status, FLEET_ONLINE);
	fleet_free(fleet);
}

/* Two machines with one UUID, say, or a hypervisor that lies. */
static void one_that_goes_on_speaking_is_believed(void **state)
{
	struct fleet *fleet = make_online(false);

	(void)state;
	machine(fleet, MACHINE_STOPPED);
	pass(fleet, 40 * SECOND_US);
	speak(fleet, 7, 2);
	assert_int_equal(shown(fleet).status, FLEET_ONLINE);
	machine(fleet, MACHINE_STOPPED); /* the hypervisor says so at every look */
	assert_int_equal(shown(fleet).status, FLEET_ONLINE);
	pass(fleet, ALLOWED_US);
	assert_int_equal(shown(fleet).status, FLEET_OFFLINE);
	machine(fleet, MACHINE_RUNNING);
	machine(fleet, MACHINE_STOPPED); /* a stop that was seen to happen */
	assert_int_equal(shown(fleet).status, FLEET_VM_STOPPED);
	fleet_free(fleet);
}

static void a_restart_keeps_it(void **state)
{
	struct fleet_computer record = {
		.id = id,
		.interval_us = MINUTE_US,
		.missed = 2,
		.status = FLEET_VM_STOPPED,
		.status_since = WALL_START - DAY_US,
		.last_heard = WALL_START - DAY_US,
	};
	struct fleet *fleet;

	(void)state;
	now = 0;
	fleet = make(&record);
	assert_int_equal(shown(fleet).status, FLEET_VM_STOPPED);
	assert_int_equal(shown(fleet).status_since, WALL_START - DAY_US);
	machine(fleet, MACHINE_STOPPED);
	pass(fleet, HOUR_US);
	assert_string_equal(told, "");
	machine(fleet, MACHINE_UNKNOWN);
	pass(fleet, ALLOWED_US);
	assert_string_equal(told, "vm_not_stopped computer_offline");
	fleet_free(fleet);

	now = 0;
	record.offline_error = record.inactive_error = true;
	fleet = make(&record);
	pass(fleet, HOUR_US);
	assert_string_equal(told, ""); /* it was told before */
	fleet_free(fleet);

	now = 0;
	record.inactive_error = false; /* the policy was changed meanwhile */
	fleet = make(&record);
	pass(fleet, 2 * SECOND_US);
	assert_string_equal(told, "vm_stopped=no");
	fleet_free(fleet);
}

static void what_was_not_stored_is_told_again(void **state)
{
	struct fleet *fleet = make_online(true);

	(void)state;
	pass(fleet, ALLOWED_US - 2 * SECOND_US);
	commit = ERR_IO;
	machine(fleet, MACHINE_STOPPED);
	pass(fleet, 5 * SECOND_US);
	assert_string_equal(told, "");
	commit = 0;
	pass(fleet, 20 * SECOND_US);
	assert_string_equal(told, "vm_stopped=yes computer_offline");
	assert_true(row.offline_error);
	fleet_free(fleet);
}

static void names_are_read_as_they_are_written(void **state)
{
	(void)state;
	for (unsigned i = 0; i < FLEET_STATUSES; i++)
		assert_int_equal(fleet_status_parse(fleet_status_name(i)), i);
	assert_int_equal(fleet_status_parse("asleep"), FLEET_UNKNOWN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_stopped_machine_is_no_error),
		cmocka_unit_test(the_arithmetic_starts_when_it_runs_again),
		cmocka_unit_test(an_agent_that_comes_back_is_online_without_a_word_of_offline),
		cmocka_unit_test(the_setting_makes_it_an_error_by_the_same_arithmetic),
		cmocka_unit_test(an_open_error_ends_when_the_machine_is_found_stopped),
		cmocka_unit_test(an_open_error_stays_where_a_stop_is_one),
		cmocka_unit_test(changing_the_setting_raises_and_ends),
		cmocka_unit_test(nothing_known_any_more_counts_from_then),
		cmocka_unit_test(last_words_do_not_wake_the_dead),
		cmocka_unit_test(one_that_goes_on_speaking_is_believed),
		cmocka_unit_test(a_restart_keeps_it),
		cmocka_unit_test(what_was_not_stored_is_told_again),
		cmocka_unit_test(names_are_read_as_they_are_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
