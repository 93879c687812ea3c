/* Making a report: what changed, oldest events first, all within the limits.
 * What goes in is durable already. */
#include <string.h>

#include "endpoint/parts.h"

#define REPORT_MEMORY_MAX_BYTES (4 * MIB)
#define REPORT_ITEM_BYTES       (64 * KIB)
#define REPORT_RESULT_BYTES     (96 * KIB) /* beyond one result, which always fits */

struct making {
	struct endpoint *endpoint;
	enum endpoint_lane lane;
	struct arena *arena;
	bool failed; /* out of memory */
	Muster__Wire__Report report;
	Muster__Wire__Clock clock;
	ProtobufCBinaryData *keys;
};

static void *take(struct making *making, size_t size)
{
	void *memory = arena_take(making->arena, size > 0 ? size : 1);

	if (memory == NULL)
		making->failed = true;
	else
		memset(memory, 0, size);
	return memory;
}

static size_t at_most(size_t count, size_t limit)
{
	return count < limit ? count : limit;
}

/* A NUL-terminated copy of packed text. */
static char *take_text(struct making *making, struct bytes text)
{
	char *copy = take(making, text.size + 1);

	if (copy != NULL && text.size > 0)
		memcpy(copy, text.data, text.size);
	return copy;
}

/* u16 count, then text name and bytes value each. Points into the packed bytes. */
static size_t unpack_fields(struct making *making, struct unpack *in, Muster__Wire__Field ***ret_fields)
{
	size_t count = unpack_u16(in);
	Muster__Wire__Field **fields;

	if (count > WIRE_FIELDS_MAX)
		return 0;
	fields = take(making, count * sizeof(struct Muster__Wire__Field *));
	for (size_t i = 0; fields != NULL && i < count; i++) {
		struct bytes name = unpack_bytes(in, WIRE_NAME_MAX_BYTES);
		struct bytes value = unpack_bytes(in, WIRE_FIELD_VALUE_MAX_BYTES);

		fields[i] = take(making, sizeof(*fields[i]));
		if (fields[i] == NULL)
			return 0;
		muster__wire__field__init(fields[i]);
		fields[i]->name = take_text(making, name);
		fields[i]->value = exchange_bytes(value.data, value.size);
	}
	*ret_fields = fields;
	return making->failed || in->status != 0 ? 0 : count;
}

static Muster__Wire__Event *make_event(struct making *making, const struct spool_entry *entry)
{
	Muster__Wire__Event *event = take(making, sizeof(*event));
	struct unpack in;

	if (event == NULL)
		return NULL;
	muster__wire__event__init(event);
	event->number = entry->number;
	event->time_us = entry->time;
	event->type = entry->type;
	event->mark = entry->mark;
	unpack_init(&in, entry->fields, entry->size);
	event->n_fields = unpack_fields(making, &in, &event->fields);
	return making->failed ? NULL : event;
}

static void add_events(struct making *making)
{
	struct endpoint *endpoint = making->endpoint;
	const struct endpoint_actor *actor = &endpoint->options.actor;
	struct spool *spool = &endpoint->spool;
	struct lane *lane = &endpoint->lanes[making->lane];
	const struct spool_entry *entry;
	size_t position = 0, bytes = 0;

	lane->last_id = lane->last_number = 0;
	making->report.events_waiting = spool->count;
	if (actor->leaves != NULL && actor->leaves(actor->context))
		return;
	if (!spool->numbers_known) {
		lane->last_id = spool_last_id(spool); /* the reply brings the numbers, then they go */
		return;
	}
	making->report.events =
	    take(making, at_most(spool->count, WIRE_EVENTS_MAX) * sizeof(struct Muster__Wire__Event *));
	while (!making->failed && making->report.n_events < WIRE_EVENTS_MAX &&
	       (entry = spool_next(spool, &position)) != NULL) {
		bytes += entry->size + 64;
		if (entry->id > spool->durable_id || (bytes > WIRE_REPORT_EVENTS_BYTES && making->report.n_events > 0))
			break;
		making->report.events[making->report.n_events] = make_event(making, entry);
		if (making->failed)
			break;
		making->report.n_events++;
		lane->last_id = entry->id;
		lane->last_number = entry->number;
	}
	if (lane->last_id > endpoint->carried_id)
		endpoint->carried_id = lane->last_id;
}

