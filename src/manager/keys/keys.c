/* The keys role. What front asks is untrusted: it decodes and is checked
 * before a key is used. */
#include "manager/keys/keys.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "manager/keys/ca_key.h"
#include "manager/keys/key_watch.h"
#include "manager/keys/order_check.h"
#include "manager/keys/server_key.h"
#include "manager/layout.h"
#include "manager/messages.h"
#include "manager/role_start.h"
#include "os/env.h"
#include "trust/authorities.h"
#include "trust/fingerprint.h"
#include "trust/secret_file.h"
#include "trust/signing_key.h"
#include "wire/envelope.h"

#define ANSWER_ROOM_WAIT_MS 10000
#define PUBLIC_AGAIN_US     (5 * SECOND_US)

struct keys {
	const struct env *env;
	struct ca_key authority;
	struct server_key server;
	struct key_watch watch; /* of both */
	time_us tell_at;        /* what is public, again; monotonic */
	struct channel supervisor;
	struct channel front;
	bool front_open;
	bool stop;
};

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
	const struct authorities *authorities = NULL;
	const struct signing_key *key = NULL;
	struct message_signed result;
	struct message_prove asked;
	struct proof proof;
	int rc = message_unpack_prove(message->payload, message->size, &asked);

	if (rc != 0)
		return err_set(err, rc, "the request does not decode");
	rc = ca_key_present(&keys->authority, &authorities, err);
	if (rc == 0)
		rc = server_key_present(&keys->server, &key, err);
	if (rc != 0)
		return rc;
	proof.side = asked.side;
	memcpy(proof.channel, asked.channel, sizeof(proof.channel));
	authority_fingerprint(authorities_issuing(authorities), proof.authority);
	signing_key_public(key, proof.key);
	proof_message(&proof, text);
	signing_key_fingerprint(proof.key, result.key);
	rc = signing_key_sign(key, text, sizeof(text), result.signature, err);
	if (rc == 0)
		message_pack_signed(answer, &result);
	return rc;
}

static int find_issuing(const struct keys *keys, const struct authority **ret_issuing, struct err *err)
{
	const struct authorities *present;
	int rc = ca_key_present(&keys->authority, &present, err);

	if (rc == 0)
		*ret_issuing = authorities_issuing(present);
	return rc;
}

static int certify(struct keys *keys, const struct channel_message *message, struct buf *answer, struct err *err)
{
	const struct authority *issuing = NULL;
	struct message_certify asked;
	struct buf pem;
	int rc = message_unpack_certify(message->payload, message->size, &asked);

	if (rc != 0)
		return err_set(err, rc, "the request does not decode");
	if (uuid_is_zero(&asked.computer))
		return err_set(err, ERR_DENIED, "a certificate for no computer");
	rc = find_issuing(keys, &issuing, err);
	if (rc != 0)
		return rc;
	buf_init(&pem, MESSAGE_CERTIFICATE_MAX_BYTES - 1);
	rc = authority_certify_agent(issuing, asked.request.data, asked.request.size, &asked.computer,
				     env_wall(keys->env), &pem, NULL, err);
	if (rc == 0)
		message_pack_certified(answer, buf_text(&pem));
	buf_done(&pem);
	return rc;
}

/* What front dials agents with. Whoever holds front can have orders signed as well: it gains nothing. */
static int certify_manager(struct keys *keys, const struct channel_message *message, struct buf *answer,
			   struct err *err)
{
	const struct authority *issuing = NULL;
	struct buf pem;
	int rc = find_issuing(keys, &issuing, err);

	if (rc != 0)
		return rc;
	buf_init(&pem, MESSAGE_CERTIFICATE_MAX_BYTES - 1);
	rc = authority_certify_manager(issuing, message->payload, message->size, env_wall(keys->env), &pem, err);
	if (rc == 0)
		message_pack_certified(answer, buf_text(&pem));
	buf_done(&pem);
	return rc;
}

