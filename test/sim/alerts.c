/* Alerts of the simulated manager: the real core over a store that keeps what
 * was committed; and what must be true of them by the specification's arithmetic. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alerts/alerts.h"
#include "world.h"

/* From the fact to the committed row: a disk that stalls, writes behind it, commits that fail. */
#define COMMIT_SPAN_US (10 * MINUTE_US)
/* Detection: within a second of the arithmetic's moment, the tick included; and the simulator's own rounding. */
#define DETECT_SPAN_US (SECOND_US + 500 * MILLISECOND_US + 10 * MILLISECOND_US)
#define WAY_SPAN_US    (25 * SECOND_US)

static struct sim_alert *find(struct sim *sim, const struct alert_fact *fact)
{
	for (size_t i = 0; i < sim->store.alert_count; i++) {
		struct sim_alert *alert = &sim->store.alerts[i];

		if (alert->kind == fact->kind && uuid_equal(&alert->computer, &fact->computer) &&
		    strcmp(alert->subject, fact->subject) == 0)
			return alert;
	}
	return NULL;
}

static struct sim_alert *add(struct sim *sim, const struct alert_fact *fact)
{
	struct sim_store *store = &sim->store;

	if (store->alert_count == store->alert_capacity) {
		store->alert_capacity = store->alert_capacity * 2 + 32;
		store->alerts = reallocarray(store->alerts, store->alert_capacity, sizeof(*store->alerts));
		if (store->alerts == NULL)
			abort();
	}
	store->alerts[store->alert_count] = (struct sim_alert){ .kind = fact->kind, .computer = fact->computer };
	store->alerts[store->alert_count].subject = strdup(fact->subject);
	return &store->alerts[store->alert_count++];
}

