/* The keys role. What front asks is untrusted: it decodes and is checked
 * before a key is used. */
#include "manager/keys/keys.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "manager/keys/order_check.h"
#include "manager/keys/server_key.h"
#include "manager/layout.h"
#include "manager/messages.h"
#include "manager/role_start.h"
#include "os/env.h"
#include "trust/authorities.h"
#include "trust/fingerprint.h"
#include "trust/signing_key.h"
#include "wire/envelope.h"

#define ANSWER_ROOM_WAIT_MS 10000

struct keys {
	const struct env *env;
	struct authorities *authorities;
	char authority_path[LAYOUT_PATH_BYTES]; /* keys/ca.key */
	struct server_key server;
	struct channel supervisor;
	struct channel front;
	bool front_open;
	bool stop;
};

static int load(struct keys *keys, const char *data_directory, struct err *err)
{
	char key_path[LAYOUT_PATH_BYTES], certificate_path[LAYOUT_PATH_BYTES];
	int rc;

	snprintf(key_path, sizeof(key_path), "%s/%s", data_directory, LAYOUT_KEYS_CA);
	snprintf(certificate_path, sizeof(certificate_path), "%s/%s", data_directory, LAYOUT_CA);
	rc = authorities_load(key_path, certificate_path, &keys->authorities, err);
	return rc == 0 ? 0 : err_add(err, rc, "certificate authority");
}

/* Signs the tree over them that it makes itself: never a root that front names. */
static int seal(const struct keys *keys, const struct message_sign *asked, struct message_signed *ret_answer,
		struct err *err)
{
	const struct signing_key *key;
	struct envelope_seal seal;
	struct merkle *merkle;
	int rc = server_key_present(&keys->server, &key, err);

	if (rc != 0)
		return rc;
	merkle = merkle_new(fingerprint_of, asked->payloads, asked->count);
	if (merkle == NULL)
		return err_set(err, ERR_MEMORY, "no memory to sign %zu orders", asked->count);
	rc = signing_key_seal(key, merkle, &seal, err);
	merkle_free(merkle);
	if (rc != 0)
		return rc;
	memcpy(ret_answer->key, seal.fingerprint, SHA256_BYTES);
	memcpy(ret_answer->signature, seal.signature, MESSAGE_SIGNATURE_BYTES);
	return 0;
}

/* All of them, or none. */
static int sign(struct keys *keys, const struct channel_message *message, struct buf *answer, struct err *err)
{
	bool again = message->type == MESSAGE_SIGN_AGAIN;
	struct message_signed result;
	struct message_sign asked;
	time_us now = env_wall(keys->env);
	int rc = message_unpack_sign(message->payload, message->size, &asked);

	if (rc != 0)
		return err_set(err, rc, "the request does not decode");
	for (size_t i = 0; rc == 0 && i < asked.count; i++)
		rc = order_check(asked.payloads[i].data, asked.payloads[i].size, now, again, err);
	if (rc == 0)
		rc = seal(keys, &asked, &result, err);
	if (rc == 0)
		message_pack_signed(answer, &result);
	return rc;
}

/* The text is ours but for the connection that front names: it cannot be taken for an order, nor an order for it. */
static int prove(struct keys *keys, const struct channel_message *message, struct buf *answer, struct err *err)
{
	uint8_t text[PROOF_MESSAGE_BYTES];
	const struct signing_key *key = NULL;
	struct message_signed result;
	struct message_prove asked;
	struct proof proof;
	int rc = message_unpack_prove(message->payload, message->size, &asked);

	if (rc != 0)
		return err_set(err, rc, "the request does not decode");
	rc = server_key_present(&keys->server, &key, err);
	if (rc != 0)
		return rc;
	proof.side = asked.side;
	memcpy(proof.channel, asked.channel, sizeof(proof.channel));
	authority_fingerprint(authorities_issuing(keys->authorities), proof.authority);
	signing_key_public(key, proof.key);
	proof_message(&proof, text);
	signing_key_fingerprint(proof.key, result.key);
	rc = signing_key_sign(key, text, sizeof(text), result.signature, err);
	if (rc == 0)
		message_pack_signed(answer, &result);
	return rc;
}

static int certify(struct keys *keys, const struct channel_message *message, struct buf *answer, struct err *err)
{
	struct message_certify asked;
	struct buf pem;
	int rc = message_unpack_certify(message->payload, message->size, &asked);

	if (rc != 0)
		return err_set(err, rc, "the request does not decode");
	if (uuid_is_zero(&asked.computer))
		return err_set(err, ERR_DENIED, "a certificate for no computer");
	buf_init(&pem, MESSAGE_CERTIFICATE_MAX_BYTES - 1);
	rc = authority_certify_agent(authorities_issuing(keys->authorities), asked.request.data, asked.request.size,
				     &asked.computer, env_wall(keys->env), &pem, NULL, err);
	if (rc == 0)
		message_pack_certified(answer, buf_text(&pem));
	buf_done(&pem);
	return rc;
}

