/* Alerts of the simulated manager: the real core over a store that keeps what
 * was committed; and what must be true of them by the specification's arithmetic. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alerts/alerts.h"
#include "world.h"

/* From the fact to the committed row: a disk that stalls, writes behind it, commits that fail. */
#define COMMIT_SPAN_US (10 * MINUTE_US)
#define WAY_SPAN_US    (25 * SECOND_US)

static struct sim_alert *find(const struct sim_stored_computer *computer, enum alert_kind kind, const char *subject)
{
	struct sim_alert *alert = computer->alerts;

	while (alert != NULL && (alert->kind != kind || strcmp(alert->subject, subject) != 0))
		alert = alert->next;
	return alert;
}

static struct sim_alert *add(struct sim_stored_computer *computer, const struct alert_fact *fact)
{
	struct sim_alert *alert = calloc(1, sizeof(*alert));

	if (alert == NULL)
		abort();
	alert->kind = fact->kind;
	alert->subject = strdup(fact->subject);
	alert->next = computer->alerts;
	computer->alerts = alert;
	if (alert->kind == ALERT_COMPUTER_OFFLINE)
		computer->offline_alert = alert;
	return alert;
}

static void apply(struct sim_manager *manager, struct sim_stored_computer *computer, const struct alert_fact *fact)
{
	struct sim *sim = manager->sim;
	struct sim_alert *alert = find(computer, fact->kind, fact->subject);
	struct alert_settings settings;

	alert_settings_default(&settings);
	switch (alert_decide(&settings, fact, alert != NULL && alert->open ? alert->detail : NULL,
			     alert_severity_of(&settings, fact))) {
	case ALERT_RAISE:
		if (alert == NULL)
			alert = add(computer, fact);
		sim_log(sim, "alert: %s is raised", alert_definitions[fact->kind].name);
		alert->open = true;
		alert->raised++;
		manager->store.alerts_raised++;
		snprintf(alert->detail, sizeof(alert->detail), "%s", fact->detail);
		break;
	case ALERT_AMEND:
		snprintf(alert->detail, sizeof(alert->detail), "%s", fact->detail);
		break;
	case ALERT_RESOLVE:
		sim_log(sim, "alert: %s is resolved", alert_definitions[fact->kind].name);
		alert->open = false;
		alert->resolved++;
		break;
	case ALERT_UNCHANGED:
		break;
	}
}

void alerts_apply(struct sim_manager *manager, struct sim_stored_computer *computer, const struct fleet_event_row *row)
{
	struct sim *sim = manager->sim;
	struct sim_machine *machine = &sim->machines[computer->machine];
	struct event_field fields[WIRE_FIELDS_MAX];
	struct alert_fact fact;
	bool says;

	for (size_t i = 0; i < row->field_count; i++)
		fields[i] = (struct event_field){ row->fields[i]->name,
						  { row->fields[i]->value.data, row->fields[i]->value.len } };
	if (alert_fact_of_event(row->type, &computer->record.id, fields, row->field_count, sim->now, &says, &fact,
				NULL) != 0)
		abort();
	if (!says)
		return;
	if ((sim->options.broken == BREAK_ALERT_LOST && row->type == EVENT_COMPUTER_OFFLINE) ||
	    (sim->options.broken == BREAK_ALERT_KEPT && row->type == EVENT_COMPUTER_ONLINE)) {
		alert_fact_done(&fact);
		return;
	}
	if (row->type == EVENT_COMPUTER_CLOCK_CHANGE)
		machine->clock_told = machine->clock_telling;
	apply(manager, computer, &fact);
	alert_fact_done(&fact);
}

/* Nothing is asked of anybody about a computer that is not managed. */
void alerts_forget(struct sim_stored_computer *computer)
{
	for (struct sim_alert *alert = computer->alerts; alert != NULL; alert = alert->next) {
		alert->resolved += alert->open;
		alert->open = false;
	}
}

void alerts_done(struct sim_stored_computer *computer)
{
	while (computer->alerts != NULL) {
		struct sim_alert *alert = computer->alerts;

		computer->alerts = alert->next;
		free(alert->subject);
		free(alert);
	}
}

/* --- what must be true --- */

static bool tells(const struct fleet_rows *rows, uint32_t type)
{
	for (size_t i = 0; i < rows->manager_event_count; i++) {
		if (rows->manager_events[i].type == type)
			return true;
	}
	return false;
}

