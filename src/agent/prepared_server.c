/* The listener of a prepared agent (agent/prepared_server.h). Input: whoever can reach the port. */
#include "agent/prepared_server.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include "agent/enrol_message.h"
#include "agent/identity_switch.h"
#include "agent/listener.h"
#include "agent/manager_proof.h"
#include "agent/manager_url.h"
#include "agent/posted.h"
#include "base/log.h"
#include "net/server.h"
#include "net/tls_channel.h"
#include "os/env.h"
#include "trust/authority.h"
#include "trust/random.h"

#define CERTIFICATE_NAME "muster-agent, not activated"
#define PURPOSE          "prepared"
#define CONNECTIONS_MAX  4
#define PROOFS_MAX       16
#define END_WAIT_US      (5 * SECOND_US) /* for the answer to leave */
#define PEM_MAX_BYTES    ((size_t)16 * 1024)

static const struct http_limits limits = {
	.header_bytes = 2 * KIB,
	.header_count = 24,
	.connections = CONNECTIONS_MAX,
	.handshake = 10 * SECOND_US,
	.header = 5 * SECOND_US,
	.body_idle = 10 * SECOND_US,
	.idle = 60 * SECOND_US, /* the manager enrols the computer between its two requests */
	.write_idle = 15 * SECOND_US,
};

struct prepared_server {
	struct prepared_server_options options;
	struct tls_server *tls;
	struct http_server *server;
	struct gate gate;
	bool decided;
	struct manager_proof proofs[PROOFS_MAX]; /* the last ones: two people may ask for it at once */
	unsigned proven;                         /* how many there were */
	struct enrol_attempt attempt;            /* once proven */
	uint64_t refused;
	time_us told_at; /* monotonic: the log */
};

/* --- the same answer for everybody --- */

static void note_refused(struct prepared_server *server, const char *peer, const struct err *why)
{
	time_us now = env_monotonic(server->options.env);

	server->refused++;
	if (server->told_at != 0 && now - server->told_at < SECOND_US)
		return;
	server->told_at = now;
	LOG(LOG_WARNING, "prepared.refused", log_text("peer", peer), log_err(why));
}

static void refuse(struct prepared_server *server, struct http_request *request, const struct err *why)
{
	note_refused(server, http_peer(request), why);
	http_problem(request, 403, "Not activated", "This agent answers its own manager alone.");
}

/* --- the manager proves its key --- */

