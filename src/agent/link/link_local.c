/* The control socket's requests (agent/link/link_local.h). Input: checked by agent/control.c. */
#include "agent/link/link_local.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/link/link_candidate.h"
#include "agent/link/link_components.h"
#include "agent/link/link_configuration.h"
#include "agent/link/link_exchange.h"
#include "agent/link/link_history.h"
#include "agent/link/link_items.h"
#include "agent/link/link_jobs.h"
#include "agent/link/link_listen.h"
#include "agent/link/link_unload.h"
#include "agent/link/link_upload.h"
#include "base/log.h"

#define HEARTBEATS_MAX    16
#define HEARTBEAT_WAIT_US (60 * SECOND_US)

struct link_local {
	struct link *link;
	struct control_server *server;
	bool connected;
	time_us since; /* wall clock: of `connected` */
	/* Who waits for an exchange that began after they asked. */
	struct {
		struct control_client *client;
		uint64_t exchanges, failures; /* counters when they asked */
		time_us asked;
	} heartbeats[HEARTBEATS_MAX];
	size_t heartbeat_count;
};

static json_t *when(time_us time)
{
	char text[TIME_TEXT_BYTES];

	if (time == 0)
		return json_null();
	time_format(time, text);
	return json_string(text);
}

static const char *cause_of(const struct link *link, const struct endpoint_status *status, char *room, size_t capacity)
{
	if (status->connected)
		return "";
	if (link_exchange_denial(link->exchange) != EXCHANGE_NOT_DENIED) {
		snprintf(room, capacity, "the manager does not accept this computer any more (%s)",
			 status->last_error_text);
		return room;
	}
	return status->last_error ? status->last_error_text : "no exchange yet";
}

/* fingerprint null: agent.ini's settings are in force. */
static json_t *configuration_line(const struct link *link)
{
	struct endpoint_configuration_state state;
	char fingerprint[SHA256_TEXT_BYTES];
	json_t *shown = json_null();

	endpoint_configuration_state(link->endpoint, &state);
	if (state.fingerprint != NULL) {
		hex_format(state.fingerprint, SHA256_BYTES, fingerprint);
		shown = json_string(fingerprint);
	}
	return json_pack("{s:o,s:b,s:o}", "fingerprint", shown, "under_way", state.under_way, "refused",
			 control_name(state.refused, strlen(state.refused)));
}

static json_t *trusted_key(const struct link *link)
{
	uint8_t fingerprint[SHA256_BYTES];
	char text[SHA256_TEXT_BYTES];

	endpoint_trusted(link->endpoint, fingerprint);
	hex_format(fingerprint, sizeof(fingerprint), text);
	return json_string(text);
}

static json_t *status_line(struct link_local *local)
{
	struct link *link = local->link;
	struct endpoint_status status;
	char id[UUID_TEXT_BYTES], room[400];
	enum exchange_denial denial = link_exchange_denial(link->exchange);
	const char *cause;
	json_t *line;

	endpoint_status(link->endpoint, &status);
	uuid_format(&link->identity.computer, id);
	cause = cause_of(link, &status, room, sizeof(room));
	line = json_pack("{s:s,s:s,s:s,s:s,s:s,s:b,s:o,s:o,s:s,s:b,s:o}", "type", "status", "version", MUSTER_VERSION,
			 "computer", id, "name", link->identity.name, "manager", link->identity.manager, "connected",
			 status.connected, "since", when(local->since), "cause", control_name(cause, strlen(cause)),
			 "cause_code", status.connected || !status.last_error ? "" : err_name(status.last_error),
			 "revoked", denial != EXCHANGE_NOT_DENIED, "last_exchange", when(status.last_contact));
	json_object_set_new(line, "deactivated", json_boolean(denial == EXCHANGE_DENIED_DEACTIVATED));
	json_object_set_new(line, "not_on_record", json_boolean(denial == EXCHANGE_DENIED_NOT_ON_RECORD));
	json_object_set_new(line, "trusted_key_fingerprint", trusted_key(link));
	json_object_set_new(line, "refused", json_integer((json_int_t)status.refused));
	json_object_set_new(line, "network_interval_s",
			    status.pace_us > 0 ? json_integer((json_int_t)(status.pace_us / SECOND_US)) : json_null());
	json_object_set_new(line, "network_polls", json_boolean(status.pace_periodic));
	json_object_set_new(line, "events_waiting", json_integer((json_int_t)status.events_waiting));
	json_object_set_new(line, "events_dropped", json_integer((json_int_t)status.events_dropped));
	json_object_set_new(line, "uploads_waiting", json_integer((json_int_t)link_uploads_waiting(link->uploads)));
	json_object_set_new(line, "configuration", configuration_line(link));
	json_object_set_new(line, "unload_password", json_boolean(link_unload_asks(link)));
	json_object_set_new(line, "components", link_components_status(link->components));
	json_object_set_new(line, "scans", link_jobs_status(link->jobs));
	json_object_set_new(line, "link", link_listen_status(link->listen));
	json_object_set_new(line, "limits", json_string(link->missing));
	return line;
}

