/* One setting as a row of data, and its value as text and back.
 *
 * A row says everything about a setting: where it stands, of what type it is,
 * its range, unit, default and help. The INI reader, the fresh INI that `init`
 * writes, --check-config, the settings reference and (for settings that
 * travel) policies all come from the same rows. Text is untrusted.
 */
#ifndef MUSTER_CONF_VALUE_H
#define MUSTER_CONF_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/units.h"

#define CONF_VALUE_BYTES    4096 /* longest text of a value */
#define CONF_ADDRESS_BYTES  256  /* longest host name or address, with its NUL */
#define CONF_ADDRESSES      16   /* most addresses in a list */
#define CONF_PATHS_MAX      255  /* most paths in a list; no more than agents take (agent/messages.h) */
#define CONF_PASSWORD_BYTES 127  /* longest hash of a password */
#define CONF_UNLIMITED      INT64_MAX

enum conf_type {
	CONF_TEXT,     /* char *, owned; min and max count bytes */
	CONF_PATH,     /* char *, owned; absolute, or relative to the data directory */
	CONF_NUMBER,   /* int64_t */
	CONF_SPAN,     /* span_us; min and max in microseconds */
	CONF_SIZE,     /* int64_t bytes */
	CONF_BOOLEAN,  /* bool; yes no true false on off 1 0 */
	CONF_CHOICE,   /* int: the place of the word in `choices`, from 0 */
	CONF_LISTEN,   /* struct conf_addresses; "0.0.0.0:4343, [::]:4343" */
	CONF_PATHS,    /* char *, owned: absolute paths in the form of conf_paths_next(); min and max count paths */
	CONF_PASSWORD, /* char *, owned: the Argon2id hash of a password in its encoded form, or empty: none */
};

enum conf_flag {
	CONF_MAY_BE_UNLIMITED = 1, /* number, span, size: the word "unlimited" is CONF_UNLIMITED */
	CONF_REQUIRED = 2,         /* has no default, must be given */
	CONF_SECRET = 4,           /* its value is never printed */
};

struct conf_address {
	char host[CONF_ADDRESS_BYTES]; /* without brackets */
	uint16_t port;
};

struct conf_addresses {
	size_t count;
	struct conf_address items[CONF_ADDRESSES];
};

struct conf_row {
	const char *section;
	const char *key;
	const char *aliases; /* other names of the key, separated by spaces, or NULL */
	enum conf_type type;
	unsigned flags;
	size_t offset;       /* where the value lives in the caller's struct */
	int64_t min, max;    /* both 0: no range. Numbers are never negative */
	const char *choices; /* words separated by spaces */
	const char *initial; /* the default, as text; "" or NULL: empty */
	const char *help;    /* sentences in plain English */
};

/* A value on its own: as in the struct above, by type. */
union conf_value {
	char *text;     /* CONF_TEXT, CONF_PATH, CONF_PATHS, CONF_PASSWORD */
	int64_t number; /* CONF_NUMBER, CONF_SPAN, CONF_SIZE */
	bool boolean;
	int choice;
	struct conf_addresses addresses;
};

/* Parses and checks the range: ERR_FORMAT, ERR_RANGE, ERR_LIMIT, ERR_MEMORY; the
 * text says what is allowed, not which setting it was. Free with conf_value_done(). */
int conf_value_parse(const struct conf_row *row, const char *text, union conf_value *ret_value, struct err *err);
void conf_value_done(const struct conf_row *row, union conf_value *value);
/* The shortest text that conf_value_parse() reads back. Sticky errors in out. */
void conf_value_format(const struct conf_row *row, const union conf_value *value, struct buf *out);
/* "1 to 64", "1s to 1h", "yes or no", "held, periodic": what a row allows. */
void conf_value_allowed(const struct conf_row *row, struct buf *out);
/* Moves a value into the caller's struct (freeing what stood there), or copies it out. */
void conf_value_store(const struct conf_row *row, void *target, union conf_value *value);
void conf_value_load(const struct conf_row *row, const void *target, union conf_value *ret_value);
/* A list of paths as text: separated by commas, sorted, each once; within a path
 * a comma, a backslash, control characters and what is not UTF-8 stand as \xNN
 * (base/text.h). Puts the next path's own bytes into out, which is reset first;
 * *position starts at 0. False at the end, or when out has no room for it. */
bool conf_paths_next(const char *text, size_t *position, struct buf *out);
/* Appends one path's bytes to a list in that form. */
void conf_paths_add(struct buf *list, const void *path, size_t size);
/* True if name is the row's key or one of its aliases. */
bool conf_row_is(const struct conf_row *row, const char *name);

#endif
