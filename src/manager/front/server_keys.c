/* The server authentication key in front. What keys says is checked: it may have been taken over. */
#include "manager/front/server_keys.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "manager/front/alerting.h"
#include "manager/front/authorities.h"
#include "manager/front/server_keys_rows.h"
#include "manager/queries.h"
#include "trust/fingerprint.h"
#include "trust/signing_key.h"

struct server_keys {
	struct front *front;
	pthread_mutex_t editing; /* over a whole change: keys, database, shards */
	bool behind;             /* keys may have what is not stored yet; under `editing` */
	pthread_mutex_t lock;    /* of what follows */
	bool present, known;     /* known: keys has said so in this run */
	uint8_t public_key[ENVELOPE_KEY_BYTES], fingerprint[SHA256_BYTES];
	struct key_chain *chain;
	uint64_t last_serial; /* of the successions stored */
	/* What the alert said last; under `editing`. */
	bool told;
	size_t told_count;
	struct uuid told_ids[ALERT_NAMED_MAX];
};

/* --- in force --- */

/* Those who hold a request are told one after the other, at the pace of a roll-out. */
static void tell_all(struct front *front)
{
	shards_tell(front->shards, env_monotonic(front->env),
		    SECOND_US / stored_setting_number(front->stored, STORED_ROLLOUT_RATE), fleet_tell_keys);
}

static void give_to_shards(struct front *front, const struct key_chain *chain)
{
	for (size_t i = 0; i < SHARD_COUNT; i++) {
		struct shard *shard = shards_at(front->shards, i);

		pthread_mutex_lock(&shard->lock);
		fleet_set_keys(shard->fleet, chain);
		pthread_mutex_unlock(&shard->lock);
	}
}

/* The former chain is freed once no shard has it any more. present NULL: keys has none. */
static int use(struct server_keys *keys, const uint8_t *present, const struct known_keys *known, struct err *err)
{
	struct key_chain *chain, *former;
	int rc = key_chain_new(present, known->steps, known->count, fingerprint_of, &chain, err);

	if (rc != 0)
		return rc;
	pthread_mutex_lock(&keys->lock);
	former = keys->chain;
	keys->chain = chain;
	keys->present = present != NULL;
	keys->last_serial = known->last_serial;
	if (present != NULL)
		memcpy(keys->public_key, present, ENVELOPE_KEY_BYTES);
	else if (known->present)
		memcpy(keys->public_key, known->public_key, ENVELOPE_KEY_BYTES);
	signing_key_fingerprint(keys->public_key, keys->fingerprint);
	give_to_shards(keys->front, chain);
	pthread_mutex_unlock(&keys->lock);
	key_chain_free(former);
	return 0;
}

int server_keys_open(struct front *front, struct server_keys **ret_keys, struct err *err)
{
	struct server_keys *keys = calloc(1, sizeof(*keys));
	struct known_keys known = { .count = 0 };
	int rc;

	if (keys == NULL)
		return err_set(err, ERR_MEMORY, "keys: no memory");
	keys->front = front;
	pthread_mutex_init(&keys->editing, NULL);
	pthread_mutex_init(&keys->lock, NULL);
	rc = known_keys_read(front, &known, err);
	if (rc == 0 && !known.present) { /* before the first start none is stored */
		memcpy(known.public_key, front->identity.server_authentication, ENVELOPE_KEY_BYTES);
		known.present = true;
	}
	if (rc == 0)
		rc = use(keys, known.public_key, &known, err);
	known_keys_done(&known);
	if (rc == 0)
		*ret_keys = keys;
	else
		server_keys_free(keys);
	return rc == 0 ? 0 : err_add(err, rc, "server authentication keys");
}

void server_keys_free(struct server_keys *keys)
{
	if (keys == NULL)
		return;
	key_chain_free(keys->chain);
	pthread_mutex_destroy(&keys->editing);
	pthread_mutex_destroy(&keys->lock);
	free(keys);
}