/* What front dials agents with. Whoever holds front can have orders signed as well: it gains nothing. */
static int certify_manager(struct keys *keys, const struct channel_message *message, struct buf *answer,
			   struct err *err)
{
	struct buf pem;
	int rc;

	buf_init(&pem, MESSAGE_CERTIFICATE_MAX_BYTES - 1);
	rc = authority_certify_manager(authorities_issuing(keys->authorities), message->payload, message->size,
				       env_wall(keys->env), &pem, err);
	if (rc == 0)
		message_pack_certified(answer, buf_text(&pem));
	buf_done(&pem);
	return rc;
}

/* Front names a certificate that we gave it, not whom the new one is for. */
static int certify_server(struct keys *keys, const struct channel_message *message, struct buf *answer, struct err *err)
{
	struct message_certify_server asked;
	struct buf pem, like, roots;
	int rc = message_unpack_certify_server(message->payload, message->size, &asked);

	if (rc != 0)
		return err_set(err, rc, "the request does not decode");
	buf_init(&pem, MESSAGE_CERTIFICATE_MAX_BYTES - 1);
	buf_init(&like, MESSAGE_CERTIFICATE_MAX_BYTES);
	buf_init(&roots, AUTHORITIES_MAX_BYTES);
	rc = buf_append(&like, asked.certificate.data, asked.certificate.size);
	if (rc == 0)
		rc = authorities_pem(keys->authorities, &roots, err);
	if (rc == 0)
		rc = authority_certify_server_again(authorities_issuing(keys->authorities), asked.request.data,
						    asked.request.size, buf_text(&like), buf_text(&roots),
						    env_wall(keys->env), &pem, err);
	if (rc == 0)
		message_pack_certified(answer, buf_text(&pem));
	buf_done(&roots);
	buf_done(&like);
	buf_done(&pem);
	return rc;
}

static int tell_keys(struct keys *keys, const struct channel_message *message, struct buf *answer, struct err *err)
{
	struct message_keys state;

	(void)message;
	(void)err;
	server_key_state(&keys->server, &state);
	message_pack_keys(answer, &state);
	return 0;
}

/* What people take to repair an agent is a file of the supervisor's to write: the directory is not ours. */
static void tell_public_key(struct keys *keys)
{
	struct message_keys state;
	struct err err = { 0 };

	server_key_state(&keys->server, &state);
	if (state.has_key && channel_send(&keys->supervisor, MESSAGE_PUBLIC_KEY, 0, state.public_key,
					  sizeof(state.public_key), -1, &err) != 0)
		LOG(LOG_WARNING, "keys.public_key_not_told", log_err(&err));
}

static int create_key(struct keys *keys, const struct channel_message *message, struct buf *answer, struct err *err)
{
	struct message_create_key asked;
	int rc = message_unpack_create_key(message->payload, message->size, &asked);

	if (rc != 0)
		return err_set(err, rc, "the request does not decode");
	rc = server_key_create(&keys->server, asked.succeed, asked.known, err);
	if (rc != 0)
		return rc;
	tell_public_key(keys);
	return tell_keys(keys, message, answer, err);
}

static int import_key(struct keys *keys, const struct channel_message *message, struct buf *answer, struct err *err)
{
	struct message_import_key asked;
	int rc = message_unpack_import_key(message->payload, message->size, &asked);

	rc = rc != 0 ? err_set(err, rc, "the request does not decode") : server_key_take_up(&keys->server, &asked, err);
	if (rc != 0)
		return rc;
	tell_public_key(keys);
	return tell_keys(keys, message, answer, err);
}

static int back_up(struct keys *keys, const struct channel_message *message, struct buf *answer, struct err *err)
{
	struct message_back_up asked;
	int rc = message_unpack_back_up(message->payload, message->size, &asked);

	rc = rc != 0 ? err_set(err, rc, "the request does not decode")
		     : server_key_write_backup(&keys->server, keys->authorities, &asked, answer, err);
	explicit_bzero(asked.password, sizeof(asked.password));
	return rc;
}

