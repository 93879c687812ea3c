/* Who is offline by the specification's arithmetic, computed apart from the
 * fleet: from what the manager heard, when it listened, and the policy. Offline
 * is (missed + 1) intervals after the last sign of life and half a second for
 * the way, declared by the first tick then; nothing else is, and each is stored
 * once unless the computer comes back, a policy allows its silence, or the
 * manager dies, before it could be.
 */
#include <stdlib.h>
#include <string.h>

#include "world.h"

#define WAY_US                   (500 * MILLISECOND_US)
#define SETTLE_US                (10 * MINUTE_US) /* writes about both holders of an identity are done within this */
#define NOT_WATCHED              INT64_MAX
#define MS(span)                 ((long long)((span) / MILLISECOND_US))
#define PLACE(manager, computer) ((size_t)((computer) - (manager)->store.computers))

time_us life_silent_from(const struct sim_manager *manager, const struct sim_stored_computer *computer)
{
	time_us from = computer->life.heard;

	return from < manager->forgiven ? manager->forgiven : from;
}

/* An agent that has not the policy's interval yet, or refuses it, goes by another one, and says so. */
span_us life_allowed(const struct sim_stored_computer *computer)
{
	const struct sim_life *life = &computer->life;
	bool other = !life->in_force && life->agent_us > life->interval_us;

	if (life->missed == FLEET_UNLIMITED)
		return INT64_MAX / 4;
	return ((span_us)life->missed + 1) * (other ? life->agent_us : life->interval_us);
}

static time_us deadline(const struct sim_manager *manager, const struct sim_stored_computer *computer)
{
	if (computer->life.out || computer->life.offline || computer->life.missed == FLEET_UNLIMITED)
		return INT64_MAX;
	return life_silent_from(manager, computer) + life_allowed(computer) + WAY_US;
}

static void watched(struct sim *sim, struct sim_event *event);

/* The deadline mostly moves away: it is looked at when the earlier one has come. */
static void watch(struct sim_manager *manager, struct sim_stored_computer *computer)
{
	struct sim *sim = manager->sim;
	struct sim_life *life = &computer->life;
	time_us at = deadline(manager, computer);
	struct sim_event *event;

	if (at >= life->watch_at || life->shared)
		return;
	life->watch_at = at > sim->now ? at : sim->now;
	event = sim_after(sim, life->watch_at - sim->now, watched);
	event->manager = manager;
	event->number = PLACE(manager, computer);
}

static void watched(struct sim *sim, struct sim_event *event)
{
	struct sim_manager *manager = event->manager;
	struct sim_stored_computer *computer = &manager->store.computers[event->number];

	if (event->at != computer->life.watch_at)
		return;
	computer->life.watch_at = NOT_WATCHED;
	if (!manager->up || computer->life.shared)
		return;
	if (deadline(manager, computer) > sim->now) {
		watch(manager, computer);
	} else if (!computer->life.overdue) {
		computer->life.overdue = true;
		manager->overdue[manager->overdue_count++] = event->number;
	}
}

/* --- what happens --- */

void life_init(struct sim_manager *manager, struct sim_stored_computer *computer, span_us interval_us, uint32_t missed)
{
	computer->life = (struct sim_life){ .interval_us = interval_us, .missed = missed, .watch_at = NOT_WATCHED };
	computer->life.heard = manager->sim->now;
	computer->life.shared = manager->sim->networked;
	watch(manager, computer);
}

/* By what is allowed now it is not offline, as far as this manager heard it. */
static bool may_be_silent(const struct sim_manager *manager, const struct sim_stored_computer *computer)
{
	time_us heard = computer->life.heard;

	return computer->life.missed == FLEET_UNLIMITED ||
	       (computer->life.known && manager->sim->now - heard < life_allowed(computer));
}

/* What its agent goes by, as far as the fleet can know it: of reports that come late or twice it says which counts. */
static void know(struct sim_manager *manager, struct sim_stored_computer *computer)
{
	struct sim_life *life = &computer->life;
	struct fleet_computer shown;

	life->in_force = false;
	if (!manager->up || fleet_show(manager->fleet, &computer->record.id, &shown, NULL) != 0)
		return;
	life->in_force = memcmp(shown.configuration, computer->record.wanted_configuration, SHA256_BYTES) == 0;
	life->agent_us = shown.agent_interval_us;
}

void life_policy(struct sim_manager *manager, struct sim_stored_computer *computer, span_us interval_us,
		 uint32_t missed)
{
	struct sim_life *life = &computer->life;

	know(manager, computer);
	if (life->interval_us != interval_us || life->missed != missed)
		life->policy_at = manager->sim->now;
	life->interval_us = interval_us;
	life->missed = missed;
	if (manager->up && may_be_silent(manager, computer))
		life->offline = false;
	watch(manager, computer);
}

/* One holder is left for long enough: from here on it can be told who was heard. */
static bool still_shared(struct sim *sim, const struct sim_stored_computer *computer)
{
	return sim->networked ||
	       (computer->life.shared && (computer->holders > 1 || sim->now < computer->life.alone_from + SETTLE_US));
}

static bool says_another(const struct sim_stored_computer *computer, const Muster__Wire__Report *report)
{
	bool in_force = report->configuration.len == SHA256_BYTES &&
			memcmp(report->configuration.data, computer->record.wanted_configuration, SHA256_BYTES) == 0;

	return in_force != computer->life.in_force || report->heartbeat_s != computer->life.agent_us / SECOND_US;
}