/* What keys has becomes what is stored and in force. Under `editing`. */
static int take_state(struct server_keys *keys, const struct message_keys *state, struct key_change *change,
		      struct err *err)
{
	struct known_keys known = { .count = 0 };
	int rc;

	change->front = keys->front;
	rc = key_change_store(change, state, err);
	if (rc == 0)
		rc = known_keys_read(keys->front, &known, err);
	if (rc == 0)
		rc = use(keys, state->has_key ? state->public_key : NULL, &known, err);
	known_keys_done(&known);
	if (rc == 0) {
		keys->known = true;
		tell_all(keys->front);
	}
	return rc;
}

static void ask_keys(void *argument)
{
	static const struct front_actor actor = { .kind = "system", .name = "manager", .peer = "" };
	struct front *front = argument;
	struct server_keys *keys = front->server_keys;
	struct key_change change = { .actor = &actor, .action = "server_key.found" };
	struct message_keys state;
	struct err err = { 0 };
	int rc;

	pthread_mutex_lock(&keys->editing);
	rc = signer_keys(front->signer, &state, &err);
	if (rc == 0)
		rc = take_state(keys, &state, &change, &err);
	if (rc == 0 && !state.has_key)
		LOG(LOG_ERROR, "front.no_server_key",
		    log_text("advice", "no order can be signed: restore the key with `muster cert restore FILE`"));
	if (rc != 0 && !keys->behind)
		LOG(LOG_ERROR, "front.keys_not_known", log_err(&err));
	keys->behind = rc != 0; /* the review asks again */
	pthread_mutex_unlock(&keys->editing);
}

void server_keys_attached(struct front *front)
{
	if (front_work(front, ask_keys, front) != 0)
		LOG(LOG_ERROR, "front.keys_not_asked", log_text("error", "too much to do"));
}

/* --- changes that people make --- */

/* Whatever a change came to that failed, front learns of it: keys may have done its part. */
static void end_editing(struct server_keys *keys, int rc)
{
	keys->behind = keys->behind || rc != 0;
	pthread_mutex_unlock(&keys->editing);
	if (rc != 0)
		server_keys_attached(keys->front);
}

int front_server_key_create(struct front *front, bool succeed, const struct front_actor *actor, struct err *err)
{
	struct server_keys *keys = front->server_keys;
	struct key_change change = { .actor = actor, .action = succeed ? "server_key.roll_over" : "server_key.create" };
	struct message_create_key create = { .succeed = succeed };
	struct message_keys state;
	int rc;

	pthread_mutex_lock(&keys->editing);
	create.known = keys->last_serial;
	rc = signer_create_key(front->signer, &create, &state, err);
	if (rc == 0)
		rc = take_state(keys, &state, &change, err);
	end_editing(keys, rc);
	return rc;
}

/* One that was given up is not to come back: agents that followed on from it would have to be led in a circle. */
static int check_import(struct server_keys *keys, struct bytes pem, struct err *err)
{
	uint8_t public_key[ENVELOPE_KEY_BYTES], fingerprint[SHA256_BYTES];
	struct signing_key *key;
	int rc = signing_key_parse(pem.data, pem.size, &key, err);

	if (rc != 0)
		return rc;
	signing_key_public(key, public_key);
	signing_key_free(key);
	signing_key_fingerprint(public_key, fingerprint);
	if (front_key_standing(keys->front, fingerprint) == KEY_BEFORE)
		return err_set(err, ERR_WRONG_STATE,
			       "this key was the manager's before, and others have followed it; it cannot be taken up "
			       "again");
	return 0;
}

int front_server_key_import(struct front *front, struct bytes pem, bool force, const struct front_actor *actor,
			    struct err *err)
{
	struct server_keys *keys = front->server_keys;
	struct key_change change = { .origin = "imported", .actor = actor, .action = "server_key.import" };
	struct message_import_key import = { .create.succeed = true, .force = force, .pem = pem };
	struct message_keys state;
	int rc;

