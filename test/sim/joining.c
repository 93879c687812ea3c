/* Memberships at a manager: an agent enrols, leaves, is put out and let in
 * again. Who may is decided by the real rules; the shell around them is a small
 * copy of front's: looked at when it is asked, looked at again when it is
 * written, in one transaction, and only then in force. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "world.h"

#define TOKEN_LIFE_US DAY_US

struct sim_enrolment_token {
	unsigned uses_left;
	time_us expires; /* simulated time */
	bool revoked;
};

struct plan {
	struct sim_stored_computer *computer; /* that made this attempt before, or whose name it is */
	bool again;
	enum enrolment_way way;
};

void joining_init(struct sim_manager *manager)
{
	static const enum same_name names[] = { SAME_NAME_NUMBER, SAME_NAME_NUMBER, SAME_NAME_REACTIVATE,
						SAME_NAME_REFUSE };

	manager->rules = (struct enrolment_rules){ .reactivate_cloned = true, .reactivate_unknown = true };
	if (manager->index > 0) /* as it was before there were several */
		manager->rules.same_name = names[sim_below(manager->sim, COUNT_OF(names))];
}

uint64_t joining_token(struct sim_manager *manager)
{
	struct sim *sim = manager->sim;
	struct sim_enrolment_token *token;

	if (manager->token_count == manager->token_capacity) {
		manager->token_capacity = manager->token_capacity * 2 + 16;
		manager->tokens = reallocarray(manager->tokens, manager->token_capacity, sizeof(*manager->tokens));
		if (manager->tokens == NULL)
			abort();
	}
	token = &manager->tokens[manager->token_count++];
	*token = (struct sim_enrolment_token){ .uses_left = 1, .expires = sim->now + TOKEN_LIFE_US };
	if (sim_chance(sim, 40))
		token->expires = sim->now;
	if (sim_chance(sim, 40))
		token->revoked = true;
	if (sim_chance(sim, 40))
		token->uses_left = 0;
	return manager->token_count;
}

bool joining_admits(const struct sim_stored_computer *computer, uint64_t certificate)
{
	return computer != NULL && computer->standing == STANDING_MANAGED && computer->certificate == certificate;
}

static bool is_former(const struct sim_stored_computer *computer, uint64_t certificate)
{
	for (unsigned i = 0; i < computer->former_count; i++) {
		if (computer->formers[i] == certificate)
			return true;
	}
	return false;
}

enum roster_standing joining_standing(const struct sim_stored_computer *computer, uint64_t certificate)
{
	static const enum roster_standing standings[STANDINGS] = { [STANDING_MANAGED] = ROSTER_ACTIVE,
								   [STANDING_ADDED] = ROSTER_UNKNOWN,
								   [STANDING_DEACTIVATED] = ROSTER_DEACTIVATED,
								   [STANDING_MOVED] = ROSTER_MOVED,
								   [STANDING_REVOKED] = ROSTER_REVOKED };
	enum roster_standing standing;

	if (computer == NULL)
		return ROSTER_UNKNOWN;
	standing = standings[computer->standing];
	if (certificate == computer->certificate)
		return standing;
	if (!is_former(computer, certificate)) /* of an agent before this one */
		return ROSTER_REVOKED;
	return standing == ROSTER_ACTIVE || standing == ROSTER_MOVED ? ROSTER_REPLACED : standing;
}

bool joining_rekeys(const struct sim_manager *manager, const struct sim_stored_computer *computer, uint64_t certificate)
{
	return enrolment_rekeys(&manager->rules, joining_standing(computer, certificate));
}

bool joining_may_rekey(const struct sim_machine *machine)
{
	const struct sim_stored_computer *computer = store_machine(machine);
	const struct enrolment_facts facts = { .by_certificate = true,
					       .name = ENROLMENT_NAME_MANAGED,
					       .standing = joining_standing(computer, machine->certificate),
					       .is_clone = machine->manager->up &&
							   fleet_is_clone(machine->manager->fleet, &machine->computer,
									  endpoint_session(machine->endpoint)) };
	enum enrolment_way way;

	return enrolment_decide(&machine->manager->rules, &facts, &way, NULL) == 0;
}

