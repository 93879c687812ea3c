/* Rows that people make, change, delete and revoke. Bodies were checked against their shapes; names in descriptions are
 * constants. */
#include "manager/api/resource.h"

#include <stdio.h>
#include <stdlib.h>

#include "manager/api/changes.h"
#include "manager/api/shape.h"

#define ACTION_BYTES 64
#define CHANGE_TRIES 64 /* more than there are workers */

/* --- out --- */

int resource_list(struct api_call *call, const struct resource *resource, struct err *err)
{
	return list_reply(call, &resource->list, err);
}

int resource_json(struct api_call *call, const struct resource *resource, const struct uuid *id, json_t **ret_json,
		  struct err *err)
{
	return row_get(call, resource->by_id, id, resource->what, resource->list.row, ret_json, err);
}

int resource_reply(struct api_call *call, const struct resource *resource, int status, const struct uuid *id,
		   struct err *err)
{
	json_t *json = NULL;
	int rc = resource_json(call, resource, id, &json, err);

	if (rc != 0)
		return rc;
	if (resource->versioned)
		api_etag(call, (uint64_t)json_integer_value(json_object_get(json, "version")));
	return api_reply_json(call, status, json);
}

int resource_show(struct api_call *call, const struct resource *resource, struct err *err)
{
	return resource_reply(call, resource, 200, api_path_id(call), err);
}

/* --- in --- */

/* One that is being made or changed. */
struct making {
	const struct resource *resource;
	struct uuid id;
	char id_text[UUID_TEXT_BYTES], action[ACTION_BYTES];
	bool fresh;
	bool stale;     /* another change came between */
	json_t *before; /* of all members, as they were when this change was thought out; NULL when fresh */
	json_t *values; /* as they are to be */
};

static int not_found(const struct resource *resource, struct err *err)
{
	return err_set(err, ERR_NOT_FOUND, "There is no %s with this id.", resource->what);
}

static json_t *stored_value(struct cursor *cursor, const struct resource_member *member)
{
	switch (member->kind) {
	case RESOURCE_TRUTH:
		return row_boolean(cursor, member->column);
	case RESOURCE_TEXTS:
		return row_array(cursor, member->column);
	case RESOURCE_TEXT:
		break;
	}
	return json_string(cursor_text(cursor, member->column));
}

/* What is stored now, into an empty object. */
static int read_stored(struct store_session *session, const struct making *making, json_t *values, struct err *err)
{
	const struct resource *resource = making->resource;
	struct cursor *cursor = cursor_open(session, resource->by_id);
	bool there;
	int rc;

	cursor_bind_uuid(cursor, "id", &making->id);
	there = cursor_next(cursor);
	for (size_t i = 0; there && i < resource->member_count; i++)
		json_object_set_new(values, resource->members[i].name, stored_value(cursor, &resource->members[i]));
	rc = cursor_end(cursor, err);
	return rc == 0 && !there ? not_found(resource, err) : rc;
}

static int read_values(struct store_session *session, void *argument, struct err *err)
{
	struct making *making = argument;

	return read_stored(session, making, making->before, err);
}

/* What was read and checked is written only over what was read: a change that came between would be undone in silence
 * by the members that this one did not name. */
static int check_unchanged(struct store_session *session, struct making *making, struct err *err)
{
	json_t *now = json_object();
	int rc = read_stored(session, making, now, err);

	making->stale = rc == 0 && !json_equal(now, making->before);
	json_decref(now);
	return making->stale
		   ? err_set(err, ERR_BUSY, "The %s is being changed by others; ask again.", making->resource->what)
		   : rc;
}

static json_t *initial_value(const struct resource_member *member)
{
	switch (member->kind) {
	case RESOURCE_TRUTH:
		return json_true();
	case RESOURCE_TEXTS:
		return json_array();
	case RESOURCE_TEXT:
		break;
	}
	return member->initial != NULL ? json_string(member->initial) : NULL;
}

