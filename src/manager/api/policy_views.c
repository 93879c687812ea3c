/* Looking at policies: the tree, one policy, a computer's effective settings,
 * overrides, differences, history, and the table of settings. */
#include "base/text.h"
#include "manager/api/handlers.h"
#include "manager/api/policy_json.h"
#include "manager/api/rows.h"
#include "manager/front/front_network.h"
#include "manager/queries.h"

#include <stdio.h>
#include <string.h>

/* --- settings --- */

/* An appliance is bound to its direction, whatever is set. */
static bool is_bound(const struct policy_node *origin, enum setting_id id)
{
	return origin != NULL && id == SETTING_LINK_DIRECTION && policy_is_appliance(origin);
}

static const char *origin_name(const struct policy_node *origin, enum setting_id id)
{
	if (is_bound(origin, id))
		return "appliance";
	return origin == NULL ? "default" : policy_is_computer(origin) ? "computer" : policy_name(origin);
}

static const char *origin_kind(const struct policy_node *origin, enum setting_id id)
{
	if (is_bound(origin, id))
		return "appliance";
	return origin == NULL ? "default" : policy_is_computer(origin) ? "computer" : "policy";
}

/* Every setting of a policy or computer: value, origin, what it would inherit. NULL: no memory. */
static json_t *settings_json(const struct policy_node *node)
{
	json_t *list = json_array();

	for (unsigned id = 0; id < SETTINGS_COUNT; id++) {
		const struct policy_node *origin, *above = policy_parent(node);
		const char *value = policy_value(node, id, &origin);
		const char *inherited = above != NULL ? policy_value(above, id, NULL) : setting_default(id);

		json_array_append_new(list, json_pack("{ss, ss, ss, ss, sb, ss}", "name", setting_name(id), "value",
						      setting_shown(id, value), "origin", origin_name(origin, id),
						      "origin_kind", origin_kind(origin, id), "own",
						      policy_own(node, id) != NULL, "inherited",
						      setting_shown(id, inherited)));
	}
	return list;
}

static json_t *allowed(const struct conf_row *row)
{
	struct buf text;
	json_t *json;

	buf_init(&text, CONF_VALUE_BYTES);
	conf_value_allowed(row, &text);
	json = json_string(buf_text(&text));
	buf_done(&text);
	return json;
}

static json_t *words(const char *list)
{
	json_t *array = json_array();

	for (const char *word = list != NULL ? list : ""; *word != '\0';) {
		size_t size = strcspn(word, " ");

		json_array_append_new(array, json_stringn(word, size));
		word += size;
		word += strspn(word, " ");
	}
	return array;
}

static json_t *applied_by(enum setting_id id)
{
	struct buf text;
	json_t *json;

	buf_init(&text, 256);
	setting_components_text(id, &text);
	json = json_string(buf_text(&text));
	buf_done(&text);
	return json;
}

int policy_setting_list(struct api_call *call, struct err *err)
{
	json_t *items = json_array();

	(void)err;
	for (unsigned id = 0; id < SETTINGS_COUNT; id++) {
		const struct setting *setting = &policy_settings[id];

		json_array_append_new(
		    items, json_pack("{ss, ss, ss, so, so, ss, so, sb, ss, ss}", "name", setting_name(id), "type",
				     setting_type_name(id), "default", setting_default(id), "allowed",
				     allowed(&setting->value), "choices",
				     words(setting->offered != NULL ? setting->offered : setting->value.choices),
				     "unit", setting->unit, "applied_by", applied_by(id), "restart", setting->restart,
				     "help", setting->help_english, "help_ja", setting->help_japanese));
	}
	return api_reply_json(call, 200, json_pack("{so, sn}", "items", items, "next"));
}

/* --- policies --- */

json_t *policy_json(struct front *front, const struct policy_node *policy)
{
	const struct policy_node *parent = policy_parent(policy);
	struct front_configuration_counts counts;

	front_policy_counts(front, policy, &counts);
	return json_pack("{so, ss, so, so, sI, sI, sI, sI, sI, sI, sI, sI}", "id", json_uuid(policy_id(policy)), "name",
			 policy_name(policy), "parent", parent != NULL ? json_string(policy_name(parent)) : json_null(),
			 "parent_id", parent != NULL ? json_uuid(policy_id(parent)) : json_null(), "depth",
			 (json_int_t)policy_depth(policy), "children", (json_int_t)policy_child_count(policy),
			 "overrides", (json_int_t)policy_own_count(policy), "computers", (json_int_t)counts.computers,
			 "pending", (json_int_t)counts.pending, "sent", (json_int_t)counts.sent, "applied",
			 (json_int_t)counts.applied, "failed", (json_int_t)counts.failed);
}

