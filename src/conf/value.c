/* One setting's value: text to typed value and back. Text is untrusted. */
#include "conf/value.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"

static const char boolean_words[] = "no yes false true off on 0 1"; /* odd places are yes */

/* The place of `name` among words separated by spaces, -1 when it is none of them. */
static int word_place(const char *words, const char *name)
{
	size_t length = strlen(name);
	int place = 0;

	if (words == NULL || length == 0)
		return -1;
	for (const char *word = words; *word != '\0'; place++) {
		size_t size = strcspn(word, " ");

		if (size == length && strncasecmp(word, name, size) == 0)
			return place;
		word += size;
		word += strspn(word, " ");
	}
	return -1;
}

static void append_word(struct buf *out, const char *words, int place)
{
	const char *word = words != NULL ? words : "";

	for (; place > 0; place--) {
		word += strcspn(word, " ");
		word += strspn(word, " ");
	}
	buf_append(out, word, strcspn(word, " "));
}

bool conf_row_is(const struct conf_row *row, const char *name)
{
	return strcasecmp(row->key, name) == 0 || word_place(row->aliases, name) >= 0;
}

static bool has_range(const struct conf_row *row)
{
	return row->min != 0 || row->max != 0;
}

/* Of the smallest unit that stays exact: 5242880 is 5MB. */
static void append_size(struct buf *out, int64_t bytes)
{
	static const struct {
		uint64_t unit;
		const char *suffix;
	} units[] = { { GIB, "GB" }, { MIB, "MB" }, { KIB, "KB" }, { 1, "" } };

	for (size_t i = 0; i < COUNT_OF(units); i++) {
		if ((uint64_t)bytes % units[i].unit == 0 && (bytes != 0 || units[i].unit == 1)) {
			buf_printf(out, "%" PRIu64 "%s", (uint64_t)bytes / units[i].unit, units[i].suffix);
			return;
		}
	}
}

static void append_number(const struct conf_row *row, int64_t number, struct buf *out)
{
	char text[TIME_TEXT_BYTES];

	if ((row->flags & CONF_MAY_BE_UNLIMITED) && number == CONF_UNLIMITED) {
		buf_append_text(out, "unlimited");
	} else if (row->type == CONF_SPAN) {
		span_format(number, text);
		buf_append_text(out, text);
	} else if (row->type == CONF_SIZE) {
		append_size(out, number);
	} else {
		buf_printf(out, "%" PRId64, number);
	}
}

static void append_choices(const struct conf_row *row, struct buf *out)
{
	for (const char *c = row->choices; c != NULL && *c != '\0'; c++)
		buf_append_text(out, *c == ' ' ? ", " : (const char[]){ *c, '\0' });
}

void conf_value_allowed(const struct conf_row *row, struct buf *out)
{
	static const char *const words[] = {
		[CONF_TEXT] = "text",
		[CONF_PATH] = "a path",
		[CONF_NUMBER] = "a whole number",
		[CONF_SPAN] = "a duration such as 10s, 5m or 24h",
		[CONF_SIZE] = "a size such as 10240, 5MB or 2GB",
		[CONF_BOOLEAN] = "yes or no",
		[CONF_CHOICE] = "",
		[CONF_LISTEN] = "ADDRESS:PORT, several separated by commas",
		[CONF_PATHS] = "absolute paths, separated by commas",
		[CONF_PASSWORD] = "a password of 8 to 256 bytes; empty: none",
	};

	if (row->type == CONF_CHOICE) {
		append_choices(row, out);
		return;
	}
	if (!has_range(row) || row->type == CONF_BOOLEAN || row->type == CONF_LISTEN) {
		buf_append_text(out, words[row->type]);
	} else if (row->type == CONF_PATHS) {
		buf_printf(out, "%s, %" PRId64 " to %" PRId64 " of them", words[row->type], row->min, row->max);
	} else if (row->type == CONF_TEXT || row->type == CONF_PATH) {
		buf_printf(out, "%s of %" PRId64 " to %" PRId64 " bytes", words[row->type], row->min, row->max);
	} else if (row->max == INT64_MAX) {
		buf_append_text(out, words[row->type]);
		if (row->min > 0)
			buf_append_text(out, ", at least ");
		if (row->min > 0)
			append_number(row, row->min, out);
	} else {
		append_number(row, row->min, out);
		buf_append_text(out, " to ");
		append_number(row, row->max, out);
	}
	if (row->flags & CONF_MAY_BE_UNLIMITED)
		buf_append_text(out, ", or unlimited");
}

