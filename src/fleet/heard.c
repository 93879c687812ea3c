/* A report comes in: what of it is new, and therefore to be stored.
 *
 * The report is authenticated and of proper shape (wire/exchange.h), but its
 * content is the agent's word: it can speak about its own computer alone.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fleet/parts.h"

/* FNV-1a; tells "the same as last time" from "changed", nothing more. */
static uint64_t hash_message(const ProtobufCMessage *message, uint64_t hash)
{
	struct buf packed;
	size_t size = protobuf_c_message_get_packed_size(message);
	uint8_t *room;

	buf_init(&packed, WIRE_REPORT_MAX_BYTES);
	room = buf_room(&packed, size + 1);
	if (room != NULL) {
		size = protobuf_c_message_pack(message, room);
		for (size_t i = 0; i < size; i++)
			hash = (hash ^ room[i]) * 0x100000001b3u;
	}
	buf_done(&packed);
	return room != NULL ? hash : 0;
}

#define HASH_START 0xcbf29ce484222325u

/* --- events --- */

/* An agent that draws no marks: what the event says stands for one, so that the same is the same. Nothing that came
 * twice with the same words at the same microsecond is lost by being taken for one. */
static uint64_t mark_of(const Muster__Wire__Event *event)
{
	uint64_t mark = event->mark;

	if (mark == 0)
		mark = hash_message(&event->base, HASH_START);
	return mark != 0 ? mark : 1;
}

/* Without events: how far the computer's numbers have come, for an agent that has just begun or lost its own. It takes
 * it for nothing else; one of before marks takes it for an acknowledgement of all it has, and is told no more often
 * than it has to be. */
static uint64_t acknowledged_without(const struct computer *computer, const Muster__Wire__Report *report)
{
	return report->full || report->events_waiting > 0 ? computer->stored : 0;
}

/* Above what was handed out to be stored, an event is new; else it is looked up: it came again, or another agent's, or
 * this one's own before it was set back, had its number. */
static int take_events(struct computer *computer, struct fleet_exchange *exchange)
{
	const Muster__Wire__Report *report = exchange->report;
	struct fleet_event_row *rows;
	size_t first = 0;

	exchange->must_answer |= report->n_events > 0;
	exchange->withheld = report->n_events == 0 && report->events_waiting > 0;
	if (report->n_events == 0) {
		exchange->acknowledged = acknowledged_without(computer, report);
		return 0;
	}
	rows = exchange_memory(exchange, report->n_events * sizeof(*rows));
	if (rows == NULL)
		return ERR_MEMORY;
	for (size_t i = 0; i < report->n_events; i++) {
		const Muster__Wire__Event *event = report->events[i];

		rows[i] = (struct fleet_event_row){
			.number = event->number,
			.mark = mark_of(event),
			.time = event->time_us,
			.type = event->type,
			.fields = event->fields,
			.field_count = event->n_fields,
		};
		first += event->number <= computer->taken;
	}
	exchange->rows.events.repeated = rows;
	exchange->rows.events.repeated_count = first;
	exchange->rows.events.rows = rows + first;
	exchange->rows.events.count = report->n_events - first;
	exchange->rows.events.previous = computer->taken;
	exchange->rows.events.last = rows[report->n_events - 1].number;
	if (exchange->rows.events.count > 0)
		computer->taken = exchange->rows.events.last;
	return 0;
}

/* --- state: only from reports that are in order --- */

static void take_fingerprints(struct computer *computer, struct fleet_exchange *exchange)
{
	const Muster__Wire__Report *report = exchange->report;
	uint8_t configuration[SHA256_BYTES] = { 0 }, key[SHA256_BYTES] = { 0 };

	if (report->configuration.len == SHA256_BYTES)
		memcpy(configuration, report->configuration.data, SHA256_BYTES);
	if (report->n_trusted_keys > 0)
		memcpy(key, report->trusted_keys[0].data, SHA256_BYTES);
	if (memcmp(configuration, computer->configuration, SHA256_BYTES) == 0 &&
	    memcmp(key, computer->trusted_key, SHA256_BYTES) == 0)
		return;
	memcpy(computer->configuration, configuration, SHA256_BYTES);
	group_count(computer);
	key_heard(computer, key);
	computer->row_dirty = true;
	exchange->confirms = true;
}

