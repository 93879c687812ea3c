/* Agents that move: new first, old last. The order of things is the real one
 * (endpoint/move.h); the shell around it is a small copy of the agent's, with
 * the directories of its identities as they lie on a disk that may fail and a
 * process that may die between any two steps. And what must be true of it: an
 * agent always belongs to a manager, in the end to one alone, and works there;
 * whoever was left knows it. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "world.h"

#define SIM_FORMERS_MAX 8

#define ENROL_TIMEOUT_US (30 * SECOND_US)
#define ANSWER_WAIT_US   (30 * SECOND_US)

struct sim_moving {
	/* On the disk: link/candidate, what stands beside it or in identity/, link/former, and the attempt. */
	struct sim_identity candidate;
	enum move_candidate found;
	bool order_beside, ordered;
	struct sim_identity formers[SIM_FORMERS_MAX];
	unsigned former_count;
	struct uuid attempt;
	struct sim_manager *attempt_at;
	uint64_t attempt_token;
	/* Of this run of the link. */
	bool switch_told; /* the event is recorded, perhaps not durable */
	struct move_asking asking;
	struct move_farewell farewell;
	struct sim_manager *to;
	uint64_t token;
	uint64_t asked, said; /* the question under way; 0: none */
	bool by_command;
	struct uuid command;
	/* What the checks compare with. */
	unsigned times; /* that its identity was exchanged for another manager's */
};

void moves_init(struct sim_machine *machine)
{
	machine->moving = calloc(1, sizeof(*machine->moving));
	if (machine->moving == NULL)
		abort();
}

void moves_done(struct sim_machine *machine)
{
	free(machine->moving);
	machine->moving = NULL;
}

struct sim_identity moves_identity(const struct sim_machine *machine)
{
	struct sim_identity identity = { .manager = machine->manager,
					 .computer = machine->computer,
					 .certificate = machine->certificate,
					 .key = machine->enrolled_key };

	memcpy(identity.name, machine->name, SIM_NAME_BYTES);
	return identity;
}

static void use_identity(struct sim_machine *machine, const struct sim_identity *identity)
{
	machine->manager = identity->manager;
	machine->computer = identity->computer;
	machine->certificate = identity->certificate;
	machine->enrolled_key = identity->key;
	memcpy(machine->name, identity->name, SIM_NAME_BYTES);
	buf_reset(&machine->disk.files[3].durable); /* the key is the identity's */
	buf_reset(&machine->disk.files[3].pending);
}

void moves_activated_anew(struct sim_machine *machine, const struct sim_identity *identity)
{
	struct sim *sim = machine->sim;

	machine_leave(machine, sim->now + (span_us)sim_below(sim, 60) * SECOND_US);
	excuse_unstored(machine);
	for (size_t i = 0; i < SIM_FILES; i++) {
		buf_reset(&machine->disk.files[i].durable);
		buf_reset(&machine->disk.files[i].pending);
	}
	use_identity(machine, identity);
	machine->moving->attempt_at = NULL;
	machine->clock_changed = sim->now; /* it is compared anew */
}

bool moves_under_way(const struct sim_machine *machine)
{
	const struct sim_moving *moving = machine->moving;

	return moving->asking.under_way || moving->asking.decided || moving->found == MOVE_CANDIDATE_WHOLE ||
	       moving->ordered || moving->former_count > 0;
}

/* --- at a start --- */

static void exchange(struct sim_machine *machine)
{
	struct sim_moving *moving = machine->moving;
	struct sim_identity before = moves_identity(machine);
	struct sim_stored_computer *former = store_computer(before.manager, &before.computer);

	/* It was set back: who has an earlier certificate alone is heard in nothing, lest it be a thief with an old
	 * backup (decision 0020), and so not in taking leave. Its computer stays, silent, until people delete it. */
	if (!machine->has_clone && joining_standing(former, before.certificate) == ROSTER_REPLACED)
		former->abandoned = true;
	use_identity(machine, &moving->candidate);
	if (machine->has_clone) {
		copies_left(machine->sim, former);
		copies_took(machine);
	}
	moving->candidate = before;
	moving->ordered = moving->order_beside;
	moving->order_beside = false;
	moving->times++;
	machine->clock_changed = machine->sim->now; /* it is compared with another manager's now */
	machine->generation++;                      /* who dialled the one before reaches nobody */
	machine->sim->counts.moves++;
	sim_log(machine->sim, "m%u: belongs to manager %u now", machine->index, machine->manager->index);
}