void joining_renew(struct sim_machine *machine)
{
	struct sim *sim = machine->sim;
	struct sim_stored_computer *computer = store_machine(machine);

	if (!machine->manager->up || !machine->up || machine->rekey_asked || moves_under_way(machine) ||
	    !joining_admits(computer, machine->certificate) || computer->former_count == SIM_RENEWALS_MAX)
		return;
	computer->formers[computer->former_count++] = computer->certificate;
	computer->certificate = machine->certificate = ++sim->token;
	sim_log(sim, "m%u: its certificate is renewed", machine->index);
}

/* --- what is answered --- */

static void answer(struct sim_manager *manager, const struct sim_enrolment *ask, int rc,
		   const struct sim_identity *identity)
{
	struct sim *sim = manager->sim;
	struct sim_event *event;

	if (network_lost(sim, ask->machine))
		return;
	event = sim_after(sim, network_delay(sim), moves_enrolled);
	event->machine = ask->machine;
	event->generation = ask->machine_generation;
	event->token = ask->asked;
	event->number = (uint64_t)(unsigned)-rc;
	if (identity == NULL)
		return;
	event->bytes = malloc(sizeof(*identity));
	if (event->bytes == NULL)
		abort();
	memcpy(event->bytes, identity, sizeof(*identity));
}

/* --- who may, and as which computer --- */

static int check_token(const struct sim_manager *manager, const struct sim_enrolment *ask, bool again)
{
	const struct sim_enrolment_token *token;

	if (ask->token == 0 || ask->token > manager->token_count)
		return ERR_DENIED;
	token = &manager->tokens[ask->token - 1];
	if (token->revoked)
		return ERR_DENIED;
	if (token->expires <= manager->sim->now || (!again && token->uses_left == 0))
		return ERR_EXPIRED;
	return 0;
}

static struct sim_stored_computer *by_attempt(struct sim_manager *manager, const struct uuid *attempt)
{
	for (size_t i = 0; i < manager->store.computer_count; i++) {
		if (uuid_equal(&manager->store.computers[i].attempt, attempt))
			return &manager->store.computers[i];
	}
	return NULL;
}

/* One that waits to be activated goes before one that has an agent. */
static enum enrolment_name by_name(struct sim_manager *manager, const char *name,
				   struct sim_stored_computer **ret_computer)
{
	enum enrolment_name found = ENROLMENT_NAME_FREE;

	for (size_t i = 0; i < manager->store.computer_count && found != ENROLMENT_NAME_WAITS; i++) {
		struct sim_stored_computer *computer = &manager->store.computers[i];
		bool waits = computer->standing != STANDING_MANAGED;

		if (strcmp(computer->name, name) != 0 || (!waits && found != ENROLMENT_NAME_FREE))
			continue;
		found = waits ? ENROLMENT_NAME_WAITS : ENROLMENT_NAME_MANAGED;
		*ret_computer = computer;
	}
	return found;
}

static int prepare(struct sim_manager *manager, const struct sim_enrolment *ask, struct plan *plan)
{
	struct enrolment_facts facts = { .name = ENROLMENT_NAME_FREE };
	int rc;

	*plan = (struct plan){ .computer = by_attempt(manager, &ask->attempt) };
	plan->again = plan->computer != NULL;
	rc = check_token(manager, ask, plan->again);
	if (rc != 0)
		return rc;
	if (plan->again)
		return plan->computer->standing == STANDING_MANAGED ? 0 : ERR_WRONG_STATE;
	facts.name = by_name(manager, ask->name, &plan->computer);
	return enrolment_decide(&manager->rules, &facts, &plan->way, NULL);
}

/* --- written --- */

static void free_name(struct sim_manager *manager, struct sim_identity *identity, const char *name)
{
	struct sim_stored_computer *other;

	snprintf(identity->name, sizeof(identity->name), "%s", name);
	for (unsigned number = 2; by_name(manager, identity->name, &other) != ENROLMENT_NAME_FREE; number++)
		snprintf(identity->name, sizeof(identity->name), "%.12s-%u", name, number);
}

