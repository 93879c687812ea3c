/* What a manager is asked: requests, commits that take time and may fail, held
 * polls. A request ends with its manager, as its connection would. */
#include <stdlib.h>
#include <string.h>

#include "world.h"

/* A report being answered, or rows of a tick being stored (no machine). */
struct sim_request {
	struct sim_request *next, *previous; /* of all */
	struct sim_request *next_of_machine, *previous_of_machine, *next_woken;
	uint64_t serial; /* 0: of nobody now; memory of requests is used again, never freed while the manager lives */
	unsigned machine;
	uint64_t machine_generation, token;
	unsigned lane;
	bool of_tick, gone, writing, parked;
	uint64_t talk; /* of a connection that the manager dialled; 0: none */
	struct arena *arena;
	struct fleet_exchange *exchange;
};

static void request_unlink(struct sim_manager *manager, struct sim_request *request)
{
	struct sim_request **all = request->previous != NULL ? &request->previous->next : &manager->requests;
	struct sim_request **of_machine = request->previous_of_machine != NULL
					      ? &request->previous_of_machine->next_of_machine
					      : &manager->sim->machines[request->machine].requests;

	*all = request->next;
	if (request->next != NULL)
		request->next->previous = request->previous;
	if (request->of_tick)
		return;
	*of_machine = request->next_of_machine;
	if (request->next_of_machine != NULL)
		request->next_of_machine->previous_of_machine = request->previous_of_machine;
}

static void request_free(struct sim_manager *manager, struct sim_request *request)
{
	request_unlink(manager, request);
	fleet_exchange_free(manager->fleet, request->exchange);
	arena_free(request->arena);
	*request = (struct sim_request){ .next = manager->spare };
	manager->spare = request;
}

/* machine NULL: of a tick. */
static struct sim_request *request_new(struct sim_manager *manager, struct sim_machine *machine)
{
	struct sim_request *request = manager->spare;

	if (request != NULL)
		manager->spare = request->next;
	else
		request = malloc(sizeof(*request));
	if (request == NULL)
		abort();
	*request = (struct sim_request){ .next = manager->requests, .serial = ++manager->sim->token };
	if (request->next != NULL)
		request->next->previous = request;
	manager->requests = request;
	request->of_tick = machine == NULL;
	if (machine == NULL)
		return request;
	request->machine = machine->index;
	request->next_of_machine = machine->requests;
	if (request->next_of_machine != NULL)
		request->next_of_machine->previous_of_machine = request;
	machine->requests = request;
	return request;
}

/* NULL: it was answered, or ended with its manager. */
static struct sim_request *request_of(const struct sim_event *event)
{
	const struct sim_manager *manager = event->manager;
	struct sim_request *request = event->object;

	if (!manager->up || event->generation != manager->generation || request->serial != event->number)
		return NULL;
	return request;
}

static struct sim_event *request_after(struct sim_manager *manager, struct sim_request *request, span_us delay,
				       void (*run)(struct sim *sim, struct sim_event *event))
{
	struct sim_event *event = manager_after(manager, delay, run);

	event->object = request;
	event->number = request->serial;
	return event;
}

/* --- answering --- */

void requests_pack_reply(struct sim_manager *manager, Muster__Wire__Reply *reply, bool configuration,
			 const struct uuid *id, uint64_t session, struct buf *out)
{
	struct sim_stored_computer *computer = store_computer(manager, id);
	Muster__Wire__Envelope *envelope = NULL;
	struct err err = { 0 };

	if (configuration && computer != NULL) {
		size_t size = 0;
		uint8_t *bytes = orders_configuration(manager, computer, session, &size);

		envelope = muster__wire__envelope__unpack(NULL, size, bytes);
		if (envelope != NULL && fleet_key_is_present(manager->fleet, envelope->key.data))
			reply->configuration = envelope;
		free(bytes);
	}
	if (exchange_reply_encode(reply, out, &err) != 0)
		sim_fail(manager->sim, "a reply could not be made: %s", err.text);
	reply->configuration = NULL;
	if (envelope != NULL)
		muster__wire__envelope__free_unpacked(envelope, NULL);
}

static void send_reply(struct sim_manager *manager, struct sim_request *request, Muster__Wire__Reply *reply,
		       bool configuration, const struct uuid *id)
{
	struct buf packed;

	buf_init(&packed, WIRE_REPLY_MAX_BYTES);
	requests_pack_reply(manager, reply, configuration, id, fleet_exchange_session(request->exchange), &packed);
	network_reply(manager->sim, request->machine, request->machine_generation, request->lane, request->token,
		      packed.data, packed.size);
	buf_done(&packed);
}