/* --- one function a request; each ends the client now or hands it on --- */

typedef int (*handler)(struct link_local *local, const struct control_request *request, struct control_client *client,
		       struct err *err);

static int on_status(struct link_local *local, const struct control_request *request, struct control_client *client,
		     struct err *err)
{
	(void)request;
	(void)err;
	control_client_line(client, status_line(local));
	control_client_end(client, 0, NULL);
	return 0;
}

static int on_scan(struct link_local *local, const struct control_request *request, struct control_client *client,
		   struct err *err)
{
	return link_jobs_local(local->link->jobs, request, client, err);
}

static int on_cancel(struct link_local *local, const struct control_request *request, struct control_client *client,
		     struct err *err)
{
	int rc = link_jobs_steer(local->link->jobs, MESSAGE_JOB_CANCEL, &request->item, NULL, err);

	if (rc == 0)
		control_client_end(client, 0, NULL);
	return rc;
}

static int on_heartbeat(struct link_local *local, const struct control_request *request, struct control_client *client,
			struct err *err)
{
	struct endpoint_status status;

	(void)request;
	if (local->heartbeat_count == HEARTBEATS_MAX)
		return err_set(err, ERR_BUSY, "%d heartbeats were asked for already", HEARTBEATS_MAX);
	endpoint_status(local->link->endpoint, &status);
	local->heartbeats[local->heartbeat_count].client = client;
	local->heartbeats[local->heartbeat_count].exchanges = link_exchange_count(local->link->exchange);
	local->heartbeats[local->heartbeat_count].asked = env_monotonic(local->link->env);
	local->heartbeats[local->heartbeat_count].failures = status.failures;
	local->heartbeat_count++;
	link_exchange_hurry(local->link->exchange);
	return 0;
}

static void show_event(void *context, json_t *line)
{
	control_client_line(context, line);
}

static int on_events(struct link_local *local, const struct control_request *request, struct control_client *client,
		     struct err *err)
{
	(void)err;
	link_history_show(local->link->history, request->limit, show_event, client);
	control_client_end(client, 0, NULL);
	return 0;
}

static int on_settings(struct link_local *local, const struct control_request *request, struct control_client *client,
		       struct err *err)
{
	(void)request;
	(void)err;
	link_configuration_show(local->link->configuration, client);
	control_client_end(client, 0, NULL);
	return 0;
}

static int on_quarantine(struct link_local *local, const struct control_request *request, struct control_client *client,
			 struct err *err)
{
	return link_items_local(local->link->items, request, client, err);
}

static int ask_password(struct link_local *local, enum local_action action, const struct control_request *request,
			const struct control_client *client, struct err *err)
{
	return link_unload_allowed(local->link, action, request->password, control_client_uid(client), err);
}

static int on_stop(struct link_local *local, const struct control_request *request, struct control_client *client,
		   struct err *err)
{
	bool uninstalls = request->kind == CONTROL_UNINSTALL;
	int rc = ask_password(local, uninstalls ? LOCAL_ACTION_UNINSTALL : LOCAL_ACTION_STOP, request, client, err);

	if (rc != 0)
		return rc;
	control_client_end(client, 0, NULL);
	link_stop(local->link, uninstalls ? "it is uninstalled" : "asked for on this computer");
	return 0;
}

/* By hand: the key of a manager that it could not follow. */
static int on_trust(struct link_local *local, const struct control_request *request, struct control_client *client,
		    struct err *err)
{
	int rc = ask_password(local, LOCAL_ACTION_TRUST, request, client, err);

	if (rc == 0)
		rc = endpoint_trust(local->link->endpoint, request->key, err);
	if (rc != 0)
		return rc;
	link_wake(local->link);
	control_client_end(client, 0, NULL);
	return 0;
}

static void on_moved(void *argument, int rc, const struct err *err)
{
	control_client_end(argument, rc, err);
}

static int on_move(struct link_local *local, const struct control_request *request, struct control_client *client,
		   struct err *err)
{
	struct link_move move = { .manager = request->manager,
				  .token = request->token != NULL ? request->token : "",
				  .has_authority = request->has_authority,
				  .has_key = request->has_key,
				  .listen_port = request->listen_port };
	int rc = ask_password(local, LOCAL_ACTION_MOVE, request, client, err);