static void keep_former(struct sim_machine *machine)
{
	struct sim_moving *moving = machine->moving;

	moving->found = MOVE_CANDIDATE_NONE;
	if (machine->sim->options.broken == BREAK_FORMER_FORGOTTEN)
		return;
	if (moving->former_count == SIM_FORMERS_MAX)
		sim_fail(machine->sim, "machine %u: a manager that was left is given up", machine->index);
	else
		moving->formers[moving->former_count++] = moving->candidate;
}

static void take_step(struct sim_machine *machine, enum move_step step, bool *followed)
{
	struct sim_moving *moving = machine->moving;

	switch (step) {
	case MOVE_EXCHANGE:
		exchange(machine);
		break;
	case MOVE_FOLLOW:
		*followed = true;
		break;
	case MOVE_KEEP_FORMER:
		keep_former(machine);
		break;
	case MOVE_DROP_CANDIDATE:
		moving->found = MOVE_CANDIDATE_NONE;
		break;
	case MOVE_FORGET_ORDER: /* once the event is told */
	case MOVE_DONE:
		break;
	}
}

bool moves_begin(struct sim_machine *machine)
{
	struct sim_moving *moving = machine->moving;
	struct move_places places = { .followed = false };
	enum move_step step;

	moving->switch_told = false;
	moving->asking = (struct move_asking){ 0 };
	moving->asked = moving->said = 0;
	if (moving->found == MOVE_CANDIDATE_WHOLE && sim_chance(machine->sim, 300))
		machine->disk.crash_after = 1 + (int)sim_below(machine->sim, 5);
	do {
		places.ordered = moving->ordered;
		places.candidate = moving->found;
		step = move_next(&places);
		if (step == MOVE_DONE || step == MOVE_FORGET_ORDER)
			break;
		if (disk_step(&machine->disk))
			take_step(machine, step, &places.followed);
	} while (!machine->disk.dead);
	return !machine->disk.dead;
}

/* Event 4040, and once it is durable the order is forgotten. */
void moves_tell_switch(struct sim_machine *machine)
{
	struct sim_moving *moving = machine->moving;

	if (!moving->ordered)
		return;
	if (!moving->switch_told)
		endpoint_event(machine->endpoint, 0, EVENT_IDENTITY_CHANGED, env_wall(&machine->env), NULL, 0, NULL);
	moving->switch_told = true;
	if (endpoint_flush(machine->endpoint, NULL) == 0 && disk_step(&machine->disk))
		moving->ordered = false;
}

/* --- asking for another identity --- */

static void gave_up(struct sim *sim, struct sim_event *event);

static void failed(struct sim_machine *machine, int rc)
{
	struct sim_moving *moving = machine->moving;

	sim_log(machine->sim, "m%u: the move fails: %s", machine->index, err_name(rc));
	moving->asked = 0;
	move_failed(&moving->asking, &machine->env);
	machine->sim->counts.moves_refused++;
	if (moving->by_command)
		endpoint_end(machine->endpoint, &moving->command, COMMAND_FAILED, err_name(rc), "", NULL, 0, NULL);
	moving->by_command = false;
}

static void send_farewell(struct sim_machine *machine, const struct sim_identity *identity)
{
	struct sim *sim = machine->sim;
	const struct sim_leaving leaving = { identity->computer, identity->certificate, machine->generation };
	struct sim_event *event;

	if (network_lost(sim, machine->index))
		return;
	event = sim_after(sim, network_delay(sim), joining_left);
	event->manager = identity->manager;
	event->machine = machine->index;
	event->token = machine->moving->said;
	event->bytes = malloc(sizeof(leaving));
	if (event->bytes == NULL)
		abort();
	memcpy(event->bytes, &leaving, sizeof(leaving));
}

static void ask(struct sim_machine *machine)
{
	struct sim *sim = machine->sim;
	struct sim_moving *moving = machine->moving;
	struct sim_enrolment question = { .machine = machine->index,
					  .machine_generation = machine->generation,
					  .asked = ++sim->token,
					  .attempt = moving->attempt,
					  .token = moving->token,
					  .direction = machine->direction };
	struct sim_event *event = sim_after(sim, ENROL_TIMEOUT_US, gave_up);

	event->machine = machine->index;
	event->generation = machine->generation;
	event->token = moving->asked = question.asked;
	memcpy(question.name, machine->name, SIM_NAME_BYTES);
	for (unsigned i = sim_rare(sim, sim->weather.twice) ? 2 : 1; i > 0; i--) {
		if (network_lost(sim, machine->index))
			continue;
		event = sim_after(sim, network_delay(sim), joining_asked);
		event->manager = moving->to;
		event->bytes = malloc(sizeof(question));
		if (event->bytes == NULL)
			abort();
		memcpy(event->bytes, &question, sizeof(question));
	}
}