/* Another agent from now on: what the one before reported is forgotten, and its events' numbers. */
static void take(struct sim_manager *manager, struct sim_stored_computer *computer, const struct sim_enrolment *ask)
{
	const struct fleet_computer before = computer->record;

	computer->record = (struct fleet_computer){ .id = before.id, .clock_limit_us = before.clock_limit_us };
	computer->events.count = 0;
	computer->resolved_events = computer->problem_events;
	computer->machine = ask->machine;
	computer->used = computer->let_back = computer->abandoned = false;
	computer->former_count = 0; /* none of them counts any more */
	computer->times_taken++;
	alerts_forget(computer);
	store_cut_commands(manager, &computer->record.id, false);
}

static struct sim_stored_computer *write_computer(struct sim_manager *manager, const struct sim_enrolment *ask,
						  const struct plan *plan, struct sim_identity *identity)
{
	struct sim *sim = manager->sim;
	struct sim_stored_computer *computer = plan->computer;

	identity->manager = manager;
	/* The same attempt is given the same certificate: which of its answers arrives is not known. */
	identity->certificate = plan->again ? computer->certificate : ++sim->token;
	identity->key = keys_present(manager);
	if (plan->again || plan->way == ENROLMENT_TAKES) {
		identity->computer = computer->record.id;
		memcpy(identity->name, computer->name, SIM_NAME_BYTES);
		if (!plan->again)
			take(manager, computer, ask);
	} else {
		identity->computer = env_uuid(&manager->env);
		free_name(manager, identity, ask->name);
		computer = store_add_computer(&sim->machines[ask->machine], identity);
	}
	computer->certificate = identity->certificate;
	computer->attempt = ask->attempt;
	computer->standing = STANDING_MANAGED;
	if (!plan->again)
		manager->tokens[ask->token - 1].uses_left--;
	return computer;
}

/* The computer becomes known to those who hear it; the one that was there is out. */
static void let_in(struct sim_manager *manager, struct sim_stored_computer *computer, enum link_direction direction)
{
	computer->record.direction = direction; /* as it enrols, it says so */
	computer->record.listen_port = direction == LINK_AGENT_INITIATED ? 0 : 21112;
	fleet_remove(manager->fleet, &computer->record.id);
	talk_drop(manager, &computer->record.id);
	requests_answer_woken(manager);
	orders_give_policy(manager, computer);
	if (fleet_add(manager->fleet, &computer->record, NULL) != 0)
		sim_fail(manager->sim, "a computer that enrolled is not taken by the fleet");
	life_return(manager, computer);
}

static void enrolment_written(struct sim *sim, struct sim_event *event)
{
	struct sim_manager *manager = manager_of(event);
	struct sim_identity identity = { 0 };
	struct sim_stored_computer *computer;
	struct sim_enrolment ask;
	struct plan plan;
	int rc;

	if (manager == NULL)
		return;
	memcpy(&ask, event->bytes, sizeof(ask));
	rc = sim_rare(sim, sim->weather.write_fails) ? ERR_IO : prepare(manager, &ask, &plan);
	if (rc == 0 && manager->store.computer_count == manager->store.computer_capacity)
		rc = ERR_LIMIT;
	if (rc != 0) {
		answer(manager, &ask, rc, NULL);
		return;
	}
	computer = write_computer(manager, &ask, &plan, &identity);
	sim_log(sim, "manager %u: %s m%u as %s", manager->index,
		plan.again                    ? "has again enrolled"
		: plan.way == ENROLMENT_TAKES ? "takes back"
					      : "enrols",
		ask.machine, identity.name);
	if (sim_rare(sim, sim->weather.write_last) || sim_chance(sim, 30)) {
		if (!plan.again) { /* as it will be found at the start */
			computer->record.direction = ask.direction;
			computer->record.listen_port = ask.direction == LINK_AGENT_INITIATED ? 0 : 21112;
			life_return(manager, computer);
			orders_give_policy(manager, computer);
		}
		manager_kill(manager);
		return;
	}
	if (!plan.again)
		let_in(manager, computer, ask.direction);
	answer(manager, &ask, 0, &identity);
}