	pthread_mutex_lock(&keys->editing);
	import.create.known = keys->last_serial;
	rc = check_import(keys, pem, err);
	if (rc == 0)
		rc = signer_import_key(front->signer, &import, &state, err);
	if (rc == 0)
		rc = take_state(keys, &state, &change, err);
	end_editing(keys, rc);
	return rc;
}

/* --- backups --- */

static int read_revision(struct store_session *session, void *argument, struct err *err)
{
	uint64_t *revision = argument;
	struct cursor *cursor = cursor_open(session, &QUERY_POLICY_COUNTER);

	if (cursor_next(cursor))
		*revision = (uint64_t)cursor_number(cursor, "value");
	return cursor_end(cursor, err);
}

static int gather(struct front *front, const char *password, struct message_back_up *back_up, struct err *err)
{
	struct known_keys known = { .count = 0 };
	size_t skip;
	int rc = known_keys_read(front, &known, err);

	if (rc == 0)
		rc = store_read(front->store, read_revision, &back_up->policy_revision, err);
	if (rc == 0 && strlen(password) > BACKUP_PASSWORD_MAX)
		rc = err_set(err, ERR_RANGE, "a backup's password has at most %d bytes", BACKUP_PASSWORD_MAX);
	snprintf(back_up->password, sizeof(back_up->password), "%s", password);
	snprintf(back_up->name, sizeof(back_up->name), "%s", front->identity.name);
	back_up->agent_port = front->identity.agent_port;
	back_up->command_serial = front->command_serial;
	skip = known.count > BACKUP_SUCCESSIONS_MAX ? known.count - BACKUP_SUCCESSIONS_MAX : 0;
	back_up->step_count = known.count - skip;
	if (rc == 0 && back_up->step_count > 0)
		memcpy(back_up->steps, known.steps + skip, back_up->step_count * sizeof(back_up->steps[0]));
	known_keys_done(&known);
	return rc;
}

struct backed_up {
	struct front *front;
	const struct front_actor *actor;
	uint8_t fingerprint[SHA256_BYTES];
};

static int write_backed_up(struct store_session *session, void *argument, struct err *err)
{
	const struct backed_up *done = argument;
	struct cursor *cursor = cursor_open(session, &QUERY_SERVER_KEY_BACKED_UP);
	char text[SHA256_TEXT_BYTES];
	int rc;

	hex_format(done->fingerprint, SHA256_BYTES, text);
	cursor_bind_number(cursor, "now", env_wall(done->front->env));
	cursor_bind_bytes(cursor, "fingerprint", done->fingerprint, SHA256_BYTES);
	rc = cursor_run(cursor, err);
	return rc == 0 ? front_audit(done->front, session, done->actor, "server_key.back_up", text, "", "done", err)
		       : rc;
}

int front_server_key_back_up(struct front *front, const char *password, const struct front_actor *actor,
			     struct buf *out, struct err *err)
{
	struct message_back_up *back_up = calloc(1, sizeof(*back_up));
	struct backed_up done = { .front = front, .actor = actor };
	uint8_t key[ENVELOPE_KEY_BYTES];
	int rc;

	if (back_up == NULL)
		return err_set(err, ERR_MEMORY, "no memory for a backup");
	pthread_mutex_lock(&front->server_keys->editing);
	(void)front_server_key(front, key, done.fingerprint);
	rc = gather(front, password, back_up, err);
	if (rc == 0)
		rc = signer_back_up(front->signer, back_up, out, err);
	if (rc == 0)
		rc = store_write_wait(front->store, write_backed_up, &done, err);
	pthread_mutex_unlock(&front->server_keys->editing);
	explicit_bzero(back_up, sizeof(*back_up));
	free(back_up);
	return rc;
}

static int restore_under_lock(struct server_keys *keys, struct message_restore *restore,
			      struct message_restored *restored, struct key_change *change, struct err *err)
{
	int rc;

