/* /hypervisors: who is asked which virtual machines run. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "manager/api/changes.h"
#include "manager/api/handlers.h"
#include "manager/api/rows.h"
#include "manager/front/hypervisors.h"
#include "manager/queries.h"

/* --- out --- */

static json_t *row_truth(struct cursor *cursor, const char *column)
{
	return json_boolean(cursor_number(cursor, column) != 0);
}

static const struct row_field fields[] = {
	{ "id", "id", row_id },
	{ "name", "name", row_text },
	{ "uri", "uri", row_text },
	{ "enabled", "enabled", row_truth },
	{ "created", "created", row_time },
	{ "created_by", "created_by", row_text },
};

static json_t *time_or_null(time_us time)
{
	return time != 0 ? json_time(time) : json_null();
}

static json_t *hypervisor_json(struct api_call *call, struct cursor *cursor)
{
	json_t *json = row_json(cursor, fields, COUNT_OF(fields));
	struct hypervisor_live live = { .state = "connecting" };
	struct uuid id = { 0 };

	if (json == NULL)
		return NULL;
	cursor_uuid(cursor, "id", &id);
	(void)hypervisors_live(api_call_front(call), &id, &live);
	json_object_set_new(json, "state", json_string(live.state));
	json_object_set_new(json, "since", time_or_null(live.since));
	json_object_set_new(json, "failure", json_shown(live.failure, strlen(live.failure)));
	json_object_set_new(json, "listed", time_or_null(live.listed));
	json_object_set_new(json, "machines", json_integer((json_int_t)live.machines));
	return json;
}

static const struct list list = {
	.tag = 'h',
	.select = "SELECT * FROM hypervisor WHERE 1",
	.ascending = true,
	.key_is_text = true,
	.key = "hypervisor.name",
	.key_column = "name",
	.id = "hypervisor.id",
	.row = hypervisor_json,
};

int hypervisor_list(struct api_call *call, struct err *err)
{
	return list_reply(call, &list, err);
}

static int reply(struct api_call *call, int status, const struct uuid *id, struct err *err)
{
	json_t *json = NULL;
	int rc = row_get(call, &QUERY_HYPERVISOR_BY_ID, id, "hypervisor", hypervisor_json, &json, err);

	return rc == 0 ? api_reply_json(call, status, json) : rc;
}

int hypervisor_show(struct api_call *call, struct err *err)
{
	return reply(call, 200, api_path_id(call), err);
}

/* --- its machines, and whose computers they are --- */

struct machine_list {
	struct hypervisor_machine_shown *machines;
	size_t count;
	bool unmatched; /* only those of no computer */
	json_t *items;
};

static json_t *computers_of(struct store_session *session, const struct uuid *machine, struct err *err)
{
	struct uuid swapped = machine_swapped(machine);
	struct cursor *cursor = cursor_open(session, &QUERY_MACHINE_COMPUTERS);
	json_t *computers = json_array();

	cursor_bind_uuid(cursor, "machine", machine);
	cursor_bind_uuid(cursor, "swapped", &swapped);
	while (cursor_next(cursor))
		json_array_append_new(
		    computers, json_pack("{so, so}", "id", row_id(cursor, "id"), "name", row_text(cursor, "name")));
	if (cursor_end(cursor, err) != 0) {
		json_decref(computers);
		return NULL;
	}
	return computers;
}

static int read_machines(struct store_session *session, void *argument, struct err *err)
{
	struct machine_list *read = argument;

	for (size_t i = 0; i < read->count; i++) {
		const struct hypervisor_machine_shown *machine = &read->machines[i];
		json_t *computers = computers_of(session, &machine->id, err);

		if (computers == NULL)
			return err->code;
		if (read->unmatched && json_array_size(computers) > 0) {
			json_decref(computers);
			continue;
		}
		json_array_append_new(read->items, json_pack("{so, so, ss, so, so}", "id", json_uuid(&machine->id),
							     "name", json_shown(machine->name, strlen(machine->name)),
							     "state", hypervisor_power_name(machine->power), "since",
							     time_or_null(machine->since), "computers", computers));
	}
	return 0;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct hypervisor_machine_shown *)a)->name,
		      ((const struct hypervisor_machine_shown *)b)->name);
}

int hypervisor_machines(struct api_call *call, struct err *err)
{
	struct machine_list read = { .items = json_array(), .unmatched = api_query(call, "unmatched").number != 0 };
	int rc = hypervisors_machines(api_call_front(call), api_path_id(call), &read.machines, &read.count, err);

	if (rc == 0) {
		qsort(read.machines, read.count, sizeof(*read.machines), by_name);
		rc = store_read(api_call_store(call), read_machines, &read, err);
	}
	free(read.machines);
	if (rc != 0) {
		json_decref(read.items);
		return rc;
	}
	return api_reply_json(call, 200, json_pack("{so, sn}", "items", read.items, "next"));
}

/* --- in --- */

struct making {
	struct uuid id;
	char id_text[UUID_TEXT_BYTES];
	bool fresh;
	json_t *values; /* of all columns, as they are to be */
	time_us now;
};

static const char *text_of(const json_t *values, const char *name)
{
	const char *text = json_string_value(json_object_get(values, name));

	return text != NULL ? text : "";
}

