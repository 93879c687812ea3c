/* A reply comes in: what is stored may be forgotten, what is signed is done.
 *
 * The bytes come over an authenticated connection, and are still decoded under
 * limits; commands and configuration count only as verified envelopes.
 */
#include <stdio.h>
#include <string.h>

#include "endpoint/parts.h"

#define REFUSAL_QUIET_US HOUR_US
#define REKEY_PATIENCE   4 /* replies */

/* Event 4030, but not one for each of a stream of the same; count: since the last one. */
void endpoint_refused(struct endpoint *endpoint, int code, const char *text)
{
	char count[24];
	const struct text_field fields[] = { { "cause", text }, { "code", err_name(code) }, { "count", count } };
	time_us now = endpoint_now(endpoint);

	endpoint->status.refused++;
	if (endpoint->refusal_code == code && now - endpoint->refusal_at < REFUSAL_QUIET_US)
		return;
	endpoint->refusal_code = code;
	endpoint->refusal_at = now;
	snprintf(count, sizeof(count), "%llu",
		 (unsigned long long)(endpoint->status.refused - endpoint->refusals_told));
	endpoint->refusals_told = endpoint->status.refused;
	endpoint_note(endpoint, EVENT_COMMUNICATION_UNVERIFIED, fields, COUNT_OF(fields));
}

static void note_refusal(struct endpoint *endpoint, const struct err *why)
{
	endpoint_refused(endpoint, why->code, why->text);
}

/* dates: what is wrong with them, or 0. */
static void configuration_accept(struct endpoint *endpoint, const Muster__Wire__Signed *content, int dates)
{
	uint8_t fingerprint[SHA256_BYTES];
	struct buf packed;
	struct err why = { 0 };
	size_t size = muster__wire__configuration__get_packed_size(content->configuration);
	uint8_t *room;

	if (content->serial < endpoint->journal.configuration_serial) {
		err_set(&why, ERR_REPLAYED, "configuration %llu is older than %llu, which was taken before",
			(unsigned long long)content->serial,
			(unsigned long long)endpoint->journal.configuration_serial);
		note_refusal(endpoint, &why);
		return;
	}
	buf_init(&packed, WIRE_SIGNED_MAX_BYTES + 1);
	room = buf_room(&packed, size + 1);
	if (room != NULL) {
		muster__wire__configuration__pack(content->configuration, room);
		endpoint->options.digest(room, size, fingerprint);
		if (dates != 0)
			configuration_out_of_date(endpoint, fingerprint, dates);
		else if (journal_configuration(&endpoint->journal, content->serial, NULL) == 0)
			configuration_arrived(endpoint, room, size, fingerprint);
	}
	buf_done(&packed);
}

/* late: what a key signed that we left meanwhile was good when it was sent, and is sent again. False: it is to come
 * again before anything that was issued after it. */
static bool envelope_arrived(struct endpoint *endpoint, const Muster__Wire__Envelope *envelope, bool late)
{
	const struct envelope_acceptance acceptance = {
		.keys = endpoint->keys,
		.key_count = endpoint->key_count,
		.computer = &endpoint->options.computer,
		.session = endpoint->session,
		.now = env_wall(endpoint->options.env),
		.verify = endpoint->options.verify,
		.verify_context = endpoint->options.verify_context,
		.digest = endpoint->options.digest,
	};
	Muster__Wire__Signed *content;
	struct arena *arena;
	struct err why = { 0 };
	bool taken = true;
	int rc = envelope_authenticate(envelope, &acceptance, &content, &arena, &why), dates;

	if (rc != 0) {
		if (!late || rc != ERR_UNKNOWN)
			note_refusal(endpoint, &why);
		return true;
	}
	dates = envelope_check_dates(content, acceptance.now, &why);
	if (dates != 0)
		note_refusal(endpoint, &why);
	if (content->content_case == MUSTER__WIRE__SIGNED__CONTENT_COMMAND && dates == 0)
		taken = command_accept(endpoint, content);
	else if (content->content_case == MUSTER__WIRE__SIGNED__CONTENT_CONFIGURATION)
		configuration_accept(endpoint, content, dates);
	arena_free(arena);
	return taken;
}

