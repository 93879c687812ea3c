/* A manager's shell around the fleet: requests, commits that take time and
 * may fail, held polls, crashes that lose what was not committed. */
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

static time_us manager_wall(void *context)
{
	const struct sim_manager *manager = context;

	return SIM_START_WALL + manager->sim->now + manager->clock_offset;
}

static time_us manager_monotonic(void *context)
{
	const struct sim_manager *manager = context;

	return manager->sim->now - manager->booted;
}

static void manager_random(void *context, void *out, size_t size)
{
	const struct sim_manager *manager = context;

	sim_random_bytes(manager->sim, out, size);
}

struct sim_event *manager_after(struct sim_manager *manager, span_us delay,
				void (*run)(struct sim *sim, struct sim_event *event))
{
	struct sim_event *event = sim_after(manager->sim, delay, run);

	event->manager = manager;
	event->generation = manager->generation;
	return event;
}

struct sim_manager *manager_of(const struct sim_event *event)
{
	struct sim_manager *manager = event->manager;

	return manager->up && event->generation == manager->generation ? manager : NULL;
}

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

/* --- signing --- */

uint8_t *manager_sign_payload(struct sim_manager *manager, const void *payload, size_t size, size_t *ret_size)
{
	const struct bytes leaf = { payload, size };
	const struct envelope_key key = sim_key(keys_present(manager));
	struct merkle *merkle = merkle_new(sim_digest, &leaf, 1);
	struct envelope_seal seal = { .merkle = merkle };
	uint8_t message[ENVELOPE_MESSAGE_BYTES];
	struct buf packed;
	uint8_t *taken;

	buf_init(&packed, WIRE_ENVELOPE_MAX_BYTES);
	if (merkle == NULL)
		abort();
	memcpy(seal.fingerprint, key.fingerprint, SHA256_BYTES);
	envelope_message(merkle, message);
	sim_sign(keys_present(manager), message, sizeof(message), seal.signature);
	if (envelope_pack(&seal, 0, payload, size, &packed, NULL) != 0)
		abort();
	taken = buf_take(&packed, ret_size);
	merkle_free(merkle);
	buf_done(&packed);
	return taken;
}

static uint8_t *sign(struct sim_manager *manager, const Muster__Wire__Signed *content, size_t *ret_size)
{
	struct buf payload;
	uint8_t *envelope;

	buf_init(&payload, WIRE_SIGNED_MAX_BYTES);
	if (envelope_payload(content, &payload, NULL) != 0)
		abort();
	envelope = manager_sign_payload(manager, payload.data, payload.size, ret_size);
	buf_done(&payload);
	return envelope;
}

/* Agents that are connected are told one after the other, as a roll-out does. */
void manager_give_policy(struct sim_manager *manager, struct sim_stored_computer *computer)
{
	struct sim *sim = manager->sim;
	struct fleet_computer *record = &computer->record;
	span_us interval_us;
	uint32_t missed;

	computer->version = manager->configuration_version;
	manager_fingerprint(sim, computer->version, record->wanted_configuration);
	configuring_heartbeat(sim, computer->version, &interval_us, &missed);
	record->interval_us = interval_us > 0 ? interval_us : computer->own_interval_us;
	record->missed = missed;
	life_policy(manager, computer, record->interval_us, record->missed);
	if (!manager->up)
		return;
	fleet_set_heartbeat(manager->fleet, &record->id, record->interval_us, record->missed, NULL);
	fleet_want_configuration(manager->fleet, &record->id, record->wanted_configuration,
				 sim->large ? (span_us)sim_below(sim, 5 * MINUTE_US) : 0, NULL);
}

static void answer_woken(struct sim_manager *manager);

void manager_fingerprint(const struct sim *sim, unsigned version, uint8_t out[SHA256_BYTES])
{
	struct sim_configuration configuration;
	uint8_t packed[512];

	configuring_make(sim, version, &configuration);
	sim_digest(packed, muster__wire__configuration__pack(&configuration.message, packed), out);
}

void manager_new_configuration(struct sim_manager *manager, int site)
{
	manager->configuration_version++;
	for (size_t i = 0; i < manager->store.computer_count; i++) {
		struct sim_stored_computer *computer = &manager->store.computers[i];

		if (computer->life.out)
			continue;
		if (site < 0 || manager->sim->machines[computer->machine].site == (unsigned)site)
			manager_give_policy(manager, computer);
	}
	answer_woken(manager);
}