static int read_values(struct store_session *session, void *argument, struct err *err)
{
	struct making *making = argument;
	struct cursor *cursor = cursor_open(session, &QUERY_HYPERVISOR_BY_ID);
	bool there;
	int rc;

	cursor_bind_uuid(cursor, "id", &making->id);
	there = cursor_next(cursor);
	if (there) {
		json_object_set_new(making->values, "name", json_string(cursor_text(cursor, "name")));
		json_object_set_new(making->values, "uri", json_string(cursor_text(cursor, "uri")));
		json_object_set_new(making->values, "enabled", row_truth(cursor, "enabled"));
	}
	rc = cursor_end(cursor, err);
	if (rc == 0 && !there)
		rc = err_set(err, ERR_NOT_FOUND, "There is no hypervisor with this id.");
	return rc;
}

static int check_count(struct store_session *session, struct err *err)
{
	struct cursor *cursor = cursor_open(session, &QUERY_HYPERVISOR_COUNT);
	int64_t count = cursor_next(cursor) ? cursor_number(cursor, "count") : 0;
	int rc = cursor_end(cursor, err);

	if (rc == 0 && count >= HYPERVISORS_MAX)
		rc = err_set(err, ERR_WRONG_STATE, "There are %d hypervisors already, which is the most.",
			     HYPERVISORS_MAX);
	return rc;
}

static int write_row(struct store_session *session, struct change *change, struct err *err)
{
	const struct making *making = change->argument;
	int rc = making->fresh ? check_count(session, err) : 0;
	struct cursor *cursor;

	if (rc != 0)
		return rc;
	cursor = cursor_open(session, making->fresh ? &QUERY_HYPERVISOR_INSERT : &QUERY_HYPERVISOR_UPDATE);
	cursor_bind_uuid(cursor, "id", &making->id);
	cursor_bind_text(cursor, "name", text_of(making->values, "name"));
	cursor_bind_text(cursor, "uri", text_of(making->values, "uri"));
	cursor_bind_number(cursor, "enabled", json_is_true(json_object_get(making->values, "enabled")) ? 1 : 0);
	if (making->fresh) {
		cursor_bind_number(cursor, "created", making->now);
		cursor_bind_text(cursor, "created_by", api_call_principal(change->call)->name);
	}
	rc = cursor_run(cursor, err);
	if (rc == ERR_EXISTS)
		return err_set(err, rc, "Another hypervisor has this name.");
	if (rc == 0 && !making->fresh && store_changes(session) == 0)
		rc = err_set(err, ERR_NOT_FOUND, "There is no hypervisor with this id.");
	return rc;
}

static int make_or_change(struct api_call *call, struct making *making, const char *action, struct err *err)
{
	struct change change = {
		.call = call, .action = action, .object = making->id_text, .apply = write_row, .argument = making
	};
	struct err fault = { 0 };
	char *detail;
	int rc;

	uuid_format(&making->id, making->id_text);
	json_object_update(making->values, api_body(call));
	if (hypervisor_uri_check(text_of(making->values, "uri"), &fault) != 0) {
		api_problem_add(call, "uri", "%s", fault.text);
		return api_problem(call, 400, "Not valid", "Nothing was changed: see errors.");
	}
	detail = json_dumps(api_body(call), JSON_COMPACT);
	change.detail = detail != NULL ? detail : "";
	rc = change_do(&change, err);
	free(detail);
	if (rc != 0)
		return rc;
	hypervisors_changed(api_call_front(call));
	return reply(call, making->fresh ? 201 : 200, &making->id, err);
}

int hypervisor_create(struct api_call *call, struct err *err)
{
	struct making making = { .id = env_uuid(api_call_env(call)),
				 .fresh = true,
				 .values = json_object(),
				 .now = env_wall(api_call_env(call)) };
	int rc;

	json_object_set_new(making.values, "enabled", json_true());
	rc = make_or_change(call, &making, "hypervisor.create", err);
	json_decref(making.values);
	return rc;
}

int hypervisor_change(struct api_call *call, struct err *err)
{
	struct making making = { .id = *api_path_id(call), .values = json_object() };
	int rc = store_read(api_call_store(call), read_values, &making, err);

	if (rc == 0)
		rc = make_or_change(call, &making, "hypervisor.change", err);
	json_decref(making.values);
	return rc;
}

/* --- delete, test --- */

static int delete_row(struct store_session *session, struct change *change, struct err *err)
{
	struct cursor *cursor = cursor_open(session, &QUERY_HYPERVISOR_DELETE);
	int rc;

	cursor_bind_uuid(cursor, "id", api_path_id(change->call));
	rc = cursor_run(cursor, err);
	if (rc == 0 && store_changes(session) == 0)
		rc = err_set(err, ERR_NOT_FOUND, "There is no hypervisor with this id.");
	return rc;
}

int hypervisor_delete(struct api_call *call, struct err *err)
{
	char id[UUID_TEXT_BYTES];
	struct change change = {
		.call = call, .action = "hypervisor.delete", .object = id, .detail = "", .apply = delete_row
	};
	int rc;

	uuid_format(api_path_id(call), id);
	rc = change_do(&change, err);
	if (rc != 0)
		return rc;
	hypervisors_changed(api_call_front(call));
	return api_reply_empty(call);
}

int hypervisor_test(struct api_call *call, struct err *err)
{
	size_t machines = 0;
	int rc = hypervisors_test(api_call_front(call), api_path_id(call), &machines, err);

	if (rc == ERR_NOT_FOUND || rc == ERR_WRONG_STATE || rc == ERR_CONFLICT)
		return rc;
	return api_reply_json(call, 200,
			      json_pack("{sb, sI, so}", "connected", rc == 0, "machines", (json_int_t)machines,
					"failure",
					rc == 0 ? json_string("") : json_shown(err->text, strlen(err->text))));
}
