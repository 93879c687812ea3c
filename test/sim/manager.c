/* The manager's shell around the fleet: requests, commits that take time and
 * may fail, held polls, crashes that lose what was not committed. */
#include <stdlib.h>
#include <string.h>

#include "world.h"

#define TICK_LATE_US (15 * SECOND_US) /* a tick later than this: the manager did not listen meanwhile */

/* A report being answered, or rows of a tick being stored (no machine). */
struct sim_request {
	struct sim_request *next, *next_woken;
	unsigned machine;
	uint64_t machine_generation, token;
	unsigned lane;
	bool of_tick, gone, writing, parked;
	struct arena *arena;
	struct fleet_exchange *exchange;
};

static time_us manager_wall(void *context)
{
	struct sim *sim = context;

	return SIM_START_WALL + sim->now + sim->manager.clock_offset;
}

static time_us manager_monotonic(void *context)
{
	struct sim *sim = context;

	return sim->now - sim->manager.booted;
}

static void manager_random(void *context, void *out, size_t size)
{
	uint8_t *bytes = out;

	for (size_t i = 0; i < size; i++)
		bytes[i] = (uint8_t)sim_random(context);
}

static void request_free(struct sim *sim, struct sim_request *request)
{
	struct sim_request **at = &sim->manager.requests;

	while (*at != request)
		at = &(*at)->next;
	*at = request->next;
	fleet_exchange_free(sim->manager.fleet, request->exchange);
	arena_free(request->arena);
	free(request);
}

static struct sim_request *request_new(struct sim *sim)
{
	struct sim_request *request = calloc(1, sizeof(*request));

	if (request == NULL)
		abort();
	request->next = sim->manager.requests;
	sim->manager.requests = request;
	return request;
}

static struct sim_request *request_find(struct sim *sim, const void *pointer)
{
	struct sim_request *request = sim->manager.requests;

	while (request != NULL && request != pointer)
		request = request->next;
	return request;
}

/* --- signing --- */

static uint8_t *sign(const Muster__Wire__Signed *content, size_t *ret_size)
{
	struct envelope_seal seal = { .merkle = NULL };
	uint8_t message[ENVELOPE_MESSAGE_BYTES];
	struct buf payload, packed;
	struct merkle *merkle;
	struct bytes leaf;
	uint8_t *taken;

	buf_init(&payload, WIRE_SIGNED_MAX_BYTES);
	buf_init(&packed, WIRE_ENVELOPE_MAX_BYTES);
	if (envelope_payload(content, &payload, NULL) != 0)
		abort();
	leaf = (struct bytes){ payload.data, payload.size };
	merkle = merkle_new(sim_digest, &leaf, 1);
	if (merkle == NULL)
		abort();
	seal.merkle = merkle;
	memcpy(seal.fingerprint, sim_key.fingerprint, SHA256_BYTES);
	envelope_message(merkle, message);
	sim_sign(message, sizeof(message), seal.signature);
	if (envelope_pack(&seal, 0, payload.data, payload.size, &packed, NULL) != 0)
		abort();
	taken = buf_take(&packed, ret_size);
	merkle_free(merkle);
	buf_done(&payload);
	buf_done(&packed);
	return taken;
}

static void want_configuration(struct sim *sim)
{
	for (size_t i = 0; i < sim->store.computer_count; i++) {
		memcpy(sim->store.computers[i].record.wanted_configuration, sim->manager.wanted, SHA256_BYTES);
		if (sim->manager.up)
			fleet_want_configuration(sim->manager.fleet, &sim->store.computers[i].record.id,
						 sim->manager.wanted, 0, NULL);
	}
}

static void answer_woken(struct sim *sim);

void manager_new_configuration(struct sim *sim)
{
	struct sim_configuration configuration;
	uint8_t packed[512];

	configuring_make(++sim->manager.configuration_version, &configuration);
	sim_digest(packed, muster__wire__configuration__pack(&configuration.message, packed), sim->manager.wanted);
	want_configuration(sim);
	answer_woken(sim);
}