void life_heard(struct sim_manager *manager, struct sim_stored_computer *computer, const Muster__Wire__Report *report)
{
	struct sim *sim = manager->sim;
	struct sim_life *life = &computer->life;

	if (says_another(computer, report))
		know(manager, computer);
	life->heard = sim->now;
	life->known = true;
	if (still_shared(sim, computer))
		return;
	life->shared = false;
	life->offline = false;
	watch(manager, computer);
}

/* Until it is stored, or over. Of two that share an identity nobody can say which one was silent; but what was declared
 * of them may be stored, by a disk that stalls, when there is one left and the arithmetic counts again. */
static void owe(struct sim_life *life)
{
	life->declared++;
	life->excused += life->owed;
	life->owed = true;
}

static void declared(struct sim_manager *manager, struct sim_stored_computer *computer)
{
	struct sim *sim = manager->sim;
	struct sim_life *life = &computer->life;

	if (deadline(manager, computer) > sim->now) {
		sim_fail(sim, "computer %zu is declared offline after %lld ms, %lld are allowed",
			 PLACE(manager, computer), MS(sim->now - life_silent_from(manager, computer)),
			 MS(life_allowed(computer)));
		return;
	}
	life->offline = true;
	owe(life);
}

void life_trace(void *context, const struct uuid *id, const char *what, const char *from, const char *to)
{
	struct sim_manager *manager = context;
	struct sim *sim = manager->sim;
	struct sim_stored_computer *computer;

	(void)from;
	if (strcmp(what, "status") != 0)
		return;
	computer = store_computer(manager, id);
	if (computer == NULL)
		return;
	sim_log(sim, "manager %u: computer %zu is %s", manager->index, PLACE(manager, computer), to);
	if (strcmp(to, "online") == 0)
		computer->online_from = sim->now;
	else if (strcmp(to, "offline") == 0)
		networks_declared(manager, computer);
	if (strcmp(to, "offline") == 0 && computer->life.shared)
		owe(&computer->life);
	else if (strcmp(to, "offline") == 0)
		declared(manager, computer);
	check_touch(manager, computer);
}

void life_ticked(struct sim_manager *manager)
{
	struct sim *sim = manager->sim;

	for (size_t i = 0; i < manager->overdue_count; i++) {
		struct sim_stored_computer *computer = &manager->store.computers[manager->overdue[i]];

		computer->life.overdue = false;
		if (!computer->life.shared && deadline(manager, computer) <= sim->now)
			sim_fail(sim, "computer %zu is not declared offline, silent for %lld ms, %lld are allowed",
				 PLACE(manager, computer), MS(sim->now - life_silent_from(manager, computer)),
				 MS(life_allowed(computer)));
		watch(manager, computer);
	}
	manager->overdue_count = 0;
}

void life_stored(struct sim_manager *manager, struct sim_stored_computer *computer, uint32_t type)
{
	struct sim *sim = manager->sim;
	struct sim_life *life = &computer->life;
	bool offline = type == EVENT_COMPUTER_OFFLINE;

	if (life->out)
		sim_fail(sim, "computer %zu is told as %s and is not managed", PLACE(manager, computer),
			 offline ? "offline" : "back");
	if (!life->shared && offline && !life->owed)
		sim_fail(sim, "computer %zu is told as offline and was not declared so", PLACE(manager, computer));
	if (!life->shared && offline == life->told)
		sim_fail(sim, "computer %zu is told as %s twice", PLACE(manager, computer),
			 offline ? "offline" : "back");
	if (offline) {
		life->stored++;
		life->excused += !life->owed; /* declared while nobody could say */
		life->owed = false;
	}
	life->told = offline;
}

/* What was declared and not stored died with the manager. */
void life_manager_started(struct sim_manager *manager)
{
	struct sim *sim = manager->sim;

	manager->overdue_count = 0;
	for (size_t i = 0; i < manager->store.computer_count; i++) {
		struct sim_stored_computer *computer = &manager->store.computers[i];
		struct sim_life *life = &computer->life;

		if ((computer->record.status == FLEET_OFFLINE) != life->told)
			sim_fail(sim, "computer %zu: its status and the event that tells it are not stored together",
				 i);
		life->excused += life->owed;
		life->owed = false;
		life->offline = life->told && life->missed != FLEET_UNLIMITED;
		life->known = false;
		know(manager, computer);
		life->overdue = false;
		life->watch_at = NOT_WATCHED;
		watch(manager, computer);
	}
}

void life_leave(struct sim_stored_computer *computer)
{
	struct sim_life *life = &computer->life;

	life->excused += life->owed;
	life->owed = life->offline = life->told = false;
	life->out = true;
}

void life_return(struct sim_manager *manager, struct sim_stored_computer *computer)
{
	struct sim_life *life = &computer->life;

	life_leave(computer);
	life->out = life->known = false;
	life->heard = life->policy_at = manager->sim->now;
	know(manager, computer);
	watch(manager, computer);
}

void life_share(struct sim_stored_computer *computer)
{
	computer->life.shared = true;
	computer->life.excused += computer->life.owed;
	computer->life.owed = false;
}

/* Each offline that the arithmetic gives is stored, or was over before it could be. */
void life_end(struct sim_manager *manager, struct sim_stored_computer *computer)
{
	struct sim *sim = manager->sim;
	struct sim_life *life = &computer->life;

	life->excused += life->owed;
	life->owed = false;
	if (!computer->was_shared && !sim->networked && life->declared != life->stored + life->excused)
		sim_fail(sim, "computer %zu was offline %u times, told %u times, and %u times back before it was told",
			 PLACE(manager, computer), life->declared, life->stored, life->excused);
	sim->counts.declared += life->declared;
	sim->counts.stored += life->stored;
	sim->counts.excused += life->excused;
}
