/* Rows as JSON, lists by page. What the database holds may have come from
 * agents: every text is escaped on its way out. SQL is made of constants only. */
#include "manager/api/rows.h"

#include <string.h>

#include "base/text.h"
#include "manager/api/page.h"

#define LIMIT_DEFAULT     100
#define SQL_MAX_BYTES     4096
#define PATTERN_MAX_BYTES 1024
#define SHOWN_MAX_BYTES   (1024 * 1024)

json_t *json_shown(const void *bytes, size_t size)
{
	struct buf out;
	json_t *json = NULL;

	buf_init(&out, SHOWN_MAX_BYTES);
	text_escape(&out, bytes, size);
	if (out.status == 0)
		json = json_string_nocheck(buf_text(&out));
	buf_done(&out);
	return json;
}

json_t *json_time(time_us time)
{
	char text[TIME_TEXT_BYTES];

	time_format(time, text);
	return json_string(text);
}

json_t *json_uuid(const struct uuid *uuid)
{
	char text[UUID_TEXT_BYTES];

	uuid_format(uuid, text);
	return json_string(text);
}

json_t *json_sha256(const uint8_t hash[SHA256_BYTES])
{
	char text[SHA256_TEXT_BYTES];

	hex_format(hash, SHA256_BYTES, text);
	return json_string(text);
}

json_t *row_number(struct cursor *cursor, const char *column)
{
	return cursor_is_null(cursor, column) ? json_null() : json_integer(cursor_number(cursor, column));
}

json_t *row_boolean(struct cursor *cursor, const char *column)
{
	return json_boolean(cursor_number(cursor, column) != 0);
}

json_t *row_seconds(struct cursor *cursor, const char *column)
{
	return json_integer(cursor_number(cursor, column) / SECOND_US);
}

json_t *row_time(struct cursor *cursor, const char *column)
{
	return cursor_is_null(cursor, column) ? json_null() : json_time(cursor_number(cursor, column));
}

json_t *row_id(struct cursor *cursor, const char *column)
{
	struct uuid uuid = { 0 };

	if (cursor_is_null(cursor, column))
		return json_null();
	cursor_uuid(cursor, column, &uuid);
	return json_uuid(&uuid);
}

json_t *row_hex(struct cursor *cursor, const char *column)
{
	struct bytes bytes = cursor_bytes(cursor, column);

	return bytes.size == SHA256_BYTES ? json_sha256(bytes.data) : json_null();
}

json_t *row_text(struct cursor *cursor, const char *column)
{
	const char *text = cursor_text(cursor, column);

	return json_shown(text, strlen(text));
}

json_t *row_text_or_null(struct cursor *cursor, const char *column)
{
	return cursor_text(cursor, column)[0] == '\0' ? json_null() : row_text(cursor, column);
}

json_t *row_path(struct cursor *cursor, const char *column)
{
	struct bytes bytes = cursor_bytes(cursor, column);

	return json_shown(bytes.data, bytes.size);
}

static json_t *stored(struct cursor *cursor, const char *column)
{
	const char *text = cursor_text(cursor, column);

	return json_loads(text, 0, NULL);
}

json_t *row_object(struct cursor *cursor, const char *column)
{
	json_t *json = stored(cursor, column);

	if (json_is_object(json))
		return json;
	json_decref(json);
	return json_object();
}

json_t *row_array(struct cursor *cursor, const char *column)
{
	json_t *json = stored(cursor, column);

	if (json_is_array(json))
		return json;
	json_decref(json);
	return json_array();
}

json_t *row_json(struct cursor *cursor, const struct row_field *fields, size_t count)
{
	json_t *object = json_object();

	for (size_t i = 0; object != NULL && i < count; i++) {
		if (json_object_set_new(object, fields[i].name, fields[i].make(cursor, fields[i].column)) != 0) {
			json_decref(object);
			object = NULL;
		}
	}
	return object;
}

