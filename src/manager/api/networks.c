/* /networks: ranges of addresses that the manager cannot reach. Ranges are
 * parsed here, everything else is checked where it comes into force. */
#include <stdio.h>
#include <stdlib.h>

#include "manager/api/handlers.h"
#include "manager/api/resource.h"
#include "manager/front/front_network.h"
#include "manager/queries.h"

/* --- out --- */

static const struct row_field fields[] = {
	{ "id", "id", row_id },
	{ "name", "name", row_text },
	{ "ranges", "ranges", row_array },
	{ "heartbeat", "heartbeat", row_boolean },
	{ "heartbeat_minutes", "heartbeat_minutes", row_number },
	{ "offline_minutes", "offline_minutes", row_number },
	{ "poll_minutes", "poll_minutes", row_number },
	{ "version", "version", row_number },
	{ "created", "created", row_time },
	{ "created_by", "created_by", row_text },
};

static json_t *network_json(struct api_call *call, struct cursor *cursor)
{
	json_t *json = row_json(cursor, fields, COUNT_OF(fields));
	struct uuid id;

	if (json == NULL)
		return NULL;
	cursor_uuid(cursor, "id", &id);
	json_object_set_new(json, "computers",
			    json_integer((json_int_t)front_network_computers(api_call_front(call), &id)));
	return json;
}

/* Made and changed by front, which has all of them before its eyes. */
static const struct resource network = {
	.name = "network",
	.what = "network",
	.list = { .tag = 'n',
		  .select = "SELECT * FROM network WHERE 1",
		  .ascending = true,
		  .key_is_text = true,
		  .key = "network.name",
		  .key_column = "name",
		  .id = "network.id",
		  .row = network_json },
	.versioned = true,
	.by_id = &QUERY_NETWORK_BY_ID,
};

int network_list(struct api_call *call, struct err *err)
{
	return resource_list(call, &network, err);
}

int network_show(struct api_call *call, struct err *err)
{
	return resource_show(call, &network, err);
}

/* --- in --- */

/* Each that is wrong is named. */
static bool take_ranges(struct api_call *call, const json_t *given, struct address_range *ranges,
			struct front_network_edit *edit)
{
	bool good = true;

	if (given == NULL)
		return true;
	for (size_t i = 0; i < json_array_size(given) && i < NETWORK_RANGES_MAX; i++) {
		struct err err = { 0 };
		char member[32];

		if (address_range_parse(json_string_value(json_array_get(given, i)), &ranges[i], &err) == 0)
			continue;
		snprintf(member, sizeof(member), "ranges[%zu]", i);
		api_problem_add(call, member, "%s", err.text);
		good = false;
	}
	edit->ranges = ranges;
	edit->range_count = json_array_size(given);
	return good;
}

/* -1: not given. null is 0: as the policy says. */
static int64_t number_of(const json_t *body, const char *name)
{
	const json_t *value = json_object_get(body, name);

	return value == NULL ? -1 : json_integer_value(value);
}

static void take_body(const json_t *body, struct front_network_edit *edit)
{
	const json_t *heartbeat = json_object_get(body, "heartbeat");

	edit->name = json_string_value(json_object_get(body, "name"));
	edit->heartbeat = heartbeat == NULL ? -1 : json_is_true(heartbeat);
	edit->heartbeat_minutes = number_of(body, "heartbeat_minutes");
	edit->offline_minutes = number_of(body, "offline_minutes");
	edit->poll_minutes = number_of(body, "poll_minutes");
}

/* True: done. Else *ret_rc is what the handler returns. */
static bool edit_network(struct api_call *call, struct front_network_edit *edit, int *ret_rc, struct err *err)
{
	const char *member;
	int rc = front_network_edit(api_call_front(call), edit, api_call_actor(call), &member, err);

	if (rc != 0 && member[0] != '\0') {
		api_problem_add(call, member, "%s", err->text);
		rc = api_problem(call, 400, "Not valid", "Nothing was changed: see errors.");
	} else if (rc == ERR_CONFLICT) {
		rc = api_problem(call, 412, "Changed by somebody else", "%s", err->text);
	} else if (rc == 0) {
		return true;
	}
	*ret_rc = rc;
	return false;
}

/* The edit is a copy: it points at what is only here. */
static int make_or_change(struct api_call *call, struct front_network_edit edit, int status, struct err *err)
{
	struct address_range ranges[NETWORK_RANGES_MAX];
	const json_t *body = api_body(call);
	char *detail;
	bool done;
	int rc = 0;

	if (!take_ranges(call, json_object_get(body, "ranges"), ranges, &edit))
		return api_problem(call, 400, "Not valid", "Nothing was changed: see errors.");
	take_body(body, &edit);
	detail = json_dumps(body, JSON_COMPACT);
	edit.detail = detail != NULL ? detail : "";
	done = edit_network(call, &edit, &rc, err);
	free(detail);
	return done ? resource_reply(call, &network, status, &edit.id, err) : rc;
}

int network_add(struct api_call *call, struct err *err)
{
	struct front_network_edit edit = { .kind = FRONT_NETWORK_CREATE };

	return make_or_change(call, edit, 201, err);
}

int network_change(struct api_call *call, struct err *err)
{
	struct front_network_edit edit = { .kind = FRONT_NETWORK_CHANGE,
					   .id = *api_path_id(call),
					   .version = api_if_match(call) };

	return make_or_change(call, edit, 200, err);
}

int network_remove(struct api_call *call, struct err *err)
{
	struct front_network_edit edit = {
		.kind = FRONT_NETWORK_DELETE, .id = *api_path_id(call), .version = api_if_match(call), .detail = ""
	};
	int rc = 0;

	return edit_network(call, &edit, &rc, err) ? api_reply_empty(call) : rc;
}