static void initial_values(const struct making *making, const json_t *body)
{
	const struct resource *resource = making->resource;

	for (size_t i = 0; i < resource->member_count; i++) {
		json_t *value = initial_value(&resource->members[i]);

		if (value != NULL)
			json_object_set_new(making->values, resource->members[i].name, value);
	}
	if (resource->initial != NULL)
		resource->initial(making->values, body);
}

/* --- stored --- */

static int check_count(struct store_session *session, const struct resource *resource, struct err *err)
{
	struct cursor *cursor;
	int64_t count;
	int rc;

	if (resource->count == NULL)
		return 0;
	cursor = cursor_open(session, resource->count);
	count = cursor_next(cursor) ? cursor_number(cursor, "count") : 0;
	rc = cursor_end(cursor, err);
	if (rc == 0 && count >= resource->most)
		rc = err_set(err, ERR_WRONG_STATE, "There are %lld %ss already, which is the most.",
			     (long long)resource->most, resource->what);
	return rc;
}

static void bind_member(struct cursor *cursor, const struct resource_member *member, const json_t *value)
{
	char *texts;

	switch (member->kind) {
	case RESOURCE_TEXT:
		cursor_bind_text(cursor, member->column, json_is_string(value) ? json_string_value(value) : "");
		return;
	case RESOURCE_TRUTH:
		cursor_bind_number(cursor, member->column, json_is_true(value) ? 1 : 0);
		return;
	case RESOURCE_TEXTS:
		texts = json_dumps(value, JSON_COMPACT);
		cursor_bind_text(cursor, member->column, texts != NULL ? texts : "[]");
		free(texts);
		return;
	}
}

static int write_row(struct store_session *session, struct change *change, struct err *err)
{
	struct making *making = change->argument;
	const struct resource *resource = making->resource;
	int rc = making->fresh ? check_count(session, resource, err) : check_unchanged(session, making, err);
	struct cursor *cursor;

	if (rc != 0)
		return rc;
	cursor = cursor_open(session, making->fresh ? resource->insert : resource->update);
	cursor_bind_uuid(cursor, "id", &making->id);
	for (size_t i = 0; i < resource->member_count; i++)
		bind_member(cursor, &resource->members[i], json_object_get(making->values, resource->members[i].name));
	if (making->fresh) {
		cursor_bind_number(cursor, "created", env_wall(api_call_env(change->call)));
		cursor_bind_text(cursor, "created_by", api_call_principal(change->call)->name);
	}
	rc = cursor_run(cursor, err);
	if (rc == ERR_EXISTS)
		return err_set(err, rc, "Another %s has this name.", resource->what);
	return rc == 0 && !making->fresh && store_changes(session) == 0 ? not_found(resource, err) : rc;
}

/* What was asked, without secrets, for the audit log; the caller's. */
static char *detail_of(const struct resource *resource, const json_t *body)
{
	json_t *copy = json_deep_copy(body);
	char *text;

	for (size_t i = 0; i < resource->member_count; i++) {
		if (resource->members[i].secret && json_object_get(copy, resource->members[i].name) != NULL)
			json_object_set_new(copy, resource->members[i].name, json_string("(not shown)"));
	}
	text = json_dumps(copy, JSON_COMPACT);
	json_decref(copy);
	return text;
}

static void begin(struct making *making, const struct resource *resource, const char *verb)
{
	making->resource = resource;
	uuid_format(&making->id, making->id_text);
	snprintf(making->action, sizeof(making->action), "%s.%s", resource->name, verb);
}

static int make_or_change(struct api_call *call, struct making *making, struct err *err)
{
	const struct resource *resource = making->resource;
	struct change change = { .call = call,
				 .action = making->action,
				 .object = making->id_text,
				 .apply = write_row,
				 .argument = making };
	char *detail;
	int rc;

	json_object_update(making->values, api_body(call));
	if (resource->check != NULL && !resource->check(call, making->values))
		return 0;
	detail = detail_of(resource, api_body(call));
	change.detail = detail;
	rc = change_do(&change, err);
	free(detail);
	if (rc != 0)
		return rc;
	if (resource->changed != NULL)
		resource->changed(api_call_front(call));
	return resource_reply(call, resource, making->fresh ? 201 : 200, &making->id, err);
}

