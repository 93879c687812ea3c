/* Rows of server authentication keys and of their successions. What keys says is checked: it may have been taken over.
 */
#include "manager/front/server_keys_rows.h"

#include <stdlib.h>
#include <string.h>

#include "manager/queries.h"
#include "manager/succession_row.h"
#include "trust/signing_key.h"

/* --- what the database knows --- */

void known_keys_done(struct known_keys *known)
{
	free(known->steps);
}

static int add_step(struct known_keys *known, struct bytes record, struct err *err)
{
	struct succession step;
	int rc = succession_unpack(record.data, record.size, &step, err);

	if (rc == 0)
		rc = succession_check(&step, signing_key_verify, NULL, err);
	if (rc != 0)
		return rc;
	if (known->count == known->capacity) {
		size_t capacity = known->capacity * 2 + 16;
		struct succession *steps = reallocarray(known->steps, capacity, sizeof(*steps));

		if (steps == NULL)
			return err_set(err, ERR_MEMORY, "no memory for the chain of keys");
		known->steps = steps;
		known->capacity = capacity;
	}
	known->steps[known->count++] = step;
	if (step.serial > known->last_serial)
		known->last_serial = step.serial;
	return 0;
}

static int read_present(struct store_session *session, struct known_keys *known, struct err *err)
{
	struct cursor *cursor = cursor_open(session, &QUERY_SERVER_KEY_PRESENT);

	if (cursor_next(cursor)) {
		struct bytes key = cursor_bytes(cursor, "public_key");

		known->present = key.size == ENVELOPE_KEY_BYTES;
		if (known->present)
			memcpy(known->public_key, key.data, ENVELOPE_KEY_BYTES);
	}
	return cursor_end(cursor, err);
}

static int read_known(struct store_session *session, void *argument, struct err *err)
{
	struct known_keys *known = argument;
	struct cursor *cursor;
	int rc = read_present(session, known, err), end;

	if (rc != 0)
		return rc;
	cursor = cursor_open(session, &QUERY_KEY_SUCCESSION_ALL);
	while (rc == 0 && cursor_next(cursor))
		rc = add_step(known, cursor_bytes(cursor, "record"), err);
	end = cursor_end(cursor, rc == 0 ? err : NULL);
	return rc != 0 ? rc : end;
}

int known_keys_read(struct front *front, struct known_keys *known, struct err *err)
{
	return store_read(front->store, read_known, known, err);
}

/* --- what keys has, stored --- */

static int put_key(const struct key_change *change, struct store_session *session, const char *origin,
		   const uint8_t fingerprint[SHA256_BYTES], struct err *err)
{
	time_us now = env_wall(change->front->env);
	struct cursor *cursor = cursor_open(session, &QUERY_SERVER_KEY_END_OTHERS);
	int rc;

	cursor_bind_number(cursor, "now", now);
	cursor_bind_bytes(cursor, "fingerprint", fingerprint, SHA256_BYTES);
	rc = cursor_run(cursor, err);
	if (rc != 0)
		return rc;
	cursor = cursor_open(session, &QUERY_SERVER_KEY_PUT);
	cursor_bind_bytes(cursor, "fingerprint", fingerprint, SHA256_BYTES);
	cursor_bind_bytes(cursor, "public_key", change->state->public_key, ENVELOPE_KEY_BYTES);
	cursor_bind_text(cursor, "origin", origin);
	cursor_bind_number(cursor, "now", now);
	cursor_bind_text(cursor, "made_by", change->actor->name);
	return cursor_run(cursor, err);
}

static int note_key(const struct key_change *change, struct store_session *session, uint32_t event,
		    const struct known_keys *before, const uint8_t fingerprint[SHA256_BYTES], struct err *err)
{
	char now[SHA256_TEXT_BYTES], former[SHA256_TEXT_BYTES] = "";
	const struct front_field fields[] = { { "fingerprint", now },
					      { "before", former },
					      { "user", change->actor->name } };
	uint8_t print[SHA256_BYTES];
	int rc;

	hex_format(fingerprint, SHA256_BYTES, now);
	if (before->present) {
		signing_key_fingerprint(before->public_key, print);
		hex_format(print, sizeof(print), former);
	}
	rc = front_event(change->front, session, event, NULL, fields, COUNT_OF(fields), err);
	if (rc == 0)
		rc = front_audit(change->front, session, change->actor, change->action, now, "", "done", err);
	return rc;
}

/* Its file is missing: none is present, and no agent trusts what is not there. */
static int write_no_key(struct store_session *session, void *argument, struct err *err)
{
	const struct key_change *change = argument;
	struct cursor *cursor = cursor_open(session, &QUERY_SERVER_KEY_END_ALL);

	cursor_bind_number(cursor, "now", env_wall(change->front->env));
	return cursor_run(cursor, err);
}

/* One that was here before: a key that comes back was not made now. */
static int is_on_record(struct store_session *session, const uint8_t fingerprint[SHA256_BYTES], bool *ret_is,
			struct err *err)
{
	struct cursor *cursor = cursor_open(session, &QUERY_SERVER_KEY_BY_FINGERPRINT);

	cursor_bind_bytes(cursor, "fingerprint", fingerprint, SHA256_BYTES);
	*ret_is = cursor_next(cursor);
	return cursor_end(cursor, err);
}

/* In one transaction: the key, its succession, the event, the audit entry. Told again it changes nothing. */
static int write_state(struct store_session *session, void *argument, struct err *err)
{
	const struct key_change *change = argument;
	const struct message_keys *state = change->state;
	struct known_keys before = { .count = 0 };
	uint8_t fingerprint[SHA256_BYTES];
	int rc = read_present(session, &before, err);
	bool first = !before.present, back = false, news;
	const char *origin = change->origin != NULL ? change->origin : state->followed ? "rolled_over" : "created";

	for (size_t i = 0; rc == 0 && i < change->step_count; i++)
		rc = succession_row_put(session, &change->steps[i], err);
	news = rc == 0 && (first || memcmp(before.public_key, state->public_key, ENVELOPE_KEY_BYTES) != 0);
	if (rc != 0 || !news)
		return rc;
	signing_key_fingerprint(state->public_key, fingerprint);
	if (change->origin == NULL && !state->followed)
		rc = is_on_record(session, fingerprint, &back, err);
	if (back)
		origin = "restored";
	if (rc == 0 && state->followed)
		rc = succession_row_put(session, &state->by, err);
	if (rc == 0)
		rc = put_key(change, session, origin, fingerprint, err);
	if (rc != 0 || (first && !back && change->event == 0)) /* `init` told of that one */
		return rc;
	return note_key(change, session,
			change->event != 0 ? change->event
			: state->followed  ? EVENT_KEY_ROLLED_OVER
			: back             ? EVENT_KEY_RESTORED
					   : EVENT_KEY_CREATED,
			&before, fingerprint, err);
}

static int check_state(const struct message_keys *state, struct err *err)
{
	if (!state->has_key || !state->followed)
		return 0;
	if (memcmp(state->by.new_key, state->public_key, ENVELOPE_KEY_BYTES) != 0)
		return err_set(err, ERR_UNTRUSTED, "keys told of a succession to another key than its own");
	return succession_check(&state->by, signing_key_verify, NULL, err);
}

int key_change_store(struct key_change *change, const struct message_keys *state, struct err *err)
{
	int rc = check_state(state, err);

	change->state = state;
	if (rc == 0)
		rc = store_write_wait(change->front->store, state->has_key ? write_state : write_no_key, change, err);
	return rc;
}