static int open_candidate(const struct prepared_server *server, int *ret_directory, struct err *err)
{
	int store = server->options.store, directory;

	if (mkdirat(store, IDENTITY_CANDIDATE, 0700) != 0 && errno != EEXIST)
		return err_errno(err, errno, "link/" IDENTITY_CANDIDATE);
	directory = openat(store, IDENTITY_CANDIDATE, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (directory < 0)
		return err_errno(err, errno, "link/" IDENTITY_CANDIDATE);
	*ret_directory = directory;
	return 0;
}

/* Kept before anything of it is told: however often a manager begins, it is the same attempt. */
static int take_attempt(struct prepared_server *server, struct err *err)
{
	struct uuid fresh = env_uuid(server->options.env);
	struct enrol_attempt attempt;
	char key[2 * ENVELOPE_KEY_BYTES + 1];
	int directory = -1, rc = open_candidate(server, &directory, err);

	if (rc != 0)
		return rc;
	hex_format(server->options.key, ENVELOPE_KEY_BYTES, key);
	rc = identity_attempt(directory, PURPOSE, key, &fresh, &attempt, err);
	close(directory);
	if (rc != 0)
		return rc;
	identity_attempt_done(&server->attempt);
	server->attempt = attempt;
	return 0;
}

static int encode_request(struct prepared_server *server, struct buf *out, struct err *err)
{
	const struct enrol_wish wish = { .token = "",
					 .host = server->options.host,
					 .listen_port = server->options.port };

	(void)host_refresh(server->options.host);
	return enrol_message_encode(&wish, &server->attempt, out, err);
}

static void on_proof(void *owner, struct http_request *request, const struct buf *body)
{
	struct prepared_server *server = owner;
	uint8_t channel[PROOF_CHANNEL_BYTES];
	struct manager_proof proof;
	struct err err = { 0 };
	struct buf out;
	int rc = tls_channel_export(http_tls(request), PROOF_CHANNEL_LABEL, channel, sizeof(channel), &err);

	buf_init(&out, WIRE_ENROL_REQUEST_MAX_BYTES);
	if (rc == 0 && server->decided)
		rc = err_set(&err, ERR_WRONG_STATE, "activated a moment ago");
	if (rc == 0)
		rc = manager_proof_check(body->data, body->size, PROOF_MANAGER_DIALLED, channel, server->options.key,
					 &proof, &err);
	if (rc == 0)
		rc = take_attempt(server, &err);
	if (rc == 0)
		rc = encode_request(server, &out, &err);
	if (rc == 0) {
		server->proofs[server->proven++ % PROOFS_MAX] = proof;
		LOG(LOG_INFO, "prepared.manager_proven", log_text("peer", http_peer(request)));
		http_reply(request, 200, "application/x-protobuf", NULL, out.data, out.size);
	} else {
		refuse(server, request, &err);
	}
	buf_done(&out);
}

/* --- and hands over an identity --- */

/* The one that was given over this very connection; NULL: none was. */
static const struct manager_proof *find_proof(const struct prepared_server *server, struct http_request *request)
{
	uint8_t channel[PROOF_CHANNEL_BYTES];

	if (server->decided ||
	    tls_channel_export(http_tls(request), PROOF_CHANNEL_LABEL, channel, sizeof(channel), NULL) != 0)
		return NULL;
	for (unsigned i = 0; i < server->proven && i < PROOFS_MAX; i++) {
		if (CRYPTO_memcmp(channel, server->proofs[i].channel, sizeof(channel)) == 0)
			return &server->proofs[i];
	}
	return NULL;
}

static int check_identity(const struct manager_proof *proof, const struct agent_identity *identity, struct err *err)
{
	struct manager_url url;

	if (memcmp(identity->manager_key, proof->key, ENVELOPE_KEY_BYTES) != 0)
		return err_set(err, ERR_UNTRUSTED, "the manager handed over another key than it proved");
	return manager_url_parse(identity->manager, &url, err);
}

static int take_identity(struct prepared_server *server, const struct manager_proof *proof, const struct buf *body,
			 struct err *err)
{
	struct agent_identity identity;
	int directory = -1, rc;

	agent_identity_init(&identity);
	rc = enrol_message_take(body->data, body->size, &(struct enrol_trust){ .pin = proof->authority }, &identity,
				err);
	if (rc == 0)
		rc = check_identity(proof, &identity, err);
	identity.listen_port = 0; /* it stays where the manager has found it */
	buf_append(&identity.key_pem, server->attempt.key_pem.data, server->attempt.key_pem.size);
	if (rc == 0)
		rc = open_candidate(server, &directory, err);
	if (rc == 0)
		rc = identity_switch_decide(directory, &identity, false, err);
	if (rc == 0)
		LOG(LOG_INFO, "prepared.activated", log_uuid("computer", &identity.computer),
		    log_text("name", identity.name), log_text("manager", identity.manager));
	if (directory >= 0)
		close(directory);
	agent_identity_done(&identity);
	return rc;
}

static void on_identity(void *owner, struct http_request *request, const struct buf *body)
{
	struct prepared_server *server = owner;
	const struct manager_proof *proof = find_proof(server, request);
	struct err err = { 0 };
	int rc = proof != NULL ? take_identity(server, proof, body, &err)
			       : err_set(&err, ERR_UNTRUSTED, "an identity from somebody who proved nothing");

	if (rc != 0) {
		refuse(server, request, &err);
		return;
	}
	server->decided = true;
	http_reply(request, 204, NULL, NULL, NULL, 0);
	http_server_stop(server->server, END_WAIT_US, server->options.activated, server->options.argument);
}

/* --- requests --- */

static uint64_t on_request(void *context, struct http_request *request)
{
	struct prepared_server *server = context;
	bool posts = strcmp(http_method(request), "POST") == 0;
	struct err err = { 0 };

	if (posts && strcmp(http_path(request), PREPARED_PROOF_PATH) == 0)
		return posted_begin(request, WIRE_MANAGER_PROOF_MAX_BYTES, on_proof, server);
	if (posts && strcmp(http_path(request), PREPARED_IDENTITY_PATH) == 0 && find_proof(server, request) != NULL)
		return posted_begin(request, WIRE_ENROL_REPLY_MAX_BYTES, on_identity, server);
	err_set(&err, ERR_DENIED, "a request that is not its manager's");
	refuse(server, request, &err);
	return 0;
}

static bool on_accept(void *context, const char *peer)
{
	struct prepared_server *server = context;

	if (gate_pass(&server->gate, peer, env_monotonic(server->options.env)))
		return true;
	server->refused++;
	return false;
}

static void on_refused(void *context, const char *peer, const struct err *cause)
{
	note_refused(context, peer, cause);
}

/* --- life --- */

/* Nobody is to believe it: who dials proves itself, and learns who this is by what it asks to be certified. */
static int make_tls(struct prepared_server *server, struct err *err)
{
	uint8_t ticket_key[TLS_TICKET_KEY_BYTES];
	struct authority *authority = NULL;
	struct buf key, certificate;
	int rc = authority_generate(CERTIFICATE_NAME, env_wall(server->options.env), &authority, err);

	buf_init(&key, PEM_MAX_BYTES);
	buf_init(&certificate, PEM_MAX_BYTES);
	if (rc == 0)
		rc = authority_key_pem(authority, &key, err);
	if (rc == 0)
		rc = authority_pem(authority, &certificate, err);
	if (rc == 0) {
		random_fill(NULL, ticket_key, sizeof(ticket_key));
		server->tls = tls_server_new(buf_text(&certificate), buf_text(&key), NULL, ticket_key, err);
		explicit_bzero(ticket_key, sizeof(ticket_key));
		rc = server->tls != NULL ? 0 : err->code;
	}
	authority_free(authority);
	buf_wipe(&key);
	buf_done(&certificate);
	return rc;
}

static int make_server(struct prepared_server *server, struct err *err)
{
	const struct http_handlers handlers = { .on_request = on_request,
						.on_body = posted_body,
						.on_complete = posted_complete,
						.on_gone = posted_gone,
						.context = server,
						.on_accept = on_accept,
						.on_refused = on_refused };

	server->server = http_server_new(&server->options.loop, &server->tls, 1, &limits, &handlers, err);
	if (server->server == NULL)
		return err->code;
	return listener_open_ports(server->server, server->options.address, server->options.port, err);
}

struct prepared_server *prepared_server_new(const struct prepared_server_options *options, struct err *err)
{
	struct prepared_server *server = calloc(1, sizeof(*server));

	if (server == NULL) {
		err_set(err, ERR_MEMORY, "no memory to listen");
		return NULL;
	}
	server->options = *options;
	buf_init(&server->attempt.key_pem, PEM_MAX_BYTES);
	if (make_tls(server, err) == 0 && make_server(server, err) == 0)
		return server;
	prepared_server_free(server);
	return NULL;
}

void prepared_server_free(struct prepared_server *server)
{
	if (server == NULL)
		return;
	http_server_free(server->server);
	tls_server_free(server->tls);
	identity_attempt_done(&server->attempt);
	free(server);
}

uint64_t prepared_server_refused(const struct prepared_server *server)
{
	return server->refused;
}
