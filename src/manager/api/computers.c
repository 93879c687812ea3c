/* /computers: rows of the database with their live state from memory over them. */
#include <string.h>

#include "manager/api/deployment_line.h"
#include "manager/api/handlers.h"
#include "manager/api/rows.h"
#include "manager/front/front_activation.h"
#include "manager/front/front_server_key.h"
#include "manager/front/hypervisors.h"
#include "manager/queries.h"

static const struct row_field fields[] = {
	{ "id", "id", row_id },
	{ "name", "name", row_text },
	{ "status", "status", row_text },
	{ "status_cause", "status_cause", row_text },
	{ "status_since", "status_since", row_time },
	{ "direction", "direction", row_text },
	{ "direction_in_force", "direction", row_text },
	{ "dial_address", "dial_address", row_text },
	{ "listen_port", "listen_port", row_number },
	{ "policy", "policy", row_text },
	{ "group", "group_name", row_text },
	{ "appliance", "appliance", row_boolean },
	{ "last_heard", "last_heard", row_time },
	{ "clock_offset_s", "clock_offset_us", row_seconds },
	{ "agent_version", "agent_version", row_text },
	{ "config_state", "config_state", row_text },
	{ "config_error", "config_error", row_text },
	{ "config_fingerprint", "config_fingerprint", row_hex },
	{ "trusted_key_fingerprint", "trusted_key", row_hex },
	{ "patterns", "patterns", row_text_or_null },
	{ "components", "components", row_array },
	{ "host_name", "host_name", row_text },
	{ "os", "os", row_text },
	{ "kernel", "kernel", row_text },
	{ "architecture", "architecture", row_text },
	{ "addresses", "addresses", row_array },
	{ "machine_uuid", "machine", row_id },
	{ "seen_from", "seen_from", row_text_or_null },
	{ "enrolled", "enrolled", row_time },
	{ "open_alerts", "open_alerts", row_number },
};

static json_t *certificate_match(struct api_call *call, struct cursor *cursor)
{
	struct bytes trusted = cursor_bytes(cursor, "trusted_key");

	if (trusted.size != SHA256_BYTES)
		return json_null();
	return json_boolean(front_key_standing(api_call_front(call), trusted.data) != KEY_MISMATCHED);
}

/* What memory knows is newer than the row: liveness reaches the database in batches. */
static void put_live(json_t *json, const struct front_live *live)
{
	char seen_from[ADDRESS_TEXT_BYTES];

	json_object_set_new(json, "status", json_string(live->status));
	json_object_set_new(json, "status_cause", json_shown(live->cause, strlen(live->cause)));
	if (live->since != 0)
		json_object_set_new(json, "status_since", json_time(live->since));
	if (live->last_heard != 0)
		json_object_set_new(json, "last_heard", json_time(live->last_heard));
	json_object_set_new(json, "clock_offset_s", json_integer(live->clock_offset_s));
	json_object_set_new(json, "direction", json_string(live->direction));
	address_format(&live->seen_from, seen_from);
	if (seen_from[0] != '\0')
		json_object_set_new(json, "seen_from", json_string(seen_from));
	json_object_set_new(json, "direction_in_force", json_string(live->direction_in_force));
	json_object_set_new(json, "config_state", json_string(live->configuration_state));
	if (strcmp(live->configuration_state, "failed") != 0)
		json_object_set_new(json, "config_error", json_string(""));
}

static json_t *machine_json(struct api_call *call, struct cursor *cursor)
{
	struct hypervisor_machine_shown shown;
	struct uuid machine = { 0 };

	if (cursor_is_null(cursor, "machine"))
		return json_null();
	cursor_uuid(cursor, "machine", &machine);
	if (!hypervisors_find(api_call_front(call), &machine, &shown))
		return json_null();
	return json_pack("{so, so, so, ss, so}", "hypervisor", json_uuid(&shown.hypervisor), "hypervisor_name",
			 json_shown(shown.hypervisor_name, strlen(shown.hypervisor_name)), "name",
			 json_shown(shown.name, strlen(shown.name)), "state", hypervisor_power_name(shown.power),
			 "since", json_time(shown.since));
}

static json_t *computer_json(struct api_call *call, struct cursor *cursor)
{
	json_t *json = row_json(cursor, fields, COUNT_OF(fields));
	struct front_live live = { 0 };
	struct uuid id;

	if (json == NULL)
		return NULL;
	cursor_uuid(cursor, "id", &id);
	if (front_computer_live(api_call_front(call), &id, &live, NULL) == 0)
		put_live(json, &live);
	json_object_set_new(json, "network",
			    live.network[0] != '\0' ? json_shown(live.network, strlen(live.network)) : json_null());
	json_object_set_new(json, "connected", json_boolean(live.connected));
	json_object_set_new(json, "machine", machine_json(call, cursor));
	json_object_set_new(json, "link_error", json_shown(live.link_error, strlen(live.link_error)));
	json_object_set_new(json, "certificate_match", certificate_match(call, cursor));
	return json;
}