static void take_interval(struct computer *computer, const Muster__Wire__Report *report)
{
	span_us interval = (span_us)report->heartbeat_s * SECOND_US;

	if (interval == computer->agent_interval_us)
		return;
	computer->agent_interval_us = interval;
	computer->row_dirty = true;
}

/* What is the same as the stored one is not written again; but one that is on its way there may be another one, or
 * fail. */
static bool is_stored(const struct computer *computer, uint64_t hash, uint64_t stored)
{
	return hash == stored && computer->state_writes == 0;
}

static void take_host(struct fleet *fleet, struct computer *computer, struct fleet_exchange *exchange)
{
	const Muster__Wire__Report *report = exchange->report;

	exchange->host_hash = computer->host_hash;
	if (report->host == NULL)
		return;
	dialling_host(fleet, computer, report->host);
	exchange->host_hash = hash_message(&report->host->base, HASH_START);
	if (!is_stored(computer, exchange->host_hash, computer->host_hash) || exchange->host_hash == 0)
		exchange->rows.host = report->host;
}

static void take_components(struct computer *computer, struct fleet_exchange *exchange)
{
	const Muster__Wire__Report *report = exchange->report;
	uint64_t hash = HASH_START;

	exchange->components_hash = computer->components_hash;
	if (report->n_components == 0)
		return;
	for (size_t i = 0; i < report->n_components; i++)
		hash = hash_message(&report->components[i]->base, hash);
	exchange->components_hash = report->full ? hash : 0;
	if (report->full && is_stored(computer, hash, computer->components_hash))
		return;
	exchange->rows.components = report->components;
	exchange->rows.component_count = report->n_components;
}

/* Whether the agent says that it cannot apply the one it should have. */
static bool refuses_wanted(const struct computer *computer, const Muster__Wire__Report *report)
{
	return configuration_differs(computer) && report->refused_configuration.len == SHA256_BYTES &&
	       memcmp(report->refused_configuration.data, computer->wanted_configuration, SHA256_BYTES) == 0;
}

/* What was wrong with one that is not wanted any more is over. */
static void take_configuration_error(struct computer *computer, struct fleet_exchange *exchange)
{
	const Muster__Wire__Report *report = exchange->report;
	bool over = report->refused_configuration.len == SHA256_BYTES && !refuses_wanted(computer, report);
	const char *text = over ? "" : report->configuration_error;
	uint64_t hash = 0;

	for (const char *at = text; *at != '\0'; at++)
		hash = (hash ^ (uint8_t)*at) * 0x100000001b3u + 1;
	if (hash == FLEET_ERROR_UNKNOWN)
		hash--;
	exchange->error_hash = hash;
	if (!is_stored(computer, hash, computer->error_hash))
		exchange->rows.configuration_error = text;
}

static void take_refusal(const struct fleet *fleet, struct computer *computer, const Muster__Wire__Report *report)
{
	bool refused = refuses_wanted(computer, report);

	computer->tells_refusal = report->refused_configuration.len == SHA256_BYTES;
	if (!configuration_differs(computer) || refused == computer->configuration_refused)
		return;
	computer->configuration_refused = refused;
	group_count(computer);
	if (refused)
		computer->configuration_next = fleet_now(fleet) + FLEET_REFUSED_RETRY_US;
	computer->row_dirty = true;
}

static int take_quarantine(struct fleet_exchange *exchange)
{
	const Muster__Wire__Report *report = exchange->report;

	if (report->n_quarantine == 0)
		return 0;
	exchange->item_acks = exchange_memory(exchange, report->n_quarantine * sizeof(struct uuid));
	if (exchange->item_acks == NULL)
		return ERR_MEMORY;
	exchange->rows.quarantine = report->quarantine;
	exchange->rows.quarantine_count = report->n_quarantine;
	exchange->must_answer = true;
	return 0;
}

static bool has_state(const struct fleet_rows *rows)
{
	return rows->host != NULL || rows->component_count > 0 || rows->configuration_error != NULL;
}

static int take_state(struct fleet *fleet, struct computer *computer, struct fleet_exchange *exchange)
{
	int rc = clock_heard(fleet, computer, exchange);

	if (rc != 0)
		return rc;
	take_fingerprints(computer, exchange);
	take_interval(computer, exchange->report);
	due_by(fleet, computer, liveness_deadline(fleet, computer)); /* by what it goes by now */
	take_host(fleet, computer, exchange);
	take_components(computer, exchange);
	take_configuration_error(computer, exchange);
	exchange->writes_state = has_state(&exchange->rows);
	computer->state_writes += exchange->writes_state;
	take_refusal(fleet, computer, exchange->report);
	return take_quarantine(exchange);
}