struct listing {
	struct front *front;
	json_t *items;
};

static int list_tree(const struct policy_tree *tree, void *argument, struct err *err)
{
	const struct listing *listing = argument;
	const struct policy_node *policy = NULL;

	(void)err;
	while ((policy = policy_next(tree, policy)) != NULL)
		json_array_append_new(listing->items, policy_json(listing->front, policy));
	return 0;
}

int policy_list(struct api_call *call, struct err *err)
{
	struct listing listing = { api_call_front(call), json_array() };
	int rc = front_policy_look(listing.front, list_tree, &listing, err);

	if (rc != 0) {
		json_decref(listing.items);
		return rc;
	}
	return api_reply_json(call, 200, json_pack("{so, sn}", "items", listing.items, "next"));
}

/* --- one --- */

struct showing {
	struct front *front;
	const struct uuid *id;
	bool computer;
	uint64_t version;
	json_t *json;
	bool in_network; /* a computer, and in this one: */
	struct front_network network;
};

/* A value that the network gives in place of the policy's. */
static void overlay(json_t *items, const char *name, const char *value, const char *inherited, const char *origin)
{
	json_t *item = json_pack("{ss, ss, ss, ss, sb, ss}", "name", name, "value", value, "origin", origin,
				 "origin_kind", "network", "own", false, "inherited", inherited);

	for (size_t i = 0; i < json_array_size(items); i++) {
		if (strcmp(json_string_value(json_object_get(json_array_get(items, i), "name")), name) == 0) {
			json_array_set_new(items, i, item);
			return;
		}
	}
	json_array_append_new(items, item);
}

/* How long it might be silent by its policy alone. */
static void silence_text(const struct effective *effective, char text[TIME_TEXT_BYTES])
{
	if (effective->missed_heartbeats == CONF_UNLIMITED)
		snprintf(text, TIME_TEXT_BYTES, "unlimited");
	else
		span_format((effective->missed_heartbeats + 1) * effective->heartbeat_interval_us, text);
}

static void overlay_network(json_t *items, const struct outcome *outcome, const struct front_network *network)
{
	struct network_pace pace = network_pace(&network->rules);
	char interval[TIME_TEXT_BYTES], offline[TIME_TEXT_BYTES], silence[TIME_TEXT_BYTES];
	char origin[NETWORK_NAME_MAX_BYTES + sizeof("network ")];

	snprintf(origin, sizeof(origin), "network %s", network->name);
	span_format(pace.interval_s * SECOND_US, interval);
	span_format(network->rules.offline_min * MINUTE_US, offline);
	silence_text(&outcome->effective, silence);
	overlay(items, setting_name(SETTING_LINK_HEARTBEAT_INTERVAL), interval,
		outcome->values[SETTING_LINK_HEARTBEAT_INTERVAL], origin);
	if (pace.periodic) {
		overlay(items, setting_name(SETTING_LINK_POLL), "periodic", outcome->values[SETTING_LINK_POLL], origin);
		overlay(items, setting_name(SETTING_LINK_POLL_INTERVAL), interval,
			outcome->values[SETTING_LINK_POLL_INTERVAL], origin);
	}
	overlay(items, "network.offline_after", offline, silence, origin);
}

static json_t *computer_json(const struct showing *showing, const struct policy_node *node)
{
	const struct outcome *outcome = policy_outcome(node);
	json_t *items = settings_json(node);

	if (showing->in_network && outcome != NULL)
		overlay_network(items, outcome, &showing->network);
	return json_pack("{so, ss, sI, so, so}", "computer", json_uuid(showing->id), "policy",
			 policy_name(policy_parent(node)), "version", (json_int_t)showing->version, "fingerprint",
			 outcome != NULL ? json_sha256(outcome->fingerprint) : json_null(), "items", items);
}

static int show_node(const struct policy_tree *tree, void *argument, struct err *err)
{
	struct showing *showing = argument;
	const struct policy_node *node = policy_find(tree, showing->id);

	if (node == NULL || policy_is_computer(node) != showing->computer)
		return err_set(err, ERR_NOT_FOUND, "There is no %s with this id.",
			       showing->computer ? "computer" : "policy");
	if (showing->computer) {
		showing->json = computer_json(showing, node);
		return 0;
	}
	showing->json = policy_json(showing->front, node);
	json_object_set_new(showing->json, "version", json_integer((json_int_t)showing->version));
	json_object_set_new(showing->json, "settings", settings_json(node));
	return 0;
}