static void reply_now(struct sim_manager *manager, struct sim_request *request)
{
	struct uuid id = fleet_exchange_rows(request->exchange)->computer;
	Muster__Wire__Reply *reply;
	bool configuration = false;

	keys_renew_orders(manager, &id, fleet_exchange_session(request->exchange));
	if (fleet_reply(manager->fleet, request->exchange, &reply, &configuration, NULL) != 0) {
		network_error(manager->sim, request->machine, request->machine_generation, request->lane,
			      request->token);
	} else {
		check_reply(manager, &id, reply);
		send_reply(manager, request, reply, configuration, &id);
	}
	request_free(manager, request);
}

static void hold_over(struct sim *sim, struct sim_event *event)
{
	struct sim_manager *manager = event->manager;
	struct sim_request *request = request_of(event);
	time_us until;

	(void)sim;
	if (request == NULL || !request->parked)
		return;
	request->parked = false;
	fleet_answer(manager->fleet, request->exchange, false, request, &until);
	reply_now(manager, request);
}

static void answer(struct sim_manager *manager, struct sim_request *request)
{
	time_us until = 0;

	if (request->gone) {
		request_free(manager, request);
		return;
	}
	if (fleet_answer(manager->fleet, request->exchange, true, request, &until)) {
		reply_now(manager, request);
		return;
	}
	arena_free(request->arena);
	request->arena = NULL;
	request->parked = true;
	until -= env_monotonic(&manager->env);
	request_after(manager, request, until > 0 ? until : 0, hold_over);
}

void requests_wake(void *context, void *parked)
{
	struct sim_manager *manager = context;
	struct sim_request *request = parked;

	if (request->serial == 0 || !request->parked) {
		sim_fail(manager->sim, "a request was woken that is not parked");
		return;
	}
	request->parked = false;
	request->next_woken = manager->woken;
	manager->woken = request;
}

void requests_answer_woken(struct sim_manager *manager)
{
	struct sim_request *request;

	while ((request = manager->woken) != NULL) {
		manager->woken = request->next_woken;
		reply_now(manager, request);
	}
}

static void give_to_talk(struct sim_manager *manager, struct sim_request *request)
{
	struct fleet_exchange *exchange = request->exchange;
	struct arena *arena = request->arena;
	uint64_t talk = request->talk;

	request->exchange = NULL;
	request->arena = NULL;
	request_free(manager, request);
	talk_stored(manager, talk, exchange, arena);
}

/* --- the writer: in order, each after its commit --- */

static void note_failed(struct sim_manager *manager, const struct fleet_rows *rows, int rc)
{
	struct sim *sim = manager->sim;

	sim_log(sim, "store: a write fails: %s", err_name(rc));
	for (size_t i = 0; i < rows->command_count; i++) {
		struct sim_stored_command *command = store_command(manager, &rows->commands[i].id);

		if (command != NULL && command_ended(rows->commands[i].state))
			command->write_failed = sim->now;
	}
}

static void committed(struct sim *sim, struct sim_event *event)
{
	struct sim_manager *manager = event->manager;
	struct sim_request *request = request_of(event);
	int rc = 0;

	if (request == NULL)
		return;
	/* What the floor is for needs a write that fails between two others. */
	if (sim_rare(sim, sim->options.broken == BREAK_FLOOR_UNCHECKED ? 150000 : sim->weather.write_fails))
		rc = ERR_IO;
	if (rc == 0)
		rc = store_apply(manager, fleet_exchange_rows(request->exchange));
	if (rc != 0)
		note_failed(manager, fleet_exchange_rows(request->exchange), rc);
	if (sim_rare(sim, sim->weather.write_last) || manager->dies_at_commit) {
		manager_kill(manager); /* committed, and nobody hears of it */
		return;
	}
	if (sim->options.broken == BREAK_ACKNOWLEDGE_EARLY && request->talk == 0) {
		request_free(manager, request);
		return;
	}
	fleet_stored(manager->fleet, request->exchange, rc);
	request->writing = false;
	if (request->talk != 0)
		give_to_talk(manager, request);
	else if (request->of_tick)
		request_free(manager, request);
	else
		answer(manager, request);
	requests_answer_woken(manager);
}

time_us requests_commit_at(struct sim_manager *manager)
{
	struct sim *sim = manager->sim;
	time_us at = sim->now + (span_us)(1 + sim_below(sim, SIM_WRITE_MOST_US / MILLISECOND_US)) * MILLISECOND_US;

	if (sim_rare(sim, sim->weather.write_stalls))
		at += (span_us)sim_below(sim, SIM_STALL_MOST_US / SECOND_US + 1) *
		      SECOND_US; /* a disk that stalls: writes queue up behind */
	if (at <= manager->last_commit)
		at = manager->last_commit + 1;
	manager->last_commit = at;
	return at;
}

static void write_rows(struct sim_manager *manager, struct sim_request *request)
{
	struct sim *sim = manager->sim;

	request_after(manager, request, requests_commit_at(manager) - sim->now, committed);
	request->writing = true;
	if (sim->options.broken != BREAK_ACKNOWLEDGE_EARLY || request->talk != 0)
		return;
	fleet_stored(manager->fleet, request->exchange, 0);
	if (!request->of_tick) {
		Muster__Wire__Reply *reply;
		bool configuration;
		struct uuid id = fleet_exchange_rows(request->exchange)->computer;

		if (fleet_reply(manager->fleet, request->exchange, &reply, &configuration, NULL) == 0)
			send_reply(manager, request, reply, configuration, &id);
	}
}