/* --- the whole --- */

/* It is told to take an identity of its own, or refused; both are told. */
static int clone_found(struct fleet *fleet, const struct computer *computer, struct fleet_exchange *exchange)
{
	const Muster__Wire__Report *report = exchange->report;
	char session[24], address[ADDRESS_TEXT_BYTES];
	/* Facts that did not change are not told again: then it is known by where it comes from. */
	const char *host = report->host != NULL && report->host->name[0] != '\0' ? report->host->name : address;
	const struct made_field rekeyed[] = { { "host", host }, { "session", session } };
	const struct made_field refused[] = { { "name", host }, { "address", address } };

	snprintf(session, sizeof(session), "%llu", (unsigned long long)report->session);
	address_format(&computer->seen_from, address);
	return fleet_rekeys(fleet)
		   ? exchange_manager_event(fleet, exchange, EVENT_CLONE_REKEYED, rekeyed, COUNT_OF(rekeyed))
		   : exchange_manager_event(fleet, exchange, EVENT_DUPLICATE_COMPUTER, refused, COUNT_OF(refused));
}

static int take_commands(struct fleet *fleet, struct computer *computer, struct fleet_exchange *exchange, bool stale)
{
	size_t count = exchange->report->n_commands;

	if (count > 0) {
		exchange->command_acks = exchange_memory(exchange, count * sizeof(struct uuid));
		if (exchange->command_acks == NULL)
			return ERR_MEMORY;
	}
	return open_commands_heard(fleet, computer, exchange, stale);
}

/* The second of two with one identity. */
static int take_clone(struct fleet *fleet, struct computer *computer, struct fleet_exchange *exchange, bool found)
{
	const Muster__Wire__Report *report = exchange->report;
	int rc = found ? clone_found(fleet, computer, exchange) : 0;

	exchange->clone = true;
	exchange->silent = report->n_events == 0;
	exchange->rekey = report->n_events >= report->events_waiting;
	return rc == 0 ? take_events(computer, exchange) : rc;
}

static int take_report(struct fleet *fleet, struct computer *computer, struct fleet_exchange *exchange,
		       enum session_verdict verdict)
{
	const Muster__Wire__Report *report = exchange->report;
	bool older = verdict == SESSION_OLDER, stale = older || verdict == SESSION_STALE;
	int rc;

	if (!stale)
		placement_heard(fleet, computer, report);
	liveness_heard(fleet, computer, verdict == SESSION_FIRST);
	rc = liveness_tell(fleet, computer, exchange);
	if (rc == 0)
		rc = dialling_tell(fleet, computer, exchange);
	exchange->confirms = report->full || report->n_components > 0 || report->host != NULL;
	computer->events_waiting = report->events_waiting;
	computer->wants_turn = report->wants_turn;
	if (older) /* its state would not be believed, and two that live would ask in turns, as fast as they can */
		exchange->away = session_settles_in(fleet, computer) / 2;
	/* Until it has told it: a reply that asks for it may not arrive, and whose state this is its agent cannot know.
	 */
	if (verdict == SESSION_GAP || (verdict == SESSION_FIRST && !report->full))
		computer->need_full = true;
	exchange->send_full = !older && (stale || computer->need_full);
	if (report->full && !stale) {
		computer->need_full = false;
		exchange->send_full = false;
	}
	if (rc == 0)
		rc = take_events(computer, exchange);
	if (rc == 0)
		rc = take_commands(fleet, computer, exchange, stale);
	if (rc == 0 && !stale)
		rc = take_state(fleet, computer, exchange);
	if (computer->row_dirty || computer->last_heard - computer->row_heard >= FLEET_ROW_SPAN_US ||
	    computer->last_heard < computer->row_heard)
		exchange_computer_row(fleet, exchange, computer);
	return rc;
}

int fleet_heard(struct fleet *fleet, const struct uuid *certificate, const Muster__Wire__Report *report,
		struct fleet_exchange **ret_exchange, struct err *err)
{
	struct computer *computer = computer_find(fleet, certificate);
	struct fleet_exchange *exchange;
	enum session_verdict verdict;
	int rc = 0;