/* --- commands --- */

static void add_result(struct making *making, const struct journal_entry *entry, Muster__Wire__CommandState *state)
{
	struct unpack in;

	unpack_init(&in, entry->result, entry->result_size);
	state->code = take_text(making, unpack_bytes(&in, WIRE_NAME_MAX_BYTES));
	state->text = take_text(making, unpack_bytes(&in, WIRE_TEXT_MAX_BYTES));
	state->n_result = unpack_fields(making, &in, &state->result);
}

static bool tells_command(const struct making *making, const struct journal_entry *entry, bool full)
{
	bool progress = entry->state == COMMAND_RUNNING && entry->progress_new &&
			endpoint_now(making->endpoint) >= entry->progress_sent + ENDPOINT_PROGRESS_US;

	if (entry->acknowledged || entry->state == COMMAND_PENDING)
		return false;
	return full || progress || revision_waits(&entry->revision);
}

static void add_command(struct making *making, struct journal_entry *entry)
{
	Muster__Wire__CommandState *state = take(making, sizeof(*state));

	if (state == NULL)
		return;
	muster__wire__command_state__init(state);
	state->id = exchange_bytes(entry->id.bytes, UUID_BYTES);
	state->state = (Muster__Wire__CommandState__State)entry->state;
	if (command_ended(entry->state)) {
		add_result(making, entry, state);
		making->endpoint->lanes[making->lane].told_something = true;
	}
	if (entry->progress_path != NULL) {
		state->progress = &entry->progress;
		entry->progress_new = false;
		entry->progress_sent = endpoint_now(making->endpoint);
	}
	if (making->failed)
		return;
	making->report.commands[making->report.n_commands++] = state;
	revision_carry(&entry->revision, making->lane);
}

static void add_commands(struct making *making, bool full)
{
	const struct journal *journal = &making->endpoint->journal;
	struct journal_entry *entry = journal->entries;
	size_t bytes = 0;

	making->report.commands = take(making, at_most(journal->count, WIRE_REPORT_COMMANDS_MAX) *
						   sizeof(struct Muster__Wire__CommandState *));
	for (; entry != NULL && making->report.n_commands < WIRE_REPORT_COMMANDS_MAX; entry = entry->next) {
		if (making->failed || !tells_command(making, entry, full))
			continue;
		bytes += entry->result_size;
		/* What runs goes in always: to be absent from a full report means lost. */
		if (command_ended(entry->state) && bytes > REPORT_RESULT_BYTES && making->report.n_commands > 0)
			continue;
		add_command(making, entry);
	}
}

/* --- state --- */

static void add_components(struct making *making, bool full)
{
	struct endpoint *endpoint = making->endpoint;

	making->report.components = take(making, endpoint->component_count * sizeof(struct Muster__Wire__Component *));
	for (size_t i = 0; i < endpoint->component_count && !making->failed; i++) {
		struct kept_component *kept = &endpoint->components[i];

		if (!full && !revision_waits(&kept->revision))
			continue;
		making->report.components[making->report.n_components++] = kept->component;
		revision_carry(&kept->revision, making->lane);
	}
}

static void add_items(struct making *making)
{
	struct endpoint *endpoint = making->endpoint;
	size_t bytes = 0;

	making->report.quarantine = take(making, at_most(endpoint->item_count, WIRE_REPORT_QUARANTINE_MAX) *
						     sizeof(struct Muster__Wire__QuarantineItem *));
	for (size_t i = 0; i < endpoint->item_count && !making->failed; i++) {
		struct kept_item *kept = &endpoint->items[i];

		if (!revision_waits(&kept->revision))
			continue;
		bytes += kept->item->path.len + 512;
		if (making->report.n_quarantine == WIRE_REPORT_QUARANTINE_MAX ||
		    (bytes > REPORT_ITEM_BYTES && making->report.n_quarantine > 0))
			break;
		making->report.quarantine[making->report.n_quarantine++] = kept->item;
		revision_carry(&kept->revision, making->lane);
		endpoint->lanes[making->lane].told_something = true;
	}
}

