/* Front's side of the keys role. */
#include "manager/front/signer.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "os/env.h"
#include "trust/fingerprint.h"
#include "wire/envelope.h"

#define ANSWER_WAIT_US   (10 * SECOND_US)
#define PASSWORD_WAIT_US (90 * SECOND_US) /* where keys makes a key of a password, which is slow on purpose */

struct signer {
	const struct env *env;
	void (*broken)(void *argument);
	void *argument;

	pthread_mutex_t turn; /* held for a whole request: channel, next_request */
	struct channel channel;
	bool open;
	uint32_t next_request;

	pthread_mutex_t lock; /* of what follows */
	pthread_cond_t attached;
	int fresh_fd; /* handed over, not yet taken into use; -1: none */
	bool stopping;
};

struct signer *signer_new(const struct env *env, void (*broken)(void *argument), void *argument, struct err *err)
{
	struct signer *signer = calloc(1, sizeof(*signer));
	pthread_condattr_t monotonic;

	if (signer == NULL) {
		err_set(err, ERR_MEMORY, "signer: no memory");
		return NULL;
	}
	signer->env = env;
	signer->broken = broken;
	signer->argument = argument;
	signer->fresh_fd = -1;
	pthread_mutex_init(&signer->turn, NULL);
	pthread_mutex_init(&signer->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&signer->attached, &monotonic);
	pthread_condattr_destroy(&monotonic);
	return signer;
}

static void drop_channel(struct signer *signer)
{
	if (signer->open)
		channel_done(&signer->channel);
	signer->open = false;
}

void signer_free(struct signer *signer)
{
	if (signer == NULL)
		return;
	drop_channel(signer);
	if (signer->fresh_fd >= 0)
		close(signer->fresh_fd);
	pthread_cond_destroy(&signer->attached);
	pthread_mutex_destroy(&signer->lock);
	pthread_mutex_destroy(&signer->turn);
	free(signer);
}

void signer_attach(struct signer *signer, int fd)
{
	pthread_mutex_lock(&signer->lock);
	if (signer->fresh_fd >= 0)
		close(signer->fresh_fd);
	signer->fresh_fd = fd;
	pthread_cond_broadcast(&signer->attached);
	pthread_mutex_unlock(&signer->lock);
}

void signer_stop(struct signer *signer)
{
	pthread_mutex_lock(&signer->lock);
	signer->stopping = true;
	pthread_cond_broadcast(&signer->attached);
	pthread_mutex_unlock(&signer->lock);
}

/* The handed-over descriptor, waiting for one if there is no open channel. */
static int take_fresh(struct signer *signer, time_us deadline, int *ret_fd, struct err *err)
{
	const struct timespec until = env_system_after(deadline - env_monotonic(signer->env));
	int rc = 0;

	pthread_mutex_lock(&signer->lock);
	while (signer->fresh_fd < 0 && !signer->open && !signer->stopping && rc == 0)
		rc = pthread_cond_timedwait(&signer->attached, &signer->lock, &until);
	*ret_fd = signer->fresh_fd;
	signer->fresh_fd = -1;
	if (signer->stopping)
		rc = err_set(err, ERR_CLOSED, "the manager is stopping");
	else if (rc != 0)
		rc = err_set(err, ERR_TIMEOUT, "the keys role is not running");
	pthread_mutex_unlock(&signer->lock);
	return rc;
}

static int ensure_channel(struct signer *signer, time_us deadline, struct err *err)
{
	int fd = -1;
	int rc = take_fresh(signer, deadline, &fd, err);

	if (fd >= 0 && rc != 0)
		close(fd);
	if (rc != 0 || fd < 0)
		return rc;
	drop_channel(signer);
	rc =
	    channel_init(&signer->channel, fd, messages_answered_by_keys.permits, messages_answered_by_keys.count, err);
	if (rc == 0)
		signer->open = true;
	else
		close(fd);
	return rc;
}

static int milliseconds_left(const struct signer *signer, time_us deadline)
{
	span_us left = deadline - env_monotonic(signer->env);

	return left <= 0 ? 0 : (int)(left / MILLISECOND_US);
}

/* Answers to requests that were given up on may still lie in the queue. */
static int receive_answer(struct signer *signer, uint32_t request, time_us deadline,
			  struct channel_message *ret_message, struct err *err)
{
	int rc;

	do {
		rc = channel_receive_wait(&signer->channel, milliseconds_left(signer, deadline), ret_message, err);
	} while (rc == 0 && ret_message->request != request);
	return rc;
}

