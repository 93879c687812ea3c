/* GET /audit: the log of changes, read only; its chain is kept by front. */
#include "manager/api/handlers.h"
#include "manager/api/rows.h"

static const struct row_field fields[] = {
	{ "number", "number", row_number },
	{ "time", "time", row_time },
	{ "actor_kind", "actor_kind", row_text },
	{ "actor", "actor_name", row_text },
	{ "actor_id", "actor_id", row_id },
	{ "source", "peer", row_text },
	{ "action", "action", row_text },
	{ "object", "object", row_text },
	{ "detail", "detail", row_text },
	{ "outcome", "outcome", row_text },
	{ "chain", "chain", row_hex },
};

static json_t *entry_json(struct api_call *call, struct cursor *cursor)
{
	(void)call;
	return row_json(cursor, fields, COUNT_OF(fields));
}

static const struct list_filter filters[] = {
	{ "since", LIST_NUMBER, " AND audit.time >= :since" },
	{ "action", LIST_TEXT, " AND audit.action = :action" },
	{ "actor", LIST_TEXT, " AND audit.actor_name = :actor" },
};
static const struct list list = {
	.tag = 'a',
	.select = "SELECT * FROM audit WHERE 1",
	.filters = filters,
	.filter_count = COUNT_OF(filters),
	.key = "audit.number",
	.key_column = "number",
	.row = entry_json,
};

int audit_list(struct api_call *call, struct err *err)
{
	return list_reply(call, &list, err);
}