/* The attempt is on the disk before anything is told of it; the same manager and token go on with the same one. */
static int begin(struct sim_machine *machine, struct sim_manager *to, uint64_t token, struct err *err)
{
	struct sim_moving *moving = machine->moving;
	int rc = move_may_begin(&moving->asking, true, env_monotonic(&machine->env), err);

	if (rc == 0 && moving->ordered && machine->endpoint != NULL)
		moves_tell_switch(machine);
	if (rc == 0 && (moving->ordered || machine->disk.dead))
		return err_set(err, ERR_BUSY, "what was before is not told yet");
	if (rc == 0 && to == machine->manager)
		return err_set(err, ERR_EXISTS, "it belongs there already");
	if (rc != 0)
		return rc;
	if (moving->attempt_at != to || moving->attempt_token != token) {
		moving->attempt = env_uuid(&machine->env);
		moving->attempt_at = to;
		moving->attempt_token = token;
	}
	move_begun(&moving->asking, true);
	moving->to = to;
	moving->token = token;
	if (machine->sim->options.broken == BREAK_LEFT_FIRST) {
		struct sim_identity present = moves_identity(machine);

		send_farewell(machine, &present);
	}
	ask(machine);
	return 0;
}

static void gave_up(struct sim *sim, struct sim_event *event)
{
	struct sim_machine *machine = &sim->machines[event->machine];

	if (!machine->up || event->generation != machine->generation || event->token != machine->moving->asked)
		return;
	failed(machine, ERR_TIMEOUT);
	machine_poll(machine);
}

/* Whole, and with the order beside it: from here on it is decided, whatever happens. */
static void decide(struct sim_machine *machine, const struct sim_identity *identity)
{
	struct sim_moving *moving = machine->moving;

	moving->candidate = *identity;
	moving->found = MOVE_CANDIDATE_WHOLE;
	moving->order_beside = true;
	moving->attempt_at = NULL;
	sim_log(machine->sim, "m%u: manager %u has taken it", machine->index, identity->manager->index);
}

void moves_enrolled(struct sim *sim, struct sim_event *event)
{
	struct sim_machine *machine = &sim->machines[event->machine];
	struct sim_moving *moving = machine->moving;

	if (!machine->up || event->generation != machine->generation || event->token != moving->asked ||
	    machine_is_cut(machine))
		return;
	if (event->number != 0) {
		failed(machine, -(int)event->number);
	} else {
		moving->asked = 0;
		if (disk_step(&machine->disk)) {
			struct sim_identity identity;

			memcpy(&identity, event->bytes, sizeof(identity));
			decide(machine, &identity);
		}
		if (!machine->disk.dead) {
			move_decided(&moving->asking, env_monotonic(&machine->env));
			if (moving->by_command)
				endpoint_end(machine->endpoint, &moving->command, COMMAND_SUCCEEDED, "", "", NULL, 0,
					     NULL);
			endpoint_hurry(machine->endpoint);
		}
	}
	machine_poll(machine);
}

bool moves_leaves(struct sim_machine *machine)
{
	struct endpoint_status status;

	endpoint_status(machine->endpoint, &status);
	if (!move_leaves(&machine->moving->asking, &status, env_monotonic(&machine->env)))
		return false;
	sim_log(machine->sim, "m%u: leaves with %" PRIu64 " events", machine->index, status.events_waiting);
	copies_end_telling(machine);
	return true;
}

time_us moves_due(const struct sim_machine *machine)
{
	return move_leaves_at(&machine->moving->asking);
}

/* --- orders --- */

static struct sim_manager *another(struct sim_machine *machine)
{
	struct sim *sim = machine->sim;
	unsigned index = (unsigned)sim_below(sim, sim->manager_count - 1);

	return &sim->managers[index < machine->manager->index ? index : index + 1];
}

/* Where to and with what, as the target of an order. */
static struct uuid target_of(const struct sim_manager *to, uint64_t token)
{
	struct uuid target = { { 1, (uint8_t)to->index } };