/* One that is not stored as heard is compared with the manager's clock as it is now, which may be the wrong one. */
static bool differs_when_first_heard(const struct sim_machine *machine)
{
	const struct sim_stored_computer *computer = store_machine(machine);
	span_us apart = machine->clock_offset - machine->manager->clock_offset;

	apart = apart < 0 ? -apart : apart;
	return computer->record.last_heard == 0 && apart + WAY_SPAN_US > computer->record.clock_limit_us;
}

/* What a report asks to be stored: event 734 only if its clock was changed. */
void check_reported(struct sim_machine *machine, const struct fleet_rows *rows)
{
	struct sim *sim = machine->sim;
	/* A report may have been under way as the last one was told. */
	bool changed = machine->clock_changed != 0 && machine->clock_changed + WAY_SPAN_US >= machine->clock_told;

	if (machine->has_clone || !tells(rows, EVENT_COMPUTER_CLOCK_CHANGE))
		return;
	if (!changed && !differs_when_first_heard(machine))
		sim_fail(sim, "machine %u: its clock is told as changed, and was not", machine->index);
	machine->clock_telling = sim->now;
}

/* Since when the manager had time to tell and to store what it knows: one that is stopped does neither, and what its
 * fleet learned before is told with its first tick after that. */
static bool had_time(const struct sim_manager *manager, time_us since)
{
	time_us from = since > manager->stalled_until ? since : manager->stalled_until;

	return manager->sim->now - from > COMMIT_SPAN_US;
}

void check_offline(struct sim_manager *manager, struct sim_stored_computer *computer,
		   const struct fleet_computer *shown)
{
	struct sim *sim = manager->sim;
	const struct sim_alert *alert = computer->offline_alert;
	size_t index = (size_t)(computer - manager->store.computers);
	bool open = alert != NULL && alert->open;
	span_us silence = sim->now - life_silent_from(manager, computer);
	span_us allowed = life_allowed(computer);

	if (shown->status != FLEET_ONLINE)
		computer->online_from = sim->now;
	if (open && had_time(manager, computer->online_from))
		sim_fail(sim, "computer %zu is online for long, and its offline alert is open", index);
	if (open && shown->missed == FLEET_UNLIMITED && had_time(manager, computer->life.policy_at) &&
	    had_time(manager, manager->started))
		sim_fail(sim, "computer %zu may be silent for ever, and its offline alert is open", index);
	if (!open && shown->missed != FLEET_UNLIMITED && silence > allowed + COMMIT_SPAN_US &&
	    sim->now - computer->life.policy_at > COMMIT_SPAN_US &&
	    sim->now >= manager->stalled_until + 2 * SECOND_US) /* the next tick forgives what it did not hear */
		sim_fail(sim, "computer %zu is silent for %lld s, %lld are allowed, and there is no alert", index,
			 (long long)(silence / SECOND_US), (long long)(allowed / SECOND_US));
}

static void check_clock(struct sim_manager *manager, const struct sim_stored_computer *computer)
{
	span_us right = SIM_START_WALL + manager->booted - manager->clock_zero, off;
	struct fleet_computer shown;

	if (fleet_show(manager->fleet, &computer->record.id, &shown, NULL) != 0 || shown.clock_limit_us == 0)
		return;
	off = computer->record.clock_base_us - right;
	off = off < 0 ? -off : off;
	/* All clocks are right again: a base that is far off means a change that was not told. */
	if (off > shown.clock_limit_us + WAY_SPAN_US)
		sim_fail(manager->sim, "machine %u: its clock changed by %lld s and nobody was told", computer->machine,
			 (long long)(off / SECOND_US));
}

void check_alerts_end(struct sim_manager *manager, struct sim_stored_computer *computer)
{
	struct sim *sim = manager->sim;
	const struct sim_alert *offline = computer->offline_alert;
	unsigned raised = offline != NULL ? offline->raised : 0;

	for (const struct sim_alert *alert = computer->alerts; alert != NULL && !sim->failed; alert = alert->next) {
		if (alert->raised != alert->resolved + alert->open)
			sim_fail(sim, "alert %s was raised %u times and resolved %u times",
				 alert_definitions[alert->kind].name, alert->raised, alert->resolved);
	}
	if (offline != NULL && offline->open && store_has_agent(manager, computer))
		sim_fail(sim, "all is online, and an offline alert is open");
	if (raised != computer->life.stored)
		sim_fail(sim, "computer of machine %u was offline %u times, its alert was raised %u times",
			 computer->machine, computer->life.stored, raised);
	if (!computer->was_shared && store_has_agent(manager, computer))
		check_clock(manager, computer);
}
