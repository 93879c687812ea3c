/* /hypervisors: who is asked which virtual machines run. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "manager/api/handlers.h"
#include "manager/api/resource.h"
#include "manager/front/hypervisors.h"
#include "manager/queries.h"

static const struct row_field fields[] = {
	{ "id", "id", row_id },
	{ "name", "name", row_text },
	{ "uri", "uri", row_text },
	{ "enabled", "enabled", row_boolean },
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

static bool check(struct api_call *call, const json_t *values)
{
	struct err fault = { 0 };

	if (hypervisor_uri_check(json_string_value(json_object_get(values, "uri")), &fault) == 0)
		return true;
	api_problem_add(call, "uri", "%s", fault.text);
	api_problem(call, 400, "Not valid", "Nothing was changed: see errors.");
	return false;
}

static const struct resource_member members[] = {
	{ "name", "name", RESOURCE_TEXT, NULL, false },
	{ "uri", "uri", RESOURCE_TEXT, NULL, false },
	{ "enabled", "enabled", RESOURCE_TRUTH, NULL, false },
};

static const struct resource hypervisor = {
	.name = "hypervisor",
	.what = "hypervisor",
	.list = { .tag = 'h',
		  .select = "SELECT * FROM hypervisor WHERE 1",
		  .ascending = true,
		  .key_is_text = true,
		  .key = "hypervisor.name",
		  .key_column = "name",
		  .id = "hypervisor.id",
		  .row = hypervisor_json },
	.by_id = &QUERY_HYPERVISOR_BY_ID,
	.insert = &QUERY_HYPERVISOR_INSERT,
	.update = &QUERY_HYPERVISOR_UPDATE,
	.remove = &QUERY_HYPERVISOR_DELETE,
	.count = &QUERY_HYPERVISOR_COUNT,
	.most = HYPERVISORS_MAX,
	.members = members,
	.member_count = COUNT_OF(members),
	.check = check,
	.changed = hypervisors_changed,
};

int hypervisor_list(struct api_call *call, struct err *err)
{
	return resource_list(call, &hypervisor, err);
}

int hypervisor_show(struct api_call *call, struct err *err)
{
	return resource_show(call, &hypervisor, err);
}

int hypervisor_create(struct api_call *call, struct err *err)
{
	return resource_create(call, &hypervisor, err);
}

int hypervisor_change(struct api_call *call, struct err *err)
{
	return resource_change(call, &hypervisor, err);
}

int hypervisor_delete(struct api_call *call, struct err *err)
{
	return resource_remove(call, &hypervisor, err);
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

/* --- test --- */

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