static const struct list_filter filters[] = {
	{ "state", LIST_TEXT, " AND computer.status = :state", "online", " AND computer.status <> 'online'" },
	{ "name", LIST_PATTERN, " AND computer.name LIKE :name ESCAPE '\\'" },
	{ "group", LIST_TEXT, " AND computer.group_name = :group" },
	{ "policy", LIST_TEXT, " AND computer.policy = :policy" },
};
static const struct list list = {
	.tag = 'c',
	.select = "SELECT computer.*, (SELECT count(*) FROM alert WHERE coalesce(alert.computer, x'') = computer.id"
		  " AND alert.state = 'open') AS open_alerts FROM computer WHERE deleted IS NULL",
	.filters = filters,
	.filter_count = COUNT_OF(filters),
	.ascending = true,
	.key_is_text = true,
	.key = "computer.name",
	.key_column = "name",
	.id = "computer.id",
	.row = computer_json,
};

int computer_list(struct api_call *call, struct err *err)
{
	return list_reply(call, &list, err);
}

int computer_show(struct api_call *call, struct err *err)
{
	json_t *json = NULL;
	int rc = row_get(call, &QUERY_API_COMPUTER_BY_ID, api_path_id(call), "computer", computer_json, &json, err);

	return rc != 0 ? rc : api_reply_json(call, 200, json);
}

static const char *text_of(struct api_call *call, const char *name)
{
	const char *text = json_string_value(json_object_get(api_body(call), name));

	return text != NULL ? text : "";
}

int computer_add(struct api_call *call, struct err *err)
{
	struct front *front = api_call_front(call);
	struct front_setting otherwise;
	const char *policy = text_of(call, "policy");
	json_t *json = NULL;
	struct uuid id;
	int rc = front_setting_get(front, "enrolment.policy", &otherwise, err);

	if (rc == 0)
		rc = front_computer_add(front, text_of(call, "name"), policy[0] != '\0' ? policy : otherwise.value,
					text_of(call, "group"), text_of(call, "dial_address"), api_call_actor(call),
					&id, err);
	if (rc == 0)
		rc = row_get(call, &QUERY_API_COMPUTER_BY_ID, &id, "computer", computer_json, &json, err);
	return rc != 0 ? rc : api_reply_json(call, 201, json);
}

int computer_activate(struct api_call *call, struct err *err)
{
	struct front *front = api_call_front(call);
	const struct front_activation activation = {
		.host = text_of(call, "host"),
		.port = (uint16_t)json_integer_value(json_object_get(api_body(call), "port")),
		.name = text_of(call, "name"),
		.policy = text_of(call, "policy"),
		.group = text_of(call, "group"),
		.url = text_of(call, "url"),
	};
	json_t *json = NULL;
	bool already;
	struct uuid id;
	int rc;

	if (activation.url[0] != '\0' && !deployment_is_url(activation.url))
		return err_set(err, ERR_RANGE, "url: https://HOST:PORT is expected, without a path");
	rc = front_computer_activate(front, &activation, api_call_actor(call), &id, &already, err);
	if (rc == 0)
		rc = row_get(call, &QUERY_API_COMPUTER_BY_ID, &id, "computer", computer_json, &json, err);
	return rc != 0 ? rc : api_reply_json(call, 200, json);
}

int computer_dial_address(struct api_call *call, struct err *err)
{
	const json_t *address = json_object_get(api_body(call), "dial_address");
	int rc =
	    front_computer_link(api_call_front(call), api_path_id(call),
				json_is_string(address) ? json_string_value(address) : "", api_call_actor(call), err);

	return rc != 0 ? rc : computer_show(call, err);
}

int computer_delete(struct api_call *call, struct err *err)
{
	int rc = front_computer_delete(api_call_front(call), api_path_id(call), api_call_actor(call), err);

	return rc != 0 ? rc : api_reply_empty(call);
}

int computer_deactivate(struct api_call *call, struct err *err)
{
	int rc = front_computer_deactivate(api_call_front(call), api_path_id(call), api_call_actor(call), err);

	return rc != 0 ? rc : computer_show(call, err);
}

int computer_reactivate(struct api_call *call, struct err *err)
{
	json_t *json = NULL;
	int rc = front_computer_reactivate(api_call_front(call), api_path_id(call), api_call_actor(call), err);

	if (rc == 0)
		rc = row_get(call, &QUERY_API_COMPUTER_BY_ID, api_path_id(call), "computer", computer_json, &json, err);
	if (rc != 0)
		return rc;
	json_object_set_new(json, "back_within_s", json_integer(FRONT_BACK_WITHIN_S));
	return api_reply_json(call, 200, json);
}

int computer_revoke(struct api_call *call, struct err *err)
{
	int rc = front_computer_revoke(api_call_front(call), api_path_id(call), api_call_actor(call), err);

	return rc != 0 ? rc : computer_show(call, err);
}