/* --- lists --- */

struct listing {
	struct api_call *call;
	const struct list *list;
	struct page after; /* if has_after */
	bool has_after;
	int64_t limit;
	json_t *items;
	json_t *next;
};

static void compose_filter(const struct listing *listing, const struct list_filter *filter, struct buf *sql)
{
	const char *text = filter->bind != LIST_PATH_ID ? api_query(listing->call, filter->parameter).text : NULL;

	if (filter->bind != LIST_PATH_ID && text == NULL)
		return;
	buf_append_text(sql, filter->sql);
	if (filter->common != NULL && text != NULL && strcmp(text, filter->common) != 0)
		buf_append_text(sql, filter->rarely);
}

static void compose(const struct listing *listing, struct buf *sql)
{
	const struct list *list = listing->list;
	const char *order = list->ascending ? "" : " DESC";
	const char *compare = list->ascending ? ">" : "<";

	buf_append_text(sql, list->select);
	for (size_t i = 0; i < list->filter_count; i++)
		compose_filter(listing, &list->filters[i], sql);
	if (listing->has_after && list->id != NULL)
		buf_printf(sql, " AND (%s, %s) %s (:after_key, :after_id)", list->key, list->id, compare);
	else if (listing->has_after)
		buf_printf(sql, " AND %s %s :after_key", list->key, compare);
	buf_printf(sql, " ORDER BY %s%s", list->key, order);
	if (list->id != NULL)
		buf_printf(sql, ", %s%s", list->id, order);
	buf_append_text(sql, " LIMIT :limit");
}

/* "web*" as a LIKE pattern with backslash as the escape. */
static void bind_pattern(struct cursor *cursor, const char *name, const char *text)
{
	struct buf pattern;

	buf_init(&pattern, PATTERN_MAX_BYTES);
	for (const char *c = text; *c != '\0'; c++) {
		if (*c == '*') {
			buf_append_byte(&pattern, '%');
		} else if (*c == '?') {
			buf_append_byte(&pattern, '_');
		} else {
			if (*c == '%' || *c == '_' || *c == '\\')
				buf_append_byte(&pattern, '\\');
			buf_append_byte(&pattern, (uint8_t)*c);
		}
	}
	cursor_bind_text(cursor, name, buf_text(&pattern));
	buf_done(&pattern);
}

static void bind_filter(struct cursor *cursor, const struct list_filter *filter, const struct api_value *value)
{
	switch (filter->bind) {
	case LIST_TEXT:
		cursor_bind_text(cursor, filter->parameter, value->text);
		break;
	case LIST_NUMBER:
		cursor_bind_number(cursor, filter->parameter, value->number);
		break;
	case LIST_ID:
		cursor_bind_uuid(cursor, filter->parameter, &value->uuid);
		break;
	case LIST_PATTERN:
		bind_pattern(cursor, filter->parameter, value->text);
		break;
	case LIST_PATH_ID:
		break;
	}
}

static void bind_all(const struct listing *listing, struct cursor *cursor)
{
	const struct list *list = listing->list;

	for (size_t i = 0; i < list->filter_count; i++) {
		struct api_value value = api_query(listing->call, list->filters[i].parameter);

		if (list->filters[i].bind == LIST_PATH_ID)
			cursor_bind_uuid(cursor, list->filters[i].parameter, api_path_id(listing->call));
		else if (value.text != NULL)
			bind_filter(cursor, &list->filters[i], &value);
	}
	if (listing->has_after) {
		if (list->key_is_text)
			cursor_bind_text(cursor, "after_key", listing->after.text);
		else
			cursor_bind_number(cursor, "after_key", listing->after.number);
		if (list->id != NULL)
			cursor_bind_uuid(cursor, "after_id", &listing->after.id);
	}
	cursor_bind_number(cursor, "limit", listing->limit + 1);
}