/* Given on to the write, which is decided anew. */
static void write_later(struct sim_manager *manager, struct sim_event *event,
			void (*run)(struct sim *sim, struct sim_event *event))
{
	struct sim_event *later = manager_after(manager, requests_commit_at(manager) - manager->sim->now, run);

	later->machine = event->machine;
	later->number = event->number;
	later->token = event->token;
	later->bytes = event->bytes;
	later->size = event->size;
	event->bytes = NULL;
}

void joining_asked(struct sim *sim, struct sim_event *event)
{
	struct sim_manager *manager = event->manager;
	struct sim_enrolment ask;
	struct plan plan;
	int rc;

	memcpy(&ask, event->bytes, sizeof(ask));
	if (!manager->up || sim->now < manager->stalled_until) {
		answer(manager, &ask, ERR_CONNECT, NULL);
		return;
	}
	rc = prepare(manager, &ask, &plan);
	if (rc != 0)
		answer(manager, &ask, rc, NULL);
	else
		write_later(manager, event, enrolment_written);
}

/* --- the end --- */

static void end_membership(struct sim_manager *manager, struct sim_stored_computer *computer, enum ending_kind kind)
{
	const struct ending *ending = &membership_endings[kind];

	sim_log(manager->sim, "manager %u: %s %s", manager->index, computer->name, ending->done);
	computer->standing = ending->standing;
	computer->record.status = FLEET_UNKNOWN;
	computer->record.offline_error = false;
	computer->record.link_error[0] = '\0';
	computer->resolved_events = computer->problem_events;
	computer->times_left += kind == ENDING_MOVE;
	computer->moved_events += ending->event == EVENT_COMPUTER_MOVED;
	store_cut_commands(manager, &computer->record.id, kind == ENDING_MOVE);
	alerts_forget(computer);
	life_leave(computer);
	fleet_remove(manager->fleet, &computer->record.id);
	talk_drop(manager, &computer->record.id);
	requests_answer_woken(manager);
}

static void answer_leaving(struct sim_manager *manager, const struct sim_event *event,
			   const struct sim_leaving *leaving, unsigned status)
{
	struct sim *sim = manager->sim;
	struct sim_event *back;

	if (network_lost(sim, event->machine))
		return;
	back = sim_after(sim, network_delay(sim), moves_farewell_answered);
	back->machine = event->machine;
	back->generation = leaving->generation;
	back->token = event->token;
	back->number = status;
}

/* New first, old last: whoever leaves belongs to another manager by then, so that at no moment nobody knows it. A copy
 * may leave as its original, which stays. */
static void check_left_last(const struct sim_manager *manager, const struct sim_stored_computer *computer,
			    const struct sim_machine *machine)
{
	if (!machine->has_clone && store_has_agent(manager, computer))
		sim_fail(manager->sim, "machine %u leaves manager %u, to which it belongs still", machine->index,
			 manager->index);
}

static void leaving_written(struct sim *sim, struct sim_event *event)
{
	struct sim_manager *manager = manager_of(event);
	struct sim_stored_computer *computer;
	struct sim_leaving leaving;
	unsigned status = 204;
	int rc;

	if (manager == NULL)
		return;
	memcpy(&leaving, event->bytes, sizeof(leaving));
	computer = store_computer(manager, &leaving.computer);
	rc = sim_rare(sim, sim->weather.write_fails)
		 ? ERR_IO
		 : ending_check(&membership_endings[ENDING_MOVE], computer->standing,
				computer->certificate == leaving.certificate, NULL);
	if (rc == 0) {
		check_left_last(manager, computer, &sim->machines[event->machine]);
		end_membership(manager, computer, ENDING_MOVE);
	} else {
		status = rc == ERR_WRONG_STATE ? 409 : rc == ERR_UNTRUSTED ? 403 : 503;
	}
	if (sim_rare(sim, sim->weather.write_last))
		manager_kill(manager);
	else
		answer_leaving(manager, event, &leaving, status);
}