static void acknowledge(struct endpoint *endpoint, enum endpoint_lane lane, const Muster__Wire__Reply *reply)
{
	const struct spool_acknowledgement given = { .number = reply->acknowledged_event,
						     .carried = endpoint->lanes[lane].last_number,
						     .highest = reply->highest_event };

	spool_acknowledge(&endpoint->spool, &given, NULL);
	for (size_t i = 0; i < reply->n_acknowledged_commands; i++) {
		struct uuid id = exchange_uuid(&reply->acknowledged_commands[i]);
		struct journal_entry *entry = journal_find(&endpoint->journal, &id);

		if (entry != NULL && command_ended(entry->state) && !entry->acknowledged)
			journal_acknowledge(&endpoint->journal, entry);
	}
	for (size_t i = 0; i < reply->n_acknowledged_quarantine; i++) {
		struct uuid id = exchange_uuid(&reply->acknowledged_quarantine[i]);

		item_acknowledged(endpoint, lane, &id);
	}
}

/* First what was told as this computer is acknowledged, so that it is told as no other. The manager says this with the
 * last of it; one that does not take events of a copy, or knows our computer no more, is not waited for. */
static void rekeyed(struct endpoint *endpoint)
{
	const struct endpoint_actor *actor = &endpoint->options.actor;
	const struct spool_entry *first;
	size_t position = 0;

	first = spool_next(&endpoint->spool, &position);
	if (first != NULL && first->id <= endpoint->carried_id && ++endpoint->rekey_waited < REKEY_PATIENCE)
		return;
	endpoint->rekey_waited = 0;
	actor->rekey(actor->context);
}

void reply_act(struct endpoint *endpoint, enum endpoint_lane lane, const Muster__Wire__Reply *reply)
{
	const struct endpoint_actor *actor = &endpoint->options.actor;
	bool late = endpoint->lanes[lane].keys != endpoint->key_changes, taken = true;

	keys_arrived(endpoint, reply, late);
	for (size_t i = 0; i < reply->n_commands && taken; i++)
		taken = envelope_arrived(endpoint, reply->commands[i], late);
	if (reply->configuration != NULL)
		(void)envelope_arrived(endpoint, reply->configuration, late);
	for (size_t i = 0; i < reply->n_upload_quarantine; i++) {
		struct uuid id = exchange_uuid(&reply->upload_quarantine[i]);

		actor->upload(actor->context, &id);
	}
	if (reply->send_full)
		state_make_full(endpoint);
	if (reply->renew && actor->renew != NULL)
		actor->renew(actor->context);
	if (reply->rekey)
		rekeyed(endpoint);
	else
		endpoint->rekey_waited = 0;
}

void reply_in_contact(struct endpoint *endpoint)
{
	endpoint->status.connected = true;
	endpoint->status.last_contact = env_wall(endpoint->options.env);
	endpoint->status.last_error = 0;
	endpoint->status.last_error_text[0] = '\0';
	endpoint->outage_told = false;
}

bool reply_take(struct endpoint *endpoint, enum endpoint_lane which, const Muster__Wire__Reply *reply)
{
	struct lane *lane = &endpoint->lanes[which];
	uint64_t first_waiting = endpoint->spool.count;

	lane->under_way = false;
	reply_in_contact(endpoint);
	endpoint->return_window_us = (span_us)reply->return_window_ms * MILLISECOND_US;
	timing_pace(endpoint, reply->pace);
	acknowledge(endpoint, which, reply);
	state_lane_ended(endpoint, which, true);
	/* Whoever has just been told everything and asks for everything must not make us spin. */
	return endpoint->spool.count < first_waiting || reply->n_acknowledged_commands > 0 ||
	       reply->n_acknowledged_quarantine > 0 || reply->n_commands > 0 || reply->configuration != NULL ||
	       reply->n_successions > 0 || reply->send_full != lane->full;
}

int endpoint_reply(struct endpoint *endpoint, enum endpoint_lane which, const void *bytes, size_t size, struct err *err)
{
	Muster__Wire__Reply *reply;
	struct arena *arena;
	struct err why = { 0 };
	bool useful;

	if (!endpoint->lanes[which].under_way)
		return err_set(err, ERR_WRONG_STATE, "no report is under way");
	if (exchange_reply_decode(bytes, size, &reply, &arena, &why) != 0) {
		endpoint_failed(endpoint, which, why.code, why.text, 0);
		return err_set(err, why.code, "%s", why.text);
	}
	useful = reply_take(endpoint, which, reply);
	timing_replied(endpoint, which, useful, reply->return_after_ms);
	if (link_direction_agent_dials(endpoint->direction)) {
		endpoint->proven = true;
		configuration_reached(endpoint);
	}
	reply_act(endpoint, which, reply);
	arena_free(arena);
	return 0;
}
