/* Leave-taking (agent/link/link_farewell.h). What the old manager answers is looked at for its status alone. */
#include "agent/link/link_farewell.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/identity_switch.h"
#include "agent/link/link_tls.h"
#include "base/log.h"
#include "endpoint/move.h"
#include "net/client.h"

#define ANSWER_WAIT_US (30 * SECOND_US)

struct link_farewell {
	struct link *link;
	int store;                        /* DIR/link */
	char name[IDENTITY_FORMER_BYTES]; /* in it, of the one that is told now */
	struct agent_identity former;
	struct manager_url url;
	struct tls_client *tls;
	struct http_client *client;
	struct loop_timer *timer;
	struct move_farewell life;
	unsigned place; /* of name among the former ones */
	bool told;      /* the next step is another one's */
	bool other;     /* it did not answer: with the next step another one's turn has come */
};

static void forget(struct link_farewell *farewell)
{
	http_client_free(farewell->client);
	tls_client_free(farewell->tls);
	agent_identity_done(&farewell->former);
	farewell->client = NULL;
	farewell->tls = NULL;
}

/* Of those that cannot be read nobody can be told. */
static bool load_next(struct link_farewell *farewell)
{
	while (identity_switch_find_former(farewell->store, farewell->place, &farewell->place, farewell->name)) {
		int directory =
		    openat(farewell->store, farewell->name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
		struct err err = { 0 };
		int rc = directory >= 0 ? identity_files_load(directory, &farewell->former, &err)
					: err_errno(&err, errno, "link/%s", farewell->name);

		if (directory >= 0)
			close(directory);
		if (rc == 0)
			rc = manager_url_parse(farewell->former.manager, &farewell->url, &err);
		if (rc == 0)
			return true;
		LOG(LOG_WARNING, "farewell.former_not_read", log_text("identity", farewell->name), log_err(&err));
		agent_identity_done(&farewell->former);
		agent_identity_init(&farewell->former);
		if (identity_switch_drop(farewell->store, farewell->name, &err) != 0)
			return false;
	}
	return false;
}

/* This one is told, or given up: the next. */
static void go_on(struct link_farewell *farewell)
{
	struct err err = { 0 };

	farewell->told = false;
	forget(farewell);
	agent_identity_init(&farewell->former);
	if (identity_switch_drop(farewell->store, farewell->name, &err) != 0) {
		LOG(LOG_ERROR, "farewell.former_not_removed", log_err(&err)); /* at the next start once more */
		return;
	}
	if (!load_next(farewell))
		return;
	move_farewell_begin(&farewell->life, env_monotonic(farewell->link->env));
	loop_timer_set(farewell->timer, 0);
}

/* One that is away for long keeps nobody else waiting. */
static void later(struct link_farewell *farewell)
{
	span_us wait;

	if (move_farewell_again(&farewell->life, farewell->link->env, &wait)) {
		farewell->other = true;
		loop_timer_set(farewell->timer, wait);
		return;
	}
	LOG(LOG_WARNING, "farewell.given_up", log_text("manager", farewell->former.manager));
	go_on(farewell);
}

static void on_answer(void *argument, const struct http_answer *answer)
{
	struct link_farewell *farewell = argument;

	if (!move_farewell_settled(answer->status)) {
		later(farewell);
		return;
	}
	LOG(LOG_INFO, "farewell.said", log_text("manager", farewell->former.manager),
	    log_number("status", answer->status));
	farewell->told = true;
	loop_timer_set(farewell->timer, 0); /* its client is not to be freed inside of its own call */
}

static int connect_to(struct link_farewell *farewell, struct err *err)
{
	const struct tls_client_options tls = { .ca_pem = buf_text(&farewell->former.authority_pem),
						.certificate_pem = buf_text(&farewell->former.certificate_pem),
						.key_pem = buf_text(&farewell->former.key_pem),
						.any_host_name = true,
						.agent = true,
						.profiles = link_tls_elsewhere(farewell->link) };
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

static void ask(struct link_farewell *farewell)
{
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

/* The same one again where there is no other. */
static bool take_turns(struct link_farewell *farewell)
{
	unsigned before = farewell->place, place;
	char name[IDENTITY_FORMER_BYTES];

	farewell->other = false;
	if (!identity_switch_find_former(farewell->store, before + 1, &place, name) || place == before)
		return true;
	forget(farewell);
	agent_identity_init(&farewell->former);
	farewell->place = place;
	return load_next(farewell);
}

static void step(void *argument)
{
	struct link_farewell *farewell = argument;

	if (farewell->told)
		go_on(farewell);
	else if (!farewell->other || take_turns(farewell))
		ask(farewell);
}

struct link_farewell *link_farewell_new(struct link *link, int store, struct err *err)
{
	struct link_farewell *farewell = calloc(1, sizeof(*farewell));

	if (farewell == NULL) {
		err_set(err, ERR_MEMORY, "out of memory");
		return NULL;
	}
	farewell->link = link;
	farewell->store = store;
	agent_identity_init(&farewell->former);
	if (load_next(farewell))
		return farewell;
	link_farewell_free(farewell);
	return NULL;
}

void link_farewell_begin(struct link_farewell *farewell)
{
	if (farewell == NULL)
		return;
	farewell->timer = loop_timer_new(farewell->link->loop, step, farewell);
	move_farewell_begin(&farewell->life, env_monotonic(farewell->link->env));
	if (farewell->timer != NULL)
		loop_timer_set(farewell->timer, 0);
}

void link_farewell_free(struct link_farewell *farewell)
{
	if (farewell == NULL)
		return;
	loop_timer_free(farewell->timer);
	forget(farewell);
	free(farewell);
}
