/* /verifications: are these computers there now, and the log of such questions. */
#include <stdlib.h>

#include "manager/api/commands.h"
#include "manager/api/handlers.h"
#include "manager/api/rows.h"
#include "manager/queries.h"

static json_t *row_milliseconds(struct cursor *cursor, const char *column)
{
	return cursor_is_null(cursor, column) ? json_null()
					      : json_integer(cursor_number(cursor, column) / MILLISECOND_US);
}

static json_t *row_seconds_or_null(struct cursor *cursor, const char *column)
{
	return cursor_is_null(cursor, column) ? json_null() : row_seconds(cursor, column);
}

static const struct row_field fields[] = {
	{ "id", "id", row_id },
	{ "started", "started", row_time },
	{ "started_by", "started_by", row_text },
	{ "scheduled", "scheduled", row_boolean },
	{ "ended", "ended", row_time },
	{ "total", "total", row_number },
	{ "answered", "answered", row_number },
	{ "silent", "silent", row_number },
	{ "away", "away", row_number },
};

static json_t *verification_json(struct api_call *call, struct cursor *cursor)
{
	(void)call;
	return row_json(cursor, fields, COUNT_OF(fields));
}

#define COUNT(outcome)                                                                                                 \
	"(SELECT count(*) FROM verification_result WHERE verification_result.verification = verification.id AND "      \
	"outcome = '" outcome "') AS " outcome

int verification_list(struct api_call *call, struct err *err)
{
	static const struct list list = {
		.tag = 'v',
		.select = "SELECT verification.*, " COUNT("answered") ", " COUNT("silent") ", " COUNT(
		    "away") " FROM verification WHERE 1",
		.key = "verification.started",
		.key_column = "started",
		.id = "verification.id",
		.row = verification_json,
	};

	return list_reply(call, &list, err);
}

static int reply_one(struct api_call *call, int status, const struct uuid *id, struct err *err)
{
	json_t *json = NULL;
	int rc = row_get(call, &QUERY_VERIFICATION_BY_ID, id, "verification", verification_json, &json, err);

	return rc != 0 ? rc : api_reply_json(call, status, json);
}

int verification_show(struct api_call *call, struct err *err)
{
	return reply_one(call, 200, api_path_id(call), err);
}

static json_t *result_json(struct api_call *call, struct cursor *cursor)
{
	static const struct row_field columns[] = {
		{ "computer", "computer", row_id },
		{ "computer_name", "computer_name", row_text },
		{ "outcome", "outcome", row_text },
		{ "elapsed_ms", "elapsed_us", row_milliseconds },
		{ "silent_s", "silent_us", row_seconds_or_null },
		{ "cause", "cause", row_text },
	};

	(void)call;
	return row_json(cursor, columns, COUNT_OF(columns));
}

int verification_results(struct api_call *call, struct err *err)
{
	static const struct list_filter filters[] = {
		{ "id", LIST_PATH_ID, " AND verification_result.verification = :id" },
		{ "outcome", LIST_TEXT, " AND verification_result.outcome = :outcome" },
	};
	static const struct list list = {
		.tag = 'r',
		.select = "SELECT verification_result.*, computer.id AS id, computer.name AS computer_name"
			  " FROM verification_result JOIN computer ON computer.id = verification_result.computer"
			  " WHERE 1",
		.filters = filters,
		.filter_count = COUNT_OF(filters),
		.ascending = true,
		.key_is_text = true,
		.key = "computer.name",
		.key_column = "computer_name",
		.id = "computer.id",
		.row = result_json,
	};

	return list_reply(call, &list, err);
}

int verification_begin(struct api_call *call, struct err *err)
{
	const json_t *list = json_object_get(api_body(call), "computers");
	bool all = json_is_true(json_object_get(api_body(call), "all"));
	struct uuid *ids = NULL, id;
	size_t count = 0;
	int rc;

	if (all == (list != NULL))
		return api_problem(call, 400, "Not valid", "Give either `computers` or `all`.");
	if (!all) {
		rc = computers_take(api_call_env(call), list, &ids, &count);
		if (rc != 0)
			return err_set(err, rc, "no memory");
	}
	rc = front_verify(api_call_front(call), ids, count, api_call_actor(call), &id, err);
	free(ids);
	return rc == 0 ? reply_one(call, 201, &id, err) : rc;
}