	if (computer == NULL)
		return err_set(err, ERR_NOT_FOUND, "the certificate belongs to no computer of this manager");
	if (report->computer.len != UUID_BYTES || memcmp(report->computer.data, certificate->bytes, UUID_BYTES) != 0)
		return err_set(err, ERR_UNTRUSTED, "the report names another computer than its certificate");
	exchange = exchange_new(certificate);
	if (exchange == NULL)
		return err_set(err, ERR_MEMORY, "out of memory");
	exchange->report = report;
	exchange->session = report->session;
	exchange->sequence = report->sequence;
	exchange->hold_s = report->hold_s;
	exchange->heard = fleet_now(fleet);
	exchange->writing = true;
	verdict = session_heard(fleet, computer, report->session, report->sequence);
	if (verdict == SESSION_CLONE_FOUND || verdict == SESSION_CLONE)
		rc = take_clone(fleet, computer, exchange, verdict == SESSION_CLONE_FOUND);
	else
		rc = take_report(fleet, computer, exchange, verdict);
	if (rc != 0) {
		fleet_exchange_free(fleet, exchange);
		return err_set(err, rc, "out of memory for the report's rows");
	}
	if (fleet_rows_empty(&exchange->rows))
		exchange->writing = false;
	*ret_exchange = exchange;
	return 0;
}

/* --- the commit is done, or failed --- */

static void stored_well(struct computer *computer, struct fleet_exchange *exchange)
{
	const Muster__Wire__Report *report = exchange->report;
	const struct fleet_rows *rows = &exchange->rows;

	if (rows->events.count > 0 && rows->events.last > computer->stored)
		computer->stored = rows->events.last;
	if (rows->events.count + rows->events.repeated_count > 0)
		exchange->acknowledged = rows->events.last; /* all of them, or none would be */
	if (report == NULL)
		return;
	if (exchange->rows.host != NULL)
		computer->host_hash = exchange->host_hash;
	if (exchange->rows.component_count > 0)
		computer->components_hash = exchange->components_hash;
	if (exchange->rows.configuration_error != NULL)
		computer->error_hash = exchange->error_hash;
	for (size_t i = 0; i < exchange->rows.quarantine_count; i++)
		exchange->item_acks[exchange->item_ack_count++] = exchange_uuid(&report->quarantine[i]->id);
}

static void stored_badly(struct fleet *fleet, struct computer *computer, struct fleet_exchange *exchange)
{
	if (exchange->rows.events.count > 0)
		computer->taken = computer->stored;
	if (exchange->writes_state)
		computer->need_full = true;
	if (exchange->rows.computer_row != NULL)
		computer->row_dirty = true;
	due_by(fleet, computer, fleet_now(fleet) + FLEET_RETRY_US);
}

void fleet_stored(struct fleet *fleet, struct fleet_exchange *exchange, int rc)
{
	struct computer *computer = computer_find(fleet, &exchange->computer);

	if (!exchange->writing)
		return;
	exchange->writing = false;
	exchange->failed = rc != 0;
	if (computer == NULL)
		return;
	if (exchange->writes_state && computer->state_writes > 0) /* 0: the computer was removed and added meanwhile */
		computer->state_writes--;
	open_commands_stored(fleet, computer, exchange, rc);
	liveness_stored(computer, exchange, rc);
	clock_stored(fleet, computer, exchange, rc);
	dialling_stored(computer, exchange, rc);
	if (rc == 0)
		stored_well(computer, exchange);
	else
		stored_badly(fleet, computer, exchange);
	due_by(fleet, computer, open_commands_due(computer));
	dialling_update(fleet, computer);
	if (liveness_untold(computer) || dialling_untold(computer) || computer->row_dirty)
		due_by(fleet, computer, fleet_now(fleet) + (rc == 0 ? SECOND_US : FLEET_RETRY_US));
}

void fleet_exchange_free(struct fleet *fleet, struct fleet_exchange *exchange)
{
	if (exchange == NULL)
		return;
	if (exchange->writing && !fleet_rows_empty(&exchange->rows))
		fleet_stored(fleet, exchange, ERR_CANCELLED); /* never handed to the store */
	exchange_unpark(fleet, exchange);
	arena_free(exchange->arena);
	free(exchange);
}