/* Front names a certificate that we gave it, not whom the new one is for. */
static int certify_server(struct keys *keys, const struct channel_message *message, struct buf *answer, struct err *err)
{
	const struct authority *issuing = NULL;
	struct message_certify_server asked;
	struct buf pem, like, roots;
	int rc = message_unpack_certify_server(message->payload, message->size, &asked);

	rc = rc != 0 ? err_set(err, rc, "the request does not decode") : find_issuing(keys, &issuing, err);
	if (rc != 0)
		return rc;
	buf_init(&pem, MESSAGE_CERTIFICATE_MAX_BYTES - 1);
	buf_init(&like, MESSAGE_CERTIFICATE_MAX_BYTES);
	buf_init(&roots, AUTHORITIES_MAX_BYTES);
	rc = buf_append(&like, asked.certificate.data, asked.certificate.size);
	if (rc == 0)
		rc = ca_key_pem(&keys->authority, &roots, err);
	if (rc == 0)
		rc = authority_certify_server_again(issuing, asked.request.data, asked.request.size, buf_text(&like),
						    buf_text(&roots), env_wall(keys->env), &pem, err);
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

/* The files that do not hold what is in memory now. Whoever brings the very key that is present wants it there, too. */
static int write_lost(struct keys *keys, bool force, struct err *err)
{
	int rc = 0;

	key_watch_look_now(&keys->watch);
	if (keys->authority.place.held && keys->authority.place.why[0] != '\0')
		rc = ca_key_write_anew(&keys->authority, force, err);
	if (rc == 0 && keys->server.place.held && keys->server.place.why[0] != '\0')
		rc = server_key_write_anew(&keys->server, force, err);
	if (rc != ERR_NOT_FOUND && rc != ERR_DENIED)
		return rc;
	return err_set(
	    err, ERR_WRONG_STATE,
	    "the folder keys/ is gone, or is another one than when this manager was started, in which it may "
	    "not write. Make a backup now (muster cert backup FILE). Then put the folder back with its files, "
	    "or start the manager anew and bring the keys back: muster cert restore FILE");
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
	if (rc == 0)
		rc = write_lost(keys, false, err);
	if (rc != 0)
		return rc;
	tell_public_key(keys);
	return tell_keys(keys, message, answer, err);
}

static int back_up(struct keys *keys, const struct channel_message *message, struct buf *answer, struct err *err)
{
	const struct authorities *authorities = NULL;
	struct message_back_up asked;
	int rc = message_unpack_back_up(message->payload, message->size, &asked);

	rc = rc != 0 ? err_set(err, rc, "the request does not decode")
		     : ca_key_present(&keys->authority, &authorities, err);
	if (rc == 0)
		rc = server_key_write_backup(&keys->server, authorities, &asked, answer, err);
	explicit_bzero(asked.password, sizeof(asked.password));
	return rc;
}

/* --- authorities --- */

static int tell_authorities(struct keys *keys, const struct channel_message *message, struct buf *answer,
			    struct err *err)
{
	const struct authorities *present = keys->authority.authorities;
	struct buf pem;
	int rc;

	(void)message;
	if (present == NULL) {
		message_pack_no_authorities(answer, keys->authority.why);
		return 0;
	}
	buf_init(&pem, AUTHORITIES_MAX_BYTES);
	rc = authorities_pem(present, &pem, err);
	if (rc == 0)
		message_pack_authorities(answer, authorities_next(present) != NULL, &pem);
	buf_done(&pem);
	return rc;
}

/* ca.pem is a file of the supervisor's to write, as the public key is. */
static void tell_roots(struct keys *keys)
{
	struct err err = { 0 };
	struct buf pem;
	int rc;

	if (keys->authority.authorities == NULL) /* it stays as it is */
		return;
	buf_init(&pem, AUTHORITIES_MAX_BYTES);
	rc = ca_key_pem(&keys->authority, &pem, &err);
	if (rc == 0)
		rc = channel_send(&keys->supervisor, MESSAGE_ROOTS, 0, pem.data, pem.size, -1, &err);
	if (rc != 0)
		LOG(LOG_WARNING, "keys.roots_not_told", log_err(&err));
	buf_done(&pem);
}

static int change_authorities(struct keys *keys, const struct channel_message *message, struct buf *answer,
			      struct err *err)
{
	time_us ended;
	int rc = message_unpack_ended(message->payload, message->size, &ended);

	rc = rc != 0 ? err_set(err, rc, "the request does not decode")
		     : ca_key_change(&keys->authority, message->type, ended, err);
	if (rc != 0)
		return rc;
	tell_roots(keys);
	return tell_authorities(keys, message, answer, err);
}

/* --- out of a backup --- */

/* What is missing comes back; what is there stays unless force is said, and is no error if something came back. */
static int take_back(struct keys *keys, const struct message_restore *asked, const struct backup *backup,
		     struct message_restored *restored, struct err *err)
{
	int rc = ca_key_check_backup(&keys->authority, backup, err);

	if (rc == 0)
		rc = ca_key_take_back(&keys->authority, backup, asked->force, &restored->authority, err);
	if (rc == 0)
		rc = server_key_take_back(&keys->server, backup, asked, err);
	if (rc == ERR_EXISTS && restored->authority)
		rc = 0;
	if (rc == 0)
		rc = write_lost(keys, false, err);
	if (rc != 0)
		return rc;
	server_key_state(&keys->server, &restored->keys);
	restored->made = backup->made;
	restored->step_count = backup->step_count;
	memcpy(restored->steps, backup->steps, backup->step_count * sizeof(backup->steps[0]));
	return 0;
}

static int restore(struct keys *keys, const struct channel_message *message, struct buf *answer, struct err *err)
{
	struct message_restored restored = { .authority = false };
	struct message_restore asked;
	struct backup backup;
	int rc = message_unpack_restore(message->payload, message->size, &asked);

	rc = rc != 0 ? err_set(err, rc, "the request does not decode")
		     : backup_open(asked.file.data, asked.file.size, asked.password, &backup, err);
	explicit_bzero(asked.password, sizeof(asked.password));
	if (rc != 0)
		return rc;
	rc = take_back(keys, &asked, &backup, &restored, err);
	backup_done(&backup);
	if (restored.authority)
		tell_roots(keys);
	if (rc != 0)
		return rc;
	tell_public_key(keys);
	message_pack_restored(answer, &restored);
	return 0;
}

/* --- files --- */

static int tell_files(struct keys *keys, const struct channel_message *message, struct buf *answer, struct err *err)
{
	struct message_key_files files;

	(void)message;
	(void)err;
	key_watch_state(&keys->watch, &files);
	message_pack_key_files(answer, &files);
	return 0;
}

static int write_files(struct keys *keys, const struct channel_message *message, struct buf *answer, struct err *err)
{
	bool force;
	int rc = message_unpack_force(message->payload, message->size, &force);

	rc = rc != 0 ? err_set(err, rc, "the request does not decode") : write_lost(keys, force, err);
	return rc == 0 ? tell_files(keys, message, answer, err) : rc;
}

/* --- requests --- */

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
	{ MESSAGE_KEY_FILES, MESSAGE_KEY_FILES_ARE, tell_files },
	{ MESSAGE_WRITE_KEY_FILES, MESSAGE_KEY_FILES_ARE, write_files },
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
	if (message.type == MESSAGE_KEY_FILE) {
		key_watch_opened(&keys->watch, &message);
		return;
	}
	close_front(keys);
	rc = channel_init(&keys->front, message.fd, messages_asked_of_keys.permits, messages_asked_of_keys.count, &err);
	keys->front_open = rc == 0;
	if (rc != 0)
		close(message.fd);
}