static void add_configuration(struct making *making)
{
	struct endpoint *endpoint = making->endpoint;

	const struct configuring *configuring = &endpoint->configuring;
	const uint8_t *in_force = configuration_in_force(endpoint);

	if (in_force != NULL)
		making->report.configuration = exchange_bytes(in_force, SHA256_BYTES);
	if (configuring->has_refused)
		making->report.refused_configuration = exchange_bytes(configuring->refused, SHA256_BYTES);
	making->report.configuration_error = (char *)(uintptr_t)configuring->reason;
	revision_carry(&endpoint->configuration_revision, making->lane);
	making->report.trusted_keys = take(making, endpoint->key_count * sizeof(ProtobufCBinaryData));
	for (size_t i = 0; i < endpoint->key_count && !making->failed; i++)
		making->report.trusted_keys[making->report.n_trusted_keys++] =
		    exchange_bytes(endpoint->keys[i].fingerprint, SHA256_BYTES);
}

static void add_identity(struct making *making)
{
	struct endpoint *endpoint = making->endpoint;
	Muster__Wire__Report *report = &making->report;

	report->protocol = WIRE_PROTOCOL;
	report->computer = exchange_bytes(endpoint->options.computer.bytes, UUID_BYTES);
	report->session = endpoint->session;
	report->sequence = ++endpoint->sequence;
	report->heartbeat_s = (uint32_t)(endpoint->options.heartbeat_us / SECOND_US);
	endpoint->lanes[making->lane].sequence = report->sequence;
	endpoint->lanes[making->lane].keys = endpoint->key_changes;
	making->clock.wall_us = env_wall(endpoint->options.env);
	making->clock.monotonic_us = endpoint_now(endpoint);
	making->clock.boot_id = exchange_bytes(endpoint->options.boot_id, UUID_BYTES);
	report->clock = &making->clock;
	report->wants_turn = making->lane == ENDPOINT_DIALLED && endpoint->options.actor.wants_turn != NULL &&
			     endpoint->options.actor.wants_turn(endpoint->options.actor.context);
}

static void fill(struct making *making)
{
	struct endpoint *endpoint = making->endpoint;
	struct lane *lane = &endpoint->lanes[making->lane];
	bool full = endpoint->full_wanted;

	lane->told_something = false;
	add_identity(making);
	add_events(making);
	add_commands(making, full);
	add_components(making, full);
	add_items(making);
	add_configuration(making);
	if (endpoint->host != NULL && (full || revision_waits(&endpoint->host_revision))) {
		making->report.host = endpoint->host;
		revision_carry(&endpoint->host_revision, making->lane);
	}
	if (making->report.events_waiting > 0 && endpoint->spool.numbers_known)
		lane->told_something = true;
	making->report.full = full;
	/* News is for answering at once, so that it is known to be stored; and somebody waits for what was hurried. */
	making->report.hold_s = lane->told_something || full || making->report.events_waiting > 0 ||
					endpoint->hurried || configuration_on_trial(endpoint)
				    ? 0
				    : timing_hold_s(endpoint, making->lane);
}

int endpoint_report(struct endpoint *endpoint, enum endpoint_lane lane, struct buf *out, uint32_t *ret_hold_s,
		    struct err *err)
{
	struct making making = { .endpoint = endpoint, .lane = lane };
	int rc = 0;

	if (endpoint->lanes[lane].under_way)
		return err_set(err, ERR_WRONG_STATE, "a report is under way already");
	/* A disk that fails must not silence the agent: what is not durable waits, the rest goes. */
	spool_tell_drops(&endpoint->spool, env_wall(endpoint->options.env), NULL);
	spool_flush(&endpoint->spool, NULL);
	muster__wire__report__init(&making.report);
	muster__wire__clock__init(&making.clock);
	making.arena = arena_new(REPORT_MEMORY_MAX_BYTES);
	if (making.arena == NULL)
		return err_set(err, ERR_MEMORY, "out of memory");
	fill(&making);
	if (making.failed)
		rc = err_set(err, ERR_MEMORY, "out of memory");
	if (rc == 0)
		rc = exchange_report_encode(&making.report, out, err);
	if (rc != 0) {
		state_lane_ended(endpoint, lane, false);
	} else {
		endpoint->lanes[lane].full = endpoint->full_wanted;
		endpoint->full_wanted = false;
		endpoint->status.reports++;
		timing_begin(endpoint, lane, making.report.hold_s);
		*ret_hold_s = making.report.hold_s;
	}
	arena_free(making.arena);
	return rc;
}