static int one_try(struct signer *signer, uint16_t type, const struct buf *question, time_us deadline,
		   struct channel_message *ret_message, struct err *err)
{
	uint32_t request;
	int rc = ensure_channel(signer, deadline, err);

	if (rc != 0)
		return rc;
	request = ++signer->next_request;
	rc = channel_send_wait(&signer->channel, type, request, question->data, question->size, -1,
			       milliseconds_left(signer, deadline), err);
	if (rc == 0)
		rc = receive_answer(signer, request, deadline, ret_message, err);
	if (rc == ERR_CLOSED || rc == ERR_DENIED)
		drop_channel(signer);
	if (rc == ERR_DENIED)
		signer->broken(signer->argument);
	return rc;
}

/* What keys would do twice if it were asked again. */
static bool is_done_once(uint16_t type)
{
	return type == MESSAGE_CREATE_KEY || type == MESSAGE_PREPARE_AUTHORITY || type == MESSAGE_TURN_AUTHORITY;
}

/* Holds the turn on success: the answer lies in the channel. */
static int ask(struct signer *signer, uint16_t type, const struct buf *question, uint16_t expected,
	       struct channel_message *ret_message, struct err *err)
{
	bool slow = type == MESSAGE_BACK_UP || type == MESSAGE_RESTORE;
	time_us deadline = env_monotonic(signer->env) + (slow ? PASSWORD_WAIT_US : ANSWER_WAIT_US);
	struct message_refused refused;
	int rc;

	if (question->status != 0)
		return err_set(err, question->status, "too large for the keys role");
	pthread_mutex_lock(&signer->turn);
	do {
		rc = one_try(signer, type, question, deadline, ret_message, err);
	} while (rc == ERR_CLOSED && !is_done_once(type) && signer->open == false &&
		 env_monotonic(signer->env) < deadline && !signer->stopping);
	if (rc == 0 && ret_message->type == MESSAGE_REFUSED) {
		rc = message_unpack_refused(ret_message->payload, ret_message->size, &refused);
		rc = rc == 0 ? err_set(err, refused.code, "%s", refused.text)
			     : err_set(err, rc, "the keys role sent a refusal that does not decode");
	} else if (rc == 0 && ret_message->type != expected) {
		rc = err_set(err, ERR_FORMAT, "the keys role answered another question");
	}
	if (rc != 0)
		pthread_mutex_unlock(&signer->turn);
	return rc;
}

/* As many as one message takes, from the first on: at least one. */
static size_t one_message(const struct bytes *payloads, size_t count)
{
	size_t bytes = payloads[0].size + sizeof(uint32_t), taken = 1;

	while (taken < count && taken < MESSAGE_ORDERS_MAX &&
	       bytes + payloads[taken].size + sizeof(uint32_t) <= MESSAGE_SIGN_MAX_BYTES)
		bytes += payloads[taken++].size + sizeof(uint32_t);
	return taken;
}

static int ask_signature(struct signer *signer, uint16_t type, const struct bytes *payloads, size_t count,
			 struct message_signed *ret_answer, struct err *err)
{
	struct channel_message message;
	struct buf question;
	int rc;

	buf_init(&question, CHANNEL_PAYLOAD_MAX_BYTES);
	message_pack_sign(&question, payloads, count);
	rc = ask(signer, type, &question, MESSAGE_SIGNED, &message, err);
	buf_done(&question);
	if (rc != 0)
		return rc;
	rc = message_unpack_signed(message.payload, message.size, ret_answer);
	pthread_mutex_unlock(&signer->turn);
	return rc == 0 ? 0 : err_set(err, rc, "the keys role sent a signature that does not decode");
}

static int sign_message(struct signer *signer, uint16_t type, const struct bytes *payloads, size_t count,
			struct buf *const *outs, struct err *err)
{
	struct envelope_seal seal = { .merkle = NULL };
	struct message_signed answer;
	struct merkle *merkle;
	int rc = ask_signature(signer, type, payloads, count, &answer, err);

	if (rc != 0)
		return rc;
	merkle = merkle_new(fingerprint_of, payloads, count);
	if (merkle == NULL)
		return err_set(err, ERR_MEMORY, "no memory for %zu envelopes", count);
	seal.merkle = merkle;
	memcpy(seal.fingerprint, answer.key, sizeof(seal.fingerprint));
	memcpy(seal.signature, answer.signature, sizeof(seal.signature));
	for (size_t i = 0; rc == 0 && i < count; i++)
		rc = envelope_pack(&seal, i, payloads[i].data, payloads[i].size, outs[i], err);
	merkle_free(merkle);
	return rc;
}