static int not_allowed(const struct conf_row *row, int code, struct err *err)
{
	struct buf allowed;

	buf_init(&allowed, ERR_TEXT_BYTES);
	conf_value_allowed(row, &allowed);
	err_set(err, code, "allowed: %s", buf_text(&allowed));
	buf_done(&allowed);
	return code;
}

static int parse_text(const struct conf_row *row, const char *text, union conf_value *value, struct err *err)
{
	size_t size = strlen(text);

	for (const char *c = text; *c != '\0'; c++) {
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			return err_set(err, ERR_FORMAT, "control characters are not allowed");
	}
	if (size > 0 && (text[0] == ' ' || text[size - 1] == ' '))
		return err_set(err, ERR_FORMAT, "must not begin or end with a space");
	if (row->type == CONF_TEXT && !text_is_utf8(text, size))
		return err_set(err, ERR_FORMAT, "not valid UTF-8");
	if (size > CONF_VALUE_BYTES)
		return err_set(err, ERR_LIMIT, "longer than %d bytes", CONF_VALUE_BYTES);
	if (has_range(row) && ((int64_t)size < row->min || (int64_t)size > row->max))
		return not_allowed(row, ERR_RANGE, err);
	value->text = strdup(text);
	return value->text != NULL ? 0 : err_set(err, ERR_MEMORY, "out of memory");
}

static int parse_number(const struct conf_row *row, const char *text, union conf_value *value, struct err *err)
{
	uint64_t number = 0;
	span_us span = 0;
	int rc;

	if ((row->flags & CONF_MAY_BE_UNLIMITED) && strcasecmp(text, "unlimited") == 0) {
		value->number = CONF_UNLIMITED;
		return 0;
	}
	if (row->type == CONF_SPAN)
		rc = span_parse(text, &span, NULL);
	else if (row->type == CONF_SIZE)
		rc = size_parse(text, &number, NULL);
	else
		rc = number_parse(text, 0, INT64_MAX, &number, NULL);
	if (rc != 0 || number > INT64_MAX)
		return not_allowed(row, rc == ERR_FORMAT ? ERR_FORMAT : ERR_RANGE, err);
	value->number = row->type == CONF_SPAN ? span : (int64_t)number;
	if (has_range(row) && (value->number < row->min || value->number > row->max))
		return not_allowed(row, ERR_RANGE, err);
	return 0;
}

static int parse_boolean(const struct conf_row *row, const char *text, union conf_value *value, struct err *err)
{
	int place = word_place(boolean_words, text);

	if (place < 0)
		return not_allowed(row, ERR_FORMAT, err);
	value->boolean = place % 2 != 0;
	return 0;
}

static int parse_choice(const struct conf_row *row, const char *text, union conf_value *value, struct err *err)
{
	int place = word_place(row->choices, text);

	if (place < 0)
		return not_allowed(row, ERR_RANGE, err);
	value->choice = place;
	return 0;
}

