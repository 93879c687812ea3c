/* Link before activation (agent/link/link_prepared.h). Input: local requests, let through by the socket's mode; what
 * comes over the network is the prepared server's. */
#include "agent/link/link_prepared.h"

#include <stdio.h>
#include <string.h>

#include "agent/guard/guard.h"
#include "agent/prepared_server.h"
#include "base/log.h"
#include "os/role.h"
#include "trust/signing_key.h"

#define PORT_AGAIN_US (10 * SECOND_US)

struct prepared {
	struct link *link;
	int store;
	struct link_guard *guard;
	struct control_server *control;
	struct prepared_server *server; /* NULL while the port cannot be had */
	struct loop_timer *again;
	char problem[ERR_TEXT_BYTES];
};

/* --- guard's side --- */

static void on_progress(void *context, const struct message_progress *progress)
{
	(void)context;
	(void)progress;
}

static void on_component(void *context, const struct message_component *component)
{
	(void)context;
	(void)component;
}

static void on_guard_gone(void *context, const char *why)
{
	struct prepared *prepared = context;

	LOG(LOG_INFO, "link.guard_gone", log_text("cause", why));
	loop_stop(prepared->link->loop);
}

static void on_stop_answered(void *argument, const struct message_answer *answer, int fd)
{
	(void)argument;
	(void)answer;
	(void)fd;
}

/* --- the listener --- */

static void on_activated(void *argument)
{
	struct prepared *prepared = argument;

	LOG(LOG_INFO, "link.starts_anew");
	link_guard_starts_anew(prepared->guard);
	loop_stop(prepared->link->loop);
}

static void listen_now(void *argument)
{
	struct prepared *prepared = argument;
	struct link *link = prepared->link;
	struct prepared_server_options options = { .env = link->env,
						   .loop = link->loop,
						   .address = link->settings.listen_address,
						   .port = (uint16_t)link->settings.listen_port,
						   .store = prepared->store,
						   .host = &link->host,
						   .activated = on_activated,
						   .argument = prepared };
	struct err err = { 0 };

	memcpy(options.key, link->accepted, sizeof(options.key));
	prepared->server = prepared_server_new(&options, &err);
	if (prepared->server != NULL) {
		prepared->problem[0] = '\0';
		LOG(LOG_INFO, "prepared.listens", log_number("port", link->settings.listen_port));
		return;
	}
	if (strcmp(prepared->problem, err.text) != 0)
		LOG(LOG_ERROR, "prepared.not_listening", log_err(&err));
	snprintf(prepared->problem, sizeof(prepared->problem), "%s", err.text);
	loop_timer_set(prepared->again, PORT_AGAIN_US);
}

/* --- local requests --- */

static json_t *status_line(const struct prepared *prepared)
{
	const struct link *link = prepared->link;
	uint8_t fingerprint[SHA256_BYTES];
	char text[SHA256_TEXT_BYTES];

	signing_key_fingerprint(link->accepted, fingerprint);
	hex_format(fingerprint, sizeof(fingerprint), text);
	return json_pack("{s:s,s:s,s:b,s:b,s:s,s:s,s:{s:b,s:i,s:s,s:I}}", "type", "status", "version", MUSTER_VERSION,
			 "prepared", 1, "connected", 0, "trusted_key_fingerprint", text, "limits", link->missing,
			 "link", "listening", prepared->server != NULL, "port", (int)link->settings.listen_port,
			 "problem", prepared->problem, "refused",
			 (json_int_t)(prepared->server != NULL ? prepared_server_refused(prepared->server) : 0));
}

static int stop(struct prepared *prepared, struct err *err)
{
	LOG(LOG_INFO, "agent.stopping", log_text("cause", "asked for on this computer"));
	return link_guard_ask(prepared->guard, MESSAGE_STOP, NULL, -1, on_stop_answered, NULL, err);
}

static void on_request(void *context, struct control_client *client, const struct control_request *request)
{
	struct prepared *prepared = context;
	/* No policy holds yet, and so no unload password. */
	bool stops = request->kind == CONTROL_STOP || request->kind == CONTROL_UNINSTALL;
	struct err err = { 0 };
	int rc = 0;

	if (request->kind == CONTROL_STATUS)
		control_client_line(client, status_line(prepared));
	else if (!stops)
		rc = err_set(&err, ERR_WRONG_STATE,
			     "this agent is not activated: it waits for its manager (muster computer activate HOST)");
	control_client_end(client, rc, &err);
	if (stops && stop(prepared, &err) != 0)
		LOG(LOG_ERROR, "link.stop_not_sent", log_err(&err));
}

static void on_gone(void *context, struct control_client *client)
{
	(void)context;
	(void)client;
}

/* --- life --- */

static int make(struct prepared *prepared, uid_t owner, struct err *err)
{
	struct link *link = prepared->link;
	const struct link_guard_handlers guard = {
		.context = prepared, .progress = on_progress, .component = on_component, .gone = on_guard_gone
	};
	const struct control_handlers control = { .request = on_request, .gone = on_gone, .context = prepared };

	prepared->again = loop_timer_new(link->loop, listen_now, prepared);
	if (prepared->again == NULL)
		return err_set(err, ERR_MEMORY, "out of memory");
	prepared->guard = link_guard_new(link->loop, ROLE_CHANNEL_FD, &guard, err);
	if (prepared->guard == NULL)
		return err->code;
	prepared->control = control_server_new(link->loop, GUARD_CONTROL_FD, owner, &control, err);
	return prepared->control != NULL ? 0 : err->code;
}

int link_prepared_run(struct link *link, int store, uid_t owner, struct err *err)
{
	struct prepared prepared = { .link = link, .store = store };
	int rc = make(&prepared, owner, err);

	if (rc == 0) {
		LOG(LOG_INFO, "agent.waits_for_activation");
		listen_now(&prepared);
		loop_run(link->loop);
	}
	prepared_server_free(prepared.server);
	control_server_free(prepared.control);
	link_guard_free(prepared.guard);
	loop_timer_free(prepared.again);
	return rc;
}
