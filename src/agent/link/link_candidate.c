/* Another identity for this agent (agent/link/link_candidate.h). Input: orders that were verified or came over the
 * control socket, and the other manager's answer, untrusted until its authority is checked. */
#include "agent/link/link_candidate.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include "agent/enrol_message.h"
#include "agent/identity_switch.h"
#include "agent/link/link_tls.h"
#include "agent/problem.h"
#include "agent/proof_asking.h"
#include "base/log.h"
#include "endpoint/move.h"
#include "net/client.h"
#include "os/env.h"
#include "os/files.h"
#include "trust/identity.h"

#define ENROL_TIMEOUT_US (30 * SECOND_US)

struct link_candidate {
	struct link *link;
	int store; /* DIR/link */
	int directory;
	struct enrol_attempt attempt;
	struct tls_client *tls;
	struct http_client *client;
	uint8_t pin[SHA256_BYTES];
	bool has_pin, has_key; /* without a pin, that of the proof */
	struct proof_asking asking;
	struct buf request; /* packed; holds a token */
	uint16_t listen_port;
	char manager[IDENTITY_URL_BYTES];
	struct move_asking life;
	void (*done)(void *argument, int rc, const struct err *err);
	void *argument;
};

static void forget(struct link_candidate *candidate)
{
	http_client_free(candidate->client);
	tls_client_free(candidate->tls);
	candidate->client = NULL;
	candidate->tls = NULL;
	identity_attempt_done(&candidate->attempt);
	buf_wipe(&candidate->request);
	if (candidate->directory >= 0)
		close(candidate->directory);
	candidate->directory = -1;
}

static void tell(struct link_candidate *candidate, int rc, const struct err *err)
{
	void (*done)(void *argument, int rc, const struct err *err) = candidate->done;

	candidate->done = NULL;
	if (done != NULL)
		done(candidate->argument, rc, err);
}

static void failed(struct link_candidate *candidate, int rc, const struct err *err)
{
	move_failed(&candidate->life, candidate->link->env);
	LOG(LOG_WARNING, candidate->life.moves ? "move.failed" : "rekey.failed",
	    log_text("manager", candidate->manager), log_err(err));
	forget(candidate);
	tell(candidate, rc, err);
}

/* --- the answer --- */

static int take_answer(struct link_candidate *candidate, const struct http_answer *answer, struct err *err)
{
	/* The same manager's: whatever root it has had is trusted, not the first of them alone. */
	const char *roots = buf_text(&candidate->link->identity.authority_pem);
	const struct enrol_trust trust = { .roots = candidate->life.moves ? NULL : roots, .pin = candidate->pin };
	struct agent_identity identity;
	int rc;

	agent_identity_init(&identity);
	rc = enrol_message_take(answer->body, answer->size, &trust, &identity, err);
	snprintf(identity.manager, sizeof(identity.manager), "%s", candidate->manager);
	if (candidate->listen_port != 0)
		identity.listen_port = candidate->listen_port;
	if (rc == 0 && candidate->has_key &&
	    memcmp(identity.manager_key, candidate->asking.proof.key, ENVELOPE_KEY_BYTES) != 0)
		rc = err_set(err, ERR_UNTRUSTED, "the manager gave another key than it proved");
	buf_append(&identity.key_pem, candidate->attempt.key_pem.data, candidate->attempt.key_pem.size);
	if (rc == 0)
		rc = identity_switch_decide(candidate->directory, &identity, candidate->life.moves, err);
	if (rc == 0)
		LOG(LOG_INFO, candidate->life.moves ? "move.decided" : "rekey.decided",
		    log_uuid("computer", &identity.computer), log_text("name", identity.name),
		    log_text("manager", identity.manager));
	agent_identity_done(&identity);
	return rc;
}

static void on_answer(void *argument, const struct http_answer *answer)
{
	struct link_candidate *candidate = argument;
	struct err err = { 0 };
	int rc;

	if (answer->status == 0) {
		err = *answer->err;
		rc = err.code;
	} else if (answer->status != 200) {
		rc = problem_error("the manager refused", answer->status, answer->content_type, answer->body,
				   answer->size, &err);
	} else {
		rc = take_answer(candidate, answer, &err);
	}
	if (rc != 0) {
		failed(candidate, rc, &err);
		return;
	}
	move_decided(&candidate->life, env_monotonic(candidate->link->env));
	tell(candidate, 0, NULL);
	endpoint_hurry(candidate->link->endpoint);
	link_wake(candidate->link);
}