/* "host:port", "192.0.2.1:port", "[2001:db8::1]:port"; text is size bytes. */
static int parse_address(const char *text, size_t size, struct conf_address *address, struct err *err)
{
	char word[CONF_ADDRESS_BYTES + 8], *colon, *host = word;
	uint64_t port;
	size_t length;

	if (size >= sizeof(word))
		return err_set(err, ERR_LIMIT, "an address is longer than %d bytes", CONF_ADDRESS_BYTES);
	memcpy(word, text, size);
	word[size] = '\0';
	colon = strrchr(word, ':');
	if (colon == NULL || number_parse(colon + 1, 0, UINT16_MAX, &port, NULL) != 0)
		return err_set(err, ERR_FORMAT, "'%s' is not ADDRESS:PORT (port 0 to 65535)", word);
	*colon = '\0';
	length = strlen(word);
	if (length > 2 && word[0] == '[' && word[length - 1] == ']') {
		word[length - 1] = '\0';
		host = word + 1;
	} else if (strchr(word, ':') != NULL) {
		return err_set(err, ERR_FORMAT, "'%s': an IPv6 address stands in brackets, as in [::1]:4343", word);
	}
	length = strlen(host);
	if (length == 0 || length >= sizeof(address->host) ||
	    strspn(host, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-_:%") != length)
		return err_set(err, ERR_FORMAT, "'%s' is not a host name or an address", word);
	memcpy(address->host, host, length + 1);
	address->port = (uint16_t)port;
	return 0;
}

static int parse_addresses(const struct conf_row *row, const char *text, union conf_value *value, struct err *err)
{
	struct conf_addresses *list = &value->addresses;
	int rc = 0;

	list->count = 0;
	for (text += strspn(text, " \t,"); rc == 0 && *text != '\0'; text += strspn(text, " \t,")) {
		size_t size = strcspn(text, " \t,");

		if (list->count == CONF_ADDRESSES)
			return err_set(err, ERR_LIMIT, "more than %d addresses", CONF_ADDRESSES);
		rc = parse_address(text, size, &list->items[list->count++], err);
		text += size;
	}
	if (rc == 0 && list->count == 0 && row->initial != NULL && row->initial[0] != '\0')
		rc = err_set(err, ERR_FORMAT, "at least one ADDRESS:PORT is needed");
	return rc;
}

/* --- lists of paths --- */

void conf_paths_add(struct buf *list, const void *path, size_t size)
{
	struct buf escaped;

	buf_init(&escaped, 4 * CONF_VALUE_BYTES);
	text_escape(&escaped, path, size);
	if (escaped.status != 0)
		list->status = escaped.status;
	if (list->size > 0)
		buf_append_byte(list, ',');
	for (const char *c = buf_text(&escaped); *c != '\0'; c++) {
		if (*c == ',')
			buf_append_text(list, "\\x2c");
		else
			buf_append_byte(list, (uint8_t)*c);
	}
	buf_done(&escaped);
}

bool conf_paths_next(const char *text, size_t *position, struct buf *out)
{
	const char *at = text + *position;
	size_t size = strcspn(at, ",");
	char word[CONF_VALUE_BYTES + 1];

	if (size == 0 || size > CONF_VALUE_BYTES)
		return false;
	memcpy(word, at, size);
	word[size] = '\0';
	*position += size + (at[size] == ',');
	buf_reset(out);
	return text_unescape(word, out) == 0 && out->status == 0;
}

struct path_list {
	char *items[CONF_PATHS_MAX]; /* in their final form, owned */
	size_t count;
};

static int compare_paths(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* word: size bytes of a list that a person or a message gave. */
static int take_path(struct path_list *list, const char *word, size_t size, struct err *err)
{
	struct buf path, form;
	char text[CONF_VALUE_BYTES + 1];
	int rc = 0;

	memcpy(text, word, size);
	text[size] = '\0';
	buf_init(&path, CONF_VALUE_BYTES);
	buf_init(&form, 4 * CONF_VALUE_BYTES);
	if (text_unescape(text, &path) != 0 || path.status != 0 || memchr(path.data, '\0', path.size) != NULL)
		rc = err_set(err, ERR_FORMAT, "'%.100s': a backslash must be followed by xNN, the two digits of a byte",
			     text);
	else if (path.data[0] != '/')
		rc = err_set(err, ERR_FORMAT, "'%.100s' is not an absolute path", text);
	else if (list->count == CONF_PATHS_MAX)
		rc = err_set(err, ERR_LIMIT, "more than %d paths; a pattern or a directory above stands for several",
			     CONF_PATHS_MAX);
	while (rc == 0 && path.size > 1 && path.data[path.size - 1] == '/')
		path.size--;
	if (rc == 0) {
		conf_paths_add(&form, path.data, path.size);
		list->items[list->count] = form.status == 0 ? strdup(buf_text(&form)) : NULL;
		rc = list->items[list->count] != NULL ? 0 : err_set(err, ERR_MEMORY, "out of memory");
		list->count += rc == 0;
	}
	buf_done(&path);
	buf_done(&form);
	return rc;
}

static int split_paths(struct path_list *list, const char *text, struct err *err)
{
	int rc = 0;

	for (text += strspn(text, " ,"); rc == 0 && *text != '\0'; text += strspn(text, " ,")) {
		size_t size = strcspn(text, ","), used = size;

		while (used > 0 && text[used - 1] == ' ')
			used--;
		rc = take_path(list, text, used, err);
		text += size;
	}
	return rc;
}

static int join_paths(const struct conf_row *row, struct path_list *list, union conf_value *value, struct err *err)
{
	struct buf out;
	size_t kept = 0;
	int rc = 0;

	buf_init(&out, CONF_VALUE_BYTES);
	qsort(list->items, list->count, sizeof(list->items[0]), compare_paths);
	for (size_t i = 0; i < list->count; i++) {
		if (i > 0 && strcmp(list->items[i], list->items[i - 1]) == 0)
			continue;
		buf_append_text(&out, kept++ > 0 ? "," : "");
		buf_append_text(&out, list->items[i]);
	}
	if (out.status != 0)
		rc = err_set(err, out.status, "longer than %d bytes", CONF_VALUE_BYTES);
	else if (has_range(row) && ((int64_t)kept < row->min || (int64_t)kept > row->max))
		rc = not_allowed(row, ERR_RANGE, err);
	else if ((value->text = strdup(buf_text(&out))) == NULL)
		rc = err_set(err, ERR_MEMORY, "out of memory");
	buf_done(&out);
	return rc;
}

static int parse_paths(const struct conf_row *row, const char *text, union conf_value *value, struct err *err)
{
	struct path_list list = { .count = 0 };
	int rc;

	if (strlen(text) > CONF_VALUE_BYTES)
		return err_set(err, ERR_LIMIT, "longer than %d bytes", CONF_VALUE_BYTES);
	rc = split_paths(&list, text, err);
	if (rc == 0)
		rc = join_paths(row, &list, value, err);
	for (size_t i = 0; i < list.count; i++)
		free(list.items[i]);
	return rc;
}

/* What has been hashed already: a password itself is never a value. */
static int parse_password(const struct conf_row *row, const char *text, union conf_value *value, struct err *err)
{
	static const char beginning[] = "$argon2id$";
	size_t size = strnlen(text, CONF_PASSWORD_BYTES + 1);

	(void)row;
	if (size > CONF_PASSWORD_BYTES || (size > 0 && strncmp(text, beginning, sizeof(beginning) - 1) != 0) ||
	    strspn(text, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ$=,+/") != size)
		return err_set(err, ERR_FORMAT, "not the hash of a password");
	value->text = strdup(text);
	return value->text != NULL ? 0 : err_set(err, ERR_MEMORY, "out of memory");
}

static const struct {
	int (*parse)(const struct conf_row *row, const char *text, union conf_value *value, struct err *err);
	size_t size;
} types[] = {
	[CONF_TEXT] = { parse_text, sizeof(char *) },
	[CONF_PATH] = { parse_text, sizeof(char *) },
	[CONF_NUMBER] = { parse_number, sizeof(int64_t) },
	[CONF_SPAN] = { parse_number, sizeof(int64_t) },
	[CONF_SIZE] = { parse_number, sizeof(int64_t) },
	[CONF_BOOLEAN] = { parse_boolean, sizeof(bool) },
	[CONF_CHOICE] = { parse_choice, sizeof(int) },
	[CONF_LISTEN] = { parse_addresses, sizeof(struct conf_addresses) },
	[CONF_PATHS] = { parse_paths, sizeof(char *) },
	[CONF_PASSWORD] = { parse_password, sizeof(char *) },
};

int conf_value_parse(const struct conf_row *row, const char *text, union conf_value *ret_value, struct err *err)
{
	return types[row->type].parse(row, text, ret_value, err);
}

static bool owns_text(const struct conf_row *row)
{
	return row->type == CONF_TEXT || row->type == CONF_PATH || row->type == CONF_PATHS ||
	       row->type == CONF_PASSWORD;
}

void conf_value_done(const struct conf_row *row, union conf_value *value)
{
	if (!owns_text(row) || value->text == NULL)
		return;
	if (row->flags & CONF_SECRET)
		explicit_bzero(value->text, strlen(value->text));
	free(value->text);
	value->text = NULL;
}

static void append_addresses(const struct conf_addresses *list, struct buf *out)
{
	for (size_t i = 0; i < list->count; i++) {
		bool brackets = strchr(list->items[i].host, ':') != NULL;

		buf_printf(out, "%s%s%s%s:%u", i > 0 ? ", " : "", brackets ? "[" : "", list->items[i].host,
			   brackets ? "]" : "", list->items[i].port);
	}
}

void conf_value_format(const struct conf_row *row, const union conf_value *value, struct buf *out)
{
	switch (row->type) {
	case CONF_TEXT:
	case CONF_PATH:
	case CONF_PATHS:
	case CONF_PASSWORD:
		buf_append_text(out, value->text != NULL ? value->text : "");
		break;
	case CONF_NUMBER:
	case CONF_SPAN:
	case CONF_SIZE:
		append_number(row, value->number, out);
		break;
	case CONF_BOOLEAN:
		buf_append_text(out, value->boolean ? "yes" : "no");
		break;
	case CONF_CHOICE:
		append_word(out, row->choices, value->choice);
		break;
	case CONF_LISTEN:
		append_addresses(&value->addresses, out);
		break;
	}
}

void conf_value_store(const struct conf_row *row, void *target, union conf_value *value)
{
	union conf_value old;

	conf_value_load(row, target, &old);
	conf_value_done(row, &old);
	memcpy((char *)target + row->offset, value, types[row->type].size);
	memset(value, 0, sizeof(*value));
}

void conf_value_load(const struct conf_row *row, const void *target, union conf_value *ret_value)
{
	memset(ret_value, 0, sizeof(*ret_value));
	memcpy(ret_value, (const char *)target + row->offset, types[row->type].size);
}