static uint8_t *sign_configuration(struct sim_manager *manager, struct sim_stored_computer *computer, size_t *ret_size)
{
	Muster__Wire__Signed content = MUSTER__WIRE__SIGNED__INIT;
	struct sim_configuration configuration;

	configuring_make(manager->sim, computer->version, &configuration);
	content.version = WIRE_ENVELOPE_VERSION;
	content.computer = exchange_bytes(computer->record.id.bytes, UUID_BYTES);
	content.serial = ++computer->serial;
	content.issued_us = manager_wall(manager);
	content.expires_us = content.issued_us + DAY_US;
	content.content_case = MUSTER__WIRE__SIGNED__CONTENT_CONFIGURATION;
	content.configuration = &configuration.message;
	return sign(manager, &content, ret_size);
}

/* --- answering --- */

void manager_pack_reply(struct sim_manager *manager, Muster__Wire__Reply *reply, bool configuration,
			const struct uuid *id, struct buf *out)
{
	struct sim_stored_computer *computer = store_computer(manager, id);
	Muster__Wire__Envelope *envelope = NULL;
	struct err err = { 0 };

	if (configuration && computer != NULL) {
		size_t size = 0;
		uint8_t *bytes = sign_configuration(manager, computer, &size);

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
	manager_pack_reply(manager, reply, configuration, id, &packed);
	network_reply(manager->sim, request->machine, request->machine_generation, request->lane, request->token,
		      packed.data, packed.size);
	buf_done(&packed);
}

static void reply_now(struct sim_manager *manager, struct sim_request *request)
{
	struct uuid id = fleet_exchange_rows(request->exchange)->computer;
	Muster__Wire__Reply *reply;
	bool configuration = false;

	keys_renew_orders(manager, &id);
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
	until -= manager_monotonic(manager);
	request_after(manager, request, until > 0 ? until : 0, hold_over);
}

static void wake(void *context, void *parked)
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

static void answer_woken(struct sim_manager *manager)
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

void manager_answer_woken(struct sim_manager *manager)
{
	answer_woken(manager);
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
	answer_woken(manager);
}

time_us manager_commit_at(struct sim_manager *manager)
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

	request_after(manager, request, manager_commit_at(manager) - sim->now, committed);
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

void manager_request(struct sim *sim, struct sim_event *event)
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
	manager_heard(manager, &machine->computer, report);
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
	answer_woken(manager);
}

void manager_heard(struct sim_manager *manager, const struct uuid *id, const Muster__Wire__Report *report)
{
	struct sim_stored_computer *computer = store_computer(manager, id);

	if (computer->life.offline)
		check_touch(manager, computer);
	computer->used = true;
	life_heard(manager, computer, report);
}

void manager_store_talk(struct sim_manager *manager, struct fleet_exchange *exchange, struct arena *arena,
			uint64_t talk)
{
	struct sim_request *request = request_new(manager, NULL); /* no machine waits for it on a lane */

	request->exchange = exchange;
	request->arena = arena;
	request->talk = talk;
	write_rows(manager, request);
}

/* Connections of the machine broke: parked requests go, writes end first. */
void manager_drop_machine(struct sim_machine *machine)
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

/* --- commands --- */

static Muster__Wire__Command *command_content(const struct sim_stored_command *stored)
{
	Muster__Wire__Command *command = malloc(sizeof(*command));
	Muster__Wire__Target *target = malloc(sizeof(*target));
	static Muster__Wire__Scan scan;
	static Muster__Wire__Nothing nothing;
	static Muster__Wire__Restore restore;
	static Muster__Wire__Move move;

	if (command == NULL || target == NULL)
		abort();
	muster__wire__command__init(command);
	muster__wire__target__init(target);
	muster__wire__scan__init(&scan);
	muster__wire__nothing__init(&nothing);
	muster__wire__restore__init(&restore);
	moves_content(&stored->target, &move);
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
	else if (stored->kind == COMMAND_MOVE)
		command->move = &move;
	if (command->pause != target)
		free(target);
	return command;
}

static void sign_command(struct sim_manager *manager, struct sim_stored_computer *computer,
			 struct sim_stored_command *stored)
{
	Muster__Wire__Signed content = MUSTER__WIRE__SIGNED__INIT;
	Muster__Wire__Command *command = command_content(stored);