	memcpy(target.bytes + 8, &token, sizeof(token));
	return target;
}

void moves_content(const struct uuid *target, Muster__Wire__Move *content)
{
	static char manager[] = "https://0.example:4343", token[24];
	static uint8_t authority[SHA256_BYTES];
	uint64_t number;

	memcpy(&number, target->bytes + 8, sizeof(number));
	muster__wire__move__init(content);
	manager[8] = (char)('0' + target->bytes[1]);
	snprintf(token, sizeof(token), "%" PRIu64, number);
	content->manager = manager;
	content->token = token;
	content->authority = exchange_bytes(authority, sizeof(authority));
}

int moves_command(struct sim_machine *machine, const struct endpoint_command *command, struct err *err)
{
	const Muster__Wire__Move *content = command->content->move;
	struct sim_manager *to = &machine->sim->managers[content->manager[8] - '0'];
	int rc = begin(machine, to, strtoull(content->token, NULL, 10), err);

	machine->moving->by_command = rc == 0;
	machine->moving->command = command->id;
	return rc;
}

void moves_order(struct sim_machine *machine)
{
	struct sim *sim = machine->sim;
	struct sim_manager *to;
	struct uuid target;
	uint64_t token;

	if (sim->manager_count == 1 || machine->has_clone)
		return;
	to = another(machine);
	sim->counts.moves_ordered++;
	token = sim_below(sim, 4) == 0 && machine->moving->attempt_at == to ? machine->moving->attempt_token
									    : joining_token(to);
	target = target_of(to, token);
	if (sim_below(sim, 2) == 0) {
		orders_issue(machine, COMMAND_MOVE, &target);
	} else if (machine->up) {
		machine->moving->by_command = false;
		begin(machine, to, token, NULL);
		machine_poll(machine);
	}
}

/* --- taking leave --- */

static void say(struct sim *sim, struct sim_event *event);

static void say_later(struct sim_machine *machine, span_us wait)
{
	struct sim_event *event = sim_after(machine->sim, wait, say);

	event->machine = machine->index;
	event->generation = machine->generation;
}

static void not_heard(struct sim_machine *machine)
{
	struct sim_moving *moving = machine->moving;
	span_us wait;

	moving->said = 0;
	if (moving->former_count > 1) { /* another one's turn */
		struct sim_identity first = moving->formers[0];

		memmove(moving->formers, moving->formers + 1, (moving->former_count - 1) * sizeof(first));
		moving->formers[moving->former_count - 1] = first;
	}
	if (move_farewell_again(&moving->farewell, &machine->env, &wait))
		say_later(machine, wait);
	else
		sim_fail(machine->sim, "machine %u gave up telling a manager that it has left", machine->index);
}

static void no_answer(struct sim *sim, struct sim_event *event)
{
	struct sim_machine *machine = &sim->machines[event->machine];

	if (machine->up && event->generation == machine->generation && event->token == machine->moving->said)
		not_heard(machine);
}

static void say(struct sim *sim, struct sim_event *event)
{
	struct sim_machine *machine = &sim->machines[event->machine];
	struct sim_moving *moving = machine->moving;
	struct sim_event *timer;

	if (!machine->up || event->generation != machine->generation || moving->former_count == 0)
		return;
	moving->said = ++sim->token;
	timer = sim_after(sim, ANSWER_WAIT_US, no_answer);
	timer->machine = machine->index;
	timer->generation = machine->generation;
	timer->token = moving->said;
	for (unsigned i = sim_rare(sim, sim->weather.twice) ? 2 : 1; i > 0; i--)
		send_farewell(machine, &moving->formers[0]);
}

void moves_farewell_answered(struct sim *sim, struct sim_event *event)
{
	struct sim_machine *machine = &sim->machines[event->machine];
	struct sim_moving *moving = machine->moving;

	if (!machine->up || event->generation != machine->generation || moving->said == 0 ||
	    event->token != moving->said || machine_is_cut(machine))
		return;
	if (!move_farewell_settled((int)event->number)) {
		not_heard(machine);
		return;
	}
	moving->said = 0;
	if (disk_step(&machine->disk)) {
		sim->counts.farewells++;
		memmove(moving->formers, moving->formers + 1, --moving->former_count * sizeof(*moving->formers));
	}
	move_farewell_begin(&moving->farewell, env_monotonic(&machine->env));
	if (moving->former_count > 0)
		say_later(machine, 0);
	machine_poll(machine);
}

