/* /system, /openapi.json, /ca.pem, /healthz, /readyz: the manager itself. */
#include <string.h>

#include "manager/api/call_state.h"
#include "manager/api/handlers.h"
#include "manager/api/rows.h"
#include "manager/api/tls_profiles.h"
#include "manager/front/authorities.h"
#include "manager/front/front_server_key.h"
#include "manager/front/key_files.h"

#define WHOLE(value) json_integer((json_int_t)(value))

int system_show(struct api_call *call, struct err *err)
{
	struct front *front = api_call_front(call);
	const struct front_identity *identity = front_identity(front);
	uint8_t key[ENVELOPE_KEY_BYTES], fingerprint[SHA256_BYTES];
	struct front_counts counts = { 0 };
	json_t *json = json_object();

	(void)err;
	front_counts(front, &counts);
	json_object_set_new(json, "name", json_shown(identity->name, strlen(identity->name)));
	json_object_set_new(json, "version", json_string(MUSTER_VERSION));
	json_object_set_new(json, "url", json_shown(identity->url, strlen(identity->url)));
	json_object_set_new(json, "ca_fingerprint", json_sha256(identity->ca_fingerprint));
	json_object_set_new(json, "server_authentication_present",
			    json_boolean(front_server_key(front, key, fingerprint)));
	json_object_set_new(json, "server_authentication_fingerprint", json_sha256(fingerprint));
	json_object_set_new(json, "authority_present", json_boolean(front_authority_ready(front, NULL) == 0));
	json_object_set_new(json, "key_files_in_order", json_boolean(front_key_files_in_order(front)));
	json_object_set_new(json, "agents_without_valid_certificate", WHOLE(front_mismatched(front, NULL, 0)));
	json_object_set_new(json, "agent_port", json_integer(identity->agent_port));
	json_object_set_new(json, "tls_profiles", tls_profiles_enabled(front_listening(front)));
	json_object_set_new(json, "legacy_tls", json_boolean(tls_profiles_legacy(front_listening(front)->all) != 0));
	json_object_set_new(json, "started", json_time(counts.started));
	json_object_set_new(json, "time", json_time(env_wall(api_call_env(call))));
	json_object_set_new(json, "computers", WHOLE(counts.computers));
	json_object_set_new(json, "online", WHOLE(counts.online));
	json_object_set_new(json, "offline", WHOLE(counts.offline));
	json_object_set_new(json, "vm_stopped", WHOLE(counts.vm_stopped));
	json_object_set_new(json, "unknown", WHOLE(counts.unknown));
	json_object_set_new(json, "connected", WHOLE(counts.held_polls));
	json_object_set_new(json, "connections_max", WHOLE(counts.connections_max));
	json_object_set_new(json, "open_files_limit", WHOLE(counts.open_files_limit));
	json_object_set_new(json, "commands_open", WHOLE(counts.commands_open));
	json_object_set_new(json, "quarantine_bytes", WHOLE(counts.quarantine_bytes));
	json_object_set_new(json, "quarantine_capacity_bytes", WHOLE(counts.quarantine_capacity_bytes));
	return api_reply_json(call, 200, json);
}

int document_show(struct api_call *call, struct err *err)
{
	(void)err;
	return api_reply_text(call, 200, "application/json", call->api->document);
}

int ca_show(struct api_call *call, struct err *err)
{
	(void)err;
	return api_reply_text(call, 200, "application/x-pem-file", front_identity(api_call_front(call))->ca_pem);
}

int health_live(struct api_call *call, struct err *err)
{
	(void)err;
	return api_reply_json(call, 200, json_pack("{ss}", "status", "ok"));
}

static int touch(struct store_session *session, void *argument, struct err *err)
{
	(void)argument;
	return cursor_end(cursor_open_text(session, "SELECT 1"), err);
}

int health_ready(struct api_call *call, struct err *err)
{
	const struct front *front = api_call_front(call);
	const struct listening *plan = front_listening(front);

	if (front_stopping(front))
		return api_reply_json(call, 503, json_pack("{ss}", "status", "stopping"));
	if (store_read(api_call_store(call), touch, NULL, err) != 0)
		return api_reply_json(call, 503, json_pack("{ss}", "status", "the database cannot be read"));
	for (size_t i = 0; i < plan->count; i++) {
		if (front_holds(front, i))
			return api_reply_json(
			    call, 503,
			    json_pack("{so}", "status",
				      json_sprintf("port %u waits for its certificate with an RSA key",
						   (unsigned)plan->items[i].address->port)));
	}
	return api_reply_json(call, 200, json_pack("{ss}", "status", "ok"));
}