static int read_version(struct store_session *session, void *argument, struct err *err)
{
	struct showing *showing = argument;
	struct cursor *cursor =
	    cursor_open(session, showing->computer ? &QUERY_POLICY_COMPUTER_BY_ID : &QUERY_POLICY_BY_ID);

	cursor_bind_uuid(cursor, "id", showing->id);
	if (cursor_next(cursor))
		showing->version = (uint64_t)cursor_number(cursor, showing->computer ? "settings_version" : "version");
	return cursor_end(cursor, err);
}

/* The version is read first: at worst it is older than the values, and a change by it is refused. */
static int reply_with(struct api_call *call, int status, const struct uuid *id, bool computer, struct err *err)
{
	struct showing showing = { .front = api_call_front(call), .id = id, .computer = computer };
	int rc = store_read(api_call_store(call), read_version, &showing, err);

	showing.in_network = computer && front_network_of(showing.front, id, &showing.network);
	if (rc == 0)
		rc = front_policy_look(showing.front, show_node, &showing, err);
	if (rc != 0)
		return rc;
	api_etag(call, showing.version);
	return api_reply_json(call, status, showing.json);
}

int policy_reply(struct api_call *call, int status, const struct uuid *id, struct err *err)
{
	return reply_with(call, status, id, false, err);
}

int computer_settings_reply(struct api_call *call, const struct uuid *id, struct err *err)
{
	return reply_with(call, 200, id, true, err);
}

int policy_show(struct api_call *call, struct err *err)
{
	return policy_reply(call, 200, api_path_id(call), err);
}

int computer_settings(struct api_call *call, struct err *err)
{
	return computer_settings_reply(call, api_path_id(call), err);
}

/* --- overrides --- */

static json_t *row_setting_value(struct cursor *cursor, const char *column)
{
	enum setting_id id = setting_find(cursor_text(cursor, "setting"));

	return setting_is_secret(id) ? json_string(setting_shown(id, cursor_text(cursor, column)))
				     : row_text(cursor, column);
}

static json_t *override_json(struct api_call *call, struct cursor *cursor)
{
	static const struct row_field fields[] = {
		{ "kind", "kind", row_text },
		{ "id", "id", row_id },
		{ "name", "name", row_text },
		{ "setting", "setting", row_text },
		{ "value", "value", row_setting_value },
	};

	(void)call;
	return row_json(cursor, fields, COUNT_OF(fields));
}

int policy_override_list(struct api_call *call, struct err *err)
{
	static const struct list_filter filters[] = {
		{ "setting", LIST_TEXT, " AND override.setting = :setting" },
		{ "kind", LIST_TEXT, " AND override.kind = :kind" },
	};
	static const struct list list = {
		.tag = 'o',
		.select =
		    "SELECT * FROM ("
		    "SELECT 'policy' AS kind, policy.id AS id, policy.name AS name, policy_setting.name AS setting, "
		    "policy_setting.value AS value "
		    "FROM policy_setting JOIN policy ON policy.id = policy_setting.policy "
		    "UNION ALL "
		    "SELECT 'computer', computer.id, computer.name, computer_setting.name, computer_setting.value "
		    "FROM computer_setting JOIN computer ON computer.id = computer_setting.computer "
		    "WHERE computer.deleted IS NULL) AS override WHERE 1",
		.filters = filters,
		.filter_count = COUNT_OF(filters),
		.ascending = true,
		.key_is_text = true,
		.key = "override.setting",
		.key_column = "setting",
		.id = "override.id",
		.row = override_json,
	};

	return list_reply(call, &list, err);
}

/* --- differences --- */

struct comparing {
	const char *a, *b;
	json_t *items;
};

static int find_either(const struct policy_tree *tree, const char *given, const struct policy_node **ret_node,
		       struct err *err)
{
	struct uuid id;

	*ret_node = uuid_parse(given, &id, NULL) == 0 ? policy_find(tree, &id) : policy_find_name(tree, given);
	return *ret_node != NULL ? 0 : err_set(err, ERR_NOT_FOUND, "There is no policy or computer '%.100s'.", given);
}