static uint8_t *sign_configuration(struct sim *sim, struct sim_stored_computer *computer, size_t *ret_size)
{
	Muster__Wire__Signed content = MUSTER__WIRE__SIGNED__INIT;
	struct sim_configuration configuration;

	configuring_make(sim->manager.configuration_version, &configuration);
	content.version = WIRE_ENVELOPE_VERSION;
	content.computer = exchange_bytes(computer->record.id.bytes, UUID_BYTES);
	content.serial = ++computer->serial;
	content.issued_us = manager_wall(sim);
	content.expires_us = content.issued_us + DAY_US;
	content.content_case = MUSTER__WIRE__SIGNED__CONTENT_CONFIGURATION;
	content.configuration = &configuration.message;
	return sign(&content, ret_size);
}

/* --- answering --- */

static void send_reply(struct sim *sim, struct sim_request *request, Muster__Wire__Reply *reply, bool configuration,
		       const struct uuid *id)
{
	struct sim_stored_computer *computer = store_computer(sim, id);
	Muster__Wire__Envelope *envelope = NULL;
	struct err err = { 0 };
	struct buf packed;

	if (configuration && computer != NULL) {
		size_t size = 0;
		uint8_t *bytes = sign_configuration(sim, computer, &size);

		envelope = muster__wire__envelope__unpack(NULL, size, bytes);
		reply->configuration = envelope;
		free(bytes);
	}
	buf_init(&packed, WIRE_REPLY_MAX_BYTES);
	if (exchange_reply_encode(reply, &packed, &err) != 0)
		sim_fail(sim, "a reply could not be made: %s", err.text);
	else
		network_reply(sim, request->machine, request->machine_generation, request->lane, request->token,
			      packed.data, packed.size);
	buf_done(&packed);
	if (envelope != NULL)
		muster__wire__envelope__free_unpacked(envelope, NULL);
}

static void reply_now(struct sim *sim, struct sim_request *request)
{
	struct uuid id = fleet_exchange_rows(request->exchange)->computer;
	Muster__Wire__Reply *reply;
	bool configuration = false;

	if (fleet_reply(sim->manager.fleet, request->exchange, &reply, &configuration, NULL) != 0) {
		network_error(sim, request->machine, request->machine_generation, request->lane, request->token);
	} else {
		check_reply(sim, &id, reply);
		send_reply(sim, request, reply, configuration, &id);
	}
	request_free(sim, request);
}

static void hold_over(struct sim *sim, struct sim_event *event)
{
	struct sim_request *request;
	time_us until;

	if (!sim->manager.up || event->generation != sim->manager.generation)
		return;
	request = request_find(sim, event->object);
	if (request == NULL || request->token != event->token || !request->parked)
		return;
	request->parked = false;
	fleet_answer(sim->manager.fleet, request->exchange, false, request, &until);
	reply_now(sim, request);
}

static void answer(struct sim *sim, struct sim_request *request)
{
	struct sim_event *event;
	time_us until = 0;

	if (request->gone) {
		request_free(sim, request);
		return;
	}
	if (fleet_answer(sim->manager.fleet, request->exchange, true, request, &until)) {
		reply_now(sim, request);
		return;
	}
	arena_free(request->arena);
	request->arena = NULL;
	request->parked = true;
	until -= manager_monotonic(sim);
	event = sim_after(sim, until > 0 ? until : 0, hold_over);
	event->generation = sim->manager.generation;
	event->object = request;
	event->token = request->token;
}

static void wake(void *context, void *parked)
{
	struct sim *sim = context;
	struct sim_request *request = request_find(sim, parked);

	if (request == NULL || !request->parked) {
		sim_fail(sim, "a request was woken that is not parked");
		return;
	}
	request->parked = false;
	request->next_woken = sim->manager.woken;
	sim->manager.woken = request;
}

static void answer_woken(struct sim *sim)
{
	struct sim_request *request;

	while ((request = sim->manager.woken) != NULL) {
		sim->manager.woken = request->next_woken;
		reply_now(sim, request);
	}
}

/* --- the writer: in order, each after its commit --- */

