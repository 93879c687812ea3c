/* Activation (agent/local/activate.h). Input: the command line; then the manager's answer, trusted only as far as
 * its authority has the fingerprint that was given. */
#include "agent/local/activate.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/enrol_message.h"
#include "agent/local/control_ask.h"
#include "agent/local/local.h"
#include "agent/manager_url.h"
#include "agent/prepared_file.h"
#include "agent/problem.h"
#include "agent/proof_asking.h"
#include "agent/settings.h"
#include "agent/users.h"
#include "net/client.h"
#include "os/env.h"
#include "os/files.h"
#include "os/role.h"
#include "trust/fingerprint.h"
#include "trust/identity.h"
#include "trust/token.h"
#include "wire/exchange.h"

#define ENROL_TIMEOUT (30 * SECOND_US)

/* By what the manager is known: its authority's fingerprint, and for an agent that was prepared, its key. */
struct known_by {
	bool pinned, prepared; /* one of them at least */
	uint8_t pin[SHA256_BYTES];
	uint8_t key[ENVELOPE_KEY_BYTES];
};

/* One enrolment under way. */
struct enrolment {
	struct loop *loop;
	struct proof_asking asking;
	struct buf reply;
	int status;
	char content_type[64];
	span_us retry_after;
	struct err err;
};

/* A value on the command line that is not what it should be. */
static int wrong_usage(const char *option, struct err *err)
{
	err->code = ERR_USAGE;
	return err_add(err, ERR_USAGE, "%s", option);
}

/* The key that the agent was prepared with, if it was. A file that is damaged lets no manager in. */
static int read_prepared(const char *data, struct known_by *known, struct err *err)
{
	char path[4200];
	int directory, rc;

	snprintf(path, sizeof(path), "%s/identity", data);
	directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (directory < 0)
		return 0;
	rc = prepared_file_load(directory, known->key, err);
	known->prepared = rc == 0;
	close(directory);
	if (rc == ERR_NOT_FOUND)
		return 0;
	return rc == 0 ? 0 : err_add(err, rc, "%.200s/" PREPARED_FILE " (muster-agent prepare writes it anew)", path);
}

static int check_usage(const struct activation *activation, struct manager_url *url, struct known_by *known,
		       struct err *err)
{
	int rc = read_prepared(activation->data, known, err);

	if (rc != 0)
		return rc;
	if (manager_url_parse(activation->url, url, err))
		return wrong_usage("URL", err);
	known->pinned = activation->fingerprint != NULL;
	if (!known->pinned && !known->prepared)
		return err_set(
		    err, ERR_USAGE,
		    "--ca-fingerprint is missing: `muster-manager init` printed it, `muster cert list` shows it "
		    "(authority), `muster token create --enrolment` as well");
	if (known->pinned && fingerprint_parse(activation->fingerprint, known->pin, err))
		return wrong_usage("--ca-fingerprint", err);
	if (activation->token != NULL && token_check(activation->token, TOKEN_ENROLMENT, err))
		return wrong_usage("--token", err);
	return 0;
}

static void on_answer(void *argument, const struct http_answer *answer)
{
	struct enrolment *enrolment = argument;

	enrolment->status = answer->status;
	enrolment->retry_after = answer->retry_after;
	if (answer->status == 0 && answer->err != NULL)
		enrolment->err = *answer->err;
	if (answer->content_type)
		snprintf(enrolment->content_type, sizeof(enrolment->content_type), "%s", answer->content_type);
	buf_append(&enrolment->reply, answer->body, answer->size);
	loop_stop(enrolment->loop);
}

static void on_proven(void *argument, int rc, const struct err *err)
{
	struct enrolment *enrolment = argument;

	enrolment->err = rc != 0 ? *err : (struct err){ 0 };
	loop_stop(enrolment->loop);
}

/* Before the manager is told anything, a token least of all. */
static int have_it_proven(struct enrolment *enrolment, struct http_client *client, struct known_by *known,
			  struct err *err)
{
	struct proof_asking *asking = &enrolment->asking;
	int rc;

	asking->client = client;
	asking->done = on_proven;
	asking->argument = enrolment;
	memcpy(asking->accepted, known->key, ENVELOPE_KEY_BYTES);
	rc = proof_asking_begin(asking, err);
	if (rc != 0)
		return rc;
	loop_run(enrolment->loop);
	if (enrolment->err.code == 0 && known->pinned && memcmp(known->pin, asking->proof.authority, SHA256_BYTES) != 0)
		err_set(&enrolment->err, ERR_UNTRUSTED,
			"the manager proved its key for another authority than the one with the given fingerprint");
	memcpy(known->pin, asking->proof.authority, SHA256_BYTES);
	if (enrolment->err.code != 0)
		*err = enrolment->err;
	return enrolment->err.code;
}

