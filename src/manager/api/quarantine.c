/* /quarantine: items as rows, and what people may have done with them. */
#include "manager/api/commands.h"
#include "manager/api/handlers.h"
#include "manager/api/rows.h"
#include "manager/api/shape.h"
#include "manager/queries.h"

static const struct row_field fields[] = {
	{ "id", "id", row_id },
	{ "computer", "computer", row_id },
	{ "computer_name", "computer_name", row_text },
	{ "path", "path", row_path },
	{ "sha256", "sha256", row_hex },
	{ "size", "size", row_number },
	{ "detection", "detection", row_text },
	{ "quarantined_at", "quarantined", row_time },
	{ "state", "state", row_text },
	{ "uploaded", "uploaded", row_time },
	{ "stored_bytes", "stored_bytes", row_number },
	{ "sealed_bytes", "sealed_size", row_number },
};

static json_t *item_json(struct api_call *call, struct cursor *cursor)
{
	(void)call;
	return row_json(cursor, fields, COUNT_OF(fields));
}

static const struct list_filter filters[] = {
	{ "computer", LIST_ID, " AND quarantine_item.computer = :computer" },
	{ "state", LIST_TEXT, " AND quarantine_item.state = :state" },
	{ "since", LIST_NUMBER, " AND quarantine_item.quarantined >= :since" },
};
static const struct list list = {
	.tag = 'q',
	.select = "SELECT quarantine_item.*, computer.name AS computer_name FROM quarantine_item"
		  " JOIN computer ON computer.id = quarantine_item.computer WHERE 1",
	.filters = filters,
	.filter_count = COUNT_OF(filters),
	.key = "quarantine_item.quarantined",
	.key_column = "quarantined",
	.id = "quarantine_item.id",
	.row = item_json,
};

int quarantine_list(struct api_call *call, struct err *err)
{
	return list_reply(call, &list, err);
}

int quarantine_show(struct api_call *call, struct err *err)
{
	json_t *json = NULL;
	int rc = row_get(call, &QUERY_QUARANTINE_BY_ID, api_path_id(call), "quarantine item", item_json, &json, err);

	return rc != 0 ? rc : api_reply_json(call, 200, json);
}

int quarantine_restore(struct api_call *call, struct err *err)
{
	const struct front_command command = {
		.kind = FRONT_COMMAND_RESTORE,
		.target = *api_path_id(call),
		.overwrite = json_is_true(json_object_get(api_body(call), "overwrite")),
		.timeout = shape_span(json_object_get(api_body(call), "timeout")),
	};

	return command_issue_and_reply(call, &command, 201, err);
}

int quarantine_delete(struct api_call *call, struct err *err)
{
	struct uuid command;
	int rc = front_quarantine_delete(api_call_front(call), api_path_id(call), api_call_actor(call), &command, err);

	return rc != 0 ? rc : command_reply(call, &command, 200, err);
}