static void committed(struct sim *sim, struct sim_event *event)
{
	struct sim_request *request;
	int rc = 0;

	if (!sim->manager.up || event->generation != sim->manager.generation)
		return;
	request = request_find(sim, event->object);
	/* What the floor is for needs a write that fails between two others. */
	if (sim_chance(sim, sim->options.broken == BREAK_FLOOR_UNCHECKED ? 150 : 20))
		rc = ERR_IO;
	if (rc == 0)
		rc = store_apply(sim, fleet_exchange_rows(request->exchange));
	if (rc != 0)
		sim_log(sim, "store: a write fails: %s", err_name(rc));
	if (sim_chance(sim, 5)) {
		manager_kill(sim); /* committed, and nobody hears of it */
		return;
	}
	if (sim->options.broken == BREAK_ACKNOWLEDGE_EARLY) {
		request_free(sim, request);
		return;
	}
	fleet_stored(sim->manager.fleet, request->exchange, rc);
	request->writing = false;
	if (request->of_tick)
		request_free(sim, request);
	else
		answer(sim, request);
	answer_woken(sim);
}

static void write_rows(struct sim *sim, struct sim_request *request)
{
	struct sim_manager *manager = &sim->manager;
	time_us at = sim->now + (span_us)(1 + sim_below(sim, 50)) * MILLISECOND_US;
	struct sim_event *event;

	if (sim_chance(sim, 30))
		at += (span_us)sim_below(sim, 60) * SECOND_US; /* a disk that stalls: writes queue up behind */
	if (at <= manager->last_commit)
		at = manager->last_commit + 1;
	manager->last_commit = at;
	event = sim_after(sim, at - sim->now, committed);
	event->generation = manager->generation;
	event->object = request;
	request->writing = true;
	if (sim->options.broken != BREAK_ACKNOWLEDGE_EARLY)
		return;
	fleet_stored(manager->fleet, request->exchange, 0);
	if (!request->of_tick) {
		Muster__Wire__Reply *reply;
		bool configuration;
		struct uuid id = fleet_exchange_rows(request->exchange)->computer;

		if (fleet_reply(manager->fleet, request->exchange, &reply, &configuration, NULL) == 0)
			send_reply(sim, request, reply, configuration, &id);
	}
}

void manager_request(struct sim *sim, struct sim_event *event)
{
	struct sim_manager *manager = &sim->manager;
	const struct sim_machine *machine = &sim->machines[event->machine];
	Muster__Wire__Report *report;
	struct sim_request *request;
	struct err err = { 0 };
	struct uuid certificate;

	if (!manager->up || sim->now < manager->stalled_until || event->generation != machine->generation) {
		network_error(sim, event->machine, event->generation, event->lane, event->token);
		return;
	}
	request = request_new(sim);
	request->machine = event->machine;
	request->machine_generation = event->generation;
	request->token = event->token;
	request->lane = event->lane;
	certificate = machine->computer;
	if (exchange_report_decode(event->bytes, event->size, &report, &request->arena, &err) != 0) {
		sim_fail(sim, "a report was not understood: %s", err.text);
		request_free(sim, request);
		return;
	}
	if (sim->options.broken == BREAK_DEAF_LIVENESS && sim_below(sim, 10) != 0)
		certificate = (struct uuid){ 0 };
	if (fleet_heard(manager->fleet, &certificate, report, &request->exchange, &err) != 0) {
		if (sim->options.broken != BREAK_DEAF_LIVENESS)
			sim_fail(sim, "a report was refused: %s", err.text);
		network_error(sim, event->machine, event->generation, event->lane, event->token);
		request_free(sim, request);
	} else if (fleet_rows_empty(fleet_exchange_rows(request->exchange))) {
		answer(sim, request);
	} else {
		check_reported(sim, &sim->machines[event->machine], fleet_exchange_rows(request->exchange));
		write_rows(sim, request);
	}
	for (size_t i = 0; i < sim->store.computer_count; i++) {
		if (uuid_equal(&sim->store.computers[i].record.id, &machine->computer))
			manager->heard[i] = sim->now;
	}
	answer_woken(sim);
}

/* Connections of the machine broke: parked requests go, writes end first. */
void manager_drop_machine(struct sim *sim, unsigned machine)
{
	struct sim_request *request = sim->manager.requests, *next;

	for (; request != NULL; request = next) {
		next = request->next;
		if (request->of_tick || request->machine != machine)
			continue;
		if (request->writing)
			request->gone = true;
		else if (request->parked)
			request_free(sim, request);
	}
}

/* --- commands --- */

