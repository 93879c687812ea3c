/* What must be true whatever happens: computed from what was heard and stored
 * alone, and compared with what the cores under test say.
 */
#ifndef MUSTER_SIM_CHECK_H
#define MUSTER_SIM_CHECK_H

#include "manager.h"

/* --- liveness.c: who is offline by the specification's arithmetic --- */
void life_init(struct sim_manager *manager, struct sim_stored_computer *computer, span_us interval_us, uint32_t missed);
void life_policy(struct sim_manager *manager, struct sim_stored_computer *computer, span_us interval_us,
		 uint32_t missed);
void life_heard(struct sim_manager *manager, struct sim_stored_computer *computer, const Muster__Wire__Report *report);
/* The fleet declares it offline, or sees it come back. */
void life_trace(void *manager, const struct uuid *computer, const char *what, const char *from, const char *to);
void life_ticked(struct sim_manager *manager);
/* Event 730 or 731 was stored. */
void life_stored(struct sim_manager *manager, struct sim_stored_computer *computer, uint32_t type);
void life_manager_started(struct sim_manager *manager);
/* Its membership ended; it began again, by another agent or the same. */
void life_leave(struct sim_stored_computer *computer);
void life_return(struct sim_manager *manager, struct sim_stored_computer *computer);
void life_share(struct sim_stored_computer *computer);
void life_end(struct sim_manager *manager, struct sim_stored_computer *computer);
/* Silence counts from the last sign of life, and only while the manager listens. */
time_us life_silent_from(const struct sim_manager *manager, const struct sim_stored_computer *computer);
span_us life_allowed(const struct sim_stored_computer *computer);

/* --- alerts.c --- */
void alerts_forget(struct sim_stored_computer *computer);
void alerts_apply(struct sim_manager *manager, struct sim_stored_computer *computer, const struct fleet_event_row *row);
void alerts_done(struct sim_stored_computer *computer);
void check_reported(struct sim_machine *machine, const struct fleet_rows *rows);
void check_offline(struct sim_manager *manager, struct sim_stored_computer *computer,
		   const struct fleet_computer *shown);
void check_alerts_end(struct sim_manager *manager, struct sim_stored_computer *computer);

/* --- check.c --- */
/* Something of the computer changed. */
void check_touch(struct sim_manager *manager, struct sim_stored_computer *computer);
void check_step(struct sim *sim);
/* A reply has come. */
void check_pace(struct sim_machine *machine);
/* It is about to go on as another computer; what it told as this one is in no file any more. */
void check_left(struct sim_machine *machine);
/* A command ended, or is still open. */
void check_overdue(struct sim_manager *manager, const struct sim_stored_command *command);
void check_reply(struct sim_manager *manager, const struct uuid *computer, const Muster__Wire__Reply *reply);
/* At the end, when all is healed and quiet: every machine that was not looked at yet and is not in the midst of trying
 * a configuration or telling of it. How many are left. */
size_t check_machines(struct sim *sim);
/* Does one wait to be dialled by a manager that does not know of it? After a day it asks by itself. */
bool check_undialled(const struct sim *sim);
void check_restless(struct sim *sim, size_t left);
void check_end(struct sim *sim);

#endif