/* By its certificate it is no computer of this manager; it may be told to become one. */
static void refuse(struct sim_manager *manager, const struct sim_event *event)
{
	struct sim *sim = manager->sim;
	const struct sim_machine *machine = &sim->machines[event->machine];
	Muster__Wire__Reply reply = MUSTER__WIRE__REPLY__INIT;
	struct buf packed;

	if (sim->options.broken == BREAK_STRANDED ||
	    !joining_rekeys(manager, store_machine(machine), machine->certificate)) {
		network_error(sim, event->machine, event->generation, event->lane, event->token);
		return;
	}
	buf_init(&packed, WIRE_REPLY_MAX_BYTES);
	reply.protocol = WIRE_PROTOCOL;
	reply.rekey = true;
	if (exchange_reply_encode(&reply, &packed, NULL) != 0)
		abort();
	network_reply(sim, event->machine, event->generation, event->lane, event->token, packed.data, packed.size);
	buf_done(&packed);
}

void requests_arrive(struct sim *sim, struct sim_event *event)
{
	struct sim_manager *manager = event->manager;
	struct sim_machine *machine = &sim->machines[event->machine];
	Muster__Wire__Report *report;
	struct sim_request *request;
	struct err err = { 0 };
	struct uuid certificate;
	int rc;

	if (!manager->up || sim->now < manager->stalled_until || event->generation != machine->generation) {
		network_error(sim, event->machine, event->generation, event->lane, event->token);
		return;
	}
	if (!joining_admits(store_machine(machine), machine->certificate)) {
		refuse(manager, event);
		return;
	}
	request = request_new(manager, machine);
	request->machine_generation = event->generation;
	request->token = event->token;
	request->lane = event->lane;
	certificate = machine->computer;
	if (exchange_report_decode(event->bytes, event->size, &report, &request->arena, &err) != 0) {
		sim_fail(sim, "a report was not understood: %s", err.text);
		request_free(manager, request);
		return;
	}
	if (sim->options.broken == BREAK_DEAF_LIVENESS && sim_below(sim, 10) != 0)
		certificate = (struct uuid){ 0 };
	networks_seen(manager, machine);
	rc = fleet_heard(manager->fleet, &certificate, report, &request->exchange, &err);
	requests_heard(manager, &machine->computer, report);
	if (rc != 0) {
		if (sim->options.broken != BREAK_DEAF_LIVENESS)
			sim_fail(sim, "a report was refused: %s", err.text);
		network_error(sim, event->machine, event->generation, event->lane, event->token);
		request_free(manager, request);
	} else if (fleet_rows_empty(fleet_exchange_rows(request->exchange))) {
		answer(manager, request);
	} else {
		check_reported(machine, fleet_exchange_rows(request->exchange));
		write_rows(manager, request);
	}
	requests_answer_woken(manager);
}

void requests_heard(struct sim_manager *manager, const struct uuid *id, const Muster__Wire__Report *report)
{
	struct sim_stored_computer *computer = store_computer(manager, id);

	if (computer->life.offline)
		check_touch(manager, computer);
	computer->used = true;
	life_heard(manager, computer, report);
}

void requests_store_talk(struct sim_manager *manager, struct fleet_exchange *exchange, struct arena *arena,
			 uint64_t talk)
{
	struct sim_request *request = request_new(manager, NULL); /* no machine waits for it on a lane */

	request->exchange = exchange;
	request->arena = arena;
	request->talk = talk;
	write_rows(manager, request);
}

/* Connections of the machine broke: parked requests go, writes end first. */
void requests_drop(struct sim_machine *machine)
{
	struct sim_manager *manager = machine->manager;
	struct sim_request *request = machine->requests, *next;

	for (; request != NULL; request = next) {
		next = request->next_of_machine;
		if (request->writing)
			request->gone = true;
		else if (request->parked)
			request_free(manager, request);
	}
}

void requests_write(void *argument, struct fleet_exchange *exchange)
{
	struct sim_manager *manager = argument;
	struct sim_request *request = request_new(manager, NULL);

	request->exchange = exchange;
	write_rows(manager, request);
}

void requests_end(struct sim_manager *manager)
{
	while (manager->requests != NULL) {
		struct sim_request *request = manager->requests;

		if (!request->of_tick && !request->gone)
			network_error(manager->sim, request->machine, request->machine_generation, request->lane,
				      request->token);
		request_free(manager, request);
	}
	manager->woken = NULL;
}

void requests_done(struct sim_manager *manager)
{
	while (manager->spare != NULL) {
		struct sim_request *request = manager->spare;

		manager->spare = request->next;
		free(request);
	}
}
