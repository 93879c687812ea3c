/* The manager dials: one connection after the other, each a talk of posts and
 * reports. A post or a report may be lost, come late, or come twice; the
 * connection may break at any moment, and either side learns of it or not. */
#include <stdlib.h>
#include <string.h>

#include "world.h"

#define ANSWER_WAIT_US (20 * SECOND_US)
#define ROUNDS_MAX     40 /* of one that had much to tell */
#define NOBODY         UINT32_MAX

struct sim_talk {
	struct sim_talk *next, *previous;
	uint64_t id;
	struct uuid computer;
	unsigned machine;
	uint64_t generation; /* of the machine when it was reached */
	unsigned rounds;
	uint64_t posted; /* the post under way; an answer to another one is late */
};

static struct sim_talk *talk_find(const struct sim_manager *manager, uint64_t id)
{
	return manager->talk_index != NULL ? map_get(manager->talk_index, &id, sizeof(id)) : NULL;
}

static void talk_add(struct sim_manager *manager, struct sim_talk *talk)
{
	if (manager->talk_index == NULL)
		manager->talk_index = map_new(1);
	if (manager->talk_index == NULL || map_set(manager->talk_index, &talk->id, sizeof(talk->id), talk) != 0)
		abort();
	talk->next = manager->talks;
	if (talk->next != NULL)
		talk->next->previous = talk;
	manager->talks = talk;
}

static void talk_free(struct sim_manager *manager, struct sim_talk *talk)
{
	if (talk->previous != NULL)
		talk->previous->next = talk->next;
	else
		manager->talks = talk->next;
	if (talk->next != NULL)
		talk->next->previous = talk->previous;
	map_remove(manager->talk_index, &talk->id, sizeof(talk->id));
	free(talk);
}

static void hang_up(struct sim *sim, struct sim_event *event)
{
	struct sim_machine *machine = &sim->machines[event->machine];

	if (!machine->up || event->generation != machine->generation || machine->talk != event->token)
		return;
	machine->talk = 0;
	endpoint_hung_up(machine->endpoint);
	machine_poll(machine);
}

static struct sim_event *talk_event(struct sim_manager *manager, const struct sim_talk *talk, span_us delay,
				    void (*run)(struct sim *sim, struct sim_event *event))
{
	struct sim_event *event = sim_after(manager->sim, delay, run);

	event->manager = manager;
	event->machine = talk->machine;
	event->generation = talk->generation;
	event->token = talk->id;
	event->number = talk->posted;
	return event;
}

/* The agent learns that the connection ended, soon or by its own time-out. */
static void end(struct sim_manager *manager, struct sim_talk *talk, int rc, const char *text)
{
	struct sim *sim = manager->sim;

	talk_event(manager, talk, sim_chance(sim, 100) ? MINUTE_US : network_delay(sim), hang_up);
	sim_log(sim, "m%u: dialled: %s", talk->machine, rc == 0 ? "done" : text);
	fleet_dialled(manager->fleet, &talk->computer, rc, text);
	talk_free(manager, talk);
}

/* A manager that stands still sees what came once it goes on. */
static bool stands_still(struct sim *sim, struct sim_event *event)
{
	const struct sim_manager *manager = event->manager;
	struct sim_event *later;

	if (!manager->up || sim->now >= manager->stalled_until)
		return false;
	later = sim_after(sim, manager->stalled_until - sim->now, event->run);
	later->manager = event->manager;
	later->machine = event->machine;
	later->generation = event->generation;
	later->token = event->token;
	later->number = event->number;
	later->bytes = event->bytes;
	later->size = event->size;
	event->bytes = NULL;
	return true;
}

static void gave_up(struct sim *sim, struct sim_event *event)
{
	struct sim_talk *talk = stands_still(sim, event) ? NULL : talk_find(event->manager, event->token);

	if (talk != NULL && talk->posted == event->number)
		end(event->manager, talk, ERR_TIMEOUT, "no answer");
}

static void refused(struct sim *sim, struct sim_event *event)
{
	struct sim_talk *talk = stands_still(sim, event) ? NULL : talk_find(event->manager, event->token);

	if (talk != NULL && talk->posted == event->number)
		end(event->manager, talk, ERR_CONNECT, "connection refused");
}

static void report_came(struct sim *sim, struct sim_event *event);