static int compare(const struct policy_tree *tree, void *argument, struct err *err)
{
	const struct comparing *comparing = argument;
	const struct policy_node *a, *b;
	int rc = find_either(tree, comparing->a, &a, err);

	if (rc == 0)
		rc = find_either(tree, comparing->b, &b, err);
	for (unsigned id = 0; rc == 0 && id < SETTINGS_COUNT; id++) {
		const struct policy_node *a_origin, *b_origin;
		const char *a_value = policy_value(a, id, &a_origin), *b_value = policy_value(b, id, &b_origin);

		if (strcmp(a_value, b_value) != 0)
			json_array_append_new(comparing->items,
					      json_pack("{ss, ss, ss, ss, ss}", "name", setting_name(id), "a",
							setting_shown(id, a_value), "a_origin",
							origin_name(a_origin, id), "b", setting_shown(id, b_value),
							"b_origin", origin_name(b_origin, id)));
	}
	return rc;
}

int policy_difference(struct api_call *call, struct err *err)
{
	struct comparing comparing = { api_query(call, "a").text, api_query(call, "b").text, json_array() };
	int rc = front_policy_look(api_call_front(call), compare, &comparing, err);

	if (rc != 0) {
		json_decref(comparing.items);
		return rc;
	}
	return api_reply_json(call, 200, json_pack("{so, sn}", "items", comparing.items, "next"));
}

/* --- history --- */

struct history {
	const struct uuid *subject;
	json_t *items;
};

static json_t *row_changes(struct cursor *cursor, const char *column)
{
	json_t *changes = row_array(cursor, column);

	front_policy_changes_hide(changes);
	return changes;
}

static int read_history(struct store_session *session, void *argument, struct err *err)
{
	static const struct row_field fields[] = {
		{ "version", "version", row_number },  { "time", "time", row_time },
		{ "actor", "actor_name", row_text },   { "actor_kind", "actor_kind", row_text },
		{ "action", "action", row_text },      { "name", "name", row_text },
		{ "changes", "changes", row_changes },
	};
	const struct history *history = argument;
	struct cursor *cursor = cursor_open(session, &QUERY_POLICY_HISTORY_OF);

	cursor_bind_uuid(cursor, "subject", history->subject);
	while (cursor_next(cursor) && json_array_size(history->items) < 1000)
		json_array_append_new(history->items, row_json(cursor, fields, COUNT_OF(fields)));
	return cursor_end(cursor, err);
}

int policy_history(struct api_call *call, struct err *err)
{
	struct history history = { api_path_id(call), json_array() };
	int rc = store_read(api_call_store(call), read_history, &history, err);

	if (rc != 0) {
		json_decref(history.items);
		return rc;
	}
	return api_reply_json(call, 200, json_pack("{so, sn}", "items", history.items, "next"));
}

int computer_history(struct api_call *call, struct err *err)
{
	return policy_history(call, err);
}

/* --- deleted ones --- */

/* What its deletion says it was; NULL, and *ret_settings of how many settings. */
static const char *parent_before(const json_t *changes, json_int_t *ret_settings)
{
	const char *parent = NULL;

	*ret_settings = 0;
	for (size_t i = 0; i < json_array_size(changes); i++) {
		const json_t *change = json_array_get(changes, i);
		const char *name = json_string_value(json_object_get(change, "name"));

		if (name != NULL && strcmp(name, "parent") == 0)
			parent = json_string_value(json_object_get(change, "old"));
		*ret_settings += name != NULL && strchr(name, '.') != NULL;
	}
	return parent;
}

static int read_deleted(struct store_session *session, void *argument, struct err *err)
{
	static const struct row_field fields[] = {
		{ "id", "subject", row_id },
		{ "name", "name", row_text },
		{ "version", "version", row_number },
		{ "deleted", "time", row_time },
		{ "deleted_by", "actor_name", row_text },
	};
	struct cursor *cursor = cursor_open(session, &QUERY_POLICY_DELETED);
	json_t *items = argument;

	while (cursor_next(cursor) && json_array_size(items) < 1000) {
		json_t *changes = json_loads(cursor_text(cursor, "changes"), 0, NULL);
		json_t *item = row_json(cursor, fields, COUNT_OF(fields));
		json_int_t settings;
		const char *parent = parent_before(changes, &settings);

		json_object_set_new(item, "parent", parent != NULL ? json_string(parent) : json_null());
		json_object_set_new(item, "overrides", json_integer(settings));
		json_array_append_new(items, item);
		json_decref(changes);
	}
	return cursor_end(cursor, err);
}

int policy_deleted_list(struct api_call *call, struct err *err)
{
	json_t *items = json_array();
	int rc = store_read(api_call_store(call), read_deleted, items, err);

	if (rc != 0) {
		json_decref(items);
		return rc;
	}
	return api_reply_json(call, 200, json_pack("{so, sn}", "items", items, "next"));
}