void moves_say_farewell(struct sim_machine *machine)
{
	moves_tell_switch(machine);
	if (machine->disk.dead || machine->moving->former_count == 0)
		return;
	move_farewell_begin(&machine->moving->farewell, env_monotonic(&machine->env));
	say_later(machine, 0);
}

/* --- what must be true --- */

static bool has_mark(const struct sim_stored_computer *computer, uint64_t mark)
{
	for (size_t i = 0; i < computer->events.count; i++) {
		if (computer->events.list[i].mark == mark)
			return true;
	}
	return false;
}

static bool is_in(const struct sim_store *store, const struct sim_stored_computer *computer)
{
	return computer >= store->computers && computer < store->computers + store->computer_count;
}

/* A copy takes along what it had not told, to another manager or as one whose identity went on without it; and the
 * other of the two has told it, or tells it yet. Of two that are with one manager each tells it as one computer. */
static bool parted(const struct sim_machine *machine, const struct sim_store *store,
		   const struct sim_stored_computer *computer, const struct sim_stored_computer *other)
{
	return machine->has_clone && other->machine == machine->twin &&
	       (!is_in(store, computer) || computer->left_behind || other->left_behind);
}

bool moves_has_another(const struct sim_manager *manager, uint64_t mark)
{
	const struct sim *sim = manager->sim;

	for (unsigned i = 0; i < sim->manager_count; i++) {
		const struct sim_store *store = &sim->managers[i].store;

		for (size_t at = 0; &sim->managers[i] != manager && at < store->computer_count; at++) {
			if (has_mark(&store->computers[at], mark))
				return true;
		}
	}
	return false;
}

bool moves_told_before(const struct sim_machine *machine, const struct sim_stored_computer *computer, uint64_t mark)
{
	const struct sim *sim = machine->sim;

	for (unsigned i = 0; i < sim->manager_count; i++) {
		const struct sim_store *store = &sim->managers[i].store;

		for (size_t at = 0; at < store->computer_count; at++) {
			const struct sim_stored_computer *other = &store->computers[at];

			if ((other->machine == machine->index || parted(machine, store, computer, other)) &&
			    (other != computer || other->times_taken > 0) &&
			    (other->times_taken > 0 || has_mark(other, mark)))
				return true;
		}
	}
	return false;
}

/* At any moment it belongs to a manager, unless people put it out there. */
void moves_belong(struct sim *sim)
{
	for (size_t i = 0; i < sim->machine_count && !sim->failed; i++) {
		const struct sim_machine *machine = &sim->machines[i];
		const struct sim_stored_computer *computer = store_machine(machine);

		if (!machine->has_clone && !joining_admits(computer, machine->certificate) &&
		    joining_standing(computer, machine->certificate) != ROSTER_REPLACED && /* it was set back */
		    computer->standing != STANDING_DEACTIVATED && computer->standing != STANDING_REVOKED)
			sim_fail(sim, "machine %u belongs to manager %u, which has it as %s", machine->index,
				 machine->manager->index, standing_name(computer->standing));
	}
}

/* A computer that an agent had: its manager knows that it has gone. One that was made by an enrolment whose answer
 * was lost never had an agent; and people may take back what has left. */
static void check_computer(struct sim *sim, const struct sim_manager *manager,
			   const struct sim_stored_computer *computer)
{
	const struct sim_machine *machine = &sim->machines[computer->machine];
	bool present = store_has_agent(manager, computer);

	if (machine->has_clone)
		return;
	if (present && !joining_admits(computer, machine->certificate))
		sim_fail(sim, "machine %u: manager %u, to which it belongs, has it as %s", machine->index,
			 manager->index, standing_name(computer->standing));
	if (!present && computer->used && !computer->let_back && !computer->abandoned &&
	    computer->standing == STANDING_MANAGED)
		sim_fail(sim, "machine %u has left manager %u, which does not know it", machine->index, manager->index);
	if (computer->moved_events != computer->times_left)
		sim_fail(sim, "machine %u left manager %u %u times, %u events tell of it", machine->index,
			 manager->index, computer->times_left, computer->moved_events);
}

void moves_check(struct sim *sim)
{
	for (unsigned i = 0; i < sim->manager_count; i++) {
		const struct sim_manager *manager = &sim->managers[i];

		for (size_t at = 0; at < manager->store.computer_count && !sim->failed; at++)
			check_computer(sim, manager, &manager->store.computers[at]);
	}
}