static void answer(struct sim *sim, const struct sim_event *event, const struct sim_talk *talk, const struct buf *out)
{
	struct sim_event *back;

	if (network_lost(sim, event->machine))
		return;
	back = talk_event(event->manager, talk, network_delay(sim), report_came);
	back->number = event->number;
	back->size = out->size;
	back->bytes = malloc(out->size + 1);
	if (back->bytes == NULL)
		abort();
	memcpy(back->bytes, out->data, out->size);
}

/* At the machine. A talk that the manager has given up may still arrive. */
static void post_came(struct sim *sim, struct sim_event *event)
{
	struct sim_machine *machine = &sim->machines[event->machine];
	struct sim_talk late = { .id = event->token, .machine = event->machine, .posted = event->number };
	struct err err = { 0 };
	struct buf out;
	bool listens = machine->up && machine->direction != LINK_AGENT_INITIATED && !machine->disk.dead &&
		       joining_admits(store_machine(machine), machine->certificate); /* as the manager sees then */

	late.generation = event->generation;
	if (!listens || event->generation != machine->generation) {
		talk_event(event->manager, &late, network_delay(sim), refused);
		return;
	}
	buf_init(&out, WIRE_REPORT_MAX_BYTES);
	machine->talk = event->token;
	if (endpoint_dialled(machine->endpoint, event->bytes, event->size, &out, &err) == 0) {
		if (!machine->disk.dead)
			answer(sim, event, &late, &out);
	} else if (err.code != ERR_WRONG_STATE) {
		sim_fail(sim, "a dialled report could not be made: %s", err.text);
	} else {
		talk_event(event->manager, &late, network_delay(sim), refused);
	}
	buf_done(&out);
	machine_poll(machine);
}

static void post(struct sim_manager *manager, struct sim_talk *talk, const struct buf *bytes)
{
	struct sim *sim = manager->sim;
	unsigned copies = sim_chance(sim, 20) ? 2 : 1;

	talk->posted = ++sim->token;
	talk_event(manager, talk, ANSWER_WAIT_US, gave_up);
	if (network_lost(sim, talk->machine))
		return;
	for (unsigned i = 0; i < copies; i++) {
		struct sim_event *event = talk_event(manager, talk, network_delay(sim), post_came);

		event->size = bytes->size;
		event->bytes = malloc(bytes->size + 1);
		if (event->bytes == NULL)
			abort();
		if (bytes->size > 0)
			memcpy(event->bytes, bytes->data, bytes->size);
	}
}

void talk_stored(struct sim_manager *manager, uint64_t id, struct fleet_exchange *exchange, struct arena *arena)
{
	struct sim_talk *talk = talk_find(manager, id);
	struct fleet *fleet = manager->fleet;
	Muster__Wire__Reply *reply;
	bool configuration = false;
	time_us until;
	struct buf out;

	buf_init(&out, WIRE_REPLY_MAX_BYTES);
	if (talk != NULL) {
		fleet_answer(fleet, exchange, false, NULL, &until);
		keys_renew_orders(manager, &talk->computer, fleet_exchange_session(exchange));
		if (fleet_reply(fleet, exchange, &reply, &configuration, NULL) != 0) {
			end(manager, talk, ERR_IO, "not stored");
		} else if (!fleet_more(exchange)) {
			end(manager, talk, 0, "");
		} else {
			if (++talk->rounds > ROUNDS_MAX)
				sim_fail(manager->sim, "machine %u is dialled, and the talk does not end",
					 talk->machine);
			check_reply(manager, &talk->computer, reply);
			fleet_reply_answers(exchange, reply);
			requests_pack_reply(manager, reply, configuration, &talk->computer,
					    fleet_exchange_session(exchange), &out);
			post(manager, talk, &out);
		}
	}
	fleet_exchange_free(fleet, exchange);
	arena_free(arena);
	buf_done(&out);
}

static void report_came(struct sim *sim, struct sim_event *event)
{
	struct sim_talk *talk = stands_still(sim, event) ? NULL : talk_find(event->manager, event->token);
	struct sim_manager *manager = event->manager;
	struct fleet_exchange *exchange;
	Muster__Wire__Report *report;
	struct arena *arena = NULL;
	struct err err = { 0 };

	if (talk == NULL || talk->posted != event->number)
		return;
	networks_seen(manager, &sim->machines[talk->machine]);
	talk->posted = 0; /* whatever comes for it again is late */
	sim->counts.exchanges++;
	if (exchange_report_decode(event->bytes, event->size, &report, &arena, &err) != 0 ||
	    fleet_heard(manager->fleet, &talk->computer, report, &exchange, &err) != 0) {
		sim_fail(sim, "a dialled report was refused: %s", err.text);
		arena_free(arena);
		return;
	}
	requests_heard(manager, &talk->computer, report);
	check_reported(&sim->machines[talk->machine], fleet_exchange_rows(exchange));
	if (fleet_rows_empty(fleet_exchange_rows(exchange)))
		talk_stored(manager, talk->id, exchange, arena);
	else
		requests_store_talk(manager, exchange, arena, talk->id);
}