static int send_and_wait(struct enrolment *enrolment, struct http_client *client, const struct buf *request,
			 struct err *err)
{
	const struct http_body body = { .bytes = request->data, .fd = -1, .size = request->size };
	int rc = http_client_send(client, "POST", "/agent/v1/enrol", "Content-Type: application/x-protobuf\r\n", &body,
				  ENROL_TIMEOUT, on_answer, enrolment, err);

	if (rc != 0)
		return rc;
	loop_run(enrolment->loop);
	if (enrolment->status != 0)
		return 0;
	*err = enrolment->err;
	return err->code ? err->code : err_set(err, ERR_CLOSED, "the manager did not answer");
}

/* The status and body are in the enrolment. */
static int talk(struct enrolment *enrolment, const struct manager_url *url, struct known_by *known,
		const struct buf *request, struct err *err)
{
	struct tls_client_options tls_options = { .ca_fingerprint = known->pinned ? known->pin : NULL,
						  .any_peer = !known->pinned,
						  .any_host_name = true,
						  .agent = true };
	struct http_client_options options = { .host = url->host,
					       .port = url->port,
					       .connect_timeout = ENROL_TIMEOUT,
					       .reply_max_bytes = WIRE_ENROL_REPLY_MAX_BYTES };
	struct http_client *client = NULL;
	int rc = 0;

	options.tls = tls_client_new(&tls_options, err);
	if (options.tls != NULL)
		client = http_client_new(enrolment->loop, &options, err);
	if (client == NULL)
		rc = err->code;
	if (rc == 0 && known->prepared)
		rc = have_it_proven(enrolment, client, known, err);
	if (rc == 0)
		rc = send_and_wait(enrolment, client, request, err);
	http_client_free(client);
	tls_client_free(options.tls);
	return rc;
}

/* What a person can do about it, behind the sentence. */
static int advise(const struct activation *activation, int rc, struct err *err)
{
	const char *advice = local_dial_advice(rc);
	char cause[ERR_TEXT_BYTES];

	if (*advice == '\0')
		return err_add(err, rc, "%.128s", activation->url);
	snprintf(cause, sizeof(cause), "%s", err->text);
	return err_set(err, rc, "%.128s: %.250s; %s", activation->url, cause, advice);
}

/* The manager's own words, and when to try again where it says so. */
static int refused(const struct enrolment *enrolment, struct err *err)
{
	char cause[ERR_TEXT_BYTES];
	int rc = problem_error("the manager refused", enrolment->status, enrolment->content_type, enrolment->reply.data,
			       enrolment->reply.size, err);

	if (enrolment->retry_after <= 0)
		return rc;
	snprintf(cause, sizeof(cause), "%s", err->text);
	return err_set(err, rc, "%.400s (in %lld s)", cause, (long long)(enrolment->retry_after / SECOND_US));
}

static int enrol(const struct activation *activation, const struct manager_url *url, struct known_by *known,
		 const struct enrol_attempt *attempt, struct agent_identity *identity, struct err *err)
{
	struct enrolment enrolment = { .status = 0 };
	struct host host;
	const struct enrol_wish wish = { .token = activation->token != NULL ? activation->token : "",
					 .name = activation->name,
					 .policy = activation->policy,
					 .group = activation->group,
					 .host = &host };
	struct buf request;
	int rc;

	buf_init(&request, WIRE_ENROL_REQUEST_MAX_BYTES);
	buf_init(&enrolment.reply, WIRE_ENROL_REPLY_MAX_BYTES);
	enrolment.loop = loop_new(err);
	host_read(&host, NULL);
	rc = enrolment.loop ? enrol_message_encode(&wish, attempt, &request, err) : err->code;
	if (rc == 0) {
		rc = talk(&enrolment, url, known, &request, err);
		if (rc)
			rc = advise(activation, rc, err);
	}
	if (rc == 0 && enrolment.status != 200)
		rc = refused(&enrolment, err);
	if (rc == 0)
		rc = enrol_message_take(enrolment.reply.data, enrolment.reply.size,
					&(struct enrol_trust){ .pin = known->pin }, identity, err);
	if (rc == 0 && known->prepared &&
	    memcmp(identity->manager_key, enrolment.asking.proof.key, ENVELOPE_KEY_BYTES) != 0)
		rc = err_set(err, ERR_UNTRUSTED, "the manager gave another key than it proved");
	loop_free(enrolment.loop);
	buf_done(&enrolment.reply);
	buf_wipe(&request); /* holds the token */
	buf_done(&request);
	return rc;
}

int activation_directories(const char *data, uid_t uid, gid_t gid, int *ret_identity, struct err *err)
{
	int directory = -1;
	int rc = files_make_directory(AT_FDCWD, data, 0711, (uid_t)-1, (gid_t)-1, &directory, err);

	if (rc == 0)
		rc = files_make_directory(directory, "identity", 0700, uid, gid, ret_identity, err);
	if (rc == 0)
		rc = files_make_directory(directory, "link", 0700, uid, gid, NULL, err);
	if (rc == 0)
		rc = files_make_directory(directory, "signatures", 0755, (uid_t)-1, (gid_t)-1, NULL, err);
	if (directory >= 0)
		close(directory);
	return rc ? err_add(err, rc, "%s", data) : 0;
}

