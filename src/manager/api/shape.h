/* Shapes: what JSON objects and query parameters may hold, as data.
 *
 * One description serves three purposes: checking what callers send, the
 * OpenAPI document, and the tests that check our own answers. Rows are
 * constants; nothing here allocates but the list of faults.
 */
#ifndef MUSTER_MANAGER_API_SHAPE_H
#define MUSTER_MANAGER_API_SHAPE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/hex.h"
#include "base/units.h"

enum shape_kind {
	SHAPE_TEXT,   /* min and max: bytes */
	SHAPE_NAME,   /* text that is printable (text_is_name) */
	SHAPE_PATH,   /* text in the escaped form of base/text.h, beginning with '/' */
	SHAPE_SECRET, /* text that must not be shown again */
	SHAPE_NUMBER, /* min and max: value */
	SHAPE_BOOLEAN,
	SHAPE_TIME, /* RFC 3339 */
	SHAPE_WHEN, /* RFC 3339, or a duration from now ("30d"); answers always hold the former */
	SHAPE_SPAN, /* seconds, or text like "10m"; min and max: seconds */
	SHAPE_UUID,
	SHAPE_CHOICE,
	SHAPE_OBJECT,   /* of */
	SHAPE_OBJECTS,  /* a list of `of`; max: entries */
	SHAPE_PATHS,    /* a list of SHAPE_PATH; max: entries */
	SHAPE_TEXTS,    /* a list of text */
	SHAPE_UUIDS,    /* a list of ids; max: entries */
	SHAPE_TEXT_MAP, /* an object of text values */
	SHAPE_ANY,      /* an object whose members depend on something else */
	SHAPE_CURSOR,   /* `next` of the page before */
	SHAPE_KIND_COUNT_
};

enum shape_flag { SHAPE_REQUIRED = 1, SHAPE_NULLABLE = 2 };

struct shape;
struct shape_field {
	const char *name;
	enum shape_kind kind;
	unsigned flags;
	int64_t min, max;           /* both 0: no bound but the kind's own */
	const char *const *choices; /* NULL-terminated */
	const struct shape *of;
	const char *help; /* one line for the document */
};

struct shape {
	const char *name;
	const char *help;
	const struct shape_field *fields;
	size_t count;
	bool open; /* other members may come too */
};

/* What was wrong with a call: {name, reason} pairs for problem+json, at most
 * FAULTS_MAX of them. Start with a zeroed one. */
#define FAULTS_MAX 32
struct faults {
	json_t *list; /* NULL until the first */
	size_t count; /* all, those not listed included */
};
void faults_add(struct faults *faults, const char *name, const char *reason, ...) __attribute__((format(printf, 3, 4)));
void faults_done(struct faults *faults);

/* Checks an object against a shape: types, bounds, required and unknown
 * members; each fault is added under its path ("paths[2]"). True when there was none. */
bool shape_check(const struct shape *shape, const json_t *object, struct faults *faults);

/* A choice's position, -1 if there is no such. */
int shape_choice(const char *const *choices, const char *text);

/* SHAPE_WHEN and SHAPE_SPAN as numbers. value may be NULL or JSON null: 0. The value was checked before. */
time_us shape_when(const json_t *value, time_us now);
span_us shape_span(const json_t *value);

#endif