	memcpy(move.authority, request->authority, SHA256_BYTES);
	memcpy(move.key, request->key, ENVELOPE_KEY_BYTES);
	return rc == 0 ? link_candidate_move(local->link->candidate, &move, on_moved, client, err) : rc;
}

static const handler handlers[] = {
	[CONTROL_STATUS] = on_status,
	[CONTROL_SCAN] = on_scan,
	[CONTROL_CANCEL] = on_cancel,
	[CONTROL_HEARTBEAT] = on_heartbeat,
	[CONTROL_EVENTS] = on_events,
	[CONTROL_SETTINGS] = on_settings,
	[CONTROL_QUARANTINE_LIST] = on_quarantine,
	[CONTROL_QUARANTINE_RESTORE] = on_quarantine,
	[CONTROL_QUARANTINE_DELETE] = on_quarantine,
	[CONTROL_STOP] = on_stop,
	[CONTROL_TRUST] = on_trust,
	[CONTROL_MOVE] = on_move,
	[CONTROL_UNINSTALL] = on_stop,
};

static void on_request(void *context, struct control_client *client, const struct control_request *request)
{
	struct link_local *local = context;
	struct err err = { 0 };
	int rc;

	if (local->link->stopping)
		rc = err_set(&err, ERR_CLOSED, "the agent is stopping");
	else
		rc = handlers[request->kind](local, request, client, &err);
	if (rc)
		control_client_end(client, rc, &err);
}

static void on_gone(void *context, struct control_client *client)
{
	struct link_local *local = context;

	link_jobs_unwatch(local->link->jobs, client);
	link_items_unwatch(local->link->items, client);
	link_candidate_unwatch(local->link->candidate, client);
	for (size_t i = 0; i < local->heartbeat_count; i++) {
		if (local->heartbeats[i].client == client)
			local->heartbeats[i--] = local->heartbeats[--local->heartbeat_count];
	}
}

/* --- what changed meanwhile --- */

static void answer_heartbeats(struct link_local *local, const struct endpoint_status *status)
{
	uint64_t exchanges = link_exchange_count(local->link->exchange);
	time_us now = env_monotonic(local->link->env);
	struct err err;

	for (size_t i = 0; i < local->heartbeat_count; i++) {
		int rc = 0;

		if (status->failures > local->heartbeats[i].failures)
			rc = err_set(&err, status->last_error, "%s", status->last_error_text);
		else if (now - local->heartbeats[i].asked > HEARTBEAT_WAIT_US)
			rc = err_set(&err, ERR_TIMEOUT, "the manager has not answered within %d s",
				     (int)(HEARTBEAT_WAIT_US / SECOND_US));
		else if (exchanges == local->heartbeats[i].exchanges)
			continue;
		control_client_end(local->heartbeats[i].client, rc, &err);
		local->heartbeats[i--] = local->heartbeats[--local->heartbeat_count];
	}
}

time_us link_local_due(const struct link_local *local)
{
	time_us due = INT64_MAX;

	for (size_t i = 0; i < local->heartbeat_count; i++) {
		if (local->heartbeats[i].asked + HEARTBEAT_WAIT_US < due)
			due = local->heartbeats[i].asked + HEARTBEAT_WAIT_US;
	}
	return due == INT64_MAX ? due : due + MILLISECOND_US;
}

void link_local_step(struct link_local *local)
{
	struct endpoint_status status;

	endpoint_status(local->link->endpoint, &status);
	if (status.connected != local->connected) {
		local->connected = status.connected;
		local->since = env_wall(local->link->env);
		LOG(LOG_INFO, status.connected ? "manager.connected" : "manager.lost",
		    log_text("cause", status.connected ? "" : status.last_error_text));
	}
	answer_heartbeats(local, &status);
}

struct link_local *link_local_new(struct link *link, int listen_fd, uid_t owner, struct err *err)
{
	struct link_local *local = calloc(1, sizeof(*local));
	struct control_handlers table = { .request = on_request, .gone = on_gone, .context = local };

	if (local == NULL) {
		err_set(err, ERR_MEMORY, "out of memory");
		return NULL;
	}
	local->link = link;
	local->since = env_wall(link->env);
	local->server = control_server_new(link->loop, listen_fd, owner, &table, err);
	if (local->server == NULL) {
		free(local);
		return NULL;
	}
	return local;
}

void link_local_free(struct link_local *local)
{
	if (local == NULL)
		return;
	control_server_free(local->server);
	free(local);
}