static void apply(struct sim *sim, const struct alert_fact *fact)
{
	struct sim_alert *alert = find(sim, fact);
	struct alert_settings settings;

	alert_settings_default(&settings);
	switch (alert_decide(&settings, fact, alert != NULL && alert->open ? alert->detail : NULL)) {
	case ALERT_RAISE:
		if (alert == NULL)
			alert = add(sim, fact);
		sim_log(sim, "alert: %s is raised", alert_definitions[fact->kind].name);
		alert->open = true;
		alert->raised++;
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

void alerts_apply(struct sim *sim, const struct uuid *computer, const struct fleet_event_row *row)
{
	struct event_field fields[WIRE_FIELDS_MAX];
	struct alert_fact fact;
	bool says;

	for (size_t i = 0; i < row->field_count; i++)
		fields[i] = (struct event_field){ row->fields[i]->name,
						  { row->fields[i]->value.data, row->fields[i]->value.len } };
	if (alert_fact_of_event(row->type, computer, fields, row->field_count, sim->now, &says, &fact, NULL) != 0)
		abort();
	if (!says)
		return;
	if ((sim->options.broken == BREAK_ALERT_LOST && row->type == EVENT_COMPUTER_OFFLINE) ||
	    (sim->options.broken == BREAK_ALERT_KEPT && row->type == EVENT_COMPUTER_ONLINE)) {
		alert_fact_done(&fact);
		return;
	}
	for (size_t i = 0; i < sim->machine_count && row->type == EVENT_COMPUTER_CLOCK_CHANGE; i++) {
		if (uuid_equal(&sim->machines[i].computer, computer))
			sim->machines[i].clock_told = sim->machines[i].clock_telling;
	}
	apply(sim, &fact);
	alert_fact_done(&fact);
}

void alerts_done(struct sim *sim)
{
	for (size_t i = 0; i < sim->store.alert_count; i++)
		free(sim->store.alerts[i].subject);
	free(sim->store.alerts);
}

static bool is_open(const struct sim *sim, enum alert_kind kind, const struct uuid *computer)
{
	for (size_t i = 0; i < sim->store.alert_count; i++) {
		const struct sim_alert *alert = &sim->store.alerts[i];

		if (alert->kind == kind && uuid_equal(&alert->computer, computer) && alert->open)
			return true;
	}
	return false;
}

/* --- what must be true --- */

static size_t index_of(const struct sim *sim, const struct uuid *computer)
{
	size_t index = 0;

	while (index < sim->store.computer_count && !uuid_equal(&sim->store.computers[index].record.id, computer))
		index++;
	return index;
}

/* Silence counts from the last sign of life, and only while the manager listens. */
static time_us silent_from(const struct sim *sim, size_t index)
{
	time_us from = sim->manager.heard[index];

	if (from < sim->manager.started)
		from = sim->manager.started;
	return from < sim->manager.forgiven ? sim->manager.forgiven : from;
}

static bool tells(const struct fleet_rows *rows, uint32_t type)
{
	for (size_t i = 0; i < rows->manager_event_count; i++) {
		if (rows->manager_events[i].type == type)
			return true;
	}
	return false;
}

/* What a tick asks to be stored: is it offline by the arithmetic, and told in time? */
void check_ticked(struct sim *sim, const struct fleet_rows *rows)
{
	size_t index = index_of(sim, &rows->computer);
	struct fleet_computer shown;
	span_us silence, allowed;

	if (sim->cloned || index == sim->store.computer_count || !tells(rows, EVENT_COMPUTER_OFFLINE) ||
	    fleet_show(sim->manager.fleet, &rows->computer, &shown, NULL) != 0)
		return;
	silence = sim->now - silent_from(sim, index);
	allowed = ((span_us)shown.missed + 1) * shown.interval_us;
	if (shown.missed == FLEET_UNLIMITED)
		sim_fail(sim, "computer %zu may be silent for ever and is told offline", index);
	else if (silence < allowed)
		sim_fail(sim, "computer %zu is told offline after %lld ms, %lld are allowed", index,
			 (long long)(silence / MILLISECOND_US), (long long)(allowed / MILLISECOND_US));
	else if (shown.status_since == env_wall(&sim->manager.env) && silence > allowed + DETECT_SPAN_US)
		sim_fail(sim, "computer %zu is told offline %lld ms too late", index,
			 (long long)((silence - allowed) / MILLISECOND_US));
}

/* What a report asks to be stored: event 734 only if its clock was changed. */
void check_reported(struct sim *sim, struct sim_machine *machine, const struct fleet_rows *rows)
{
	if (sim->cloned || !tells(rows, EVENT_COMPUTER_CLOCK_CHANGE))
		return;
	if (machine->clock_changed < machine->clock_told)
		sim_fail(sim, "machine %u: its clock is told as changed, and was not", machine->index);
	machine->clock_telling = sim->now;
}

static void check_offline(struct sim *sim, size_t index, const struct fleet_computer *shown)
{
	const struct uuid *computer = &sim->store.computers[index].record.id;
	bool open = is_open(sim, ALERT_COMPUTER_OFFLINE, computer);
	span_us silence = sim->now - silent_from(sim, index);
	span_us allowed = ((span_us)shown->missed + 1) * shown->interval_us;

	if (shown->status != FLEET_ONLINE)
		sim->manager.online_from[index] = sim->now;
	if (open && sim->now - sim->manager.online_from[index] > COMMIT_SPAN_US)
		sim_fail(sim, "computer %zu is online for long, and its offline alert is open", index);
	if (!open && shown->missed != FLEET_UNLIMITED && silence > allowed + COMMIT_SPAN_US &&
	    sim->now >= sim->manager.stalled_until + 2 * SECOND_US) /* the next tick forgives what it did not hear */
		sim_fail(sim, "computer %zu is silent for %lld s, %lld are allowed, and there is no alert", index,
			 (long long)(silence / SECOND_US), (long long)(allowed / SECOND_US));
}

void check_alerts(struct sim *sim)
{
	for (size_t i = 0; i < sim->store.computer_count && !sim->failed && !sim->cloned; i++) {
		struct fleet_computer shown;

		if (fleet_show(sim->manager.fleet, &sim->store.computers[i].record.id, &shown, NULL) == 0)
			check_offline(sim, i, &shown);
	}
}

static void check_clock(struct sim *sim, const struct sim_machine *machine)
{
	const struct sim_stored_computer *computer = store_computer(sim, &machine->computer);
	struct fleet_computer shown;
	span_us off;

	if (fleet_show(sim->manager.fleet, &machine->computer, &shown, NULL) != 0 || shown.clock_limit_us == 0)
		return;
	off = computer->record.clock_base_us < 0 ? -computer->record.clock_base_us : computer->record.clock_base_us;
	/* All clocks are right again: a base that is far off means a change that was not told. */
	if (off > shown.clock_limit_us + WAY_SPAN_US)
		sim_fail(sim, "machine %u: its clock changed by %lld s and nobody was told", machine->index,
			 (long long)(off / SECOND_US));
}

void check_alerts_end(struct sim *sim)
{
	for (size_t i = 0; i < sim->store.alert_count && !sim->failed; i++) {
		const struct sim_alert *alert = &sim->store.alerts[i];

		if (alert->raised != alert->resolved + alert->open)
			sim_fail(sim, "alert %s was raised %u times and resolved %u times",
				 alert_definitions[alert->kind].name, alert->raised, alert->resolved);
		if (alert->open && alert->kind == ALERT_COMPUTER_OFFLINE && !sim->cloned)
			sim_fail(sim, "all is online, and an offline alert is open");
	}
	for (size_t i = 0; i < sim->machine_count && !sim->failed && !sim->cloned; i++)
		check_clock(sim, &sim->machines[i]);
}