	content.version = WIRE_ENVELOPE_VERSION;
	content.computer = exchange_bytes(stored->computer.bytes, UUID_BYTES);
	content.serial = ++computer->serial;
	content.issued_us = stored->issued;
	content.expires_us = stored->expires;
	content.content_case = MUSTER__WIRE__SIGNED__CONTENT_COMMAND;
	content.command = command;
	stored->envelope = sign(manager, &content, &stored->envelope_size);
	if (stored->kind != COMMAND_SCAN && stored->kind != COMMAND_HEARTBEAT && stored->kind != COMMAND_RESTORE &&
	    stored->kind != COMMAND_MOVE)
		free(command->pause);
	free(command);
}

static int hand_over(struct sim_manager *manager, const struct sim_stored_command *stored, bool restored)
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

	return fleet_issue(manager->fleet, &command, NULL);
}

void manager_issue(struct sim_machine *machine, enum command_kind kind, const struct uuid *target)
{
	struct sim_manager *manager = machine->manager;
	struct sim *sim = manager->sim;
	struct sim_stored_computer *computer = store_computer(manager, &machine->computer);
	struct sim_stored_command given = { .computer = machine->computer, .machine = machine->index, .kind = kind };
	struct sim_stored_command *stored;

	if (!manager->up || !joining_admits(computer, machine->certificate))
		return;
	given.id = env_uuid(&manager->env);
	if (target != NULL)
		given.target = *target;
	given.issued = manager_wall(manager);
	given.issued_mono = sim->now;
	given.timeout_us = (span_us)(60 + sim_below(sim, 3600)) * SECOND_US;
	given.expires = given.issued + given.timeout_us + MINUTE_US;
	stored = store_add_command(manager, &given);
	sign_command(manager, computer, stored);
	sim->counts.commands++;
	if (hand_over(manager, stored, false) != 0)
		sim_fail(sim, "a command could not be issued");
	answer_woken(manager);
}

static void write_tick_rows(void *argument, struct fleet_exchange *exchange)
{
	struct sim_manager *manager = argument;
	struct sim_request *request = request_new(manager, NULL);

	request->exchange = exchange;
	write_rows(manager, request);
}

void manager_cancel(struct sim_machine *machine)
{
	struct sim_manager *manager = machine->manager;
	struct sim *sim = manager->sim;
	struct sim_stored_command *open = NULL;
	struct fleet_exchange *exchange = NULL;

	for (size_t i = 0; i < manager->store.open_count; i++) {
		struct sim_stored_command *command = &manager->store.commands[manager->store.open[i]];

		if (uuid_equal(&command->computer, &machine->computer) &&
		    (command->kind == COMMAND_SCAN || command->kind == COMMAND_RESTORE) &&
		    (open == NULL || sim_below(sim, 2) == 0))
			open = command;
	}
	if (!manager->up || open == NULL)
		return;
	if (fleet_cancel(manager->fleet, &machine->computer, &open->id, &exchange, NULL) != 0)
		return;
	if (exchange != NULL) {
		write_tick_rows(manager, exchange);
	} else {
		struct uuid target = open->id;

		manager_issue(machine, COMMAND_CANCEL, &target);
	}
}

/* --- life --- */

static int by_place(const void *a, const void *b)
{
	size_t left = *(const size_t *)a, right = *(const size_t *)b;

	return (left > right) - (left < right);
}

static void tick(struct sim *sim, struct sim_event *event)
{
	struct sim_manager *manager = manager_of(event);

	if (manager == NULL)
		return;
	if (sim->now < manager->stalled_until) {
		manager->listening_since = sim->now + SECOND_US;
	} else {
		if (sim->now - manager->last_tick > TICK_LATE_US && sim->now > manager->forgiven)
			manager->forgiven = sim->now;
		manager->last_tick = sim->now;
		fleet_tick(manager->fleet, write_tick_rows, manager);
		life_ticked(manager);
		answer_woken(manager);
	}
	manager_after(manager, SECOND_US, tick);
}

/* In the order of their issue, as the store gives them. */
static void hand_over_open(struct sim_manager *manager)
{
	size_t *open = manager->store.open;

	if (manager->store.open_count > 0)
		qsort(open, manager->store.open_count, sizeof(*open), by_place);
	for (size_t i = 0; i < manager->store.open_count; i++) {
		manager->store.commands[open[i]].open_at = i;
		if (hand_over(manager, &manager->store.commands[open[i]], true) != 0)
			abort();
	}
}