static int sign_all(struct signer *signer, uint16_t type, const struct bytes *payloads, size_t count,
		    struct buf *const *outs, struct err *err)
{
	int rc = 0;

	for (size_t done = 0, taken; rc == 0 && done < count; done += taken) {
		taken = one_message(payloads + done, count - done);
		rc = sign_message(signer, type, payloads + done, taken, outs + done, err);
	}
	return rc;
}

int signer_envelopes(struct signer *signer, const struct bytes *payloads, size_t count, struct buf *const *outs,
		     struct err *err)
{
	return sign_all(signer, MESSAGE_SIGN, payloads, count, outs, err);
}

int signer_envelopes_again(struct signer *signer, const struct bytes *payloads, size_t count, struct buf *const *outs,
			   struct err *err)
{
	return sign_all(signer, MESSAGE_SIGN_AGAIN, payloads, count, outs, err);
}

int signer_envelope(struct signer *signer, const void *payload, size_t size, struct buf *out, struct err *err)
{
	const struct bytes one = { payload, size };

	return signer_envelopes(signer, &one, 1, &out, err);
}

int signer_prove(struct signer *signer, const struct message_prove *prove, struct message_signed *ret_signed,
		 struct err *err)
{
	struct channel_message message;
	struct buf question;
	int rc;

	buf_init(&question, MESSAGE_PROVE_BYTES);
	message_pack_prove(&question, prove);
	rc = ask(signer, MESSAGE_PROVE, &question, MESSAGE_SIGNED, &message, err);
	buf_done(&question);
	if (rc != 0)
		return rc;
	rc = message_unpack_signed(message.payload, message.size, ret_signed);
	pthread_mutex_unlock(&signer->turn);
	return rc == 0 ? 0 : err_set(err, rc, "the keys role sent a proof that does not decode");
}

static int ask_keys(struct signer *signer, uint16_t type, const struct buf *question, struct message_keys *ret_keys,
		    struct err *err)
{
	struct channel_message message;
	int rc = ask(signer, type, question, MESSAGE_KEYS_ARE, &message, err);

	if (rc != 0)
		return rc;
	rc = message_unpack_keys(message.payload, message.size, ret_keys);
	pthread_mutex_unlock(&signer->turn);
	return rc == 0 ? 0 : err_set(err, rc, "the keys role said of its keys what does not decode");
}

int signer_keys(struct signer *signer, struct message_keys *ret_keys, struct err *err)
{
	struct buf nothing;

	buf_init(&nothing, 1);
	return ask_keys(signer, MESSAGE_KEYS, &nothing, ret_keys, err);
}

int signer_create_key(struct signer *signer, const struct message_create_key *create, struct message_keys *ret_keys,
		      struct err *err)
{
	struct buf question;
	int rc;

	buf_init(&question, MESSAGE_CREATE_KEY_BYTES);
	message_pack_create_key(&question, create);
	rc = ask_keys(signer, MESSAGE_CREATE_KEY, &question, ret_keys, err);
	buf_done(&question);
	return rc;
}

int signer_authorities(struct signer *signer, uint16_t type, time_us ended, struct message_authorities *ret_authorities,
		       struct err *err)
{
	struct channel_message message;
	struct buf question;
	int rc;

	buf_init(&question, MESSAGE_AUTHORITIES_BYTES);
	message_pack_ended(&question, ended);
	rc = ask(signer, type, &question, MESSAGE_AUTHORITIES_ARE, &message, err);
	buf_done(&question);
	if (rc != 0)
		return rc;
	rc = message_unpack_authorities(message.payload, message.size, ret_authorities);
	pthread_mutex_unlock(&signer->turn);
	return rc == 0 ? 0 : err_set(err, rc, "the keys role said of its authorities what does not decode");
}

static int ask_files(struct signer *signer, uint16_t type, const struct buf *question,
		     struct message_key_files *ret_files, struct err *err)
{
	struct channel_message message;
	int rc = ask(signer, type, question, MESSAGE_KEY_FILES_ARE, &message, err);

	if (rc != 0)
		return rc;
	rc = message_unpack_key_files(message.payload, message.size, ret_files);
	pthread_mutex_unlock(&signer->turn);
	return rc == 0 ? 0 : err_set(err, rc, "the keys role said of its files what does not decode");
}