static int restore(struct keys *keys, const struct channel_message *message, struct buf *answer, struct err *err)
{
	struct message_restored restored;
	struct message_restore asked;
	int rc = message_unpack_restore(message->payload, message->size, &asked);

	rc = rc != 0 ? err_set(err, rc, "the request does not decode")
		     : server_key_take_back(&keys->server, keys->authorities, &asked, &restored, err);
	explicit_bzero(asked.password, sizeof(asked.password));
	if (rc != 0)
		return rc;
	tell_public_key(keys);
	message_pack_restored(answer, &restored);
	return 0;
}

/* --- authorities --- */

static int tell_authorities(struct keys *keys, const struct channel_message *message, struct buf *answer,
			    struct err *err)
{
	struct buf pem;
	int rc;

	(void)message;
	buf_init(&pem, AUTHORITIES_MAX_BYTES);
	rc = authorities_pem(keys->authorities, &pem, err);
	if (rc == 0)
		message_pack_authorities(answer, authorities_next(keys->authorities) != NULL, &pem);
	buf_done(&pem);
	return rc;
}

/* ca.pem is a file of the supervisor's to write, as the public key is. */
static void tell_roots(struct keys *keys)
{
	struct err err = { 0 };
	struct buf pem;
	int rc;

	buf_init(&pem, AUTHORITIES_MAX_BYTES);
	rc = authorities_pem(keys->authorities, &pem, &err);
	if (rc == 0)
		rc = channel_send(&keys->supervisor, MESSAGE_ROOTS, 0, pem.data, pem.size, -1, &err);
	if (rc != 0)
		LOG(LOG_WARNING, "keys.roots_not_told", log_err(&err));
	buf_done(&pem);
}

/* Front may be wrong about time, or taken over: what has not ended by our clock stays. */
static int drop(struct authorities *authorities, time_us ended, time_us now, struct err *err)
{
	if (ended > now)
		return err_set(err, ERR_DENIED, "authorities that have not ended are kept");
	(void)authorities_drop(authorities, ended);
	return 0;
}

static int apply(struct authorities *authorities, uint16_t type, time_us ended, time_us now, struct err *err)
{
	switch (type) {
	case MESSAGE_PREPARE_AUTHORITY:
		return authorities_prepare(authorities, now, err);
	case MESSAGE_TURN_AUTHORITY:
		return authorities_turn(authorities, err);
	default:
		return drop(authorities, ended, now, err);
	}
}

/* On disk, in one file, before anything is signed with it. */
static int change_authorities(struct keys *keys, const struct channel_message *message, struct buf *answer,
			      struct err *err)
{
	struct authorities *changed = NULL;
	time_us ended;
	int rc = message_unpack_ended(message->payload, message->size, &ended);

	rc = rc != 0 ? err_set(err, rc, "the request does not decode")
		     : authorities_copy(keys->authorities, &changed, err);
	if (rc == 0)
		rc = apply(changed, message->type, ended, env_wall(keys->env), err);
	if (rc == 0)
		rc = authorities_store(changed, keys->authority_path, err);
	if (rc != 0) {
		authorities_free(changed);
		return rc;
	}
	authorities_free(keys->authorities);
	keys->authorities = changed;
	tell_roots(keys);
	return tell_authorities(keys, message, answer, err);
}

static const struct {
	uint16_t asked, answered;
	int (*handle)(struct keys *keys, const struct channel_message *message, struct buf *answer, struct err *err);
} requests[] = {
	{ MESSAGE_SIGN, MESSAGE_SIGNED, sign },
	{ MESSAGE_SIGN_AGAIN, MESSAGE_SIGNED, sign },
	{ MESSAGE_PROVE, MESSAGE_SIGNED, prove },
	{ MESSAGE_KEYS, MESSAGE_KEYS_ARE, tell_keys },
	{ MESSAGE_CREATE_KEY, MESSAGE_KEYS_ARE, create_key },
	{ MESSAGE_IMPORT_KEY, MESSAGE_KEYS_ARE, import_key },
	{ MESSAGE_BACK_UP, MESSAGE_BACKED_UP, back_up },
	{ MESSAGE_RESTORE, MESSAGE_RESTORED, restore },
	{ MESSAGE_CERTIFY, MESSAGE_CERTIFIED, certify },
	{ MESSAGE_CERTIFY_MANAGER, MESSAGE_CERTIFIED, certify_manager },
	{ MESSAGE_CERTIFY_SERVER, MESSAGE_CERTIFIED, certify_server },
	{ MESSAGE_AUTHORITIES, MESSAGE_AUTHORITIES_ARE, tell_authorities },
	{ MESSAGE_PREPARE_AUTHORITY, MESSAGE_AUTHORITIES_ARE, change_authorities },
	{ MESSAGE_TURN_AUTHORITY, MESSAGE_AUTHORITIES_ARE, change_authorities },
	{ MESSAGE_DROP_AUTHORITIES, MESSAGE_AUTHORITIES_ARE, change_authorities },
};