/* The files that they are written to are watched in this way: the supervisor replaces one that is other. */
static void tell_public(struct keys *keys)
{
	time_us now = env_monotonic(keys->env);

	if (now < keys->tell_at)
		return;
	keys->tell_at = now + PUBLIC_AGAIN_US;
	tell_public_key(keys);
	tell_roots(keys);
}

static void serve(struct keys *keys)
{
	while (!keys->stop) {
		struct pollfd watched[2] = {
			{ .fd = keys->supervisor.fd, .events = POLLIN },
			{ .fd = keys->front_open ? keys->front.fd : -1, .events = POLLIN },
		};
		int count = poll(watched, COUNT_OF(watched), KEY_WATCH_LOOK_MS);

		if (count < 0 && errno != EINTR)
			return;
		if (count > 0 && watched[0].revents != 0)
			hear_supervisor(keys);
		else if (count > 0 && watched[1].revents != 0)
			hear_front(keys);
		if (key_watch_look(&keys->watch, env_monotonic(keys->env)))
			keys->stop = true;
		tell_public(keys);
	}
}

/* --- life --- */

/* With the rights of a start. */
static int load(struct keys *keys, const char *data_directory, struct err *err)
{
	int rc;

	keys->watch = (struct key_watch){
		.places = { [KEPT_KEY_AUTHORITY] = &keys->authority.place, [KEPT_KEY_SERVER] = &keys->server.place },
		.supervisor = &keys->supervisor
	};
	rc = ca_key_open(&keys->authority, keys->env, data_directory, err);
	return rc == 0 ? server_key_open(&keys->server, keys->env, data_directory, err) : rc;
}

/* As this role reaches them from now on. */
static void reach(struct keys *keys, const char *directory)
{
	char folder[LAYOUT_PATH_BYTES];
	size_t swept;

	key_watch_begin(&keys->watch, directory);
	snprintf(folder, sizeof(folder), "%s/%s", directory, LAYOUT_KEYS);
	swept = secret_file_sweep(folder);
	if (swept > 0) /* killed before a rename: nobody knows of such a key */
		LOG(LOG_INFO, "keys.swept", log_number("files", (int64_t)swept));
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
	if (rc == 0) {
		reach(&keys, reached);
		tell_public(&keys);
		rc = channel_send(&keys.supervisor, MESSAGE_READY, 0, NULL, 0, -1, &err);
	}
	if (rc == 0) {
		LOG(LOG_INFO, "keys.started", log_number("pid", getpid()));
		serve(&keys);
		LOG(LOG_INFO, "keys.stopped", log_number("pid", getpid()));
	} else {
		LOG(LOG_ERROR, "keys.failed", log_err(&err));
	}
	close_front(&keys);
	channel_done(&keys.supervisor);
	ca_key_done(&keys.authority);
	server_key_done(&keys.server);
	return rc == 0 ? 0 : 1;
}