static void restart(struct sim *sim, struct sim_event *event)
{
	(void)sim;
	if (!event->manager->up)
		manager_start(event->manager);
}

void manager_init(struct sim *sim, size_t computers)
{
	struct sim_manager *manager = &sim->managers[sim->manager_count];

	*manager = (struct sim_manager){ .sim = sim, .index = sim->manager_count++, .boot = 1 };
	manager->touched = calloc(computers, sizeof(*manager->touched));
	manager->overdue = calloc(computers, sizeof(*manager->overdue));
	if (manager->touched == NULL || manager->overdue == NULL)
		abort();
	store_init(manager, computers);
	joining_init(manager);
	networks_begin(manager);
	manager->configuration_version = manager->index * 1000; /* no two have the same policy */
}

void manager_start(struct sim_manager *manager)
{
	struct sim *sim = manager->sim;
	struct fleet_options options = { .wake = wake, .dial = talk_dial, .trace = life_trace, .context = manager };

	span_us managed = 0;

	sim_log(sim, "manager %u starts", manager->index);
	manager->env = (struct env){ manager, manager_wall, manager_monotonic, manager_random };
	options.env = &manager->env;
	if (manager->store.computer_count > 0 && sim_below(sim, 2) == 0)
		options.return_spacing_us =
		    (sim->large ? 120 : 30) * SECOND_US / (span_us)manager->store.computer_count;
	for (size_t i = 0; i < manager->store.computer_count; i++)
		managed += !manager->store.computers[i].life.out;
	manager->generation++;
	manager->up = true;
	manager->started = sim->now;
	manager->listening_since = sim->now + 2 * options.return_spacing_us * managed;
	manager->forgiven = manager->listening_since;
	manager->last_tick = sim->now;
	manager->dies_at_commit = false;
	memcpy(options.boot.bytes, &manager->boot, sizeof(manager->boot));
	if (manager->zero_boot != manager->boot)
		manager->clock_zero = manager_wall(manager) - manager_monotonic(manager);
	manager->zero_boot = manager->boot;
	options.clock_zero_us = manager->clock_zero;
	manager->last_commit = sim->now;
	talk_begin_all(manager);
	if (fleet_new(&options, &manager->fleet, NULL) != 0)
		abort();
	networks_use(manager);
	for (size_t i = 0; i < manager->store.computer_count; i++) {
		if (!manager->store.computers[i].life.out &&
		    fleet_add(manager->fleet, &manager->store.computers[i].record, NULL) != 0)
			abort();
	}
	keys_manager_started(manager);
	fleet_listen(manager->fleet);
	hand_over_open(manager);
	life_manager_started(manager);
	manager_after(manager, SECOND_US, tick);
}

static void end(struct sim_manager *manager)
{
	struct sim *sim = manager->sim;

	manager->generation++;
	manager->up = false;
	talk_end_all(manager);
	while (manager->requests != NULL) {
		struct sim_request *request = manager->requests;

		if (!request->of_tick && !request->gone)
			network_error(sim, request->machine, request->machine_generation, request->lane,
				      request->token);
		request_free(manager, request);
	}
	manager->woken = NULL;
	fleet_free(manager->fleet);
	manager->fleet = NULL;
	keys_manager_ended(manager);
}

void manager_done(struct sim_manager *manager)
{
	if (manager->up)
		end(manager);
	while (manager->spare != NULL) {
		struct sim_request *request = manager->spare;

		manager->spare = request->next;
		free(request);
	}
	store_done(manager);
	free(manager->touched);
	free(manager->overdue);
	free(manager->tokens);
	networks_end(manager);
}

void manager_kill(struct sim_manager *manager)
{
	struct sim *sim = manager->sim;

	if (!manager->up)
		return;
	sim_log(sim, "manager %u is killed", manager->index);
	sim->counts.crashes++;
	end(manager);
	if (sim_below(sim, 4) == 0) { /* and its machine */
		manager->booted = sim->now;
		manager->boot++;
	}
	sim_after(sim, (span_us)(1 + sim_below(sim, sim_below(sim, 5) == 0 ? 3600 : 30)) * SECOND_US, restart)
	    ->manager = manager;
}