void joining_left(struct sim *sim, struct sim_event *event)
{
	struct sim_manager *manager = event->manager;
	struct sim_leaving leaving;

	memcpy(&leaving, event->bytes, sizeof(leaving));
	if (!manager->up || sim->now < manager->stalled_until)
		answer_leaving(manager, event, &leaving, 0);
	else if (!joining_admits(store_computer(manager, &leaving.computer), leaving.certificate))
		answer_leaving(manager, event, &leaving, 403);
	else
		write_later(manager, event, leaving_written);
}

/* --- put out and let in by people --- */

static void let_back(struct sim *sim, struct sim_event *event)
{
	struct sim_manager *manager = event->manager;
	struct sim_stored_computer *computer = &manager->store.computers[event->number];
	struct sim_event *again;

	if (!manager->up) {
		again = sim_after(sim, MINUTE_US, let_back);
		again->manager = manager;
		again->number = event->number;
		return;
	}
	if (standing_may_return(computer->standing, computer->name, NULL) != 0)
		return;
	computer->standing = STANDING_MANAGED;
	computer->let_back = !store_has_agent(manager, computer);
	let_in(manager, computer, computer->record.direction);
	fleet_dial_now(manager->fleet, &computer->record.id, NULL);
}

static bool may_be_put_out(const struct sim_machine *machine)
{
	return machine->manager->up && !machine->has_clone &&
	       joining_admits(store_machine(machine), machine->certificate);
}

static struct sim_event *within_half_an_hour(struct sim *sim, void (*run)(struct sim *sim, struct sim_event *event))
{
	return sim_after(sim, (span_us)(1 + sim_below(sim, 1800)) * SECOND_US, run);
}

void joining_deactivate(struct sim_machine *machine)
{
	struct sim_manager *manager = machine->manager;
	struct sim_stored_computer *computer = store_machine(machine);
	struct sim_event *event;

	if (!may_be_put_out(machine))
		return;
	end_membership(manager, computer, ENDING_DEACTIVATE);
	event = within_half_an_hour(manager->sim, let_back);
	event->manager = manager;
	event->number = (uint64_t)(computer - manager->store.computers);
}

/* Its identity is removed there, and it is activated with a token: under its name it is the same computer. */
static bool activate_anew(struct sim_machine *machine)
{
	struct sim_manager *manager = machine->manager;
	struct sim_enrolment ask = { .machine = machine->index,
				     .attempt = env_uuid(&machine->env),
				     .token = joining_token(manager),
				     .direction = machine->direction };
	struct sim_identity identity = { 0 };
	struct sim_stored_computer *computer;
	struct plan plan;

	memcpy(ask.name, machine->name, SIM_NAME_BYTES);
	if (prepare(manager, &ask, &plan) != 0)
		return false; /* the token is good for nothing: with another one */
	computer = write_computer(manager, &ask, &plan, &identity);
	let_in(manager, computer, ask.direction);
	moves_activated_anew(machine, &identity);
	sim_log(manager->sim, "m%u: is activated anew as %s", machine->index, identity.name);
	return true;
}

static void come_again(struct sim *sim, struct sim_event *event)
{
	struct sim_machine *machine = &sim->machines[event->machine];
	const struct sim_stored_computer *computer = store_machine(machine);
	struct sim_event *again;

	if (computer->standing != STANDING_REVOKED) /* it has moved away */
		return;
	if (machine->manager->up && machine->up && !moves_under_way(machine) && activate_anew(machine))
		return;
	again = sim_after(sim, MINUTE_US, come_again);
	again->machine = event->machine;
}

void joining_revoke(struct sim_machine *machine)
{
	struct sim_event *event;

	if (!may_be_put_out(machine))
		return;
	end_membership(machine->manager, store_machine(machine), ENDING_REVOKE);
	event = within_half_an_hour(machine->sim, come_again);
	event->machine = machine->index;
}
