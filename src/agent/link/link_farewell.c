/* Leave-taking (agent/link/link_farewell.h). What the old manager answers is looked at for its status alone. */
#include "agent/link/link_farewell.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/identity_switch.h"
#include "base/log.h"
#include "net/client.h"

#define ANSWER_WAIT_US (30 * SECOND_US)
#define AGAIN_US       (5 * SECOND_US) /* doubled up to an hour */
#define AGAIN_MAX_US   HOUR_US
#define GIVE_UP_US     (7 * DAY_US)

struct link_farewell {
	struct link *link;
	int store; /* DIR/link */
	struct agent_identity former;
	struct manager_url url;
	struct tls_client *tls;
	struct http_client *client;
	struct loop_timer *timer;
	unsigned failures;
	time_us begun;
};

static void drop(int store)
{
	struct err err = { 0 };

	if (identity_switch_drop(store, IDENTITY_FORMER, &err) != 0)
		LOG(LOG_ERROR, "farewell.former_not_removed", log_err(&err));
}

static bool is_settled(int status)
{
	/* Taken, or it does not know this identity any more. */
	return status == 200 || status == 204 || status == 403 || status == 404;
}

static void later(struct link_farewell *farewell)
{
	const struct env *env = farewell->link->env;
	span_us wait = AGAIN_US << (farewell->failures < 12 ? farewell->failures : 12);

	wait = wait < AGAIN_MAX_US ? wait : AGAIN_MAX_US;
	farewell->failures++;
	if (env_monotonic(env) - farewell->begun > GIVE_UP_US) {
		LOG(LOG_WARNING, "farewell.given_up", log_text("manager", farewell->former.manager));
		drop(farewell->store);
		return;
	}
	loop_timer_set(farewell->timer, wait / 2 + (span_us)env_below(env, (uint64_t)wait));
}

static void on_answer(void *argument, const struct http_answer *answer)
{
	struct link_farewell *farewell = argument;

	if (!is_settled(answer->status)) {
		later(farewell);
		return;
	}
	LOG(LOG_INFO, "farewell.said", log_text("manager", farewell->former.manager),
	    log_number("status", answer->status));
	drop(farewell->store);
}

static int connect_to(struct link_farewell *farewell, struct err *err)
{
	const struct tls_client_options tls = { .ca_pem = buf_text(&farewell->former.authority_pem),
						.certificate_pem = buf_text(&farewell->former.certificate_pem),
						.key_pem = buf_text(&farewell->former.key_pem),
						.any_host_name = true,
						.agent = true };
	struct http_client_options options = { .host = farewell->url.host,
					       .port = farewell->url.port,
					       .reply_max_bytes = (size_t)64 * KIB };

	if (farewell->client != NULL)
		return 0;
	farewell->tls = farewell->tls != NULL ? farewell->tls : tls_client_new(&tls, err);
	if (farewell->tls == NULL)
		return err->code;
	options.tls = farewell->tls;
	farewell->client = http_client_new(farewell->link->loop, &options, err);
	return farewell->client != NULL ? 0 : err->code;
}

static void say(void *argument)
{
	struct link_farewell *farewell = argument;
	json_t *json = json_pack("{s:s}", "manager", farewell->link->identity.manager);
	char *text = json != NULL ? json_dumps(json, JSON_COMPACT) : NULL;
	const struct http_body body = { .bytes = text, .fd = -1, .size = text != NULL ? strlen(text) : 0 };
	struct err err = { 0 };
	int rc = text != NULL ? connect_to(farewell, &err) : err_set(&err, ERR_MEMORY, "out of memory");

	if (rc == 0)
		rc = http_client_send(farewell->client, "POST", "/agent/v1/leave", "Content-Type: application/json\r\n",
				      &body, ANSWER_WAIT_US, on_answer, farewell, &err);
	if (rc != 0) {
		LOG(LOG_WARNING, "farewell.failed", log_err(&err));
		later(farewell);
	}
	free(text);
	json_decref(json);
}

/* Whose identity it was decides: another manager's, or one that somebody else may hold. */
static bool has_to_be_told(const struct link_farewell *farewell)
{
	return strcmp(farewell->former.manager, farewell->link->identity.manager) != 0;
}

struct link_farewell *link_farewell_new(struct link *link, int store, struct err *err)
{
	int directory = openat(store, IDENTITY_FORMER, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW), rc;
	struct link_farewell *farewell;
	struct err cause = { 0 };

	if (directory < 0)
		return NULL;
	farewell = calloc(1, sizeof(*farewell));
	if (farewell == NULL) {
		close(directory);
		err_set(err, ERR_MEMORY, "out of memory");
		return NULL;
	}
	farewell->link = link;
	farewell->store = store;
	rc = identity_files_load(directory, &farewell->former, &cause);
	close(directory);
	if (rc == 0)
		rc = manager_url_parse(farewell->former.manager, &farewell->url, &cause);
	if (rc == 0 && has_to_be_told(farewell))
		return farewell;
	drop(store);
	link_farewell_free(farewell);
	return NULL;
}

void link_farewell_begin(struct link_farewell *farewell)
{
	if (farewell == NULL)
		return;
	farewell->timer = loop_timer_new(farewell->link->loop, say, farewell);
	farewell->begun = env_monotonic(farewell->link->env);
	if (farewell->timer != NULL)
		loop_timer_set(farewell->timer, 0);
}

void link_farewell_free(struct link_farewell *farewell)
{
	if (farewell == NULL)
		return;
	loop_timer_free(farewell->timer);
	http_client_free(farewell->client);
	tls_client_free(farewell->tls);
	agent_identity_done(&farewell->former);
	free(farewell);
}