/* Where the row that the cursor stands on lies in the order. */
static void remember(const struct list *list, struct cursor *cursor, struct page *page)
{
	*page = (struct page){ 0 };
	if (list->key_is_text)
		snprintf(page->text, sizeof(page->text), "%s", cursor_text(cursor, list->key_column));
	else
		page->number = cursor_number(cursor, list->key_column);
	if (list->id != NULL)
		cursor_uuid(cursor, "id", &page->id);
}

static int read_page(struct store_session *session, void *argument, struct err *err)
{
	struct listing *listing = argument;
	struct cursor *cursor;
	struct page last = { 0 };
	struct buf sql;
	char text[PAGE_TEXT_BYTES];
	int rc = 0;

	buf_init(&sql, SQL_MAX_BYTES);
	compose(listing, &sql);
	cursor = cursor_open_text(session, buf_text(&sql));
	bind_all(listing, cursor);
	while (rc == 0 && cursor_next(cursor)) {
		if ((int64_t)json_array_size(listing->items) == listing->limit) {
			page_format(&last, listing->list->tag, text);
			listing->next = json_string(text);
			break;
		}
		remember(listing->list, cursor, &last);
		if (json_array_append_new(listing->items, listing->list->row(listing->call, cursor)) != 0)
			rc = err_set(err, ERR_MEMORY, "no memory");
	}
	buf_done(&sql);
	if (rc != 0)
		cursor_end(cursor, NULL);
	else
		rc = cursor_end(cursor, err);
	return rc;
}

int list_reply(struct api_call *call, const struct list *list, struct err *err)
{
	struct api_value limit = api_query(call, "limit");
	struct api_value after = api_query(call, "cursor");
	struct listing listing = { .call = call, .list = list, .items = json_array() };
	struct err fault = { 0 };
	int rc;

	listing.limit = limit.text != NULL ? limit.number : LIMIT_DEFAULT;
	listing.has_after = after.text != NULL;
	if (after.text != NULL && page_parse(after.text, list->tag, &listing.after, &fault) != 0) {
		json_decref(listing.items);
		api_problem_add(call, "cursor", "%s", fault.text);
		return api_problem(call, 400, "Not valid", "The cursor is not one of this list: begin again without.");
	}
	rc = store_read(api_call_store(call), read_page, &listing, err);
	if (rc != 0) {
		json_decref(listing.items);
		json_decref(listing.next);
		return rc;
	}
	return api_reply_json(
	    call, 200,
	    json_pack("{so, so}", "items", listing.items, "next", listing.next != NULL ? listing.next : json_null()));
}

/* --- one row --- */

struct getting {
	struct api_call *call;
	const struct store_statement *statement;
	const struct uuid *id;
	json_t *(*row)(struct api_call *call, struct cursor *cursor);
	json_t *json;
	bool there;
};

static int get(struct store_session *session, void *argument, struct err *err)
{
	struct getting *getting = argument;
	struct cursor *cursor = cursor_open(session, getting->statement);

	cursor_bind_uuid(cursor, "id", getting->id);
	if (cursor_next(cursor)) {
		getting->there = true;
		getting->json = getting->row(getting->call, cursor);
	}
	return cursor_end(cursor, err);
}

int row_get(struct api_call *call, const struct store_statement *statement, const struct uuid *id, const char *what,
	    json_t *(*row)(struct api_call *call, struct cursor *cursor), json_t **ret_json, struct err *err)
{
	struct getting getting = { call, statement, id, row, NULL, false };
	int rc = store_read(api_call_store(call), get, &getting, err);

	if (rc == 0 && !getting.there)
		rc = err_set(err, ERR_NOT_FOUND, "There is no %s with this id.", what);
	if (rc == 0 && getting.json == NULL)
		rc = err_set(err, ERR_MEMORY, "no memory");
	if (rc == 0)
		*ret_json = getting.json;
	else
		json_decref(getting.json);
	return rc;
}