static Muster__Wire__Command *command_content(struct sim *sim, const struct sim_stored_command *stored)
{
	Muster__Wire__Command *command = malloc(sizeof(*command));
	Muster__Wire__Target *target = malloc(sizeof(*target));
	static Muster__Wire__Scan scan;
	static Muster__Wire__Nothing nothing;
	static Muster__Wire__Restore restore;

	(void)sim;
	if (command == NULL || target == NULL)
		abort();
	muster__wire__command__init(command);
	muster__wire__target__init(target);
	muster__wire__scan__init(&scan);
	muster__wire__nothing__init(&nothing);
	muster__wire__restore__init(&restore);
	command->id = exchange_bytes(stored->id.bytes, UUID_BYTES);
	command->timeout_us = stored->timeout_us;
	target->id = exchange_bytes(stored->target.bytes, UUID_BYTES);
	restore.item = exchange_bytes(stored->target.bytes, UUID_BYTES);
	command->kind_case = (Muster__Wire__Command__KindCase)stored->kind;
	command->pause = target;
	if (stored->kind == COMMAND_SCAN)
		command->scan = &scan;
	else if (stored->kind == COMMAND_HEARTBEAT)
		command->heartbeat = &nothing;
	else if (stored->kind == COMMAND_RESTORE)
		command->restore = &restore;
	if (command->pause != target)
		free(target);
	return command;
}

static void sign_command(struct sim *sim, struct sim_stored_computer *computer, struct sim_stored_command *stored)
{
	Muster__Wire__Signed content = MUSTER__WIRE__SIGNED__INIT;
	Muster__Wire__Command *command = command_content(sim, stored);

	content.version = WIRE_ENVELOPE_VERSION;
	content.computer = exchange_bytes(stored->computer.bytes, UUID_BYTES);
	content.serial = ++computer->serial;
	content.issued_us = stored->issued;
	content.expires_us = stored->expires;
	content.content_case = MUSTER__WIRE__SIGNED__CONTENT_COMMAND;
	content.command = command;
	stored->envelope = sign(&content, &stored->envelope_size);
	if (stored->kind != COMMAND_SCAN && stored->kind != COMMAND_HEARTBEAT && stored->kind != COMMAND_RESTORE)
		free(command->pause);
	free(command);
}

static int hand_over(struct sim *sim, const struct sim_stored_command *stored, bool restored)
{
	const struct fleet_command command = {
		.id = stored->id,
		.computer = stored->computer,
		.kind = stored->kind,
		.state = stored->state,
		.target = stored->target,
		.issued = stored->issued,
		.timeout_us = stored->timeout_us,
		.expires = stored->expires,
		.restored = restored,
		.envelope = stored->envelope,
		.envelope_size = stored->envelope_size,
	};

	return fleet_issue(sim->manager.fleet, &command, NULL);
}

void manager_issue(struct sim *sim, struct sim_machine *machine, enum command_kind kind, const struct uuid *target)
{
	struct sim_store *store = &sim->store;
	struct sim_stored_computer *computer = store_computer(sim, &machine->computer);
	struct sim_stored_command *stored;

	if (!sim->manager.up || computer == NULL)
		return;
	if (store->command_count == store->command_capacity) {
		store->command_capacity = store->command_capacity * 2 + 32;
		store->commands = reallocarray(store->commands, store->command_capacity, sizeof(*store->commands));
		if (store->commands == NULL)
			abort();
	}
	stored = &store->commands[store->command_count++];
	*stored = (struct sim_stored_command){ .computer = machine->computer, .kind = kind };
	stored->id = env_uuid(&sim->manager.env);
	if (target != NULL)
		stored->target = *target;
	stored->issued = manager_wall(sim);
	stored->issued_mono = sim->now;
	stored->timeout_us = (span_us)(60 + sim_below(sim, 3600)) * SECOND_US;
	stored->expires = stored->issued + stored->timeout_us + MINUTE_US;
	sign_command(sim, computer, stored);
	sim->commands++;
	if (hand_over(sim, stored, false) != 0)
		sim_fail(sim, "a command could not be issued");
	answer_woken(sim);
}

static void write_tick_rows(void *argument, struct fleet_exchange *exchange)
{
	struct sim *sim = argument;
	struct sim_request *request = request_new(sim);

	request->of_tick = true;
	request->exchange = exchange;
	check_ticked(sim, fleet_exchange_rows(exchange));
	write_rows(sim, request);
}