int resource_create(struct api_call *call, const struct resource *resource, struct err *err)
{
	struct making making = { .id = env_uuid(api_call_env(call)), .fresh = true, .values = json_object() };
	int rc;

	begin(&making, resource, "create");
	initial_values(&making, api_body(call));
	rc = make_or_change(call, &making, err);
	json_decref(making.values);
	return rc;
}

static int change_once(struct api_call *call, struct making *making, struct err *err)
{
	int rc;

	making->stale = false;
	making->before = json_object();
	rc = store_read(api_call_store(call), read_values, making, err);
	making->values = json_deep_copy(making->before);
	if (rc == 0 && making->values == NULL)
		rc = err_set(err, ERR_MEMORY, "No memory.");
	if (rc == 0)
		rc = make_or_change(call, making, err);
	json_decref(making->values);
	json_decref(making->before);
	return rc;
}

/* Each time that it was too late somebody else was not: all come to an end. */
int resource_change(struct api_call *call, const struct resource *resource, struct err *err)
{
	struct making making = { .id = *api_path_id(call) };
	int rc;

	begin(&making, resource, "change");
	rc = change_once(call, &making, err);
	for (int i = 1; making.stale && i < CHANGE_TRIES; i++)
		rc = change_once(call, &making, err);
	return rc;
}

/* --- ended --- */

static int remove_row(struct store_session *session, struct change *change, struct err *err)
{
	const struct making *making = change->argument;
	struct cursor *cursor = cursor_open(session, making->resource->remove);
	int rc;

	cursor_bind_uuid(cursor, "id", &making->id);
	rc = cursor_run(cursor, err);
	return rc == 0 && store_changes(session) == 0 ? not_found(making->resource, err) : rc;
}

static int revoke_row(struct store_session *session, struct change *change, struct err *err)
{
	const struct making *making = change->argument;
	struct cursor *cursor = cursor_open(session, making->resource->revoke);
	int rc;

	cursor_bind_uuid(cursor, "id", &making->id);
	cursor_bind_number(cursor, "revoked", env_wall(api_call_env(change->call)));
	rc = cursor_run(cursor, err);
	if (rc == 0 && store_changes(session) == 0)
		rc = err_set(err, ERR_NOT_FOUND, "There is no %s with this id that was not revoked before.",
			     making->resource->what);
	return rc;
}

static int end(struct api_call *call, const struct resource *resource, const char *verb,
	       int (*apply)(struct store_session *session, struct change *change, struct err *err), struct err *err)
{
	struct making making = { .id = *api_path_id(call) };
	struct change change = {
		.call = call, .action = making.action, .object = making.id_text, .apply = apply, .argument = &making
	};
	int rc;

	begin(&making, resource, verb);
	rc = change_do(&change, err);
	if (rc != 0)
		return rc;
	if (resource->changed != NULL)
		resource->changed(api_call_front(call));
	return api_reply_empty(call);
}

int resource_remove(struct api_call *call, const struct resource *resource, struct err *err)
{
	return end(call, resource, "delete", remove_row, err);
}

int resource_revoke(struct api_call *call, const struct resource *resource, struct err *err)
{
	return end(call, resource, "revoke", revoke_row, err);
}

/* --- what ends by itself --- */

int resource_expires(struct api_call *call, span_us life, time_us *ret_expires, struct err *err)
{
	time_us now = env_wall(api_call_env(call));
	time_us expires = shape_when(json_object_get(api_body(call), "expires"), now);

	if (expires == 0)
		expires = now + life;
	if (expires <= now)
		return err_set(err, ERR_RANGE, "expires lies in the past: the token could never be used.");
	*ret_expires = expires;
	return 0;
}
