/* What the managers have committed: commands, computers with their events and
 * alerts; a crash of a manager does not touch it.
 */
#ifndef MUSTER_SIM_STORE_H
#define MUSTER_SIM_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "alerts/alerts.h"
#include "base/map.h"
#include "fleet/fleet.h"
#include "machine.h"
#include "manager/front/membership_rules.h"

#define SIM_RENEWALS_MAX 16

/* --- store.c: committed data --- */
struct sim_stored_command {
	struct uuid id, computer;
	enum command_kind kind;
	struct uuid target;
	enum command_state state;
	time_us issued, expires;
	time_us issued_mono;  /* simulated time */
	time_us write_failed; /* the last one of its end; 0: none */
	unsigned machine;
	size_t open_at; /* its place among the open ones */
	span_us timeout_us;
	uint8_t *envelope;
	size_t envelope_size;
	bool reported_end;
	bool cut_off;     /* it ended with its computer's membership */
	uint64_t session; /* for which run of the agent it was signed */
};
/* What the specification's arithmetic says of a computer, from what was heard of it alone (liveness.c). */
struct sim_life {
	span_us interval_us;
	span_us agent_us; /* by which its agent goes, as it said last */
	bool in_force;    /* the configuration that it should have, as its agent said last */
	uint32_t missed;
	time_us heard;     /* simulated time of the last sign of life */
	time_us policy_at; /* when the policy last changed */
	time_us watch_at;  /* when it is looked at next; INT64_MAX: not */
	bool out;          /* not managed: it may be silent for ever */
	bool offline;
	bool known;         /* it was heard since the manager started */
	bool overdue;       /* among those that the next tick must declare */
	bool owed;          /* declared, and not stored yet */
	bool told;          /* the last event stored about it is "offline" */
	bool shared;        /* two hold its identity, and nobody can say who was heard */
	time_us alone_from; /* simulated time since when one of them is left */
	unsigned declared, stored, excused;
};
/* --- events.c --- */
struct sim_kept_event {
	uint64_t number, mark;
};
struct sim_kept_events {
	struct sim_kept_event *list; /* ascending */
	size_t count, capacity;
};
bool events_known(const struct sim_kept_events *events, uint64_t number, uint64_t mark);
bool events_number_taken(const struct sim_kept_events *events, uint64_t number);
void events_keep(struct sim_kept_events *events, uint64_t number, uint64_t mark);

struct sim_stored_computer {
	struct fleet_computer record;
	enum standing standing;
	uint64_t certificate;
	uint64_t formers[SIM_RENEWALS_MAX]; /* certificates that were renewed */
	unsigned former_count;
	bool left_behind; /* it was made for an agent whose identity had gone on without it */
	/* The last agent that had it was set back to a former certificate, and is another computer now, here or
	 * elsewhere. */
	bool abandoned;
	char name[SIM_NAME_BYTES];
	struct uuid attempt;  /* by which it enrolled */
	bool used;            /* its agent has reported with the identity that it was given last */
	bool let_back;        /* by a person, while its agent was elsewhere */
	unsigned times_taken; /* by an agent that enrolled under its name: its events have no numbers any more */
	unsigned times_left;  /* told by its agent that it had moved */
	unsigned moved_events;
	struct sim_life life;
	unsigned machine; /* that holds the identity, the last one that took it */
	unsigned holders;
	bool was_shared;
	span_us own_interval_us; /* as its agent's own file has it */
	unsigned version;        /* of the configuration it should have */
	time_us online_from;
	uint64_t serial;
	uint64_t event_count;
	struct sim_kept_events events;
	struct sim_alert *alerts, *offline_alert;
	unsigned component_state;
	struct uuid items[SIM_ITEMS_MAX];
	unsigned item_states[SIM_ITEMS_MAX], item_count;
	unsigned offline_events, online_events, problem_events, resolved_events;
	char *configuration_error; /* NULL: none */
	uint64_t told_drops;
	bool touched; /* something of it changed in this step */
};
struct sim_alert {
	struct sim_alert *next;
	enum alert_kind kind;
	char *subject;
	char detail[ALERT_DETAIL_MAX_BYTES + 1];
	bool open;
	unsigned raised, resolved;
};
struct sim_store {
	struct sim_stored_computer *computers;
	size_t computer_count, computer_capacity;
	struct map *computer_index; /* id -> place + 1 */
	struct sim_stored_command *commands;
	size_t command_count, command_capacity;
	struct map *command_index;
	size_t *open; /* places of commands that have not ended */
	size_t open_count, open_capacity;
	uint64_t alerts_raised, event_count;
};
struct sim_stored_computer *store_computer(const struct sim_manager *manager, const struct uuid *id);
/* Has the computer an agent? */
bool store_has_agent(const struct sim_manager *manager, const struct sim_stored_computer *computer);
/* As its manager has it. */
struct sim_stored_computer *store_machine(const struct sim_machine *machine);
struct sim_stored_command *store_command(const struct sim_manager *manager, const struct uuid *id);
/* Of a machine that has this identity, or is given it now. */
struct sim_stored_computer *store_add_computer(const struct sim_machine *machine, const struct sim_identity *identity);
/* All that is open ends with the computer's membership. */
void store_cut_commands(struct sim_manager *manager, const struct uuid *computer, bool fulfils_move);
struct sim_stored_command *store_add_command(struct sim_manager *manager, const struct sim_stored_command *given);
/* One write: all or nothing. */
int store_apply(struct sim_manager *manager, const struct fleet_rows *rows);
void store_init(struct sim_manager *manager, size_t computers);
void store_done(struct sim_manager *manager);

#endif