void manager_cancel(struct sim *sim, struct sim_machine *machine)
{
	struct sim_stored_command *open = NULL;
	struct fleet_exchange *exchange = NULL;

	for (size_t i = 0; i < sim->store.command_count; i++) {
		struct sim_stored_command *command = &sim->store.commands[i];

		if (uuid_equal(&command->computer, &machine->computer) && !command_ended(command->state) &&
		    (command->kind == COMMAND_SCAN || command->kind == COMMAND_RESTORE) &&
		    (open == NULL || sim_below(sim, 2) == 0))
			open = command;
	}
	if (!sim->manager.up || open == NULL)
		return;
	if (fleet_cancel(sim->manager.fleet, &machine->computer, &open->id, &exchange, NULL) != 0)
		return;
	if (exchange != NULL) {
		write_tick_rows(sim, exchange);
	} else {
		struct uuid target = open->id;

		manager_issue(sim, machine, COMMAND_CANCEL, &target);
	}
}

/* --- life --- */

static void tick(struct sim *sim, struct sim_event *event)
{
	struct sim_manager *manager = &sim->manager;
	struct sim_event *next;

	if (!manager->up || event->generation != manager->generation)
		return;
	if (sim->now < manager->stalled_until) {
		manager->listening_since = sim->now + SECOND_US;
	} else {
		if (sim->now - manager->last_tick > TICK_LATE_US && sim->now > manager->forgiven)
			manager->forgiven = sim->now;
		manager->last_tick = sim->now;
		fleet_tick(manager->fleet, write_tick_rows, sim);
		answer_woken(sim);
	}
	next = sim_after(sim, SECOND_US, tick);
	next->generation = manager->generation;
}

static void restart(struct sim *sim, struct sim_event *event)
{
	(void)event;
	if (!sim->manager.up)
		manager_start(sim);
}

void manager_start(struct sim *sim)
{
	struct sim_manager *manager = &sim->manager;
	struct fleet_options options = { .wake = wake, .context = sim };
	struct sim_event *event;

	sim_log(sim, "manager starts");
	manager->env = (struct env){ sim, manager_wall, manager_monotonic, manager_random };
	options.env = &manager->env;
	if (sim->store.computer_count > 0 && sim_below(sim, 2) == 0)
		options.return_spacing_us = 30 * SECOND_US / (span_us)sim->store.computer_count;
	manager->generation++;
	manager->up = true;
	manager->started = sim->now;
	manager->listening_since = sim->now + 2 * options.return_spacing_us * (span_us)sim->store.computer_count;
	manager->forgiven = manager->listening_since;
	manager->last_tick = sim->now;
	for (size_t i = 0; i < sim->machine_count; i++)
		sim->machines[i].clock_changed = sim->now; /* its own clock may have been set meanwhile */
	manager->last_commit = sim->now;
	if (fleet_new(&options, &manager->fleet, NULL) != 0)
		abort();
	for (size_t i = 0; i < sim->store.computer_count; i++) {
		if (fleet_add(manager->fleet, &sim->store.computers[i].record, NULL) != 0)
			abort();
	}
	fleet_listen(manager->fleet);
	for (size_t i = 0; i < sim->store.command_count; i++) {
		if (!command_ended(sim->store.commands[i].state) && hand_over(sim, &sim->store.commands[i], true) != 0)
			abort();
	}
	want_configuration(sim);
	event = sim_after(sim, SECOND_US, tick);
	event->generation = manager->generation;
}

static void end(struct sim *sim)
{
	struct sim_manager *manager = &sim->manager;

	manager->generation++;
	manager->up = false;
	while (manager->requests != NULL) {
		struct sim_request *request = manager->requests;

		if (!request->of_tick && !request->gone)
			network_error(sim, request->machine, request->machine_generation, request->lane,
				      request->token);
		request_free(sim, request);
	}
	manager->woken = NULL;
	fleet_free(manager->fleet);
	manager->fleet = NULL;
}

void manager_done(struct sim *sim)
{
	if (sim->manager.up)
		end(sim);
}

void manager_kill(struct sim *sim)
{
	if (!sim->manager.up)
		return;
	sim_log(sim, "manager is killed");
	sim->crashes++;
	end(sim);
	sim->manager.booted = sim->now;
	sim_after(sim, (span_us)(1 + sim_below(sim, sim_below(sim, 5) == 0 ? 3600 : 30)) * SECOND_US, restart);
}