/* --- the question --- */

static int open_candidate(struct link_candidate *candidate, struct err *err)
{
	if (mkdirat(candidate->store, IDENTITY_CANDIDATE, 0700) != 0 && errno != EEXIST)
		return err_errno(err, errno, "link/" IDENTITY_CANDIDATE);
	candidate->directory =
	    openat(candidate->store, IDENTITY_CANDIDATE, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	return candidate->directory >= 0 ? 0 : err_errno(err, errno, "link/" IDENTITY_CANDIDATE);
}

static int connect_to(struct link_candidate *candidate, const struct manager_url *url,
		      const struct tls_client_options *tls, struct err *err)
{
	struct http_client_options options = { .host = url->host,
					       .port = url->port,
					       .connect_timeout = ENROL_TIMEOUT_US,
					       .reply_max_bytes = WIRE_ENROL_REPLY_MAX_BYTES };

	candidate->tls = tls_client_new(tls, err);
	if (candidate->tls == NULL)
		return err->code;
	options.tls = candidate->tls;
	candidate->client = http_client_new(candidate->link->loop, &options, err);
	return candidate->client != NULL ? 0 : err->code;
}

static int ask(struct link_candidate *candidate, struct err *err)
{
	const struct http_body body = { .bytes = candidate->request.data, .fd = -1, .size = candidate->request.size };
	int rc =
	    http_client_send(candidate->client, "POST", "/agent/v1/enrol", "Content-Type: application/x-protobuf\r\n",
			     &body, ENROL_TIMEOUT_US, on_answer, candidate, err);

	buf_wipe(&candidate->request);
	return rc;
}

/* Its token goes to whoever has the key, and to nobody else. */
static void on_proven(void *argument, int rc, const struct err *cause)
{
	struct link_candidate *candidate = argument;
	struct err err = { 0 };

	if (rc == 0 && candidate->has_pin &&
	    memcmp(candidate->pin, candidate->asking.proof.authority, SHA256_BYTES) != 0)
		rc =
		    err_set(&err, ERR_UNTRUSTED, "the manager proved its key for another authority than the one given");
	else if (rc != 0)
		err = *cause;
	memcpy(candidate->pin, candidate->asking.proof.authority, SHA256_BYTES);
	if (rc == 0)
		rc = ask(candidate, &err);
	if (rc != 0)
		failed(candidate, rc, &err);
}

static int ask_first(struct link_candidate *candidate, struct err *err)
{
	if (!candidate->has_key)
		return ask(candidate, err);
	candidate->asking.client = candidate->client;
	candidate->asking.done = on_proven;
	candidate->asking.argument = candidate;
	return proof_asking_begin(&candidate->asking, err);
}

/* purpose: what the attempt is bound to; another one makes another attempt, with another key. */
static int begin(struct link_candidate *candidate, const struct manager_url *url, const struct tls_client_options *tls,
		 const struct enrol_wish *wish, const char *purpose, struct err *err)
{
	struct uuid fresh = env_uuid(candidate->link->env);
	int rc = open_candidate(candidate, err);

	if (rc == 0)
		rc = identity_attempt(candidate->directory, candidate->manager, purpose, &fresh, &candidate->attempt,
				      err);
	if (rc == 0)
		rc = connect_to(candidate, url, tls, err);
	if (rc == 0)
		rc = enrol_message_encode(wish, &candidate->attempt, &candidate->request, err);
	return rc == 0 ? ask_first(candidate, err) : rc;
}

/* --- told to take another identity of the same manager --- */

static int begin_rekey(struct link_candidate *candidate, struct err *err)
{
	struct link *link = candidate->link;
	const struct tls_client_options tls = link_tls_options(link);
	struct enrol_wish wish = { .token = "", .name = link->identity.name, .host = &link->host };
	char purpose[UUID_TEXT_BYTES];

	snprintf(candidate->manager, sizeof(candidate->manager), "%s", link->identity.manager);
	uuid_format(&link->identity.computer, purpose);
	wish.session = endpoint_session(link->endpoint);
	candidate->has_pin = candidate->has_key = false;
	candidate->listen_port = 0;
	return begin(candidate, &link->manager, &tls, &wish, purpose, err);
}

void link_candidate_rekey(struct link_candidate *candidate)
{
	struct err err = { 0 };
	int rc;

	if (move_may_begin(&candidate->life, false, env_monotonic(candidate->link->env), NULL) != 0 ||
	    link_tell_switch(candidate->link, NULL) != 0)
		return;
	LOG(LOG_WARNING, "rekey.begun", log_uuid("computer", &candidate->link->identity.computer));
	move_begun(&candidate->life, false);
	rc = begin_rekey(candidate, &err);
	if (rc != 0)
		failed(candidate, rc, &err);
}

bool link_candidate_rekeys(const struct link_candidate *candidate)
{
	const struct move_asking *life = &candidate->life;

	return !life->moves && (life->under_way || life->decided);
}

/* --- told to move to another manager --- */

int link_candidate_move(struct link_candidate *candidate, const struct link_move *move,
			void (*done)(void *argument, int rc, const struct err *err), void *argument, struct err *err)
{
	struct link *link = candidate->link;
	const struct tls_client_options tls = { .ca_fingerprint = move->has_authority ? candidate->pin : NULL,
						.any_peer = !move->has_authority,
						.any_host_name = true,
						.agent = true,
						.profiles = link_tls_elsewhere(link) };
	const struct enrol_wish wish = {
		.token = move->token, .name = link->identity.name, .host = &link->host, .listen_port = move->listen_port
	};
	struct manager_url url;
	int rc = manager_url_parse(move->manager, &url, err);

	if (rc != 0)
		return err_add(err, rc, "manager");
	rc = move_may_begin(&candidate->life, true, env_monotonic(link->env), err);
	if (rc == 0)
		rc = link_tell_switch(link, err);
	if (rc != 0)
		return rc;
	if (strlen(move->manager) >= sizeof(candidate->manager))
		return err_set(err, ERR_LIMIT, "the manager's address is too long");
	if (!move->has_authority && !move->has_key)
		return err_set(err, ERR_USAGE, "neither its authority nor its key says which manager is meant");
	if (strcmp(move->manager, link->identity.manager) == 0)
		return err_set(err, ERR_EXISTS, "this computer belongs to %.200s already", move->manager);
	memcpy(candidate->pin, move->authority, SHA256_BYTES);
	candidate->has_pin = move->has_authority;
	candidate->has_key = move->has_key;
	memcpy(candidate->asking.accepted, move->key, ENVELOPE_KEY_BYTES);
	candidate->listen_port = move->listen_port;
	snprintf(candidate->manager, sizeof(candidate->manager), "%s", move->manager);
	move_begun(&candidate->life, true);
	rc = begin(candidate, &url, &tls, &wish, move->token, err);
	if (rc != 0) {
		candidate->life.under_way = false;
		forget(candidate);
		return rc;
	}
	LOG(LOG_INFO, "move.begun", log_text("manager", candidate->manager));
	candidate->done = done;
	candidate->argument = argument;
	return 0;
}

void link_candidate_unwatch(struct link_candidate *candidate, const void *argument)
{
	if (candidate->argument == argument)
		candidate->done = NULL;
}

/* --- leaving --- */

void link_candidate_step(struct link_candidate *candidate)
{
	struct link *link = candidate->link;
	struct endpoint_status status;
	struct err err = { 0 };

	endpoint_status(link->endpoint, &status);
	if (link->stopping || !move_leaves(&candidate->life, &status, env_monotonic(link->env)))
		return;
	if (endpoint_leave(link->endpoint, &err) != 0)
		LOG(LOG_ERROR, "link.spool_not_synced", log_err(&err));
	LOG(LOG_INFO, "link.starts_anew", log_number("events_waiting", (int64_t)status.events_waiting));
	link_guard_starts_anew(link->guard);
	loop_stop(link->loop);
}

time_us link_candidate_due(const struct link_candidate *candidate)
{
	return move_leaves_at(&candidate->life);
}

struct link_candidate *link_candidate_new(struct link *link, int store, struct err *err)
{
	struct link_candidate *candidate = calloc(1, sizeof(*candidate));

	if (candidate == NULL) {
		err_set(err, ERR_MEMORY, "out of memory");
		return NULL;
	}
	candidate->link = link;
	candidate->store = store;
	candidate->directory = -1;
	buf_init(&candidate->request, WIRE_ENROL_REQUEST_MAX_BYTES);
	return candidate;
}

void link_candidate_free(struct link_candidate *candidate)
{
	if (candidate == NULL)
		return;
	forget(candidate);
	free(candidate);
}
