/* What a manager orders and signs: policies and commands. */
#include <stdlib.h>
#include <string.h>

#include "world.h"

/* --- signing --- */

static uint8_t *sign_payload(struct sim_manager *manager, const void *payload, size_t size, size_t *ret_size)
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

uint8_t *orders_sign(struct sim_manager *manager, const Muster__Wire__Signed *content, size_t *ret_size)
{
	struct buf payload;
	uint8_t *envelope;

	buf_init(&payload, WIRE_SIGNED_MAX_BYTES);
	if (envelope_payload(content, &payload, NULL) != 0)
		abort();
	envelope = sign_payload(manager, payload.data, payload.size, ret_size);
	buf_done(&payload);
	return envelope;
}

/* --- policies --- */

/* Agents that are connected are told one after the other, as a roll-out does. */
void orders_give_policy(struct sim_manager *manager, struct sim_stored_computer *computer)
{
	struct sim *sim = manager->sim;
	struct fleet_computer *record = &computer->record;
	span_us interval_us;
	uint32_t missed;

	computer->version = manager->configuration_version;
	orders_fingerprint(sim, computer->version, record->wanted_configuration);
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

void orders_fingerprint(const struct sim *sim, unsigned version, uint8_t out[SHA256_BYTES])
{
	struct sim_configuration configuration;
	uint8_t packed[512];

	configuring_make(sim, version, &configuration);
	sim_digest(packed, muster__wire__configuration__pack(&configuration.message, packed), out);
}

void orders_new_policy(struct sim_manager *manager, int site)
{
	manager->configuration_version++;
	for (size_t i = 0; i < manager->store.computer_count; i++) {
		struct sim_stored_computer *computer = &manager->store.computers[i];

		if (computer->life.out)
			continue;
		if (site < 0 || manager->sim->machines[computer->machine].site == (unsigned)site)
			orders_give_policy(manager, computer);
	}
	requests_answer_woken(manager);
}

uint8_t *orders_configuration(struct sim_manager *manager, struct sim_stored_computer *computer, uint64_t session,
			      size_t *ret_size)
{
	Muster__Wire__Signed content = MUSTER__WIRE__SIGNED__INIT;
	struct sim_configuration configuration;

	configuring_make(manager->sim, computer->version, &configuration);
	content.version = WIRE_ENVELOPE_VERSION;
	content.computer = exchange_bytes(computer->record.id.bytes, UUID_BYTES);
	content.session = session;
	content.serial = ++computer->serial;
	content.issued_us = env_wall(&manager->env);
	content.expires_us = content.issued_us + DAY_US;
	content.content_case = MUSTER__WIRE__SIGNED__CONTENT_CONFIGURATION;
	content.configuration = &configuration.message;
	return orders_sign(manager, &content, ret_size);
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
	content.session = stored->session = fleet_session(manager->fleet, &stored->computer);
	content.serial = ++computer->serial;
	content.issued_us = stored->issued;
	content.expires_us = stored->expires;
	content.content_case = MUSTER__WIRE__SIGNED__CONTENT_COMMAND;
	content.command = command;
	stored->envelope = orders_sign(manager, &content, &stored->envelope_size);
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
		.session = stored->session,
		.envelope = stored->envelope,
		.envelope_size = stored->envelope_size,
	};

	return fleet_issue(manager->fleet, &command, NULL);
}

void orders_issue(struct sim_machine *machine, enum command_kind kind, const struct uuid *target)
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
	given.issued = env_wall(&manager->env);
	given.issued_mono = sim->now;
	given.timeout_us = (span_us)(60 + sim_below(sim, 3600)) * SECOND_US;
	given.expires = given.issued + given.timeout_us + MINUTE_US;
	stored = store_add_command(manager, &given);
	sign_command(manager, computer, stored);
	sim->counts.commands++;
	if (hand_over(manager, stored, false) != 0)
		sim_fail(sim, "a command could not be issued");
	requests_answer_woken(manager);
}

void orders_cancel(struct sim_machine *machine)
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
		requests_write(manager, exchange);
	} else {
		struct uuid target = open->id;

		orders_issue(machine, COMMAND_CANCEL, &target);
	}
}

static int by_place(const void *a, const void *b)
{
	size_t left = *(const size_t *)a, right = *(const size_t *)b;

	return (left > right) - (left < right);
}

void orders_hand_over_open(struct sim_manager *manager)
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