int signer_key_files(struct signer *signer, struct message_key_files *ret_files, struct err *err)
{
	struct buf nothing;

	buf_init(&nothing, 1);
	return ask_files(signer, MESSAGE_KEY_FILES, &nothing, ret_files, err);
}

int signer_write_key_files(struct signer *signer, bool force, struct message_key_files *ret_files, struct err *err)
{
	struct buf question;
	int rc;

	buf_init(&question, 1);
	message_pack_force(&question, force);
	rc = ask_files(signer, MESSAGE_WRITE_KEY_FILES, &question, ret_files, err);
	buf_done(&question);
	return rc;
}

int signer_import_key(struct signer *signer, const struct message_import_key *import, struct message_keys *ret_keys,
		      struct err *err)
{
	struct buf question;
	int rc;

	buf_init(&question, CHANNEL_PAYLOAD_MAX_BYTES);
	message_pack_import_key(&question, import);
	rc = ask_keys(signer, MESSAGE_IMPORT_KEY, &question, ret_keys, err);
	buf_wipe(&question);
	return rc;
}

int signer_back_up(struct signer *signer, const struct message_back_up *back_up, struct buf *out, struct err *err)
{
	struct channel_message message;
	struct buf question;
	int rc;

	buf_init(&question, CHANNEL_PAYLOAD_MAX_BYTES);
	message_pack_back_up(&question, back_up);
	rc = ask(signer, MESSAGE_BACK_UP, &question, MESSAGE_BACKED_UP, &message, err);
	buf_wipe(&question);
	if (rc != 0)
		return rc;
	rc = buf_append(out, message.payload, message.size);
	pthread_mutex_unlock(&signer->turn);
	return rc == 0 ? 0 : err_set(err, rc, "no room for the backup");
}

int signer_restore(struct signer *signer, const struct message_restore *restore, struct message_restored *ret_restored,
		   struct err *err)
{
	struct channel_message message;
	struct buf question;
	int rc;

	buf_init(&question, CHANNEL_PAYLOAD_MAX_BYTES);
	message_pack_restore(&question, restore);
	rc = ask(signer, MESSAGE_RESTORE, &question, MESSAGE_RESTORED, &message, err);
	buf_wipe(&question);
	if (rc != 0)
		return rc;
	rc = message_unpack_restored(message.payload, message.size, ret_restored);
	pthread_mutex_unlock(&signer->turn);
	return rc == 0 ? 0 : err_set(err, rc, "the keys role said of a backup what does not decode");
}

static int ask_certificate(struct signer *signer, uint16_t type, const struct buf *question, char *pem, struct err *err)
{
	struct channel_message message;
	int rc = ask(signer, type, question, MESSAGE_CERTIFIED, &message, err);

	if (rc != 0)
		return rc;
	rc = message_unpack_certified(message.payload, message.size, pem);
	pthread_mutex_unlock(&signer->turn);
	return rc == 0 ? 0 : err_set(err, rc, "the keys role sent a certificate that does not decode");
}

int signer_certify(struct signer *signer, const struct uuid *computer, const void *request, size_t size, char *pem,
		   struct err *err)
{
	const struct message_certify certify = { .computer = *computer, .request = { request, size } };
	struct buf question;
	int rc;

	buf_init(&question, CHANNEL_PAYLOAD_MAX_BYTES);
	message_pack_certify(&question, &certify);
	rc = ask_certificate(signer, MESSAGE_CERTIFY, &question, pem, err);
	buf_done(&question);
	return rc;
}

int signer_certify_manager(struct signer *signer, const void *request, size_t size, char *pem, struct err *err)
{
	struct buf question;
	int rc;

	buf_init(&question, CHANNEL_PAYLOAD_MAX_BYTES);
	buf_append(&question, request, size);
	rc = ask_certificate(signer, MESSAGE_CERTIFY_MANAGER, &question, pem, err);
	buf_done(&question);
	return rc;
}

int signer_certify_server(struct signer *signer, struct bytes request, const char *certificate, char *pem,
			  struct err *err)
{
	const struct message_certify_server certify = { request,
							{ (const uint8_t *)certificate, strlen(certificate) } };
	struct buf question;
	int rc;

	buf_init(&question, CHANNEL_PAYLOAD_MAX_BYTES);
	message_pack_certify_server(&question, &certify);
	rc = ask_certificate(signer, MESSAGE_CERTIFY_SERVER, &question, pem, err);
	buf_done(&question);
	return rc;
}