	restore->known = keys->last_serial;
	rc = signer_restore(keys->front->signer, restore, restored, err);
	for (size_t i = 0; rc == 0 && i < restored->step_count; i++)
		rc = succession_check(&restored->steps[i], signing_key_verify, NULL, err);
	if (rc != 0)
		return rc;
	change->steps = restored->steps;
	change->step_count = restored->step_count;
	return take_state(keys, &restored->keys, change, err);
}

int front_server_key_restore(struct front *front, struct bytes file, const char *password, bool force,
			     const struct front_actor *actor, struct err *err)
{
	struct server_keys *keys = front->server_keys;
	struct key_change change = {
		.origin = "restored", .event = EVENT_KEY_RESTORED, .actor = actor, .action = "server_key.restore"
	};
	struct message_restore restore = { .force = force, .file = file };
	struct message_restored *restored = calloc(1, sizeof(*restored));
	int rc;

	if (restored == NULL)
		return err_set(err, ERR_MEMORY, "no memory for a backup");
	snprintf(restore.password, sizeof(restore.password), "%s", password);
	pthread_mutex_lock(&keys->editing);
	rc = restore_under_lock(keys, &restore, restored, &change, err);
	end_editing(keys, rc);
	if (rc != 0) /* keys may have done a part of it */
		authorities_attached(front);
	else if (restored->authority)
		rc = front_authority_restored(front, actor, err);
	explicit_bzero(restore.password, sizeof(restore.password));
	free(restored);
	return rc;
}

/* --- looking --- */

bool front_server_key(struct front *front, uint8_t public_key[ENVELOPE_KEY_BYTES], uint8_t fingerprint[SHA256_BYTES])
{
	struct server_keys *keys = front->server_keys;
	bool present;

	pthread_mutex_lock(&keys->lock);
	present = keys->present;
	memcpy(public_key, keys->public_key, ENVELOPE_KEY_BYTES);
	memcpy(fingerprint, keys->fingerprint, SHA256_BYTES);
	pthread_mutex_unlock(&keys->lock);
	return present;
}

int server_keys_prove(struct front *front, enum proof_side side, const uint8_t channel[PROOF_CHANNEL_BYTES],
		      struct buf *out, struct err *err)
{
	Muster__Wire__ManagerProof message = MUSTER__WIRE__MANAGER_PROOF__INIT;
	Muster__Wire__KeySuccession *steps[WIRE_PROOF_SUCCESSIONS_MAX];
	struct server_keys *keys = front->server_keys;
	struct message_prove prove = { .side = side };
	struct message_signed signature;
	int rc;

	memcpy(prove.channel, channel, sizeof(prove.channel));
	rc = signer_prove(front->signer, &prove, &signature, err);
	if (rc != 0)
		return rc;
	message.protocol = WIRE_PROTOCOL;
	message.authority = exchange_bytes(front_identity(front)->ca_fingerprint, SHA256_BYTES);
	message.signature = exchange_bytes(signature.signature, sizeof(signature.signature));
	pthread_mutex_lock(&keys->lock);
	message.key = exchange_bytes(keys->public_key, ENVELOPE_KEY_BYTES);
	message.n_successions = key_chain_last(keys->chain, WIRE_PROOF_SUCCESSIONS_MAX, steps);
	message.successions = steps;
	if (!keys->present || memcmp(signature.key, keys->fingerprint, SHA256_BYTES) != 0)
		rc = err_set(err, ERR_BUSY, "the server authentication key is being replaced; try again");
	else
		rc = exchange_manager_proof_encode(&message, out, err);
	pthread_mutex_unlock(&keys->lock);
	return rc;
}

enum key_standing front_key_standing(struct front *front, const uint8_t fingerprint[SHA256_BYTES])
{
	struct server_keys *keys = front->server_keys;
	enum key_standing standing;

	pthread_mutex_lock(&keys->lock);
	standing = key_chain_standing(keys->chain, fingerprint);
	pthread_mutex_unlock(&keys->lock);
	return standing;
}