int activation_settings(const char *data, struct settings *settings, struct err *err)
{
	struct buf problems;
	struct stat st;
	char path[4200];
	int rc;

	snprintf(path, sizeof(path), "%s/%s", data, SETTINGS_FILE);
	if (stat(path, &st) != 0 && errno == ENOENT)
		return conf_init(&settings_table, settings, err);
	buf_init(&problems, CONF_PROBLEMS_BYTES);
	rc = settings_load(data, settings, &problems, err);
	if (rc && problems.size)
		rc = err_set(err, rc, "%.*s", (int)strcspn(buf_text(&problems), "\n"), buf_text(&problems));
	buf_done(&problems);
	return rc;
}

/* agent.ini keeps what was set in it; manager and users are put in. */
static int store_settings(const struct activation *activation, struct settings *settings, uint16_t listen_port,
			  struct err *err)
{
	char path[4200];
	char *url = strdup(activation->url);

	if (url == NULL)
		return err_set(err, ERR_MEMORY, "out of memory");
	free(settings->manager_url);
	settings->manager_url = url;
	if (listen_port != 0)
		settings->listen_port = listen_port;
	snprintf(path, sizeof(path), "%s/%s", activation->data, SETTINGS_FILE);
	return conf_write(&settings_table, settings, path, 0644, err);
}

static bool is_whole(int directory)
{
	struct agent_identity identity;
	struct err cause;
	bool whole;

	agent_identity_init(&identity);
	whole = identity_files_load(directory, &identity, &cause) == 0;
	agent_identity_done(&identity);
	return whole;
}

/* True when this computer belongs to that manager already; ERR_EXISTS when to another. */
static int check_present(const struct activation *activation, int directory, struct agent_identity *identity,
			 bool *ret_already, struct err *err)
{
	struct err cause;

	if (identity_files_who(directory, identity, &cause) != 0 || !is_whole(directory))
		return 0; /* none, or one that is damaged and is replaced */
	if (strcmp(identity->manager, activation->url) != 0)
		return err_set(
		    err, ERR_EXISTS,
		    "this agent belongs to %.200s as %.100s; to leave that manager first: muster-agent reset "
		    "--data %.200s --yes",
		    identity->manager, identity->name, activation->data);
	*ret_already = true;
	return 0;
}

static int activate_in(const struct activation *activation, const struct manager_url *url, struct known_by *known,
		       struct settings *settings, struct agent_identity *identity, bool *ret_already, struct err *err)
{
	struct uuid fresh = env_uuid(env_system());
	struct enrol_attempt attempt = { 0 };
	struct agent_users users;
	int directory = -1;
	int rc = users_choose(settings, &users, err);

	if (rc == 0)
		rc = activation_directories(activation->data, users.link_uid, users.link_gid, &directory, err);
	if (rc == 0)
		rc = check_present(activation, directory, identity, ret_already, err);
	if (rc || *ret_already)
		goto out;
	if (known->prepared && control_reachable(activation->data, NULL) == 0) { /* it would go on waiting */
		rc = err_set(err, ERR_BUSY, "the agent runs; stop it first: muster-agent stop --data %.200s",
			     activation->data);
		goto out;
	}
	rc = identity_attempt(directory, activation->url, activation->token != NULL ? activation->token : "", &fresh,
			      &attempt, err);
	if (rc == 0)
		rc = enrol(activation, url, known, &attempt, identity, err);
	if (rc)
		goto out;
	snprintf(identity->manager, sizeof(identity->manager), "%s", activation->url);
	buf_append(&identity->key_pem, attempt.key_pem.data, attempt.key_pem.size);
	rc = store_settings(activation, settings, known->prepared ? 0 : identity->listen_port, err);
	if (rc == 0)
		rc = identity_files_store(directory, identity, users.link_uid, users.link_gid, err);
	if (rc == 0)
		rc = prepared_file_remove(directory, err);
out:
	identity_attempt_done(&attempt);
	if (directory >= 0)
		close(directory);
	return rc;
}

int activate(const struct activation *activation, struct agent_identity *ret_identity, bool *ret_already,
	     struct err *err)
{
	struct agent_identity identity;
	struct manager_url url;
	struct settings settings;
	struct known_by known = { .prepared = false };
	bool already = false;
	int rc = check_usage(activation, &url, &known, err);

	if (rc == 0)
		rc = activation_settings(activation->data, &settings, err);
	if (rc)
		return rc;
	agent_identity_init(&identity);
	rc = activate_in(activation, &url, &known, &settings, &identity, &already, err);
	settings_done(&settings);
	if (rc) {
		agent_identity_done(&identity);
		return rc;
	}
	*ret_identity = identity;
	*ret_already = already;
	return 0;
}