static int answer_request(struct keys *keys, const struct channel_message *message, struct err *err)
{
	struct err refusal = { 0 };
	struct buf answer;
	uint16_t type = MESSAGE_REFUSED;
	int rc = ERR_DENIED;

	buf_init(&answer, CHANNEL_PAYLOAD_MAX_BYTES);
	for (size_t i = 0; i < COUNT_OF(requests); i++) {
		if (requests[i].asked != message->type)
			continue;
		rc = requests[i].handle(keys, message, &answer, &refusal);
		type = requests[i].answered;
	}
	if (rc == 0)
		rc = answer.status;
	if (rc != 0) {
		LOG(LOG_WARNING, "keys.refused", log_err(&refusal));
		type = MESSAGE_REFUSED;
		buf_reset(&answer);
		message_pack_refused(&answer, &refusal);
	}
	explicit_bzero(keys->front.room, message->size); /* passwords, and keys that people bring */
	rc = channel_send_wait(&keys->front, type, message->request, answer.data, answer.size, -1, ANSWER_ROOM_WAIT_MS,
			       err);
	buf_done(&answer);
	return rc;
}

static void close_front(struct keys *keys)
{
	if (keys->front_open)
		channel_done(&keys->front);
	keys->front_open = false;
}

static void hear_front(struct keys *keys)
{
	struct channel_message message;
	struct err err = { 0 };
	int rc = channel_receive(&keys->front, &message, &err);

	if (rc == 0)
		rc = answer_request(keys, &message, &err);
	if (rc == 0 || rc == ERR_BUSY)
		return;
	close_front(keys);
	if (rc == ERR_CLOSED)
		return;
	LOG(LOG_ERROR, "keys.peer_broke_rules", log_text("peer", "front"), log_err(&err));
	channel_send(&keys->supervisor, MESSAGE_BROKEN, 0, NULL, 0, -1, &err);
}

static void hear_supervisor(struct keys *keys)
{
	struct channel_message message;
	struct err err = { 0 };
	int rc = channel_receive(&keys->supervisor, &message, &err);

	if (rc == ERR_BUSY)
		return;
	if (rc != 0 || message.type == MESSAGE_STOP) {
		keys->stop = true;
		return;
	}
	close_front(keys);
	rc = channel_init(&keys->front, message.fd, messages_asked_of_keys.permits, messages_asked_of_keys.count, &err);
	keys->front_open = rc == 0;
	if (rc != 0)
		close(message.fd);
}

static void serve(struct keys *keys)
{
	while (!keys->stop) {
		struct pollfd watched[2] = {
			{ .fd = keys->supervisor.fd, .events = POLLIN },
			{ .fd = keys->front_open ? keys->front.fd : -1, .events = POLLIN },
		};

		if (poll(watched, COUNT_OF(watched), -1) < 0 && errno != EINTR)
			return;
		if (watched[0].revents != 0)
			hear_supervisor(keys);
		else if (watched[1].revents != 0)
			hear_front(keys);
	}
}

int keys_main(const char *data_directory)
{
	struct keys keys = { .env = env_system(), .supervisor = { .fd = -1 }, .front = { .fd = -1 } };
	struct err err = { 0 };
	char reached[LAYOUT_PATH_BYTES];
	int rc;

	rc = role_start(ROLE_NAME_KEYS, data_directory, &keys.supervisor, &err);
	if (rc == 0)
		rc = load(&keys, data_directory, &err);
	if (rc == 0)
		rc = role_enclose(ROLE_NAME_KEYS, data_directory, reached, sizeof(reached), &err);
	if (rc == 0)
		rc = server_key_open(&keys.server, keys.env, reached, &err);
	if (rc == 0) {
		snprintf(keys.authority_path, sizeof(keys.authority_path), "%s/%s", reached, LAYOUT_KEYS_CA);
		tell_public_key(&keys);
		tell_roots(&keys);
	}
	if (rc == 0)
		rc = channel_send(&keys.supervisor, MESSAGE_READY, 0, NULL, 0, -1, &err);
	if (rc == 0) {
		LOG(LOG_INFO, "keys.started", log_number("pid", getpid()));
		serve(&keys);
		LOG(LOG_INFO, "keys.stopped", log_number("pid", getpid()));
	} else {
		LOG(LOG_ERROR, "keys.failed", log_err(&err));
	}
	close_front(&keys);
	channel_done(&keys.supervisor);
	authorities_free(keys.authorities);
	server_key_done(&keys.server);
	return rc == 0 ? 0 : 1;
}