size_t front_key_trusting(struct front *front, const uint8_t fingerprint[SHA256_BYTES])
{
	size_t count = 0;

	for (size_t i = 0; i < SHARD_COUNT; i++) {
		struct shard *shard = shards_at(front->shards, i);

		pthread_mutex_lock(&shard->lock);
		count += fleet_trusting(shard->fleet, fingerprint);
		pthread_mutex_unlock(&shard->lock);
	}
	return count;
}

size_t front_mismatched(struct front *front, struct uuid *ids, size_t most)
{
	size_t count = 0;

	for (size_t i = 0; i < SHARD_COUNT; i++) {
		struct shard *shard = shards_at(front->shards, i);

		pthread_mutex_lock(&shard->lock);
		count +=
		    fleet_mismatched(shard->fleet, count < most ? ids + count : NULL, count < most ? most - count : 0);
		pthread_mutex_unlock(&shard->lock);
	}
	return count;
}

void front_server_key_show(struct front *front, struct front_server_key *ret_key)
{
	static const uint8_t untold[SHA256_BYTES];
	size_t counts[FLEET_STATUSES], told;

	*ret_key = (struct front_server_key){ .present = false };
	ret_key->present = front_server_key(front, ret_key->public_key, ret_key->fingerprint);
	ret_key->trusting = front_key_trusting(front, ret_key->fingerprint);
	ret_key->mismatched = front_mismatched(front, NULL, 0);
	told = shards_count(front->shards, counts) - front_key_trusting(front, untold);
	if (ret_key->present && told > ret_key->trusting + ret_key->mismatched)
		ret_key->following = told - ret_key->trusting - ret_key->mismatched;
}

/* --- the alert --- */

struct told {
	struct front *front;
	size_t count, named;
	struct uuid ids[ALERT_NAMED_MAX];
};

static int read_names(struct store_session *session, const struct told *told, char names[][512], struct err *err)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < told->named; i++) {
		struct cursor *cursor = cursor_open(session, &QUERY_COMPUTER_BY_ID);

		cursor_bind_uuid(cursor, "id", &told->ids[i]);
		snprintf(names[i], 512, "%s", cursor_next(cursor) ? cursor_text(cursor, "name") : "?");
		rc = cursor_end(cursor, err);
	}
	return rc;
}

static int write_told(struct store_session *session, void *argument, struct err *err)
{
	const struct told *told = argument;
	char names[ALERT_NAMED_MAX][512];
	const char *list[ALERT_NAMED_MAX];
	struct buf detail;
	int rc = read_names(session, told, names, err);

	buf_init(&detail, 4096);
	for (size_t i = 0; i < told->named; i++)
		list[i] = names[i];
	if (rc == 0)
		alert_names(list, told->named, told->count, ALERT_ENGLISH, &detail);
	if (rc == 0)
		rc = alerting_tell_state(told->front, session, ALERT_INVALID_SERVER_CERTIFICATE, told->count > 0, NULL,
					 buf_text(&detail), err);
	buf_done(&detail);
	return rc;
}

void server_keys_review(void *argument)
{
	struct front *front = argument;
	struct server_keys *keys = front->server_keys;
	struct told told = { .front = front };
	struct err err = { 0 };
	bool behind;

	pthread_mutex_lock(&keys->editing);
	behind = keys->behind;
	pthread_mutex_unlock(&keys->editing);
	if (behind)
		ask_keys(front);
	pthread_mutex_lock(&keys->editing);
	told.count = front_mismatched(front, told.ids, ALERT_NAMED_MAX);
	told.named = told.count < ALERT_NAMED_MAX ? told.count : ALERT_NAMED_MAX;
	if (keys->known && (!keys->told || told.count != keys->told_count ||
			    memcmp(told.ids, keys->told_ids, sizeof(told.ids)) != 0)) {
		if (store_write_wait(front->store, write_told, &told, &err) == 0) {
			keys->told = true;
			keys->told_count = told.count;
			memcpy(keys->told_ids, told.ids, sizeof(told.ids));
		} else {
			LOG(LOG_ERROR, "front.mismatch_not_told", log_err(&err));
		}
	}
	pthread_mutex_unlock(&keys->editing);
}