/* --- dialling --- */

static void find_holder(struct sim_manager *manager, struct sim_talk *talk)
{
	struct sim *sim = manager->sim;
	const struct sim_stored_computer *stored = store_computer(manager, &talk->computer);

	if (stored != NULL && stored->holders == 1 && sim->machines[stored->machine].manager == manager &&
	    uuid_equal(&sim->machines[stored->machine].computer, &talk->computer)) {
		talk->machine = stored->machine;
		return;
	}
	for (size_t i = 0; i < sim->machine_count; i++) {
		const struct sim_machine *machine = &sim->machines[i];

		/* Of two that hold one identity either may answer. */
		if (machine->manager == manager && uuid_equal(&machine->computer, &talk->computer) &&
		    (talk->machine == NOBODY || sim_below(sim, 2) == 0))
			talk->machine = (unsigned)i;
	}
}

static void begin(struct sim_manager *manager, const struct uuid *computer)
{
	static const uint8_t opening[] = { 0x08, WIRE_PROTOCOL }; /* a Reply of nothing but its protocol */
	struct sim *sim = manager->sim;
	struct sim_talk *talk = calloc(1, sizeof(*talk));
	struct buf bytes;

	if (talk == NULL)
		abort();
	talk->id = ++sim->token;
	talk->computer = *computer;
	talk->machine = NOBODY;
	find_holder(manager, talk);
	talk_add(manager, talk);
	sim->counts.talks++;
	if (talk->machine == NOBODY) { /* nobody has this identity any more */
		talk->machine = 0;
		end(manager, talk, ERR_CONNECT, "connection refused");
		return;
	}
	talk->generation = sim->machines[talk->machine].generation;
	buf_init(&bytes, sizeof(opening));
	buf_append(&bytes, opening, sizeof(opening));
	post(manager, talk, &bytes);
	buf_done(&bytes);
}

static void dial_all(struct sim *sim, struct sim_event *event);

static void dial_at(struct sim_manager *manager, time_us at)
{
	struct sim *sim = manager->sim;

	if (at < sim->now)
		at = sim->now;
	if (at >= manager->dials_at)
		return;
	manager->dials_at = at;
	manager_after(manager, at - sim->now, dial_all);
}

static void dial_all(struct sim *sim, struct sim_event *event)
{
	struct uuid computer;
	uint16_t port;
	struct sim_manager *manager = manager_of(event);
	time_us next;

	if (manager == NULL || event->at != manager->dials_at)
		return;
	manager->dials_at = INT64_MAX;
	if (sim->now < manager->stalled_until) {
		dial_at(manager, manager->stalled_until);
		return;
	}
	while (fleet_dial_due(manager->fleet, &computer, &port, &next))
		begin(manager, &computer);
	if (next != INT64_MAX)
		dial_at(manager, next + manager->booted + (time_us)sim_below(sim, 500) * MILLISECOND_US);
}

void talk_dial(void *context)
{
	struct sim_manager *manager = context;

	dial_at(manager, manager->sim->now + 1);
}

void talk_drop(struct sim_manager *manager, const struct uuid *computer)
{
	struct sim_talk *talk = manager->talks, *next;

	for (; talk != NULL; talk = next) {
		next = talk->next;
		if (!uuid_equal(&talk->computer, computer))
			continue;
		talk_event(manager, talk, network_delay(manager->sim), hang_up);
		talk_free(manager, talk);
	}
}

void talk_begin_all(struct sim_manager *manager)
{
	manager->dials_at = INT64_MAX;
}

void talk_end_all(struct sim_manager *manager)
{
	while (manager->talks != NULL) {
		talk_event(manager, manager->talks, network_delay(manager->sim), hang_up);
		talk_free(manager, manager->talks);
	}
	map_free(manager->talk_index);
	manager->talk_index = NULL;
}
