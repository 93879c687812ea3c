/* From rows of the database to JSON: by tables, and lists by page. */
#ifndef MUSTER_MANAGER_API_ROWS_H
#define MUSTER_MANAGER_API_ROWS_H

#include <jansson.h>

#include "manager/api/call.h"
#include "store/store.h"

/* --- one column, one value; NULL: no memory --- */
typedef json_t *(*row_make)(struct cursor *cursor, const char *column);

json_t *row_number(struct cursor *cursor, const char *column); /* null for NULL */
json_t *row_boolean(struct cursor *cursor, const char *column);
json_t *row_seconds(struct cursor *cursor, const char *column);      /* of a span, towards zero */
json_t *row_time(struct cursor *cursor, const char *column);         /* null for NULL */
json_t *row_id(struct cursor *cursor, const char *column);           /* null for NULL */
json_t *row_hex(struct cursor *cursor, const char *column);          /* null for NULL and for no bytes */
json_t *row_text(struct cursor *cursor, const char *column);         /* escaped; "" for NULL */
json_t *row_text_or_null(struct cursor *cursor, const char *column); /* null for NULL and "" */
json_t *row_path(struct cursor *cursor, const char *column);         /* escaped bytes */
json_t *row_object(struct cursor *cursor, const char *column);       /* stored JSON; {} if it is not an object */
json_t *row_array(struct cursor *cursor, const char *column);
json_t *json_time(time_us time);
json_t *json_uuid(const struct uuid *uuid);
json_t *json_sha256(const uint8_t hash[SHA256_BYTES]);
/* Outside bytes, escaped (base/text.h). */
json_t *json_shown(const void *bytes, size_t size);

struct row_field {
	const char *name;
	const char *column;
	row_make make;
};
/* An object of the fields; NULL: no memory. */
json_t *row_json(struct cursor *cursor, const struct row_field *fields, size_t count);

/* --- lists --- */

enum list_bind {
	LIST_TEXT,
	LIST_NUMBER,
	LIST_ID,
	LIST_PATTERN, /* `*` and `?` for LIKE */
	LIST_PATH_ID, /* always: {id} of the path */
};
struct list_filter {
	const char *parameter; /* of the route's query; also the name to bind */
	enum list_bind bind;
	const char *sql; /* " AND event.type = :type" */
	/* Most rows have this value, so that an index holds the others alone; `rarely` lets one who asks for them use
	 * it. */
	const char *common;
	const char *rarely; /* " AND alert.state <> 'resolved'" */
};
struct list {
	uint8_t tag;        /* of its cursors */
	const char *select; /* up to and with " WHERE …" */
	const struct list_filter *filters;
	size_t filter_count;
	bool ascending;
	bool key_is_text;
	const char *key;        /* "event.time": orders, then the id */
	const char *key_column; /* "time", as selected */
	const char *id;         /* "event.id"; NULL: the key is unique */
	json_t *(*row)(struct api_call *call, struct cursor *cursor);
};
/* Answers with one page by the call's limit, cursor and filters. */
int list_reply(struct api_call *call, const struct list *list, struct err *err);

/* --- one row --- */

/* The row of `statement` for this :id as JSON; ERR_NOT_FOUND "no such <what>". */
int row_get(struct api_call *call, const struct store_statement *statement, const struct uuid *id, const char *what,
	    json_t *(*row)(struct api_call *call, struct cursor *cursor), json_t **ret_json, struct err *err);

#endif
